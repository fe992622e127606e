"""Fixtures for all tests."""

from tests.lab_fixture import lab

__all__ = ["lab"]
