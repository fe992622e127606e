"""The state that the steps of one deploy share."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diaken_cli.context import Context
from diaken_cli.errors import SecretError, VSphereError
from diaken_cli.events import Event, Warned
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.steps import Facts
from diaken_cli.services.vsphere.session import Session
from diaken_cli.types import DeployStep, Identity


@dataclass
class Deploy:
    """One deploy, while a process carries it out, takes it up or undoes it.

    The session of its vCenter is made when a step needs it first. `positions` are those of the
    steps by name, `facts` what is known of them. `clone_unanswered`: this process has asked for
    the clone, and vCenter may still answer.
    """

    request: DeployRequest
    run: ActiveRun
    context: Context
    positions: Mapping[str, int]
    facts: dict[str, Facts] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)
    _session: Session | None = None
    undoing: bool = False
    clone_unanswered: bool = False
    _warned: set[str] = field(default_factory=set)

    @property
    def vcenter(self) -> Session:
        """The session of the vCenter that the VM is made in."""
        if self._session is None:
            name = self.request.vcenter
            try:
                with self.run.stop.interruptible(self.should_stop):
                    self._session = self._open.enter_context(self.context.connect(name))
            except (VSphereError, SecretError) as error:
                raise error.within(f"vCenter {name}") from error
        return self._session

    @property
    def identity(self) -> Identity:
        """What marks the VM as this run's."""
        return Identity(database=self.context.store.id, run=self.run.uid)

    def should_stop(self) -> bool:
        """Whether a wait has to end: undoing goes on until it is forced to stop."""
        stop = self.run.stop
        return stop.forced() if self.undoing else stop.requested()

    def known(self, step: DeployStep) -> dict[str, Any]:
        """What is known from a step, in this process or from an earlier one."""
        return self.facts.get(step, {})

    def note(self, step: DeployStep, **facts: Any) -> None:
        """Keep a fact as soon as it is known."""
        self.facts.setdefault(step, {}).update(facts)
        self.run.note(self.positions[step], facts)

    def emit_once(self, event: Event) -> None:
        """Show what happens; a warning that several steps may come to, the first time."""
        if isinstance(event, Warned):
            if event.message in self._warned:
                return
            self._warned.add(event.message)
        self.run.emit(event)

    def close(self) -> None:
        """Log out."""
        self._open.close()
        self._session = None

    @property
    def hosts_file(self) -> Path | None:
        """Where the names of hosts are kept, or None where that is turned off."""
        return self.context.config.hosts_file.path_if_enabled


def playbook_variables(request: DeployRequest) -> dict[str, Any]:
    """What each playbook of a deploy gets as extra variables, beside the settings."""
    return {
        "target_hostname": request.name,
        "target_ip": request.ip,
        "target_prefix": request.prefix,
        "target_gateway": request.gateway or "",
        "target_dns": list(request.dns),
        "target_domain": request.domain or "",
    }
