"""The inventory of one run: JSON, so that no name and no value is read as anything else."""

from typing import Any

from diaken_cli.services.ansible.work import Target, Work

_NAMES = ("group_name", "target_environment")  # filled in by diaken among the group's variables


def document(work: Work) -> dict[str, Any]:
    """What the inventory file holds: the targets, each in its group, and nothing else.

    In the format of Ansible's `yaml` inventory plugin, of which JSON is a part. What diaken itself
    fills in is marked so that Ansible does not look for templates in it; the variables of the
    host and the group are Ansible's as always.
    """
    shared = {
        name: _unsafe(value) if name in _NAMES else value
        for name, value in work.group_variables.items()
    }
    groups: dict[str, dict[str, Any]] = {}
    ungrouped: dict[str, Any] = {}
    for target in work.targets:
        if target.group is None:
            # Group variables first: the host's own are to win.
            ungrouped[target.name] = shared | _variables(target)
        else:
            group = groups.setdefault(target.group, {"hosts": {}, "vars": shared})
            group["hosts"][target.name] = _variables(target)
    return {"all": {"hosts": ungrouped, "children": groups}}


def connection(target: Target) -> dict[str, Any]:
    """How Ansible reaches a host, as its variables; what is not said is left to Ansible."""
    ours = {
        "ansible_host": target.address,
        "ansible_user": target.user,
        "ansible_port": target.port,
        "ansible_ssh_private_key_file": None if target.key is None else str(target.key),
        "ansible_python_interpreter": target.python,
    }
    return {name: value for name, value in ours.items() if value is not None}


def _variables(target: Target) -> dict[str, Any]:
    said = {name: _unsafe(value) for name, value in connection(target).items()}
    return dict(target.variables) | said


def _unsafe(value: Any) -> Any:
    return {"__ansible_unsafe": value} if isinstance(value, str) else value
