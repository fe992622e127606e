"""The host that a deploy makes: its name and address reserved, tied to its VM, put into use."""

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import col

from diaken_cli.models import Host, HostLock
from diaken_cli.store import hosts
from diaken_cli.store.engines import Database
from diaken_cli.store.recorder import HostOutcome, set_step, write_hosts
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.store.runs import end_run, lock_hosts
from diaken_cli.types import RunStatus, StepStatus


class Deploys:
    """Adds, ties and takes back the hosts of deploys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, run_id: int, name: str, values: HostValues, now: datetime) -> HostRecord:
        """Add the host that a deploy makes, not active yet, and lock it.

        Raises InvalidInput where the name or the address is in use.
        """
        with self._database.writing(durable=True) as session:
            host = hosts.insert_host(session, name, values, now, deployed_by=run_id)
            lock_hosts(session, run_id, [host.id])
        return host

    def host(self, run_id: int) -> HostRecord | None:
        """The host that a deploy added and still holds, if there is one."""
        with self._database.reading() as session:
            query = hosts.select_hosts().where(col(Host.deployed_by) == run_id)
            return next(iter(hosts.records(session, query)), None)

    def unregister(self, run_id: int) -> None:
        """Take back the host that a deploy added; one that is active by now stays."""
        condition = (col(Host.deployed_by) == run_id, col(Host.active).is_(False))
        with self._database.writing() as session:
            session.execute(delete(HostLock).where(col(HostLock.run_id) == run_id))
            session.execute(delete(Host).where(*condition))

    def note_vm(self, host_id: int, vm_uuid: str) -> None:
        """Tie a host that a deploy holds to its VM, also where that is not its first one."""
        with self._database.writing(durable=True) as session:
            hosts.set_vm(session, host_id, vm_uuid, anew=True)

    def activate(
        self,
        run_id: int,
        lock: str,
        host_id: int,
        position: int,
        now: datetime,
        *,
        outcomes: Iterable[HostOutcome],
        last_look: Callable[[], None],
    ) -> None:
        """Put a deployed host into use and record the run's success, all at once.

        `position` is that of the step that does so. What `last_look` raises leaves all as it was:
        it may have had to wait for other writers.
        """
        with self._database.writing(durable=True) as session:
            last_look()
            write_hosts(session, run_id, outcomes)
            hosts.set_active(session, host_id)
            set_step(session, run_id, position, StepStatus.SUCCESS, now)
            end_run(session, run_id, lock, RunStatus.SUCCESS, None, now)
