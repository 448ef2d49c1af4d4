"""The command line."""

import os

# NumPy's products of small matrices. Two threads wait for each other for longer than they compute, on a busy machine for
# fifty times as long. Read when NumPy is imported, which no module does before this line.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
