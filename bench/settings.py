"""Ansible's settings, each tried with and without: what the defaults of diaken are decided by."""

from pathlib import Path

from bench.ansible import PIPELINING, Plain
from bench.figures import Figure, ratios, seconds
from bench.group import PLAYBOOK, running
from bench.place import Asked, Place, addresses, call_first
from bench.processes import Spent, in_turn
from tests.lab_fixture import Lab

HOSTS = 10
AT_WORK = 4  # of them: two cores are busy with so many
WAITING = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.raw: sleep 5
"""
FEWER_FACTS = PLAYBOOK.replace("- hosts: all", "- hosts: all\n  gather_subset: [min]")


def measure(asked: Asked) -> list[Figure]:
    """Wall and CPU of ansible-playbook by itself, with a setting and without it, in turn."""
    hosts = addresses(asked.of(HOSTS, 2))
    lab = Lab.start(f"bench-settings-{asked.folder.name}", "--vms", str(len(hosts)))
    try:
        place = running(asked, "settings", lab, hosts, PLAYBOOK)
        plain = Plain(place, lab, hosts)
        few = Plain(place, lab, dict(list(hosts.items())[:AT_WORK]))
        work = place.folder / "playbooks/work.yml"
        waiting = _playbook(place, "waiting", WAITING)
        fewer_facts = _playbook(place, "fewer-facts", FEWER_FACTS)
        piped = few.fork_each | PIPELINING
        call_first(lambda: few.run(work), times=1)
        pairs = {
            "forks": (
                lambda: plain.run(waiting, settings=plain.fork_each),
                lambda: plain.run(waiting),
            ),
            "pipelining": (
                lambda: few.run(work, settings=piped),
                lambda: few.run(work, settings=few.fork_each),
            ),
            "facts": (
                lambda: few.run(fewer_facts, settings=piped),
                lambda: few.run(work, settings=piped),
            ),
        }
        figures = []
        for key, pair in pairs.items():
            given, without = zip(*in_turn(asked.of(2, 1), *pair), strict=True)
            figures += _both(key, given, without)
        return figures
    finally:
        lab.stop()


def _both(key: str, given: tuple[Spent, ...], without: tuple[Spent, ...]) -> list[Figure]:
    found = []
    for of in ("wall", "cpu"):
        one, other = ([getattr(each, of) for each in side] for side in (given, without))
        found.append(Figure(f"{key}-{of}", ratios(one, other), seconds(one), seconds(other)))
    return found


def _playbook(place: Place, name: str, text: str) -> Path:
    path = place.folder / f"playbooks/{name}.yml"
    path.write_text(text)
    return path
