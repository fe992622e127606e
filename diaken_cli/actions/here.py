"""Who calls, on which machine, and when."""

import os
import pwd
from datetime import UTC, datetime


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def account() -> str:
    """Who called: the account behind sudo, where there is one."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name


def node() -> str:
    """The name of this machine."""
    return os.uname().nodename
