"""Reader of EDF, EDF+, BDF and BDF+ recordings, with pyedflib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.channels import ChannelDescription, distinct_names, reasons_by_description
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, most_common_of_emg, remarks_on_other_rates
from semg_hht.recordings.units import one_unit

if TYPE_CHECKING:
    from pyedflib import EdfReader

MAX_LABEL = 16  # characters of a label in the header


def read_edf(path: Path) -> DecodedRecording:
    """Read the signals with the most common rate of EMG, in the physical units of the header.

    Raises
    ------
    InputError
        The file is not EDF or BDF, is cut short, has pauses (EDF+D) or has no signal.
    """
    from pyedflib import EdfReader

    try:
        with EdfReader(str(path)) as file:
            return _decode(path, file)
    except OSError as error:
        if "discontinuous" in str(error).lower():
            message = f"{path}: has pauses between its segments (EDF+D); expected one unbroken recording"
            raise InputError(message) from None
        raise InputError(f"{path}: can't be read as EDF or BDF; {error}") from None


def _decode(path: Path, file: EdfReader) -> DecodedRecording:
    labels = [label.strip() for label in file.getSignalLabels()]
    if not labels:
        raise InputError(f"{path}: expected at least one signal; found none")
    rates = [float(file.getSampleFrequency(i)) for i in range(len(labels))]
    dimensions = [file.getPhysicalDimension(i).strip() for i in range(len(labels))]
    described = [ChannelDescription(label, unit) for label, unit in zip(labels, dimensions, strict=True)]
    rate_hz = most_common_of_emg(rates, reasons_by_description(described))
    kept = [i for i, rate in enumerate(rates) if rate == rate_hz]
    left_out = [labels[i] for i in range(len(labels)) if i not in kept]
    names = distinct_names(labels)
    units, factors = one_unit([dimensions[i] for i in kept])
    table = np.empty((file.getNSamples()[kept[0]], len(kept)))
    for column, (index, factor) in enumerate(zip(kept, factors, strict=True)):
        table[:, column] = file.readSignal(index) * factor
    return DecodedRecording(
        table,
        rate_hz,
        tuple(names[i] for i in kept),
        units,
        remarks=tuple(remarks_on_other_rates(rate_hz, left_out)),
        channel_units=tuple(dimensions[i] for i in kept),
        numbers=tuple(i + 1 for i in kept) if left_out else (),
    )
