"""Accuracy, speed and scale; each module prints a table and writes JSON."""
