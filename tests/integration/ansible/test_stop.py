"""Stop means stop: nothing of a run goes on, here or on its hosts, however it was ended."""

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diaken_cli import liveness
from diaken_cli.events import Event, TaskStarted
from diaken_cli.services.ansible import remote, tracking
from diaken_cli.services.ansible.work import Target
from diaken_cli.types import HostStatus
from tests.integration.ansible.bench import Bench
from tests.processes import Sleep, processes_with
from tests.waiting import PATIENCE, slowness, until

AT_ONCE = 5.0  # seconds in which everything has to be over
LINK = "ip link set dev $(ls /sys/class/net | grep -v lo)"
SUDO_PASSWORD = "sudo asks for this"
_numbers = iter(range(1, 1000))


class WatchedSleep(Sleep):
    """A sleep of a run, and since when it was seen on all hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.began: float | None = None

    def playbook(self, bench: Bench) -> Path:
        """A play that runs it between two other tasks."""
        return bench.playbook(f"""\
            - hosts: all
              gather_facts: false
              tasks:
                - name: Before
                  ansible.builtin.command: "true"
                - name: Sleep
                  ansible.builtin.shell: sleep {self.argument}; echo over
                - name: After
                  ansible.builtin.command: "true"
            """)

    def runs(self, hosts: int = 1) -> bool:
        """Whether it runs on so many hosts: one of its processes on each is sleep itself."""
        return len(self.sleepers()) >= hosts

    def stop_when_it_runs(self, hosts: int) -> Callable[[], bool]:
        """A `should_stop` that says yes as soon as all hosts are in the middle of it."""

        def should_stop() -> bool:
            if self.began is None and self.runs(hosts):
                self.began = time.monotonic()
            return self.began is not None

        return should_stop


def at_once(sleep: WatchedSleep, grace: float = 0.0) -> bool:
    """Whether it was over soon after it was seen to run; `grace` is what the stubborn have."""
    assert sleep.began is not None, "it was never seen to run"
    return time.monotonic() - sleep.began < grace + AT_ONCE * slowness()


def nothing_of(mark: str, sleep: Sleep) -> bool:
    return not processes_with(mark) and not processes_with(sleep.argument)


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "files"])
@pytest.mark.parametrize(("user", "become"), [("root", False), ("deploy", True), ("deploy", False)])
def test_stopped_in_the_middle_nothing_goes_on(
    bench: Bench, user: str, become: bool, pipelining: bool
) -> None:
    sleep = WatchedSleep()

    ran = bench.carry_out(
        sleep.playbook(bench),
        bench.targets(1, 2, user=user),
        become=become,
        pipelining=pipelining,
        should_stop=sleep.stop_when_it_runs(hosts=2),
    )

    assert at_once(sleep)
    assert nothing_of(ran.mark, sleep)
    assert ran.outcome.canceled
    assert not ran.outcome.timed_out
    assert ran.outcome.reason == "canceled"
    assert ran.warnings == ()
    for result in ran.outcome.results:
        assert result.status is HostStatus.FAILED
        assert result.failed_task == "Sleep"
        assert result.message == "canceled"
        assert (result.counters.failed, result.canceled) == (0, True), "no task of it has failed"
    assert "After" not in {event.task for event in ran.finished}


def test_no_connection_of_a_run_that_was_stopped_stays_open(bench: Bench) -> None:
    """ssh's master, which the first task has left, would stay for a minute."""
    sleep = WatchedSleep()
    folders: set[str] = set()
    is_time = sleep.stop_when_it_runs(hosts=1)

    def should_stop() -> bool:
        folders.update(str(folder) for folder in bench.private_folders())
        return is_time()

    bench.carry_out(sleep.playbook(bench), bench.targets(1), should_stop=should_stop)

    (folder,) = folders
    until(lambda: not processes_with(folder), "ssh's master goes", seconds=20)


def test_where_sudo_wants_a_password_it_is_given_for_the_stopping_too(bench: Bench) -> None:
    sleep = WatchedSleep()
    bench.let_sudo_ask(3, SUDO_PASSWORD)

    ran = bench.carry_out(
        sleep.playbook(bench),
        bench.targets(3, user="deploy"),
        become=True,
        become_password=SUDO_PASSWORD,
        should_stop=sleep.stop_when_it_runs(hosts=1),
    )

    assert at_once(sleep)
    assert nothing_of(ran.mark, sleep)
    assert ran.warnings == ()


