"""What the snapshots before a group run add to it, beside taking them one after another."""

from bench import vcenter
from bench.figures import Figure, ratios, seconds
from bench.group import running
from bench.place import PLAIN, Asked, addresses, call_first
from bench.processes import in_turn
from tests.lab_fixture import Lab

VMS = 30
LASTING = 1000  # milliseconds that vCenter takes for one
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: nothing}
"""


def measure(asked: Asked) -> list[Figure]:
    """The wall time of a run with snapshots, less that of the same without; whole processes."""
    hosts = addresses(asked.of(VMS, 4))
    lab = Lab.start(f"bench-snap-{asked.folder.name}", "--no-hosts", "--vms", str(len(hosts)))
    try:
        place = running(asked, "snapshots", lab, hosts, PLAYBOOK)
        lab.sim("taskdelay", method="CreateSnapshot_Task", ms=LASTING)
        script = str(PLAIN / "snapshots.py")
        plain = (script, *vcenter.arguments(lab), "plain", *hosts.values())
        run = ("run", "group", "web", "work", "--quiet")
        calls = (
            lambda: place.diaken(*run, "--snapshot").wall,
            lambda: place.diaken(*run, "--no-snapshot").wall,
            lambda: place.python(*plain).wall,
        )
        call_first(calls[1], times=1)
        measured = in_turn(asked.of(3, 1), *calls)
    finally:
        lab.stop()
    ours = [with_them - without for with_them, without, _ in measured]
    theirs = [each[2] for each in measured]
    return [Figure("snapshots", ratios(ours, theirs), seconds(ours), seconds(theirs))]
