"""Tables of hosts: how they are read, and what of them never gets any further."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diaken_cli.actions.importing.candidates import Action, ImportRow
from diaken_cli.actions.importing.csv_file import COLUMNS, parse, read_csv
from diaken_cli.actions.importing.plan import plan
from diaken_cli.errors import InvalidInput
from diaken_cli.render.inventory import import_as_json
from diaken_cli.services.ansible import inventory
from diaken_cli.services.ansible.work import Target
from diaken_cli.services.hosts_file import Entry, block_lines, render_block
from tests.unit.importing.planning import PLACES


def rows(text: str, environment: str | None = "PROD", group: str | None = None) -> list[ImportRow]:
    return list(plan(parse(text, "t"), PLACES, [], environment=environment, group=group).rows)


def refused(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        parse(text, "t.csv")
    assert all(mistake.option == "--csv" for mistake in caught.value.mistakes)
    return [mistake.message for mistake in caught.value.mistakes]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_spreadsheets_save_it_in_many_ways(tmp_path: Path, delimiter: str, newline: str) -> None:
    lines = ["", '"Name",IP,Description,var.role', "", 'web01, 10.0.4.21 , "a ""b""",x', ",,,"]
    lines += ["db01,10.0.4.22,,"]
    path = tmp_path / "hosts.csv"
    text = newline.join(line.replace(",", delimiter) for line in lines)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    first, second = read_csv(path).candidates
    assert (first.name, first.options.ip, first.options.description) == (
        "web01",
        "10.0.4.21",
        'a "b"',
    )
    assert first.variables == {"role": "x"}
    assert first.origin == "line 4"
    assert (second.name, second.options.description, second.variables) == ("db01", None, {})
    assert second.origin == "line 6"


