"""`run group` beside ansible-playbook: as it comes, and with the settings that diaken uses."""

from bench import vcenter
from bench.ansible import Plain
from bench.figures import Figure, ratios, seconds, spread
from bench.place import Asked, Place, add_hosts, addresses, call_first
from bench.processes import in_turn
from tests.lab_fixture import Lab

HOSTS = 30
PLAYBOOK = """\
- hosts: all
  tasks:
    - name: A folder
      ansible.builtin.file: {path: /tmp/bench, state: directory, mode: "0755"}
    - name: A file
      ansible.builtin.copy:
        content: "{{ inventory_hostname }}\\n"
        dest: /tmp/bench/name
        mode: "0644"
    - name: A line
      ansible.builtin.lineinfile: {path: /tmp/bench/name, line: "more", mode: "0644"}
    - name: A look
      ansible.builtin.stat: {path: /tmp/bench/name}
    - name: A command
      ansible.builtin.command: uname -r
      changed_when: false
    - name: Gone
      ansible.builtin.file: {path: /tmp/bench, state: absent}
"""


def measure(asked: Asked) -> list[Figure]:
    """Wall and CPU of whole processes, the three in turn."""
    hosts = addresses(asked.of(HOSTS, 4))
    lab = Lab.start(f"bench-group-{asked.folder.name}", "--vms", str(len(hosts)))
    try:
        place = running(asked, "group", lab, hosts, PLAYBOOK)
        playbook = place.folder / "playbooks/work.yml"
        plain = Plain(place, lab, hosts)
        calls = (
            lambda: place.diaken("run", "group", "web", "work", "--quiet"),
            lambda: plain.run(playbook, settings=plain.best),
            lambda: plain.run(playbook),
        )
        call_first(lambda: place.diaken("run", "host", "web01", "work", "--quiet"), times=1)
        ours, best, usual = zip(*in_turn(asked.of(2, 1), *calls), strict=True)
    finally:
        lab.stop()
    wall = [spent.wall for spent in ours]
    best_wall, usual_wall = [each.wall for each in best], [each.wall for each in usual]
    cpu, best_cpu = [our.cpu for our in ours], [each.cpu for each in best]
    of_hosts = [spent.machine - spent.cpu for spent in ours]
    share = spread(ratios(of_hosts, [spent.machine for spent in ours])).median
    found = f"; here the hosts' own work was {seconds(of_hosts)}, {share:.0%} of all"
    return [
        Figure(
            *("group-plain", ratios(wall, usual_wall), seconds(wall), seconds(usual_wall)),
            found=found,
        ),
        Figure("group-best-wall", ratios(wall, best_wall), seconds(wall), seconds(best_wall)),
        Figure("group-best-cpu", ratios(cpu, best_cpu), seconds(cpu), seconds(best_cpu)),
    ]


def running(asked: Asked, name: str, lab: Lab, hosts: dict[str, str], playbook: str) -> Place:
    """A place in the lab's network with these hosts, and the playbook `work`."""
    place = Place(
        asked,
        name,
        lab=lab,
        config=f'[playbooks]\npaths = ["{asked.folder / name / "playbooks"}"]\n'
        f'[ssh]\nuser = "root"\nkey = "{lab.ssh_private_key}"\n',
    )
    (place.folder / "playbooks").mkdir()
    (place.folder / "playbooks/work.yml").write_text(playbook)
    add_hosts(place.store, hosts, vcenter=vcenter.add(place, lab))
    return place
