"""Sessions whose channels are in another order, or inverted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from audit_builders import emg
from semg_hht.audit.channel_order import ReorderedSession, reordered_sessions
from semg_hht.audit.recording_description import describe
from semg_hht.audit.recording_outliers import ComparedRecording

N = 6


def found_with(order: Sequence[int], sign: int = 1) -> list[ReorderedSession]:
    """Reorder the second of two sessions of three recordings, and invert its third channel if ``sign`` is -1."""
    recordings = []
    for i in range(6):
        recording = emg(i, N)
        if i >= 3:
            signs = np.where(np.arange(N) == 2, sign, 1)[:, None]
            recording = replace(recording, samples=(signs * recording.samples[list(order)]).copy())
        recordings.append(ComparedRecording(describe(recording), "P1", "E01" if i < 3 else "E02", "full"))
    return [one for one in reordered_sessions(recordings) if one.session == "E02"]


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        ((0, 4, 2, 3, 1, 5), "swapped"),
        ((2, 3, 4, 5, 0, 1), "shifted around the ring"),
        ((3, 2, 1, 0, 5, 4), "mirrored"),
    ],
)
def test_a_session_in_another_order_is_found(order: Sequence[int], kind: str) -> None:
    [session] = found_with(order)
    assert session.kind == kind
    assert [order[i] for i in session.order] == list(range(N))
    assert session.cost < session.stated_cost
    assert session.members == (3, 4, 5)


def test_an_inverted_channel_is_found() -> None:
    [session] = found_with(range(N), sign=-1)
    assert session.kind == "inverted"
    assert session.inverted == (2,)


def test_equal_sessions_and_unlike_labels_are_not_reported() -> None:
    assert found_with(range(N)) == []
    both = [ComparedRecording(describe(emg(i, N)), "P1", f"E{i}", f"movement {i}") for i in range(2)]
    assert reordered_sessions(both) == []
