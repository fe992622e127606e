"""A file that stores which errors were reported, for those that the database can't store.

An error that lasts is reported once, then once a day, and once when it is resolved. Where there is
a database, `store.notices` remembers that; this is for errors of the config file and the database
itself. The file is in the folder of the default database. An account may have several databases
and config files: an error of one of them is neither reported nor resolved for another.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from diaken_cli import bounds, files

FILE_NAME = "told.json"  # tick.py looks for it
REPEAT_AFTER = timedelta(days=1)
FORGET_AFTER = timedelta(days=3)


@dataclass(frozen=True)
class NoticeFile:
    """The file; where it can't be written, an error is reported each time.

    `about` identifies the calls with the same config file and database, of all of the account.
    """

    path: Path
    about: str

    @classmethod
    def beside(cls, database: Path, about: str) -> "NoticeFile":
        """For the folder of the default database, which is known even where no config is."""
        return cls(database.with_name(FILE_NAME), about)

    def should_notify(self, message: str, now: datetime) -> bool:
        """Whether an error is to be reported now; if so, the file says that it was."""
        notices = self._read(now)
        own = notices.get(self.about, {})
        notified_at = own.get(message)
        if notified_at is not None and now - notified_at < REPEAT_AFTER:
            return False
        self._write(notices | {self.about: own | {message: now}})
        return True

    def resolved(self, now: datetime) -> list[str]:
        """The messages that were reported, now that their errors are over; they are forgotten."""
        if not self.path.exists():
            return []
        notices = self._read(now)
        own = notices.pop(self.about, {})
        if not notices:
            self.path.unlink(missing_ok=True)
        elif own:
            self._write(notices)
        return list(own)

    def _read(self, now: datetime) -> "Notices":
        """What the file has, without the old notices of calls that are no longer made."""
        try:
            stored = json.loads(files.read_own(self.path, bounds.OWN_NOTE))
            notices = {
                about: {message: datetime.fromtimestamp(at, UTC) for message, at in own.items()}
                for about, own in stored.items()
            }
        except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return {}
        return {
            about: own
            for about, own in notices.items()
            if about == self.about or any(now - at < FORGET_AFTER for at in own.values())
        }

    def _write(self, notices: "Notices") -> None:
        stored = {
            about: {message: at.timestamp() for message, at in own.items()}
            for about, own in notices.items()
        }
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self.path.with_name(f"{FILE_NAME}.part")
            descriptor = files.open_own(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(stored))
            temporary.replace(self.path)
        except OSError:
            return  # nothing can be remembered here, so the next call reports it again


Notices = dict[str, dict[str, datetime]]
"""By what it is about: each message, and when it was reported last."""
