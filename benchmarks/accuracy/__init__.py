"""Pairs of known truth: how far volumes, sizes, types and resorption are from it, and how often.

    python -m benchmarks.accuracy --data SPIDER_FOLDER [--pairs 200] [--cache FOLDER]

Two families that training has not seen: herniations implanted in validation patients (shapes and
texture of `benchmarks.scoring_herniations`), and phantoms (seeds 5000-8999). Everything follows
from the seeds; the scans are kept in the cache, so a second run only measures.
"""
