"""Every command that asks a vCenter, with some of its answers odd in one element: nothing breaks.

A longer search, with other seeds: DIAKEN_ODD_ANSWERS=500 pytest tests/e2e/fuzz/test_odd_answers.py
"""

import json
import os
import random
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from diaken_cli.services.vsphere import snapshots
from diaken_cli.services.vsphere.vms import find_vms
from tests.e2e.cli import Done
from tests.e2e.fuzz.world import World
from tests.integration.vsphere.odd_answers import odd
from tests.integration.vsphere.simulator import PASSWORD, USERNAME, Relay, Simulator, finish

ROUNDS = int(os.environ.get("DIAKEN_ODD_ANSWERS", "0"))
FIRST = secrets.randbelow(10**6) if ROUNDS else 0
STATUSES = {0, 1, 2, 3, 10, 11, 12, 13, 14}
DEPLOY = (
    *("deploy", "vm", "new01", "--ip", "10.77.0.21/24", "--gateway", "10.77.0.254"),
    *("--vcenter", "main", "--environment", "TEST", "--template", "debian12"),
    *("--no-address-probe", "--no-provision", "--user", "root"),
)
KINDS = ("templates", "networks", "datastores", "clusters", "folders", "vms", "pools", "hosts")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("vcenters", "test", "main"),
    *(("vcenters", "browse", "main", kind) for kind in KINDS),
    ("hosts", "import", "--vcenter", "main", "--environment", "TEST"),
    ("snapshots", "list"),
    ("snapshots", "prune", "--dry-run"),
    ("doctor",),
    (*DEPLOY, "--dry-run"),
    ("snapshots", "create", "again", "--host", "web01"),
    ("snapshots", "remove", "first", "--host", "web01", "--yes"),
    ("snapshots", "revert", "first", "--host", "web01", "--yes"),
    ("snapshots", "prune", "--older-than", "1s"),
    *([("run", "host", "web01", "quick", "--snapshot")] if ROUNDS else []),  # Ansible is slow
)


class OddVcenter:
    """A vCenter whose answers have, now and then, an odd element."""

    def __init__(self, simulator: Simulator, relay: Relay, world: World) -> None:
        self._simulator = simulator
        self._relay = relay
        self._world = world

    @contextmanager
    def erring(self, seed: int, spared: Sequence[str] = ()) -> Iterator[None]:
        """Within it, some of the answers are odd, in no object that a spared word is said of."""
        rng = random.Random(seed)  # noqa: S311  to be repeated, not to be a secret

        def rewrite(method: str, body: bytes) -> bytes:
            if method in ("Login", "Logout") or rng.random() < 0.5:
                return body
            return odd(rng, body.decode(), spared).encode()

        self._relay.rewrite = rewrite
        yield
        self._relay.rewrite = lambda _method, body: body

    @contextmanager
    def saying(self, old: str, new: str) -> Iterator[None]:
        """Within it, each `old` in an answer is `new`."""
        self._relay.rewrite = lambda _method, body: body.replace(old.encode(), new.encode())
        yield
        self._relay.rewrite = lambda _method, body: body

    def run(self, words: Sequence[str], *, anew: bool = True) -> Done:
        return self._world.run(list(words), environ={"VC": PASSWORD}, anew=anew)

    def vms(self) -> set[str]:
        with self._simulator.connect() as session:
            return {vm.name for vm in find_vms(session)}

    def take_snapshot(self) -> None:
        """See to it that web01 has a snapshot named first."""
        with self._simulator.connect() as session:
            ref = next(vm.ref for vm in find_vms(session) if vm.name == "web01")
            (tree,) = snapshots.snapshot_trees(session, [ref]).values()
            if "first" not in [snapshot.name for snapshot in tree.snapshots]:
                finish(session, snapshots.create_snapshot(session, ref, "first", ""))

    def refuse_to_power_on(self) -> None:
        self._simulator.order("clear")
        for fault in ("NoDiskSpace", "NoDiskSpace"):
            self._simulator.order("taskfault", method="PowerOnVM_Task", fault=fault)

    def obey(self) -> None:
        self._simulator.order("clear")


