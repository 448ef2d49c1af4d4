"""Readers, one file per format or device family: they decode a file into a DecodedRecording and check nothing else."""
