"""Pure: where the variables go that an inventory gives to all of its hosts.

To the environment where it has no hosts yet: so localhost has them, and hosts that a playbook adds.
Where it has some, none of these gets a variable by a file that does not name it: then they go to
the groups that are made and part of no other, as what is said of groups, and what stands in
`group_vars/` beside a playbook wins over them, as before. Hosts outside have them as their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from diaken_cli.actions.importing.candidates import ImportRow, Source, same
from diaken_cli.store.importing import NewGroup, NewVariables
from diaken_cli.store.records import EnvironmentRecord
from diaken_cli.text import listed

Variables = Mapping[str, Any]


class SharedVariables:
    """The variables of all that a source says, in each environment.

    `alone`: all hosts are in one group that is there, and have all variables as their own.
    """

    def __init__(
        self, source: Source, environments: Sequence[EnvironmentRecord], *, alone: bool
    ) -> None:
        self.alone = alone
        self._source = source
        self._first: dict[int, NewVariables] = {}
        self._has: dict[int, Variables] = {}
        for place in environments:
            self._has[place.id] = place.vars
            variables = {**source.for_all, **place.vars}
            if not place.hosts and not alone and not same(variables, place.vars):
                self._first[place.id] = NewVariables(place, variables)
                self._has[place.id] = variables

    def of(self, place: int) -> Variables:
        """The variables of an environment after the import."""
        return self._has.get(place, {})

    def with_those_of(self, group: str, place: int) -> dict[str, Any]:
        """The variables of a group that is made, with those of all that its environment lacks."""
        if self.alone:
            return {}
        lacks = self._missing_variables(place) if group in self._source.outer_groups else {}
        return {**lacks, **self._source.group_variables.get(group, {})}

    def first(self, created: Sequence[ImportRow]) -> tuple[NewVariables, ...]:
        """The environments that get variables with these hosts."""
        named = {row.values.environment_id for row in created if row.values is not None}
        return tuple(variables for place, variables in self._first.items() if place in named)

    def warnings(self, created: Sequence[ImportRow], groups: Sequence[NewGroup]) -> list[str]:
        """A sentence for each environment on where the variables went, and who has them."""
        sentences = []
        names = {r.values.environment_id: r.environment for r in created if r.values is not None}
        for place, name in names.items():
            if place in self._first:
                before = self._first[place].environment.vars
                new = [key for key in self._first[place].vars if key not in before]
                sentences.append(
                    f"variables of all ({listed(new)}) become variables of {name}: hosts that are"
                    " added to it, localhost and hosts of add_host have them, too"
                )
            lacks = self._missing_variables(place)
            outer = [
                group.name
                for group in groups
                if group.environment_id == place
                and group.name in self._source.outer_groups
                and _has_any(lacks, group.vars)
            ]
            values = [row.values for row in created if row.values is not None]
            values_here = [value for value in values if value.environment_id == place]
            on_hosts = any(_has_any(lacks, values.vars) for values in values_here)
            into = [f"into {'groups' if len(outer) > 1 else 'group'} {listed(sorted(outer))}"]
            into = (into if outer else []) + (["on the imported hosts"] if on_hosts else [])
            if into:
                sentences.append(
                    f"variables of all ({listed(list(lacks))}) are put {' and '.join(into)}: other"
                    f" hosts of {name}, localhost and hosts of add_host do not have them"
                )
        return sentences

    def _missing_variables(self, place: int) -> Variables:
        has = self.of(place)
        items = self._source.for_all.items()
        return {key: v for key, v in items if key not in has or not same(has[key], v)}


def _has_any(lacks: Variables, variables: Variables) -> bool:
    return any(key in variables and same(variables[key], v) for key, v in lacks.items())