def test_a_time_out_ends_it_and_says_so(bench: Bench) -> None:
    sleep = WatchedSleep()
    seen = False

    def watch() -> bool:
        nonlocal seen
        seen = seen or sleep.runs(2)
        return False

    playbook = sleep.playbook(bench)
    for timeout in (5.0, 15.0, 45.0):  # a busy machine has not begun after the first
        began = time.monotonic()
        ran = bench.carry_out(playbook, bench.targets(1, 2), timeout=timeout, should_stop=watch)
        if seen:
            break

    assert seen, "it was never seen to run"
    assert time.monotonic() - began < timeout + AT_ONCE * slowness()
    assert nothing_of(ran.mark, sleep)
    assert ran.outcome.timed_out
    assert not ran.outcome.canceled
    assert ran.outcome.reason == f"stopped: it exceeded the timeout of {timeout:g} seconds"
    assert set(ran.statuses.values()) == {HostStatus.FAILED}


def test_what_ignores_sigterm_and_what_daemonized_is_ended(bench: Bench) -> None:
    sleep = WatchedSleep()
    playbook = bench.playbook(f"""\
        - hosts: all
          gather_facts: false
          tasks:
            - name: Be stubborn
              ansible.builtin.shell: |
                trap '' TERM HUP
                setsid sh -c "trap '' TERM HUP; sleep {sleep.argument}; sleep {sleep.argument}" &
                sleep {sleep.argument}
        """)

    ran = bench.carry_out(playbook, bench.targets(1), should_stop=sleep.stop_when_it_runs(hosts=2))

    assert at_once(sleep, grace=2)
    assert nothing_of(ran.mark, sleep)


def test_only_this_run_is_ended(bench: Bench) -> None:
    """What a person runs on the host, and what another run does there, is left alone."""
    sleep, other = WatchedSleep(), WatchedSleep()
    ssh = ["ssh", "-i", str(bench.lab.ssh_private_key), "-o", "StrictHostKeyChecking=no"]
    ssh += ["-o", "UserKnownHostsFile=/dev/null", "-o", "SetEnv=LC_DIAKEN_RUN=another"]
    person = bench.lab.popen([*ssh, "root@10.77.0.101", f"sleep {other.argument}"])
    try:
        until(other.runs, "the other one runs")
        bench.carry_out(
            sleep.playbook(bench), bench.targets(1), should_stop=sleep.stop_when_it_runs(hosts=1)
        )
        assert other.runs()
        assert not sleep.runs()
    finally:
        person.kill()
        person.communicate()
        for pid in other.sleepers():
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("failure", [ValueError("the recorder is broken"), OSError(28, "full")])
def test_an_exception_of_the_caller_comes_up_when_nothing_is_left(
    bench: Bench, failure: Exception
) -> None:
    """In the first task: Ansible has not been heard to have begun on any host yet."""
    sleep = WatchedSleep()
    playbook = bench.playbook(f"""\
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.shell: sleep {sleep.argument}; echo over
        """)

    def emit(event: Event) -> None:
        if isinstance(event, TaskStarted):
            until(sleep.runs, "it runs")
            raise failure

    with pytest.raises(type(failure)) as raised:
        bench.carry_out(playbook, bench.targets(1), emit=emit)

    assert raised.value is failure
    assert not processes_with(sleep.argument)
    assert bench.private_folders() == []


def test_an_ansible_that_was_killed_says_so(bench: Bench) -> None:
    """Mostly by the kernel, for want of memory: no return code explains that to anybody."""
    sleep = WatchedSleep()
    playbook = sleep.playbook(bench)

    def kill_when_it_runs() -> bool:
        if sleep.runs():
            for pid in processes_with(str(playbook)):
                if tracking._parent(pid) == os.getpid():
                    os.kill(pid, signal.SIGKILL)
        return False

    ran = bench.carry_out(playbook, bench.targets(1), should_stop=kill_when_it_runs)

    (result,) = ran.outcome.results
    assert (result.status, result.failed_task) == (HostStatus.FAILED, "Sleep")
    assert result.message is not None
    assert result.message.startswith("Ansible was killed, ")
    assert nothing_of(ran.mark, sleep)


def test_a_stop_before_the_first_task_reaches_no_host(bench: Bench) -> None:
    sleep = WatchedSleep()

    ran = bench.carry_out(sleep.playbook(bench), bench.targets(1), should_stop=lambda: True)

    assert ran.outcome.canceled
    assert nothing_of(ran.mark, sleep)


def test_a_host_that_died_meanwhile_is_named(bench: Bench) -> None:
    """It can't be asked to end what it ran: that is said."""
    gone = Target("web99", "10.77.0.99", "root")

    with bench.lab.inside():
        (left,) = remote.end_on_targets((gone,), bench.ssh, "no-such-mark", None)

    assert left.host == "web99"
    assert "No route to host" in left.reason


