"""bids.py: BIDS-EMG datasets as other people write them, typed by hand here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semg_hht.datasets.find_inputs import find_inputs, find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure
from semg_hht.recordings.jobs import read_job
from semg_hht.recordings.bids import is_bids, parse_name, read_bids
from semg_hht.recordings.manifest import read_manifest

CURL = "sub-01/emg/sub-01_task-curl_emg.edf"
CHANNELS = """name	type	units	status	target_muscle
B1	EMG	microV	good	biceps
B2	EMG	uV	bad	biceps
K	MISC	oC	n/a	n/a
"""


def dataset(folder: Path, **files: str) -> Path:
    """A dataset of one recording, plus ``files``: name -> text, their path written with ``/``."""
    known = {"dataset_description.json": '{"Name": "x", "BIDSVersion": "1.11.1"}', CURL: "", **files}
    for name, text in known.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def with_events(folder: Path, events: str, **files: str) -> Path:
    return dataset(folder, **{"sub-01/emg/sub-01_task-curl_events.tsv": events, **files})


def test_a_recording_without_events_is_one_row(tmp_path: Path) -> None:
    (row,) = read_bids(dataset(tmp_path))
    assert (row.file, row.subject, row.session, row.movement) == (CURL, "01", "", "")
    assert (row.start_s, row.stop_s, row.channels, row.rate_hz, row.extra) == (None, None, (), None, {"task": "curl"})


def test_events_that_last_are_repetitions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events = (
        "onset\tduration\ttrial_type\tconfidence\n4\t2\thalf\t0.5\n1.1\t1.2\tfull\tn/a\n3\t0\tbeep\tn/a\n-1\t1\tx\t1\n"
    )
    rows = read_bids(with_events(tmp_path, events))
    assert [(r.repetition, r.start_s, r.stop_s, r.movement) for r in rows] == [
        ("1", 1.1, 2.3, "full"), ("2", 4.0, 6.0, "half"),
    ]  # fmt: skip
    assert rows[1].extra == {"task": "curl", "confidence": "0.5"}
    assert "are left out: 2" in caplog.text


def test_repetitions_and_movements_may_have_columns_of_their_own(tmp_path: Path) -> None:
    (row,) = read_bids(with_events(tmp_path, "onset\tduration\trepetition\tmovement\n0\t1\t7\tlow\n"))
    assert (row.repetition, row.movement) == ("7", "low")


def test_events_may_name_their_channels(tmp_path: Path) -> None:
    described = {"sub-01/emg/sub-01_task-curl_events.json": '{"channel": {"Delimiter": ","}}'}
    text = "onset\tduration\tchannel\n0\t1\tB1,B2\n0\t1\tB1\n"
    assert [r.channels for r in read_bids(with_events(tmp_path, text, **described))] == [("B1", "B2"), ("B1",)]


def test_channels_are_those_of_type_emg_that_are_not_bad(tmp_path: Path) -> None:
    (row,) = read_bids(dataset(tmp_path, **{"sub-01/emg/sub-01_task-curl_channels.tsv": CHANNELS}))
    assert (row.channels, row.units, row.muscle) == (("B1",), "uV", "biceps")


def test_names_too_long_for_the_header_become_numbers(tmp_path: Path) -> None:
    text = "name\ttype\tunits\nknee\tMISC\tdeg\nleft_tibialis_anterior\tEMG\tV\n"
    (row,) = read_bids(dataset(tmp_path, **{"sub-01/emg/sub-01_task-curl_channels.tsv": text}))
    assert row.channels == ("2",)


def test_the_nearest_sidecar_wins(tmp_path: Path) -> None:
    session = "sub-02/ses-a/emg/sub-02_ses-a_task-curl_run-03_emg.bdf"
    rates = {
        "task-curl_emg.json": 1000,
        "sub-02/sub-02_emg.json": 2000,
        "sub-02/ses-a/emg/sub-02_ses-a_task-rest_emg.json": 3,
    }
    files = {name: json.dumps({"SamplingFrequency": rate}) for name, rate in rates.items()}
    rows = read_bids(dataset(tmp_path, **{session: "", **files}))
    assert [(r.subject, r.session, r.repetition, r.rate_hz) for r in rows] == [
        ("01", "", "", 1000.0), ("02", "a", "3", 2000.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sex", "gender"), [("m", "M"), ("Male", "M"), ("FEMALE", "F"), ("f", "F"), ("n/a", ""), ("other", "other")]
)
def test_sexes_are_spelt_in_many_ways(tmp_path: Path, sex: str, gender: str) -> None:
    text = f"participant_id\tsex\nsub-01\t{sex}\n"
    assert read_bids(dataset(tmp_path, **{"participants.tsv": text}))[0].gender == gender


def test_without_events_several_tasks_are_the_movements(tmp_path: Path) -> None:
    rows = read_bids(dataset(tmp_path, **{"sub-01/emg/sub-01_task-fist_emg.edf": ""}))
    assert [row.movement for row in rows] == ["curl", "fist"]


def test_a_recording_whose_channels_are_all_bad_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = {"sub-01/emg/sub-01_task-curl_channels.tsv": "name\ttype\tunits\tstatus\nB1\tEMG\tV\tbad\n"}
    rows = read_bids(dataset(tmp_path, **bad, **{"sub-02/emg/sub-02_task-curl_emg.edf": ""}))
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
        ("sub-01/emg/task-curl_emg.json", "{}", "both speak of sub-01_task-curl_emg.edf"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    other = {"sub-01/emg/sub-01_emg.json": "{}"} if "both" in message else {}
    with pytest.raises(InputError, match=message):
        read_bids(dataset(tmp_path, **{name: text}, **other))


def test_a_table_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    table = dataset(tmp_path) / "sub-01/emg/sub-01_task-curl_events.tsv"
    table.write_bytes(b"onset\tduration\n\xff\t1\n")
    with pytest.raises(InputError, match="events.tsv: expected UTF-8 text"):
        read_bids(tmp_path)
    table.unlink()
    table.symlink_to(tmp_path / "not-fetched")
    with pytest.raises(InputError, match="events.tsv: no such file"):
        read_bids(tmp_path)


def test_a_folder_that_is_no_dataset_or_has_no_emg_says_so(tmp_path: Path) -> None:
    assert not is_bids(tmp_path)
    with pytest.raises(InputError, match="expected a BIDS dataset with dataset_description.json"):
        read_bids(tmp_path)
    (dataset(tmp_path) / CURL).unlink()
    with pytest.raises(InputError, match=r"expected recordings sub-\*/emg/\*_emg.edf or .bdf; found none"):
        read_bids(tmp_path)


def test_jobs_come_from_a_dataset_and_not_from_its_derivatives(tmp_path: Path) -> None:
    events = "onset\tduration\n0\t1\n2\t1\n"
    with_events(tmp_path, events, **{"derivatives/x/sub-01/emg/sub-01_task-curl_emg.edf": ""})
    (job,) = find_jobs(tmp_path, rate_hz=500.0, units="mV")
    assert (job.path, len(job.rows)) == (tmp_path / CURL, 2)
    assert (job.rows[0].rate_hz, job.rows[0].units) == (500.0, "mV")
    assert find_inputs(tmp_path, None, "")[0] == []


def test_names_are_read_by_their_entities() -> None:
    assert parse_name("sub-01_task-curl_emg.edf") == ({"sub": "01", "task": "curl"}, "emg.edf")


def test_a_rate_that_contradicts_the_file_names_both(tmp_path: Path) -> None:
    dataset(tmp_path, **{"task-curl_emg.json": '{"SamplingFrequency": 2000}'})
    (tmp_path / CURL).with_suffix(".csv").write_text("time,ch1\n" + "".join(f"{i / 1000},{i}\n" for i in range(100)))
    (job,) = find_jobs(tmp_path)
    job = replace(job, path=job.path.with_suffix(".csv"))
    with pytest.raises(InputError) as caught:
        read_job(job)
    assert str(caught.value) == (
        f"{job.path}: the file says 1000 Hz, but {tmp_path / 'task-curl_emg.json'} states 2000 Hz; "
        "expected them to agree"
    )


def test_an_event_may_name_its_muscle_and_a_second_kind_of_event_is_carried_along(tmp_path: Path) -> None:
    events = "onset\tduration\ttrial_type\tgesture\tmuscle\n0\t1\tfull\tfist\ttriceps\n"
    (row,) = read_bids(with_events(tmp_path, events))
    assert (row.movement, row.muscle, row.extra) == ("full", "triceps", {"task": "curl", "gesture": "fist"})


def test_a_dataset_is_prepared_as_it_stands(tmp_path: Path) -> None:
    pyedflib = pytest.importorskip("pyedflib")
    folder = tmp_path / "data" / "sub-01" / "emg"
    folder.mkdir(parents=True)
    (tmp_path / "data" / "dataset_description.json").write_text('{"Name": "curls", "BIDSVersion": "1.11.0"}')
    (tmp_path / "data" / "participants.tsv").write_text("participant_id\tsex\nsub-01\tF\n")
    stem = folder / "sub-01_task-curl"
    stem.with_name("sub-01_task-curl_emg.json").write_text('{"SamplingFrequency": 1000, "TaskName": "curl"}')
    stem.with_name("sub-01_task-curl_channels.tsv").write_text("name\ttype\tunits\nBiceps\tEMG\tuV\nSwitch\tTRIG\tuV\n")
    stem.with_name("sub-01_task-curl_events.tsv").write_text(
        "onset\tduration\ttrial_type\n0.5\t1.0\tfull\n2.0\t0.8\thalf\n"
    )
    with pyedflib.EdfWriter(f"{stem}_emg.edf", 2, file_type=pyedflib.FILETYPE_EDFPLUS) as file:
        for i, label in enumerate(("Biceps", "Switch")):
            file.setSignalHeader(
                i,
                {"label": label, "dimension": "uV", "sample_frequency": 1000, "physical_max": 1000.0,
                 "physical_min": -1000.0, "digital_max": 32767, "digital_min": -32768, "prefilter": "",
                 "transducer": ""},
            )  # fmt: skip
        file.writeSamples([100 * np.random.default_rng(i).standard_normal(4000) for i in range(2)])
    done = prepare(find_jobs(tmp_path / "data"), tmp_path / "out", configure(), n_jobs=1)
    rows = read_manifest(done.manifest)
    assert done.failures == ()
    assert [(row.subject, row.gender, row.movement) for row in rows] == [("01", "F", "full"), ("01", "F", "half")]
    assert {row.extra["channel"] for row in rows} == {"Biceps"}
