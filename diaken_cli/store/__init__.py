"""All SQL lives here; what leaves it are frozen records, read-only outside."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from diaken_cli.store.engines import Database

if TYPE_CHECKING:
    from diaken_cli.store.dead_runs import DeadRuns
    from diaken_cli.store.history import History
    from diaken_cli.store.inventory import Inventory
    from diaken_cli.store.notices import Notices
    from diaken_cli.store.outputs import Outputs
    from diaken_cli.store.runs import Deploys, Runs
    from diaken_cli.store.schedules import Schedules
    from diaken_cli.store.steps import Steps


def beside(database: Path, suffix: str) -> Path:
    """A path beside the database file: `<database>.<suffix>`."""
    return database.with_name(f"{database.name}.{suffix}")


class Store:
    """One open database, by what it knows: each part is loaded with its tables at its first use.

    Opening creates or migrates the file. Raises DatabaseError or AccessError where it can't be
    used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path)

    @cached_property
    def inventory(self) -> "Inventory":
        """Environments, groups, hosts, vCenters and settings."""
        from diaken_cli.store.inventory import Inventory

        return Inventory(self.database)

    @cached_property
    def runs(self) -> "Runs":
        """Runs are begun, paused and ended, with the locks of their hosts."""
        from diaken_cli.store.runs import Runs

        return Runs(self.database)

    @cached_property
    def steps(self) -> "Steps":
        """What the steps of a run did, written while it goes on."""
        from diaken_cli.store.steps import Steps

        return Steps(self.database)

    @cached_property
    def outputs(self) -> "Outputs":
        """What Ansible said."""
        from diaken_cli.store.outputs import Outputs

        return Outputs(self.database)

    @cached_property
    def deploys(self) -> "Deploys":
        """The hosts that deploys make."""
        from diaken_cli.store.runs import Deploys

        return Deploys(self.database)

    @cached_property
    def dead_runs(self) -> "DeadRuns":
        """Runs whose process died."""
        from diaken_cli.store.dead_runs import DeadRuns

        return DeadRuns(self.database)

    @cached_property
    def history(self) -> "History":
        """The record of runs."""
        from diaken_cli.store.history import History

        return History(self.database)

    @cached_property
    def schedules(self) -> "Schedules":
        """Scheduled tasks and their moments."""
        from diaken_cli.store.schedules import Schedules

        return Schedules(self.database)

    @cached_property
    def notices(self) -> "Notices":
        """Which errors were reported."""
        from diaken_cli.store.notices import Notices

        return Notices(self.database)

    @cached_property
    def id(self) -> str:
        """The database's own identity, which its VMs and its block in /etc/hosts bear."""
        from sqlmodel import select

        from diaken_cli.models.meta import Meta

        with self.database.reading() as session:
            return session.exec(select(Meta.value).where(Meta.key == "database_id")).one()

    def beside(self, suffix: str) -> Path:
        """A path beside the database file: `<database>.<suffix>`."""
        return beside(self.path, suffix)
