"""What a check found, and how a check is carried out so that nothing it meets stops the others."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from diaken_cli.errors import DiakenError

NOT_CHECKED = "not checked: "
NOTHING_YET = "nothing to look at yet: there is no database"


class Health(StrEnum):
    """How bad it is: a problem keeps something from working, a warning may."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the report: `subject` is what was looked at, `mend` what puts it right."""

    check: str
    subject: str
    status: Health
    finding: str
    mend: str | None = None


@dataclass(frozen=True)
class About:
    """The check and the subject that findings are about."""

    check: str
    subject: str

    def ok(self, finding: str) -> Finding:
        """It is as it should be."""
        return Finding(self.check, self.subject, Health.OK, finding)

    def warning(self, finding: str, mend: str | None = None) -> Finding:
        """It works, or may not matter."""
        return Finding(self.check, self.subject, Health.WARNING, finding, mend)

    def problem(self, finding: str, mend: str | None = None) -> Finding:
        """Something does not work."""
        return Finding(self.check, self.subject, Health.PROBLEM, finding, mend)

    def error(self, error: DiakenError) -> Finding:
        """What a command would end with."""
        return self.problem(error.message, error.hint)


@dataclass(frozen=True)
class Check:
    """Something to look at; `look` may fail or hang."""

    about: About
    look: Callable[[], Iterable[Finding]]


def carry_out(checks: Sequence[Check], seconds: float) -> list[Finding]:
    """The findings of all checks, in their order; they look at the same time, for `seconds`.

    A check that does not end is a problem itself (a network file system whose server is gone
    holds whoever looks at it), and so is one that fails unexpectedly.
    """
    found: dict[int, list[Finding]] = {}

    def look(number: int, check: Check) -> None:
        try:
            found[number] = list(check.look())
        except DiakenError as error:
            found[number] = [check.about.error(error)]
        except Exception as fault:  # noqa: BLE001  # one check never hides the others
            said = f"could not be looked at: {type(fault).__name__}: {fault}"
            found[number] = [check.about.problem(said)]

    # Daemons, for a thread that hangs must not keep the process.
    threads = [threading.Thread(target=look, args=each, daemon=True) for each in enumerate(checks)]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"did not end within {seconds:.0f} s"
    return [
        finding
        for number, check in enumerate(checks)
        for finding in found.get(number, [check.about.problem(late)])
    ]
