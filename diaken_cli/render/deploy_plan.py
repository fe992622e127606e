"""A deploy for people: what they read before they say yes, and after; and the plan's JSON."""

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from diaken_cli.render.tables import fields, table
from diaken_cli.units import format_cpus, format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from diaken_cli.actions.deploy.planning import Chosen, Plan
    from diaken_cli.config.sections import SshConfig
    from diaken_cli.words import DeployRequest

STEP_COLUMNS = {"STEP": "name", "WHAT IT WOULD DO": "description"}
LABELS = {"vcenter": "vCenter", "dns": "DNS", "ssh": "SSH"}


def plan_as_json(plan: "Plan") -> dict[str, Any]:
    """The plan; sizes are in bytes."""
    chosen = None if plan.chosen is None else asdict(plan.chosen)
    return {"dry_run": True, "steps": _rows(plan.steps), "chosen": chosen}


def print_plan(console: "Console", plan: "Plan") -> None:
    """What was chosen, then the steps."""
    if plan.chosen is not None:
        print_chosen(console, plan.chosen)
        console.print()
    console.print(table(_rows(plan.brief_steps), STEP_COLUMNS), crop=False)


def print_chosen(console: "Console", chosen: "Chosen") -> None:
    """What was chosen: short enough for a screen, for the question below it."""
    console.print(fields(chosen_as_text(chosen), LABELS))


def chosen_as_text(chosen: "Chosen") -> dict[str, str]:
    """What was chosen, a line for what belongs together."""
    address = f"{chosen.ip}/{chosen.prefix}"
    hardware = (format_cpus(chosen.cpus), f"{format_size(chosen.memory)} memory")
    shown = {
        "name": chosen.name,
        "address": _listed(address, ("gateway", chosen.gateway or "none")),
        "dns": _listed(", ".join(chosen.dns) or "none", ("domain", chosen.domain)),
        "environment": _listed(chosen.environment, ("group", chosen.group)),
        "vcenter": _listed(chosen.vcenter, ("datacenter", chosen.datacenter)),
        "template": chosen.template,
        "cluster": _listed(chosen.cluster, ("ESXi host", chosen.esxi_host)),
        "resource_pool": chosen.resource_pool,
        "datastore": chosen.datastore,
        "folder": chosen.folder,
        "network": chosen.network or "the template's",
        "hardware": _listed(*hardware, f"{format_size(chosen.disk)} disk"),
        "ssh": _listed(
            ("user", chosen.user), ("port", None if chosen.port == 22 else str(chosen.port))
        ),
        "playbooks": ", ".join(chosen.playbooks) or "none",
        "extra_config": _listed(*(f"{key}={value}" for key, value in chosen.extra_config.items())),
    }
    may_be_left_out = ("ssh", "extra_config")
    return {key: said for key, said in shown.items() if said or key not in may_be_left_out}


def ssh_command(request: "DeployRequest", ssh: "SshConfig") -> str:
    """How to log in to a VM that was deployed; `ssh` says what the request does not."""
    user, key, port = request.user or ssh.user, request.key or ssh.key, request.port or ssh.port
    options = ["-i", str(key)] if key else []
    options += ["-p", str(port)] if port != 22 else []
    return shlex.join(["ssh", *options, f"{user}@{request.ip}" if user else request.ip])


def _listed(*parts: str | tuple[str, str | None]) -> str:
    """The parts that say something; a pair is a word and what it is about."""
    pairs = [part if isinstance(part, tuple) else ("", part) for part in parts]
    return ", ".join(f"{what} {said}".lstrip() for what, said in pairs if said)


def _rows(steps: "Sequence[tuple[str, str]]") -> list[dict[str, str]]:
    return [{"name": name, "description": says} for name, says in steps]
