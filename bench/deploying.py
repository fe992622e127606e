"""`deploy vm` beside the sum of its parts: cloning, booting, and Ansible, each alone."""

from dataclasses import dataclass

from bench import vcenter
from bench.ansible import Plain
from bench.figures import Figure, ratios, seconds
from bench.place import PLAIN, TOP, Asked, Place, call_first
from bench.processes import in_turn
from tests.lab_fixture import Lab

CLONING = 15_000  # milliseconds
BOOTING = "10s"
GATEWAY = "10.77.0.254"


@dataclass
class _Deploys:
    """Deploys of new VMs, each with a name and an address that no other has."""

    place: Place
    lab: Lab
    done: int = 0

    def ours(self) -> float:
        """By the command: the seconds of the whole process."""
        name, address = self._next()
        words = ("--ip", f"{address}/24", "--gateway", GATEWAY, "--template", "debian12")
        key = str(self.lab.ssh_private_key)
        where = ("--environment", "PROD", "--group", "web", "--user", "root", "--key", key)
        return self.place.diaken("deploy", "vm", name, *words, *where, "--quiet").wall

    def theirs(self) -> float:
        """By hand: the seconds of clone, boot and Ansible, without what lies between them."""
        name, address = self._next()
        by_hand = [*vcenter.arguments(self.lab), name, address, GATEWAY, "debian12"]
        printed = self.place.python(PLAIN / "deploy.py", *by_hand).printed
        ansible = Plain(self.place, self.lab, {name: address})
        playbook = TOP / "playbooks/provision_vm.yml"
        variables = (
            f"target_hostname={name} target_ip={address} target_prefix=24 target_gateway={GATEWAY}"
        )
        ran = ansible.run(playbook, "--extra-vars", variables, settings=ansible.best)
        return sum(map(float, printed.split())) + ran.wall

    def _next(self) -> tuple[str, str]:
        self.done += 1
        return f"new{self.done:02}", f"10.77.0.{self.done}"


def measure(asked: Asked) -> list[Figure]:
    """The wall time of whole processes; cloning and booting last as long as the lab is told."""
    booting = ("--tools-delay", "1s" if asked.small else BOOTING)
    lab = Lab.start(f"bench-deploy-{asked.folder.name}", *booting)
    try:
        place = Place(asked, "deploy", lab=lab)
        vcenter.add(place, lab)
        environment = place.store.inventory.add_environment("PROD")
        place.store.inventory.add_group("web", environment, {})
        lab.sim("taskdelay", method="CloneVM_Task", ms=asked.of(CLONING, 1000))
        deploys = _Deploys(place, lab)
        call_first(lambda: place.diaken("deploy", "vm", "--help"), times=1)
        ours, theirs = zip(*in_turn(asked.of(2, 1), deploys.ours, deploys.theirs), strict=True)
    finally:
        lab.stop()
    return [Figure("deploy", ratios(ours, theirs), seconds(ours), seconds(theirs))]
