"""An inventory of Ansible's, as Ansible reads it: files of hosts, never a program."""

import heapq
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diaken_cli import bounds
from diaken_cli.services import programs
from diaken_cli.services.ansible import environment, private
from diaken_cli.services.ansible.reasons import ansible_failure_reason
from diaken_cli.services.ansible.staging import Staged, stage
from diaken_cli.services.ansible.work import SshSettings
from diaken_cli.units import format_size

_OUT_OF_MEMORY = "MemoryError"
_PLUGINS = {".yml": "yaml", ".yaml": "yaml", ".json": "yaml", ".toml": "toml"}
_PLUGINS_OF_A_FOLDER = "yaml,ini"
# What Ansible says of each plugin that it tried is a warning; its error is only that none is left.
_REASON = re.compile(r"ailed to parse .* with '?\w+'? plugin: (.+)")
# What it passes over in a file that it reads, and a name that means two things.
_PASSED_OVER = re.compile(
    r"^\[WARNING\]: ((?:Skipping|Found both) .+?)(?=\n\[|\n\n|\s*\Z)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Group:
    """A group: the hosts that it names itself, its child groups, and its own variables."""

    hosts: tuple[str, ...]
    children: tuple[str, ...]
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class AnsibleInventory:
    """All hosts with all the variables that Ansible has for them, and the groups by name.

    Hosts are in the order that they have in Ansible, in each group at least. `own` has the
    variables that are said of a host itself, `left_out` a sentence for each file that does not
    count, and for what Ansible passes over in the others.
    """

    hosts: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, Group]
    left_out: tuple[str, ...] = ()
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_inventory(path: Path) -> AnsibleInventory:
    """Read a file in INI form, or in YAML or JSON where its name ends so, or a folder of them.

    Nothing in it is run: no script, and no configuration of an inventory plugin. `group_vars` and
    `host_vars` beside it count. Templates, and values that a vault encrypts, stay what they are; a
    file of variables that a vault encrypts whole is left out.

    Raises:
        OSError: a file can't be read.
        ValueError: Ansible can't read it; the sentence says why.
        AnsibleNotStarted: there is no Ansible.
    """
    # As Ansible sees each host, which variables are whose, and the order: asked at once.
    with private.folder() as scratch:
        staged = stage(path, scratch)
        if not staged.files:
            raise ValueError("; ".join(["has no inventory that can be read", *staged.left_out]))
        with (
            _start(staged, scratch / "1", "ansible-inventory", "--list") as first,
            _start(staged, scratch / "2", "ansible-inventory", "--list", "--export") as second,
            _start(staged, scratch / "3", "ansible", "all", "--list-hosts") as third,
        ):
            answer = _wait(first, staged)
            messages = answer.stderr_text
            inventory: dict[str, Any] = json.loads(answer.stdout)
            exported: dict[str, Any] = json.loads(_wait(second, staged).stdout)
            _, *listed = _wait(third, staged).stdout_text.splitlines()
        passed_over = [" ".join(message.split()) for message in _PASSED_OVER.findall(messages)]
        unread = [*staged.left_out, *_unread(staged, messages), *passed_over]
    groups = {
        name: Group(
            tuple(group.get("hosts", ())), tuple(group.get("children", ())), group.get("vars", {})
        )
        for name, group in exported.items()
        if name != "_meta"
    }
    names = _ordered([line.strip() for line in listed], groups)
    return AnsibleInventory(
        {name: inventory["_meta"]["hostvars"].get(name, {}) for name in names},
        groups,
        tuple(unread),
        exported["_meta"]["hostvars"],
    )


def _ordered(hosts: Sequence[str], groups: Mapping[str, Group]) -> Sequence[str]:
    """The hosts in one order that each group's own agrees with, where no two contradict.

    What a group names itself goes before what it has by its children; and where that leaves a
    choice, hosts stand as in `hosts: all`.
    """
    inner = {name: group for name, group in groups.items() if name != "all"}
    with_children = [_hosts_of(name, groups) for name, group in inner.items() if group.children]
    return _merged([group.hosts for group in inner.values()], _merged(with_children, hosts))


