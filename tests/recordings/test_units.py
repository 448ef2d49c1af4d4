"""recordings/units.py: spellings of volts, and one unit for channels with different units."""

from __future__ import annotations

import pytest

from semg_hht.recordings.units import microvolts_per, mixed_units, one_unit, same_unit, unit_remarks, volts


@pytest.mark.parametrize(
    ("stated", "unit", "factors"),
    [
        (["millivolts", "mV"], "mV", [1.0, 1.0]),
        (["µV", "μV", "microvolts"], "uV", [1.0, 1.0, 1.0]),
        (["Volts", "mV"], "uV", [1e6, 1e3]),
        (["nV", "nV"], "uV", [1e-3, 1e-3]),
        (["mV", "deg"], "mV", [1.0, 1.0]),
        (["mV", "deg", "V"], "uV", [1e3, 1.0, 1e6]),
        (["deg", "N"], "", [1.0, 1.0]),
        (["adc", "adc"], "adc", [1.0, 1.0]),
        (["", ""], "", [1.0, 1.0]),
    ],
)
def test_one_unit_for_all_channels(stated: list[str], unit: str, factors: list[float]) -> None:
    assert one_unit(stated) == (unit, factors)


@pytest.mark.parametrize(
    ("text", "unit", "factor"),
    [
        ("µV", "uV", 1.0),
        (" Volts ", "V", 1e6),
        ("毫伏", "mV", 1e3),
        ("mVolt", "mV", 1e3),
        ("millivolts", "mV", 1e3),
        ("uVolt", "uV", 1.0),
        ("µVolts", "uV", 1.0),
        ("Âµv", "uV", 1.0),
        ("micro volt", "uV", 1.0),
        (".V", "uV", 1.0),
        ("mkV", "uV", 1.0),
        ("мкВ", "uV", 1.0),
        ("мВ", "mV", 1e3),
        ("N", "", None),
        ("nV", "nV", 1e-3),
        ("adc", "", None),
        ("", "", None),
    ],
)
def test_spellings_of_volts(text: str, unit: str, factor: float | None) -> None:
    assert volts(text) == unit
    assert microvolts_per(text) == factor


def test_spellings_of_one_unit_agree() -> None:
    assert same_unit("µV", "microvolts")
    assert same_unit("ADC", "adc")
    assert not same_unit("uV", "mV")
    assert not same_unit("adc", "mV")


def test_a_unit_that_is_not_understood_gets_a_remark() -> None:
    assert [unit for unit in ("", "mV", "µV", "adc", "a.u.", "counts", "mVV", "N") if unit_remarks(unit)] == [
        "mVV",
        "N",
    ]
    assert unit_remarks("mVV") == ("the units 'mVV' are not understood as V, mV or uV, so amplitudes stay in them",)


def test_recordings_in_volts_and_others_are_counted() -> None:
    units = {"a": "mV", "b": "µV", "c": "adc", "d": "", "e": "", "f": "V"}
    assert mixed_units(units) == (
        "units: 3 of 6 recordings are in volts, 3 are not (2 not stated, 1 'adc'; such as c), so their amplitudes "
        "can't be compared, and may lie 60 dB apart"
    )
    for alike in ({"a": "mV", "b": "uV"}, {"c": "adc", "d": ""}, {}):
        assert not mixed_units(alike)
