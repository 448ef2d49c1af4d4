"""Examples and findings for the tests of the audit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from semg_hht.audit import AuditedExample
from semg_hht.matrices.matrix import SIZE
from semg_hht.recordings.manifest import ManifestRow


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


def cut(values: np.ndarray, file: str, start: float, stop: float, **labels: Any) -> AuditedExample:
    extra = {"recording": "long.csv", "recording_start_s": f"{start}", "recording_stop_s": f"{stop}"}
    return seen(values, file, extra=extra, **labels)
