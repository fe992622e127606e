"""What it costs to say the version, and to show the help, beside `python -c pass`."""

from bench.figures import Figure, ratios, seconds
from bench.place import Asked, Place, call_first
from bench.processes import in_turn


def measure(asked: Asked) -> list[Figure]:
    """The CPU of whole processes."""
    place = Place(asked, "startup")
    calls = (
        lambda: place.diaken("--version").cpu,
        lambda: place.diaken("--help").cpu,
        lambda: place.python("-c", "pass").cpu,
    )
    call_first(*calls)
    version, shown, nothing = zip(*in_turn(asked.of(50, 5), *calls), strict=True)
    return [
        Figure("version", ratios(version, nothing), seconds(version), seconds(nothing)),
        Figure("help", ratios(shown, nothing), seconds(shown), seconds(nothing)),
    ]
