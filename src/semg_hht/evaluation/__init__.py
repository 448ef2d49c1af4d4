"""Scores, calibration and comparison of methods, computed from labels and probabilities."""
