"""Numbers to words and pictures; computes nothing."""
