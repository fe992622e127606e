"""Fixtures for the integration tests; named here once, so that a session has one lab of each."""

from tests.integration.ansible_fixture import ansible_lab, bench

__all__ = ["ansible_lab", "bench"]
