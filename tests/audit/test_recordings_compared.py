"""Findings about several recordings, with their names and figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from audit_builders import audited, emg, sentences, session_of_people
from semg_hht.audit.recordings_compared import audit_recordings


def test_sound_recordings_have_no_findings() -> None:
    assert [f for f in audit_recordings(session_of_people(), {}) if f.severity != "note"] == []


def test_a_rescaled_copy_of_another_person_is_an_error_and_one_of_the_same_person_a_warning() -> None:
    data = session_of_people(2)
    copy = replace(emg(0), samples=np.round(-0.5 * emg(0).samples, 2))
    [finding] = audit_recordings([*data, audited(copy, "copy.csv", subject="P9", movement="full")], {})[:1]
    assert (finding.what, finding.severity) == ("near-duplicate", "error")
    assert finding.sentence.startswith("p0_0.csv and copy.csv hold the same signal (likeness ")
    assert finding.sentence.endswith("as subject P0 and P9")
    own = audit_recordings([*data, audited(copy, "copy.csv", subject="P0", movement="full")], {})
    assert [f.severity for f in own if f.what == "near-duplicate"] == ["warning"]


def test_a_trimmed_copy_with_another_label_names_the_shift_and_a_copied_channel_its_name() -> None:
    data = session_of_people(2)
    part = replace(emg(0), samples=emg(0).samples[:, 500:].copy())
    channel = replace(emg(1), samples=emg(1).samples[1:2].copy(), channel_names=("x",))
    others = [audited(part, "part.csv", subject="P0", movement="half"), audited(channel, "channel.csv", subject="P9")]
    first, second = sentences(audit_recordings([*data, *others], {}), "near-duplicate")
    assert "shifted by +0.50 s" in first and "movement full and half" in first
    assert "on channels ch2 and x (equal samples) as subject P0 and P9" in second


def test_several_trimmed_copies_and_several_copied_channels_are_one_finding_each() -> None:
    data = session_of_people(2)
    parts = [replace(emg(0), samples=emg(0).samples[:, 400 + 100 * i :].copy()) for i in range(3)]
    single = replace(emg(1), samples=emg(1).samples[1:2].copy(), channel_names=("x",))
    others = [audited(one, f"part{i}.csv", subject="P0", movement="full") for i, one in enumerate(parts)]
    others += [audited(single, f"channel{i}.csv", subject="P0", movement="full") for i in range(2)]
    trimmed, channels = sentences(audit_recordings([*data, *others], {}), "near-duplicate")[:2]
    assert trimmed.startswith("4 files hold the same signal (likeness ")
    assert trimmed.endswith("shifted by up to 0.60 s): p0_0.csv, part0.csv, part1.csv and 1 more")
    assert "hold the same signal on channels such as ch2 and x (equal samples)" in channels


def test_rates_units_and_channels_in_disorder_are_named() -> None:
    data = session_of_people(2)
    quick = replace(emg(80), rate_hz=10_000.0)
    loud = replace(emg(81), samples=1000 * emg(81).samples)
    turned = [replace(emg(82 + i), samples=emg(82 + i).samples[::-1].copy()) for i in range(2)]
    data += [audited(quick, "quick.csv", subject="P0", session="E0", movement="full")]
    data += [audited(loud, "loud.csv", subject="P1", session="E0", movement="full")]
    data += [
        audited(one, f"turned{i}.csv", subject="P0", session="E5", movement="full") for i, one in enumerate(turned)
    ]
    found = audit_recordings(data, {})
    [rate] = sentences(found, "rate")
    assert rate.startswith("quick.csv: 10000 Hz is stated, and 1000 Hz for the others, but spectrum and duration")
    [unit] = sentences(found, "unit")
    assert unit == (
        "loud.csv: amplitudes are 1e+03 times those of comparable recordings and so are the steps between values"
    )
    assert any(s.startswith("turned0.csv and 1 more: channels are") for s in sentences(found, "channels"))


def test_two_channels_with_the_same_samples_are_named() -> None:
    one = emg(0)
    samples = one.samples.copy()
    samples[2] = samples[0]
    found = audit_recordings([audited(replace(one, samples=samples), "twin.csv")], {})
    assert sentences(found, "channels") == ["twin.csv: channels ch1 and ch3 hold the same samples"]
