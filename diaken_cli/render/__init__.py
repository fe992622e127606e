"""Output of events and results, for people and for scripts."""
