"""What lasts is said once, then once a day, and once when it is over, where no database helps.

Where there is a database, `store.notices` remembers; this is for the config file and the database
itself. The note is a file in the folder of the default database.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

TOLD = "told.json"  # tick.py looks for it
AGAIN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Lasting:
    """A file that remembers what was told; where it can't be written, everything is told."""

    path: Path

    @classmethod
    def beside(cls, database: Path) -> "Lasting":
        """For the folder of the default database, which is known even where no config is."""
        return cls(database.with_name(TOLD))

    def tell(self, message: str, now: datetime) -> bool:
        """Whether an error is to be told now."""
        told = self._read()
        before = told.get(message)
        if before is not None and now - before < AGAIN_AFTER:
            return False
        self._write(told | {message: now})
        return True

    def over(self) -> list[str]:
        """What was told and is over: told once, now."""
        told = self._read()
        if told:
            self.path.unlink(missing_ok=True)
        return list(told)

    def _read(self) -> dict[str, datetime]:
        try:
            kept = json.loads(self.path.read_text())
            return {str(key): datetime.fromtimestamp(at, UTC) for key, at in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError, OverflowError):
            return {}

    def _write(self, told: dict[str, datetime]) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = self.path.with_name(f"{TOLD}.part")
            part.write_text(json.dumps({key: at.timestamp() for key, at in told.items()}))
            part.chmod(0o600)
            part.replace(self.path)
        except OSError:
            return  # nothing can be remembered here, so the next one tells it again
