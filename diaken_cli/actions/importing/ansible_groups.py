"""Which one of its Ansible groups a host is in, what it is called here, and its variables."""

from collections.abc import Mapping
from typing import Any

from diaken_cli.actions.importing.candidates import as_group_name
from diaken_cli.services.ansible.reading import Group

NO_GROUP = ("all", "ungrouped")


class Groups:
    """The groups of an Ansible inventory: there a host may be in many, here in one."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        self._groups = groups
        self._above = _above(groups)
        self._labels = {name: as_group_name(name) for name in groups if name not in NO_GROUP}
        self._direct: dict[str, list[str]] = {}
        for name in self._labels:
            for host in groups[name].hosts:
                self._direct.setdefault(host, []).append(name)

    def group_of(self, host: str) -> tuple[str | None, str | None]:
        """What a host's group is called, if it is in any; else what is wrong with that.

        It is the most specific one: the one that is part of all the others that name the host.
        """
        named = self._direct.get(host, [])
        covered = frozenset[str]().union(*(self._above[each] for each in named))
        specific = [each for each in named if each not in covered]
        if not specific:
            return None, None
        if len(specific) > 1:
            several = ", ".join(specific)
            told = f"is in {several}, none of them part of another; say which with --group"
            return None, told
        label = self._labels[specific[0]]
        if label is None:
            return None, f"no name of a group can be made of {specific[0]!r}; say --group"
        same = [name for name, each in self._labels.items() if each == label]
        if len(same) > 1:
            return None, f"{' and '.join(same)} would both be called {label}; say --group"
        return label, None

    def variables(self) -> dict[str, dict[str, Any]]:
        """The variables of each group by what it is called here, with those of groups above it.

        The nearest one wins; where a host has it otherwise, that is a variable of the host.
        """
        merged: dict[str, dict[str, Any]] = {}
        for name, label in self._labels.items():
            if label is not None:
                line = sorted(self._above[name], key=lambda each: len(self._above[each]))
                merged[label] = {}
                for each in (*line, name):
                    merged[label] |= self._groups[each].variables
        return merged

    def renamed(self) -> list[str]:
        """A sentence for each group of hosts whose name can't be taken over."""
        return [
            f"group {name} is called {label} here: a name is made of letters, digits, - and _"
            for name, label in self._labels.items()
            if label not in (None, name) and self._groups[name].hosts
        ]


def _above(groups: Mapping[str, Group]) -> dict[str, frozenset[str]]:
    """All the groups above each one; Ansible refuses a ring of them."""
    parents: dict[str, set[str]] = {}
    for name, group in groups.items():
        for child in group.children:
            parents.setdefault(child, set()).add(name)
    above: dict[str, frozenset[str]] = {}

    def climb(name: str) -> frozenset[str]:
        if name not in above:
            up = parents.get(name, set())
            above[name] = frozenset(up).union(*(climb(each) for each in up))
        return above[name]

    for name in groups:
        climb(name)
    return above
