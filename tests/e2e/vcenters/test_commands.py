"""`diaken vcenters`, against a simulated vCenter: by password command, file and variable."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from diaken_cli.actions.hosts import add_host
from diaken_cli.actions.inventory import add_environment
from diaken_cli.inventory_options import HostOptions
from diaken_cli.services.vsphere.snapshots import create_snapshot
from diaken_cli.services.vsphere.vms import find_vms
from tests.e2e.cli import Cli
from tests.integration.vsphere.simulator import PASSWORD, USERNAME, Simulator, finish
from tests.lab_fixture import Lab
from tests.seeding import MORNING

AUTOMATIC = "Before executing update - 2026-11-24 04:00:00"


SET_NOWHERE = ("vcenters", "set", "main", "--server", "127.0.0.1:1")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("vcenter"), vms=1) as simulator:
        yield simulator


@pytest.fixture
def cli(tmp_path: Path, simulator: Simulator) -> Cli:
    simulator.order("clear")
    return Cli(tmp_path)


def added(cli: Cli, simulator: Simulator, *options: str) -> Cli:
    """With a vCenter `main`; the password is in a file unless the options say otherwise."""
    if not any(option.startswith("--password") for option in options):
        options += ("--password-file", str(password_file(cli)))
    cli.json(
        *("vcenters", "add", "main", "--server", f"127.0.0.1:{simulator.port}"),
        *("--username", USERNAME, "--ca-file", str(simulator.certificate), *options),
    )
    return cli


def password_file(cli: Cli, content: str = PASSWORD) -> Path:
    path = cli.folder / "password"
    path.write_text(f"{content}\n")
    path.chmod(0o600)
    return path


# ── add, set, show, list ─────────────────────────────────────────────────────────────────────


def test_an_empty_datacenter_adds_no_vcenter_without_a_limit(cli: Cli) -> None:
    words = ("--server", "vc", "--username", "u", "--password-env", "A", "--no-test")
    assert cli.mistakes(2, "vcenters", "add", "main", *words, "--datacenter", "") == [
        "--datacenter"
    ]
    cli.json("vcenters", "add", "main", *words, "--datacenter", "DC0")
    changed = cli.json("vcenters", "set", "main", "--datacenter", "", "--no-test")
    assert changed["datacenter"] is None


def test_a_vcenter_is_shown_without_its_secret(cli: Cli) -> None:
    shape = cli.json(
        *("vcenters", "add", "main", "--server", "vc.example.com", "--username", "u"),
        *("--password-command", "pass show vcenter", "--no-test"),
    )
    assert shape == {
        "name": "main",
        "server": "vc.example.com:443",
        "username": "u",
        "secret": "command",
        "tls": "verify",
        "datacenter": None,
        "hosts": 0,
        "secret_ref": "pass show vcenter",
        "ca_file": None,
    }
    assert cli.json("vcenters", "show", "main") == shape
    assert "secret      command pass show vcenter\n" in cli.run("vcenters", "show", "main").out
    assert cli.json("vcenters", "list") == [shape]
    change = ("vcenters", "set", "main", "--no-test")
    changed = cli.json(*change, "--insecure", "--password-env", "VC_PASSWORD")
    assert changed == {**shape, "tls": "insecure", "secret": "env", "secret_ref": "VC_PASSWORD"}
    assert "secret      variable VC_PASSWORD\n" in cli.run("vcenters", "show", "main").out
    assert cli.json(*change, "--no-insecure", "--datacenter", "DC0") == {
        **changed,
        "tls": "verify",
        "datacenter": "DC0",
    }
    assert "nothing to change" in cli.error(2, "vcenters", "set", "main")["message"]
    assert cli.json("vcenters", "remove", "main", "--yes")["name"] == "main"
    assert cli.error(11, "vcenters", "show", "main")["code"] == "not_found"


def test_all_the_mistakes_of_a_vcenter_are_told_at_once(cli: Cli) -> None:
    assert cli.mistakes(2, "vcenters", "add") == [
        *("NAME", "--server", "--username", "--password-command"),
    ]
    assert cli.mistakes(
        2,
        *("vcenters", "add", "a b", "--server", "https://vc", "--username", "u"),
        *("--password-file", "none", "--password-env", "A", "--ca-file", "none", "--insecure"),
    ) == ["NAME", "--server", "--password-file", "--ca-file", "--insecure"]
    whole = ("vcenters", "add", "main", "--server", "vc", "--username", "u", "--password-env", "A")
    cli.json(*whole, "--no-test")
    assert cli.mistakes(12, *whole) == ["NAME"]
    assert cli.mistakes(2, *whole, "--ca-file", "none") == ["NAME", "--ca-file"]


def test_a_vcenter_that_does_not_let_us_in_is_not_stored(cli: Cli, simulator: Simulator) -> None:
    password = password_file(cli, "wrong")
    here = ("vcenters", "add", "main", "--server", f"127.0.0.1:{simulator.port}")
    account = ("--username", USERNAME, "--password-file", str(password))
    trusted = ("--ca-file", str(simulator.certificate))
    refused = cli.error(13, *here, *account, *trusted)
    assert (refused["code"], "Nothing was stored" in refused["hint"]) == ("login", True)
    password_file(cli)
    assert cli.error(13, *here, *account)["code"] == "certificate"
    nowhere = ("vcenters", "add", "main", "--server", "127.0.0.1:1")
    assert cli.error(13, *nowhere, *account, *trusted)["code"] == "unreachable"
    elsewhere = (*here, *account, *trusted, "--datacenter", "DC9")
    (mistake,) = cli.error(2, *elsewhere)["mistakes"]
    assert (mistake["option"], "/DC0" in mistake["message"]) == ("--datacenter", True)
    password.chmod(0o644)
    for more in ((), ("--no-test",)):
        opened = cli.error(10, *here, *account, *trusted, *more)
        assert (opened["code"], "chmod 600" in opened["hint"]) == ("secret", True)
    assert cli.json("vcenters", "list") == []


def test_what_a_vcenter_refuses_is_asked_for_again_and_the_rest_is_kept(
    cli: Cli, simulator: Simulator
) -> None:
    wrong, right = password_file(cli, "wrong").rename(cli.folder / "wrong"), password_file(cli)
    server = f"127.0.0.1:{simulator.port}"
    verified = "Certificate verification (system, ca-file, insecure; empty: system): "
    done = cli.at_a_terminal(
        *("vcenters", "add", "main"),
        answers=[
            ("Server, HOST[:PORT]: ", "127.0.0.1:1"),
            ("Username: ", USERNAME),
            ("Where is the password? (command, file, variable): ", "file"),
            ("Password file: ", str(wrong)),
            (verified, ""),
            ("Server, HOST[:PORT] (empty: 127.0.0.1:1): ", server),
            (verified, "ca-file"),
            ("CA certificate file (PEM): ", str(simulator.certificate)),
            (f"Username (empty: {USERNAME}): ", ""),
            ("Where is the password? (command, file, variable; empty: file): ", ""),
            (f"Password file (empty: {wrong}): ", str(right)),
        ],
    )

    assert done.status == 0, done.out
    assert done.out.count("Answer again; an empty line keeps it:") == 3
    same = f"diaken vcenters add main --server {server} --ca-file {simulator.certificate}"
    printed = done.out.replace(" \\\r\n    ", " ")  # the command, copied
    assert f"{same} --username {USERNAME} --password-file {right}\r\n" in printed
    stored = cli.json("vcenters", "show", "main")
    assert (stored["server"], stored["username"], stored["secret"]) == (server, USERNAME, "file")


def test_what_was_typed_and_is_refused_is_not_asked_for(cli: Cli, simulator: Simulator) -> None:
    done = cli.at_a_terminal(
        *("vcenters", "add", "main", "--server", "127.0.0.1:1", "--insecure"),
        *("--password-file", str(password_file(cli))),
        answers=[("Username: ", USERNAME)],
    )
    assert done.status == 13, done.out
    assert "The same without questions:\r\n  diaken vcenters add main " in done.out


def test_a_vcenter_is_stored_with_a_word_on_what_its_account_lacks(
    cli: Cli, simulator: Simulator
) -> None:
    simulator.order("lack", privilege="VirtualMachine.State.RevertToSnapshot")
    done = cli.run(
        *("vcenters", "add", "main", "--server", f"127.0.0.1:{simulator.port}"),
        *("--username", USERNAME, "--password-file", str(password_file(cli))),
        *("--ca-file", str(simulator.certificate)),
    )
    assert done.status == 0, done.err
    assert f"at 127.0.0.1:{simulator.port}, as {USERNAME}" in done.err
    assert "may lack privileges on the root folder: VirtualMachine.State.Rev" in done.err
    assert cli.json("vcenters", "list")[0]["name"] == "main"


def test_a_change_that_does_not_work_is_refused_and_nothing_is_changed(
    cli: Cli, simulator: Simulator
) -> None:
    added(cli, simulator)
    before = cli.json("vcenters", "show", "main")
    assert before["ca_file"] == str(simulator.certificate)
    shown = cli.run("vcenters", "show", "main").out
    assert f"secret      file {before['secret_ref']}\n" in shown
    assert f"tls         ca-file {before['ca_file']}\n" in shown

    refused = cli.error(13, *SET_NOWHERE)
    assert "no valid answer from 127.0.0.1:1" in refused["message"]
    assert "Nothing was changed; --no-test changes it without logging in." in refused["hint"]
    change = ("vcenters", "set", "main")
    assert cli.error(13, *change, "--username", "nobody")["code"] == "login"
    assert cli.error(13, *change, "--ca-file", "")["code"] == "certificate"
    assert cli.error(10, *change, "--password-env", "NONE_SUCH")["code"] == "secret"
    assert cli.mistakes(2, *change, "--datacenter", "DC9") == ["--datacenter"]
    assert cli.json("vcenters", "show", "main") == before

    assert cli.run(*SET_NOWHERE, "--no-test").err == "changed vCenter main\n"
    assert cli.json("vcenters", "show", "main")["server"] == "127.0.0.1:1"
    back = cli.run("vcenters", "set", "main", "--server", f"127.0.0.1:{simulator.port}")
    assert (back.status, back.err) == (0, "changed vCenter main\n")


# ── test ─────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_shows_what_is_there(cli: Cli, simulator: Simulator) -> None:
    added(cli, simulator, "--datacenter", "DC0")
    tested = cli.json("vcenters", "test", "main")
    assert abs(tested.pop("clock_difference_seconds")) < 30
    lacking = tested.pop("missing_privileges")
    assert lacking is None or isinstance(lacking, list)
    assert "vCenter" in tested.pop("product")
    assert tested.pop("version")
    assert tested == {
        "name": "main",
        "server": f"127.0.0.1:{simulator.port}",
        "username": USERNAME,
        "datacenter": "/DC0",
        "datacenters": ["/DC0"],
    }
    cli.json("vcenters", "set", "main", "--datacenter", "DC9", "--no-test")
    error = cli.error(13, "vcenters", "test", "main")
    assert error["code"] == "no_datacenter"
    assert "/DC0" in error["message"]


def test_a_password_comes_from_where_it_is_said_to_be(cli: Cli, simulator: Simulator) -> None:
    added(cli, simulator, "--password-env", "VC_PASSWORD", "--no-test")
    done = cli.run("vcenters", "test", "main", "--json", env={"VC_PASSWORD": PASSWORD})
    assert done.status == 0, done.err
    assert PASSWORD not in done.out + done.err
    assert "VC_PASSWORD is not set" in cli.error(10, "vcenters", "test", "main")["message"]
    path = password_file(cli)
    cli.json("vcenters", "set", "main", "--password-command", f"cat '{path}'")
    cli.json("vcenters", "test", "main")
    cli.json("vcenters", "set", "main", "--password-file", "password")
    cli.json("vcenters", "test", "main")
    path.chmod(0o640)
    assert "chmod 600" in cli.error(10, "vcenters", "test", "main")["hint"]
    for file in cli.folder.glob("diaken.db*"):
        assert PASSWORD.encode() not in file.read_bytes()


def test_a_refusal_says_what_was_refused(cli: Cli, simulator: Simulator) -> None:
    added(cli, simulator)
    password_file(cli, "wrong")
    assert cli.error(13, "vcenters", "test", "main")["code"] == "login"
    password_file(cli)
    cli.json("vcenters", "set", "main", "--ca-file", "", "--no-test")
    assert cli.error(13, "vcenters", "test", "main")["code"] == "certificate"
    cli.json(*SET_NOWHERE, "--no-test")
    assert cli.error(13, "vcenters", "test", "main")["code"] == "unreachable"
    cli.error(11, "vcenters", "test", "other")


# ── browse ───────────────────────────────────────────────────────────────────────────────────


def test_what_a_vcenter_offers(cli: Cli, simulator: Simulator) -> None:
    added(cli, simulator)
    templates = cli.json("vcenters", "browse", "main", "templates")
    assert [row["name"] for row in templates] == ["debian12", "debian12-big"]
    assert templates[0]["disk"] == 10 * 2**30
    for what, name in (
        ("networks", "VM Network"),
        ("datastores", "LocalDS_0"),
        ("clusters", "DC0_C0"),
        ("folders", "Servers"),
        ("vms", "web01"),
        ("pools", "Resources"),
    ):
        assert name in [row["name"] for row in cli.json("vcenters", "browse", "main", what)]
    text = cli.run("vcenters", "browse", "main", "templates").out
    assert cli.run("vcenters", "browse", "main", "Template").out == text
    (vm,) = cli.json("vcenters", "browse", "main", "VMs")
    assert (vm["power"], vm["cluster"]) == ("on", "DC0_C0")
    (host, *_) = cli.json("vcenters", "browse", "main", "host")
    assert (host["cluster"], host["state"]) == ("DC0_C0", "connected")
    assert "NETWORK ADAPTERS" in text
    assert "10 GiB" in text


def test_what_cannot_be_browsed_is_refused(cli: Cli, simulator: Simulator) -> None:
    added(cli, simulator)
    assert cli.mistakes(2, "vcenters", "browse", "main", "gpus") == ["WHAT"]
    assert "'gpus' is not one of: templates, " in cli.run("vcenters", "browse", "main", "gpus").err
    assert cli.mistakes(2, "vcenters", "browse", "main") == ["WHAT"]
    elsewhere = ("vcenters", "browse", "main", "folders", "--datacenter", "DC9")
    assert cli.mistakes(2, *elsewhere) == ["--datacenter"]


# ── what a host leaves behind ────────────────────────────────────────────────────────────────


def test_snapshots_that_stay_behind_are_named(cli: Cli, simulator: Simulator) -> None:
    added(cli, simulator)
    with simulator.connect() as session:
        vm = next(vm for vm in find_vms(session) if vm.name == "web01")
        for name in (AUTOMATIC, "mine"):
            finish(session, create_snapshot(session, vm.ref, name, ""))
    add_environment(cli.store, name="PROD")
    add_host(
        cli.store,
        name="web01",
        options=HostOptions(
            ip="10.77.0.101", environment="PROD", vcenter="main", vm_uuid=vm.instance_uuid
        ),
        now=MORNING,
        hosts_file=cli.hosts_file,
        emit=lambda event: None,
    )
    said = f"warning: snapshots of VM web01 stay behind: '{AUTOMATIC}'\n"
    assert said in cli.run("hosts", "set", "web01", "--inactive").err
    done = cli.run("hosts", "set", "web01", "--active", "--ip", "10.77.0.9")
    assert done.err == "changed host web01; its VM keeps its address\n"
    done = cli.run("hosts", "set", "web01", "--inactive")  # vCenter is asked for its snapshots
    assert f"warning: VM web01 reports 10.77.0.101, not 10.77.0.9\n{said}" in done.err
    done = cli.run("hosts", "set", "web01", "--vm-uuid", "", "--ip", "10.77.0.101")
    assert done.err == "changed host web01; its VM is the one that reports 10.77.0.101\n"
    assert said in cli.run("hosts", "remove", "web01", "--yes").err
    with simulator.connect() as session:
        assert "web01" in [vm.name for vm in find_vms(session)]


def test_inside_a_lab(tmp_path: Path, lab: Lab) -> None:
    cli = Cli(tmp_path, lab=lab)
    cli.json(
        *("vcenters", "add", "lab", "--server", lab.server, "--username", lab.username),
        *("--password-file", str(lab.password_file), "--ca-file", str(lab.ca_file)),
    )
    assert cli.json("vcenters", "test", "lab")["datacenters"] == ["/DC0"]
