"""Which errors were reported: one that lasts is, once, then once a day, and when it is resolved."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlmodel import col

from diaken_cli.models.meta import Notice
from diaken_cli.store.engines import Database

REPEAT_AFTER = timedelta(days=1)


class Notices:
    """Remembers by a key, such as `vcenter:main`, which errors were reported."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def should_notify(self, key: str, now: datetime) -> bool:
        """Whether an error is to be reported now; of two processes that ask, one gets True."""
        noted = self._database.insert_or_update(
            Notice,
            {"key": key, "first_at": now, "told_at": now},
            key=["key"],
            changes={"told_at": now},
            where=col(Notice.told_at) <= now - REPEAT_AFTER,
        )
        with self._database.writing() as session:
            written = session.execute(noted.returning(col(Notice.key)))
            return written.scalar_one_or_none() is not None

    def resolved(self, key: str) -> bool:
        """Whether to report that an error is resolved: once, where it was reported at all."""
        if key not in self.unresolved():  # the usual case, and one that need not wait for a writer
            return False
        gone = delete(Notice).where(col(Notice.key) == key).returning(col(Notice.key))
        with self._database.writing() as session:
            return session.execute(gone).scalar_one_or_none() is not None

    def unresolved(self) -> set[str]:
        """The keys of the errors that were reported and are not resolved."""
        with self._database.reading() as session:
            return set(session.scalars(select(col(Notice.key))))
