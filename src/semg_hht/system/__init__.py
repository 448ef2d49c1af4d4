"""Whole files, processes, progress and memory; knows nothing of EMG."""
