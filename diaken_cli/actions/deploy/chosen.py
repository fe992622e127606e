"""What a deploy chose, also where nothing was typed: plain data, for its plan and its record."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from diaken_cli.requests import DeployRequest
from diaken_cli.store.run_records import RunDetail
from diaken_cli.types import DeployStep, RunKind, from_stored

HOW = (
    *("key", "python", "vault_ids", "provision", "address_probe", "keep_on_failure"),
    *("clone_timeout", "ip_timeout", "ssh_timeout"),
)
"""Fields of a request that say how to deploy, not what."""

_PLACEMENT = {
    "template": "template_path",
    "datacenter": "datacenter",
    "cluster": "cluster_name",
    "resource_pool": "pool_path",
    "datastore": "datastore_name",
    "folder": "folder_path",
    "cpus": "cpus",
    "memory": "memory",
    "disk": "disk",
    "esxi_host": "esxi_host_name",
    "datastore_cluster": "datastore_cluster",
    "datastore_free": "datastore_free",
}
"""The fields of a placement that say what was chosen, by what it was chosen for."""


def chosen(request: DeployRequest, placement: Mapping[str, Any]) -> dict[str, Any]:
    """The request without its HOW, and with all that was chosen for it filled in.

    Places are as their options take them, by inventory path where several can have a name; sizes
    are in bytes. `esxi_host` is where vCenter registers the VM: DRS may place it elsewhere at
    power-on. Of a `datastore_cluster` Storage DRS has recommended the datastore; `datastore_free`
    is what that had free when it was chosen.
    """
    values = {name: value for name, value in asdict(request).items() if name not in HOW}
    return (
        values
        | {name: placement.get(source) for name, source in _PLACEMENT.items()}
        | {
            "network": placement.get("network_name") or placement.get("template_network"),
            "domain": request.guest_domain,
            "playbooks": request.all_playbooks,
        }
    )


def recorded_choice(detail: RunDetail) -> dict[str, Any] | None:
    """The same of a recorded deploy; None of other runs, and before `validate` has chosen."""
    facts = next((step.facts for step in detail.steps if step.name == DeployStep.VALIDATE), {})
    placement = facts.get("placement")
    if detail.run.kind is not RunKind.DEPLOY or placement is None:
        return None
    return chosen(from_stored(DeployRequest, detail.run.request), placement)
