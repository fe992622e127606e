"""What can go wrong in a deploy, step by step, and what has to become of it."""

from tests.e2e.faults.activate import ACTIVATE
from tests.e2e.faults.clone import CLONE
from tests.e2e.faults.disk import ENLARGE
from tests.e2e.faults.fault import Fault
from tests.e2e.faults.power_on import POWER_ON
from tests.e2e.faults.provision import PROVISION
from tests.e2e.faults.register import REGISTER
from tests.e2e.faults.undo import UNDO
from tests.e2e.faults.validate import VALIDATE
from tests.e2e.faults.wait_address import WAIT_ADDRESS

STEPS: dict[str, tuple[Fault, ...]] = {
    "validate": VALIDATE,
    "register": REGISTER,
    "clone": (*CLONE, *ENLARGE),
    "power_on": POWER_ON,
    "wait_address": WAIT_ADDRESS,
    "provision": PROVISION,
    "activate": ACTIVATE,
    "undoing": UNDO,
}
"""The faults by the step that they happen in."""
