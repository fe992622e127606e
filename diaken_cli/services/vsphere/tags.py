"""The tags of VMs: vSphere keeps them beside its inventory, and only the REST API has them."""

from typing import Any

from diaken_cli.errors import NotFound
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.rest import (
    RestSession,
    as_list,
    as_texts,
    member,
    member_text,
)
from diaken_cli.services.vsphere.session import Session

CATEGORY, TAG, ASSOCIATION = "tagging/category", "tagging/tag", "tagging/tag-association"


def tags_of_vms(session: Session, category: str) -> dict[str, tuple[str, ...]]:
    """By the reference of a VM, the names of its tags of that category; VMs without are left out.

    One call for all VMs, one for each tag and category. Raises NotFound for the category, with the
    names of those that the account may see, and as `RestSession` does.
    """
    with RestSession(session) as api:
        category_id = _category(api, category)
        by_category = {"category_id": category_id}
        tag_ids = api.act(TAG, "list-tags-for-category", by_category, as_texts, on=category_id)
        name_of_tag = {tag_id: api.get(TAG, tag_id, _name) for tag_id in tag_ids}
        names = {tag: name for tag, name in name_of_tag.items() if name is not None}
        if not names:
            return {}
        by_tags = {"tag_ids": [*names]}
        attached = api.act(ASSOCIATION, "list-attached-objects-on-tags", by_tags, _attached)
    tagged: dict[str, list[str]] = {}
    for tag, vm in attached:
        if tag in names:
            tagged.setdefault(vm, []).append(names[tag])
    return {vm: tuple(sorted(tag_names)) for vm, tag_names in tagged.items()}


def _category(api: RestSession, category: str) -> str:
    """The id of the category of that name."""
    others = []
    for identifier in api.list(CATEGORY):
        name = api.get(CATEGORY, identifier, _name)
        if name == category:
            return identifier
        if name is not None:
            others.append(name)
    if not others:
        raise NotFound(
            f"no tag category {category!r}: this account sees none",
            hint="The account needs the role Read-only as a global permission.",
        )
    raise NotFound(f"no tag category {category!r}; available: {', '.join(sorted(others))}")


def _name(answer: Any) -> str:
    return bounded_line(member_text(answer, "name"))


def _attached(answer: Any) -> list[tuple[str, str]]:
    """Each tag with each VM that it is attached to, by their ids."""
    return [
        (member_text(item, "tag_id"), member_text(thing, "id"))
        for item in as_list(answer)
        for thing in as_list(member(item, "object_ids"), "'object_ids'")
        if member_text(thing, "type") == "VirtualMachine"
    ]
