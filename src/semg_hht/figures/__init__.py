"""Figures. This is the only package that imports matplotlib."""
