"""The plan of an import as rows: JSON, and a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from diaken_cli.actions.importing.candidates import Action, ImportRow, Plan
from diaken_cli.render.values import Shape

DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.UNCHANGED: "unchanged",
    Action.SKIPPED: "skipped",
}


def _action(shape: Shape) -> str:
    """The action that is planned for a row, or was done."""
    planned = shape["status"] == "planned"
    return shape["action"] if planned else DONE[Action(shape["action"])]


def _groups(shape: Shape) -> str:
    """The groups of a row; those that are made for it are marked."""
    new = shape["new_groups"]
    return ", ".join(f"{group} (new)" if group in new else group for group in shape["groups"])


COLUMNS: Mapping[str, Any] = {
    "NAME": "name",
    "ADDRESS": "ip",
    "ENVIRONMENT": "environment",
    "GROUPS": _groups,
    "ACTION": _action,
    "REASON": "reason",
}


def row_as_json(row: ImportRow, *, dry_run: bool) -> dict[str, Any]:
    """A row; its `status` is `failed` where it is skipped for a mistake."""
    if row.mistake:
        status = "failed"
    elif dry_run and row.action in (Action.CREATE, Action.UPDATE):
        status = "planned"
    else:
        status = DONE[row.action]
    return {
        "name": row.name,
        "name_from": None if row.name_from is None else row.name_from.value,
        "ip": row.ip,
        "environment": row.environment,
        "group": row.groups[0] if row.groups else None,
        "groups": list(row.groups),
        "new_group": bool(row.new_groups),
        "new_groups": list(row.new_groups),
        "vcenter": row.vcenter,
        "vm_uuid": row.vm_uuid,
        "action": row.action.value,
        "status": status,
        "reason": row.reason,
        "source": row.origin,
    }


def summary(plan: Plan, *, dry_run: bool) -> str:
    """What was done, in one line."""
    rows: Sequence[ImportRow] = plan.rows
    count = {action: sum(row.action is action for row in rows) for action in Action}
    wrong = sum(row.mistake for row in rows)
    new, changed = ("to create", "to update") if dry_run else ("created", "updated")
    parts = [
        f"{count[Action.CREATE]} {new}",
        f"{count[Action.UPDATE]} {changed}",
        f"{count[Action.UNCHANGED]} unchanged",
        f"{count[Action.SKIPPED]} skipped{f' ({wrong} invalid)' if wrong else ''}",
    ]
    if plan.groups:
        groups = ", ".join(dict.fromkeys(group.name for group in plan.groups))
        parts.append(f"{'groups to create' if dry_run else 'groups created'}: {groups}")
    alone = sum(row.action is Action.CREATE and not row.groups for row in rows)
    parts += [f"{alone} in no group"] if alone else []
    return ", ".join(parts)
