"""All SQL lives here; what leaves it are frozen records, read-only outside."""

from functools import cached_property
from pathlib import Path

from sqlmodel import select

from diaken_cli.models import Meta
from diaken_cli.store.dead_runs import DeadRuns
from diaken_cli.store.deploys import Deploys
from diaken_cli.store.engines import Database
from diaken_cli.store.history import History
from diaken_cli.store.inventory import Inventory
from diaken_cli.store.notices import Notices
from diaken_cli.store.recorder import Recorder
from diaken_cli.store.runs import Runs
from diaken_cli.store.schedules import Schedules


def beside(database: Path, suffix: str) -> Path:
    """A path beside the database file: `<database>.<suffix>`."""
    return database.with_name(f"{database.name}.{suffix}")


class Store:
    """One open database, by what it knows. Opening creates or migrates the file.

    Raises DatabaseError or AccessError where it can't be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path)
        self.inventory = Inventory(self.database)
        self.history = History(self.database)
        self.recorder = Recorder(self.database)
        self.runs = Runs(self.database)
        self.dead_runs = DeadRuns(self.database)
        self.deploys = Deploys(self.database)
        self.schedules = Schedules(self.database)
        self.notices = Notices(self.database)

    @cached_property
    def id(self) -> str:
        """The database's own identity, which its VMs and its block in /etc/hosts bear."""
        with self.database.reading() as session:
            return session.exec(select(Meta.value).where(Meta.key == "database_id")).one()

    def beside(self, suffix: str) -> Path:
        """A path beside the database file: `<database>.<suffix>`."""
        return beside(self.path, suffix)
