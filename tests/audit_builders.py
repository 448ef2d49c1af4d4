"""Examples and findings for the tests of the audit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.signal import butter, sosfilt

from semg_hht.audit import AuditedExample
from semg_hht.audit.recording_description import describe
from semg_hht.audit.recordings_compared import AuditedRecording
from semg_hht.matrices.matrix import SIZE
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording


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


def emg(seed: int, n_channels: int = 3, seconds: float = 4.0, rate_hz: float = 1000.0) -> Recording:
    """Noise in the band of EMG, with a burst, of unlike loud and correlated channels, in steps of 0.01 mV."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    sos = butter(2, (20, min(350, 0.45 * rate_hz)), "bandpass", fs=rate_hz, output="sos")
    sources = sosfilt(sos, rng.normal(size=(n_channels, n)), axis=1)
    mixed = sources + 0.6 * np.roll(sources, 1, axis=0)
    mixed *= np.geomspace(1, 0.2, n_channels)[:, None] * (0.3 + np.abs(np.sin(np.arange(n) * 2 / rate_hz)))
    names = tuple(f"ch{i + 1}" for i in range(n_channels))
    return Recording(np.round(mixed, 2), rate_hz, names, "mV")


def audited(recording: Recording, file: str, **labels: Any) -> AuditedRecording:
    return AuditedRecording((ManifestRow(file, **labels),), describe(recording))


def session_of_people(n_people: int = 3, n_each: int = 4) -> list[AuditedRecording]:
    """Recordings of people in two sessions of one label: nothing to object to."""
    return [
        audited(emg(10 * who + i), f"p{who}_{i}.csv", subject=f"P{who}", session=f"E{i % 2}", movement="full")
        for who in range(n_people)
        for i in range(n_each)
    ]
