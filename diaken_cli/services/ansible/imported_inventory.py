"""An existing inventory of Ansible's, read by Ansible itself, to be imported.

Ansible is given a copy with what it can read of it, and nothing that it would run: no script, and
no configuration of an inventory plugin.
"""

import heapq
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from diaken_cli import bounds, files
from diaken_cli.services import programs
from diaken_cli.services.ansible import bounded_yaml, invocation, private
from diaken_cli.services.ansible.reasons import ansible_failure_reason
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

_VARIABLES = ("group_vars", "host_vars")
# What Ansible passes over in a folder of an inventory: REJECT_EXTS of its constants.py, and
# INVENTORY_IGNORE_EXTS.
_IGNORED = re.compile(
    r"^\.|^vars_plugins$"
    r"|(\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_VAULT = b"$ANSIBLE_VAULT"
_PLUGIN_KEY = re.compile(rb"^(\s*\{\s*)?[\"']?plugin[\"']?\s*:", re.MULTILINE)
_YAML = (".yml", ".yaml", ".json")


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


@dataclass
class InventoryCopy:
    """A copy of an inventory, which Ansible is given in its place.

    `path` is in the place of `source`, `root` in that of the folder that holds all which counts;
    `files` are the copies of the inventory's own files. `left_out` has a sentence for each file
    that is not among them.
    """

    source: Path
    path: Path
    root: Path
    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    _bytes: int = 0
    _count: int = 0

    def unmapped(self, text: str) -> str:
        """A text of Ansible's, with the paths of the source in the place of the copy's."""
        original = self.source if self.root == self.path else self.source.parent
        return text.replace(str(self.root), str(original))

    def add(self, target: Path, content: bytes) -> None:
        """Write a copy. Raises ValueError where there is too much of it."""
        self._count += 1
        self._bytes += len(content)
        if self._count > bounds.INVENTORY_FILES or self._bytes > bounds.INVENTORY:
            most = f"{bounds.INVENTORY_FILES} files and {format_size(bounds.INVENTORY)}"
            raise ValueError(f"is too large for an inventory: at most {most}")
        try:
            bounded_yaml.check(content.decode("utf-8-sig", "replace"), bounds.INVENTORY_VALUES)
        except bounded_yaml.LimitExceeded as fault:
            raise ValueError(
                f"can't be read: {self.unmapped(str(target))}: {fault.problem}"
            ) from None
        except (yaml.YAMLError, ValueError):
            pass  # it is INI; or Ansible says better what is wrong with it
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_bytes(content.removeprefix(_BOM))


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
        copy = copy_inventory(path, scratch)
        if not copy.files:
            raise ValueError("; ".join(["has no readable inventory", *copy.left_out]))
        with (
            _start(copy, scratch / "1", "ansible-inventory", "--list") as first,
            _start(copy, scratch / "2", "ansible-inventory", "--list", "--export") as second,
            _start(copy, scratch / "3", "ansible", "all", "--list-hosts") as third,
        ):
            answer = _wait(first, copy)
            messages = answer.stderr_text
            inventory: dict[str, Any] = json.loads(answer.stdout)
            exported: dict[str, Any] = json.loads(_wait(second, copy).stdout)
            _, *listed = _wait(third, copy).stdout_text.splitlines()
        passed_over = [" ".join(message.split()) for message in _PASSED_OVER.findall(messages)]
        unread = [*copy.left_out, *_unread(copy, messages), *passed_over]
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


def _start(copy: InventoryCopy, folder: Path, program: str, *more: str) -> programs.Running:
    folder.mkdir(mode=0o700)
    plugins = _PLUGINS.get(copy.path.suffix, "ini" if copy.path.suffix else "yaml,ini")
    if copy.path == copy.root:
        plugins = _PLUGINS_OF_A_FOLDER
    settings = invocation.settings(SshSettings(Path(os.devnull)), folder) | {
        "ANSIBLE_INVENTORY_ENABLED": plugins,
    }
    return programs.Running(
        [invocation.ansible_program(program), *more, "-i", str(copy.path)],
        seconds=bounds.INVENTORY_SECONDS,
        most=bounds.INVENTORY_OUTPUT,
        cwd=folder,
        env=invocation.inherited_environment(os.environ) | settings,
        memory=bounds.INVENTORY_MEMORY,
    )


def _wait(program: programs.Running, copy: InventoryCopy) -> programs.Completed:
    """The program's output, once it has ended. Raises ValueError where it failed."""
    try:
        ended = program.wait()
    except programs.TimeLimitExceeded as fault:
        raise ValueError(f"could not be read within {fault.seconds:g} seconds") from None
    except programs.OutputLimitExceeded:
        most = format_size(bounds.INVENTORY_OUTPUT)
        raise ValueError(f"amounts to more than {most}, with all variables of each host") from None
    if ended.status != 0 and (_OUT_OF_MEMORY in ended.stderr_text or _needed_all_memory(ended)):
        most = format_size(bounds.INVENTORY_MEMORY)
        raise ValueError(f"is too large: Ansible would need more than {most} for it")
    if ended.status != 0:
        # The last of the plugins that tried it is the one for files of no special name.
        reasons = _REASON.findall(ended.stderr_text)
        reason = copy.unmapped(
            reasons[-1] if reasons else ansible_failure_reason(ended.stderr_text)
        )
        raise ValueError("; ".join([f"can't be read by Ansible: {reason}", *copy.left_out]))
    return ended


def _needed_all_memory(ended: programs.Completed) -> bool:
    """Whether it came near its bound: not each of Ansible's messages has Python's own word."""
    return ended.memory > 0.8 * bounds.INVENTORY_MEMORY


def _unread(copy: InventoryCopy, messages: str) -> list[str]:
    """A sentence for each file that Ansible has passed over with a warning, which it folds."""
    words = _without_blanks(messages)
    return [
        f"{copy.unmapped(str(file))} is left out: Ansible can't read it, or not completely"
        for file in copy.files
        if _without_blanks(f"Unable to parse {file} as an inventory source") in words
    ]


def _without_blanks(text: str) -> str:
    return "".join(text.split())


# ── the copy that Ansible is given ───────────────────────────────────────────────────────────


def copy_inventory(source: Path, folder: Path) -> InventoryCopy:
    """Copy a file with the variables beside it, or a folder, below a private folder.

    Raises:
        ValueError: it is nothing that Ansible could read; the sentence says why.
        OSError: something of it can't be read.
    """
    root = folder / "inventory"
    root.mkdir(mode=0o700)
    if source.is_dir():
        copy = InventoryCopy(source, root, root)
        _copy_folder(copy, source, root, ())
        return copy
    copy = InventoryCopy(source, root / source.name, root)
    content = _content(source)
    if reason := _refusal(source, content, alone=True):
        raise ValueError(reason)
    copy.add(copy.path, content)
    copy.files.append(copy.path)
    _copy_variables(copy, source.parent, root)
    return copy


def _copy_folder(copy: InventoryCopy, source: Path, target: Path, above: tuple[Path, ...]) -> None:
    real = source.resolve()
    if real in above:
        copy.left_out.append(f"{source} is left out: it contains itself")
        return
    for path in sorted(source.iterdir()):
        if _IGNORED.search(path.name) or path.name in _VARIABLES:
            continue
        if path.is_dir():
            _copy_folder(copy, path, target / path.name, (*above, real))
        elif (content := _content_or_none(copy, path)) is not None:
            if reason := _refusal(path, content, alone=False):
                copy.left_out.append(f"{path} is left out: it {reason}")
                continue
            copy.add(target / path.name, content)
            copy.files.append(target / path.name)
    _copy_variables(copy, source, target)


def _copy_variables(copy: InventoryCopy, source: Path, target: Path) -> None:
    for name in _VARIABLES:
        for file in _files(source / name):
            if (content := _content_or_none(copy, file)) is None:
                continue
            if content.startswith(_VAULT):
                reason = "ansible-vault encrypts all of it; it needs the vault's password"
                copy.left_out.append(f"{file} is left out: {reason}")
            elif content.startswith(_UTF16):
                raise ValueError(f"can't be read: {file} is UTF-16; save it as UTF-8")
            else:
                copy.add(target / file.relative_to(source), content)


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    if not folder.is_dir() or depth > 20:
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files(path, depth + 1)
        elif path.exists():
            yield path


def _content(path: Path) -> bytes:
    """What a file holds, or as much of it as is too much."""
    return files.beginning(path, bounds.INVENTORY + 1)


def _content_or_none(copy: InventoryCopy, path: Path) -> bytes | None:
    """What a file of several holds; one that is no regular file is left out."""
    if not path.exists():  # a link to nowhere
        return None
    try:
        return _content(path)
    except files.FileRefused as fault:
        copy.left_out.append(f"{path} is left out: {fault.strerror}")
        return None


def _refusal(path: Path, content: bytes, *, alone: bool) -> str | None:
    if content.startswith((b"#!", b"\x7fELF")):
        reason = "is a program, which diaken does not run"
        how = f"ansible-inventory -i {path} --list --yaml > hosts.yml"
        return f"{reason}; import its output: {how}" if alone else reason
    if content.startswith(_UTF16):
        return "is UTF-16; save it as UTF-8"
    if alone:
        return None  # what else is wrong with it Ansible says better
    if content.startswith(_VAULT):
        return "is encrypted by ansible-vault, and needs the vault's password"
    if path.suffix in _YAML and _PLUGIN_KEY.search(content.removeprefix(_BOM)):
        return "is the configuration of an inventory plugin, which diaken does not run"
    return None
