"""The memory of a group run with much to say, beside that of the same ansible-playbook."""

from bench.ansible import Plain
from bench.figures import Figure, ratios, spread
from bench.group import running
from bench.place import Asked, addresses, call_first
from bench.processes import in_turn, peak_memory
from tests.lab_fixture import Lab

HOSTS = 50
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.raw: "true"
"""
TASK = """\
    - name: Say {number}
      ansible.builtin.debug: {{msg: "{{{{ inventory_hostname }}}} has come to {{{{ item }}}}"}}
      loop: "{{{{ range(20) | list }}}}"
"""
TASKS = 9  # of each host: 20 items, its start and its end; 9,900 events, and those of `raw`


def measure(asked: Asked) -> list[Figure]:
    """The largest sum of what all processes have at a moment, what they share counted once."""
    hosts = addresses(asked.of(HOSTS, 4))
    lab = Lab.start(f"bench-mem-{asked.folder.name}", "--vms", str(len(hosts)))
    try:
        playbook = PLAYBOOK + "".join(TASK.format(number=number) for number in range(TASKS))
        place = running(asked, "memory", lab, hosts, playbook)
        argv = place.argv(place.installed.diaken, "run", "group", "web", "work", "--quiet")
        plain = Plain(place, lab, hosts)
        call_first(lambda: place.diaken("--version"), times=1)
        ours, theirs = zip(
            *in_turn(
                asked.of(1, 1),
                lambda: peak_memory(argv, place.environment, cwd=place.folder),
                lambda: plain.peak_memory(place.folder / "playbooks/work.yml"),
            ),
            strict=True,
        )
    finally:
        lab.stop()
    mine, others = (f"{spread(each).median:.0f} MiB" for each in (ours, theirs))
    return [Figure("memory", ratios(ours, theirs), mine, others)]