def test_a_file_that_is_no_such_table_is_refused_with_line_and_column(tmp_path: Path) -> None:
    assert refused("") == ["is empty: a header row with at least name and ip is needed"]
    assert refused("\n\n")[0].startswith("is empty")
    wrong = refused("\nname,nmae,name,var.ansible_password,var.1\n")
    assert wrong[0] == "line 2: column ip is missing"
    assert wrong[1] == "line 2: column 'name' appears 2 times"
    assert "unknown column 'nmae'; known: name, ip, environment" in wrong[2]
    assert wrong[3] == (
        "line 2: column 'var.ansible_password' would store a password; hosts are reached with SSH"
        " keys only (the host's key, or [ssh] key)"
    )
    assert wrong[4].startswith("line 2: column 'var.1' is not a variable name: ")
    assert refused('name,ip\nweb01,10.0.4.21\ndb01,"10.0\n')[0].startswith(
        "line 3 is not valid CSV"
    )
    path = tmp_path / "latin.csv"
    path.write_bytes("name,ip,description\nx,1.2.3.4,é\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match="line 2 is not UTF-8"):
        read_csv(path)


def test_every_mistake_of_a_row_is_told_with_its_line_and_column() -> None:
    text = "name,ip,environment,port,active,vm_uuid,vcenter\n"
    text += "a b,10.0.4,NO,x,perhaps,1,none\nweb01,10.0.4.21,PROD\nweb02,10.0.4.22,,,,,\n"
    wrong, short, nowhere = rows(text, environment=None)
    assert [part.partition(":")[0] for part in (wrong.reason or "").split("; line")] == [
        *("line 2, column active", " 2, column name", " 2, column ip", " 2, column environment"),
        *(" 2, column vcenter", " 2, column vm_uuid", " 2, column port"),
    ]
    assert (short.name, short.reason) == (None, "line 3 has 3 columns, the header has 7")
    assert nowhere.reason == "line 4, column environment: is required; known: PROD, TEST"
    assert all(each.mistake and each.action is Action.SKIPPED for each in (wrong, short, nowhere))


def test_options_win_over_columns() -> None:
    text = "name,ip,environment,group\nweb01,10.0.4.21,TEST,app\n"
    (row,) = rows(text, environment=None)
    assert (row.environment, row.groups, row.new_groups) == ("TEST", ("app",), ("app",))
    (row,) = rows(text, group="web")
    assert (row.environment, row.groups, row.new_groups) == ("PROD", ("web",), ())
    (row,) = rows(text, environment=None, group="web")  # TEST has no such group
    assert row.mistake
    assert "column group: unknown group 'web'" in (row.reason or "")


@pytest.mark.parametrize(
    ("first", "delimiter"), [("sep=;", ";"), ('"sep=;"', ";"), ("SEP=\t", "\t"), ("sep=,", ",")]
)
def test_the_line_that_tells_excel_the_separator_is_no_header(first: str, delimiter: str) -> None:
    lines = (f"name{delimiter}ip", f"web01{delimiter}10.0.4.21")
    (candidate,) = parse("\r\n".join((first, *lines)), "t").candidates
    assert (candidate.origin, candidate.name, candidate.options.ip) == (
        *("line 3", "web01", "10.0.4.21"),
    )


def test_a_row_names_several_groups(tmp_path: Path) -> None:
    text = "name;ip;group;groups\na;10.0.4.1;;web, db\nb;10.0.4.2;web;"
    text += '"app;web monitored"\nc;10.0.4.3;;\nd;10.0.4.4;;a.b\n'
    first, second, third, fourth = rows(text)
    assert (first.groups, first.new_groups) == (("web", "db"), ("db",))
    assert second.groups == ("web", "app", "monitored")
    assert third.groups == ()
    assert fourth.mistake
    path = tmp_path / "unicode.csv"
    path.write_text(text, "utf-16")
    with pytest.raises(InvalidInput, match="is UTF-16; save it as CSV UTF-8"):
        read_csv(path)


HOSTILE = [
    "{{ lookup('pipe', 'id') }}",
    "{% if 1 %}",
    "web01\n10.6.6.6 www.example.com",
    "# END DIAKEN",
    "web01 ansible_connection=local",
    "[all:vars]",
    "-oProxyCommand=id",
    "/{{1}}/python",
    "\x1b[2J",
    "a\0b",
    "\u2028",
    "all",
    "=cmd()",
]
CELL = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8))
GOOD = {
    "name": st.from_regex(r"[a-z]{3,8}", fullmatch=True),
    "ip": st.builds("10.0.{}.{}".format, st.integers(0, 255), st.integers(1, 254)),
    "group": st.sampled_from(["web", "new"]),
    "groups": st.sampled_from(["web", "new,old", "a;b c"]),
    "user": st.just("ops"),
    "python": st.sampled_from(["/usr/bin/python3", "auto"]),
    "active": st.sampled_from(["yes", "no"]),
}
TABLE_COLUMNS = (*COLUMNS, "var.a", "var.b")
ROW = st.fixed_dictionaries(
    {
        each: st.one_of(GOOD.get(each, st.just("")), GOOD.get(each, st.just("")), CELL)
        for each in TABLE_COLUMNS
    }
)
LINE = re.compile(rb"\d+\.\d+\.\d+\.\d+\t[A-Za-z0-9._-]+( [A-Za-z0-9_-]+)?")


@settings(max_examples=100, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=6))
def test_nothing_hostile_reaches_the_hosts_file_or_ansible(table: list[dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, TABLE_COLUMNS)
    writer.writeheader()
    writer.writerows(table)
    planned = rows(text.getvalue())
    json.dumps([import_as_json(each, dry_run=True) for each in planned]).encode()
    new = [each for each in planned if each.action is Action.CREATE and each.values is not None]
    assert len({(each.name or "").casefold() for each in new}) == len(new)
    assert len({each.ip for each in new}) == len(new)
    entries = [Entry(each.ip or "", each.name or "") for each in new]
    block = render_block(block_lines(entries)[0], "database")
    assert len(block) == 3 + len(new)
    assert all(LINE.fullmatch(line) for line in block[2:-1])
    for each in new:
        assert each.values is not None
        values = each.values
        target = Target(each.name or "", values.ip, values.user, values.port, None, values.python)
        for value in (*inventory.connection(target).values(), *each.groups, *values.vars.values()):
            assert not {"{{", "{%"} & {str(value)[n : n + 2] for n in range(len(str(value)))}
        assert all(
            str(value).isprintable() and " " not in str(value)
            for value in inventory.connection(target).values()
        )
        assert set(values.vars) <= {"a", "b"}
