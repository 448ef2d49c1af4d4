"""Read a file into a Recording: samples, rate, channels, units, and remarks on its quality."""
