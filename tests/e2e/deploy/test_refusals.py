"""A deploy that must not begin: what is wrong is said, and nothing is left anywhere."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from diaken_cli.actions.hosts import add_host
from diaken_cli.inventory_options import HostOptions
from tests.e2e.deploy.deploying import IP, NAME, Deploying, deploy_lab, deploying
from tests.lab_fixture import LAB
from tests.seeding import MORNING, add_lab_vcenter

__all__ = ["deploy_lab", "deploying"]

WRONG_FILE = "a file with a wrong password"
UNKNOWN_MODULE = "- hosts: all\n  tasks:\n    - name: Ask for too much\n      nosuch_module:\n"


def nothing(_: Deploying) -> None:
    """The world as it is."""


def host(name: str, ip: str) -> Callable[[Deploying], None]:
    """A host of the inventory."""

    def given(deploying: Deploying) -> None:
        add_host(
            deploying.store,
            name=name,
            options=HostOptions(ip=ip, environment="DEMO"),
            now=MORNING,
            hosts_file=deploying.hosts_file,
            emit=lambda _: None,
        )

    return given


def machine(name: str, ip: str) -> Callable[[Deploying], None]:
    """A VM that somebody else made, and the address that it reports."""

    def given(deploying: Deploying) -> None:
        deploying.clone_by_hand("debian12", name)
        deploying.lab.sim("guest", vm=name, ip=ip)

    return given


def answering(how: str, ip: str) -> Callable[[Deploying], None]:
    """A machine that no vCenter knows."""

    def given(deploying: Deploying) -> None:
        subprocess.run([LAB, how, "--name", deploying.lab.name, ip], check=True, timeout=30)

    return given


def vcenter(**other: str | None) -> Callable[[Deploying], None]:
    """A vCenter `other`, which is the lab's but for something."""

    def given(deploying: Deploying) -> None:
        wrong = deploying.folder / "wrong"
        wrong.write_text("wrong\n")
        wrong.chmod(0o600)
        values = {key: str(wrong) if value == WRONG_FILE else value for key, value in other.items()}
        add_lab_vcenter(deploying.store, deploying.lab, "other", **values)

    return given


def lacking(*privileges: str) -> Callable[[Deploying], None]:
    """An account that has not these privileges."""

    def given(deploying: Deploying) -> None:
        deploying.lab.sim("lack", privilege=",".join(privileges))

    return given


def playbook(name: str, text: str) -> Callable[[Deploying], None]:
    """A playbook in the folder that the config file names."""

    def given(deploying: Deploying) -> None:
        (deploying.folder / "playbooks" / f"{name}.yml").write_text(text)

    return given


@dataclass(frozen=True)
class Refused:
    """What is asked for in which world, the exit status, the options it is for, and the words."""

    label: str
    asked: tuple[str, ...]
    status: int
    options: tuple[str, ...]
    said: str
    given: Callable[[Deploying], None] = nothing


