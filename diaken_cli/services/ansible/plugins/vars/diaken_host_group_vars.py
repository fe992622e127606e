"""A vars plugin for Ansible: host_group_vars, whose files can't point a host to another machine.

It runs in Ansible, whose Python may be another one than diaken's: it imports nothing of diaken's.
The hosts of the run, and the variables that do not count, are in the file that $DIAKEN_VARS names.
https://docs.ansible.com/ansible-core/2.19/plugins/vars.html
"""

import json
import os
import stat
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.helpers import sort_groups
from ansible.inventory.host import Host
from ansible.plugins.vars.host_group_vars import VarsModule as HostGroupVars
from ansible.utils.vars import combine_vars

DOCUMENTATION = """
    name: diaken_host_group_vars
    short_description: host_group_vars, whose files can't point a host to another machine
    description:
        - Loads what host_group_vars loads, less the variables that say which machine a host is.
        - For localhost, and for hosts that a playbook adds, these count as always.
    options:
      stage:
        ini:
          - key: stage
            section: vars_host_group_vars
        env:
          - name: ANSIBLE_VARS_PLUGIN_STAGE
    extends_documentation_fragment:
      - vars_plugin_staging
"""

_RunData = Mapping[str, frozenset[str]]

_MOST_NAMES = 3
_WARNED: set[tuple[Any, ...]] = set()


class VarsModule(HostGroupVars):
    """Loads the variables in host_vars/ and group_vars/."""

    REQUIRES_ENABLED = True
    is_stateless = True

    def get_vars(self, loader: Any, path: str, entities: Any, cache: bool = True) -> dict[str, Any]:
        """The variables of hosts or groups, merged in their order."""
        run = _run_data()
        loader = _RegularFiles(loader)
        variables: dict[str, Any] = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            if _is_added_host(entity, run):
                loaded = combine_vars(
                    self._group_variables(loader, path, entity, run),
                    super().get_vars(loader, path, [entity], cache),
                )
            else:
                filtering = _ConnectionFilter(loader, entity, run, self._display)
                loaded = super().get_vars(filtering, path, [entity], cache)
            if loaded:
                variables = combine_vars(variables, loaded)
        return variables

    def _group_variables(self, loader: Any, path: str, host: Any, run: _RunData) -> dict[str, Any]:
        """What was left out of the files of a host's groups, for it does not concern this one."""
        groups = sort_groups(host.get_groups())
        loaded = super().get_vars(loader, path, groups) if groups else {}
        return {
            name: value
            for name, value in loaded.items()
            if name in run["repointing"] and name not in host.vars
        }


class _RegularFiles:
    """Ansible's loader, which waits for no pipe that lies where a file of variables should."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def load_from_file(self, file_name: str, *arguments: Any, **named: Any) -> Any:
        """What the file holds; arguments as of Ansible's loader."""
        if os.path.exists(file_name) and not stat.S_ISREG(os.stat(file_name).st_mode):  # noqa: PTH110, PTH116
            raise AnsibleParserError(f"{file_name} is not a regular file")
        return self._loader.load_from_file(file_name, *arguments, **named)


class _ConnectionFilter(_RegularFiles):
    """One that leaves the variables of a connection out of each file, and warns of it."""

    def __init__(self, loader: Any, entity: Any, run: _RunData, display: Any) -> None:
        super().__init__(loader)
        self._entity = entity
        self._run_data = run
        self._display = display

    def load_from_file(self, file_name: str, *arguments: Any, **named: Any) -> Any:
        """What the file holds, less what does not count; arguments as of Ansible's loader."""
        content = self._loader.load_from_file(file_name, *arguments, **named)
        repointing = self._run_data["repointing"]
        if not isinstance(content, dict) or repointing.isdisjoint(content):
            return content
        left_out = sorted(str(name) for name in content if name in repointing)
        self._warn_once(str(file_name), left_out)
        return {name: value for name, value in content.items() if name not in repointing}

    def _warn_once(self, file: str, names: list[str]) -> None:
        warning = (file, self._entity.name, _is_host(self._entity))
        if warning in _WARNED:  # first, for files are read for each host and task again
            return
        hosts = _affected_hosts(self._entity, self._run_data)
        if hosts:
            _WARNED.add(warning)
            more = f" and {len(hosts) - _MOST_NAMES} more" if len(hosts) > _MOST_NAMES else ""
            self._display.warning(
                f"{file}: {', '.join(names)} ignored for {', '.join(hosts[:_MOST_NAMES])}{more}:"
                " the inventory says which machine a host is"
            )


@lru_cache(maxsize=1)
def _run_data() -> _RunData:
    """What diaken wrote of the run: its `repointing` variables, `hosts` and `targets`.

    Empty in a check of a playbook's syntax, where no host is reached.
    """
    path = os.environ.get("DIAKEN_VARS")
    if path is None:
        return defaultdict(frozenset)
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as it is done in Ansible
        return {name: frozenset(names) for name, names in json.load(file).items()}


def _is_added_host(entity: Any, run: _RunData) -> bool:
    """Whether it is a host that the inventory does not have."""
    return _is_host(entity) and entity.name not in run["hosts"]


def _is_host(entity: Any) -> bool:
    return isinstance(entity, Host)


def _affected_hosts(entity: Any, run: _RunData) -> list[str]:
    """The host itself; of a group its targets, or where it has none, its hosts."""
    if _is_host(entity):
        return [entity.name]
    hosts = [host.name for host in entity.get_hosts() if host.name in run["hosts"]]
    return [name for name in hosts if name in run["targets"]] or hosts
