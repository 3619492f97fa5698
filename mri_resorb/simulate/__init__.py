"""Scans with known truth: a lumbar phantom, and herniations implanted into real volumes."""
