"""The tags of VMs: vSphere keeps them beside its inventory, and only the REST API has them."""

from diaken_cli.errors import NotFound
from diaken_cli.services.vsphere.rest import Rest
from diaken_cli.services.vsphere.session import Session

CATEGORY, TAG, ASSOCIATION = "tagging/category", "tagging/tag", "tagging/tag-association"


def tags_of_vms(session: Session, category: str) -> dict[str, tuple[str, ...]]:
    """By the reference of a VM, the names of its tags of that category; VMs without are left out.

    One call for all VMs, one for each tag and category. Raises NotFound for the category, with the
    names of those that the account may see, and as `Rest` does.
    """
    with Rest(session) as rest:
        identifier = _category(rest, category)
        wanted = rest.act(TAG, "list-tags-for-category", {"category_id": identifier}, on=identifier)
        names = {each: found["name"] for each in wanted if (found := rest.get(TAG, each))}
        if not names:
            return {}
        attached = rest.act(ASSOCIATION, "list-attached-objects-on-tags", {"tag_ids": [*names]})
    tagged: dict[str, list[str]] = {}
    for each in attached:
        for thing in each["object_ids"]:
            if thing["type"] == "VirtualMachine" and each["tag_id"] in names:
                tagged.setdefault(thing["id"], []).append(str(names[each["tag_id"]]))
    return {vm: tuple(sorted(its)) for vm, its in tagged.items()}


def _category(rest: Rest, wanted: str) -> str:
    """The id of the category of that name."""
    there = []
    for identifier in rest.list(CATEGORY):
        found = rest.get(CATEGORY, identifier)
        if found is None:
            continue
        if found["name"] == wanted:
            return identifier
        there.append(str(found["name"]))
    if not there:
        raise NotFound(
            f"no tag category {wanted!r}: this account sees none",
            hint="vSphere shows them to who has the role Read-only as a global permission",
        )
    raise NotFound(f"no tag category {wanted!r}; there are: {', '.join(sorted(there))}")
