"""What lasts is said once, then once a day, and once when it is over, where no database helps.

Where there is a database, `store.notices` remembers; this is for the config file and the database
itself. The note is a file in the folder of the default database. An account may have several
databases and config files: what is wrong with one of them is neither told nor over for another.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from diaken_cli import bounds, files

TOLD = "told.json"  # tick.py looks for it
AGAIN_AFTER = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(days=3)


@dataclass(frozen=True)
class Lasting:
    """A file that remembers what was told; where it can't be written, everything is told.

    `about` says which of the account's calls it is: those with the same config file and database.
    """

    path: Path
    about: str

    @classmethod
    def beside(cls, database: Path, about: str) -> "Lasting":
        """For the folder of the default database, which is known even where no config is."""
        return cls(database.with_name(TOLD), about)

    def tell(self, message: str, now: datetime) -> bool:
        """Whether an error is to be told now."""
        told = self._read(now)
        own = told.get(self.about, {})
        before = own.get(message)
        if before is not None and now - before < AGAIN_AFTER:
            return False
        self._write(told | {self.about: own | {message: now}})
        return True

    def over(self, now: datetime) -> list[str]:
        """What was told and is over: told once, now."""
        if not self.path.exists():
            return []
        told = self._read(now)
        own = told.pop(self.about, {})
        if not told:
            self.path.unlink(missing_ok=True)
        elif own:
            self._write(told)
        return list(own)

    def _read(self, now: datetime) -> "Told":
        """What was told, but for what is told no more: its call is made no longer."""
        try:
            kept = json.loads(files.read_own(self.path, bounds.OWN_NOTE))
            told = {
                about: {key: datetime.fromtimestamp(at, UTC) for key, at in own.items()}
                for about, own in kept.items()
            }
        except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return {}
        return {
            about: own
            for about, own in told.items()
            if about == self.about or any(now - at < FORGOTTEN_AFTER for at in own.values())
        }

    def _write(self, told: "Told") -> None:
        kept = {
            about: {message: at.timestamp() for message, at in own.items()}
            for about, own in told.items()
        }
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = self.path.with_name(f"{TOLD}.part")
            descriptor = files.open_own(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(descriptor, "w", encoding="utf-8") as written:
                written.write(json.dumps(kept))
            part.replace(self.path)
        except OSError:
            return  # nothing can be remembered here, so the next one tells it again


Told = dict[str, dict[str, datetime]]
"""By what it is about: each message, and when it was told last."""
