"""A run in one line: what somebody has to know who reads only the mail."""

import io
from typing import Any

import pytest
from rich.console import Console

from diaken_cli.actions.run.summary import (
    mail_message,
    missing_snapshots,
    summary,
    without_snapshot,
)
from diaken_cli.render import history
from diaken_cli.render.output import Format, Output
from diaken_cli.render.report import render_page
from diaken_cli.render.runs import run_for_people
from diaken_cli.render.summary import headline, warn_of_failure
from diaken_cli.store import Store
from diaken_cli.store.run_records import RunDetail, RunFilter
from diaken_cli.types import (
    HostStatus,
    RunKind,
    RunStatus,
    TargetType,
)
from tests.seeding import begin, result

UNREACHED = "Failed to connect to the host via ssh: ssh: connect to host 10.0.4.29: Refused"
Hosts = dict[str, tuple[HostStatus, str | None, str | None]]
DOWN = "vCenter main: HTTP 503 Service Unavailable"


def a_run(
    store: Store,
    hosts: Hosts,
    snapshots: dict[str, str | None],
    *,
    status: RunStatus = RunStatus.PARTIAL,
    error: dict[str, Any] | None = None,
) -> RunDetail:
    """A run that was to take snapshots; `snapshots` has an error for each that was not taken."""
    run = begin(store, request={"snapshot": True})
    for host, why in snapshots.items():
        ref = "snap-1" if why is None else None
        run.snapshot(host, ref, why, name="Before executing update")
    run.hosts(*(result(name, *how) for name, how in hosts.items()))
    run.end(status, error)
    found = store.history.find(run.id)
    assert found is not None
    return found


def good(*names: str) -> Hosts:
    return dict.fromkeys(names, (HostStatus.SUCCESS, None, None))


def night(store: Store) -> RunDetail:
    """Nine hosts, one of which is away, and a vCenter that was down."""
    names = [f"web0{number}" for number in range(1, 9)]
    away = (HostStatus.UNREACHABLE, None, UNREACHED)
    snapshots: dict[str, str | None] = {**dict.fromkeys(names, DOWN), "ghost09": None}
    return a_run(store, good(*names) | {"ghost09": away}, snapshots)


def test_a_night_with_a_vcenter_down_and_a_host_away_is_one_line(store: Store) -> None:
    assert mail_message(night(store)) == (
        f"8 of 9 ok; unreachable: ghost09 ({UNREACHED}); 8 of 9 without snapshot ({DOWN});"
        " see: diaken history show 1"
    )


def test_hosts_with_one_reason_are_told_together_and_few_of_them(store: Store) -> None:
    failed = (HostStatus.FAILED, "Restart nginx", "no such unit")
    hosts = {f"web0{number}": failed for number in range(1, 6)}
    hosts["db06"] = (HostStatus.FAILED, "Copy", "disk\nfull " + "x" * 200 + " the cause")
    said = summary(a_run(store, good("web07") | hosts, {}))
    assert said.startswith("1 of 7 ok; failed: db06 (Copy: disk full xxx")
    assert said.endswith(
        "x the cause); web01, web02, web03 and 2 more (Restart nginx: no such unit)"
    )


@pytest.mark.parametrize(
    ("errors", "hosts", "said"),
    [
        ({"a": DOWN, "b": DOWN}, 9, f"2 of 9 without snapshot ({DOWN})"),
        ({"a": "VM not found", "b": DOWN}, 2, f"2 of 2 without snapshot (a: VM not found; {DOWN})"),
        ({"a": "gone", "b": "gone"}, 3, "2 of 3 without snapshot (a, b: gone)"),
        ({"a": None}, 0, "1 without snapshot"),
        (
            {str(number): f"reason {number}" for number in range(5)},
            5,
            "5 of 5 without snapshot (0: reason 0; 1: reason 1; 2: reason 2 and 2 more)",
        ),
    ],
)
def test_snapshots_that_are_not_there_have_their_reasons(
    errors: dict[str, str | None], hosts: int, said: str
) -> None:
    assert without_snapshot(len(errors), hosts, errors) == said


