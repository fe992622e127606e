"""`diaken doctor`: each check looks at one thing, changes nothing, and gives findings as data.

Here is what they find, and how they are run at the same time so that none stops or delays another.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from diaken_cli.errors import DiakenError


class Health(StrEnum):
    """How bad a finding is: a problem keeps something from working, a warning may do so."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Skipped(StrEnum):
    """Why a check was not made, in words."""

    NO_CONFIG = "not checked: the config file can't be used"
    NO_DATABASE = "not checked: the database can't be used"
    NO_DATABASE_YET = "nothing to check yet: there is no database"

    @property
    def health(self) -> Health:
        """How bad it is that the check was skipped; a missing database is fine."""
        return Health.OK if self is Skipped.NO_DATABASE_YET else Health.WARNING


@dataclass(frozen=True)
class Finding:
    """One line of the report: the check and its subject, what was found, and what to do about it.

    `skipped` says why the check was not made, and is None where it was.
    """

    check: str
    subject: str
    status: Health
    text: str
    hint: str | None = None
    skipped: Skipped | None = None


@dataclass(frozen=True)
class Check:
    """A check by its name in the report, and the file, host or other subject it looks at."""

    name: str
    subject: str

    def ok(self, text: str) -> Finding:
        """A finding that all is well."""
        return Finding(self.name, self.subject, Health.OK, text)

    def warning(self, text: str, hint: str | None = None) -> Finding:
        """A finding that may not matter."""
        return Finding(self.name, self.subject, Health.WARNING, text, hint)

    def problem(self, text: str, hint: str | None = None) -> Finding:
        """A finding that something does not work."""
        return Finding(self.name, self.subject, Health.PROBLEM, text, hint)

    def skipped(self, reason: Skipped) -> Finding:
        """A finding that the check was skipped."""
        return Finding(self.name, self.subject, reason.health, reason.value, skipped=reason)


Look = Callable[[], Iterable[Finding]]
"""The function of a check; it may raise any exception, or never end."""


def run_checks(looks: Sequence[tuple[Check, Look]], seconds: float) -> list[Finding]:
    """The findings of all checks, in their order; they run at the same time, for `seconds`.

    A check that does not end is a problem itself (a network file system whose server is gone
    blocks whoever reads it), and so is one that raises.
    """
    by_number: dict[int, list[Finding]] = {}

    def run(number: int, check: Check, look: Look) -> None:
        try:
            by_number[number] = list(look())
        except DiakenError as error:
            by_number[number] = [check.problem(error.message, error.hint)]
        except Exception as fault:  # noqa: BLE001  # one check never hides the others
            text = f"the check failed: {type(fault).__name__}: {fault}"
            by_number[number] = [check.problem(text)]

    # Daemons, for a thread that hangs must not keep the process.
    threads = [
        threading.Thread(target=run, args=(number, check, look), daemon=True)
        for number, (check, look) in enumerate(looks)
    ]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"did not finish within {seconds:.0f} s"
    return [
        finding
        for number, (check, _) in enumerate(looks)
        for finding in by_number.get(number, [check.problem(late)])
    ]
