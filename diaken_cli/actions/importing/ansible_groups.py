"""The groups of an Ansible inventory without their tree: each host in all that contain it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from diaken_cli import units
from diaken_cli.actions.importing.rows import same

NO_GROUP = ("all", "ungrouped")
PRIORITY = "ansible_group_priority"

Variables = Mapping[str, Any]
Members = Mapping[str, tuple[Sequence[str], Sequence[str], Variables]]
"""Of each group the hosts that it names itself, its child groups, and its own variables."""


class Groups:
    """Which groups a host is in, the main one first, and which variables these are to have.

    The main group is the deepest of those that name the host themselves; of equally deep ones the
    first in the inventory. Those that contain it by their children come last.
    """

    def __init__(self, groups: Members) -> None:
        self._groups = groups
        self._parents: dict[str, list[str]] = {}
        for name, (_, children, _) in groups.items():
            for child in children:
                self._parents.setdefault(child, []).append(name)
        self._depth: dict[str, int] = {}
        self._place = {name: number for number, name in enumerate(_walked(groups))}
        self.refused = {name: told for name in groups if (told := _refusal(name)) is not None}
        self._direct: dict[str, list[str]] = {}
        for name in groups:
            for host in () if name in NO_GROUP else groups[name][0]:
                self._direct.setdefault(host, []).append(name)

    def containing(self, host: str) -> list[str]:
        """All groups of a host, those too that diaken can't have."""
        direct = self._direct.get(host, [])
        above: dict[str, None] = {}
        left = list(direct)
        while left:
            for parent in self._parents.get(left.pop(), []):
                if parent not in above and parent not in NO_GROUP:
                    above[parent] = None
                    left.append(parent)
        others = [each for each in above if each not in direct]
        return [*sorted(direct, key=self._order), *sorted(others, key=self._order)]

    def of(self, host: str) -> tuple[str, ...]:
        """The groups that a host gets."""
        return tuple(each for each in self.containing(host) if each not in self.refused)

    def empty(self) -> tuple[str, ...]:
        """The groups that no host is in, directly or by children."""
        full = {group for host in self._direct for group in self.containing(host)}
        known = (each for each in self._place if each not in NO_GROUP and each not in full)
        return tuple(each for each in known if _refusal(each) is None)

    def variables(self) -> dict[str, Variables]:
        """The variables of each group by its name."""
        return {name: own for name, (_, _, own) in self._groups.items() if name not in NO_GROUP}

    def of_all(self) -> Variables:
        """The variables of `all`."""
        return self._groups["all"][2] if "all" in self._groups else {}

    def outer(self) -> tuple[str, ...]:
        """The groups that are part of no other: each host of a group is in one of them."""
        return tuple(
            name
            for name in self._groups
            if name not in NO_GROUP
            and all(each in NO_GROUP for each in self._parents.get(name, ()))
        )

    def _order(self, name: str) -> tuple[int, int]:
        return -self._deep(name), self._place.get(name, 0)

    def _deep(self, name: str) -> int:
        if name not in self._depth:
            above = [self._deep(each) + 1 for each in self._parents.get(name, ())]
            self._depth[name] = max(above, default=0)
        return self._depth[name]


def resolved(groups: Iterable[tuple[str, Variables]]) -> dict[str, Any]:
    """What a host has of groups that lie beside each other: by Ansible's order the last one wins.

    That order is by priority, then by name. See sort_groups in Ansible's inventory/helpers.py.
    """
    merged: dict[str, Any] = {}
    for _, variables in sorted(groups, key=lambda each: (_priority(each[1]), each[0])):
        merged |= variables
    return merged


def collisions(
    groups: Sequence[tuple[str, Variables]], has: Variables, own: Iterable[str]
) -> list[str]:
    """A sentence for each variable that groups of a host have differently.

    `has` is what Ansible has for the host, `own` what is said of the host itself: that wins anyway.
    """
    flat = resolved(groups)
    told = []
    for key in dict.fromkeys(key for _, each in groups for key in each if key != PRIORITY):
        with_it = [(name, each[key]) for name, each in groups if key in each]
        if key in own or all(same(value, with_it[0][1]) for _, value in with_it):
            continue
        several = " and ".join([", ".join(name for name, _ in with_it[:-1]), with_it[-1][0]])
        counts = [name for name, value in with_it if same(value, has.get(key))]
        sentence = f"variable {key} differs between groups {several}"
        sentence += f": that of {counts[0]} counts" if counts else ""
        told.append(sentence + ("" if same(flat[key], has.get(key)) else ", kept on the host"))
    return told


def _priority(variables: Variables) -> int:
    try:
        return int(variables.get(PRIORITY, 1))
    except (TypeError, ValueError):
        return 1


def _walked(groups: Members, name: str = "all") -> dict[str, None]:
    """The groups in the order in which the inventory names them."""
    found: dict[str, None] = {}
    left = [name]
    while left:
        each = left.pop()
        if each not in found:
            found[each] = None
            left += reversed(groups[each][1] if each in groups else ())
    return found


def _refusal(name: str) -> str | None:
    if name in NO_GROUP:
        return None
    try:
        units.check_group_name(name)
    except ValueError as fault:
        return str(fault)
    return None
