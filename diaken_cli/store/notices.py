"""What was told of a lasting error: once, then once a day, and once when it is over."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import col

from diaken_cli.models import Notice
from diaken_cli.store.engine import Database

TOLD_AGAIN_AFTER = timedelta(days=1)


class Notices:
    """Remembers by a key, such as `vcenter:main`, what people were told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tell(self, key: str, now: datetime) -> bool:
        """Whether an error is to be told now; of two processes that ask, one is told yes."""
        first = insert(Notice).values(key=key, first_at=now, told_at=now)
        told = first.on_conflict_do_update(
            index_elements=["key"],
            set_={"told_at": now},
            where=col(Notice.told_at) <= now - TOLD_AGAIN_AFTER,
        ).returning(col(Notice.key))
        with self._database.writing() as session:
            return session.execute(told).scalar_one_or_none() is not None

    def over(self, key: str) -> bool:
        """Whether it is to be told that an error is over: once, where it was told at all."""
        if key not in self.told():  # the usual case, and one that need not wait for a writer
            return False
        gone = delete(Notice).where(col(Notice.key) == key).returning(col(Notice.key))
        with self._database.writing() as session:
            return session.execute(gone).scalar_one_or_none() is not None

    def told(self) -> set[str]:
        """The keys of what was told and is not over."""
        with self._database.reading() as session:
            return set(session.scalars(select(col(Notice.key))))
