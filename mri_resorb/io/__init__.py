"""Disk and network files in, `Scan` values out; results out. The only room that touches files."""
