"""A request comes of texts and of the config file alike, with all mistakes at once."""

from pathlib import Path
from typing import Any

import pytest

from diaken_cli.actions.deploy.request import Draft, parse_request
from diaken_cli.actions.hosts import add_host, set_host
from diaken_cli.actions.inventory import add_environment, add_group
from diaken_cli.errors import InvalidInput, Mistake, MistakeKind, NotFound
from diaken_cli.inventory_options import HostChanges, HostOptions
from diaken_cli.options import TypedOptions
from diaken_cli.requests import DeployRequest
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues, VCenterValues
from diaken_cli.types import RunKind, SecretKind, TargetType, from_stored, to_stored
from tests.seeding import MORNING, begin

TYPED = TypedOptions(
    name="web02", ip="10.0.4.22/24", environment="PROD", vcenter="main", template="debian12"
)


@pytest.fixture(autouse=True)
def _inventory(store: Store) -> None:
    add_environment(store, name="PROD")
    add_group(store, name="web", environment="PROD", variables=())
    connection = VCenterValues("vc.example.com:443", "u", SecretKind.ENV, "NONE")
    store.inventory.add_vcenter("main", connection)
    add(store, "web01", ip="10.0.4.21", environment="PROD")


def add(store: Store, name: str, **options: Any) -> None:
    host = HostOptions(**options)
    add_host(store, name=name, options=host, now=MORNING, hosts_file=None, emit=lambda _: None)


def drafted(store: Store, reuse_existing: bool = False, **typed: Any) -> Draft:
    options = TYPED.with_answers(**typed)
    return parse_request(options, {}, store, find, reuse_existing=reuse_existing)


def find(playbook: str) -> None:
    if playbook != "update":
        raise NotFound(f"there is no playbook {playbook}")


def refused(draft: Draft) -> dict[str, str]:
    return {mistake.option: mistake.message for mistake in draft.mistakes}


def requested(draft: Draft) -> DeployRequest:
    assert not draft.mistakes
    assert draft.request is not None
    return draft.request


def test_what_is_typed_goes_before_the_config_file_and_that_before_the_default(
    store: Store,
) -> None:
    defaults = {"cluster": "C1", "memory": 2**30, "template": "debian11", "dns": ("10.0.0.53",)}
    draft = parse_request(TYPED | {"memory": "8G"}, defaults, store, find)  # type: ignore[arg-type]
    request = requested(draft)
    assert (request.ip, request.prefix, request.template) == ("10.0.4.22", 24, "debian12")
    assert (request.cluster, request.memory, request.dns) == ("C1", 2**33, ("10.0.0.53",))
    assert (request.clone_timeout, request.provision, request.cpus) == (1800, True, None)


def test_a_request_is_what_it_was_after_it_was_stored(store: Store) -> None:
    request = requested(
        drafted(store, dns=("10.0.0.53",), extra_config=("a=b",), provision=False, port="2222")
    )
    assert from_stored(DeployRequest, to_stored(request)) == request


def test_all_mistakes_are_told_at_once(store: Store) -> None:
    found = refused(
        drafted(
            store,
            ip="10.0.4.0/24",
            gateway="10.0.5.1",
            group="db",
            vcenter="other",
            cpus="0",
            playbooks=("update", "nosuch"),
            clone_timeout="90",
        )
    )
    assert set(found) == {
        *("--ip", "--gateway", "--group", "--vcenter", "--cpus", "--playbook", "--clone-timeout"),
    }
    found = refused(parse_request(TypedOptions(ip="1", cpus="two"), {}, store, find))
    assert set(found) == {"--ip", "--cpus", "NAME", "--environment", "--template"}
    assert found["--environment"] == "is required; known: PROD"


