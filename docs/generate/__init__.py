"""What docs/reference and docs/man say, taken from the code: `python -m docs.generate`."""
