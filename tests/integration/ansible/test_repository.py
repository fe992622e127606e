"""A repository with an ansible.cfg runs as with plain Ansible; what diaken decides stays."""

import textwrap
from pathlib import Path

import pytest

from diaken_cli.services.ansible import catalog
from diaken_cli.services.ansible.syntax import syntax_check
from diaken_cli.types import HostStatus
from tests.integration.ansible.bench import Bench

FILES = {
    # What would lead every task elsewhere, or nowhere, stands beside what the playbook needs.
    "ansible.cfg": """
        [defaults]
        roles_path = ./parts/roles
        library = ./parts/modules
        filter_plugins = parts/filters
        collections_path = ./vendor
        hash_behaviour = merge
        gathering = explicit
        any_errors_fatal = False
        inventory = ./nowhere.ini
        remote_user = nobody
        remote_port = 1
        private_key_file = ./no-such-key
        transport = local
        forks = 1
        timeout = 1
        log_path = ./ansible.log
        vault_password_file = ./no-such-password
        vault_identity_list = dev@./no-such-password
        become_password_file = ./no-such-password
        ask_pass = True
        ask_vault_pass = True
        stdout_callback = json
        callbacks_enabled = profile_tasks
        local_tmp = /nowhere/that/can/be/made
        remote_tmp = /proc/nowhere
        nocolor = False
        force_color = True
        verbosity = 4
        retry_files_enabled = False
        yaml_valid_extensions = .yml
        [inventory]
        enable_plugins = ini
        [ssh_connection]
        ssh_args = -o ProxyCommand=false
        ssh_common_args = -o ProxyCommand=false
        ssh_extra_args = -o ProxyCommand=false
        ssh_executable = /bin/false
        control_path = %(directory)s/same
        pipelining = False
        [connection]
        pipelining = False
        [privilege_escalation]
        become = True
        become_method = su
        become_user = nobody
        become_ask_pass = True
        [sudo_become_plugin]
        executable = /bin/false
    """,
    "parts/roles/greeting/tasks/main.yml": """
        - name: Say it
          ansible.builtin.debug:
            msg: "{{ 'hey' | loud }} {{ from.role }} {{ from.play }} {{ ansible_system | d('?') }}"
        - name: By its module
          mine:
          register: by
        - name: By its collection
          acme.tools.twice:
            word: "{{ by.word }}"
          register: twice
        - name: Who am I
          ansible.builtin.command: id -un
          register: id
          changed_when: false
        - name: Keep it
          ansible.builtin.copy:
            content: "{{ twice.word }} {{ id.stdout }}"
            dest: /tmp/of-a-repository
            mode: "0644"
    """,
    "parts/roles/greeting/vars/main.yml": "unused: 1",
    "parts/roles/greeting/defaults/main.yml": "from: {role: role}",
    "parts/modules/mine.py": """
        from ansible.module_utils.basic import AnsibleModule
        AnsibleModule({}).exit_json(word="word")
    """,
    "parts/filters/loud.py": """
        class FilterModule:
            def filters(self):
                return {"loud": str.upper}
    """,
    "vendor/ansible_collections/acme/tools/plugins/modules/twice.py": """
        from ansible.module_utils.basic import AnsibleModule
        module = AnsibleModule({"word": {"type": "str"}})
        module.exit_json(word=module.params["word"] * 2)
    """,
    "playbooks/site.yml": """
        - hosts: all
          vars:
            from: {play: play}
          roles:
            - greeting
    """,
}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    folder = tmp_path / "a repository"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip() + "\n")
    return folder


def test_it_runs_by_its_folder_of_playbooks_as_by_its_root(bench: Bench, book: Path) -> None:
    found = catalog.find("site", [book / "playbooks"])
    by_root = catalog.find("playbooks/site", [book])
    assert (by_root.path, by_root.repository()) == (found.path, found.repository())
    work = bench.work(found.path, bench.targets(1, 2), repository=found.repository())
    assert syntax_check(work) is None

    ran = bench.carry_out(found.path, bench.targets(1, 2), repository=found.repository())

    assert ran.outcome.reason is None
    assert ran.statuses == {"web01": HostStatus.SUCCESS, "web02": HostStatus.SUCCESS}
    said = [each.text for each in ran.finished if each.task.endswith("Say it")]
    assert len(said) == 2
    assert all("HEY role play ?" in each for each in said)
    for host in ("web01", "web02"):
        assert bench.lab.sh(host, "cat", "/tmp/of-a-repository").stdout == "wordword root"
        bench.lab.sh(host, "rm", "/tmp/of-a-repository")
    assert not list(book.rglob("*.log"))


def test_without_its_ansible_cfg_the_role_is_not_found(bench: Bench, book: Path) -> None:
    complaint = syntax_check(bench.work(book / "playbooks" / "site.yml", bench.targets(1)))

    assert complaint is not None
    assert "the role 'greeting' was not found" in complaint
