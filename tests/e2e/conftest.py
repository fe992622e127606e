"""Fixtures for the tests of the command; a module that has a lab defines its own `cli`."""

from tests.e2e.databases import seeded
from tests.e2e.places import cli, places

__all__ = ["cli", "places", "seeded"]
