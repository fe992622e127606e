"""`run host` in an environment of a thousand hosts, beside one in which the host is alone."""

from bench.figures import Figure, seconds
from bench.group import running
from bench.place import Asked, add_hosts, addresses, call_first
from bench.processes import in_turn
from tests.lab_fixture import Lab

OTHERS = 999
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.raw: "true"
"""


def measure(asked: Asked) -> list[Figure]:
    """The CPU of whole processes, in seconds more, of each pair."""
    lab = Lab.start(f"bench-others-{asked.folder.name}", "--vms", "1")
    try:
        alone, among = (
            running(asked, name, lab, addresses(1), PLAYBOOK) for name in ("alone", "among")
        )
        others = {f"other{n:04}": ip for n, ip in enumerate(_elsewhere(asked.of(OTHERS, 20)))}
        add_hosts(among.store, others, group="others")
        words = ("run", "host", "web01", "work", "--quiet")
        calls = (lambda: among.diaken(*words).cpu, lambda: alone.diaken(*words).cpu)
        call_first(*calls, times=1)
        many, few = zip(*in_turn(asked.of(15, 2), *calls), strict=True)
    finally:
        lab.stop()
    more = tuple(a - b for a, b in zip(many, few, strict=True))
    return [Figure("others", more, seconds(many), seconds(few))]


def _elsewhere(count: int) -> list[str]:
    return [f"10.90.{number // 250}.{number % 250 + 1}" for number in range(count)]
