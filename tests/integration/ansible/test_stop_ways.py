"""What a run left is ended on the way by which it was reached: arguments, jumps, users of hosts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.services.ansible import tracking
from diaken_cli.services.ansible.work import Inventory, Target
from tests.integration.ansible.bench import Bench, Ran
from tests.integration.ansible.test_stop import WatchedSleep, at_once
from tests.processes import processes_with

UNREACHABLE = "10.77.0.251"
"""An address at which there is nobody: who gets there got there by a jump."""
TRUSTING = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"


def stopped(
    bench: Bench,
    target: Target,
    *,
    play: str = "",
    task: str = "",
    before: str = "",
    group_variables: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Ran:
    """A sleep that is stopped once it sleeps: nothing of it is left, and nothing is said of it."""
    sleep = WatchedSleep()
    playbook = bench.playbook(f"""\
        {before}
        - hosts: all
          gather_facts: false
          {play}
          tasks:
            - ansible.builtin.shell: sleep {sleep.argument}; echo over
              {task}
        """)
    ran = bench.carry_out(
        playbook,
        (target,),
        inventory=Inventory("TEST", {"web": group_variables or {}}),
        extra_variables=(extra,) if extra else (),
        should_stop=sleep.stop_when_it_runs(1),
    )
    assert sleep.began is not None, f"it was never seen to run: {ran.outcome}"
    assert at_once(sleep)
    assert not processes_with(sleep.argument)
    assert ran.warnings == ()
    assert not tracking.folder_of(bench.lock).exists()
    return ran


def hidden(bench: Bench, **settings: Any) -> Target:
    """web01, by a name that stands for its address only where one jumps through web02."""
    return replace(bench.target(1, **settings), address=UNREACHABLE)


def proxy_command(bench: Bench) -> str:
    through = f"ssh -i {bench.lab.ssh_private_key} {TRUSTING} root@10.77.0.102"
    return f"-o ProxyCommand='{through} -W 10.77.0.101:22'"


def test_through_a_bastion_of_the_hosts_own(bench: Bench) -> None:
    stopped(bench, hidden(bench, variables={"ansible_ssh_common_args": proxy_command(bench)}))


def test_through_a_bastion_by_extra_arguments(bench: Bench) -> None:
    stopped(bench, hidden(bench, variables={"ansible_ssh_extra_args": proxy_command(bench)}))


def test_where_a_hosts_arguments_replace_all_of_ours(bench: Bench) -> None:
    """Then the mark is given all the same, and no connection is shared."""
    stopped(
        bench, hidden(bench, variables={"ansible_ssh_args": f"{proxy_command(bench)} {TRUSTING}"})
    )


def test_through_a_bastion_that_the_groups_variables_template(bench: Bench) -> None:
    words = {"ansible_ssh_common_args": "{{ through }}", "through": "{{ jump }}"}
    stopped(bench, hidden(bench), group_variables=words, extra={"jump": proxy_command(bench)})


def test_through_a_bastion_that_the_play_sets(bench: Bench) -> None:
    play = "vars: {ansible_ssh_common_args: '{{ jump }}'}"
    stopped(bench, hidden(bench), play=play, extra={"jump": proxy_command(bench)})


def test_through_a_bastion_beside_the_playbook(bench: Bench) -> None:
    (bench.folder / "group_vars").mkdir()
    text = f'ansible_ssh_common_args: "{proxy_command(bench)}"\n'
    (bench.folder / "group_vars" / "all.yml").write_text(text)
    stopped(bench, hidden(bench))


def test_by_proxyjump_and_a_config_file_of_ssh(bench: Bench, tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(
        f"""Host *
              IdentityFile {bench.lab.ssh_private_key}
              StrictHostKeyChecking no
              UserKnownHostsFile /dev/null
            Host bastion
              HostName 10.77.0.102
              User root
            Host {UNREACHABLE}
              HostName 10.77.0.101
              ProxyJump bastion
        """
    )
    words = f"-F '{config}'"
    stopped(bench, hidden(bench, variables={"ansible_ssh_common_args": words}))


def test_as_the_user_and_at_the_port_of_the_play(bench: Bench) -> None:
    """The host's own user is another one, whom nobody lets in; the tasks become root."""
    port = 2222
    start = f"$(command -v sshd || echo /usr/sbin/sshd) -p {port} -o PidFile=none"
    assert bench.lab.sh("web04", "sh", "-ec", start).returncode == 0
    target = Target(
        "web04", "10.77.0.104", "nobody", key=bench.lab.ssh_private_key, groups=("web",)
    )
    stopped(
        bench,
        target,
        play="become: true",
        extra={"ansible_user": "deploy", "ansible_port": port},
    )


