"""What lasts is said once, then once a day, and once when it is over, where no database helps.

Where there is a database, `store.notices` remembers; this is for the config file and the database
itself. The note is a file in the folder of the default database.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

TOLD = "told.json"  # tick.py looks for it
AGAIN_AFTER = 24 * 3600.0  # seconds


@dataclass(frozen=True)
class Lasting:
    """A file that remembers what was told; where it can't be written, everything is told."""

    path: Path
    quiet: bool

    @classmethod
    def beside(cls, database: Path, *, quiet: bool) -> "Lasting":
        """For the default database's folder; not `quiet`, on a terminal, everything is told."""
        return cls(database.with_name(TOLD), quiet)

    def tell(self, key: str, message: str) -> bool:
        """Whether an error is to be told now."""
        told = self._read()
        before = told.get(key)
        if before is not None and time.time() - before[0] < AGAIN_AFTER:
            return not self.quiet
        self._write(told | {key: (time.time(), message)})
        return True

    def over(self) -> list[str]:
        """What was told and is over: told once, now."""
        told = self._read()
        if told:
            self.path.unlink(missing_ok=True)
        return [message for _, message in told.values()]

    def _read(self) -> dict[str, tuple[float, str]]:
        try:
            kept = json.loads(self.path.read_text())
            return {key: (float(at), str(message)) for key, (at, message) in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self, told: dict[str, tuple[float, str]]) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = self.path.with_name(f"{TOLD}.part")
            part.write_text(json.dumps(told))
            part.chmod(0o600)
            part.replace(self.path)
        except OSError:
            return  # nothing can be remembered here, so the next one tells it again
