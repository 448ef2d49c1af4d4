"""The command line."""

import os

# NumPy's products of small matrices: two threads wait for each other for longer than they compute, on a busy machine
# for fifty times as long. NumPy reads this when it is imported, which no module does before this line.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
