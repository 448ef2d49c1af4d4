"""Rows of a manifest -> where their recordings stand in a BIDS dataset: labels of people, sessions, tasks and runs.

Knows names: reads no recording and writes nothing. BIDS allows letters and digits in a label and nothing else, and its
labels are folders: two that differ only in upper and lower case would be one folder on some disks.
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

NOBODY = "01"  # the label of whoever made the only recording there is


@dataclass(frozen=True)
class BidsName:
    """A recording and the labels of its name. ``task`` is the task's name, ``task_label`` what stands in file names."""

    job: Job
    subject: str
    session: str
    task: str
    task_label: str
    run: str

    @property
    def person(self) -> str:
        """``sub-S01`` or ``sub-S01_ses-E02``, as names begin."""
        return f"sub-{self.subject}" + (f"_ses-{self.session}" if self.session else "")

    @property
    def folder(self) -> PurePosixPath:
        return PurePosixPath(*self.person.split("_"))

    @property
    def stem(self) -> str:
        return f"{self.person}_task-{self.task_label}" + (f"_run-{self.run}" if self.run else "")


@dataclass
class Plan:
    """Where each recording goes, and what could not be placed.

    subjects : label -> name as the rows have it; empty where they name nobody.
    genders : label -> gender, empty where it is not stated.
    """

    names: list[BidsName] = field(default_factory=list)
    subjects: dict[str, str] = field(default_factory=dict)
    genders: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def plan_dataset(jobs: list[Job], task: str) -> Plan:
    """Give each recording its place; several of one person, session and task are runs, in the order given.

    ``task`` names the task of recordings whose rows don't, in a column ``task``. A recording that names no subject is a
    failure: whether two such are one person or two nobody can tell, and the dataset would claim one or the other.
    Where there is one recording only, nothing is claimed.

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
    """Name -> label, each another one; names that are labels already stay what they are.

    ``nameless`` stands where nothing of a name is left, as of one in Chinese.

    Raises
    ------
    InputError
        Nothing is left of a name, and ``nameless`` is empty.
    """
    distinct = list(dict.fromkeys(names))
    found: dict[str, str] = {}
    for name in sorted(distinct, key=lambda name: _stripped(name, "") != name):  # those that fit choose first
        plain = _stripped(name, f"{entity}-") or nameless
        if not plain:
            raise InputError(f"{entity} {name!r}: expected letters A to Z or digits in the name")
        label, number = plain, 1
        while label.lower() in {taken.lower() for taken in found.values()}:
            number += 1
            label = f"{plain}x{number}"
        found[name] = label
    return {name: found[name] for name in distinct}


def _stripped(name: str, prefix: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", name.removeprefix(prefix)).encode("ascii", "ignore").decode()
    return re.sub(r"[^0-9A-Za-z]", "", ascii_only)


def _stated(job: Job, task: str, n_jobs: int, plan: Plan) -> tuple[str, str, str] | None:
    """Subject, session and task that the rows of a recording agree on; else the failure is noted."""
    file = job.rows[0].file
    for what in ("subject", "session"):
        named = sorted({str(getattr(row, what)) for row in job.rows})
        if len(named) > 1:
            found = ", ".join(repr(name) for name in named)
            plan.failures.append(Failure(file, f"{job.path}: its rows name several {what}s ({found}); expected one"))
            return None
    subject = job.rows[0].subject
    if not subject and n_jobs > 1:
        reason = "no subject is stated; expected whose recording it is, in the column subject of a manifest.csv"
        plan.failures.append(Failure(file, f"{job.path}: {reason}"))
        return None
    if not subject:
        plan.remarks.append(f"no subject is stated for {file}; being the only recording, it is of sub-{NOBODY}")
    tasks = {row.extra.get("task", "") for row in job.rows}
    own_task = tasks.pop() if len(tasks) == 1 else ""
    return subject or NOBODY, job.rows[0].session, own_task or task


def _gender(subject: str, jobs: list[Job]) -> str:
    files = {row.gender: row.file for job in jobs for row in job.rows if row.gender}
    if len(files) > 1:
        found = ", ".join(f"{gender!r} in {file}" for gender, file in sorted(files.items()))
        raise InputError(f"subject {subject!r} has two genders: {found}; expected one")
    return next(iter(files), "")


def _renamed(subjects: dict[str, str], sessions: dict[str, dict[str, str]]) -> list[str]:
    remarks = [f"subject {who!r} is sub-{label}" for who, label in subjects.items() if who != label]
    for who, of_person in sessions.items():
        remarks += [f"session {session!r} of subject {who!r} is ses-{label}"
                    for session, label in of_person.items() if session != label]  # fmt: skip
    return remarks
