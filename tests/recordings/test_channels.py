"""recordings/channels.py: which channels are EMG, by names, units, types and samples; repeated names."""

from __future__ import annotations

import numpy as np
import pytest

from semg_hht.recordings.channels import (
    ChannelDescription,
    decide_channels,
    distinct_names,
    is_label,
    is_not_emg,
    is_one_sided,
    is_rising,
    muscle_of,
    reasons_by_description,
    says_emg_or_muscle,
)

N = 2000


def muscle(seed: int = 0) -> np.ndarray:
    return np.rint(20 * np.random.default_rng(seed).standard_normal(N))


@pytest.mark.parametrize(
    "name",
    [
        "knee angle", "ACC X", "Gyro.Z", "ECG II", "trigger", "Quaternion 1", "RESP", "ABP", "Knee flexion",
        "knee_flexion", "Flexo-Extension", "movement", "repetition", "rerepetition", "motion", "target", "subject",
        "task", "trial", "event", "phase", "status", "state", "FSR", "HR", "SpO2", "TTL", "sync", "footswitch",
        "pressure", "STI 014", "AUX1", "IMU x", "IMUx", "IMU_X", "ax", "gx", "quat_w", "Roll", "EDA", "GSR", "EKG",
        "Temp", "load cell", "LoadCell", "FP1_Fx", "FP1_Mx", "millis", "elapsed_ms", "datetime", "nSeq", "Timestamp",
        "Digital Channel 0 (D11)", "Biceps ACC X", "bic acc x", "AccX", "Left Force", "Button Trigger", "EMG acc [g]",
        "加速度X", "陀螺仪Z", "触发", "标签", "Gelenkwinkel (Grad)", "Ángulo rodilla", "Température", "Força",
        "RampChannel",
    ],
)  # fmt: skip
def test_names_of_other_signals(name: str) -> None:
    assert is_not_emg(name)
    assert not says_emg_or_muscle(name) or "[g]" in name


@pytest.mark.parametrize(
    "name",
    [
        "biceps", "EMG 1", "Vastus medialis", "Tibialis anterior", "abdominis", "Temporalis", "EMG (trigger finger)",
        "marker EMG", "Flexor carpi radialis", "FCR flexor", "Flexor", "M. gastrocnemius mag.", "肌电1", "肱二头肌",
        "Recto Femoral", "Vasto Medial", "m. déltoïde", "Bizeps", "Kniebeuger", "EXG Channel 0", "EMG biceps [%]",
    ],
)  # fmt: skip
def test_names_of_emg_channels(name: str) -> None:
    assert not is_not_emg(name)
    assert says_emg_or_muscle(name)


@pytest.mark.parametrize("name", ["ch1", "CH2", "A1", "Channel 3", "left", "Voltaje (V)", "PORT1", "1"])
def test_names_that_say_nothing_may_be_emg(name: str) -> None:
    assert not is_not_emg(name)
    assert not says_emg_or_muscle(name)


def excluded(*channels: tuple[str, ...]) -> list[str]:
    """The names of the channels that are not EMG; of each: name, unit, type."""
    reasons = reasons_by_description([ChannelDescription(*channel) for channel in channels])
    return [name for (name, *_), reason in zip(channels, reasons, strict=True) if reason]


def test_a_unit_of_another_quantity_is_not_emg() -> None:
    assert excluded(("a", "uV"), ("b", "g"), ("c", "deg"), ("d", "N"), ("e", "m/s2"), ("f", "m/s²")) == [*"bcdef"]
    assert excluded(("a", ""), ("b", "deg/s"), ("c", "°")) == ["b", "c"]


def test_a_unit_that_is_no_voltage_is_not_emg_where_others_are_volts() -> None:
    assert excluded(("a", "mV"), ("b", "no such unit"), ("c", "")) == ["b"]
    assert excluded(("a", "adc"), ("b", "no such unit"), ("battery", "V")) == ["battery"]
    assert excluded(("EMG a", "adc"), ("b", "mV")) == ["b"], "counts of a channel that says EMG"


def test_types_decide_where_they_differ() -> None:
    assert excluded(("a", "", "EMG"), ("b", "", "MISC"), ("knee angle", "", "EMG"), ("c", "", "")) == ["b"]
    assert excluded(("a", "", "EMG"), ("Timestamp", "", "EMG"), ("Counter", "", "EMG")) == ["Timestamp", "Counter"]
    assert excluded(("a", "", ""), ("b", "", "Force")) == ["b"]


def test_where_some_names_say_emg_the_others_are_not_unless_they_name_a_muscle() -> None:
    assert excluded(("EMG Semitendinoso",), ("Recto Femoral",), ("plate 1",)) == ["plate 1"]
    assert excluded(("biceps",), ("ch2",)) == []
    assert excluded(("EMG force",), ("ch2",)) == ["ch2"]


