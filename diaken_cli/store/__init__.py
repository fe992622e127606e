"""All SQL lives here; rows leave detached and are read-only outside."""
