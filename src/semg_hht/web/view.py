"""A visit -> the state that its page shows, in one language: numbers, class names and sentences, never markup.

This module does not know about browsers or requests.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from semg_hht.reports.messages import told
from semg_hht.reports.words import Words, plain_number, read_words
from semg_hht.web.repetition_table import DECIMALS, LABELLED_BY, Problem, times_of
from semg_hht.web.shared_run import PRACTICE, SHIPPED, TRAINED, Desk, RunInfo
from semg_hht.web.visit import MAX_FILES, BackgroundJob, Visit, VisitFile

if TYPE_CHECKING:
    from semg_hht.inference.answers import Answer, Part
    from semg_hht.prediction.live import LiveRepetition

FEATURES = {"rms": "card_rms", "mdf_hz": "card_median_frequency"}


def sentence(problem: Problem, words: Words) -> str:
    values = dict(problem.values)
    if "said" in values:
        values["said"] = told(str(values["said"]), words.language)
    for name, value in values.items():
        if isinstance(value, Problem):
            values[name] = sentence(value, words)
    return words(problem.name, **values)


def state_of(
    visit: Visit, desk: Desk, *, max_mb: int, session_mb: int, keeps: str = "", kept: Sequence[str] = ()
) -> dict[str, Any]:  # fmt: skip
    """Everything that the page shows of a visit but signals and pictures.

    max_mb, session_mb : size of the largest file and of the largest saved session that may be uploaded.
    """
    words = read_words(visit.language)
    run = desk.info(visit.run, visit.trained)
    files = [file_view(visit, file, run, words) for file in visit.files.values()]
    return {
        "language": visit.language,
        "run": _run_view(visit, desk, run, words),
        "files": files,
        "limits": {"files": MAX_FILES, "mb": max_mb, "session_mb": session_mb},
        "train_needs": train_needs(visit, words) if desk.open_trained else words("app_no_training"),
        "resumable": (visit.folder / "train" / "run" / "last").is_dir()
        and not (visit.folder / "train" / "run" / "metrics.json").is_file(),
        "keeps": keeps,
        "kept": list(kept),
        "problems": [sentence(problem, words) for problem in (*visit.problems, visit.not_kept) if problem],
        "conflicts": [asdict(conflict) for conflict in visit.conflicts],
        "changed": visit.changed,
    }


def _run_view(visit: Visit, desk: Desk, run: RunInfo, words: Words) -> dict[str, Any]:
    shipped = "" if desk.shipped is None else _shipped_sentence(desk, words)
    choices = [{"take": SHIPPED, "name": words("app_name_shipped"), "sentence": shipped}] if shipped else []
    if desk.make_practice is not None:
        choices.append({"take": PRACTICE, "name": words("app_name_practice"), "sentence": words("app_practice_means")})
    if visit.trained is not None:
        score = "" if visit.score is None else sentence(visit.score, words)
        choices.append({"take": TRAINED, "name": words("app_name_trained"), "sentence": score})
    name = run.name or (words(f"app_name_{run.kind}") if run.kind else "")
    told = next((choice["sentence"] for choice in choices if choice["take"] == run.kind), "")
    return {
        "name": name,
        "kind": run.kind or "none",
        "note": words("app_practice_means") if run.is_practice else "",
        "tasks": {task: list(names) for task, names in run.classes.items()},
        "sentence": told or words("app_run" if run.kind else "app_no_run", name=name),
        "can_practice": desk.make_practice is not None,
        "shipped_sentence": shipped,
        "choices": choices,
    }


def _shipped_sentence(desk: Desk, words: Words) -> str:
    facts = desk.shipped
    assert facts is not None
    return words(
        "app_shipped", trained=facts.n_trained, right=f"{facts.balanced_accuracy:.0%}", low=f"{facts.low:.0%}",
        high=f"{facts.high:.0%}", people=facts.n_people,
    )  # fmt: skip


def file_view(visit: Visit, file: VisitFile, run: RunInfo, words: Words) -> dict[str, Any]:
    found = file.recorded
    maximum = visit.maximum(file)
    of_maximum = None if maximum is None else visit.files.get(maximum.file)
    parts = _parts(file)
    remarks = [] if found is None else [told(remark, words.language) for remark in found.remarks]
    return {
        "id": file.number,
        "name": file.name,
        "kind": "failed" if file.problem else "matrix" if found is None else "recording",
        "problem": "" if file.problem is None else sentence(file.problem, words),
        "needs": "rate" if file.needs_rate else "",
        "remarks": remarks + [told(warning, words.language) for warning in file.warnings],
        "duration_s": 0.0 if found is None else found.duration_s,
        "rate_hz": None if found is None else found.rate_hz,
        "units": "" if found is None else found.units,
        "channels": [] if found is None else [asdict(channel) for channel in found.channels],
        "strongest": 0 if found is None else found.strongest,
        "about": asdict(file.about) | {"rate_hz": file.about.rate_hz or ""},
        "maximum": None if maximum is None or of_maximum is None else
        {"of": maximum.file, "name": of_maximum.name, "start_s": None if maximum.is_whole else maximum.start_s,
         "stop_s": None if maximum.is_whole else maximum.stop_s},
        "repetitions": _repetitions(visit, file, parts, words),
        "trends": _trends(file, words),
        "answered": file.is_answered,
        "other_run": of_other_run(file, run, words),
        "verdict": _verdict(visit, file, words) if file.is_answered else
        {"text": "", "detail": "", "unlike": [], "warning": ""},
        "has_card": file.is_answered and bool(file.rows),
    }  # fmt: skip


def _parts(file: VisitFile) -> dict[tuple[float, float], Part]:
    """The answers of repetitions whose times have not changed since, by their times."""
    if file.prediction is None:
        return {}
    known = {times_of(row) for row in file.rows}
    found = {(round(p.start_s or 0.0, DECIMALS), round(p.stop_s or 0.0, DECIMALS)): p for p in file.prediction.parts}
    return {times: part for times, part in found.items() if times in known}


def _repetitions(
    visit: Visit, file: VisitFile, parts: dict[tuple[float, float], Part], words: Words
) -> list[dict[str, Any]]:
    found = []
    for number, row in enumerate(file.rows, start=1):
        part = parts.get(times_of(row))
        found.append(
            {
                "number": number,
                "start_s": row.start_s,
                "stop_s": row.stop_s,
                "label": row.movement,
                "label_by": row.extra.get(LABELLED_BY) or ("file" if row.movement else ""),
                "measures": _measures(file, number - 1),
                "answers": [] if part is None else answers_view(part.answers, visit.gender, words),
                "unlike": [] if part is None or not part.unlike else [_unlike(part.unlike, words)],
                "why": _why(file, number, visit.gender, words),
            }
        )
    whole = file.prediction
    if not file.rows and file.is_answered and whole is not None:  # a matrix, or a recording without repetitions
        times = (0.0, file.recorded.duration_s) if file.recorded is not None else (0.0, 0.0)
        found.append({
            "number": 1, "start_s": times[0], "stop_s": times[1], "label": "", "label_by": "",
            "measures": {}, "answers": answers_view(whole.answers, visit.gender, words),
            "unlike": [_unlike(whole.unlike, words)] if whole.unlike else [],
            "why": _why(file, 1, visit.gender, words),
        })  # fmt: skip
    return found


def _unlike(reasons: Any, words: Words) -> str:
    from semg_hht.reports.explanation_text import unlike_text

    return unlike_text(reasons, words)


def _measures(file: VisitFile, index: int) -> dict[str, Any]:
    own = file.measured
    if own is None or index >= len(own.rms):
        return {}
    percent = own.percent_mvc[index] if own.percent_mvc else (math.nan,) * len(own.names)
    return {
        name: {"rms": rounded(rms), "percent_mvc": rounded(share), "mdf_hz": rounded(hz)}
        for name, rms, share, hz in zip(own.names, own.rms[index], percent, own.mdf_hz[index], strict=True)
    }


def rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def shown_tasks(answers: Collection[str], gender: bool) -> list[str]:
    """Action quality first; recorded gender only where the visitor asked for it."""
    return [task for task in ("action_quality", "gender") if task in answers and (gender or task != "gender")]


def answers_view(answers: Mapping[str, Answer], gender: bool, words: Words) -> list[dict[str, Any]]:
    from semg_hht.reports.card import answer_text

    return [
        {
            "task": task,
            "task_name": words.known("tasks", task),
            "text": answer_text(answers[task], words),
            "unsure": answers[task].is_unsure,
            "confidence": answers[task].confidence,
            "bars": [[class_name(name, words), p] for name, p in answers[task].probabilities.items()],
        }
        for task in shown_tasks(answers, gender)
    ]


def class_name(name: str, words: Words) -> str:
    return words.known("classes", name)


def of_other_run(file: VisitFile, run: RunInfo, words: Words) -> str:
    """That the answers of a file come from another run than the one that answers now; empty where they don't."""
    by = file.answered_by
    if by is None or by.fingerprint == run.fingerprint:
        return ""
    return words("app_of_other_run", name=by.name or words(f"app_name_{by.kind}"), fingerprint=by.fingerprint[:8])


