"""signals/units.py and signals/names.py: what files call volts and channels."""

from __future__ import annotations

import pytest

from semg_hht.recordings.channels import distinct_names, is_not_emg
from semg_hht.recordings.units import one_unit


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
def test_one_unit_for_all(stated: list[str], unit: str, factors: list[float]) -> None:
    assert one_unit(stated) == (unit, factors)


@pytest.mark.parametrize("name", ["knee angle", "ACC X", "Gyro.Z", "ECG II", "trigger", "Quaternion 1", "RESP", "ABP"])
def test_names_of_what_is_no_muscle(name: str) -> None:
    assert is_not_emg(name)


@pytest.mark.parametrize("name", ["biceps", "EMG 1", "ch1", "Vastus medialis", "Tibialis anterior", "abdominis"])
def test_names_of_muscles(name: str) -> None:
    assert not is_not_emg(name)


def test_names_that_occur_twice_get_the_number_of_their_channel() -> None:
    assert distinct_names(["EMG", "", "EMG", "ECG"]) == ("EMG 1", "ch2", "EMG 3", "ECG")
