"""Findings, their order and their advice."""

from __future__ import annotations

from audit_builders import sound
from semg_hht.audit import (
    ADVICE,
    SEVERITIES,
    Finding,
    audit_examples,
    in_order,
)


def test_every_kind_of_finding_has_advice() -> None:
    assert all(isinstance(text, str) for text in ADVICE.values())
    assert {f.what for f in audit_examples(sound())} <= set(ADVICE)


def test_findings_are_sorted_by_severity_then_kind() -> None:
    findings = [Finding(severity, what, "") for severity in reversed(SEVERITIES) for what in reversed(ADVICE)]
    ordered = in_order(findings)
    assert [f.severity for f in ordered] == [severity for severity in SEVERITIES for _ in ADVICE]
    assert [f.what for f in ordered[: len(ADVICE)]] == list(ADVICE)