def test_every_channel_that_is_set_apart_is_in_one_remark() -> None:
    names = ["emg", "knee angle", "weight", "count", "ch5", "dead"]
    label = np.repeat([0.0, 3.0, 0.0, 5.0], N // 4)
    decision = decide_channels(
        [ChannelDescription(name, "kg" if name == "weight" else "") for name in names],
        [muscle(), muscle(1), muscle(2), np.arange(N) % 256, label, np.full(N, 192.0)],
    )
    assert decision.non_emg == ("knee angle", "weight", "count", "ch5", "dead")
    assert decision.remarks == (
        "channels that are not EMG, by their names: knee angle, count",
        "channels that are not EMG, by their units: weight",
        "channels that are not EMG, because other channels say EMG in their names: ch5, dead",
    )


def test_samples_decide_where_names_say_nothing() -> None:
    label = np.repeat([0.0, 3.0, 0.0, 5.0], N // 4)
    pulses = (np.arange(N) % 200 == 0) * 3.3
    unix_s = 1.7e9 + np.cumsum(np.random.default_rng(0).uniform(0.001, 0.009, N))
    channels = {"ch1": muscle(), "ch2": np.arange(N) % 256, "ch3": unix_s, "ch4": label, "ch5": pulses,
                "ch6": np.full(N, 31.0)}  # fmt: skip
    decision = decide_channels([ChannelDescription(name) for name in channels], list(channels.values()))
    assert decision.non_emg == ("ch2", "ch3", "ch4", "ch5", "ch6")
    assert decision.remarks == (
        "channels that are not EMG, because they rise throughout, as times and counters do: ch2, ch3",
        "channels that are not EMG, because they keep few different values for long, as labels and triggers do: "
        "ch4, ch5",
        "nothing was recorded on ch6: all samples have the same value, so it is not used",
    )


def test_the_last_channel_is_never_set_apart_for_its_samples() -> None:
    for values in (np.arange(N), np.zeros(N), np.repeat([0.0, 1.0], N // 2)):
        assert decide_channels([ChannelDescription("ch1")], [values]).non_emg == ()


def test_quiet_emg_in_counts_is_neither_a_label_nor_a_ramp() -> None:
    rng = np.random.default_rng(0)
    quiet = np.rint(0.6 * rng.standard_normal(N))  # -1, 0, 1
    gated = np.where(np.arange(N) % 1000 > 960, muscle(), 0.0)  # exact zeros at rest
    for values in (muscle(), quiet, gated, np.cumsum(muscle())):
        assert not is_label(values)
        assert not is_rising(values)


def test_repeated_names_get_the_number_of_their_channel() -> None:
    assert distinct_names(["EMG", "", "EMG", "ECG"]) == ("EMG 1", "ch2", "EMG 3", "ECG")
    assert distinct_names(["EMG", "", "EMG"], [2, 5, 9]) == ("EMG 2", "ch5", "EMG 9")


def test_a_rectified_copy_or_an_envelope_beside_emg_is_no_second_muscle() -> None:
    raw = muscle() * np.repeat([0.05, 1.0, 0.05, 0.05], N // 4)
    envelope = np.sqrt(np.convolve(raw**2, np.ones(100) / 100, "same"))
    channels = {
        "raw": raw,
        "rectified": np.abs(raw),
        "RMS": envelope,
        "below": -np.abs(raw),
        "counts": raw + 50 * raw.std(),
    }
    decision = decide_channels([ChannelDescription(name) for name in channels], list(channels.values()))
    assert decision.non_emg == ("rectified", "RMS", "below")
    assert decision.remarks == (
        "channels that are not EMG, because they lie on one side of 0, as rectified signals, envelopes and forces do: "
        "rectified, RMS, below",
    )
    alone = [ChannelDescription("rectified"), ChannelDescription("counts")]
    assert decide_channels(alone, [channels["rectified"], channels["counts"]]).non_emg == (), "nothing swings around 0"


def test_emg_with_an_offset_and_an_artefact_is_not_one_sided() -> None:
    counts = muscle() / muscle().std() * 50 + 512
    counts[1000:1020] = 60_000
    assert not is_one_sided(counts)
    assert is_one_sided(np.abs(muscle()))
    assert not is_one_sided(np.zeros(0))
    assert not is_one_sided(np.array([-1.0, 1.7e308, 1.7e308, 1.7e308]))  # without an overflow


@pytest.mark.parametrize(
    ("name", "muscle"),
    [
        ("BicepsBrachi", "biceps brachii"),
        ("L Biceps (uV)", "biceps brachii"),
        ("EMG_BF", "biceps femoris"),
        ("Biceps Femoral", "biceps femoris"),
        ("Recto Femoral", "rectus femoris"),
        ("肱二头肌(微伏)", "biceps brachii"),
        ("股二头肌", "biceps femoris"),
        ("EMG Semitendinoso", "semitendinosus"),
        ("Biceps/Triceps", ""),
        ("EMG 1", ""),
        ("data", ""),
    ],
)
def test_names_of_one_muscle_in_several_languages(name: str, muscle: str) -> None:
    assert muscle_of(name) == muscle
