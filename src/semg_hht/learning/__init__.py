"""What is learned from matrices. The only room that may import torch; import its files, not this one."""
