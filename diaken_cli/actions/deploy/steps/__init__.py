"""The seven steps of a deploy, in their order: each file has how they are found, done, undone."""

from diaken_cli.actions.deploy.steps.activate import ACTIVATE
from diaken_cli.actions.deploy.steps.clone import CLONE
from diaken_cli.actions.deploy.steps.power import POWER_ON, WAIT_ADDRESS
from diaken_cli.actions.deploy.steps.provision import PROVISION
from diaken_cli.actions.deploy.steps.register import REGISTER
from diaken_cli.actions.deploy.steps.validate import VALIDATE

__all__ = ["ACTIVATE", "STEPS"]

STEPS = (VALIDATE, REGISTER, CLONE, POWER_ON, WAIT_ADDRESS, PROVISION, ACTIVATE)
