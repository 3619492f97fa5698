"""`python -m mri_resorb.cli` is `mri-resorb`."""

from mri_resorb.cli import main

main()
