"""Explain the answers of a run: evidence for and against each."""