CASES = (
    Refused("template", ("--template", "nosuch"), 2, ("--template",), "nosuch"),
    Refused("network", ("--network", "DMZ"), 2, ("--network",), "DMZ"),
    Refused("datastore", ("--datastore", "SSD"), 2, ("--datastore",), "LocalDS_0"),
    Refused("cluster", ("--cluster", "C9"), 2, ("--cluster",), "DC0_C0"),
    Refused("folder", ("--folder", "Nowhere"), 2, ("--folder",), "Nowhere"),
    Refused("small disk", ("--disk", "5G"), 2, ("--disk",), "10G"),
    Refused("no room", ("--disk", "9000G"), 2, ("--datastore",), "9000G"),
    Refused("too many CPUs", ("--cpus", "500"), 2, ("--cpus",), "32"),
    Refused("too much memory", ("--memory", "900G"), 2, ("--memory",), "64G"),
    Refused("bare number", ("--memory", "2048"), 2, ("--memory",), "2048"),
    Refused("own key", ("--extra-config", "diaken.run=x"), 2, ("--extra-config",), "diaken"),
    Refused("environment", ("--environment", "QA"), 2, ("--environment",), "DEMO"),
    Refused("group", ("--group", "db"), 2, ("--group",), "web"),
    Refused("vCenter", ("--vcenter", "nosuch"), 2, ("--vcenter",), "lab"),
    Refused("playbook", ("--playbook", "nosuch"), 2, ("--playbook",), "nosuch"),
    Refused("gateway", ("--gateway", "10.88.0.1"), 2, ("--gateway",), "10.77.0.0/24"),
    Refused("address of a host", (), 12, ("--ip",), "db01", host("db01", IP)),
    Refused("address of a VM", (), 12, ("--ip",), "stranger", machine("stranger", IP)),
    Refused("name of a host", (), 12, ("NAME",), "already", host(NAME, "10.77.0.80")),
    Refused("name of a VM", (), 12, ("NAME",), NAME, machine(NAME, "10.77.0.80")),
    Refused(
        "an SSH host answers",
        asked=("--ip", "10.77.0.91/24", "--address-probe"),
        status=12,
        options=("--ip",),
        said="ssh",
        given=answering("host", "10.77.0.91"),
    ),
    Refused(
        "something answers ping",
        asked=("--ip", "10.77.0.92/24", "--address-probe"),
        status=12,
        options=("--ip",),
        said="something answers",
        given=answering("silent", "10.77.0.92"),
    ),
    Refused(
        "all mistakes at once",
        asked=("--template", "nosuch", "--cpus", "none", "--group", "db"),
        status=2,
        options=("--cpus", "--group", "--ip", "--template"),
        said="db01",
        given=host("db01", IP),
    ),
    Refused(
        "a playbook that Ansible would not start",
        asked=("--playbook", "good", "--playbook", "nomod"),
        status=14,
        options=("--playbook",),
        said="Ansible would not start nomod: ",
        given=playbook("nomod", UNKNOWN_MODULE),
    ),
    Refused(
        "such a playbook, and a mistake",
        asked=("--playbook", "nomod", "--template", "nosuch"),
        status=2,
        options=("--playbook", "--template"),
        said="nosuch_module",
        given=playbook("nomod", UNKNOWN_MODULE),
    ),
    Refused(
        "privileges",
        asked=("--network", "VM Network"),
        status=13,
        options=("--datastore", "--network"),
        said="lacks Network.Assign on",
        given=lacking("Datastore.AllocateSpace", "Network.Assign"),
    ),
    Refused(
        "privileges, and a mistake",
        asked=("--network", "VM Network", "--cpus", "500"),
        status=2,
        options=("--cpus", "--datastore", "--folder", "--network", "--template"),
        said="lacks VirtualMachine.Provisioning.DeployTemplate on /DC0/vm/debian12",
        given=lacking(
            "Datastore.AllocateSpace",
            "Network.Assign",
            "VirtualMachine.Config.CPUCount",
            "VirtualMachine.Provisioning.DeployTemplate",
        ),
    ),
    Refused(
        "wrong password",
        asked=("--vcenter", "other"),
        status=13,
        options=(),
        said="administrator@vsphere.local",
        given=vcenter(password_file=WRONG_FILE),
    ),
    Refused(
        "vCenter is down",
        asked=("--vcenter", "other"),
        status=13,
        options=(),
        said="127.0.0.1:9",
        given=vcenter(server="127.0.0.1:9"),
    ),
    Refused(
        "another authority",
        asked=("--vcenter", "other"),
        status=13,
        options=(),
        said="certificate",
        given=vcenter(ca_file="/etc/ssl/certs/ca-certificates.crt"),
    ),
    Refused(
        "no secret",
        asked=("--vcenter", "other"),
        status=10,
        options=(),
        said="NO_SUCH_VARIABLE",
        given=vcenter(password_file=None, password_env="NO_SUCH_VARIABLE"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_deploy_that_must_not_begin_is_refused_and_leaves_nothing(
    deploying: Deploying, case: Refused
) -> None:
    case.given(deploying)
    before = deploying.world()

    error = deploying.error(case.status, *deploying.words(*case.asked))

    assert case.said in error["message"]
    options = {each["option"] for each in error.get("mistakes", ())}
    assert options == set(case.options), error
    assert deploying.world() == before
    assert deploying.json("history", "list") == [], "a mistake is no run"


def test_without_a_probe_an_address_that_answers_may_be_taken(deploying: Deploying) -> None:
    answering("silent", "10.77.0.93")(deploying)

    plan = deploying.deploy("--dry-run", ip="10.77.0.93")

    assert plan["dry_run"]


def test_a_dry_run_looks_at_the_privileges_that_the_deploy_needs(deploying: Deploying) -> None:
    lacking("VirtualMachine.Config.CPUCount", "Resource.AssignVMToPool")(deploying)

    refused = deploying.error(13, *deploying.words("--dry-run", "--cpus", "2"))

    assert refused["code"] == "no_permission"
    told = {each["option"]: each["message"] for each in refused["mistakes"]}
    assert set(told) == {"--folder", "--resource-pool"}
    assert told["--folder"].endswith("lacks VirtualMachine.Config.CPUCount on /DC0/vm")
    assert "lacks Resource.AssignVMToPool on /DC0/host/DC0_C0/Resources" in told["--resource-pool"]
    deploying.lab.sim("clear")
    lacking("VirtualMachine.Config.CPUCount", "VirtualMachine.State.CreateSnapshot")(deploying)
    assert deploying.deploy("--dry-run")["dry_run"], "neither is needed"
    deploying.lab.sim("soapfault", method="HasPrivilegeOnEntities", fault="NotSupported")
    assert deploying.deploy("--dry-run", "--cpus", "2")["dry_run"], "vCenter does not report"


def test_a_vcenter_that_is_down_is_named_with_the_command_that_tries_it(
    deploying: Deploying,
) -> None:
    vcenter(server="127.0.0.1:9")(deploying)
    for more in ((), ("--dry-run",)):
        error = deploying.error(13, *deploying.words("--vcenter", "other", *more))
        assert "vCenter other: no valid answer from 127.0.0.1:9" in error["message"]
        assert error["hint"].endswith("reachable: diaken vcenters test other")


def test_a_refused_deploy_says_so_as_it_goes_on(deploying: Deploying) -> None:
    done = deploying.run(*deploying.words("--template", "nosuch"), "--output", "jsonl")

    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.status == 2
    assert [line["type"] for line in lines][:2] == ["run_started", "step_started"]
    assert [line["type"] for line in lines][-2:] == ["run_withdrawn", "error"]
    assert lines[-2]["run"] == lines[0]["run"]
    assert [line["option"] for line in lines[-1]["error"]["mistakes"]] == ["--template"]
    assert deploying.run("history", "show", str(lines[0]["run"])).status == 11
    people = deploying.run(*deploying.words("--template", "nosuch"))
    assert people.err.count(lines[-1]["error"]["mistakes"][0]["message"]) == 1


def test_a_dry_run_refuses_as_the_deploy_would(deploying: Deploying) -> None:
    words = deploying.words("--dry-run", "--template", "nosuch", "--disk", "1G")

    assert set(deploying.mistakes(2, *words)) == {"--template"}
    playbook("nomod", UNKNOWN_MODULE)(deploying)
    words = deploying.words("--dry-run", "--playbook", "nomod")
    refused = deploying.error(14, *words)
    assert refused["code"] == "ansible"
    assert "nosuch_module" in refused["mistakes"][0]["message"]
