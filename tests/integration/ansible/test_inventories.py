"""Inventories as people have them, as Ansible reads them for an import: nothing in them is run."""

import json
import random
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from diaken_cli import bounds
from diaken_cli.actions.hosts import InventoryChoices
from diaken_cli.actions.importing.ansible import read_ansible
from diaken_cli.actions.importing.candidates import Candidate, Source
from diaken_cli.actions.importing.plan import plan
from diaken_cli.errors import InvalidInput
from diaken_cli.services.ansible import invocation
from diaken_cli.services.ansible.imported_inventory import read_inventory
from diaken_cli.store.records import EnvironmentRecord

VAULT = "$ANSIBLE_VAULT;1.1;AES256\n33393065363063\n"


def lay(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A folder with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(path: Path) -> Source:
    return read_ansible(path, lambda names: {})


def named(source: Source) -> dict[str, Candidate]:
    return {candidate.name or "": candidate for candidate in source.candidates}


def groups(source: Source) -> dict[str, tuple[str, ...]]:
    return {name: each.groups for name, each in named(source).items()}


def test_a_folder_is_read_as_ansible_reads_it_but_for_what_would_be_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    folder = lay(
        tmp_path / "production",
        {
            "01-web": b"\xef\xbb\xbf[web]\r\nweb[1:2] ansible_host=10.78.3.1 # the first\r\n",
            "02-db.yml": "\ufeffdb:\n  hosts:\n    db-[a:b]: {ansible_port: 2200}\n    db_c:23:\n",
            "more/lb": "[lb]\n10.78.3.9\n[front:children]\nweb\nlb\n",
            "more/group_vars/lb.yml": "never: read\n",
            "group_vars/all/main.yml": "\ufeffntp: 10.0.0.1\nansible_user: ops\n",
            "group_vars/all/vault.yml": VAULT,
            "group_vars/web/a.yml": "tier: front\n",
            "host_vars/web2.yml": "tier: canary\n",
            "dynamic.sh": f"#!/bin/sh\ntouch {ran}\n",
            "aws_ec2.yml": "---\n# in the cloud\nplugin: amazon.aws.aws_ec2\n",
            "sealed": VAULT,
            "wide": "[web]\nweb9\n".encode("utf-16"),
            "broken": "[web\nx\n",
            "ansible.cfg": "[defaults]\ninventory = x\n",
            "README.md": "[not] a = host\n",
            "old.orig": "[web]\nold\n",
            "site.retry": "old\n",
            ".hidden": "[web]\nold\n",
        },
    )
    (folder / "dynamic.sh").chmod(0o755)
    (folder / "again").symlink_to(folder)

    found = read(folder)

    assert groups(found) == {
        "web1": ("web", "front"),
        "web2": ("web", "front"),
        "10.78.3.9": ("lb", "front"),
        **dict.fromkeys(("db-a", "db-b", "db_c"), ("db",)),
    }
    hosts = named(found)
    assert hosts["web1"].variables == {"ntp": "10.0.0.1", "tier": "front"}
    assert hosts["web2"].variables == {"ntp": "10.0.0.1", "tier": "canary"}
    assert "never" not in hosts["10.78.3.9"].variables
    assert (hosts["db_c"].options.port, hosts["db-a"].options.port) == ("23", "2200")
    assert {candidate.options.user for candidate in found.candidates} == {"ops"}
    left = {warning.partition(" is left out: ")[0]: warning for warning in found.warnings}
    assert set(left) == {
        str(folder / name)
        for name in (
            *("dynamic.sh", "aws_ec2.yml", "sealed", "wide", "broken", "again"),
            "group_vars/all/vault.yml",
        )
    }
    assert "it is a program" in left[str(folder / "dynamic.sh")]
    assert "configuration of an inventory plugin" in left[str(folder / "aws_ec2.yml")]
    assert not ran.exists()


def test_what_is_special_in_an_ini_inventory_comes_as_ansible_has_it(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {
            "hosts": "lonely ansible_host=10.78.4.1\n10.78.4.2\n"
            "user_name.lan ansible_host=10.78.4.3\n"
            "web[08:10] ansible_ssh_host=10.78.4.4  ansible_ssh_user=root # ten\n"
            "alt:2222 ansible_host=10.78.4.5 motto='two words'\n"
            "::1\nbad!name ansible_host=10.78.4.6\n"
            "pw ansible_host=10.78.4.7 ansible_ssh_pass=s3cret ansible_become_pass=s3cret\n"
            "[kube_control_plane]\nlonely\n"
            "[kube_node]\nlonely\nalt\n"
            "[k8s_cluster:children]\nkube_control_plane\nkube_node\n"
            "[calico_rr]\n"
            "[everything:children]\nk8s_cluster\ncalico_rr\nweb\n"
            "[web]\nweb[08:10]\n"
            "[k8s_cluster:vars]\nansible_ssh_common_args='-o ProxyJump=jump.lan'\ntier=cluster\n"
            "[kube_node:vars]\ntier=node\nansible_become_method=su\nansible_group_priority=5\n"
            "[kube_control_plane:vars]\ntier=control\n"
            "[all:vars]\nansible_python_interpreter=/usr/bin/python3.9\n"
        },
    )
    found = read(tmp_path / "hosts")
    assert groups(found) == {
        "lonely": ("kube_control_plane", "kube_node", "k8s_cluster", "everything"),
        "alt": ("kube_node", "k8s_cluster", "everything"),
        **dict.fromkeys(("web08", "web09", "web10"), ("web", "everything")),
        **dict.fromkeys(("10.78.4.2", "user_name.lan", "::1", "bad!name", "pw"), ()),
    }
    hosts = named(found)
    lonely, alt = hosts["lonely"], hosts["alt"]
    assert lonely.variables["ansible_ssh_common_args"] == "-o ProxyJump=jump.lan"
    assert (lonely.variables["tier"], lonely.variables["ansible_become_method"]) == ("node", "su")
    (note,) = lonely.group_notes
    assert note == (
        "variable tier differs between groups kube_control_plane, kube_node and k8s_cluster:"
        " that of kube_node wins"
    )
    assert (alt.options.ip, alt.options.port, alt.variables["motto"]) == (
        *("10.78.4.5", "2222", "two words"),
    )
    assert {candidate.options.python for candidate in found.candidates} == {"/usr/bin/python3.9"}
    assert (
        hosts["10.78.4.2"].options.ip,
        hosts["web09"].options.ip,
        hosts["web09"].options.user,
    ) == (*("10.78.4.2", "10.78.4.4", "root"),)
    assert hosts["pw"].notes == (
        *("ansible_become_pass is left out", "ansible_ssh_pass is left out"),
    )
    assert "s3cret" not in repr(found)
    assert found.group_variables["kube_node"]["ansible_group_priority"] == 5


DOCUMENT: dict[str, Any] = {
    "all": {
        "vars": {"ntp": "10.0.0.1"},
        "hosts": {"bare": {"ansible_host": "10.78.5.1"}},
        "children": {
            "app-servers": {
                "hosts": {"app[1:2]": {"ansible_host": "10.78.5.2"}},
                "vars": {"ports": [80, 443]},
            },
            "site": {"children": {"app-servers": None, "empty": None}, "vars": {"ports": [80]}},
        },
    }
}


@pytest.mark.parametrize("name", ["hosts.json", "hosts.yaml", "hosts"])
def test_yaml_and_json_are_read_with_and_without_a_suffix(tmp_path: Path, name: str) -> None:
    lay(tmp_path, {name: json.dumps(DOCUMENT)})
    found = read(tmp_path / name)
    assert groups(found) == {
        "bare": (),
        **dict.fromkeys(("app1", "app2"), ("app-servers", "site")),
    }
    app = named(found)["app1"]
    assert app.variables == {"ntp": "10.0.0.1", "ports": [80, 443]}
    (note,) = app.group_notes
    assert note == (
        "variable ports differs between groups app-servers and site: that of app-servers wins,"
        " kept on the host"
    )
    assert found.group_variables == {
        "app-servers": {"ports": [80, 443]},
        "site": {"ports": [80]},
    }
    assert found.for_all == {"ntp": "10.0.0.1"}


def test_what_ansible_passes_over_in_a_file_is_told(tmp_path: Path) -> None:
    text = "web:\n  hots: {web01: }\n  hosts: {web: {ansible_host: 10.78.7.1}}\n"
    lay(tmp_path, {"hosts.yml": text})
    found = read(tmp_path / "hosts.yml")
    assert groups(found) == {"web": ("web",)}
    both, skipped = sorted(found.warnings)
    assert both == "Found both group and host with same name: web"
    assert skipped.startswith("Skipping unexpected key (hots) in group (web)")


def test_what_cannot_be_read_at_all_is_a_mistake_that_says_why(tmp_path: Path) -> None:
    for name, content, told in (
        ("wide", "[web]\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("only/aws.yml", b"plugin: amazon.aws.aws_ec2\n", "has no readable inventory; "),
        ("none/.keep", b"", "has no readable inventory"),
    ):
        lay(tmp_path, {name: content})
        path = tmp_path / Path(name).parts[0]
        with pytest.raises(InvalidInput) as refused:
            read(path)
        (mistake,) = refused.value.mistakes
        assert (mistake.option, mistake.value) == ("--inventory", str(path))
        assert told in mistake.message


def test_a_host_has_of_groups_side_by_side_what_it_had_of_the_tree(tmp_path: Path) -> None:
    """Ansible itself compares: random trees of groups, with variables and priorities at random."""
    chance = random.Random(16)  # noqa: S311  no secret
    names = [f"{chance.choice('abcxyz_')}{number}" for number in range(24)]

    def some() -> dict[str, int]:
        return {f"v{chance.randrange(5)}": chance.randrange(4) for _ in range(chance.randrange(3))}

    tree: dict[str, Any] = {"all": {"vars": some() | {"v0": 9}, "children": dict.fromkeys(names)}}
    for number, name in enumerate(names):
        below = chance.sample(names[number + 1 :], min(2, len(names) - number - 1))
        hosts = {f"h{chance.randrange(40)}": some() for _ in range(chance.randrange(4))}
        priority = {"ansible_group_priority": chance.choice([1, 1, 5, 20])}
        tree[name] = {
            "children": dict.fromkeys(below if chance.random() < 0.5 else []),
            "hosts": {
                host: {"ansible_host": f"10.78.6.{host[1:]}", **own} for host, own in hosts.items()
            },
            "vars": some() | priority,
        }
    lay(tmp_path, {"tree.json": json.dumps(tree)})
    planned = plan(
        read(tmp_path / "tree.json"),
        InventoryChoices([EnvironmentRecord(1, "PROD", 0, 0)], [], []),
        [],
        environment="PROD",
        group=None,
    )
    rows = [row for row in planned.rows if row.values is not None]
    assert len(rows) == len(planned.rows) > 10
    flat: dict[str, Any] = {
        group.name: {"hosts": {}, "vars": group.vars} for group in planned.groups
    }
    for row in rows:
        for group in row.groups:
            flat[group]["hosts"][row.name] = None
    hosts = {row.name or "": row.values.vars for row in rows if row.values is not None}
    (of_all,) = planned.environments
    whole = {"all": {"children": flat, "hosts": hosts, "vars": of_all.vars}}
    lay(tmp_path, {"flat.json": json.dumps(whole)})

    before, after = (read_inventory(tmp_path / each).hosts for each in ("tree.json", "flat.json"))

    unsaid = {"ansible_host", "ansible_group_priority"}
    assert {
        n: {k: v for k, v in said.items() if k not in unsaid} for n, said in before.items()
    } == {
        name: {key: value for key, value in said.items() if key not in unsaid}
        for name, said in after.items()
    }
    assert any("kept on the host" in (row.reason or "") for row in rows)


@pytest.mark.parametrize(
    ("name", "text", "pattern"),
    [
        ("hosts", "zed\n[db]\ndb2\ndb1\n[app]\nweb3\nweb1\n[cache]\na1\n", "all"),
        ("hosts", "[site:children]\nweb\ndb\n[db]\nb\na\n[web]\nz\ny\n[old]\nc\n", "all"),
        (
            "hosts.yml",
            "all: {children: {web: {hosts: {c: , a: }}, db: {hosts: {b: , a: }}}}\n",
            "db",
        ),
        ("hosts", "[app]\nweb3\nweb1\nboth\n[db]\ndb1\nboth\n[lb]\nweb1\ndb1\n", "app:db:lb"),
        ("hosts", "[one]\na\nb\n[two]\nb\na\n", "all"),
        ("hosts", "[all]\nn1\nn2\nn3\n[kube_node]\nn2\nn3\n[etcd]\nn1\n", "all:kube_node"),
        ("hosts", "[site:children]\nweb\ndb\n[web]\nz\n[db]\nb\n[lb]\nb\n", "site:db"),
    ],
)
def test_hosts_come_in_the_order_that_ansible_has(
    tmp_path: Path, name: str, text: str, pattern: str
) -> None:
    """Which of them is `groups['db'][0]`, and the first of a `serial`, is up to that."""
    lay(tmp_path, {name: text})
    program = Path(invocation.ansible_program("ansible"))
    order = list(read_inventory(tmp_path / name).hosts)
    for part in pattern.split(":"):
        command = [str(program), part, "-i", str(tmp_path / name), "--list-hosts"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        hosts = [line.strip() for line in listed.splitlines()[1:]]
        assert [host for host in order if host in hosts] == hosts


def test_an_inventory_is_not_too_large_for_what_another_program_has_used(tmp_path: Path) -> None:
    """In a process of its own: what this one, or its children, have used before counts not."""
    path = tmp_path / "hosts.toml"
    path.write_text("[[[\n")
    code = f"""
import subprocess, sys
from pathlib import Path
from diaken_cli import bounds
from diaken_cli.services.ansible.imported_inventory import read_inventory
subprocess.run([sys.executable, "-c", "b'x' * {180 * bounds.MB}"], check=True)
bounds.INVENTORY_MEMORY = {200 * bounds.MB}
try:
    read_inventory(Path({str(path)!r}))
except ValueError as fault:
    print(fault)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("can't be read by Ansible"), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["hosts.ini", "hosts.yml"])
def test_a_range_of_a_million_hosts_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(bounds, "INVENTORY_MEMORY", 200 * bounds.MB)
    some = "web[0000000:9999999]"
    text = f"[web]\n{some}\n" if name == "hosts.ini" else f"web: {{hosts: {{'{some}': }}}}\n"
    path = tmp_path / name
    path.write_text(text)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    # Of Ansible itself the kernel sees to it; its ru_maxrss would have this process's, too.
    with pytest.raises(InvalidInput, match="is too large: Ansible would need more than 200M"):
        read(path)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB
