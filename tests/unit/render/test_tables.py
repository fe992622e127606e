"""A table fits the terminal, breaks words last, cuts nothing, and has no blanks at a line's end."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from diaken_cli.render import history
from diaken_cli.render.inventory import (
    HOST_COLUMNS,
    HOST_SPARE,
    VCENTER_COLUMNS,
    VCENTER_SPARE,
)
from diaken_cli.render.tables import Width, fields, fit_columns, table

SHAPES: list[dict[str, Any]] = [
    {"name": "web01", "said": "some words about it that fold", "id": "snapshot-41", "path": "/a/b"},
    {"name": "db", "said": None, "id": "snapshot-7", "path": "/a/c"},
]
COLUMNS = {"NAME": "name", "SAID": "said", "ID": "id", "PATH": "path"}


def drawn(view: object, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(view, crop=False)
    return file.getvalue().splitlines()


def test_what_is_spare_goes_first_and_then_words_fold() -> None:
    view = table(SHAPES, COLUMNS, whole=("NAME", "ID"), spare=("PATH",))
    wide = drawn(view, 200)
    assert wide[0] == "NAME   SAID                           ID           PATH"
    assert wide[1].endswith("snapshot-41  /a/b")
    assert view.left_out(200) == []
    assert view.left_out(46) == []
    assert drawn(view, 46)[1:3] == [
        "web01  some words about it   snapshot-41  /a/b",
        "       that fold",
    ]
    assert view.left_out(45) == ["PATH"]
    assert drawn(view, 28)[:3] == [
        "NAME   SAID      ID",
        "web01  some      snapshot-41",
        "       words",
    ]


def test_a_name_is_never_cut_however_narrow_it_is() -> None:
    lines = drawn(table(SHAPES, COLUMNS, whole=("NAME", "ID"), spare=("PATH", "SAID")), 10)
    assert lines == ["NAME   ID", "web01  snapshot-41", "db", "snapshot-7"]


def test_what_a_no_break_space_holds_together_is_not_folded_and_shown_with_a_blank() -> None:
    shape = {"at": "Sun\N{NO-BREAK SPACE}03:00 UTC", "name": "web01"}
    view = table([shape], {"AT": "at", "NAME": "name"})
    assert drawn(view, 80)[1] == "Sun 03:00 UTC  web01"
    assert drawn(view, 16)[1:] == ["Sun 03:00  web01", "UTC"]


@pytest.mark.parametrize("width", [10, 40, 10_000])
def test_no_line_ends_with_blanks(width: int) -> None:
    shape = {"name": "web01", "said": Text("two words", style="bold"), "more": "a" * 30}
    views = (table(SHAPES, COLUMNS), fields(shape, {}))
    for line in (line for view in views for line in drawn(view, width)):
        assert line == line.rstrip()


def test_the_widest_column_folds_first() -> None:
    columns = [Width("A", 40, 10, 10), Width("B", 20, 5, 5), Width("C", 10, 10, 10)]
    assert fit_columns(columns, 100) == {"A": 40, "B": 20, "C": 10}
    assert fit_columns(columns, 54) == {"A": 20, "B": 20, "C": 10}
    assert fit_columns(columns, 1) == {"A": 10, "B": 5, "C": 10}
    assert fit_columns(columns, 54, ("C", "B")) == {"A": 20, "B": 20, "C": 10}
    assert fit_columns(columns, 53, ("C", "B")) == {"A": 31, "B": 20}


def test_words_hang_over_only_where_nothing_else_is_left() -> None:
    columns = [Width("A", 60, 32, 8), Width("B", 46, 32, 8), Width("C", 16, 16, 16)]
    assert fit_columns(columns, 84) == {"A": 32, "B": 32, "C": 16}
    assert fit_columns(columns, 80) == {"A": 28, "B": 32, "C": 16}
    assert fit_columns(columns, 1) == {"A": 8, "B": 8, "C": 16}
    prose = [Width("A", 60, 32, 8, prose=True), Width("B", 32, 32, 8)]
    assert fit_columns(prose, 50) == {"A": 32, "B": 16}, "names hang over, sentences stay readable"


HOST = "reverse-proxy-frontend-madrid-0017.example.com"
PATH = "/srv/infrastructure/webservers/reconfigure-reverse-proxies.yml"
LONG: list[dict[str, Any]] = [
    {"host": HOST, "state": "on", "path": PATH, "said": "it was not there"},
    {"host": "web01", "state": "off", "path": "/a", "said": None},
]


def test_a_long_word_is_whole_and_what_follows_begins_a_line_lower() -> None:
    columns = {"HOST": "host", "STATE": "state", "PATH": "path", "SAID": "said"}
    assert drawn(table(LONG, columns), 80) == [
        "HOST                   STATE  PATH                              SAID",
        HOST,
        "                       on",
        f"{PATH:>80}",
        "                                                                it was not there",
        "web01                  off    /a                                –",
    ]
    for width in (20, 40, 60, 80, 120, 200):
        shown = drawn(table(LONG, columns), width)
        for name in (HOST, PATH, "web01"):
            assert any(name in line.split() for line in shown), (width, name)
            assert name in "\n".join(drawn(fields({"a": name, "host": HOST}, {}), width)).split()


def test_a_spare_column_without_a_value_is_not_there() -> None:
    view = table([{"a": 1, "b": None}, {"a": 0, "b": ""}], {"A": "a", "B": "b"}, spare=("A", "B"))
    assert drawn(view, 80) == ["A", "1", "0"]
    assert view.left_out(80) == []


def test_lists_with_very_long_names_stay_within_80_columns_and_fold_no_moment() -> None:
    playbook = "infrastructure/webservers/reconfigure-reverse-proxies-and-certificates"
    host, moment = "reverse-proxy-frontend-madrid-0017.example.com", "2026-11-25 01:01"
    runs = [{"RUN": 5, "STARTED": moment, "WHAT": playbook, "TARGET": host, "STATUS": "failed"}]
    when = "Fri 2026-12-25 01:01:17"
    task = {"ID": 2, "NAME": "Renew all certificates", "TARGET": f"host {host}"}
    tasks = [{**task, "PLAYBOOK": playbook, "STATUS": "pending", "NEXT": when}]
    for shapes, whole, kept in (
        (runs, history.WHOLE, moment),
        (tasks, ("ID", "NEXT"), when),
    ):
        lines = drawn(table(shapes, {key: key for key in shapes[0]}, whole=whole), 80)
        assert max(map(len, lines)) <= 80
        assert sum(kept in line for line in lines) == 1
        assert all(any(str(each) in line for line in lines) for each in (host, playbook))


def test_lists_with_names_as_people_have_them_fold_no_row_at_80_columns() -> None:
    host = {
        "name": "web-frontend-03",
        "ip": "10.104.200.123",
        "environment": "PRODUCTION",
        "groups": "web-frontend",
        "vcenter": "vcenter-madrid",
        "active": True,
        "description": "nginx in front of the shop",
    }
    vcenter = {
        "name": "vcenter-madrid",
        "server": "vcenter-prod01.datacenter.example.com:443",
        "username": "svc-diaken@vsphere.local",
        "secret": "command",
        "tls": "insecure",
        "datacenter": "Madrid",
        "hosts": 120,
    }
    run = {
        "id": 1234,
        "kind": "snapshot",
        "started_at": "2026-11-24T03:00:00Z",
        "duration_seconds": 754.0,
        "what": "snapshot revert",
        "target": "web-frontend-03",
        "environment": "PRODUCTION",
        "status": "interrupted",
        "user": "root",
        "task": "Patch web",
        "totals": {
            "hosts": 12,
            "success": 8,
            "failed": 4,
            "unreachable": 0,
            "skipped": 0,
            "aborted": 0,
        },
        "without_snapshot": 0,
    }
    runs = history.list_columns(Console(file=io.StringIO(), width=80), [run])
    for shape, view in (
        (host, table([host], HOST_COLUMNS, spare=("ACTIVE", *HOST_SPARE))),
        (host, table([host], HOST_COLUMNS, spare=HOST_SPARE)),
        (vcenter, table([vcenter], VCENTER_COLUMNS, whole=("SERVER",), spare=VCENTER_SPARE)),
        (run, table([run], runs, spare=history.SPARE)),
    ):
        lines = drawn(view, 80)
        assert len(lines) == 2, lines
        assert max(map(len, lines)) <= 80
        assert str(next(iter(shape.values()))) in lines[1]
        assert view.left_out(200) == []
    left_out = table([run], runs, spare=history.SPARE).left_out(80)
    assert left_out == ["ENV", "OK/HOSTS", "TOOK", "BY"]
