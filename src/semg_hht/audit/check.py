"""Check a folder of matrices or recordings, a manifest, a run or its split: read the files and audit them.

It knows folders and files; `audit_examples` and `audit_recordings` find everything but unreadable files. Each matrix
and each recording is released after it was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semg_hht.audit import AuditedExample, Finding, Sides, audit_examples, in_order, split_findings
from semg_hht.audit.recording_description import describe
from semg_hht.audit.recordings_compared import AuditedRecording, audit_recordings
from semg_hht.datasets.find_inputs import MANIFEST, is_manifest, unlisted
from semg_hht.datasets.given_inputs import Data, given_list, jobs_of
from semg_hht.datasets.prepare import MATRIX_FOLDER
from semg_hht.errors import InputError
from semg_hht.learning.dataset import fingerprint_of, manifest_of
from semg_hht.matrices.matrix import is_matrix_file, read_matrix
from semg_hht.matrices.scaling import IN_UNITS
from semg_hht.recordings.jobs import Job, read_job
from semg_hht.recordings.manifest import ManifestRow, parse_file_name, read_manifest
from semg_hht.recordings.units import mixed_units
from semg_hht.system.dataframes import dataframe
from semg_hht.system.files import file_as_named, files_in, in_command, read_json
from semg_hht.system.progress import Track, untracked

SPLIT_FILE = "split.json"
CONFIG_FILE = "config.json"
SIDES = ("train", "validation", "test")
MAX_SHOWN = 6  # findings in the representation of a result


@dataclass(frozen=True, repr=False)
class CheckResult:
    """The checked source and its findings.

    Examples
    --------
    >>> import semg_hht as sh
    >>> found = sh.check(sh.samples.MANIFEST)
    >>> sentences = [finding.sentence for finding in found]
    """

    source: Path
    n_files: int
    n_subjects: int
    findings: tuple[Finding, ...]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __repr__(self) -> str:
        people = "people" if self.n_subjects != 1 else "person"
        lines = [f"<CheckResult of {self.source}: {self.n_files} files of {self.n_subjects} {people}"]
        lines += [f"{one.severity}: {one.sentence}" for one in self.findings[:MAX_SHOWN]]
        lines += [f"and {len(self) - MAX_SHOWN} more"] * (len(self) > MAX_SHOWN)
        return "\n  ".join(lines) + ">"

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each finding.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        cells = [[f.severity, f.what, f.sentence, "; ".join(f.files)] for f in self.findings]
        return dataframe(("severity", "what", "sentence", "files"), cells)

    def count(self, severity: str) -> int:
        """The number of findings of a severity: ``error``, ``warning`` or ``note``."""
        return sum(finding.severity == severity for finding in self.findings)


def check_data(
    data: Data, split: Path | None = None, *, rate_hz: float | None = None, units: str = "", track: Track = untracked
) -> CheckResult:
    """Check a prepared folder, a folder of matrices named by the convention, recordings, a manifest, or a run.

    Parameters
    ----------
    data : one of these as a path, recordings in memory, results of other verbs, or a list of all but runs.
    rate_hz, units : of recordings that do not state them.
    split : a run directory or its split.json, to compare with the data. A run as ``data`` is checked alone.

    Raises
    ------
    InputError
        ``data`` does not exist or has no matrices, or a manifest or split can't be read.
    """
    several = given_list(data, rate_hz=rate_hz, units=units)
    first = several[0]
    source = Path(first) if isinstance(first, (str, Path)) and len(several) == 1 else Path("recordings")
    if (source / SPLIT_FILE).is_file() and not (source / MANIFEST).is_file():
        if split is not None:
            raise InputError(f"{source}: is a run itself; name the data it was trained on, and the run with split=...")
        return _check_run(source)
    sides = None if split is None else read_split(split)
    findings: list[Finding] = []
    examples: list[AuditedExample] = []
    matrices = [Path(one) for one in several if isinstance(one, (str, Path)) and not _holds_recordings(Path(one))]
    recordings = [one for one in several if not (isinstance(one, (str, Path)) and Path(one) in matrices)]
    jobs = jobs_of(recordings, rate_hz=rate_hz, units=units) if recordings else []
    listed = [row for job in jobs for row in job.rows]
    described: list[AuditedRecording] = []
    for job in track(jobs, len(jobs), "reading"):
        examples += _recording_examples(job, findings, described)
    side_of = {file: side for side, files in (sides.files if sides else {}).items() for file in files}
    findings += audit_recordings(described, side_of)
    for path in matrices:
        rows, base = _listed_matrices(path, findings)
        listed += rows
        for row in track(rows, len(rows), "reading"):
            examples += _matrix_example(row, base, findings)
    if split is not None:
        findings += _compare_with_run(split, examples)
    if examples:
        findings += _without_known(audit_examples(examples, sides), findings)
    findings += _mixed_units(examples)
    people = {row.subject for row in listed} - {""}
    return CheckResult(source, len(listed), len(people), tuple(in_order(findings)))


def _matrix_example(row: ManifestRow, base: Path, findings: list[Finding]) -> list[AuditedExample]:
    try:
        matrix = read_matrix(file_as_named(base, row.file))
    except InputError as error:
        findings.append(Finding("error", "unreadable", str(error), (row.file,)))
        return []
    settings = "" if matrix.settings is None else json.dumps(matrix.settings, sort_keys=True)
    return [AuditedExample.of(row, matrix.values, settings)]


def _recording_examples(job: Job, findings: list[Finding], described: list[AuditedRecording]) -> list[AuditedExample]:
    """Examples of the rows of a recording. Two are copies if samples, channels, start and stop are equal.

    The description of its EMG channels is added to ``described``, and its samples are released.
    """
    name = job.rows[0].file
    try:
        recording = read_job(job)
        job = replace(job, rows=tuple(replace(row, units=recording.units) for row in job.rows))
    except InputError as error:
        findings.append(Finding("error", "unreadable", str(error), (name,)))
        return []
    findings += [Finding("warning", "recording", f"{name}: {text}", (name,)) for text in recording.remarks]
    if set(recording.channel_names) - set(recording.non_emg):
        described.append(AuditedRecording(job.rows, describe(recording.select(()))))
    return [AuditedExample.of_recording(row, recording.samples) for row in job.rows]


def _mixed_units(examples: list[AuditedExample]) -> list[Finding]:
    """A warning of recordings in volts beside others, where the values of matrices depend on their units."""
    units = {
        s.recording: s.row.units
        for s in examples
        if s.n_planes == 0 or (s.settings and json.loads(s.settings).get("scaling") in IN_UNITS)
    }
    mixed = mixed_units(units)
    return [Finding("warning", "units", mixed, tuple(units))] if mixed else []


def _holds_recordings(source: Path) -> bool:
    """Whether a path is a recording, or a manifest or folder of recordings instead of matrices."""
    if source.is_file() and not is_manifest(source):
        return not is_matrix_file(source)
    manifest = source if source.is_file() else source / MANIFEST
    if manifest.is_file():
        path = file_as_named(manifest.parent, read_manifest(manifest)[0].file)
        return path.suffix.lower() != ".npz" or (path.is_file() and not is_matrix_file(path))
    return source.is_dir() and source.name != MATRIX_FOLDER and not any(map(is_matrix_file, _npz_files(source)))


def _check_run(run: Path) -> CheckResult:
    sides = read_split(run / SPLIT_FILE)
    note = Finding(
        "note", "what was checked", f"the split alone; its data: semg-hht check DATA --split {in_command(run)}"
    )
    n_files = len(frozenset().union(*sides.files.values()))
    people = frozenset().union(*sides.subjects.values()) - {""}
    return CheckResult(run, n_files, len(people), tuple(in_order([*split_findings(sides), note])))


def read_split(path: Path) -> Sides:
    """Read a split.json, or that of a run directory.

    Raises
    ------
    InputError
        The file does not exist or is not a split.
    """
    path = path / SPLIT_FILE if path.is_dir() else path
    content = read_json(path)
    try:
        files = {side: frozenset(map(str, content[side]["files"])) for side in SIDES}
        subjects = {side: frozenset(map(str, content[side]["subjects"])) for side in SIDES}
        return Sides(str(content["by"]), files, subjects)
    except (KeyError, TypeError):
        raise InputError(
            f"{path}: expected a split with 'by' and, for {', '.join(SIDES)}, 'subjects' and 'files'; found other JSON"
        ) from None


def _listed_matrices(source: Path, findings: list[Finding]) -> tuple[list[ManifestRow], Path]:
    """Rows of the matrices to read, and the folder that their names are relative to.

    As in `load_folder`, but an invalid name becomes a finding instead of an error.
    """
    if is_manifest(source):
        return read_manifest(source), source.parent
    if source.is_file():
        return _rows_of([source.name], findings), source.parent
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder")
    manifest = manifest_of(source)
    if manifest is not None:
        rows = read_manifest(manifest)
        others = tuple(p.relative_to(source).as_posix() for p in unlisted(source, manifest, rows))
        if others:
            text = f"{len(others)} npz files are not in {manifest.name}, as {others[0]}"
            findings.append(Finding("warning", "unlisted", text, others))
        return rows, manifest.parent
    return _rows_by_name(source, findings), source


def _rows_by_name(folder: Path, findings: list[Finding]) -> list[ManifestRow]:
    """Rows of the matrices in a folder by their names. All names that state no labels are one finding."""
    names = [path.relative_to(folder).as_posix() for path in _npz_files(folder)]
    if not names:
        raise InputError(f"{folder}: expected npz matrices or a manifest.csv; found none")
    return _rows_of(names, findings)


def _rows_of(names: list[str], findings: list[Finding]) -> list[ManifestRow]:
    rows, wrong = [], []
    for name in names:
        try:
            rows.append(parse_file_name(name))
        except InputError:
            wrong.append(name)
            rows.append(ManifestRow(file=name))
    if wrong:
        text = f"{len(wrong)} of {len(names)} names don't state one movement and one gender, as {', '.join(wrong[:3])}"
        findings.append(Finding("error", "file names", text, tuple(wrong)))
    return rows


def _without_known(found: list[Finding], known: list[Finding]) -> list[Finding]:
    """The findings without those that files lack labels whose names are known to state none."""
    wrong = {file for finding in known if finding.what == "file names" for file in finding.files}
    return [f for f in found if not (f.what == "labels" and f.files and wrong.issuperset(f.files))]


def _npz_files(folder: Path) -> list[Path]:
    return files_in(folder, (".npz",))


def _compare_with_run(split: Path, examples: list[AuditedExample]) -> list[Finding]:
    """Compare the data with the fingerprint in the run's config.json; no finding if there is none beside the split."""
    path = (split if split.is_dir() else split.parent) / CONFIG_FILE
    if not path.is_file():
        return []
    config: Any = read_json(path)
    try:
        trained_on, tasks = str(config["data_fingerprint"]), list(config["classes"])
    except (KeyError, TypeError):
        raise InputError(f"{path}: expected a run's config with 'data_fingerprint' and 'classes'") from None
    here = fingerprint_of((s.row, s.digest) for s in examples if any(s.row.label(task) for task in tasks))
    if here == trained_on:
        return [Finding("note", "what was checked", "files, labels and values are those the run was trained on")]
    return [Finding("error", "split", "files, labels or values are not those the run was trained on")]
