"""Many results at once: what share was resorbed, how well two readings agree, what a claim says."""
