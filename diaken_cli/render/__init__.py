"""What a person or a script sees of events and results."""
