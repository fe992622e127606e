"""Snapshots: taking them before a run, seeing, pruning, reverting and removing them."""
