"""Find errors in data before training: duplicates, label errors, leaks between the parts of a split.

`check.py` reads the files; the other modules work on labels and arrays.
"""

from semg_hht.audit.examples import AuditedExample, audit_examples
from semg_hht.audit.finding import ADVICE, SEVERITIES, Finding, in_order
from semg_hht.audit.labels import Sides, split_findings, subject_names

__all__ = [
    "ADVICE",
    "SEVERITIES",
    "Finding",
    "AuditedExample",
    "Sides",
    "audit_examples",
    "in_order",
    "split_findings",
    "subject_names",
]
