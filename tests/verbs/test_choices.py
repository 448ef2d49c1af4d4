"""verbs/choices.py: the values that settings can take."""

from __future__ import annotations

import pytest

from semg_hht.matrices.transform import configure
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.verbs.choices import CHANNELS, DECOMPOSITIONS, METHODS


@pytest.mark.parametrize("name", DECOMPOSITIONS)
def test_each_decomposition_is_accepted(name: str) -> None:
    assert configure(decomposition=name).spectrum.decomposition == name


def test_each_layout_of_channels_and_each_method_is_accepted() -> None:
    assert [configure(channels=name).channels for name in CHANNELS] == list(CHANNELS)
    assert [SegmentConfig(name).method for name in METHODS] == list(METHODS)