@pytest.mark.parametrize("name", ["web01", "WEB01", "Web01"])
def test_the_name_of_a_host_is_in_use_in_whatever_case(store: Store, name: str) -> None:
    (mistake,) = drafted(store, name=name).mistakes
    assert (mistake.option, mistake.kind) == ("NAME", "in_use")
    assert mistake.message == "host web01 is already in the inventory"
    (mistake, *_) = drafted(store, name="WEB01", reuse_existing=True).mistakes
    assert mistake.kind == "in_use", "another name is not the host that may be reused"


def test_a_host_with_that_name_and_address_is_one_mistake_with_what_to_do(store: Store) -> None:
    same: dict[str, Any] = {"name": "web01", "ip": "10.0.4.21/24"}
    draft = drafted(store, **same)
    assert refused(draft) == {"NAME": "host web01 is already in the inventory"}
    assert draft.hint == "If it is the VM that you want, add --reuse-existing."
    cases: tuple[tuple[str, MistakeKind, bool], ...] = (
        ("--ip", "in_use", True),
        ("NAME", "in_use", True),
        ("--ip", "invalid", False),
        ("--cpus", "in_use", False),
    )
    for option, kind, repeats in cases:
        assert draft.repeats_namesake(Mistake(option, "x", "no", kind)) == repeats
    other = drafted(store, **same | {"ip": "10.0.4.22/24"})
    assert other.hint == "See: diaken hosts show web01"
    assert not other.repeats_namesake(Mistake("--ip", "x", "no", "in_use")), "another cause"
    assert drafted(store).hint is None


def test_a_deploy_that_left_its_host_is_to_be_resumed_or_undone(store: Store) -> None:
    run = begin(store, RunKind.DEPLOY, "db01", target_type=TargetType.VM, playbook=None)
    prod = store.inventory.environment("PROD")
    assert prod is not None
    store.deploys.register(run.id, "db01", HostValues("10.0.4.31", prod.id, active=False), MORNING)
    for reuse_existing in (False, True):
        draft = drafted(store, reuse_existing, name="db01", ip="10.0.4.31/24")
        said = f"host db01 is already in the inventory, made by deploy run {run.id}"
        assert refused(draft) == {"NAME": said}
        commands = [f"diaken deploy {verb} {run.id}" for verb in ("resume", "abort")]
        assert draft.hint == f"Resume: {commands[0]}; or undo: {commands[1]}"


def test_a_key_becomes_absolute_as_that_of_a_host(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mykey").touch()
    add(store, "db01", ip="10.0.4.31", environment="PROD", key="mykey")
    host = store.inventory.host("db01")
    assert host is not None
    assert requested(drafted(store, key="mykey")).key == host.key == str(tmp_path / "mykey")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("user", "-oProxyCommand=x"),
        ("user", "a b"),
        ("python", "{{evil}}"),
        ("python", "python3"),
        ("port", "70000"),
        ("port", "ssh"),
        ("key", "/nowhere/key"),
        ("key", "key.pub"),
    ],
)
def test_what_no_host_may_have_no_deploy_may(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key.pub").touch()
    typed: dict[str, Any] = {name: text}
    with pytest.raises(InvalidInput) as caught:
        add(store, "db01", ip="10.0.4.31", environment="PROD", **typed)
    draft = drafted(store, **typed)
    assert draft.mistakes == caught.value.mistakes
    assert set(refused(draft)) == {f"--{name}"}


def test_a_host_that_is_there_is_reused_where_it_is_as_requested(store: Store) -> None:
    same: dict[str, Any] = {"name": "web01", "ip": "10.0.4.21/24", "reuse_existing": True}
    add_vcenter_to_web01(store)
    draft = drafted(store, **same)
    assert draft.existing is not None
    assert not draft.mistakes
    other = drafted(store, **same, group="web")
    assert refused(other) == {"--group": "host web01 has none, not web"}


def add_vcenter_to_web01(store: Store) -> None:
    host = store.inventory.host("web01")
    assert host is not None
    set_host(store, host, options=HostChanges(vcenter="main"), hosts_file=None, emit=lambda _: None)
