"""Check everything, before anything is changed."""

from dataclasses import asdict

from diaken_cli.actions.deploy import check
from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.errors import InvalidInput
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.journal import Facts, Step


def _validate(deploy: Deploy) -> Facts:
    vcenter = deploy.vcenter
    with deploy.run.stop.interruptible():
        began = vcenter.now()
        placement, mistakes = check.placement_and_mistakes(
            deploy.request,
            vcenter,
            others=deploy.other_vcenters(),
            connect=deploy.context.connect,
            store=deploy.context.store,
            config=deploy.context.config,
            warn=deploy.run.warn,
            should_stop=deploy.should_stop,
        )
    deploy.run.stop.check()
    if mistakes or placement is None:
        raise InvalidInput(list(mistakes))
    facts: Facts = {"placement": asdict(placement), "vcenter_time": began.isoformat()}
    deploy.facts["validate"] = facts
    return facts


VALIDATE = Step[Deploy, DeployRequest](
    name="validate",
    describe=lambda r: f"check {r.name}, {r.ip} and vCenter {r.vcenter}",
    do=_validate,
)
