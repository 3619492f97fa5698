"""Anatomy to numbers: frame, boundary, fragment, sizes, change and their errors."""
