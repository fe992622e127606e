"""The storms of `make storm` where no seed is named: each broke something once."""

SEEDS = (1, 5)
