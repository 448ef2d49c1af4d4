"""Atomic files, processes, progress and memory. It does not know EMG."""
