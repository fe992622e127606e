"""Pure: one place by the name or inventory path that a person gave, or what is wrong with it."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from diaken_cli.errors import Mistake
from diaken_cli.services.vsphere.inventory import Place
from diaken_cli.text import listed
from diaken_cli.units import nearest_names

Chosen = TypeVar("Chosen", bound=Place)


def matching(places: Iterable[Chosen], name: str) -> list[Chosen]:
    """The places with that name, that path (`/DC0/vm/web`), or whose path ends so (`vm/web`)."""
    places = list(places)
    if name.startswith("/"):
        return [place for place in places if place.path == name.rstrip("/")]
    return [
        place
        for place in places
        if place.name == name or place.path.endswith(f"/{name.rstrip('/')}")
    ]


def choose(places: Sequence[Chosen], name: str | None, option: str, kind: str) -> Chosen | Mistake:
    """The one place that was named, or the only one where none was; else what is wrong."""
    hits = list(places) if name is None else matching(places, name)
    if len(hits) == 1:
        return hits[0]
    if name is None:
        if not hits:
            return Mistake(option, None, f"there is no {kind}")
        names = listed(sorted(hit.path for hit in hits))
        return Mistake(option, None, f"there are several, say which {kind}: {names}")
    if hits:
        paths = listed(sorted(hit.path for hit in hits))
        return Mistake(option, name, f"{name!r} is ambiguous, give the path: {paths}")
    return Mistake(option, name, f"no {kind} {name!r}{suggestion(places, name)}")


def suggestion(places: Iterable[Place], name: str) -> str:
    """The names that are most alike, or those that there are: the end of a sentence."""
    names = sorted({place.path if "/" in name else place.name for place in places})
    if not names:
        return "; there is none"
    if nearest := nearest_names(name, names):
        return f"; did you mean {nearest}?"
    return f"; there are: {listed(names)}"
