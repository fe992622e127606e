"""Which questions lead to a host or a group: no more of them than it takes to list the choices."""

from diaken_cli.commands.line_input import ATTEMPTS, SHOWN
from tests.e2e.cli import Cli, Done
from tests.e2e.places import add

PLAYBOOK = ("Playbook (", "basic_info")


def planned(cli: Cli, kind: str, *answers: tuple[str, str]) -> Done:
    return cli.at_a_terminal("run", kind, "--dry-run", answers=[*answers, PLAYBOOK])


def test_a_host_is_asked_for_at_once_where_all_can_be_listed(places: Cli) -> None:
    add(places, "web01", "10.0.9.1", group="web")
    add(places, "db01", "10.0.9.2", group="db")
    done = planned(places, "host", ("Host (db01, web01): ", "db01"))
    assert "run host --dry-run db01 basic_info" in done.out
    assert "Group" not in done.out
    done = places.at_a_terminal("run", "host", answers=[("Host (db01, web01): ", "")] * ATTEMPTS)
    assert done.status == 2
    assert done.out.count("a value is required; Ctrl-C cancels") == ATTEMPTS - 1
    last = done.out.splitlines()[-1]
    assert "too many wrong answers: a value is required" in last
    assert "Ctrl-C" not in last, "it has ended"


def test_of_many_hosts_one_is_named_or_found_step_by_step(places: Cli) -> None:
    add(places, "web01", "10.0.9.1", group="web")
    for number in range(SHOWN):
        add(places, f"db{number:02}", f"10.0.8.{number}", group="db")
    which = "Host (empty: choose step by step): "
    done = planned(places, "host", (which, "nosuch"), ("'nosuch' is not one of: ", "db0\t7"))
    assert "run host --dry-run db07 basic_info" in done.out
    group = "Group of the host (db, web; empty: any): "
    steps = ((which, ""), (group, "web"), ("Host (web01; empty: web01): ", ""))
    done = planned(places, "host", *steps)
    assert "run host --dry-run web01 basic_info" in done.out
    done = planned(places, "host", (which, ""), (group, ""), ("Host", "db07"))
    assert "run host --dry-run db07 basic_info" in done.out


def test_a_group_of_the_only_environment_with_hosts_is_asked_for_at_once(places: Cli) -> None:
    """The line that needs no question names the environment: another one may get such a group."""
    add(places, "web01", "10.0.9.1", group="web")
    add(places, "db01", "10.0.9.2", group="db")
    done = planned(places, "group", ("Group of PROD (db, web): ", "db"))
    assert "run group --dry-run db --environment PROD basic_info" in done.out
    done = planned(places, "group", ("Group of PROD (db, web): ", "web"))
    assert "run group --dry-run web --environment PROD basic_info" in done.out
    done = places.at_a_terminal("run", "group", "db", "--dry-run", answers=[PLAYBOOK])
    assert "run group db --dry-run basic_info --environment PROD" in done.out


def test_a_group_that_answers_whose_stands_with_its_environment(places: Cli) -> None:
    """As above: the line means this group also when another environment gets one of that name."""
    add(places, "db01", "10.0.9.2", group="db")
    task = ("schedule", "add", "Look", "--playbook", "basic_info", "--every", "0 3 * * *")
    done = places.at_a_terminal(*task, answers=[("Target (host or group name; ", "db")])
    assert done.status == 0, done.out
    assert "--every '0 3 * * *' --group db --environment PROD" in done.out