def test_where_all_went_well_there_is_nothing_to_say(store: Store) -> None:
    detail = a_run(store, good("web01"), {"web01": None}, status=RunStatus.SUCCESS)
    assert (summary(detail), mail_message(detail), missing_snapshots(detail)) == ("", None, None)


def test_a_run_that_failed_says_why_what_it_lacked_and_what_to_do(store: Store) -> None:
    hosts: Hosts = {"web01": (HostStatus.FAILED, "Copy", "disk full")}
    error = {"code": "hosts_failed", "message": "update failed on web01", "hint": "See: this"}
    detail = a_run(store, hosts, {"web01": DOWN}, status=RunStatus.FAILED, error=error)
    assert mail_message(detail) == (
        f"update failed on web01; 1 of 1 without snapshot ({DOWN}); see: this"
    )


def test_for_want_of_a_snapshot_the_error_alone_says_why(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts: Hosts = {"web01": (HostStatus.SKIPPED, None, None)}
    hint = "Exclude these hosts with --exclude, or run without snapshots: --no-snapshot"
    error = {"code": "snapshot_failed", "message": "no snapshot of web01 (gone)", "hint": hint}
    detail = a_run(store, hosts, {"web01": "gone"}, status=RunStatus.FAILED, error=error)
    assert mail_message(detail) == (
        "no snapshot of web01 (gone); 1 of 1 without snapshot; exclude these hosts with"
        " --exclude, or run without snapshots: --no-snapshot; see: diaken history show 1"
    )
    warn_of_failure(Output(Format.TEXT, quiet=True), detail, "update on web")
    assert capsys.readouterr() == ("", "")
    line = headline(run_for_people(detail), "update on web", Console(file=io.StringIO()))
    assert line.plain.endswith("; ! 1 of 1 without snapshot")


def test_each_place_where_one_looks_tells_of_it(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    detail = night(store)
    run = run_for_people(detail)
    said = f"8 of 9 without snapshot ({DOWN})"
    console = Console(file=io.StringIO(), width=200)
    assert headline(run, "update on web", console).plain.endswith(f"; ! {said}")
    html = render_page(run, "update on web", [], detail.run.started_at)
    assert f'<p class="alert">{said}</p>' in html
    warn_of_failure(Output(Format.TEXT, quiet=True), detail, "update on web")
    assert capsys.readouterr().err == f"warning: update on web: partial: {mail_message(detail)}\n"
    (row,) = map(history.run_as_text_row, store.history.select(RunFilter()))
    assert row["without_snapshot"] == 8
    shown = history.list_columns(console, [row])["SNAPSHOTS"](row)
    assert shown.plain == "1/9"
    assert "SNAPSHOTS" not in history.list_columns(console, [{**row, "without_snapshot": 0}])


def test_the_list_counts_the_snapshots_that_were_asked_for(store: Store) -> None:
    a_run(store, good("web01", "web02"), {"web01": None, "web02": None}, status=RunStatus.SUCCESS)
    a_run(store, good("web01", "web02"), {"web01": None, "web02": DOWN})
    a_run(store, good("web01", "web02"), {"web01": None}, status=RunStatus.CANCELED)
    begin(store).end(RunStatus.SUCCESS)
    revert = begin(
        store, RunKind.SNAPSHOT, playbook=None, request={"action": "revert", "snapshot": "before"}
    )
    revert.hosts(result("web01", *good("web01")["web01"]))
    revert.end(RunStatus.SUCCESS)
    rows = [history.run_as_text_row(each) for each in store.history.select(RunFilter())]
    shown = history.list_columns(Console(file=io.StringIO()), rows)["SNAPSHOTS"]
    cells = [str(shown(row)) for row in sorted(rows, key=lambda row: row["id"])]
    assert cells == ["2/2", "1/2", "1/2", "None", "None"]


def test_a_deploy_is_not_counted_by_hosts(store: Store) -> None:
    run = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    run.hosts(result("web01", HostStatus.SUCCESS))
    run.end(RunStatus.FAILED)
    (row,) = map(history.run_as_text_row, store.history.select(RunFilter()))
    assert history.list_columns(Console(file=io.StringIO()), [row])["OK/HOSTS"](row) is None
