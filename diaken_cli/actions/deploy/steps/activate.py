"""Put the host into use; from then on the deploy is a success."""

from diaken_cli.actions.deploy.steps.own import own_host, write_hosts_file
from diaken_cli.actions.deploy.steps.waiting import finish
from diaken_cli.actions.deploy.world import Deploy
from diaken_cli.actions.journal import Facts, Step
from diaken_cli.errors import DiakenError
from diaken_cli.services.vsphere import power
from diaken_cli.words import DeployRequest


def _activate(d: Deploy) -> Facts:
    d.recording.activate(own_host(d).id, "activate")
    try:  # from here on the run is a success, and nothing of it may be undone
        finish(d, power.remove_identity(d.vcenter, d.known("clone")["vm"]), "reconfiguring")
        d.note("activate", unmarked=True)
    except DiakenError as error:
        d.recording.warn(
            f"the VM still bears the identity of this run: {error.message};"
            f" take it off with: diaken deploy resume {d.recording.id}"
        )
    write_hosts_file(d)
    return {}


ACTIVATE = Step[Deploy, DeployRequest](
    name="activate",
    says=lambda r: f"put {r.name} into use",
    do=_activate,
)
