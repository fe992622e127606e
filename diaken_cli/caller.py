"""The account that calls, the name of this machine, and the time."""

import os
from datetime import UTC, datetime

from diaken_cli import trust
from diaken_cli.text import escape_control

LONGEST_NAME = 128
"""Characters of an account's name: those of a directory service are long."""


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def account() -> str:
    """Who called: the account behind sudo, where there is one."""
    return printable_name(os.environ.get("SUDO_USER", "")) or trust.account(os.geteuid())


def printable_name(name: str) -> str:
    """The name of an account without control characters and not too long: SUDO_USER is any text."""
    shown = escape_control(name[: LONGEST_NAME + 1], lines=False)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 1]}…"


def node() -> str:
    """The name of this machine."""
    return os.uname().nodename