def remarks_of(file: VisitFile, run: RunInfo, words: Words) -> tuple[str, ...]:
    """What to know about the answers of a file, wherever they go: whose they are, and that a run is for practice."""
    practice = file.answered_by is not None and file.answered_by.is_practice
    return tuple(filter(None, [words("app_practice_means") if practice else "", of_other_run(file, run, words)]))


def _verdict(visit: Visit, file: VisitFile, words: Words) -> dict[str, Any]:
    """What all repetitions of a file together say, the warning of a practice run with it."""
    from semg_hht.reports.card import answer_text

    assert file.prediction is not None and file.answered_by is not None
    answers, parts = file.prediction.answers, file.prediction.parts
    warning = words("app_practice_means") if file.answered_by.is_practice else ""
    unlike = [_unlike(file.prediction.unlike, words)] if file.prediction.unlike else []
    tasks = shown_tasks(answers, visit.gender)
    if not tasks:
        return {"text": words("app_only_gender"), "detail": "", "unlike": unlike, "warning": warning}
    task = tasks[0]
    detail = [words("app_confidence", share=f"{answers[task].confidence:.0%}")]
    text = answer_text(answers[task], words)
    if len(parts) > 1:
        text = words("app_verdict_of", n=len(parts), counts=counts_of(parts, task, words))
        detail.insert(0, words("app_together_is", name=answer_text(answers[task], words)))
    if not any(answer.possible for part in parts for answer in part.answers.values()):
        detail.append(words("card_no_promise"))
    return {"text": text, "detail": words.joined(detail), "unlike": unlike, "warning": warning}


