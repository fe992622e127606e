"""Put the host into use; from then on the deploy is a success."""

from diaken_cli.actions.deploy.steps.own import own_host, write_hosts_file
from diaken_cli.actions.deploy.steps.unmark import unmark
from diaken_cli.actions.deploy.world import Deploy
from diaken_cli.actions.journal import Facts, Step
from diaken_cli.errors import DiakenError
from diaken_cli.requests import DeployRequest


def _activate(d: Deploy) -> Facts:
    d.recording.activate(own_host(d).id, "activate")
    # From here on the run is a success, and nothing of it may be undone.
    unmarked = False
    try:
        unmarked = _unmark(d)
    except DiakenError as error:  # no session, so nothing was tried
        _warn(d, error, "the VM still bears")
    write_hosts_file(d)
    return {"unmarked": True} if unmarked else {}


def _unmark(d: Deploy) -> bool:
    vm, insisted = d.known("clone")["vm"], d.recording.stop.insisted
    left = unmark(d.vcenter, vm, d.identity, d.request, insisted)
    if left is not None:
        _warn(d, left.error, f"the VM {'still' if left.seen else 'perhaps still'} bears")
    return left is None


def _warn(d: Deploy, error: DiakenError, what: str) -> None:
    d.recording.warn(
        f"{what} the identity of this run: {error.message};"
        f" take it off with: diaken deploy resume {d.recording.id}"
    )


ACTIVATE = Step[Deploy, DeployRequest](
    name="activate",
    says=lambda r: f"put {r.name} into use",
    do=_activate,
)
