"""Environments and groups, as a script calls for them."""

from tests.e2e.cli import Cli
from tests.e2e.places import add


def test_environments_count_what_is_in_them(places: Cli) -> None:
    add(places, "web01", "10.0.4.21", group="web")
    assert places.json("environments", "list") == [
        {"name": "PROD", "groups": 2, "hosts": 1, "vars": {}},
        {"name": "TEST", "groups": 1, "hosts": 0, "vars": {}},
    ]
    assert places.error(12, "environments", "add", "PROD")["code"] == "in_use"
    assert places.mistakes(2, "environments", "add", "all") == ["NAME"]
    error = places.error(12, "environments", "remove", "PROD", "--yes")
    assert "groups db, web; hosts web01" in error["message"]
    assert "PROD" in places.error(11, "environments", "remove", "PRD", "--yes")["hint"]


def test_environments_have_variables(places: Cli) -> None:
    added = places.json("environments", "add", "LAB", "--var", "ntp=10.0.0.1", "--var", "b=x=y")
    assert added["vars"] == {"ntp": "10.0.0.1", "b": "x=y"}
    changed = places.json("environments", "set", "LAB", "--unset-var", "b", "--var", "c=3")
    assert changed == {**added, "vars": {"ntp": "10.0.0.1", "c": "3"}}
    assert places.json("environments", "list")[0] == changed
    assert places.mistakes(
        2, "environments", "set", "LAB", "--var", "x", "--unset-var", "b", "--var", "ansible_port=1"
    ) == ["--unset-var", "--var", "--var"]
    wrong = ("environments", "add", "all", "--var", "ansible_ssh_pass=s3cret")
    assert places.mistakes(2, *wrong) == ["NAME", "--var"]
    assert "nothing to change" in places.error(2, "environments", "set", "LAB")["message"]
    assert "LAB" in places.error(11, "environments", "set", "LIB", "--var", "a=1")["hint"]


def test_groups_have_variables(places: Cli) -> None:
    where = ("--environment", "PROD")
    added = places.json("groups", "add", "app", *where, "--var", "a=1", "--var", "b=x=y")
    assert added == {
        "name": "app",
        "environment": "PROD",
        "hosts": 0,
        "vars": {"a": "1", "b": "x=y"},
    }
    changed = places.json("groups", "set", "app", "--unset-var", "a", "--var", "c=3")
    assert changed["vars"] == {"b": "x=y", "c": "3"}
    assert places.mistakes(
        2, "groups", "set", "app", "--var", "x", "--unset-var", "none", "--var", "ansible_host=x"
    ) == ["--unset-var", "--var", "--var"]
    secret = places.error(2, "groups", "set", "app", "--var", "ansible_become_password=s3cret")
    assert "would store a password" in secret["message"]
    assert "s3cret" not in str(secret), "what is refused for being a secret is not printed either"
    assert [each["value"] for each in secret["mistakes"]] == ["ansible_become_password"]
    assert [g["name"] for g in places.json("groups", "list", "--environment", "TEST")] == ["web"]
    assert places.mistakes(2, "groups", "list", "--environment", "NO") == ["--environment"]


def test_a_group_name_of_several_environments_is_never_guessed(places: Cli) -> None:
    for call in (
        ("groups", "remove", "web", "--yes"),
        ("groups", "set", "web", "--var", "a=1"),
        ("hosts", "list", "--group", "web"),
    ):
        error = places.error(2, *call)
        assert [each["option"] for each in error["mistakes"]] == ["--environment"]
        assert "PROD, TEST" in error["message"]
    places.json("groups", "remove", "web", "--environment", "TEST", "--yes")
    assert places.json("groups", "set", "web", "--var", "a=1")["environment"] == "PROD"
    assert places.error(11, "groups", "set", "nope")["code"] == "not_found"
    assert places.mistakes(2, "groups", "set", "web", "--environment", "NO") == ["--environment"]
    assert "nothing to change" in places.error(2, "groups", "set", "web")["message"]


def test_mixed_mistakes_are_usage_and_names_in_use_alone_a_conflict(places: Cli) -> None:
    call = ("groups", "add", "web", "--environment", "PROD")
    assert places.mistakes(12, *call) == ["NAME"]
    assert places.mistakes(2, *call, "--var", "x") == ["NAME", "--var"]


def test_what_is_lost_is_lost_only_after_a_yes(places: Cli) -> None:
    places.json("hosts", "add", "web01", "--ip", "10.0.4.1", "--environment", "TEST", "--yes")
    places.json("environments", "add", "SPARE", "-y")
    for words in (
        ("groups", "remove", "web", "--environment", "TEST"),
        ("hosts", "remove", "web01"),
        ("environments", "remove", "SPARE"),
        ("vcenters", "remove", "main"),
    ):
        assert "confirm with --yes" in places.error(2, *words)["message"]
        assert places.run(*words, "--yes").status == 0, words