def counts_of(parts: Sequence[Part | LiveRepetition], task: str, words: Words) -> str:
    """How many answered repetitions have which answer: ``8 × full, 2 × unsure``."""
    counts = Counter(
        words("unlike") if part.unlike else words("card_unsure") if part.answers[task].is_unsure else
        class_name(part.answers[task].prediction, words)
        for part in parts
    )  # fmt: skip
    return words.listed(f"{n} × {name}" for name, n in counts.most_common())


def _trends(file: VisitFile, words: Words) -> list[dict[str, Any]]:
    """The trend of each measure over the repetitions, with its 95 % interval at each of them."""
    own = file.measured
    if own is None or not own.drifts:
        return []
    found = []
    for drift, band in zip(own.drifts, own.bands, strict=True):
        line = drift.trend
        slope, low, high = (f"{value:+.1f} %".replace("-", "\N{MINUS SIGN}") for value in line.percent)
        direction = "card_falls" if line.high < 0 else "card_rises" if line.low > 0 else "card_steady"
        points = [[number, *map(rounded, at)] for number, at in enumerate(band, start=1)]
        units = drift.units.replace("uV", "\N{MICRO SIGN}V")
        found.append(
            {
                "channel": drift.channel,
                "feature": drift.feature,
                "unit": units,
                "sentence": words.joined((
                    words("card_trend", feature=words(FEATURES[drift.feature]), start=plain_number(line.start),
                          units=units or "–", slope=slope, low=low, high=high),
                    words(direction),
                )),
                "line": points,
            }
        )  # fmt: skip
    return found


def _why(file: VisitFile, number: int, gender: bool, words: Words) -> list[dict[str, Any]]:
    if number not in file.why or file.prediction is None:
        return []
    from semg_hht.web.why import measures_view, why_view

    explanations = file.why[number]
    if explanations is None:
        return measures_view(file, number, shown_tasks(file.prediction.answers, gender)[:1], words)
    return [why_view(why, words) for why in explanations if gender or why.task != "gender"]


def train_needs(visit: Visit, words: Words) -> str:
    """What is missing to train from the labelled files; empty where nothing is."""
    from semg_hht.web.trained_run import labelled, missing

    problem = missing(labelled(visit))
    return "" if problem is None else sentence(problem, words)


def job_view(job: BackgroundJob, words: Words) -> dict[str, Any]:
    return {
        "kind": job.kind,
        "stage": "" if job.done else sentence(job.stage, words),
        "share": round(job.share, 3),
        "remaining_s": None if job.done or job.remaining_s is None else round(job.remaining_s),
        "done": job.done,
        "error": "" if job.error is None else sentence(job.error, words),
    }


def trend_over_time(visit: Visit) -> list[dict[str, Any]]:
    """The sessions of each person and muscle, in order of their dates, with means over the repetitions."""
    groups: dict[tuple[str, str], list[VisitFile]] = {}
    for file in visit.files.values():
        if file.recorded is not None and file.measured is not None and file.about.person:
            muscle = " ".join(filter(None, [file.about.side, file.about.muscle]))
            groups.setdefault((file.about.person, muscle), []).append(file)
    return [
        {"person": person, "muscle": muscle, "sessions": [_session_of(file) for file in sorted(files, key=_date)]}
        for (person, muscle), files in sorted(groups.items())
    ]


def _date(file: VisitFile) -> tuple[str, int]:
    return file.about.date or "9999", file.number


def _session_of(file: VisitFile) -> dict[str, Any]:
    own, recorded = file.measured, file.recorded
    assert own is not None and recorded is not None
    strongest = min(recorded.strongest, max(0, len(own.names) - 1))

    def mean(table: tuple[tuple[float, ...], ...]) -> float | None:
        values = [row[strongest] for row in table if math.isfinite(row[strongest])]
        return rounded(sum(values) / len(values)) if values else None

    labels = Counter(row.movement for row in file.rows if row.movement)
    share = labels["full"] / sum(labels.values()) if labels.get("full") else None
    return {
        "file": file.number, "name": file.name, "date": file.about.date, "n": len(file.rows),
        "mdf_hz": mean(own.mdf_hz), "rms": mean(own.rms), "percent_mvc": mean(own.percent_mvc),
        "best_label_share": share,
    }  # fmt: skip
