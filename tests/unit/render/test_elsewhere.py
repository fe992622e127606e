"""Runs in which a host failed that is no target: what is shown of it, and where to read on."""

import re
from collections.abc import Mapping

import pytest

from diaken_cli.render.history import print_run
from diaken_cli.render.output import Format, Output
from diaken_cli.render.report import render_page
from diaken_cli.render.runs import run_for_people
from diaken_cli.render.summary import next_steps
from diaken_cli.store import Store
from diaken_cli.store.run_records import RunDetail
from diaken_cli.types import HostStatus, RunStatus, StepStatus, TaskResult
from tests.seeding import begin, result
from tests.unit.render.rendered_runs import ended

SUCCESS, FAILED = HostStatus.SUCCESS, HostStatus.FAILED
ABORTED, SKIPPED, UNREACHABLE = HostStatus.ABORTED, HostStatus.SKIPPED, HostStatus.UNREACHABLE
WHY = {ABORTED: "ended, because web02 failed at Upgrade", SKIPPED: "not reached"}


def seeded(
    store: Store,
    targets: Mapping[str, HostStatus],
    elsewhere: Mapping[str, HostStatus],
    status: RunStatus = RunStatus.FAILED,
) -> RunDetail:
    """A run that ended so on its targets and on localhost, newbie and such."""
    run = begin(store)
    facts = {"return_code": 2, "elsewhere": dict(elsewhere)}
    run.step(0, "playbook", StepStatus.FAILED, facts=facts)
    for host, came_to in {"localhost": SUCCESS, "newbie": SUCCESS, **elsewhere, **targets}.items():
        if came_to is not SKIPPED:
            bad = came_to in (FAILED, UNREACHABLE)
            run.say(host, "Enrol", TaskResult(came_to) if bad else TaskResult.OK, f"of {host}")
    run.hosts(*(result(host, each, None, WHY.get(each)) for host, each in targets.items()))
    run.end(status)
    detail = store.history.find(run.id)
    assert detail is not None
    return detail


@pytest.mark.parametrize(
    ("targets", "status", "elsewhere", "shown"),
    [
        ({"web01": SUCCESS}, RunStatus.FAILED, {"newbie": FAILED}, ["✗ failed", "✓ success"]),
        (
            {"web01": SUCCESS, "web02": FAILED},
            RunStatus.PARTIAL,
            {},
            ["✓ success", "✓ success"],
        ),
        (
            {"web01": SUCCESS, "web02": FAILED},
            RunStatus.PARTIAL,
            {"newbie": UNREACHABLE},
            ["! unreachable", "✓ success"],
        ),
    ],
)
def test_localhost_and_added_hosts_do_not_stand_as_the_run_does(
    store: Store,
    capsys: pytest.CaptureFixture[str],
    targets: dict[str, HostStatus],
    status: RunStatus,
    elsewhere: dict[str, HostStatus],
    shown: list[str],
) -> None:
    detail = seeded(store, targets, elsewhere, status)
    said, _ = store.outputs.read(detail.run.id)
    run = run_for_people(detail)

    print_run(Output(Format.TEXT), detail, run, said)

    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:3] for line in out.splitlines() if line.split()}
    assert [" ".join(rows[host]) for host in ("newbie", "localhost")] == shown
    html = render_page(run, "x", said, detail.run.started_at)
    sign, word = shown[0].split()
    assert re.search(rf'class="{word}">{sign}</text><text [^>]*>newbie</text>', html)
    assert ("<details open><summary>newbie" in html) is bool(elsewhere)
    assert "<details><summary>localhost" in html


@pytest.mark.parametrize(
    ("targets", "elsewhere", "host"),
    [
        ({"web01": ABORTED, "web02": FAILED, "web03": SKIPPED}, {}, "web02"),
        ({"web01": ABORTED, "web02": UNREACHABLE}, {}, "web02"),
        ({"web01": ABORTED, "web02": FAILED}, {"localhost": FAILED}, "web02"),
        ({"web01": ABORTED, "web02": SKIPPED}, {"localhost": FAILED}, "localhost"),
        ({"web01": SKIPPED}, {"localhost": FAILED}, "localhost"),
        ({"web01": SUCCESS}, {"newbie": UNREACHABLE}, "newbie"),
        ({"web01": SUCCESS}, {"new one": FAILED}, "'new one'"),
        ({"web01": SKIPPED, "web02": ABORTED}, {}, "web02"),
        ({"web01": FAILED}, {}, None),
    ],
)
def test_where_to_read_on_is_the_host_that_is_the_cause(
    store: Store,
    targets: dict[str, HostStatus],
    elsewhere: dict[str, HostStatus],
    host: str | None,
) -> None:
    detail = seeded(store, targets, elsewhere)
    number = detail.run.id
    first = next(next_steps(run_for_people(detail)))
    where = f" --host {host}" if host else ""
    assert first == f"See Ansible's output: diaken history output {number}{where}"


def test_where_no_host_has_said_anything_nothing_is_to_be_read(store: Store) -> None:
    detail = seeded(store, {"web01": SKIPPED, "web02": SKIPPED}, {})
    assert not [each for each in next_steps(run_for_people(detail)) if "history output" in each]


def test_at_the_end_of_a_run_causes_stand_before_what_came_of_them(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = {"web01": ABORTED, "web02": FAILED, "web03": SUCCESS, "web04": SKIPPED}
    detail = seeded(store, targets, {})

    ended(store, detail.run.id)

    out = capsys.readouterr().out
    places = [
        out.index(said)
        for said in ("✗ failed", "⊘ aborted", "» skipped", "✓ success", "✗ web02:", "⊘ web01:")
    ]
    assert places == sorted(places), out
    html = render_page(run_for_people(detail), "x", [], detail.run.started_at)
    found = [html.index(f"<td>{host}</td>") for host in ("web02", "web01", "web04", "web03")]
    assert found == sorted(found)
