"""Scheduled tasks: adding them, and carrying each moment out once."""
