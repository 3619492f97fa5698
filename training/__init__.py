"""How the weights are made; nothing in mri_resorb imports it."""
