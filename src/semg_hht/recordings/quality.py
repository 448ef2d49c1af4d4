"""Quality of a recording: gaps, clipping, flat channels, raw counts and implausible sampling rates.

It works on arrays and rates and does not know files or repetitions. Everything that it changes or notices is reported
as a remark, one short sentence for the user.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.channels import is_one_sided
from semg_hht.recordings.welch import welch

Array = NDArray[np.float64]

# A packet of a wireless sensor holds 10 to 30 ms. A straight line over a longer gap would look like a rest.
MAX_GAP_S = 0.05
MAX_GAP_SHARE = 0.05  # of a channel
MIN_CLIPPED = 8  # samples at one end of the range; fewer may occur by chance
# Samples at an end of the range per sample at the neighbouring value. The tails of a signal become sparse towards the
# ends, so a channel without clipping has a lower ratio.
CLIPPED_RATIO = 3.0
# Half of the power of surface EMG lies below 150 Hz in every muscle (De Luca 1997, doi 10.1123/jab.13.2.135). A stated
# rate that is ten times too high moves this median frequency to 500 Hz and more.
MAX_MEDIAN_HZ = 300.0
# For a rate ten times too low. In real recordings the lowest channel had 21 Hz; the highest channel of each recording
# had at least 40 Hz.
MIN_MEDIAN_HZ = 20.0
MIN_RATE_HZ = 150.0
MAX_SPECTRUM_SAMPLES = 2**18  # of a channel; enough to estimate its spectrum
CONVERTER_BITS = range(8, 17)  # with more bits, any number of 32 bits may pass for a share of the range
N_PROBED = 4096  # samples of a channel
ROUNDING = 0.01  # of a step of the converter: text of seven digits may be off by that


def interpolate_gaps(samples: Array, rate_hz: float, names: Sequence[str]) -> tuple[str, ...]:
    """Replace NaN in (n_channels, n_samples) in place by linear interpolation, in gaps of at most 50 ms.

    Returns
    -------
    One remark for each channel with gaps.

    Raises
    ------
    InputError
        A channel has infinite values, a longer gap, or lacks more than 5 % of its samples.
    """
    remarks = []
    for name, channel in zip(names, samples, strict=True):
        missing = np.isnan(channel)
        n_infinite = int(np.count_nonzero(np.isinf(channel)))
        if n_infinite:
            raise InputError(f"channel {name} has {n_infinite} infinite samples; expected finite numbers")
        if not missing.any():
            continue
        edges = np.flatnonzero(np.diff(missing, prepend=False, append=False)).reshape(-1, 2)  # (n_gaps, 2)
        start, stop = edges[np.argmax(edges[:, 1] - edges[:, 0])] / rate_hz
        n_missing = int(missing.sum())
        if stop - start > MAX_GAP_S or n_missing > MAX_GAP_SHARE * channel.size:
            raise InputError(
                f"channel {name} lacks {n_missing} of {channel.size} samples, with the longest gap from "
                f"{start:.3f} to {stop:.3f} s; expected gaps of at most {1000 * MAX_GAP_S:g} ms that add up to at most "
                f"{MAX_GAP_SHARE:.0%} of the channel. Cut the recording there, or leave the channel out"
            )
        present = np.flatnonzero(~missing)
        channel[missing] = np.interp(np.flatnonzero(missing), present, channel[present])
        gaps = "1 gap was" if len(edges) == 1 else f"{len(edges)} gaps were"
        remarks.append(f"channel {name}: {gaps} filled by interpolation, the longest of {1000 * (stop - start):.1f} ms")
    return tuple(remarks)


def counts_per_unit(samples: Sequence[Array]) -> int:
    """By what channels (n_samples,) must be multiplied to be the counts of a converter again; 1: by nothing.

    Some programs divide the counts of a converter of n bits by 2 ** (n - 1), so that its range becomes -1 to 1. NaN is
    ignored.
    """
    factor = 1
    for channel in samples:
        for part in (channel[:N_PROBED], channel):  # what is no count is seen at the beginning, without 16 long passes
            finite = part[np.isfinite(part)]
            while not _are_whole(finite * factor):
                factor *= 2
                if factor > 2 ** (CONVERTER_BITS[-1] - 1):
                    return 1
    return factor if factor >= 2 ** (CONVERTER_BITS[0] - 1) else 1


def _are_whole(values: Array) -> bool:
    return bool((np.abs(values - np.rint(values)) <= ROUNDING * np.minimum(np.abs(values), 1.0)).all())


def quality_remarks(samples: Sequence[Array], rate_hz: float, names: Sequence[str], units: str) -> tuple[str, ...]:
    """A remark for each problem found in EMG channels (n_samples,) of finite values."""
    one_sided = [name for name, channel in zip(names, samples, strict=True) if is_one_sided(channel)]
    remarks = [
        f"channel {name} lies on one side of 0, as a rectified signal or an envelope (RMS, moving average) does; "
        "neither its amplitudes nor its frequencies are those of EMG: export the raw signal"
        for name in one_sided
    ]
    remarks += [
        f"channel {name} is clipped: {n_clipped} samples ({n_clipped / channel.size:.2%}) have the value {value:g}, "
        "which is an end of its range"
        for name, channel in zip(names, samples, strict=True)
        for value, n_clipped in clipped_ends(channel)
        if name not in one_sided
    ]
    flat = [name for name, channel in zip(names, samples, strict=True) if np.ptp(channel) == 0]
    if flat:
        remarks.append(f"nothing was recorded on {', '.join(flat)}: all samples have the same value")
    if not units and samples and all(np.array_equal(channel, np.rint(channel)) for channel in samples):
        remarks.append("the samples are whole numbers without units; they are taken for counts of the converter")
    return (*remarks, *rate_remarks(samples, rate_hz))


def rate_remarks(samples: Sequence[Array], rate_hz: float) -> tuple[str, ...]:
    """Reasons why the rate of EMG channels (n_samples,) is implausible; empty if there are none."""
    remarks = []
    if rate_hz < MIN_RATE_HZ:
        remarks.append(f"{rate_hz:g} Hz covers little of the band of surface EMG, 20 to 450 Hz; check the rate")
    medians_hz = [median_hz(channel, rate_hz) for channel in samples if np.ptp(channel) > 0]
    if medians_hz and (min(medians_hz) > MAX_MEDIAN_HZ or max(medians_hz) < MIN_MEDIAN_HZ):
        side, median = ("above", min(medians_hz)) if min(medians_hz) > MAX_MEDIAN_HZ else ("below", max(medians_hz))
        remarks.append(
            f"at least half of the power lies {side} {median:.0f} Hz, where surface EMG has very little; "
            f"check the rate of {rate_hz:g} Hz, and whether the channels hold EMG"
        )
    return tuple(remarks)


def clipped_ends(channel: Array) -> list[tuple[float, int]]:
    """The ends of its range at which a channel (n_samples,) is clipped: (value, number of samples with this value)."""
    ends = []
    for end in (float(channel.min()), float(channel.max())):
        at_end = channel == end
        n_at_end = int(np.count_nonzero(at_end))
        if n_at_end < MIN_CLIPPED or n_at_end == channel.size or not np.any(at_end[1:] & at_end[:-1]):
            continue
        others = channel[~at_end]
        n_next = int(np.count_nonzero(others == (others.min() if end < others[0] else others.max())))
        if n_at_end > CLIPPED_RATIO * n_next:
            ends.append((end, n_at_end))
    return ends


def median_hz(channel: Array, rate_hz: float) -> float:
    """The median frequency of the power above 10 Hz, so that drift and movement artefacts do not count."""
    start = max(0, (channel.size - MAX_SPECTRUM_SAMPLES) // 2)
    frequency_hz, power = welch(channel[start : start + MAX_SPECTRUM_SAMPLES], rate_hz, min(channel.size, 1024))
    cumulative = np.cumsum(np.where(frequency_hz >= 10, power, 0.0))
    return float(frequency_hz[np.searchsorted(cumulative, cumulative[-1] / 2)])
