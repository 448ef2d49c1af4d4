"""Open a run; recordings or matrices in, predictions out."""
