"""What was measured, as it is kept: docs/reference/performance.json, a row for each target."""

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import Figure, spread
from bench.place import TOP
from bench.processes import cores

KEPT = TOP / "docs/reference/performance.json"
OTHER_WORK = 0.2
"""The share of the machine from which on it is said to have done other work."""

Rows = dict[str, dict[str, Any]]


def read(path: Path = KEPT) -> Rows:
    """The rows that are kept, by the keys of their targets."""
    if not path.exists():
        return {}
    rows: Rows = json.loads(path.read_text())
    return rows


def merged(
    rows: Mapping[str, dict[str, Any]], figures: Sequence[Figure], about: Mapping[str, Any]
) -> Rows:
    """The rows with those of these figures in their place; the others stay as they are. Pure."""
    found = dict(rows)
    for figure in figures:
        around = spread(figure.values)
        found[figure.key] = {
            "median": around.median,
            "quartiles": [around.low, around.high],
            "repetitions": len(figure.values),
            "ours": figure.ours,
            "theirs": figure.theirs,
            "found": figure.found,
            **about,
        }
        if figure.series is not None:
            found[figure.key]["series"] = {
                "name": figure.series.name,
                "unit": figure.series.unit,
                "points": [list(point) for point in figure.series.points],
            }
    return found


def write(rows: Rows, path: Path = KEPT) -> None:
    """Keep them."""
    path.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")


def about_now(busy: float) -> dict[str, Any]:
    """When and where it is measured; `busy` is the share of the machine that does other work."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "busy": round(busy, 2),
    }


def busy(during: float = 3.0) -> float:
    """The share of all cores that is at work for so many seconds, in which this process sleeps."""
    began = cores()
    time.sleep(during)
    total, idle = (after - before for before, after in zip(began, cores(), strict=True))
    return 1 - idle / total if total else 1.0
