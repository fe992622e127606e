"""Which snapshot of which host is meant: by its name where that is unique, or by its id."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from diaken_cli.actions.snapshots.owners import key_of, owners
from diaken_cli.actions.snapshots.survey import Machine, Surveyed
from diaken_cli.errors import Conflict, InvalidInput, Mistake, NotFound
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store.records import HostRecord
from diaken_cli.words import Snapshot


@dataclass(frozen=True)
class Chosen:
    """A snapshot of one host, with the session that reaches it and that vCenter's clock."""

    machine: Machine
    snapshot: Snapshot
    session: Session
    clock: datetime

    @property
    def host(self) -> HostRecord:
        """The host that it belongs to."""
        return self.machine.host

    @property
    def newer(self) -> list[Snapshot]:
        """Snapshots of the same VM that were taken later."""
        return [
            each
            for each in self.machine.tree.snapshots
            if each.created_at > self.snapshot.created_at
        ]


@dataclass(frozen=True)
class Choice:
    """What was found, and why on the other hosts it was not."""

    chosen: tuple[Chosen, ...]
    missing: dict[str, str]


def choose(answers: Sequence[Surveyed], hosts: Sequence[HostRecord], wanted: str) -> Choice:
    """The snapshot on each host that has it.

    Raises NotFound where no host has it, InvalidInput where the name is not unique on one.
    """
    missing = {host.name: "the host has no vCenter" for host in hosts if host.vcenter is None}
    chosen: list[Chosen] = []
    ambiguous: list[str] = []
    for answer in answers:
        if answer.session is None or answer.clock is None:
            error = answer.error.message if answer.error else "no answer"
            of_it = [host.name for host in hosts if host.vcenter == answer.vcenter]
            missing |= dict.fromkeys(of_it, f"vCenter {answer.vcenter}: {error}")
            continue
        missing |= {each.host.name: each.reason or "VM not found" for each in answer.unknown}
        for machine in answer.machines:
            found = _matching(machine.tree.snapshots, wanted)
            if not found:
                missing[machine.host.name] = f"it has no snapshot {wanted!r}"
            elif len(found) > 1:
                ids = ", ".join(each.id for each in found)
                ambiguous.append(f"{machine.host.name} has {len(found)} of that name: {ids}")
            else:
                chosen.append(Chosen(machine, found[0], answer.session, answer.clock))
    if ambiguous:
        said = f"{'; '.join(ambiguous)}. Name one by its id"
        raise InvalidInput([Mistake("SNAPSHOT", wanted, said)])
    if not chosen:
        raise _nothing(answers, wanted, missing)
    return Choice(tuple(chosen), missing)


def refuse_shared(
    chosen: Iterable[Chosen], answers: Sequence[Surveyed], inventory: Iterable[HostRecord]
) -> None:
    """Raise Conflict where another host, even an inactive one, is said to have the same VM.

    `inventory` are all hosts: whoever works on a VM holds the lock of its one host.
    """
    names = owners(answers, inventory)
    answer_of = {answer.vcenter: answer for answer in answers}
    for each in chosen:
        of_it = names.get(key_of(answer_of[each.host.vcenter or ""], each.machine.vm), ())
        if len(of_it) > 1:
            raise Conflict(
                f"hosts {' and '.join(of_it)} have one and the same VM",
                code="shared_vm",
                hint="Correct it with: diaken hosts set … --vm-uuid … or --ip …",
            )


def _matching(snapshots: Sequence[Snapshot], wanted: str) -> list[Snapshot]:
    by_id = [each for each in snapshots if each.id == wanted]
    return by_id or [each for each in snapshots if each.name == wanted]


def _nothing(answers: Sequence[Surveyed], wanted: str, missing: dict[str, str]) -> Exception:
    errors = [answer.error for answer in answers if answer.error is not None]
    if errors and len(errors) == len(answers):
        return errors[0]
    why = "; ".join(f"{host}: {reason}" for host, reason in list(missing.items())[:5])
    return NotFound(f"no snapshot {wanted!r}: {why}", hint="See: diaken snapshots list")
