"""A file becomes a Recording: samples, rate, channels, units, and what a person should know of it."""
