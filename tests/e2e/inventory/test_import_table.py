"""`hosts import --csv`: planned, done, done twice at the same time, and in no long time."""

import json
import resource
import subprocess
from pathlib import Path

import pytest

from diaken_cli.actions.inventory import add_environment, add_group
from tests.e2e.cli import DIAKEN, Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """TEST with no group in it."""
    cli = Cli(tmp_path)
    add_environment(cli.store, name="TEST")
    return cli


def write_table(cli: Cli, *lines: str) -> str:
    path = cli.folder / "hosts.csv"
    path.write_text("\n".join(lines))
    return str(path)


def actions(table: str) -> list[str]:
    """The column ACTION of a table."""
    heading, *lines = table.splitlines()
    cells = [line[heading.index("ACTION") :].split() for line in lines]
    return [cell[0] for cell in cells if cell]


def test_a_table_is_planned_then_imported(cli: Cli) -> None:
    add_group(cli.store, name="web", environment="TEST", variables=())
    path = write_table(
        cli,
        "name;ip;group;port;var.role",
        "web01;10.0.4.21;web;2222;front",
        "web02;10.0.4.999;web;;",
        "db01;10.0.4.23;db;;",
    )
    call = ("hosts", "import", "--csv", path, "--environment", "TEST")
    plan = cli.run(*call, "--dry-run")
    assert plan.status == 3
    assert "db (new)" in plan.out
    assert "line 3, column ip: '10.0.4.999' is not an IPv4 address" in plan.out
    assert "2 to create" in plan.err
    assert actions(plan.out) == ["create", "skipped", "create"]
    assert [each["status"] for each in cli.json(*call, "--dry-run", status=3)] == [
        "planned",
        "failed",
        "planned",
    ]
    done = cli.run(*call)
    assert (done.status, actions(done.out)) == (3, ["created", "skipped", "created"])
    web01 = cli.json("hosts", "show", "web01")
    assert (web01["port"], web01["vars"]) == (2222, {"role": "front"})
    write_table(cli, "name,ip,group", "web01,10.0.4.21,web", "db01,10.0.4.24,db")
    lines = [json.loads(line) for line in cli.run(*call, "--output", "jsonl").out.splitlines()]
    assert [line["action"] for line in lines] == ["unchanged", "skipped"]
    again = cli.run(*call)
    assert again.status == 0  # what is there already is no mistake
    assert actions(again.out) == ["unchanged", "skipped"]
    assert cli.json("hosts", "show", "db01")["ip"] == "10.0.4.23"


def test_a_table_comes_from_standard_input_a_pipe_too(cli: Cli) -> None:
    call = ("hosts", "import", "--csv", "-", "--environment", "TEST", "--json")
    done = cli.run(*call, input="name,ip\nweb01,10.0.4.21\nweb02,10.0.4.999\n")
    assert (done.status, [row["status"] for row in json.loads(done.out)]) == (
        *(3, ["created", "failed"]),
    )
    empty = cli.run(*call, input="")
    assert empty.status == 2
    assert "is empty" in json.loads(empty.out)["error"]["message"]
    at_terminal = cli.at_a_terminal(*call[:-1])
    assert (at_terminal.status, "it is a terminal: pipe a table" in at_terminal.out) == (2, True)


def test_of_two_imports_at_the_same_time_each_host_comes_once(cli: Cli) -> None:
    path = write_table(cli, "name,ip,group", *(f"h{n},10.0.5.{n},g{n % 5}" for n in range(1, 200)))
    argv = [*DIAKEN, "hosts", "import", "--csv", path, "--environment", "TEST", "--json"]
    both = [
        subprocess.Popen(
            argv, env=cli.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    ends = [(each.communicate(timeout=120)[1].decode(), each.returncode) for each in both]
    assert min(status for _, status in ends) == 0, ends
    assert {status for _, status in ends} <= {0, 12}, ends
    assert len(cli.store.inventory.hosts()) == 199
    assert cli.hosts_file.read_text().count("\t") == 200  # and localhost


def test_a_thousand_hosts_take_a_moment(cli: Cli) -> None:
    """Measured in CPU time, which a busy machine does not stretch much."""
    lines = [f"h{n},10.1.{n // 250}.{n % 250 + 1},g{n % 40},front" for n in range(1000)]
    path = write_table(cli, "name,ip,group,var.role", *lines)

    def cpu(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert cli.run(*arguments).status == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    start_up = cpu("hosts", "list", "--json")
    assert cpu("hosts", "import", "--csv", path, "--environment", "TEST", "--json") - start_up < 3
    assert len(cli.store.inventory.hosts()) == 1000
    assert cpu("hosts", "import", "--csv", path, "--environment", "TEST", "--json") - start_up < 4


def test_the_environment_is_asked_for(cli: Cli) -> None:
    source = cli.folder / "hosts.yml"
    source.write_text("all: {hosts: {web01: {ansible_host: 10.0.4.21}}}\n")
    answers = [("Environment (TEST; empty: TEST)", "")]
    done = cli.at_a_terminal("hosts", "import", "--inventory", str(source), answers=answers)
    assert done.status == 0, done.out
    assert f"diaken hosts import --inventory {source} --environment TEST" in done.out
