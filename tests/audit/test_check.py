"""audit.py, likeness.py, examine.py and `semg-hht check`: planted leaks are found, sound data is left in peace."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import resample_poly

from builders import SETTINGS, foreign_matrix, make_dataset, truncate, write_dataset, write_npz
from conftest import Simulated
from semg_hht.audit import ADVICE, AuditedExample, Finding, Sides, audit_examples, split_findings, subject_names
from semg_hht.audit.check import CheckResult, check_data, read_split
from semg_hht.audit.similarity import MIN_REPETITIONS, MIN_TYPICAL, compare_people, profile, similar_pairs, sketch
from semg_hht.cli.main import main
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.learning.train import Result
from semg_hht.matrices.matrix import SIZE, Matrix, write_matrix
from semg_hht.matrices.transform import configure
from semg_hht.recordings.manifest import ManifestRow, manifest_text, read_manifest
from semg_hht.recordings.recording import Recording, read_recording, write_recording


def matrices(n: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((1, SIZE, SIZE), dtype=np.float32) for _ in range(n)]


def seen(values: np.ndarray, file: str, settings: str = "one", **labels: Any) -> AuditedExample:
    return AuditedExample.of(ManifestRow(file, **labels), values, settings)


def sound(n_people: int = 4) -> list[AuditedExample]:
    """Three classes of each person, two genders: nothing to object to."""
    values = iter(matrices(3 * n_people))
    return [
        seen(next(values), f"s{who}_{movement}.npz", subject=f"S{who}", movement=movement, gender="FM"[who % 2])
        for who in range(n_people)
        for movement in ("full", "half", "invalid")
    ]


def kinds(findings: Any, severity: str = "error") -> set[str]:
    return {f.what for f in findings if f.severity == severity}


def sentences(findings: Any, what: str) -> list[str]:
    return [f.sentence for f in findings if f.what == what]


def relabelled(one: AuditedExample, file: str, **labels: Any) -> AuditedExample:
    return replace(one, row=replace(one.row, file=file, **labels))


def test_sound_data_is_left_in_peace() -> None:
    found = audit_examples(sound(6))
    assert kinds(found) == set()
    assert kinds(found, "warning") == set()


def test_every_kind_of_finding_has_advice_in_the_report() -> None:
    assert all(isinstance(text, str) for text in ADVICE.values())
    assert {f.what for f in audit_examples(sound())} <= set(ADVICE)


def test_a_copied_matrix_under_another_name_is_an_error() -> None:
    data = sound()
    found = audit_examples([*data, relabelled(data[0], "copy.npz", subject="S9")])
    assert "s0_full.npz and copy.npz are the same matrix as subject S0 and S9" in sentences(found, "duplicate")
    assert kinds(found) == {"duplicate"}
    assert not sentences(found, "near-duplicate")


def test_a_copy_of_the_same_person_and_label_counts_twice_but_leaks_nothing() -> None:
    data = sound(6)
    found = audit_examples([*data, relabelled(data[0], "copy.npz")])
    assert kinds(found) == set()
    assert kinds(found, "warning") == {"duplicate"}


def test_a_copy_on_the_other_side_of_a_split_is_an_error() -> None:
    data = [*sound(), relabelled(sound()[0], "copy.npz")]
    files = {"train": {s.row.file for s in data[:-1]}, "validation": set(), "test": {"copy.npz"}}
    sides = Sides("repetition", {k: frozenset(v) for k, v in files.items()}, dict.fromkeys(files, frozenset()))
    assert "s0_full.npz and copy.npz are the same matrix as in train and test" in sentences(
        audit_examples(data, sides), "duplicate"
    )


def test_copies_of_nobody_known_are_an_error() -> None:
    data = [replace(s, row=replace(s.row, subject="")) for s in sound()]
    assert kinds(audit_examples([*data, relabelled(data[0], "copy.npz")])) == {"duplicate"}


def test_a_constant_matrix_is_an_error_and_no_copy_of_another() -> None:
    flat = np.full((1, SIZE, SIZE), 0.5, dtype=np.float32)
    found = audit_examples(
        [*sound(), *(seen(flat, f"flat{i}.npz", subject=f"S{i}", movement="full") for i in range(2))]
    )
    assert sentences(found, "constant") == [f"flat{i}.npz: every value is the same" for i in range(2)]
    assert kinds(found) == {"constant"}


def test_a_dead_channel_of_a_stack_is_an_error() -> None:
    stack = np.concatenate(matrices(2))
    stack[1] = 0
    assert "constant" in kinds(audit_examples([seen(stack, "stack.npz", subject="S1", movement="full")]))


def test_mixed_settings_shapes_and_rates_are_named() -> None:
    data = sound()
    data[0] = replace(data[0], settings="two")
    data[1] = seen(np.concatenate(matrices(2, 7)), "two_planes.npz", "one", subject="S0", movement="half", gender="F")
    data[2:] = [replace(s, row=replace(s.row, rate_hz=500.0 if s.row.gender == "F" else 1000.0)) for s in data[2:]]
    found = audit_examples(data)
    assert sentences(found, "settings") == ["prepared in 2 ways: 11 like two_planes.npz, 1 like s0_full.npz"]
    assert sentences(found, "shape") == [
        "channels in a matrix: 11 with 1 (as s0_full.npz), 1 with 2 (as two_planes.npz)"
    ]
    assert sentences(found, "rates") == ["recorded at 500, 1000 Hz, and F only at 500 Hz, M only at 1000 Hz"]


def test_classes_that_are_missing_unbalanced_or_of_few_people_are_named() -> None:
    data = [s for s in sound(6) if s.row.movement != "invalid"]
    data = [s for s in data if s.row.movement == "full" or s.row.subject == "S0"]
    assert set(sentences(audit_examples(data), "classes")) == {
        "movement: no example of invalid",
        "movement: 6 of full but 1 of half",
        "movement half is of S0 alone: it can't be trained, tuned and scored on different people",
    }


def test_nothing_to_learn_is_an_error() -> None:
    assert (
        sentences(audit_examples([seen(m, f"x{i}.npz") for i, m in enumerate(matrices(2))]), "labels")
        == [
            "2 without a label and not named Test*, as x0.npz",
            "nothing is labelled, so there is nothing to train on",
        ][::-1]
    )
    one_class = [seen(m, f"x{i}.npz", subject=f"S{i}", movement="full") for i, m in enumerate(matrices(3))]
    assert sentences(audit_examples(one_class), "classes") == [
        "every label is the same, so there is nothing to distinguish"
    ]


def test_labels_that_contradict_each_other_are_errors() -> None:
    data = sound()
    data[0] = relabelled(data[0], "s0_full.npz", gender="M")
    data[4] = relabelled(data[4], "s1_half.npz", movement="Half")
    found = sentences(audit_examples(data), "labels")
    assert "subject S0 has gender F and M" in found
    assert "movement 'Half' is also spelled in another case" in found


@pytest.mark.parametrize("names", [("S1", "s1"), ("S1", "S01"), ("S 1", "S1"), ("P-007", "p_7"), ("Anna B", "annab")])
def test_one_person_spelled_in_two_ways_is_an_error(names: tuple[str, str]) -> None:
    assert [f.what for f in subject_names([*names, "S2"])] == ["subject names"]


def test_names_that_only_look_alike_are_two_people() -> None:
    assert not list(subject_names(["S1", "S10", "S100", "S2", "S20", "1", "10", "", "S101", "S110"]))


def cut(values: np.ndarray, file: str, start: float, stop: float, **labels: Any) -> AuditedExample:
    extra = {"recording": "long.csv", "recording_start_s": f"{start}", "recording_stop_s": f"{stop}"}
    return seen(values, file, extra=extra, **labels)


def test_overlapping_windows_under_two_labels_or_people_are_errors() -> None:
    a, b, c, d = matrices(4)
    found = audit_examples([
        *sound(),
        cut(a, "a.npz", 0, 2, subject="S1", movement="full"),
        cut(b, "b.npz", 1, 3, subject="S1", movement="half"),
        cut(c, "c.npz", 3, 4, subject="S1", movement="half"),
        cut(d, "d.npz", 3.5, 5, subject="S2", movement="half"),
    ])  # fmt: skip
    assert sentences(found, "overlap") == [
        "long.csv: a.npz and b.npz overlap in time but are movement full and half",
        "long.csv: c.npz and d.npz overlap in time but are subject S1 and S2",
    ]


def test_one_repetition_with_two_labels_on_its_channels_is_an_error() -> None:
    a, b = matrices(2)
    rows = [cut(a, "a.npz", 0, 2, subject="S1", movement="full"), cut(b, "b.npz", 0, 2, subject="S1", movement="half")]
    assert len(sentences(audit_examples([*sound(), *rows]), "overlap")) == 1


def test_a_split_with_someone_or_something_on_two_sides_is_an_error() -> None:
    files = {"train": frozenset({"a", "b"}), "validation": frozenset({"c"}), "test": frozenset({"b"})}
    people = {"train": frozenset({"S1", "S2"}), "validation": frozenset({"S2"}), "test": frozenset({"S1"})}
    found = split_findings(Sides("subject", files, people))
    assert [(f.severity, f.sentence) for f in found] == [
        ("error", "subject S1 is in train and in test"),
        ("error", "1 files are in train and in test, such as b"),
        ("warning", "subject S2 is in train and in validation"),
    ]


def test_a_split_is_held_against_the_subjects_of_the_data() -> None:
    data = sound()
    files = {
        "train": [s.row.file for s in data[:4]],
        "validation": [],
        "test": [s.row.file for s in data[4:-1]] + ["x"],
    }
    people: dict[str, frozenset[str]] = dict.fromkeys(files, frozenset())
    found = split_findings(Sides("subject", {k: frozenset(v) for k, v in files.items()}, people), [s.row for s in data])
    assert [f.sentence for f in found] == [
        "subject S1 is in train and in test",
        "1 files of the split are not in the data, as x",
        "1 labelled files are on no side, as s3_invalid.npz",
    ]


# Signals


def test_likeness_survives_gain_but_not_another_signal() -> None:
    one, two = matrices(2)
    sketches = np.stack([sketch(m) for m in (one, np.sqrt(3 * one), two)])
    pairs = similar_pairs(sketches, ["a", "b", "c"])
    assert [(p.first, p.second) for p in pairs] == [(0, 1)]
    assert pairs[0].likeness > 0.9


def test_what_all_share_is_no_likeness() -> None:
    """Curls swell and fade alike in everyone; only the copy is found."""
    envelope = np.sin(np.linspace(0, np.pi, SIZE, dtype=np.float32)) * 2
    values = [m + envelope for m in matrices(120)]
    sketches = np.stack([sketch(m) for m in [*values, values[3]]])
    groups = [str(i) for i in range(len(sketches))]
    assert [(p.first, p.second) for p in similar_pairs(sketches, groups)] == [(3, 120)]


def test_rows_of_one_recording_are_not_compared() -> None:
    one = sketch(matrices(1)[0])
    assert similar_pairs(np.stack([one, one]), ["a", "a"]) == []
    assert similar_pairs(one[None], ["a"]) == []


def people(n_people: int, n_each: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n_people), n_each)
    own = rng.standard_normal((n_people, 32)) * 3
    return (own[who] + rng.standard_normal((len(who), 32))).astype(np.float32), [f"S{i}" for i in who]


@pytest.mark.parametrize("seed", range(5))
def test_one_person_under_two_names_is_found_and_nobody_else(seed: int) -> None:
    profiles, names = people(6, 2 * MIN_REPETITIONS, seed)
    labels = ["x"] * len(names)
    assert compare_people(profiles, names, labels).lookalikes == ()
    names[: 2 * MIN_REPETITIONS : 2] = ["ZZ"] * MIN_REPETITIONS
    found = compare_people(profiles, names, labels).lookalikes
    assert [(pair.first, pair.second) for pair in found] == [("S0", "ZZ")]


def test_people_whom_the_data_cannot_tell_apart_are_not_accused() -> None:
    profiles = np.random.default_rng(0).standard_normal((80, 32)).astype(np.float32)
    compared = compare_people(profiles, [f"S{i % 4}" for i in range(80)], ["x"] * 80)
    assert compared.lookalikes == ()
    assert not compared.distinguishes_people


def test_too_few_repetitions_say_nothing() -> None:
    profiles, names = people(6, MIN_TYPICAL - 1)
    assert compare_people(profiles, names, ["x"] * len(names)).typical is None
    profiles, names = people(6, MIN_TYPICAL)
    assert compare_people(profiles, names, ["x"] * len(names)).typical is not None


def test_profile_and_sketch_have_a_place_for_each_plane() -> None:
    stack = np.concatenate(matrices(3))
    assert profile(stack).shape == (3 * 16,)
    assert sketch(stack).shape == (3 * 8 * 128,)
    np.testing.assert_allclose(profile(stack)[:16], profile(stack[:1]))


def resaved(recording: Recording, way: str) -> Recording:
    if way == "slower":
        samples = resample_poly(recording.samples, 4, 5, axis=1)
        return replace(recording, samples=samples, rate_hz=recording.rate_hz * 0.8)
    if way == "gain":
        return replace(recording, samples=recording.samples * 0.37)
    step = np.abs(recording.samples).max() / 127
    return replace(recording, samples=np.round(recording.samples / step) * step)


@pytest.mark.parametrize("way", ["slower", "gain", "rounded"])
def test_a_recording_saved_again_under_another_name_is_found(simulated: Simulated, tmp_path: Path, way: str) -> None:
    """Resampled, with another gain or coarser steps, then prepared like the others."""
    rows = read_manifest(simulated.manifest)
    own = [row for row in rows if row.file == rows[0].file]
    recording = read_recording(simulated.manifest.parent / own[0].file, rate_hz=own[0].rate_hz, units=own[0].units)
    copy = resaved(recording, way)
    write_recording(copy, tmp_path / "copy.csv")
    (tmp_path / "manifest.csv").write_text(
        manifest_text(replace(row, file="copy.csv", subject="S99", rate_hz=copy.rate_hz) for row in own), "utf-8"
    )
    config = configure(band_hz=(20.0, 200.0))
    prepare(find_jobs(tmp_path / "manifest.csv"), tmp_path / "prepared", config, n_jobs=1)
    both = tmp_path / "both"
    both.mkdir()
    listed = []
    for folder in (simulated.prepared_manifest.parent, tmp_path / "prepared"):
        listed += [replace(r, file=str(folder / r.file)) for r in read_manifest(folder / "manifest.csv")]
    (both / "manifest.csv").write_text(manifest_text(listed), "utf-8")
    found = [f for f in check_data(both).findings if f.what == "near-duplicate"]
    assert {Path(f.files[1]).parent.parent for f in found} == {tmp_path / "prepared"}
    assert len(found) == len(own)
    assert all(f.severity == "error" and " S99" in f.sentence for f in found)


def test_simulated_people_are_not_accused_of_copying(simulated: Simulated) -> None:
    assert not kinds(check_data(simulated.prepared_manifest.parent).findings)


# Folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(make_dataset(), tmp_path / "data")


def test_what_cannot_be_read_is_named_and_the_rest_is_judged(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"))
    truncate(files[0])
    write_npz(files[1], hht=np.full((SIZE, SIZE), np.nan))
    write_npz(files[2], hht=np.zeros((SIZE, 3)))
    files[3].unlink()
    foreign_matrix(folder / "more.npz")
    found = check_data(folder)
    said = sentences(found.findings, "unreadable")
    assert len(said) == 4
    for part in ("can't be read", "NaN or infinite", "expected a matrix of 256x256", "no such file"):
        assert sum(part in text for text in said) == 1
    assert sentences(found.findings, "unlisted") == ["1 npz files are not in manifest.csv, as more.npz"]
    assert found.n_files == 30
    assert found.n_subjects == 5


def test_a_folder_labelled_by_names_is_judged_and_a_bad_name_listed(tmp_path: Path) -> None:
    for i, name in enumerate(["S01_BICEPS_full_M_001", "S02_BICEPS_half_F_001", "Test1_1_001", "who_knows"]):
        foreign_matrix(tmp_path / f"{name}.npz", seed=i)
    found = check_data(tmp_path)
    assert any(s.startswith("who_knows.npz: expected MUSCLE_movement") for s in sentences(found.findings, "labels"))
    assert "1 named Test* are to be predicted, not trained on" in sentences(found.findings, "what was checked")


def test_matrices_of_two_preparations_are_named(folder: Path) -> None:
    other = json.loads(json.dumps(SETTINGS)) | {"scaling": "db"}
    first = sorted(folder.glob("*.npz"))[0]
    write_matrix(first, Matrix(matrices(1)[0], other))
    assert sentences(check_data(folder).findings, "settings") == [
        f"prepared in 2 ways: 29 like {load_first(folder, first.name)}, 1 like {first.name}"
    ]


def load_first(folder: Path, but: str) -> str:
    return next(row.file for row in read_manifest(folder / "manifest.csv") if row.file != but)


def test_nothing_to_look_at_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected recordings .* or a manifest.csv; found none"):
        check_data(tmp_path)
    (tmp_path / "hht_matrices").mkdir()
    with pytest.raises(InputError, match="expected npz matrices or a manifest.csv; found none"):
        check_data(tmp_path / "hht_matrices")
    with pytest.raises(InputError, match="no such file or folder"):
        check_data(tmp_path / "none")


def test_a_run_is_held_against_its_data(tiny_copy: Path, tmp_path: Path) -> None:
    data = write_dataset(make_dataset(n_unlabelled=2), tmp_path / "data")
    sound_run = check_data(data, tiny_copy).findings
    assert not sentences(sound_run, "split")
    assert "files, labels and values are those the run was trained on" in sentences(sound_run, "what was checked")
    write_matrix(sorted(data.glob("p0*.npz"))[0], Matrix(matrices(1)[0], SETTINGS))
    changed = check_data(data, tiny_copy / "split.json").findings
    assert sentences(changed, "split") == ["files, labels or values are not those the run was trained on"]


def test_a_leak_written_into_a_split_is_found_in_the_run_alone(tiny_copy: Path) -> None:
    assert not kinds(check_data(tiny_copy).findings)
    path = tiny_copy / "split.json"
    content = json.loads(path.read_text())
    leaked = content["test"]["subjects"][0]
    content["train"]["subjects"].append(leaked)
    path.write_text(json.dumps(content))
    assert sentences(check_data(tiny_copy).findings, "split") == [f"subject {leaked} is in train and in test"]
    with pytest.raises(InputError, match="is a run itself; name the data"):
        check_data(tiny_copy, path)


def test_what_is_no_split_or_no_config_is_one_sentence(folder: Path, tiny_copy: Path) -> None:
    (tiny_copy / "config.json").write_text("{}")
    with pytest.raises(InputError, match="expected a run's config with 'data_fingerprint'"):
        check_data(folder, tiny_copy)
    (tiny_copy / "split.json").write_text("[]")
    with pytest.raises(InputError, match="expected a split with 'by'"):
        read_split(tiny_copy)


def test_recordings_are_judged_before_they_are_prepared(simulated: Simulated, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(simulated.manifest.parent, tmp_path / "recordings"))
    assert not kinds(check_data(folder).findings)
    rows = read_manifest(folder / "manifest.csv")
    files = list(dict.fromkeys(row.file for row in rows))
    shutil.copy(folder / files[0], folder / "copy.csv")
    truncate(folder / files[1], 0)
    copied = [replace(row, file="copy.csv", subject="S77") for row in rows if row.file == files[0]]
    relabelled_row = replace(copied[0], movement="half" if copied[0].movement == "full" else "full", stop_s=None)
    (folder / "manifest.csv").write_text(manifest_text([*rows, *copied, relabelled_row]), "utf-8")
    found = check_data(folder).findings
    assert len(sentences(found, "duplicate")) == len(copied)
    assert all("hold the same samples as subject S01 and S77" in s for s in sentences(found, "duplicate"))
    assert files[1] in sentences(found, "unreadable")[0]
    assert "copy.csv and copy.csv overlap in time but are movement" in sentences(found, "overlap")[0]


# The command


def run(*args: Any) -> int:
    try:
        main([str(arg) for arg in args])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_command_ends_with_a_code_for_scripts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", folder) == 0
    assert run("check", folder, "--strict") == 1  # class warnings: two of five people are M
    files = sorted(folder.glob("*.npz"))
    shutil.copy(files[0], files[-1])
    capsys.readouterr()
    assert run("check", folder) == 1
    said = capsys.readouterr().out
    assert "error: duplicate\n" in said
    assert f"{files[0].name} and {files[-1].name} are the same matrix as subject S01 and S05" in said
    assert "-> keep one of them" in said


def test_the_command_prints_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "p0_full_0_ch0.npz", folder / "p1_full_0_ch0.npz")
    assert run("check", folder, "--json") == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["n_files"] == 30
    assert printed["n_errors"] == 1
    assert printed["findings"][0]["files"] == ["p0_full_0_ch0.npz", "p1_full_0_ch0.npz"]
    assert printed["findings"][0]["advice"]


def test_long_lists_are_cut_on_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(folder.glob("*.npz"))[:13]:
        truncate(path)
    assert run("check", folder) == 1
    said = capsys.readouterr().out
    assert "error: unreadable (13)" in said
    assert "and 3 more; --json lists all" in said


def test_findings_come_errors_first(tiny_result: Result, folder: Path) -> None:
    found: CheckResult = check_data(folder, tiny_result.folder)
    ranks = [("error", "warning", "note").index(f.severity) for f in found.findings]
    assert ranks == sorted(ranks)
    assert all(isinstance(f, Finding) for f in found.findings)