def _hosts_of(name: str, groups: Mapping[str, Group]) -> list[str]:
    """The hosts of a group and its children: `Group.get_hosts` in Ansible's inventory/group.py."""
    walked = dict.fromkeys([name])
    level = [name]
    while level:
        children = [c for parent in level if parent in groups for c in groups[parent].children]
        level = [fromkey for fromkey in dict.fromkeys(children) if fromkey not in walked]
        walked |= dict.fromkeys(level)
    return list(dict.fromkeys(host for n in walked if n in groups for host in groups[n].hosts))


def _merged(lists: Sequence[Sequence[str]], names: Sequence[str]) -> Sequence[str]:
    """The names in an order that all lists have, by Kahn's algorithm: else as they stand."""
    place = {name: number for number, name in enumerate(names)}
    pairs = set(itertools.chain(*map(itertools.pairwise, lists)))
    blocks: dict[str, list[str]] = {}
    for first, then in pairs:
        blocks.setdefault(first, []).append(then)
    blockers = Counter(then for _, then in pairs)
    ready = [number for name, number in place.items() if not blockers[name]]
    remaining = iter(names)
    merged: dict[str, None] = {}
    while len(merged) < len(names):
        if ready:
            name = names[heapq.heappop(ready)]
        else:  # the lists contradict each other
            name = next(candidate for candidate in remaining if candidate not in merged)
        if name in merged:
            continue
        merged[name] = None
        for then in blocks.get(name, ()):
            blockers[then] -= 1
            if not blockers[then]:
                heapq.heappush(ready, place[then])
    return list(merged)


def _start(staged: Staged, folder: Path, program: str, *more: str) -> programs.Running:
    folder.mkdir(mode=0o700)
    plugins = _PLUGINS.get(staged.path.suffix, "ini" if staged.path.suffix else "yaml,ini")
    if staged.path == staged.root:
        plugins = _PLUGINS_OF_A_FOLDER
    settings = environment.settings(SshSettings(Path(os.devnull)), folder) | {
        "ANSIBLE_INVENTORY_ENABLED": plugins,
    }
    return programs.Running(
        [_program(program), *more, "-i", str(staged.path)],
        seconds=bounds.INVENTORY_SECONDS,
        most=bounds.INVENTORY_OUTPUT,
        cwd=folder,
        env=environment.inherited(os.environ) | settings,
        memory=bounds.INVENTORY_MEMORY,
    )


def _wait(program: programs.Running, staged: Staged) -> programs.Completed:
    """The program's output, once it has ended. Raises ValueError where it failed."""
    try:
        ended = program.wait()
    except programs.TimeLimitExceeded as fault:
        raise ValueError(f"could not be read within {fault.seconds:g} seconds") from None
    except programs.OutputLimitExceeded:
        most = format_size(bounds.INVENTORY_OUTPUT)
        raise ValueError(f"comes to more than {most}, with all variables of each host") from None
    if ended.status != 0 and (_OUT_OF_MEMORY in ended.stderr_text or _needed_all_memory(ended)):
        most = format_size(bounds.INVENTORY_MEMORY)
        raise ValueError(f"is too large: Ansible would need more than {most} for it")
    if ended.status != 0:
        # The last of the plugins that tried it is the one for files of no special name.
        reasons = _REASON.findall(ended.stderr_text)
        reason = staged.real(reasons[-1] if reasons else ansible_failure_reason(ended.stderr_text))
        raise ValueError("; ".join([f"can't be read by Ansible: {reason}", *staged.left_out]))
    return ended


def _needed_all_memory(ended: programs.Completed) -> bool:
    """Whether it came near its bound: not each of Ansible's messages has Python's own word."""
    return ended.memory > 0.8 * bounds.INVENTORY_MEMORY


def _unread(staged: Staged, messages: str) -> list[str]:
    """A sentence for each file that Ansible has passed over with a warning, which it folds."""
    words = _without_blanks(messages)
    return [
        f"{staged.real(str(file))} is left out: Ansible can't read it, at least not all of it"
        for file in staged.files
        if _without_blanks(f"Unable to parse {file} as an inventory source") in words
    ]


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def _program(name: str) -> str:
    return str(Path(environment.ansible_playbook()).with_name(name))
