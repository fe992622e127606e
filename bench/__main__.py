"""Measure, and write docs/reference/performance.md; exit status 1 where a figure does not hold.

python -m bench [--only tick,startup] [--small] [--venv DIR] [--patience SECONDS]
"""

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import results
from bench.drawing import picture
from bench.figures import Setting, Target
from bench.page import drawn, page
from bench.place import TOP, Asked, install
from bench.targets import SETTINGS, TARGETS

REFERENCE = TOP / "docs/reference"
MODULES = {"deploy": "deploying"}  # the others have the name of their part


def main() -> int:
    """Measure the parts, one after another; each is kept as soon as it is there."""
    given = parse()
    missed = []
    with tempfile.TemporaryDirectory(prefix="diaken-bench-") as folder:
        installed = install(given.venv or Path(folder) / "venv")
        for part in given.only:
            other = _quiet(given.patience)
            began = time.monotonic()
            module = importlib.import_module(f"bench.{MODULES.get(part, part)}")
            with tempfile.TemporaryDirectory(prefix="part-", dir=folder) as own:
                figures = module.measure(Asked(installed, Path(own), given.small))
            other = max(other, results.busy())
            rows = results.merged(
                {} if given.small else results.read(), figures, results.about_now(other)
            )
            for target in TARGETS:
                if target.part == part and target.key in rows:
                    print(said(target, rows[target.key]), flush=True)
                    if not target.holds(rows[target.key]["median"]):
                        missed.append(target.key)
            for setting in SETTINGS:
                if setting.part == part:
                    print(tried(setting, rows), flush=True)
            print(f"  {part} took {time.monotonic() - began:.0f} s", flush=True)
            if not given.small:
                results.write(rows)
                write_pages(rows)
    if missed:
        print(f"these do not hold: {', '.join(missed)}")
    return int(bool(missed) and not given.small)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parts = list(dict.fromkeys(each.part for each in (*TARGETS, *SETTINGS)))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"parts, of {','.join(parts)}")
    parser.add_argument("--small", action="store_true", help="try it: small sizes, nothing is kept")
    parser.add_argument("--venv", type=Path, help="keep the environment of the wheel there")
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds to wait for a quiet machine, each part"
    )
    given = parser.parse_args()
    given.only = [part for part in given.only.split(",") if part] or parts
    if unknown := [each for each in given.only if each not in parts]:
        parser.error(f"no part is named {', '.join(unknown)}; there are {', '.join(parts)}")
    return given


def said(target: Target, row: Mapping[str, Any]) -> str:
    """One line of what was measured."""
    low, high = map(target.shown, row["quartiles"])
    return (
        f"{target.key}: {target.shown(row['median'])} {target.unit} [{low} – {high}]"
        f" of {target.of}, target {target.limit:g}; {row['ours']} / {row['theirs']};"
        f" {row['repetitions']} repetitions, other work {row['busy']:.0%}"
    )


def tried(setting: Setting, rows: results.Rows) -> str:
    """One line of what a setting is worth."""
    both = (f"{rows[f'{setting.key}-{of}']['median']:.2f} × {of}" for of in ("wall", "cpu"))
    return f"{setting.what}: {', '.join(both)}"


def write_pages(rows: results.Rows) -> None:
    """Write the page and the picture of what is kept."""
    (REFERENCE / "performance.md").write_text(page(TARGETS, SETTINGS, rows))
    (REFERENCE / "growth.svg").write_text(picture(drawn(TARGETS, rows)))


def _quiet(patience: float) -> float:
    """Wait until the machine does little else, at most so long; the share that it does."""
    deadline = time.monotonic() + patience
    while (share := results.busy()) >= results.OTHER_WORK and time.monotonic() < deadline:
        pass
    return share


if __name__ == "__main__":
    sys.exit(main())
