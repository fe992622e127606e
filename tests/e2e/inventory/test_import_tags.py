"""`hosts import --group-by-tag`: the tags of a vCenter's VMs, by both forms of its REST API."""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.actions.inventory import add_environment
from tests.e2e.cli import Cli
from tests.lab_fixture import Lab, running_lab
from tests.seeding import add_lab_vcenter

IMPORT = ("hosts", "import", "--vcenter", "lab", "--environment", "TEST")
VERSIONS = {"6.7.3.0": "/rest/com/vmware/cis", "8.0.2.0": "/api"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab("tags", "--vms", "4", "--no-hosts") as started:
        _tag(started)
        yield started


def _tag(lab: Lab) -> None:
    """A tag for web01, one with blanks for web02, two of a category for web03, none for web04."""
    lab.sim("version", api="8.0.2.0")
    with lab.connect() as service:
        content = service.RetrieveContent()
        view = content.viewManager.CreateContainerView(
            content.rootFolder, [vim.VirtualMachine, vim.ClusterComputeResource], recursive=True
        )
        refs = {
            each.name: {"type": type(each).__name__.rsplit(".", 1)[-1], "id": each._moId}
            for each in view.view
        }
    ask = _Asking(lab)
    role, backup = (
        ask(
            "tagging/category",
            {
                "create_spec": {
                    "name": name,
                    "description": "",
                    "cardinality": "MULTIPLE",
                    "associable_types": [],
                }
            },
        )
        for name in ("Role", "Backup policy")
    )
    for category, name, things in (
        (role, "db", ["web01", "web03", "DC0_C0"]),
        (role, "Web Servers", ["web02", "web03"]),
        (role, "unused", []),
        (backup, "daily", ["web01", "web02", "web03", "web04"]),
    ):
        spec = {"name": name, "description": "", "category_id": category}
        tag = ask("tagging/tag", {"create_spec": spec})
        for thing in things:
            ask(f"tagging/tag-association/{tag}?action=attach", {"object_id": refs[thing]})


class _Asking:
    """The lab's REST API, logged in."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        passwords.add_password(
            None, f"https://{lab.server}", lab.username, lab.password, is_authenticated=True
        )
        context = ssl.create_default_context(cafile=str(lab.ca_file))
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPBasicAuthHandler(passwords),
        )
        self._token: str | None = None
        self._token = self("session", {}, under="/api")

    def __call__(self, path: str, body: dict[str, Any], under: str = "/api/cis") -> Any:
        request = urllib.request.Request(
            f"https://{self._lab.server}{under}/{path}", json.dumps(body).encode()
        )
        if self._token is not None:
            request.add_header("vmware-api-session-id", self._token)
        with self._lab.inside(), self._opener.open(request) as response:
            text = response.read()
        return json.loads(text) if text else None


@pytest.fixture
def cli(lab: Lab, tmp_path: Path) -> Iterator[Cli]:
    cli = Cli(tmp_path, lab=lab)
    add_lab_vcenter(cli.store, lab)
    add_environment(cli.store, name="TEST")
    lab.sim("version", api="8.0.2.0")
    yield cli
    lab.sim("clear")


@pytest.mark.parametrize("version", VERSIONS)
def test_vms_are_grouped_by_their_tag_of_a_category(cli: Cli, lab: Lab, version: str) -> None:
    lab.sim("version", api=version)
    lab.sim("calls")
    rows = cli.json(*IMPORT, "--group-by-tag", "Role", status=3)
    assert {row["name"]: (row["group"], row["status"]) for row in rows} == {
        "web01": ("db", "created"),
        "web02": ("Web-Servers", "created"),
        "web03": (None, "failed"),
        "web04": (None, "created"),
    }
    reasons = {row["name"]: row["reason"] for row in rows}
    assert reasons["web03"] == "VM /DC0/vm/web03 has 2 tags of the category: Web Servers, db"
    assert [group.name for group in cli.store.inventory.groups()] == ["Web-Servers", "db"]
    calls = lab.sim("calls")["calls"]
    session = VERSIONS[version] + "/session"
    asked = {name: count for name, count in calls.items() if " " in name}
    assert (asked[f"POST {session}"], asked[f"DELETE {session}"]) == (1, 1)
    assert sum(count for name, count in asked.items() if name.endswith("tag-association")) == 1
    assert all(VERSIONS[version] in name for name in asked)


def test_only_the_tags_of_that_category_count(cli: Cli) -> None:
    rows = cli.json(*IMPORT, "--group-by-tag", "Backup policy")
    assert {row["group"] for row in rows} == {"daily"}


def test_mistakes_name_what_there_is(cli: Cli) -> None:
    error = cli.error(2, *IMPORT, "--group-by-tag", "role")
    (mistake,) = error["mistakes"]
    assert mistake["option"] == "--group-by-tag"
    assert mistake["message"] == "no tag category 'role'; available: Backup policy, Role"
    by_tag = ("--group-by-tag", "Role")
    cli.json("groups", "add", "web", "--environment", "TEST")
    assert cli.mistakes(2, *IMPORT, *by_tag, "--group", "web") == ["--group-by-tag"]
    assert cli.mistakes(2, *IMPORT, "--group-by-tag", " ") == ["--group-by-tag"]
    (cli.folder / "hosts.csv").write_text("name,ip\na,10.0.0.1\n")
    words = ("hosts", "import", "--csv", "hosts.csv", "--environment", "TEST", *by_tag)
    assert cli.mistakes(2, *words) == ["--group-by-tag"]


@pytest.mark.parametrize(
    ("path", "status", "code", "said"),
    [
        ("POST /api/session", 401, "login", "the REST API of vCenter"),
        ("GET /api/cis/tagging/category", 403, "no_permission", "may not read the tags"),
        ("GET /api/cis/tagging/category", 404, "vsphere", "HTTP 404"),
        ("POST /api/cis/tagging/tag-association", 500, "vsphere", "HTTP 500"),
    ],
)
def test_what_the_rest_api_refuses(
    cli: Cli, lab: Lab, path: str, status: int, code: str, said: str
) -> None:
    lab.sim("http", method=path, status=status)
    error = cli.error(13, *IMPORT, "--group-by-tag", "Role")
    assert error["code"] == code
    assert said in error["message"]
    assert error["hint"]
    assert cli.store.inventory.hosts() == []


def test_where_only_the_older_form_is_served_it_is_used(cli: Cli, lab: Lab) -> None:
    lab.sim("http", method="POST /api/session", status=404, count=2)
    rows = cli.json(*IMPORT, "--group-by-tag", "Backup policy")
    assert {row["group"] for row in rows} == {"daily"}
    lab.sim("http", method=f"POST {VERSIONS['6.7.3.0']}/session", status=404)
    error = cli.error(13, *IMPORT, "--group-by-tag", "Backup policy")
    assert (error["code"], "HTTP 404" in error["message"]) == ("vsphere", True)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("POST /api/cis/tagging/tag", "null"),
        ("POST /api/cis/tagging/tag-association", "null"),
        ("POST /api/cis/tagging/tag-association", '[{"tag_id": "urn:1", "object_ids": null}]'),
    ],
)
def test_null_is_none(cli: Cli, lab: Lab, call: str, text: str) -> None:
    lab.sim("answer", method=call, text=text)
    rows = cli.json(*IMPORT, "--group-by-tag", "Role")
    assert {row["name"]: row["group"] for row in rows} == dict.fromkeys(
        ("web01", "web02", "web03", "web04")
    )


SESSION, CATEGORY, TAG = "/session", "/tagging/category", "/tagging/tag"
ASSOCIATION = "/tagging/tag-association"
LOGIN_PAGE = "<html><title>Sign in</title></html>"


@pytest.mark.parametrize(
    ("version", "call", "text", "said"),
    [
        ("8.0.2.0", ("POST", SESSION), "", "it is empty, not a string"),
        ("8.0.2.0", ("POST", SESSION), '"two\\nlines"', "it is not a session id"),
        ("8.0.2.0", ("GET", CATEGORY), LOGIN_PAGE, "it is not JSON"),
        ("8.0.2.0", ("GET", CATEGORY), '{"value": []}', "it is an object, not a list"),
        ("8.0.2.0", ("GET", TAG), '{"id": "urn:1"}', "it has no 'name'"),
        ("8.0.2.0", ("GET", TAG), "[]", "it is a list, not an object"),
        (
            "8.0.2.0",
            ("POST", f"{TAG}-association"),
            '[{"tag_id": "urn:1"}]',
            "it has no 'object_ids'",
        ),
        ("6.7.3.0", ("POST", SESSION), '"token"', "it is a string, not an object"),
        ("6.7.3.0", ("GET", CATEGORY), '{"values": []}', "it has no 'value'"),
        ("6.7.3.0", ("GET", TAG), '{"value": {"name": null}}', "'name' is empty, not a string"),
    ],
)
def test_an_answer_of_another_shape_names_the_call(
    cli: Cli, lab: Lab, version: str, call: tuple[str, str], text: str, said: str
) -> None:
    lab.sim("version", api=version)
    verb, path = call
    under = VERSIONS[version]
    if version == "8.0.2.0" and path != SESSION:
        under += "/cis"
    lab.sim("answer", method=f"{verb} {under}{path}", text=text)

    error = cli.error(13, *IMPORT, "--group-by-tag", "Role")

    assert error["code"] == "unexpected_answer"
    assert f"to {verb} {under}{path}" in error["message"]
    assert error["message"].rpartition(": ")[2].startswith(said)
    assert error["hint"]
    assert cli.store.inventory.hosts() == []


def test_what_passes_is_asked_again_and_a_tag_that_goes_is_none(cli: Cli, lab: Lab) -> None:
    lab.sim("http", method="POST /api/session", status=503, count=1)
    lab.sim("reset", method="GET /api/cis/tagging/category", count=1)
    lab.sim("http", method="GET /api/cis/tagging/tag", status=404, count=3)  # all of them
    rows = cli.json(*IMPORT, "--group-by-tag", "Role")
    assert {row["group"] for row in rows} == {None}
    lab.sim("reset", method="POST /api/session", count=4)
    error = cli.error(13, *IMPORT, "--group-by-tag", "Role")
    assert error["code"] == "unreachable"
    assert "4 tries" in error["message"]
