"""recordings/bids.py: small BIDS-EMG datasets, written by hand as other people write them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from recording_files import BIDS_CHANNELS, BIDS_RECORDING, BIDS_STEM, write_bids, write_edf
from semg_hht.datasets.find_inputs import find_inputs, find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure
from semg_hht.recordings.bids import is_bids, parse_name, read_bids
from semg_hht.recordings.jobs import read_job
from semg_hht.recordings.manifest import read_manifest


def with_events(folder: Path, events: str, **files: str) -> Path:
    return write_bids(folder, {f"{BIDS_STEM}_events.tsv": events, **files})


def test_a_recording_without_events_is_one_row(tmp_path: Path) -> None:
    (row,) = read_bids(write_bids(tmp_path))
    assert (row.file, row.subject, row.session, row.movement) == (BIDS_RECORDING, "01", "", "")
    assert (row.start_s, row.stop_s, row.channels, row.rate_hz, row.extra) == (None, None, (), None, {"task": "curl"})


def test_events_with_a_duration_are_repetitions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events = (
        "onset\tduration\ttrial_type\tconfidence\n4\t2\thalf\t0.5\n1.1\t1.2\tfull\tn/a\n3\t0\tbeep\tn/a\n-1\t1\tx\t1\n"
    )
    rows = read_bids(with_events(tmp_path, events))
    assert [(r.repetition, r.start_s, r.stop_s, r.movement) for r in rows] == [
        ("1", 1.1, 2.3, "full"), ("2", 4.0, 6.0, "half"),
    ]  # fmt: skip
    assert rows[1].extra == {"task": "curl", "confidence": "0.5"}
    assert "2 events in" in caplog.text


def test_columns_may_state_the_repetition_and_the_movement(tmp_path: Path) -> None:
    (row,) = read_bids(with_events(tmp_path, "onset\tduration\trepetition\tmovement\n0\t1\t7\tlow\n"))
    assert (row.repetition, row.movement) == ("7", "low")


def test_events_may_name_their_channels(tmp_path: Path) -> None:
    description = {f"{BIDS_STEM}_events.json": '{"channel": {"Delimiter": ","}}'}
    text = "onset\tduration\tchannel\n0\t1\tB1,B2\n0\t1\tB1\n"
    assert [r.channels for r in read_bids(with_events(tmp_path, text, **description))] == [("B1", "B2"), ("B1",)]


def test_only_channels_of_type_emg_that_are_not_bad_are_selected(tmp_path: Path) -> None:
    (row,) = read_bids(write_bids(tmp_path, {f"{BIDS_STEM}_channels.tsv": BIDS_CHANNELS}))
    assert (row.channels, row.units, row.muscle) == (("B1",), "uV", "biceps")


def test_channels_with_names_too_long_for_the_header_are_selected_by_number(tmp_path: Path) -> None:
    text = "name\ttype\tunits\nknee\tMISC\tdeg\nleft_tibialis_anterior\tEMG\tV\n"
    (row,) = read_bids(write_bids(tmp_path, {f"{BIDS_STEM}_channels.tsv": text}))
    assert row.channels == ("2",)


@pytest.mark.parametrize(("order", "number"), [("good bad acc", "1"), ("acc good bad", "2"), ("acc bad good", "3")])
def test_a_channel_marked_bad_is_never_used_instead_of_a_good_one(tmp_path: Path, order: str, number: str) -> None:
    pytest.importorskip("pyedflib")
    names = {
        "good": "left biceps brachii long head",
        "bad": "left biceps brachii short head",
        "acc": "acceleration x axis",
    }
    lines = [f"{names[key]}\t{'ACC' if key == 'acc' else 'EMG'}\tn/a\t{'bad' if key == 'bad' else 'n/a'}\n"
             for key in order.split()]  # fmt: skip
    write_bids(tmp_path, {f"{BIDS_STEM}_channels.tsv": "name\ttype\tunits\tstatus\n" + "".join(lines)})
    rates, units = (
        [{"acc": slow}.get(key, fast) for key in order.split()] for slow, fast in ((100, 1000), ("g", "uV"))
    )
    write_edf(tmp_path / BIDS_RECORDING, order.split(), rates, units)
    (job,) = find_jobs(tmp_path)
    assert job.rows[0].channels == (number,)
    assert read_job(job).select(job.rows[0].channels).channel_names == ("good",)


def test_channels_of_type_emg_are_used_whatever_their_names_say(tmp_path: Path) -> None:
    text = "name\ttype\tunits\nbiceps\tEMG\tuV\nforce grip\tEMG\tuV\n"
    (row,) = read_bids(write_bids(tmp_path, {f"{BIDS_STEM}_channels.tsv": text}))
    assert row.channels == ("biceps", "force grip")


def test_the_sidecar_deepest_in_the_tree_wins(tmp_path: Path) -> None:
    session = "sub-02/ses-a/emg/sub-02_ses-a_task-curl_run-03_emg.bdf"
    rates = {
        "task-curl_emg.json": 1000,
        "sub-02/sub-02_emg.json": 2000,
        "sub-02/ses-a/emg/sub-02_ses-a_task-rest_emg.json": 3,
    }
    files = {name: json.dumps({"SamplingFrequency": rate}) for name, rate in rates.items()}
    rows = read_bids(write_bids(tmp_path, {session: "", **files}))
    assert [(r.subject, r.session, r.repetition, r.rate_hz) for r in rows] == [
        ("01", "", "", 1000.0), ("02", "a", "3", 2000.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sex", "gender"), [("m", "M"), ("Male", "M"), ("FEMALE", "F"), ("f", "F"), ("n/a", ""), ("other", "other")]
)
def test_spellings_of_sex(tmp_path: Path, sex: str, gender: str) -> None:
    text = f"participant_id\tsex\nsub-01\t{sex}\n"
    assert read_bids(write_bids(tmp_path, {"participants.tsv": text}))[0].gender == gender


def test_without_events_the_tasks_are_the_movements(tmp_path: Path) -> None:
    rows = read_bids(write_bids(tmp_path, {"sub-01/emg/sub-01_task-fist_emg.edf": ""}))
    assert [row.movement for row in rows] == ["curl", "fist"]


def test_a_recording_whose_channels_are_all_bad_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = {f"{BIDS_STEM}_channels.tsv": "name\ttype\tunits\tstatus\nB1\tEMG\tV\tbad\n"}
    rows = read_bids(write_bids(tmp_path, bad | {"sub-02/emg/sub-02_task-curl_emg.edf": ""}))
    assert [row.subject for row in rows] == ["02"]
    assert "all EMG channels are marked bad" in caplog.text
    (tmp_path / "sub-02/emg/sub-02_task-curl_emg.edf").unlink()
    with pytest.raises(InputError, match="expected EMG channels that are not marked bad; found none"):
        read_bids(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("task-curl_emg.json", '{"SamplingFrequency": "fast"}', "must be a number above 0; found 'fast'"),
        ("task-curl_emg.json", "[1]", "expected a JSON object; found list"),
        ("participants.tsv", "id,sex\n", "expected columns participant_id, separated by tabs; found id,sex"),
        ("task-curl_channels.tsv", "name\ttype\tunits\nC3\tEEG\tuV\n", "expected channels of type EMG; found EEG"),
        ("task-curl_events.tsv", "onset\tduration\n0\n", "line 2: expected 2 cells; found 1"),
        ("task-curl_events.tsv", "onset\tduration\nsoon\t1\n", "onset must be a number; found 'soon'"),
        ("task-curl_events.tsv", "onset\tduration\n0\t1\n0\t1\n", "two events last from 0 s to 1 s"),
        ("sub-01/emg/task-curl_emg.json", "{}", "both apply to sub-01_task-curl_emg.edf"),
    ],
)
def test_an_invalid_sidecar_or_table_is_an_error(tmp_path: Path, name: str, text: str, message: str) -> None:
    other = {"sub-01/emg/sub-01_emg.json": "{}"} if "both" in message else {}
    with pytest.raises(InputError, match=message):
        read_bids(write_bids(tmp_path, {name: text, **other}))


def test_a_table_that_is_not_text_or_missing_is_an_error(tmp_path: Path) -> None:
    table = write_bids(tmp_path) / f"{BIDS_STEM}_events.tsv"
    table.write_bytes(b"onset\tduration\n\xff\t1\n")
    with pytest.raises(InputError, match="events.tsv: expected UTF-8 text"):
        read_bids(tmp_path)
    table.unlink()
    table.symlink_to(tmp_path / "not-fetched")
    with pytest.raises(InputError, match="events.tsv: no such file"):
        read_bids(tmp_path)


def test_a_folder_that_is_not_a_dataset_or_has_no_emg_is_an_error(tmp_path: Path) -> None:
    assert not is_bids(tmp_path)
    with pytest.raises(InputError, match="expected a BIDS dataset with dataset_description.json"):
        read_bids(tmp_path)
    (write_bids(tmp_path) / BIDS_RECORDING).unlink()
    with pytest.raises(InputError, match=r"expected recordings sub-\*/emg/\*_emg.edf or .bdf; found none"):
        read_bids(tmp_path)


def test_jobs_are_found_in_a_dataset_but_not_in_its_derivatives(tmp_path: Path) -> None:
    events = "onset\tduration\n0\t1\n2\t1\n"
    with_events(tmp_path, events, **{"derivatives/x/sub-01/emg/sub-01_task-curl_emg.edf": ""})
    (job,) = find_jobs(tmp_path, rate_hz=500.0, units="mV")
    assert (job.path, len(job.rows)) == (tmp_path / BIDS_RECORDING, 2)
    assert (job.rows[0].rate_hz, job.rows[0].units) == (500.0, "mV")
    assert find_inputs(tmp_path)[0] == []


def test_file_names_are_split_into_entities() -> None:
    assert parse_name("sub-01_task-curl_emg.edf") == ({"sub": "01", "task": "curl"}, "emg.edf")


def test_an_error_about_contradicting_rates_names_both_files(tmp_path: Path) -> None:
    write_bids(tmp_path, {"task-curl_emg.json": '{"SamplingFrequency": 2000}'})
    (tmp_path / BIDS_RECORDING).with_suffix(".csv").write_text(
        "time,ch1\n" + "".join(f"{i / 1000},{i}\n" for i in range(100))
    )
    (job,) = find_jobs(tmp_path)
    job = replace(job, path=job.path.with_suffix(".csv"))
    with pytest.raises(InputError) as caught:
        read_job(job)
    assert str(caught.value) == (
        f"{job.path}: the file states 1000 Hz, but {tmp_path / 'task-curl_emg.json'} states 2000 Hz; "
        "expected the same rate"
    )


def test_an_event_may_state_its_muscle_and_further_columns(tmp_path: Path) -> None:
    events = "onset\tduration\ttrial_type\tgesture\tmuscle\n0\t1\tfull\tfist\ttriceps\n"
    (row,) = read_bids(with_events(tmp_path, events))
    assert (row.movement, row.muscle, row.extra) == ("full", "triceps", {"task": "curl", "gesture": "fist"})


def test_a_dataset_is_prepared(tmp_path: Path) -> None:
    pytest.importorskip("pyedflib")
    files = {
        "participants.tsv": "participant_id\tsex\nsub-01\tF\n",
        f"{BIDS_STEM}_emg.json": '{"SamplingFrequency": 1000, "TaskName": "curl"}',
        f"{BIDS_STEM}_channels.tsv": "name\ttype\tunits\nBiceps\tEMG\tuV\nSwitch\tTRIG\tuV\n",
    }
    with_events(tmp_path / "data", "onset\tduration\ttrial_type\n0.1\t1.0\tfull\n1.1\t0.8\thalf\n", **files)
    write_edf(tmp_path / "data" / BIDS_RECORDING, ["Biceps", "Switch"], [1000, 1000], ["uV", "uV"])
    done = prepare(find_jobs(tmp_path / "data"), tmp_path / "out", configure(), n_jobs=1)
    rows = read_manifest(done.manifest)
    assert done.failures == ()
    assert [(row.subject, row.gender, row.movement) for row in rows] == [("01", "F", "full"), ("01", "F", "half")]
    assert {row.extra["channel"] for row in rows} == {"Biceps"}


def test_a_participant_without_leading_zeros_is_the_same_person(tmp_path: Path) -> None:
    """A spreadsheet saves ``01`` as ``1``."""
    for name in ("1", "sub-1", "SUB-01", "01.0"):
        files = {"participants.tsv": f"participant_id\tsex\n{name}\tF\nsub-10\tM\n"}
        assert read_bids(write_bids(tmp_path, files))[0].gender == "F"


def test_two_lines_of_one_participant_must_agree(tmp_path: Path) -> None:
    files = {"participants.tsv": "participant_id\tsex\nsub-01\tF\nsub-1\tM\n"}
    with pytest.raises(InputError, match=r"participants\.tsv: sub-1 is listed with F and M; expected one line"):
        read_bids(write_bids(tmp_path, files))


def test_two_folders_of_one_person_are_an_error(tmp_path: Path) -> None:
    write_bids(tmp_path, {"sub-1/emg/sub-1_task-curl_emg.bdf": ""})
    with pytest.raises(InputError, match="subject '01' .* and '1' .* differ only in"):
        find_jobs(tmp_path)


def test_files_that_a_mac_adds_to_an_archive_are_no_recordings(tmp_path: Path) -> None:
    write_bids(tmp_path, {"sub-01/emg/._sub-01_task-curl_emg.bdf": ""})
    assert [row.file for row in read_bids(tmp_path)] == [BIDS_RECORDING]
