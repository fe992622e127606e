"""Fixtures for the tests of services/ansible; named here once, so that a session has one lab."""

from tests.integration.ansible.bench import ansible_lab, bench

__all__ = ["ansible_lab", "bench"]
