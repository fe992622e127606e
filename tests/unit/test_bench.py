"""The benchmarks' own arithmetic, and the page that is made of what they measured."""

from xml.etree import ElementTree as ET

import pytest

from bench.drawing import picture
from bench.figures import Figure, Series, Setting, Target, bend, ratios, spread
from bench.page import drawn, page
from bench.results import merged, read
from bench.targets import SETTINGS, TARGETS

QUICK = Target("quick", "start", "`it`", "`that`", 1.5, "CPU")
MANY = Target("many", "start", "8 of them", "1", 1.0, "rate", at_least=True, missed="they wait")
ABOUT = {"date": "2026-11-24", "cores": 2, "python": "3.11.2", "busy": 0.05}


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    assert spread([5, 1, 4, 2, 3]) == spread([1, 2, 3, 4, 5])
    around = spread([1, 2, 3, 4, 5])
    assert (around.low, around.median, around.high) == (2, 3, 4)
    alone = spread([7.0])
    assert (alone.low, alone.median, alone.high) == (7, 7, 7)


def test_a_ratio_is_that_of_a_pair() -> None:
    assert ratios([2, 9], [1, 3]) == (2, 3)
    with pytest.raises(ValueError, match="zip"):
        ratios([1], [1, 2])


@pytest.mark.parametrize(
    ("target", "measured", "holds"),
    [
        *((QUICK, 1.5, True), (QUICK, 1.504, True), (QUICK, 1.51, False)),
        *((MANY, 1.0, True), (MANY, 0.99, False), (MANY, 3.0, True)),
    ],
)
def test_a_target_holds_as_it_is_printed(target: Target, measured: float, holds: bool) -> None:
    assert target.holds(measured) is holds


@pytest.mark.parametrize(
    ("cost", "least", "most"),
    [(lambda n: 5 + n, 1.0, 1.0), (lambda n: n * n, 1.9, 2.0), (lambda n: n**0.5, 0, 0.8)],
)
def test_a_line_that_bends_upward_is_told(cost, least: float, most: float) -> None:  # type: ignore[no-untyped-def]
    points = [(size, cost(size)) for size in (10, 257, 505, 752, 1000)]
    assert least <= round(bend(points), 9) <= most


def test_a_part_rewrites_its_own_rows_only() -> None:
    first = merged({}, [Figure("quick", (1.0,), "1 s", "1 s")], ABOUT)
    both = merged(first, [Figure("many", (0.5, 0.7, 0.9), "1", "2")], {**ABOUT, "busy": 0.6})
    assert both["quick"] == first["quick"]
    assert both["many"]["median"] == 0.7
    again = merged(both, [Figure("quick", (2.0,), "2 s", "1 s")], ABOUT)
    assert (again["quick"]["median"], again["many"]) == (2.0, both["many"])


def test_the_page_says_what_holds_and_why_what_does_not() -> None:
    rows = merged({}, [Figure("quick", (1.2, 1.3, 1.4), "13 ms", "10 ms")], ABOUT)
    rows = merged(
        rows, [Figure("many", (0.5,), "5 a second", "10 a second")], ABOUT | {"busy": 0.6}
    )
    later = Target("later", "later", "more", "less", 1, "wall")
    rows = merged(
        rows,
        [Figure("fast-wall", (0.5,), "1 s", "2 s"), Figure("fast-cpu", (0.9,), "9 s", "10 s")],
        ABOUT,
    )
    fast = Setting("fast", "fast", "work", "a default: it is fast")
    slow = Setting("slow", "slow", "work", "no default")
    text = page((QUICK, MANY, later), (fast, slow), rows)
    assert "| fast | work | 0.50 × | 0.90 × | 1 s / 2 s | a default: it is fast |" in text
    assert "| slow | work | not yet | | | no default |" in text
    assert "| ≤ 1.5 × CPU | 1.30 [1.25 – 1.35] | holds | 13 ms / 10 ms |" in text
    assert "| ≥ 1 × rate | 0.50 [0.50 – 0.50] | **does not hold** | 5 a second" in text
    assert "- 8 of them: they wait" in text
    assert "| more | less | ≤ 1 × wall | not yet | | |" in text
    assert "other work" in text
    assert "start (60%)" in text


def test_the_picture_has_a_panel_for_each_series() -> None:
    line = Series("hosts <list>", "hosts", ((10, 0.5), (505, 0.6), (1000, 0.7)))
    rows = merged({}, [Figure("quick", (1.0,), "", "", series=line)], ABOUT)
    assert drawn((QUICK, MANY), rows) == [line]
    root = ET.fromstring(picture([line, line]))  # noqa: S314  our own
    assert len(root.findall("{*}g")) == 2
    assert len(root.findall(".//{*}circle")) == 6


def test_what_is_kept_belongs_to_a_target_and_the_page_is_made_of_it() -> None:
    from bench.__main__ import REFERENCE

    rows = read()
    tried = {f"{each.key}-{of}" for each in SETTINGS for of in ("wall", "cpu")}
    assert rows.keys() <= {each.key for each in TARGETS} | tried
    assert (REFERENCE / "performance.md").read_text() == page(TARGETS, SETTINGS, rows)
    assert (REFERENCE / "growth.svg").read_text() == picture(drawn(TARGETS, rows))
