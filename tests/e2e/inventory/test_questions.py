"""The inventory's commands on a terminal: what is missing is asked for."""

import subprocess

from tests.e2e.cli import Cli


def test_what_a_host_lacks_is_asked_for(places: Cli) -> None:
    answers = [
        ("Host name: ", "a host"),
        ("Host name: ", "web01"),
        ("IPv4 address: ", "10.0.4.21"),
        ("Environment (PROD, TEST): ", "PRD"),
        ("Environment (PROD, TEST): ", "PROD"),
        ("Group (db, web; empty: none): ", "web"),
    ]
    done = places.at_a_terminal("hosts", "add", "--description", "a b", answers=answers)
    assert done.status == 0, done.out
    assert "'a host' is not a host name" in done.out
    assert "'PRD' is not one of: PROD, TEST" in done.out
    same = (
        "diaken hosts add --description 'a b' web01 --ip 10.0.4.21 --environment PROD --group web"
    )
    assert same in done.out
    assert places.json("hosts", "show", "web01")["group"] == "web"
    answers = [
        ("Host name: ", "WEB01"),
        ("host web01 already exists (10.0.4.21, PROD)", "web02"),
        ("IPv4 address: ", "10.0.4.21"),
        ("10.0.4.21 is in use by host web01 (PROD)", "10.0.4.22"),
    ]
    done = places.at_a_terminal(
        "hosts", "add", "--environment", "PROD", "--group", "web", answers=answers
    )
    assert done.status == 0, done.out


def test_a_name_that_exists_is_refused_before_anything_is_asked(places: Cli) -> None:
    """Also what else was typed wrong; who gave all of it is told all mistakes as ever."""
    place = ("--ip", "10.0.4.21", "--environment", "PROD")
    assert places.run("hosts", "add", "web01", *place).status == 0
    for words, status, said in (
        (("vcenters", "add", "main"), 12, "error: NAME: vCenter main already exists"),
        (("hosts", "add", "web01"), 12, "error: NAME: host web01 already exists"),
        (("hosts", "add", "--ip", "x"), 2, "error: --ip: 'x' is not an IPv4 address"),
        (("schedule", "add", "12"), 2, "error: NAME: "),
    ):
        done = places.at_a_terminal(*words)
        assert (done.status, said in done.out) == (status, True), done.out
        assert "without questions" not in done.out
    done = places.at_a_terminal("hosts", "add", "web01", "--ip", "x", "--environment", "NONE")
    assert done.status == 2
    assert "--environment: unknown environment 'NONE'. Known: PROD, TEST" in done.out


def test_nothing_is_asked_where_nothing_is_missing_or_nobody_may_ask(places: Cli) -> None:
    whole = ("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    done = places.at_a_terminal(*whole)
    assert (done.status, "without questions" in done.out) == (0, False)
    done = places.at_a_terminal("hosts", "add", "--no-input")
    assert done.status == 2
    assert "--environment: is required" in done.out


def test_an_ambiguous_group_and_a_removal_are_asked_about(places: Cli) -> None:
    which = ("Environment of group web (PROD, TEST): ", "TEST")
    done = places.at_a_terminal(
        "groups", "remove", "web", answers=[which, ("Remove group web of environment TEST?", "n")]
    )
    assert done.status == 130
    assert len(places.json("groups", "list")) == 3
    done = places.at_a_terminal(
        "groups", "remove", "web", answers=[which, ("Remove group web of environment TEST?", "y")]
    )
    assert done.status == 0, done.out
    assert "diaken groups remove web --environment TEST" in done.out
    assert len(places.json("groups", "list")) == 2


def test_where_a_password_is_is_asked_for(cli: Cli) -> None:
    done = cli.at_a_terminal(
        *("vcenters", "add", "main", "--no-test"),
        answers=[
            ("Server, HOST[:PORT]: ", "https://vc"),
            ("Server, HOST[:PORT]: ", "vc.example.com"),
            ("Username: ", "u"),
            ("(command, file, variable): ", "command"),
            ("Command that prints it: ", "pass show vcenter"),
            ("Certificate verification (system, ca-file, insecure; empty: system): ", ""),
        ],
    )
    assert done.status == 0, done.out
    assert cli.json("vcenters", "show", "main")["tls"] == "verify"
    assert "--username u --password-command 'pass show vcenter'" in done.out
    assert cli.json("vcenters", "show", "main")["secret"] == "command"


def test_too_many_wrong_answers_are_said_to_be(places: Cli) -> None:
    asked = "Where is the password? (command, file, variable): "
    account = ("--server", "vc.example.com", "--username", "u")
    done = places.at_a_terminal(
        *("vcenters", "add", *account), answers=[("vCenter: ", "other"), *[(asked, "conf")] * 5]
    )
    said = "too many wrong answers: 'conf' is not one of: command, file, variable"
    assert (done.status, f"error: Where is the password: {said}" in done.out) == (2, True), done.out
    assert "without questions" not in done.out
    assert f"Go on with: diaken vcenters add {' '.join(account)} other" in done.out
    done = places.at_a_terminal(
        *("hosts", "add"), answers=[("Host name: ", "web01"), *[("IPv4 address: ", "debian12")] * 5]
    )
    said = "too many wrong answers: 'debian12' is not an IPv4 address"
    assert (done.status, f"error: --ip: {said}" in done.out) == (2, True), done.out
    places.run("environments", "add", "EMPTY")
    done = places.at_a_terminal(
        *("environments", "remove", "EMPTY"), answers=[("[y/N]: ", "what")] * 5
    )
    assert (done.status, "too many wrong answers" in done.out) == (130, True), done.out


def test_a_vcenters_name_and_its_certificate_are_checked_when_they_are_given(cli: Cli) -> None:
    authority = cli.folder / "ca.pem"
    subject = ("-subj", "/CN=ca", "-keyout", str(cli.folder / "key"), "-out", str(authority))
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", *subject],
        check=True,
        capture_output=True,
    )
    place = ("--server", "vc", "--username", "u", "--password-env", "VC", "--no-test")
    assert cli.run("vcenters", "add", "main", *place).status == 0
    done = cli.at_a_terminal(
        *("vcenters", "add", *place),
        answers=[
            ("Name for the vCenter: ", "main"),
            ("vCenter main already exists", "second"),
            ("(system, ca-file, insecure; empty: system): ", "ca-file"),
            ("certificate file (PEM): ", "none.pem"),
            ("none.pem does not exist", str(authority)),
        ],
    )
    assert done.status == 0, done.out
    assert f"second --ca-file {authority}" in done.out
    assert cli.json("vcenters", "show", "second")["tls"] == "ca-file"
    done = cli.at_a_terminal(
        *("vcenters", "add", *place),
        answers=[
            ("Name for the vCenter: ", "third"),
            ("(system, ca-file, insecure; empty: system): ", "insecure"),
        ],
    )
    assert "third --insecure" in done.out
    assert cli.json("vcenters", "show", "third")["tls"] == "insecure"
