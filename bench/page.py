"""Pure: docs/reference/performance.md from what is kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.figures import Series, Setting, Target
from bench.results import OTHER_WORK

HEAD = """\
# Performance

What diaken costs, beside what else would do the work. `make bench` measures whole processes, the
two sides in turn in one run, and the command as a wheel installs it; a figure is the median of the
ratios of the pairs, its quartiles in brackets. `make bench ONLY=tick,startup` measures parts anew.
It needs root, as the lab does, whose hosts are real SSH hosts on the same machine: what runs on
them takes its share of the same cores.

| what | against | target | measured | | seconds |
|---|---|---|---|---|---|
"""

GROWTH = """
## As the work grows

CPU seconds of a whole process, from nought; the dashed line joins the smallest and the largest.
The figure in the table is how much higher that line is, in its middle, than what is measured there:
1.00 is a straight line, less is better than that, and what grows with the square tends to 2.

![CPU seconds as hosts and tasks grow](growth.svg)
"""


SETTINGS = """
## The settings of Ansible

`ansible-playbook` by itself, with a setting and without it, in turn. What became a default of
diaken was decided by this, and by what a stopped run leaves on the hosts: nothing.

| setting | work | wall | CPU | seconds | |
|---|---|---|---|---|---|
"""


def page(
    targets: Sequence[Target],
    settings: Sequence[Setting],
    rows: Mapping[str, Mapping[str, Any]],
) -> str:
    """The whole page; a target that was never measured says so."""
    lines = [_line(target, rows.get(target.key)) for target in targets]
    missed = [
        f"- {target.what}: {target.missed}{rows[target.key].get('found', '')}"
        for target in targets
        if target.key in rows and not target.holds(rows[target.key]["median"]) and target.missed
    ]
    text = HEAD + "\n".join(lines) + "\n"
    if missed:
        text += "\nWhat does not hold, and why:\n\n" + "\n".join(missed) + "\n"
    text += SETTINGS + "\n".join(_tried(setting, rows) for setting in settings) + "\n"
    text += GROWTH + "\n## The machine\n\n"
    parts = [(target.part, target.key) for target in targets]
    parts += [(setting.part, f"{setting.key}-wall") for setting in settings]
    return text + "\n".join(_machines(parts, rows)) + "\n"


def drawn(targets: Sequence[Target], rows: Mapping[str, Mapping[str, Any]]) -> list[Series]:
    """What the picture shows, in the order of the targets."""
    kept = [
        rows[target.key]["series"] for target in targets if "series" in rows.get(target.key, {})
    ]
    return [
        Series(
            each["name"], each["unit"], tuple((int(n), float(cost)) for n, cost in each["points"])
        )
        for each in kept
    ]


def _line(target: Target, row: Mapping[str, Any] | None) -> str:
    sign = "≥" if target.at_least else "≤"
    of = "" if target.of == "size" else f" {target.of}"
    wanted = f"{sign} {target.limit:g} {target.unit}{of}"
    if row is None:
        return f"| {target.what} | {target.against} | {wanted} | not yet | | |"
    low, high = row["quartiles"]
    figure = f"{target.shown(row['median'])} [{target.shown(low)} – {target.shown(high)}]"
    verdict = "holds" if target.holds(row["median"]) else "**does not hold**"
    both = f"{row['ours']} / {row['theirs']}"
    return f"| {target.what} | {target.against} | {wanted} | {figure} | {verdict} | {both} |"


def _tried(setting: Setting, rows: Mapping[str, Mapping[str, Any]]) -> str:
    wall, cpu = rows.get(f"{setting.key}-wall"), rows.get(f"{setting.key}-cpu")
    if wall is None or cpu is None:
        return f"| {setting.what} | {setting.work} | not yet | | | {setting.decided} |"
    both = f"{wall['ours']} / {wall['theirs']}"
    figures = f"{wall['median']:.2f} × | {cpu['median']:.2f} ×"
    return f"| {setting.what} | {setting.work} | {figures} | {both} | {setting.decided} |"


def _machines(
    measured: Sequence[tuple[str, str]], rows: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """When and where each part was measured; parts of the same day and machine in one line."""
    parts: dict[str, dict[str, float]] = {}
    for part, key in measured:
        if key in rows:
            row = rows[key]
            where = f"{row['date']}, {row['cores']} cores, Python {row['python']}"
            parts.setdefault(where, {})[part] = row["busy"]
    lines = []
    for where, busy in parts.items():
        loaded = [f"{part} ({share:.0%})" for part, share in busy.items() if share >= OTHER_WORK]
        line = f"- {where}: {', '.join(busy)}."
        if loaded:
            line += (
                " Measured on a machine that did other work, with that share of its cores just"
                f" before or after: {', '.join(loaded)}."
            )
        lines.append(line)
    return lines
