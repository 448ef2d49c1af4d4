"""Find the repetitions in a recording that states no times, as a run expects them.

It knows what a run was trained on and does not know matrices or answers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from semg_hht.errors import InputError
from semg_hht.inference.description import ModelDescription
from semg_hht.signals.filtered_recording import FilteredRecording
from semg_hht.signals.repetitions import SegmentConfig

if TYPE_CHECKING:
    from semg_hht.datasets.segment import SegmentedRecording

LONGER = 2.0  # times the longest training repetition: a longer recording holds several repetitions
# In a shorter recording: what is louder by this factor than the rest of it, and as long as a training repetition, is a
# repetition with rest around it. A repetition without rest rises and falls by less.
CONTRAST = 5.0
MOST = 0.7  # of a recording: a repetition that covers more of it is the recording


def with_found_repetitions(
    source: FilteredRecording, model: ModelDescription, config: SegmentConfig
) -> tuple[FilteredRecording, tuple[str, ...]]:
    """The recording with one row for each repetition found in it, and a remark on what was found.

    A recording that is not longer than twice the longest training repetition is one repetition, unless the training
    repetitions were found in recordings: then the rest around one, or between two, is not part of it.

    Raises
    ------
    InputError
        A longer recording holds no repetition; the text names the file.
    """
    duration_s = source.raw.duration_s
    is_long = duration_s > LONGER * model.longest_s
    if source.job.states_times or not (is_long or model.is_segmented):
        return source, ()
    from semg_hht.datasets.segment import segment_recording  # not loaded where there are only matrices

    segmented = segment_recording(source, config if is_long else _as_in_training(model, config))
    if not segmented.rows and is_long:
        raise InputError(f"{source.job.path}: {segmented.remarks[-1]}; whole=True takes the recording as one")
    if is_long or (len(segmented.rows) > 1 and _contrast(segmented) >= CONTRAST):
        remark = (
            f"the recording lasts {duration_s:.0f} s, the longest training repetition {model.longest_s:.1f} s; "
            f"repetitions found: {len(segmented.rows)}; whole=True takes it as one"
        )
        return segmented.source, (remark,)
    if len(segmented.rows) != 1 or _contrast(segmented) < CONTRAST:
        return source, ()
    (only,) = segmented.found
    if only.stop - only.start >= MOST * source.raw.n_samples:
        return source, ()
    remark = (
        f"the repetition from {only.start_s:.2f} to {only.end_s:.2f} s is answered without the rest around it, as in "
        f"training; whole=True takes all {duration_s:.1f} s"
    )
    return segmented.source, (remark,)


def _as_in_training(model: ModelDescription, config: SegmentConfig) -> SegmentConfig:
    """Activity that is shorter than each training repetition is none."""
    ranges = {} if model.training is None else model.training.ranges
    shortest_s = 10.0 ** ranges["duration"][0] if "duration" in ranges else 0.0
    return replace(config, min_duration_s=max(config.min_duration_s, min(shortest_s, config.max_duration_s / 2)))


def _contrast(segmented: SegmentedRecording) -> float:
    """The amplitude within the repetitions over that outside of them, of the channel where it is largest."""
    samples = segmented.recording.samples
    inside = np.zeros(samples.shape[1], dtype=bool)
    for repetition in segmented.found:
        inside[repetition.start : repetition.stop] = True
    if inside.all():
        return 0.0
    outside = np.sqrt(np.mean(samples[:, ~inside] ** 2, axis=1))
    ratios = np.sqrt(np.mean(samples[:, inside] ** 2, axis=1)) / np.maximum(outside, np.finfo(np.float64).tiny)
    return float(ratios.max())
