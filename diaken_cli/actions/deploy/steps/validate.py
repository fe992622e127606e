"""Check everything, before anything is changed."""

from dataclasses import asdict

from diaken_cli.actions.deploy import check
from diaken_cli.actions.deploy.world import Deploy
from diaken_cli.actions.journal import Facts, Step
from diaken_cli.errors import InvalidInput
from diaken_cli.requests import DeployRequest


def _validate(d: Deploy) -> Facts:
    vcenter = d.vcenter
    with d.recording.stop.at_once():
        began = vcenter.now()
        placement, mistakes = check.placement_and_mistakes(
            d.request,
            vcenter,
            others=d.other_vcenters(),
            connect=d.connect,
            store=d.store,
            config=d.config,
            warn=d.recording.warn,
            should_stop=d.should_stop,
        )
    d.recording.stop.check()
    if mistakes or placement is None:
        raise InvalidInput(list(mistakes))
    facts: Facts = {"placement": asdict(placement), "vcenter_time": began.isoformat()}
    d.facts["validate"] = facts
    return facts


VALIDATE = Step[Deploy, DeployRequest](
    name="validate",
    says=lambda r: f"check {r.name}, {r.ip} and vCenter {r.vcenter}",
    do=_validate,
)
