"""The VM of a deploy, for the page: what was asked for, and what was chosen in vCenter for it."""

from typing import Any

from diaken_cli.store.runs import RunDetail
from diaken_cli.units import format_cpus, format_size
from diaken_cli.words import RunKind


def machine(detail: RunDetail) -> dict[str, str]:
    """Labels and values, those without a value left out; nothing for a run that is no deploy.

    What `validate` chose stands in that step's facts; before it ended only what was asked for is
    known.
    """
    if detail.run.kind is not RunKind.DEPLOY:
        return {}
    asked = detail.run.request
    validated = next((each.facts for each in detail.steps if each.name == "validate"), {})
    chosen: dict[str, Any] = validated.get("placement") or {}

    def known(name: str, place: str) -> str:
        return str(chosen.get(place) or asked.get(name) or "")

    found = {
        "name": asked.get("name", detail.run.target),
        "address": f"{asked.get('ip', '')}/{asked['prefix']}" if "prefix" in asked else "",
        "gateway": asked.get("gateway", ""),
        "DNS": ", ".join(asked.get("dns", ())),
        "domain": asked.get("domain", ""),
        "group": asked.get("group", ""),
        "template": known("template", "template_path"),
        "hardware": ", ".join(_sizes(asked | chosen)),
        "vCenter": asked.get("vcenter", ""),
        "datacenter": asked.get("datacenter", ""),
        "cluster": known("cluster", "cluster_name"),
        "resource pool": known("resource_pool", "pool_path"),
        "datastore": known("datastore", "datastore_name"),
        "folder": known("folder", "folder_path"),
        "network": known("network", "network_name"),
        "playbooks": ", ".join(asked.get("playbooks", ())),
    }
    return {label: value for label, value in found.items() if value}


def _sizes(known: dict[str, Any]) -> list[str]:
    sizes = [format_cpus(known["cpus"])] if known.get("cpus") else []
    named = ((key, known.get(key)) for key in ("memory", "disk"))
    return sizes + [f"{format_size(size)} {key}" for key, size in named if size]