@pytest.fixture(scope="module")
def vcenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OddVcenter]:
    with (
        Simulator(tmp_path_factory.mktemp("vcenter"), vms=2) as simulator,
        Relay(simulator) as relay,
        World(tmp_path_factory.mktemp("odd"), network=True) as world,
    ):
        vcenter = OddVcenter(simulator, relay, world)
        words = (
            *("vcenters", "set", "main", "--server", f"127.0.0.1:{relay.port}", "--username"),
            *(USERNAME, "--ca-file", str(simulator.certificate)),
        )
        assert vcenter.run(words).status == 0
        for number in (1, 2):
            host = ("hosts", "set", f"web0{number}", "--ip", f"10.77.0.10{number}")
            assert vcenter.run((*host, "--vcenter", "main"), anew=False).status == 0
        shutil.rmtree(world.folder / "seed")
        shutil.copytree(world.now, world.folder / "seed", symlinks=True)
        yield vcenter


def check(seed: int, words: Sequence[str], done: Done) -> None:
    shown = f"seed {seed}: {words} -> {done.status}\n{done.out[:3000]}\n{done.err[:3000]}"
    assert done.status in STATUSES, shown
    assert "Traceback" not in done.out + done.err, shown
    assert "unexpected " not in done.err.replace("unexpected answer", ""), shown
    assert "bug in diaken" not in done.err, shown
    if done.status not in (0, 3) and words[0] != "doctor":  # 1: its findings say why
        assert done.err.strip(), shown


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:3]))
def test_an_odd_answer_breaks_no_command(vcenter: OddVcenter, words: tuple[str, ...]) -> None:
    for seed in range(FIRST, FIRST + (ROUNDS or 2)):
        if words[0] == "snapshots":
            vcenter.take_snapshot()
        with vcenter.erring(seed):
            done = vcenter.run(words)
        check(seed, words, done)


def test_a_deploy_is_undone_whatever_is_odd_about_others(vcenter: OddVcenter) -> None:
    for seed in range(FIRST, FIRST + (ROUNDS or 2)):
        vcenter.refuse_to_power_on()
        with vcenter.erring(seed, spared=("new01", "debian12")):
            done = vcenter.run(DEPLOY)
        vcenter.obey()
        check(seed, DEPLOY, done)
        assert done.status != 0
        assert "new01" not in vcenter.vms(), (seed, done)


def test_what_an_odd_answer_about_it_has_left_can_be_undone_later(vcenter: OddVcenter) -> None:
    for seed in range(FIRST, FIRST + (ROUNDS or 2)):
        vcenter.refuse_to_power_on()
        with vcenter.erring(seed):
            done = vcenter.run(DEPLOY)
        vcenter.obey()
        check(seed, DEPLOY, done)
        if "new01" in vcenter.vms():
            run = json.loads(vcenter.run(("history", "list", "--json"), anew=False).out)[0]
            assert run["status"] != "success", (seed, done)
            undone = vcenter.run(("deploy", "abort", str(run["id"]), "--yes"), anew=False)
            assert undone.status == 0, (seed, done, undone)
        assert "new01" not in vcenter.vms(), (seed, done)


def test_with_verbose_what_is_odd_is_named_once(vcenter: OddVcenter) -> None:
    words = ("vcenters", "browse", "main", "vms", "--json")
    with vcenter.saying(">poweredOn<", ">hibernating<"):
        quiet, verbose = vcenter.run(words), vcenter.run((*words, "--verbose"))
    assert quiet.err == ""
    rows = json.loads(verbose.out)
    assert {row["name"]: row["power"] for row in rows} == {"web01": "unknown", "web02": "unknown"}
    named = re.findall(
        r"something unknown: runtime.powerState of vm-\d+: unknown \S+ 'hibernating'", verbose.err
    )
    assert len(named) == len(set(named)) == 2


def test_of_the_host_whose_snapshots_are_odd_it_is_said_so(vcenter: OddVcenter) -> None:
    vcenter.take_snapshot()
    with vcenter.saying("<createTime>20", "<createTime>yesterday"):
        listed = vcenter.run(("snapshots", "list"))
        removed = vcenter.run(("snapshots", "remove", "first", "--host", "web01", "--yes"))
    said = "vCenter answers for web01 with something unknown: snapshot"
    assert (listed.status, said in listed.out) == (3, True), listed
    assert (removed.status, said in removed.err) == (13, True), removed
    assert vcenter.run(("snapshots", "remove", "first", "--host", "web01", "--yes")).status == 0
