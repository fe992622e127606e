"""Wait for SSH, then run the playbooks."""

from diaken_cli.actions import playbook
from diaken_cli.actions.deploy.deploy import Deploy, playbook_variables
from diaken_cli.actions.deploy.steps.own import own_host
from diaken_cli.errors import DiakenError, OperationFailed, TimedOut
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.journal import Facts, Step
from diaken_cli.services.ansible import remote
from diaken_cli.services.ansible.work import Outcome
from diaken_cli.store.records import HostRecord
from diaken_cli.types import RunOptions

SHIPPED = "provision_vm"


def playbooks(request: DeployRequest) -> list[str]:
    """The playbooks of the provisioning, in their order."""
    return [*([SHIPPED] if request.provision else []), *request.playbooks]


def _describe_provision(request: DeployRequest) -> str:
    names = playbooks(request)
    return f"run {', '.join(names)}" if names else "nothing to run"


def _provision(deploy: Deploy) -> Facts | None:
    names = playbooks(deploy.request)
    if not names:
        return None
    host = own_host(deploy)
    deploy.run.set_host_id(host)
    failure = remote.wait_for_ssh(
        playbook.target(host, deploy.context.config.ssh),
        playbook.ssh_settings(deploy.context.store, deploy.context.config.ssh),
        timeout=deploy.request.ssh_timeout,
        should_stop=deploy.should_stop,
    )
    deploy.run.stop.check()
    if failure is not None:
        raise _not_reached(deploy.request, host, failure)
    for name in names:
        outcome = playbook.run_playbook(
            name,
            [host],
            RunOptions(vault_ids=deploy.request.vault_ids),
            context=deploy.context,
            run=deploy.run,
            variables=playbook_variables(deploy.request),
            vaults_by_label=True,
        )
        _refuse_failure(name, outcome)
    return {"playbooks": names}


def _not_reached(
    request: DeployRequest, host: HostRecord, failure: remote.NotReached
) -> DiakenError:
    if failure.host_refused:
        return OperationFailed(
            f"{host.name} ({host.ip}) refuses the log-in by SSH: {failure.message}",
            code="no_ssh",
            hint="Does the template have the public key of --key, for --user?"
            " Look at the VM with --keep-on-failure.",
        )
    return TimedOut(
        f"SSH to {host.name} ({host.ip}) did not answer within {request.ssh_timeout} s:"
        f" {failure.message}",
        code="no_ssh",
        hint="Wait longer with --ssh-timeout, look at the VM with --keep-on-failure.",
    )


def _refuse_failure(name: str, outcome: Outcome) -> None:
    if outcome.return_code == 0:
        return
    result = outcome.results[0]
    why = f"{result.failed_task}: {result.message}" if result.failed_task else result.message
    raise OperationFailed(
        f"{name} failed on {result.host}: {why or outcome.reason}",
        code="provision_failed",
        headline=f"{name} failed on {result.host}: {result.failed_task or why or outcome.reason}",
    )


PROVISION = Step[Deploy, DeployRequest](
    name="provision",
    describe=_describe_provision,
    do=_provision,
)
