"""What is learned from matrices. The only room that may import torch; import its files, not this one."""

# Before torch: skops looks for each function of scipy.special in all modules, in the order in which they were loaded.
# Behind the modules of torch that takes more than a second.
import scipy.special  # noqa: F401
