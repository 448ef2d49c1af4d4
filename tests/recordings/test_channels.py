"""recordings/channels.py: names of EMG channels and of other signals; repeated names."""

from __future__ import annotations

import pytest

from semg_hht.recordings.channels import distinct_names, is_not_emg


@pytest.mark.parametrize("name", ["knee angle", "ACC X", "Gyro.Z", "ECG II", "trigger", "Quaternion 1", "RESP", "ABP"])
def test_names_of_other_signals(name: str) -> None:
    assert is_not_emg(name)


@pytest.mark.parametrize("name", ["biceps", "EMG 1", "ch1", "Vastus medialis", "Tibialis anterior", "abdominis"])
def test_names_of_emg_channels(name: str) -> None:
    assert not is_not_emg(name)


def test_repeated_names_get_the_number_of_their_channel() -> None:
    assert distinct_names(["EMG", "", "EMG", "ECG"]) == ("EMG 1", "ch2", "EMG 3", "ECG")
    assert distinct_names(["EMG", "", "EMG"], [2, 5, 9]) == ("EMG 2", "ch5", "EMG 9")
