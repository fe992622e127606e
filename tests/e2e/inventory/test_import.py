"""`hosts import` from a vCenter and an Ansible inventory, on real hosts of a lab."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.actions.inventory import add_environment
from tests.e2e.cli import DIAKEN, HOSTS, Cli
from tests.integration.lab.machines import finish
from tests.lab_fixture import Lab, running_lab
from tests.seeding import add_lab_vcenter

BESIDE_PYTHON = Path(sys.executable).parent
SAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.debug:
        msg: "{{ greeting }} from {{ zone }}: {{ hidden }}, {{ role | default('none') }}"
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab("import", "--vms", "5") as started:
        with started.connect() as service:
            _arrange(service)
        started.sim("guest", vm="web05", ip="10.77.0.101")
        yield started


def _arrange(service: Any) -> None:
    """web02 with a name that no host can have, web03 in a folder, web04 off."""
    content = service.RetrieveContent()
    kinds = [vim.VirtualMachine, vim.Folder]
    view = content.viewManager.CreateContainerView(content.rootFolder, kinds, recursive=True)
    named = {each.name: each for each in view.view}
    tasks = [
        named["web02"].Rename_Task("Web 02 (old)"),
        named["Servers"].MoveIntoFolder_Task([named["web03"]]),
        named["web04"].PowerOffVM_Task(),
    ]
    for task in tasks:
        finish(task)


@pytest.fixture
def cli(lab: Lab, tmp_path: Path) -> Cli:
    """The lab's vCenter, and TEST with no group in it."""
    plays = tmp_path / "plays"
    plays.mkdir()
    (plays / "say.yml").write_text(SAY)
    sections = f'[playbooks]\npaths = ["{plays}"]\n'
    sections += f'[ssh]\nuser = "root"\nkey = "{lab.ssh_private_key}"\n'
    cli = Cli(tmp_path, lab=lab, config=sections)
    add_lab_vcenter(cli.store, lab)
    add_environment(cli.store, name="TEST")
    return cli


