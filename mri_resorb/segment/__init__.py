"""Image to anatomy: the network, the levels. Touches no files but its own weights."""
