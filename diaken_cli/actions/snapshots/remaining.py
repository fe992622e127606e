"""What stays behind of a host that leaves the inventory: its VM, and automatic snapshots."""

from diaken_cli import retention
from diaken_cli.actions.snapshots.survey import Connect, surveyed
from diaken_cli.store.records import HostRecord


def remaining(host: HostRecord, connect: Connect) -> tuple[str, ...]:
    """What a person should know of a host's VM and its snapshots, a sentence each.

    A vCenter that can't be asked is one of these sentences: it is no reason to keep a host.
    """
    said = []
    with surveyed([host], connect) as answers:
        for answer in answers:
            if answer.error is not None:
                said.append(f"whether snapshots stay behind is unknown: {answer.error.message}")
            said += [
                f"whether snapshots stay behind is unknown: {each.reason}"
                for each in answer.unknown
            ]
            for machine in answer.machines:
                if machine.vm.addresses and host.ip not in machine.vm.addresses:
                    reported = ", ".join(machine.vm.addresses)
                    said.append(f"VM {machine.vm.name} reports {reported}, not {host.ip}")
                names = [s.name for s in machine.tree.snapshots if retention.is_automatic(s.name)]
                if names:
                    listed = ", ".join(repr(name) for name in names)
                    said.append(f"snapshots of VM {machine.vm.name} stay behind: {listed}")
    return tuple(said)
