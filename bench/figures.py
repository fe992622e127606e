"""Pure: what pairs of measurements amount to, and whether a target holds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A median and the quartiles around it; without two values the quartiles are the median."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Target:
    """One row of the page: what is measured `against` what, and the `limit` of that.

    `of` is what is compared (CPU, wall, memory, rate), `unit` what stands behind the figure. `part`
    measures it. `missed` is the reason that stands beside a figure that does not hold.
    """

    key: str
    part: str
    what: str
    against: str
    limit: float
    of: str
    unit: str = "×"
    at_least: bool = False
    missed: str = ""

    def holds(self, measured: float) -> bool:
        """Whether a figure is on the right side of the limit, as precisely as it is printed."""
        shown = float(self.shown(measured))
        return shown >= self.limit if self.at_least else shown <= self.limit

    def shown(self, figure: float) -> str:
        """A figure as it is printed: ratios below 0.1 have a digit more."""
        return f"{figure:.3f}" if self.limit < 0.1 else f"{figure:.2f}"


@dataclass(frozen=True)
class Setting:
    """A setting of Ansible that is tried with and without, and what follows for diaken's default.

    Its figures are kept as `KEY-wall` and `KEY-cpu`; `part` measures them.
    """

    key: str
    what: str
    work: str
    decided: str
    part: str = "settings"


@dataclass(frozen=True)
class Series:
    """What something costs at each size, in seconds."""

    name: str
    unit: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Figure:
    """What was measured for a target: a ratio a pair, and the medians of both sides as text.

    `series` is what is drawn; `found` stands beside the reason of a figure that does not hold.
    """

    key: str
    values: tuple[float, ...]
    ours: str
    theirs: str
    series: Series | None = None
    found: str = ""


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles."""
    middle = statistics.median(values)
    if len(values) < 2:
        return Spread(middle, middle, middle)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """The ratio of each pair."""
    return tuple(a / b for a, b in zip(ours, theirs, strict=True))


def bend(points: Sequence[tuple[int, float]]) -> float:
    """How far a growing cost bends upward: the chord in the middle, by the cost measured there.

    The middle size lies half-way between the first and the last: 1.0 is a straight line, less is
    better than that, and what grows with the square of the size tends to 2.0.
    """
    (first, least), (last, most) = points[0], points[-1]
    middle = (first + last) / 2
    size, cost = min(points, key=lambda each: abs(each[0] - middle))
    chord = least + (most - least) * (size - first) / (last - first)
    return chord / cost


def seconds(values: Sequence[float]) -> str:
    """The median of so many seconds, as people write it."""
    middle = statistics.median(values)
    return f"{middle * 1000:.1f} ms" if middle < 1 else f"{middle:.2f} s"
