"""What is wrong with a data folder before anyone trains on it: rows, matrices and a split in, Findings out.

Knows labels and arrays: nothing of files, folders or networks. ``examine.py`` reads what is judged here.
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
