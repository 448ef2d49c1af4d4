"""Names of recordings in a BIDS dataset: labels of people, sessions, tasks and runs, from the rows of a manifest.

It reads no recording and writes nothing. A BIDS label holds letters and digits only. Labels are names of folders, so no
two may differ in upper and lower case only: on some disks they would be one folder.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Failure, Job

ONLY_SUBJECT = "01"  # label of the subject of a single recording that names none


@dataclass(frozen=True)
class BidsName:
    """A recording and the labels of its name. ``task`` is the task's name, ``task_label`` its form in file names."""

    job: Job
    subject: str
    session: str
    task: str
    task_label: str
    run: str

    @property
    def person(self) -> str:
        """``sub-S01`` or ``sub-S01_ses-E02``: the beginning of each name."""
        return f"sub-{self.subject}" + (f"_ses-{self.session}" if self.session else "")

    @property
    def folder(self) -> PurePosixPath:
        return PurePosixPath(*self.person.split("_"))

    @property
    def stem(self) -> str:
        return f"{self.person}_task-{self.task_label}" + (f"_run-{self.run}" if self.run else "")


@dataclass
class Plan:
    """The name of each recording, and the recordings that could not be named.

    subjects : label -> name in the rows. genders : label -> gender; empty if not stated.
    """

    names: list[BidsName] = field(default_factory=list)
    subjects: dict[str, str] = field(default_factory=dict)
    genders: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def plan_dataset(jobs: list[Job], task: str) -> Plan:
    """Name each recording. Several recordings of one person, session and task are runs, in the order given.

    ``task`` is the task of recordings whose rows have no column ``task``. A recording without a subject is a failure,
    unless it is the only one: two such recordings could be of one person or of two, and the dataset would claim either.

    Raises
    ------
    InputError
        One subject has two genders, or a task's name has neither a letter nor a digit of ASCII.
    """
    plan = Plan()
    stated = [(job, *stating) for job in jobs if (stating := _stated(job, task, len(jobs), plan))]
    subjects = bids_labels((subject for _, subject, _, _ in stated), "sub", "person")
    sessions = {
        who: bids_labels((session for _, subject, session, _ in stated if subject == who and session), "ses", "session")
        for who in subjects
    }
    tasks = bids_labels((task for *_, task in stated), "task", "")
    keys = [(subjects[who], sessions[who].get(session, ""), tasks[task]) for _, who, session, task in stated]
    n_of_key, n_before = Counter(keys), Counter[tuple[str, str, str]]()
    for (job, *_, task_name), key in zip(stated, keys, strict=True):
        n_before[key] += 1
        width = max(2, len(str(n_of_key[key])))
        run = f"{n_before[key]:0{width}d}" if n_of_key[key] > 1 else ""
        plan.names.append(BidsName(job, key[0], key[1], task_name, key[2], run))
    plan.subjects = {label: who for who, label in subjects.items()}
    plan.genders = {label: _gender(who, [job for job, name, *_ in stated if name == who])
                    for who, label in subjects.items()}  # fmt: skip
    plan.remarks += _renamed(subjects, sessions)
    return plan


def bids_labels(names: Iterable[str], entity: str, nameless: str) -> dict[str, str]:
    """Name -> label, all different. A name that is a valid label keeps it.

    ``nameless`` is the label of names without any letter A to Z or digit, such as Chinese names.

    Raises
    ------
    InputError
        A name has no letter A to Z or digit, and ``nameless`` is empty.
    """
    distinct = list(dict.fromkeys(names))
    labels: dict[str, str] = {}
    for name in sorted(distinct, key=lambda name: _stripped(name, "") != name):  # valid labels first
        plain = _stripped(name, f"{entity}-") or nameless
        if not plain:
            raise InputError(f"{entity} {name!r}: expected letters A to Z or digits in the name")
        label, number = plain, 1
        while label.lower() in {taken.lower() for taken in labels.values()}:
            number += 1
            label = f"{plain}x{number}"
        labels[name] = label
    return {name: labels[name] for name in distinct}


def _stripped(name: str, prefix: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", name.removeprefix(prefix)).encode("ascii", "ignore").decode()
    return re.sub(r"[^0-9A-Za-z]", "", ascii_only)


def _stated(job: Job, task: str, n_jobs: int, plan: Plan) -> tuple[str, str, str] | None:
    """The subject, session and task that the rows of a recording agree on; else None, and a failure in ``plan``."""
    file = job.rows[0].file
    for what in ("subject", "session"):
        named = sorted({str(getattr(row, what)) for row in job.rows})
        if len(named) > 1:
            names = ", ".join(repr(name) for name in named)
            plan.failures.append(Failure(file, f"{job.path}: its rows name several {what}s ({names}); expected one"))
            return None
    subject = job.rows[0].subject
    if not subject and n_jobs > 1:
        reason = "no subject is stated; expected the subject of each recording, in the column subject of a manifest.csv"
        plan.failures.append(Failure(file, f"{job.path}: {reason}"))
        return None
    if not subject:
        plan.remarks.append(f"no subject is stated for {file}; the only recording is exported as sub-{ONLY_SUBJECT}")
    tasks = {row.extra.get("task", "") for row in job.rows}
    own_task = tasks.pop() if len(tasks) == 1 else ""
    return subject or ONLY_SUBJECT, job.rows[0].session, own_task or task


def _gender(subject: str, jobs: list[Job]) -> str:
    files = {row.gender: row.file for job in jobs for row in job.rows if row.gender}
    if len(files) > 1:
        genders = ", ".join(f"{gender!r} in {file}" for gender, file in sorted(files.items()))
        raise InputError(f"subject {subject!r} has two genders: {genders}; expected one")
    return next(iter(files), "")


def _renamed(subjects: dict[str, str], sessions: dict[str, dict[str, str]]) -> list[str]:
    remarks = [f"subject {who!r} is sub-{label}" for who, label in subjects.items() if who != label]
    for who, labels in sessions.items():
        remarks += [
            f"session {session!r} of subject {who!r} is ses-{label}"
            for session, label in labels.items()
            if session != label
        ]
    return remarks
