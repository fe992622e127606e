"""What the judges look at when all is quiet again, and what they find."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.storm.calls import Call
from tests.storm.witness import Witness
from tests.storm.world import World


@dataclass(frozen=True)
class Finding:
    """Something that must not be."""

    invariant: str
    what: str


@dataclass(frozen=True)
class Evidence:
    """All that is known of a storm; `quiet_since` is when the last fault was taken back."""

    world: World
    witness: Witness
    calls: list[Call]
    faults: Counter[str]
    backdated: set[str]
    backups: list[str]
    quiet_since: float


Judge = Callable[[Evidence], Iterator[Finding]]