def brief(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {row["source"]: (row["name"], row["status"]) for row in rows}


# ── from a vCenter ───────────────────────────────────────────────────────────────────────────


def test_the_vms_of_a_vcenter_become_hosts(cli: Cli, lab: Lab) -> None:
    plain = ("hosts", "import", "--vcenter", "lab", "--environment", "TEST")
    own = cli.json(*plain, "--dry-run", status=3)
    assert brief(own)["VM /DC0/vm/Web 02 (old)"] == ("Web 02 (old)", "failed")
    assert "its guest reports web02, used only with --guest-names" in own[1]["reason"]
    assert {row["name_from"] for row in own} == {"vm"}
    call = (*plain, "--guest-names")
    lab.sim("calls")
    plan = cli.json(*call, "--dry-run", status=3)
    calls = lab.sim("calls")["calls"]
    assert (calls["CreateContainerView"], calls["RetrievePropertiesEx"]) == (1, 1)
    assert brief(plan) == {
        "VM /DC0/vm/Servers/web03": ("web03", "planned"),
        "VM /DC0/vm/Web 02 (old)": ("web02", "planned"),
        "VM /DC0/vm/web01": ("web01", "failed"),
        "VM /DC0/vm/web04": ("web04", "skipped"),
        "VM /DC0/vm/web05": ("web05", "failed"),
    }
    twice = "VM /DC0/vm/web01, VM /DC0/vm/web05 have the same address"
    marked = "its guest reports the name web02"
    assert [row["reason"] for row in plan] == [None, marked, twice, "the VM is powered off", twice]
    assert [row["name_from"] for row in plan] == ["vm", "guest", "vm", "vm", "vm"]
    assert cli.store.inventory.hosts() == []
    assert cli.hosts_file.read_text() == HOSTS

    done = cli.run(*call, "--json")
    assert done.status == 3
    assert "2 created, 0 updated, 0 unchanged, 3 skipped (2 invalid)" in done.err
    assert "groups created: Servers, 1 in no group" in done.err
    rows = json.loads(done.out)
    assert [row["status"] for row in rows if row["action"] == "create"] == ["created"] * 2
    web03 = cli.json("hosts", "show", "web03")
    assert (web03["ip"], web03["group"], web03["vcenter"]) == ("10.77.0.103", "Servers", "lab")
    assert cli.json("hosts", "show", "web02")["group"] is None
    assert "\n10.77.0.102\tweb02\n10.77.0.103\tweb03\n" in cli.hosts_file.read_text()
    again = cli.json(*call, status=3)
    assert sorted(row["action"] for row in again) == ["skipped"] * 3 + ["unchanged"] * 2

    # The stored UUID finds the VM: a snapshot of it can be taken.
    created = cli.json("snapshots", "create", "imported", "--host", "web03")
    assert created["status"] == "success"


def test_a_host_that_is_there_gets_its_vm_and_nothing_else(cli: Cli) -> None:
    place = ("--environment", "TEST", "--user", "ops")
    before = cli.json("hosts", "add", "three.example.com", "--ip", "10.77.0.103", *place)
    rows = cli.json("hosts", "import", "--vcenter", "lab", "--environment", "TEST", status=3)
    (row,) = [row for row in rows if row["action"] == "update"]
    assert (row["name"], row["status"]) == ("three.example.com", "updated")
    after = cli.json("hosts", "show", "three.example.com")
    assert after == before | {"vcenter": "lab", "vm_uuid": row["vm_uuid"]}
    assert row["vm_uuid"] is not None
    assert cli.json("groups", "list") == []


# ── from Ansible ─────────────────────────────────────────────────────────────────────────────


def ansible(cli: Cli, lab: Lab, program: str, *arguments: str | Path) -> str:
    """Run a program of Ansible's, as a sysadmin does who has an inventory script, in the lab."""
    path = f"{BESIDE_PYTHON}:{os.environ['PATH']}"
    done = lab.exec(
        [BESIDE_PYTHON / program, *arguments],
        env=cli.environment
        | {
            "PATH": path,
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            # No socket: below a test's folder its path would be too long.
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o UserKnownHostsFile=/dev/null",
        },
        cwd=cli.folder,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def test_an_ansible_inventory_becomes_hosts_and_one_again(cli: Cli, lab: Lab) -> None:
    vault = cli.folder / "vault"
    vault.write_text("v4ult")
    hidden = ansible(
        cli,
        lab,
        "ansible-vault",
        *("encrypt_string", "--vault-password-file", vault, "--name", "hidden", "s3same"),
    )
    folder = cli.folder / "ansible"
    (folder / "group_vars").mkdir(parents=True)
    (folder / "group_vars" / "web_servers.yml").write_text(f"greeting: hello\n{hidden}\n")
    source = folder / "hosts"
    source.write_text(
        "[web_servers]\n"
        "app01 ansible_host=10.77.0.102 role=front\n"
        "app02 ansible_host=10.77.0.103 zone=us\n"
        "[db]\napp02\ndb_1 ansible_host=10.77.0.1\n"
        "[web_servers:vars]\nzone=eu\n"
        "[eu:children]\nweb_servers\ndb\n"
        "[eu:vars]\nansible_user=root\nansible_become_password=t0psecret\n"
    )
    call = ("hosts", "import", "--inventory", str(source), "--environment", "TEST")
    done = cli.run(*call, "--json")
    assert done.status == 0, done.err
    assert "ansible_become_password is left out" in done.err
    rows = json.loads(done.out)
    assert brief(rows) == {
        "host app01": ("app01", "created"),
        "host app02": ("app02", "created"),
        "host db_1": ("db_1", "created"),
    }
    left = "ansible_become_password is left out"
    assert {row["name"]: row["groups"] for row in rows} == {
        "app01": ["web_servers", "eu"],
        "app02": ["web_servers", "db", "eu"],
        "db_1": ["db", "eu"],
    }
    assert all((row["new_groups"], row["reason"]) == (row["groups"], left) for row in rows)
    assert b"t0psecret" not in cli.database.read_bytes()
    assert {row["status"] for row in cli.json(*call)} == {"unchanged"}
    groups = {each["name"]: each for each in cli.json("groups", "list")}
    assert set(groups) == {"web_servers", "db", "eu"}
    web = groups["web_servers"]
    assert (web["hosts"], web["vars"]["greeting"], web["vars"]["zone"]) == (2, "hello", "eu")
    assert cli.json("hosts", "show", "app02")["vars"] == {"zone": "us"}
    cli.run("hosts", "set", "db_1", "--inactive")

    run = cli.json("run", "group", "web_servers", "say", "--vault-password-file", str(vault))
    output = cli.run("history", "output", str(run["id"])).out
    assert "hello from eu: s3same, front" in output
    assert "hello from us: s3same, none" in output

    script = cli.folder / "inventory"
    script.write_text(f'#!/bin/sh\nexec {" ".join(DIAKEN)} inventory export "$@"\n')
    script.chmod(0o755)
    graph = ansible(cli, lab, "ansible-inventory", "-i", script, "--graph")
    assert "@web_servers:" in graph
    pinged = ansible(cli, lab, "ansible", "all", "-i", script, "-m", "ansible.builtin.ping")
    assert pinged.count("SUCCESS") == 2
    said = "msg='{{ greeting }} {{ hidden }} {{ group_name }}'"
    shown = ansible(
        cli,
        lab,
        *("ansible", "app01", "-i", script, "--vault-password-file", vault),
        *("-m", "ansible.builtin.debug", "-a", said),
    )
    assert "hello s3same" in shown


def test_what_ansible_cannot_read_is_refused_and_nothing_of_it_is_run(cli: Cli) -> None:
    ran = cli.folder / "ran"
    program = f"#!/bin/sh\ntouch {ran}\necho '{{}}'\n"
    for name, text, told in (
        ("broken.yml", "all: [\n", "YAML parsing failed"),
        ("broken.ini", "[web\nx y z\n", "can't be read by Ansible"),
        ("plugin.yml", "plugin: ansible.builtin.constructed\n", "configuration YAML file"),
        ("program", program, "is a program, which diaken does not run"),
        ("sealed.yml", "$ANSIBLE_VAULT;1.1;AES256\n3132\n", "no vault secrets"),
    ):
        path = cli.folder / name
        path.write_text(text)
        path.chmod(0o755)
        call = ("hosts", "import", "--inventory", name, "--environment", "TEST")
        error = cli.error(2, *call)
        assert [each["option"] for each in error["mistakes"]] == ["--inventory"], name
        assert told in error["message"]
    lookup = f"{{{{ lookup('pipe', 'touch {ran}') }}}}"
    path = cli.folder / "templates.ini"
    path.write_text(
        f'web01 ansible_host=10.0.4.21 x="{lookup}"\nweb02 ansible_host="{lookup}"\n'
        f'web03 ansible_host=10.0.4.23 ansible_user="{lookup}"\n'
    )
    rows = cli.json("hosts", "import", "--inventory", str(path), "--environment", "TEST", status=3)
    assert [row["status"] for row in rows] == ["created", "failed", "failed"]
    assert not ran.exists()


def test_inventories_of_all_kinds_come_as_they_are(cli: Cli) -> None:
    folder = cli.folder / "production"
    for name, text in {
        "bare": "[shop]\n10.79.0.4\n10.79.0.5\n[all-of-it:children]\nshop\nstore\n"
        "[store]\n10.79.0.6\n[all-of-it:vars]\nansible_user=deploy\n",
        "cluster": "\ufeff[kube_control_plane]\r\nm_1 ansible_host=10.79.1.1 # the first\r\n"
        "m_2 ansible_host=10.79.1.2\r\n[kube_node]\r\nm_2\r\nw[3:4]:2222\r\n"
        "[k8s_cluster:children]\r\nkube_control_plane\r\nkube_node\r\n",
        "host_vars/w3.yml": "ansible_host: 10.79.1.3\n",
        "host_vars/w4.yml": "ansible_host: 10.79.1.3\n",
        "group_vars/kube_node.yml": "max_pods: 50\nansible_ssh_common_args: -o Compression=yes\n",
        "group_vars/kube_control_plane/a.yml": "max_pods: 10\n",
        "late.sh": "#!/bin/sh\nexit 1\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    call = ("hosts", "import", "--inventory", str(folder), "--environment", "TEST")
    plan = cli.run(*call, "--dry-run")
    assert plan.status == 3
    assert f"{folder}/late.sh is left out: it is a program" in plan.err
    assert "kube_node (new), k8s_cluster (new)" in " ".join(plan.out.split())
    rows = {row["name"]: row for row in cli.json(*call, status=3)}
    assert {name: row["groups"] for name, row in rows.items()} == {
        "10.79.0.4": ["shop", "all-of-it"],
        "10.79.0.5": ["shop", "all-of-it"],
        "10.79.0.6": ["store", "all-of-it"],
        "m_1": ["kube_control_plane", "k8s_cluster"],
        "m_2": ["kube_control_plane", "kube_node", "k8s_cluster"],
        "w3": ["kube_node", "k8s_cluster"],
        "w4": ["kube_node", "k8s_cluster"],
    }
    assert (
        "variable max_pods differs between groups kube_control_plane and kube_node"
        in (rows["m_2"]["reason"])
    )
    assert {row["status"] for name, row in rows.items() if name[0] != "w"} == {"created"}
    assert rows["w3"]["reason"] == "host w3, host w4 have the same address"
    hosts = {host.name: host for host in cli.store.inventory.hosts()}
    assert hosts["m_2"].groups == ("kube_control_plane", "kube_node", "k8s_cluster")
    assert (hosts["10.79.0.5"].ip, hosts["10.79.0.5"].user) == ("10.79.0.5", "deploy")
    block = cli.hosts_file.read_text()
    assert "10.79.1.2\tm_2\n" in block
    assert "10.79.0" not in block
    named = {group.name: group for group in cli.store.inventory.groups()}
    assert named["kube_node"].vars["ansible_ssh_common_args"] == "-o Compression=yes"


SITE = """\
- hosts: kube_node
  gather_facts: false
  tasks:
    - name: Who
      ansible.builtin.command: echo "{{ tier }} {{ other }} {{ hostvars[other].rack }}, {{ spare }}"
      register: said
      vars:
        other: "{{ groups.kube_control_plane | join }}"
        spare: "{{ groups.calico_rr | length }}"
    - ansible.builtin.debug:
        var: said.stdout
- hosts: kube_control_plane
  gather_facts: false
  tasks:
    - name: Where
      ansible.builtin.debug:
        msg: "{{ tier }} in {{ rack }}"
    - name: Learn
      ansible.builtin.add_host: {name: temporary}
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Here
      ansible.builtin.debug:
        msg: "{{ app_dir }}, {{ hostvars.temporary.app_dir }}: {{ groups.k8s_cluster | join(' ') }}"
"""


def test_a_repository_runs_on_an_imported_inventory_by_its_own_names(cli: Cli) -> None:
    folder = cli.folder / "inventory"
    folder.mkdir()
    (folder / "hosts.yml").write_text(
        "kube_control_plane: {hosts: {web_05: {ansible_host: 10.77.0.102}}}\n"
        "kube_node: {hosts: {10.77.0.103: }, vars: {tier: node}}\n"
        "k8s_cluster: {children: {kube_control_plane: , kube_node: }, vars: {tier: cluster}}\n"
        "calico_rr: {}\n"
        "all: {vars: {app_dir: /srv}}\n"
    )
    playbooks = cli.folder / "plays"
    (playbooks / "site.yml").write_text(SITE)
    (playbooks / "host_vars").mkdir()
    (playbooks / "host_vars" / "web_05.yml").write_text("rack: r5\n")
    call = ("hosts", "import", "--inventory", str(folder), "--environment", "TEST")
    planned = cli.run(*call, "--dry-run")
    assert "warning: variables of all (app_dir) become variables of TEST: " in planned.err
    assert {row["status"] for row in cli.json(*call)} == {"created"}

    run = cli.json("run", "group", "k8s_cluster", "site")

    assert {each["host"]: each["status"] for each in run["hosts"]} == {
        "10.77.0.103": "success",
        "web_05": "success",
    }
    output = cli.run("history", "output", str(run["id"])).out
    assert "node web_05 r5, 0" in output
    assert "cluster in r5" in output
    assert "/srv, /srv: web_05 10.77.0.103" in output


# ── the call ─────────────────────────────────────────────────────────────────────────────────


def test_the_mistakes_of_the_call_are_told_at_once(cli: Cli) -> None:
    call = ("hosts", "import")
    assert cli.mistakes(2, *call) == ["--vcenter"]
    assert cli.mistakes(2, *call, "--vcenter", "lab") == ["--environment"]
    assert cli.mistakes(2, *call, "--csv", "none", "--vcenter", "no", "--environment", "NO") == [
        *("--vcenter", "--environment", "--vcenter", "--csv")
    ]
    assert cli.mistakes(2, *call, "--csv", str(cli.config_file), "--group", "typo") == ["--group"]
    assert cli.mistakes(2, *call, "--csv", str(cli.config_file), "--environment", "") == [
        "--environment"
    ]
    words = ("--csv", str(cli.config_file), "--guest-names")
    assert cli.mistakes(2, *call, *words) == ["--guest-names"]
    cli.hosts_file.chmod(0o644)
    assert cli.mistakes(2, *call, "--csv", str(cli.hosts_file)) == ["--csv"] * 4
    cli.json("vcenters", "set", "lab", "--datacenter", "DC9", "--no-test")
    lost = cli.error(13, *call, "--vcenter", "lab", "--environment", "TEST")
    assert (lost["code"], "/DC0" in lost["message"]) == ("no_datacenter", True)
