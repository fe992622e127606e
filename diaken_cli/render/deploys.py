"""A deploy: its plan as text and as JSON, the VM that it chose, and the ssh command for that."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diaken_cli.actions.deploy.chosen import recorded_choice
from diaken_cli.render.tables import fields, table
from diaken_cli.units import format_cpus, format_size, rounded_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from diaken_cli.actions.deploy.flow import Plan
    from diaken_cli.config.sections import SshConfig
    from diaken_cli.requests import DeployRequest
    from diaken_cli.store.run_records import RunDetail

STEP_COLUMNS = {"STEP": "name", "DESCRIPTION": "description"}
LABELS = {"vcenter": "vCenter", "esxi_host": "ESXi host", "dns": "DNS", "ssh": "SSH"}


def plan_as_json(plan: "Plan") -> dict[str, Any]:
    """The plan; sizes are in bytes."""
    return {"dry_run": True, "steps": _rows(plan.steps), "chosen": plan.chosen}


def print_plan(console: "Console", plan: "Plan") -> None:
    """What was chosen, then the steps."""
    if plan.chosen is not None:
        print_chosen(console, plan)
        console.print()
    console.print(table(_rows(plan.brief_steps), STEP_COLUMNS), crop=False)


def print_chosen(console: "Console", plan: "Plan") -> None:
    """What was chosen: short enough for a screen, for the question below it."""
    if plan.chosen is not None:
        console.print(fields(chosen_as_text(plan.chosen), LABELS))


def chosen_as_text(chosen: "Mapping[str, Any]", is_free: str = "free") -> dict[str, str]:
    """What was chosen, a line for what belongs together; `is_free` follows a datastore's room."""
    address, free = f"{chosen['ip']}/{chosen['prefix']}", chosen["datastore_free"]
    hardware = (format_cpus(chosen["cpus"]), f"{format_size(chosen['memory'])} memory")
    shown = {
        "name": chosen["name"],
        "address": _joined(address, ("gateway", chosen["gateway"] or "none")),
        "dns": _joined(", ".join(chosen["dns"]) or "none", ("domain", chosen["domain"])),
        "environment": _joined(chosen["environment"], ("group", chosen["group"])),
        "vcenter": _joined(chosen["vcenter"], ("datacenter", chosen["datacenter"])),
        "template": chosen["template"],
        **_computer(chosen["cluster"], chosen["esxi_host"]),
        "resource_pool": chosen["resource_pool"],
        "datastore": _joined(
            chosen["datastore"],
            f"{rounded_size(free)} {is_free}" if free is not None else "",
            ("datastore cluster", chosen["datastore_cluster"]),
        ),
        "folder": chosen["folder"],
        "network": chosen["network"] or "as in the template",
        "hardware": _joined(*hardware, f"{format_size(chosen['disk'])} disk"),
        "ssh": _joined(("user", chosen["user"]), ("port", _unusual_port(chosen["port"]))),
        "playbooks": ", ".join(chosen["playbooks"]) or "none",
        "extra_config": _joined(*(f"{k}={v}" for k, v in chosen["extra_config"].items())),
    }
    may_be_left_out = ("ssh", "extra_config")
    return {key: text or "" for key, text in shown.items() if text or key not in may_be_left_out}


def _computer(cluster: str, esxi_host: str | None) -> dict[str, str]:
    """The cluster with the ESXi host; one that stands alone is both."""
    if cluster == esxi_host:
        return {"esxi_host": cluster}
    return {"cluster": _joined(cluster, ("ESXi host", esxi_host))}


def _unusual_port(port: int | None) -> str | None:
    return None if port in (None, 22) else str(port)


def vm_fields(detail: "RunDetail") -> dict[str, str]:
    """Labels and values of the VM of a deploy; of other runs, and before it was chosen, none."""
    choice = recorded_choice(detail)
    if choice is None:
        return {}
    texts = chosen_as_text(choice, is_free="free before")
    return {LABELS.get(key, key.replace("_", " ")): text for key, text in texts.items()}


def ssh_command(request: "DeployRequest", ssh: "SshConfig", known_hosts: Path) -> str:
    """How to log in to a VM that was deployed; `ssh` says what the request does not.

    The host's key is in `known_hosts`, which ssh(1) need not be told where that is its own file.
    """
    from diaken_cli.services.ansible.ssh import option_path

    user, key, port = request.user or ssh.user, request.key or ssh.key, request.port or ssh.port
    options = ["-i", str(key)] if key else []
    options += ["-p", str(port)] if port != 22 else []
    if known_hosts != Path("~/.ssh/known_hosts").expanduser():
        plain = re.fullmatch(r"[\w./-]+", str(known_hosts))
        file = str(known_hosts) if plain else option_path(known_hosts)
        options += ["-o", f"UserKnownHostsFile={file}"]
    return shlex.join(["ssh", *options, f"{user}@{request.ip}" if user else request.ip])


def _joined(*parts: str | tuple[str, str | None]) -> str:
    """The parts that are not empty, joined; a pair is a label and a text."""
    pairs = [part if isinstance(part, tuple) else ("", part) for part in parts]
    return ", ".join(f"{label} {text}".lstrip() for label, text in pairs if text)


def _rows(steps: "Sequence[tuple[str, str]]") -> list[dict[str, str]]:
    return [{"name": name, "description": description} for name, description in steps]