def test_a_host_that_answers_nothing_is_given_up_in_time(bench: Bench) -> None:
    """Its kernel accepts, and nothing greets: what is hung, frozen or overloaded does so."""
    with bench.lab.inside(), socket.create_server(("127.0.0.1", 0)) as silent:
        hung = Target("web98", "127.0.0.1", "root", port=silent.getsockname()[1])
        began = time.monotonic()
        (left,) = remote.end_on_targets((hung,), bench.ssh, "no-such-mark", None)

    assert time.monotonic() - began < AT_ONCE * slowness()
    assert left.host == "web98"
    assert "timed out" in left.reason


def test_a_host_that_answers_nothing_any_more_does_not_hold_up_a_stop(bench: Bench) -> None:
    sleep = WatchedSleep()
    gone: list[float] = []

    def should_stop() -> bool:
        if not gone and sleep.runs(1):
            link = bench.lab.sh(
                "web08", "sh", "-c", "ip link set dev $(ls /sys/class/net | grep -v lo) down"
            )
            assert link.returncode == 0, link.stderr
            gone.append(time.monotonic())
        return bool(gone)

    try:
        ran = bench.carry_out(sleep.playbook(bench), bench.targets(8), should_stop=should_stop)
        took = time.monotonic() - gone[0]
    finally:
        bench.lab.sh("web08", "sh", "-c", f"{LINK} up")
        with bench.lab.inside():
            remote.end_on_targets(bench.targets(8), bench.ssh, ran.mark, None)

    assert took < AT_ONCE * slowness()
    (warning,) = ran.warnings
    assert warning.startswith("tasks may still be running: ")
    assert nothing_of(ran.mark, sleep), "once it answers again"


def test_a_host_whose_shell_prints_without_end_fills_no_memory(bench: Bench) -> None:
    script = "printf '#!/bin/sh\nexec yes\n' >/bin/flood; chmod 755 /bin/flood"
    shell = bench.lab.sh("web09", "sh", "-ec", f"{script}; usermod -s /bin/flood root")
    assert shell.returncode == 0, shell.stderr
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with bench.lab.inside():
            (left,) = remote.end_on_targets(bench.targets(9), bench.ssh, "no-such-mark", None)
    finally:
        bench.lab.sh("web09", "usermod", "-s", "/bin/bash", "root")

    assert left == remote.NotStopped(
        "web09", "its shell printed more than 64K: can't tell whether they ended"
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KB


def test_a_lock_file_that_is_gone_starts_nothing(bench: Bench) -> None:
    """`history cancel` or a reaper may have given the run up before Ansible was started."""
    playbook = WatchedSleep().playbook(bench)

    ran = bench.carry_out(playbook, bench.targets(1), lock=bench.folder / "gone.lock")

    assert not ran.outcome.started
    assert ran.outcome.reason == "the run's lock file is gone or taken: giving up the run"


DRIVER = """\
import sys
from pathlib import Path
from diaken_cli import liveness
from diaken_cli.services.ansible import launch
from diaken_cli.services.ansible.work import SshSettings, Target, Work

playbook, key, known_hosts, lock, mark = sys.argv[1:]
targets = (Target("web01", "10.77.0.101", "root", key=Path(key)),)
work = Work(playbook, Path(playbook), targets, mark, Path(lock), SshSettings(Path(known_hosts)),
            extra_variables=({"token": "hidden-from-all"},))
with liveness.hold(Path(lock)):
    launch.run_ansible(work, lambda event: None, lambda: False)
"""


def test_after_sigkill_the_lock_is_held_as_long_as_anything_lives(bench: Bench) -> None:
    sleep = WatchedSleep()
    mark = f"killed-{os.getpid()}"
    argv = [sleep.playbook(bench), bench.lab.ssh_private_key, bench.ssh.known_hosts, bench.lock]
    driver = bench.lab.popen([sys.executable, "-c", DRIVER, *argv, mark])
    try:
        until(sleep.runs, "it runs")
        driver.send_signal(signal.SIGKILL)
        driver.wait(PATIENCE)
        (left,) = bench.private_folders()

        lived = 0
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline:
            held, alive = liveness.is_alive(bench.lock), tracking.marked_pids(mark)
            # Looked at in this order: who lives now has lived, and held it, then.
            assert held or not alive
            lived += bool(alive)
            time.sleep(0.05)
        assert lived, "all died with it: nothing was shown"
        assert not [path for path in left.rglob("*") if _holds(path, "hidden-from-all")]
    finally:
        driver.kill()
        driver.communicate()
        tracking.kill_marked(mark)
        with bench.lab.inside():
            remote.end_on_targets(bench.targets(1), bench.ssh, mark, None)
    until(lambda: not liveness.is_alive(bench.lock), "the lock is let go")
    assert nothing_of(mark, sleep)

    another = Bench(bench.lab, bench.folder / "another")
    another.carry_out(bench.playbook("- {hosts: none, tasks: []}\n"), bench.targets(1))

    assert bench.private_folders() == [], "the next run removes what the killed one left"


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and text.encode() in path.read_bytes()
