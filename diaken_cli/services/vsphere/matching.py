"""An entity of a vCenter's inventory by its name or path, or what is wrong with that: pure."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from diaken_cli.errors import Mistake, NotFound
from diaken_cli.services.vsphere.inventory import Datacenter, Entity
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.text import join_names
from diaken_cli.units import nearest_names

NO_DATACENTER = "no_datacenter"
"""The code of an error where the datacenter that is stored for a vCenter can't be told there."""

SomeEntity = TypeVar("SomeEntity", bound=Entity)


def matching_entities(entities: Iterable[SomeEntity], name: str) -> list[SomeEntity]:
    """The entities with that name, that path (`/DC0/vm/web`), or whose path ends so (`vm/web`)."""
    entities = list(entities)
    if name.startswith("/"):
        return [entity for entity in entities if entity.path == name.rstrip("/")]
    return [
        entity
        for entity in entities
        if entity.name == name or entity.path.endswith(f"/{name.rstrip('/')}")
    ]


def choose(
    entities: Sequence[SomeEntity], name: str | None, option: str, kind: str
) -> SomeEntity | Mistake:
    """The one that was named, or the only one where none was; else what is wrong."""
    hits = list(entities) if name is None else matching_entities(entities, name)
    if len(hits) == 1:
        return hits[0]
    if name is None:
        if not hits:
            return Mistake(option, None, f"no {kind} found")
        names = join_names(sorted(hit.path for hit in hits))
        return Mistake(option, None, f"more than one {kind}, choose one: {names}")
    if hits:
        paths = join_names(sorted(hit.path for hit in hits))
        return Mistake(option, name, f"{name!r} is ambiguous, give the path: {paths}")
    return Mistake(option, name, f"no {kind} {name!r}{suggest(entities, name)}")


def suggest(entities: Iterable[Entity], name: str) -> str:
    """The names that are most alike, or those that there are: the end of a sentence."""
    names = sorted({entity.path if "/" in name else entity.name for entity in entities})
    if not names:
        return "; none exist"
    if nearest := nearest_names(name, names):
        return f"; did you mean {nearest}?"
    return f"; available: {join_names(names)}"


# ── datacenters ──────────────────────────────────────────────────────────────────────────────


def permitted_datacenter(
    datacenters: Iterable[Datacenter], wanted: str | None, stored: str | None
) -> Datacenter | None:
    """The datacenter that is wanted, else the one that is stored for the vCenter; None is all.

    What is stored is the default and the limit. Raises NotFound, for what is stored with the code
    `no_datacenter`.
    """
    datacenters = list(datacenters)
    limit = None if stored is None else _only(datacenters, stored, code=NO_DATACENTER)
    if wanted is None:
        return limit
    if limit is None:
        return _only(datacenters, wanted)
    if not matching_entities([limit], wanted):
        _only([*matching_entities(datacenters, wanted)][:1] or datacenters, wanted)
        raise NotFound(f"{wanted!r} {outside(limit)}")
    return limit


def outside(limit: Datacenter) -> str:
    """Why something is refused that is in another datacenter than the stored one."""
    return f"is outside {limit.path}, the datacenter stored for this vCenter"


def _only(datacenters: Sequence[Datacenter], name: str, *, code: str | None = None) -> Datacenter:
    hits = matching_entities(datacenters, name)
    if len(hits) == 1:
        return hits[0]
    if hits:
        paths = join_names([hit.path for hit in hits])
        raise NotFound(f"several datacenters {name!r}; give the path: {paths}", code=code)
    paths = bounded_line(", ".join(datacenter.path for datacenter in datacenters)) or "none"
    raise NotFound(f"no datacenter {name!r}; available: {paths}", code=code)
