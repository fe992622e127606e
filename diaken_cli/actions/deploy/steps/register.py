"""Reserve the name and the address: a host that is not active yet, and its line."""

from pathlib import Path

from diaken_cli.actions.deploy.steps.own import write_hosts_file
from diaken_cli.actions.deploy.world import Deploy
from diaken_cli.actions.here import now
from diaken_cli.actions.inventory import write_block
from diaken_cli.actions.journal import Facts, Step
from diaken_cli.errors import AccessError, Conflict, OperationFailed
from diaken_cli.requests import DeployRequest
from diaken_cli.services import hosts_file
from diaken_cli.store.records import HostValues


def _find_host(d: Deploy) -> Facts | None:
    host_id = d.store.claims.registered(d.recording.id)
    return None if host_id is None else _registered(d, host_id)


def _register(d: Deploy) -> Facts:
    request = d.request
    inventory = d.store.inventory
    environment = inventory.environment(request.environment)
    groups = inventory.groups(name=request.group, environment=request.environment)
    vcenter = inventory.vcenter(request.vcenter)
    if environment is None:
        raise _removed(f"environment {request.environment}")
    if request.group and not groups:
        raise _removed(f"group {request.group} of environment {request.environment}")
    if vcenter is None:
        raise _removed(f"vCenter {request.vcenter}")
    values = HostValues(
        ip=request.ip,
        environment_id=environment.id,
        group_ids=(groups[0].id,) if request.group else (),
        vcenter_id=vcenter.id,
        active=False,
        user=request.user,
        port=request.port,
        key=request.key,
        python=request.python,
    )
    host_id = d.store.claims.register(d.recording.id, request.name, values, now())
    return _registered(d, host_id)


def _removed(what: str) -> OperationFailed:
    return OperationFailed(
        f"{what} was removed from the inventory meanwhile",
        code="gone",
        hint="Add it again, or name another one, and repeat the deploy.",
    )


def _registered(d: Deploy, host_id: int) -> Facts:
    write_hosts_file(d)
    facts = {"host_id": host_id}
    d.facts["register"] = facts
    return facts


def _unregister(d: Deploy) -> None:
    _take_line_off(d)  # first: what has a line keeps its name and address reserved
    d.store.claims.unregister(d.recording.id)
    write_hosts_file(d)  # for another process may have written it anew in between


def _take_line_off(d: Deploy) -> None:
    """Raises OperationFailed where the hosts file keeps the host's line, or may keep it."""
    path = d.hosts_file
    if path is None:
        return
    try:
        write_block(d.store, path, given_up_by=d.recording.id)
    except (AccessError, Conflict) as refused:
        why = _why_it_may_stay(d, path, refused)
        if why is None:
            return  # nothing of it is there; that the file can't be written is told afterwards
        again = f"Then: diaken deploy abort {d.recording.id}"
        hint = f"{refused.hint} {again}" if refused.hint else again
        raise OperationFailed(why, code=refused.code, hint=hint) from refused


def _why_it_may_stay(d: Deploy, path: Path, refused: AccessError | Conflict) -> str | None:
    """Why the line stays in a hosts file that can't be written; None where it is not in there."""
    name = d.request.name
    try:
        there = hosts_file.carries(path, hosts_file.Entry(d.request.ip, name), d.store.id)
    except AccessError as unreadable:
        return f"whether the line of {name} is still in {path} is not known: {unreadable.message}"
    return f"the line of {name} is still in {path}: {refused.message}" if there else None


REGISTER = Step[Deploy, DeployRequest](
    name="register",
    says=lambda r: (
        f"add host {r.name} ({r.ip}) to {r.environment}" + (f", group {r.group}" if r.group else "")
    ),
    find=_find_host,
    do=_register,
    undo=_unregister,
)
