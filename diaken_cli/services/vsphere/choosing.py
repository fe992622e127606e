"""Pure: one place by the name or inventory path that a person gave, or what is wrong with it."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from diaken_cli.errors import Mistake
from diaken_cli.services.vsphere.inventory import Place
from diaken_cli.text import listed
from diaken_cli.units import nearest_names

Chosen = TypeVar("Chosen", bound=Place)


def matching(places: Iterable[Chosen], given: str) -> list[Chosen]:
    """The places with that name, that path (`/DC0/vm/web`), or whose path ends so (`vm/web`)."""
    places = list(places)
    if given.startswith("/"):
        return [place for place in places if place.path == given.rstrip("/")]
    return [
        place
        for place in places
        if place.name == given or place.path.endswith(f"/{given.rstrip('/')}")
    ]


def choose(places: Sequence[Chosen], given: str | None, option: str, what: str) -> Chosen | Mistake:
    """The one place that was named, or the only one where none was; else what is wrong."""
    hits = list(places) if given is None else matching(places, given)
    if len(hits) == 1:
        return hits[0]
    if given is None:
        if not hits:
            return Mistake(option, None, f"there is no {what}")
        names = listed(sorted(hit.path for hit in hits))
        return Mistake(option, None, f"there are several, say which {what}: {names}")
    if hits:
        paths = listed(sorted(hit.path for hit in hits))
        return Mistake(option, given, f"{given!r} is ambiguous, give the path: {paths}")
    return Mistake(option, given, f"no {what} {given!r}{suggestion(places, given)}")


def suggestion(places: Iterable[Place], given: str) -> str:
    """What may have been meant, or what there is: the end of a sentence."""
    names = sorted({place.path if "/" in given else place.name for place in places})
    if not names:
        return "; there is none"
    if near := nearest_names(given, names):
        return f"; did you mean {near}?"
    return f"; there are: {listed(names)}"
