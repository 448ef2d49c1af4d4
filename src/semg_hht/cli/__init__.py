"""The command line."""

import os

# NumPy's products of small matrices: two threads wait for each other for longer than they compute, on a busy machine
# for fifty times as long. NumPy reads this when it is imported, which no module does before this line.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# torch's threads wait for each other in a loop at full speed. Beside other programs the loop takes the processor from
# the thread that it waits for: a small training took eleven times the processor time. With this, they sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
