"""Tests of the settings that flags state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from semg_hht.cli.options import StatedTransform, mains_hz_of
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure


def test_stated_settings_replace_those_of_the_run() -> None:
    base = configure(band_hz=(5, 100), ecg=True, scaling="minmax", channels="stack", decomposition="eemd", seed=7)
    config = StatedTransform(mains="60").config(base)
    assert config.filter.mains_hz == 60
    assert config.filter.ecg
    assert not StatedTransform(ecg=False).config(base).filter.ecg
    assert (config.spectrum, config.scaling, config.channels) == (base.spectrum, base.scaling, base.channels)
    assert StatedTransform(seed=8).config(base).spectrum.seed == 8
    assert StatedTransform(decomposition="upstream").config(base).scaling == "upstream"
    before = replace(base, density=None)  # a run of a version without densities
    assert StatedTransform(mains="60").config(before).density is None
    assert StatedTransform(mains="60").config(base).density == base.density


def test_without_a_run_the_defaults_apply() -> None:
    assert StatedTransform().config() == configure()
    assert StatedTransform((30, 200), "off", scaling="db").config() == configure(
        band_hz=(30, 200), mains_hz=None, scaling="db"
    )


@pytest.mark.parametrize("stated", [StatedTransform(ecg=False), StatedTransform(seed=0), StatedTransform(mains="auto")])
def test_false_and_zero_are_stated_too(stated: StatedTransform) -> None:
    assert stated
    assert not StatedTransform()


@pytest.mark.parametrize(("text", "expected"), [("auto", "auto"), ("50", 50.0), ("60", 60.0), ("off", None)])
def test_mains_frequencies(text: str, expected: object) -> None:
    assert mains_hz_of(text) == expected
    with pytest.raises(InputError, match="--mains must be auto, 50, 60 or off; got '55'"):
        mains_hz_of("55")
