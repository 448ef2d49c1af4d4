"""What samples tell of how they were recorded: gaps, clipping, whole numbers, a rate that can't be right.

Knows samples and rates: nothing of files or repetitions. Nothing is mended in silence: what is done or seen becomes a
remark, a short sentence for the person who reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.errors import InputError

Array = NDArray[np.float64]

# A packet of a wireless sensor holds 10 to 30 ms. A longer gap bridged would pass for a rest.
MAX_GAP_S = 0.05
MAX_GAP_SHARE = 0.05  # of a channel
MIN_CLIPPED = 8  # samples at one end of the range; fewer may be chance
# Of samples at an end of the range, how many for one at the next value inwards: the tails of a signal thin out, so
# without clipping there are fewer.
CLIPPED_RATIO = 3.0
# Surface EMG has half of its power below 150 Hz whatever the muscle (De Luca 1997, doi 10.1123/jab.13.2.135); a rate
# stated ten times too high moves that to 500 Hz and more.
MAX_MEDIAN_HZ = 300.0
MIN_MEDIAN_HZ = 20.0  # ten times too low; of real recordings the lowest channel had 21 Hz, the best of any had 40
MIN_RATE_HZ = 150.0
MAX_EXAMINED = 2**18  # samples of a channel that are enough to know its spectrum


def bridge_gaps(samples: Array, rate_hz: float, names: Sequence[str]) -> tuple[str, ...]:
    """Fill NaN of (n_channels, n_samples) in place by straight lines where a gap is no longer than 50 ms.

    Returns
    -------
    A remark a channel that was filled.

    Raises
    ------
    InputError
        Infinite values, a longer gap, or more than 5 % of a channel missing.
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
                f"channel {name} has no numbers in {n_missing} of {channel.size} samples, the longest gap from "
                f"{start:.3f} to {stop:.3f} s; expected gaps of no more than {1000 * MAX_GAP_S:g} ms and "
                f"{MAX_GAP_SHARE:.0%}; cut the recording there, or leave the channel out"
            )
        present = np.flatnonzero(~missing)
        channel[missing] = np.interp(np.flatnonzero(missing), present, channel[present])
        gaps = "1 gap" if len(edges) == 1 else f"{len(edges)} gaps"
        remarks.append(f"channel {name}: {gaps} bridged by straight lines, the longest {1000 * (stop - start):.1f} ms")
    return tuple(remarks)


def examine(samples: Sequence[Array], rate_hz: float, names: Sequence[str], units: str) -> tuple[str, ...]:
    """What a person should know of EMG channels (n_samples,), all finite: a remark for each thing that looks wrong."""
    remarks = [
        f"channel {name} is clipped: {n_clipped} samples ({n_clipped / channel.size:.2%}) stand at {value:g}, "
        "the end of its range"
        for name, channel in zip(names, samples, strict=True)
        for value, n_clipped in clipped(channel)
    ]
    flat = [name for name, channel in zip(names, samples, strict=True) if np.ptp(channel) == 0]
    if flat:
        remarks.append(f"nothing was recorded on {', '.join(flat)}: the same value throughout")
    if not units and samples and all(np.array_equal(channel, np.rint(channel)) for channel in samples):
        remarks.append("whole numbers, no units stated: taken for the converter's own counts")
    return (*remarks, *doubts_of_rate(samples, rate_hz))


def doubts_of_rate(samples: Sequence[Array], rate_hz: float) -> tuple[str, ...]:
    """Why the rate of EMG channels (n_samples,) can hardly be right; empty where nothing speaks against it."""
    remarks = []
    if rate_hz < MIN_RATE_HZ:
        remarks.append(f"{rate_hz:g} Hz holds little of surface EMG (20 to 450 Hz): is that the rate?")
    medians_hz = [median_hz(channel, rate_hz) for channel in samples if np.ptp(channel) > 0]
    if medians_hz and (min(medians_hz) > MAX_MEDIAN_HZ or max(medians_hz) < MIN_MEDIAN_HZ):
        side, median = ("above", min(medians_hz)) if min(medians_hz) > MAX_MEDIAN_HZ else ("below", max(medians_hz))
        remarks.append(
            f"half of the power or more lies {side} {median:.0f} Hz, where surface EMG has hardly any: "
            f"is the rate {rate_hz:g} Hz right, and is there muscle in it?"
        )
    return tuple(remarks)


def clipped(channel: Array) -> list[tuple[float, int]]:
    """The ends of the range where (n_samples,) was cut off: (value, how many samples stand there)."""
    found = []
    for end in (float(channel.min()), float(channel.max())):
        at_end = channel == end
        n_at_end = int(np.count_nonzero(at_end))
        if n_at_end < MIN_CLIPPED or n_at_end == channel.size or not np.any(at_end[1:] & at_end[:-1]):
            continue
        inwards = channel[~at_end]
        n_next = int(np.count_nonzero(inwards == (inwards.min() if end < inwards[0] else inwards.max())))
        if n_at_end > CLIPPED_RATIO * n_next:
            found.append((end, n_at_end))
    return found


def median_hz(channel: Array, rate_hz: float) -> float:
    """The frequency with half of the power above 10 Hz on either side; drift and movement lie below."""
    middle = max(0, (channel.size - MAX_EXAMINED) // 2)
    frequency_hz, power = scipy.signal.welch(
        channel[middle : middle + MAX_EXAMINED], rate_hz, "hann", min(channel.size, 1024), detrend="constant"
    )
    below = np.cumsum(np.where(frequency_hz >= 10, power, 0.0))
    return float(frequency_hz[np.searchsorted(below, below[-1] / 2)])
