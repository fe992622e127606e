"""A deploy: its plan as text and as JSON, the VM that it chose, and the ssh command for that."""

import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diaken_cli.render.tables import fields, table
from diaken_cli.types import DeployStep, RunKind
from diaken_cli.units import format_cpus, format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from diaken_cli.actions.deploy.flow import Plan
    from diaken_cli.config.sections import SshConfig
    from diaken_cli.requests import DeployRequest
    from diaken_cli.store.run_records import RunDetail

HOW = (
    *("key", "python", "vault_ids", "provision", "address_probe", "keep_on_failure"),
    *("clone_timeout", "ip_timeout", "ssh_timeout"),
)
"""Fields of a request that say how to deploy, not what."""
STEP_COLUMNS = {"STEP": "name", "DESCRIPTION": "description"}
LABELS = {"vcenter": "vCenter", "dns": "DNS", "ssh": "SSH"}


def plan_as_json(plan: "Plan") -> dict[str, Any]:
    """The plan; sizes are in bytes."""
    chosen = None
    if plan.chosen is not None:
        chosen = {name: value for name, value in asdict(plan.chosen).items() if name not in HOW}
        chosen["esxi_host"] = plan.esxi_host
        chosen["datastore_cluster"] = plan.datastore_cluster
    return {"dry_run": True, "steps": _rows(plan.steps), "chosen": chosen}


def print_plan(console: "Console", plan: "Plan") -> None:
    """What was chosen, then the steps."""
    if plan.chosen is not None:
        print_chosen(console, plan)
        console.print()
    console.print(table(_rows(plan.brief_steps), STEP_COLUMNS), crop=False)


def print_chosen(console: "Console", plan: "Plan") -> None:
    """What was chosen: short enough for a screen, for the question below it."""
    if plan.chosen is not None:
        shown = chosen_as_text(plan.chosen, plan.esxi_host, plan.datastore_cluster)
        console.print(fields(shown, LABELS))


def chosen_as_text(
    chosen: "DeployRequest", esxi_host: str | None, datastore_cluster: str | None
) -> dict[str, str]:
    """What was chosen, a line for what belongs together."""
    address = f"{chosen.ip}/{chosen.prefix}"
    hardware = (format_cpus(chosen.cpus or 0), f"{format_size(chosen.memory or 0)} memory")
    shown = {
        "name": chosen.name,
        "address": _joined(address, ("gateway", chosen.gateway or "none")),
        "dns": _joined(", ".join(chosen.dns) or "none", ("domain", chosen.domain)),
        "environment": _joined(chosen.environment, ("group", chosen.group)),
        "vcenter": _joined(chosen.vcenter, ("datacenter", chosen.datacenter)),
        "template": chosen.template,
        "cluster": _joined(chosen.cluster or "", ("ESXi host", esxi_host)),
        "resource_pool": chosen.resource_pool,
        "datastore": _joined(chosen.datastore or "", ("datastore cluster", datastore_cluster)),
        "folder": chosen.folder,
        "network": chosen.network or "as in the template",
        "hardware": _joined(*hardware, f"{format_size(chosen.disk or 0)} disk"),
        "ssh": _joined(
            ("user", chosen.user), ("port", None if chosen.port == 22 else str(chosen.port))
        ),
        "playbooks": ", ".join(chosen.playbooks) or "none",
        "extra_config": _joined(*(f"{key}={value}" for key, value in chosen.extra_config.items())),
    }
    may_be_left_out = ("ssh", "extra_config")
    return {key: text or "" for key, text in shown.items() if text or key not in may_be_left_out}


def vm_fields(detail: "RunDetail") -> dict[str, str]:
    """Labels and values of the VM of a deploy, those without a value left out; else nothing.

    What `validate` chose stands in that step's facts; before it ended only what was asked for is
    known.
    """
    if detail.run.kind is not RunKind.DEPLOY:
        return {}
    request = detail.run.request
    facts = next((step.facts for step in detail.steps if step.name == DeployStep.VALIDATE), {})
    placement: dict[str, Any] = facts.get("placement") or {}

    def placed(requested: str, chosen: str) -> str:
        return str(placement.get(chosen) or request.get(requested) or "")

    fields = {
        "name": request.get("name", detail.run.target),
        "address": f"{request.get('ip', '')}/{request['prefix']}" if "prefix" in request else "",
        "gateway": request.get("gateway", ""),
        "DNS": ", ".join(request.get("dns", ())),
        "domain": request.get("domain", ""),
        "group": request.get("group", ""),
        "template": placed("template", "template_path"),
        "hardware": ", ".join(_hardware(request | placement)),
        "vCenter": request.get("vcenter", ""),
        "datacenter": request.get("datacenter", ""),
        "cluster": placed("cluster", "cluster_name"),
        "resource pool": placed("resource_pool", "pool_path"),
        "datastore": _joined(
            placed("datastore", "datastore_name"),
            ("datastore cluster", placement.get("datastore_cluster")),
        ),
        "folder": placed("folder", "folder_path"),
        "network": placed("network", "network_name"),
        "playbooks": ", ".join(request.get("playbooks", ())),
    }
    return {label: value for label, value in fields.items() if value}


def _hardware(values: dict[str, Any]) -> list[str]:
    cpus = [format_cpus(values["cpus"])] if values.get("cpus") else []
    sizes = ((key, values.get(key)) for key in ("memory", "disk"))
    return cpus + [f"{format_size(size)} {key}" for key, size in sizes if size]


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
