"""Recordings in EDF, EDF+, BDF and BDF+, through pyedflib.

Knows headers of signals: nothing of what a recording must be.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.formats.contents import Contents
from semg_hht.recordings.units import one_unit

if TYPE_CHECKING:
    from pyedflib import EdfReader

# Labels begin with the type of the signal (EDF+ specification, 2.1.3); these are no EMG.
NO_EMG = ("ECG", "EEG", "EOG", "ACC", "GYR", "MAG", "RESP", "TEMP", "TRIG", "STATUS", "FORCE", "ANGLE")


def read_edf(path: Path) -> Contents:
    """The signals of an EDF or BDF file that share the commonest rate, in the physical units of the header.

    Raises
    ------
    InputError
        pyedflib is not installed, the file is none, is cut short, or has pauses (EDF+D), or holds no signal.
    """
    try:
        from pyedflib import EdfReader
    except ImportError:
        raise InputError(f"{path}: reading {path.suffix} needs pyedflib: pip install 'semg-hht[readers]'") from None
    try:
        with EdfReader(str(path)) as file:
            return _contents(path, file)
    except OSError as error:
        if "discontinuous" in str(error).lower():
            raise InputError(
                f"{path}: has pauses between its segments (EDF+D); expected one unbroken recording"
            ) from None
        raise InputError(f"{path}: can't be read as EDF or BDF; {error}") from None


def _contents(path: Path, file: EdfReader) -> Contents:
    labels = [label.strip() for label in file.getSignalLabels()]
    if not labels:
        raise InputError(f"{path}: expected at least one signal; found none")
    rates = [float(file.getSampleFrequency(i)) for i in range(len(labels))]
    rate_hz = max(Counter(rates).items(), key=lambda item: (item[1], item[0]))[0]
    kept = [i for i, rate in enumerate(rates) if rate == rate_hz]
    left = [labels[i] for i in range(len(labels)) if i not in kept]
    names = [labels[i] if labels.count(labels[i]) == 1 else f"{labels[i]} {i + 1}" for i in kept]
    units, factors = one_unit([file.getPhysicalDimension(i).strip() for i in kept])
    table = np.empty((file.getNSamples()[kept[0]], len(kept)))
    for column, (index, factor) in enumerate(zip(kept, factors, strict=True)):
        table[:, column] = file.readSignal(index) * factor
    remarks = (f"signals of another rate than {rate_hz:g} Hz were left out: {', '.join(left)}",) if left else ()
    other = tuple(name for name in names if name.upper().startswith(NO_EMG))
    return Contents(table, rate_hz, tuple(names), units, other, remarks)