def test_where_a_task_was_delegated_to(bench: Bench) -> None:
    task = f"""delegate_to: other
              vars:
                ansible_host: 10.77.0.103
                ansible_user: root
                ansible_ssh_private_key_file: {bench.lab.ssh_private_key}"""
    stopped(bench, bench.target(1), task=task)


def test_on_a_host_that_a_play_has_added(bench: Bench) -> None:
    before = f"""- hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.add_host:
                name: added
                ansible_host: 10.77.0.103
                ansible_user: root
                ansible_ssh_private_key_file: {bench.lab.ssh_private_key}
        """
    stopped(bench, bench.target(1), before=before, task="when: inventory_hostname == 'added'")


def test_modules_leave_no_files_where_they_were_stopped(bench: Bench) -> None:
    """What they have unpacked in /tmp."""
    stopped(bench, bench.target(5))
    stopped(bench, bench.target(5, user="deploy"), play="become: true")
    assert bench.lab.sh("web05", "sh", "-c", "ls -d /tmp/ansible_*").stdout == ""


def test_hosts_that_were_never_reached_are_not_warned_of(bench: Bench) -> None:
    sleep = WatchedSleep()
    gone = replace(bench.target(2), address=UNREACHABLE)
    ran = bench.carry_out(
        sleep.playbook(bench),
        (bench.target(1), gone),
        should_stop=lambda: sleep.runs() and sleep.stop_when_it_runs(1)(),
    )
    assert not processes_with(sleep.argument)
    assert ran.warnings == ()


# ── what is noted ────────────────────────────────────────────────────────────────────────────


def test_a_note_holds_how_a_host_is_reached_and_never_what_is_run_there(bench: Bench) -> None:
    """A task's environment may hold secrets, and stands in the remote command."""
    seen: list[tuple[tracking.SshCall, ...]] = []
    texts: list[str] = []

    def look() -> bool:
        seen.append(tracking.recorded_calls(bench.lock))
        folder = tracking.folder_of(bench.lock)
        texts.extend(path.read_text() for path in folder.glob("*") if path.is_file())
        return False

    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          environment: {PASSWORD: hidden-from-notes}
          tasks:
            - ansible.builtin.shell: test "$PASSWORD"; sleep 2
        """)
    ran = bench.carry_out(playbook, bench.targets(1, 2), should_stop=look)

    assert ran.outcome.return_code == 0
    last = [each for each in seen if each][-1]
    assert [each.destination for each in last] == ["10.77.0.101", "10.77.0.102"]
    assert {each.folder for each in last} == {bench.folder}
    assert texts
    assert not any("hidden-from-notes" in text for text in texts)
    argv = last[0].command("true", ran.mark, connect_timeout=5)
    assert argv[:2] == ["ssh", "-T"]
    assert argv[-3:] == ["--", "10.77.0.101", "true"]
    assert not any(ran.mark in word for word in argv)
    assert argv.index("ControlPath=none") < min(
        number for number, word in enumerate(argv) if word.startswith('ControlPath="/')
    )


@pytest.mark.parametrize("content", [b"", b"/folder\0", b"/folder\0-o\0BatchMode=yes"])
def test_a_note_that_was_cut_off_is_none(tmp_path: Path, content: bytes) -> None:
    lock = tmp_path / "run"
    tracking.record_calls(lock, ("cat", "secret"))
    (tracking.folder_of(lock) / "note").write_bytes(content)
    kept = [each for each in tracking.recorded_calls(lock) if each.destination != "-o"]
    assert kept == []
    assert tracking.become_password_command(lock) == ("cat", "secret")
    tracking.forget_calls(lock)
    assert list(tmp_path.iterdir()) == []
