"""What a list of many hosts costs, beside importing SQLModel alone."""

from bench.figures import Figure, ratios, seconds
from bench.place import Asked, Place, add_hosts, addresses, call_first
from bench.processes import in_turn

HOSTS = 1000


def measure(asked: Asked) -> list[Figure]:
    """The CPU of whole processes."""
    place = Place(asked, "hosts")
    add_hosts(place.store, addresses(asked.of(HOSTS, 20)))
    calls = (
        lambda: place.diaken("hosts", "list", "--json").cpu,
        lambda: place.python("-c", "import sqlmodel").cpu,
    )
    call_first(*calls)
    ours, theirs = zip(*in_turn(asked.of(20, 3), *calls), strict=True)
    return [Figure("hosts-list", ratios(ours, theirs), seconds(ours), seconds(theirs))]
