"""Run one playbook by ansible-runner, and leave nothing behind: no process, no file, no secret."""

import math
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_runner.exceptions import CallbackError
from ansible_runner.interface import init_runner

from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.events import Emit, HostFinished, Warned
from diaken_cli.services.ansible import invocation, private, remote, tracking
from diaken_cli.services.ansible.channel import REDIRECTED, Channel, EmitFailed, EventReader
from diaken_cli.services.ansible.endings import FOLDER, PLUGIN
from diaken_cli.services.ansible.results import CutShort
from diaken_cli.services.ansible.translate import Translator
from diaken_cli.services.ansible.work import Outcome, Work
from diaken_cli.types import CANCELED_MESSAGE, HostStatus

_ENDED_FROM_OUTSIDE = 254  # the return code then, as ansible-runner has it
_KILLED = "Ansible was killed, perhaps because the machine ran out of memory"
_NOT_FOUND = 127
_GIVEN_UP = 126
_PACE = 0.5  # seconds from one look at `should_stop` to the next
_GRACE = 3.0  # seconds that Ansible gets to end its workers by itself
_LAST_WORDS = 2.0  # seconds more, in which what it has told until then is taken
_CLOSING = 5.0  # seconds that ssh's masters get to close their connections
_RETRY = "retry"  # in the run's private folder
_YES = ("1", "true", "yes", "on", "y", "t")  # as Ansible reads a setting

# Holds the run's lock file and that of its folder shared in Ansible and in its workers, which
# inherit the descriptors (ansible-runner passes none on). A file that is gone or taken: the run was
# given up. `command`, for where the file is gone a bare `exec` would end the shell at once, with a
# status of its own. Nobody is at its terminal: what would ask there (vars_prompt, pause) goes on,
# as it does off one; and nothing is printed there, for ansible-runner looks for events in it.
_HOLD = (
    'command exec 8<"$DIAKEN_FOLDER_LOCK" 9<"$DIAKEN_RUN_LOCK"'
    ' && flock --shared --nonblock 8 && flock --shared --nonblock 9 && [ -e "$DIAKEN_RUN_LOCK" ]'
    f' || exit {_GIVEN_UP}; exec "$@" {REDIRECTED}'
)


def run_ansible(work: Work, emit: Emit, should_stop: Callable[[], bool]) -> Outcome:
    """Run the playbook on all targets; returns when nothing of it is left, here or on the hosts.

    Emits what happens when it happens, then a `HostFinished` for each target. `should_stop` is
    asked twice a second: once it says True, and once `work.timeout` has passed, Ansible, its
    children and what it runs on the hosts are ended; the same where an exception comes up. What a
    host was in the middle of has then failed. That a playbook is missing or can't be parsed is no
    exception: `started` is False, and `reason` is what Ansible said.

    Raises:
        OSError: its private folder can't be made.
        Exception: what `emit` or `should_stop` raised.
    """
    attempt = _Attempt(work, emit, should_stop)
    try:
        program = invocation.ansible_program()
    except AnsibleNotStarted as missing:
        return attempt.outcome(_NOT_FOUND, f"{missing.message}; {missing.hint}")
    with private.folder(work.lock) as folder:
        return_code = attempt.run(program, folder)
    return attempt.outcome(return_code)


class _Attempt:
    def __init__(self, work: Work, emit: Emit, should_stop: Callable[[], bool]) -> None:
        self._work = work
        self._emit = emit
        self._stopper = stopper = _Stopper(work, should_stop)
        self._reader = EventReader(
            Translator(work.name, (work.become_password or "",)),
            emit,
            stopped=lambda: stopper.cause is not None,
            may_go_on=stopper.check,
        )
        self._given_up: frozenset[str] = frozenset()

    def run(self, program: str, folder: Path) -> int:
        """Run Ansible until it ends or is stopped; its return code."""
        self._work.ssh.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv, self._reader.secrets = invocation.write_arguments(self._work, folder)
        channel = Channel(folder)
        runner = self._runner([program, *argv], folder, channel)
        nothing_left = all_read = False
        try:
            runner.run()
            all_read = self._reader.read(channel)
            nothing_left = self._reader.tally.finished or not self._reader.tally.started
        except (EmitFailed, CallbackError) as wrapper:
            raise wrapper.__cause__ or wrapper from None
        finally:
            channel.close()
            try:
                if not nothing_left or self._stopper.cause is not None:
                    self._end_everything(all_read)
            finally:
                _close_connections(folder)
            tracking.forget_calls(self._work.lock)
        self._given_up = frozenset(
            host
            for path in _retry_files(folder)
            for host in path.read_text(encoding="utf-8").splitlines()
        )
        if refused := _copy_retry_file(folder, self._work):
            self._emit(Warned(message=refused))
        return _ENDED_FROM_OUTSIDE if runner.rc is None else int(runner.rc)

    def outcome(self, return_code: int, reason: str | None = None) -> Outcome:
        """Judge each host, and emit its result."""
        tally, cause = self._reader.tally, self._stopper.cause
        canceled = cause == "canceled" and not tally.finished
        timed_out = cause == "timed_out" and not tally.finished
        if canceled:
            reason = CANCELED_MESSAGE
        elif timed_out:
            reason = f"stopped: it exceeded the timeout of {self._work.timeout:g} seconds"
        elif return_code == _GIVEN_UP:
            reason = "the run's lock file is gone or taken: giving up the run"
        elif not tally.finished and reason is None:
            reason = _KILLED if return_code == _ENDED_FROM_OUTSIDE else self._reader.last_output
            reason = reason or f"Ansible exited with return code {return_code}"
        cut_short = CutShort(reason or "", canceled=canceled, by_us=canceled or timed_out)
        plays = self._reader.plays
        results = tally.judge(self._work.targets, cut_short, plays, self._given_up)
        # Ansible reads the variables of a play when it comes to it, after it has started.
        began = self._reader.any_task or tally.finished or cause is not None
        started = tally.started and began
        if started:
            for result in results:
                unfinished = canceled and result.status is HostStatus.SKIPPED
                self._emit(HostFinished(result=result, canceled=unfinished or result.canceled))
        return Outcome(
            return_code=return_code,
            started=started,
            results=results,
            reason=reason,
            elsewhere=tally.elsewhere(self._work.targets),
            plays=plays.patterns,
            any_task=tally.any_task,
            timed_out=timed_out,
            canceled=canceled,
        )

    def _runner(self, command: list[str], folder: Path, channel: Channel) -> Any:
        private.write_json(
            folder / "env" / "settings", {"pexpect_timeout": _PACE, "suppress_output_file": True}
        )
        runner = init_runner(
            private_data_dir=str(folder),
            project_dir=str(self._work.playbook.parent),
            playbook=str(self._work.playbook),
            ident="run",
            quiet=True,
            suppress_env_files=True,
            status_handler=_forget_environment,
            cancel_callback=lambda: self._poll(channel),
        )
        runner.event_callback = lambda _line: self._reader.read(channel)  # the bell rang
        runner.config.command = ["/bin/sh", "-c", _HOLD, "run", *command]
        runner.config.env = (
            invocation.work_environment(self._work, folder)
            | tracking.record_calls(self._work.lock, self._work.become_password_command)
            | channel.environment
            | {
                "ANSIBLE_RETRY_FILES_ENABLED": "True",
                "ANSIBLE_RETRY_FILES_SAVE_PATH": str(folder / _RETRY),
                "ANSIBLE_CALLBACK_PLUGINS": str(FOLDER),
                "ANSIBLE_CALLBACKS_ENABLED": PLUGIN,
                "ANSIBLE_STDOUT_CALLBACK": "diaken",
                "DIAKEN_FOLDER_LOCK": str(private.lock_of(folder)),
            }
        )
        return runner

    def _poll(self, channel: Channel) -> bool:
        """Called by ansible-runner twice a second: events first, for what has ended has ended."""
        self._reader.read(channel)
        self._stopper.check()
        return False  # ansible-runner would kill a process group that the workers are not in

    def _end_everything(self, all_read: bool) -> None:
        living = tracking.kill_marked(self._work.mark)
        for host in self._end_on_hosts(all_read):
            self._emit(Warned(host=host.host, message=f"tasks may still be running: {host.reason}"))
        if living:
            self._emit(Warned(message=f"these processes could not be killed: {living}"))

    def _end_on_hosts(self, all_read: bool) -> tuple[remote.NotStopped, ...]:
        work, tally = self._work, self._reader.tally
        if calls := tracking.recorded_calls(work.lock):
            hosts = (*work.inventory.others, *work.targets)
            names = {host.address: host.name for host in hosts}
            unreached = tally.never_reached if all_read else frozenset()
            pending = [call for call in calls if names.get(call.destination) not in unreached]
            return remote.end_on_destinations(pending, names, work.mark, work.become_password)
        # Where an exception cut Ansible short, it may have begun on hosts that it was not heard of.
        reached = tuple(
            target
            for target in work.targets
            if target.name in self._reader.tally.reached or not all_read
        )
        return remote.end_on_targets(reached, work.ssh, work.mark, work.become_password)


class _Stopper:
    """Stops Ansible where `should_stop` returns True or its time is over; `cause` is which."""

    def __init__(self, work: Work, should_stop: Callable[[], bool]) -> None:
        self.cause: str | None = None
        self._mark = work.mark
        self._should_stop = should_stop
        self._deadline = None if work.timeout is None else time.monotonic() + work.timeout
        self._next_check = 0.0
        self._patient_until = math.inf

    def check(self) -> bool:
        """Stop Ansible where that is due, at most twice a second; whether to read more events.

        Once Ansible had to be killed, events that were not read in time are left.
        """
        now = time.monotonic()
        if now < self._next_check:
            return now < self._patient_until + _LAST_WORDS
        self._next_check = now + _PACE
        if self.cause is None:
            if self._should_stop():
                self.cause = "canceled"
            elif self._deadline is not None and now >= self._deadline:
                self.cause = "timed_out"
            if self.cause is not None:
                tracking.terminate_child(self._mark)
                self._patient_until = now + _GRACE
        elif now >= self._patient_until:
            tracking.kill_marked(self._mark)
        return now < self._patient_until + _LAST_WORDS


def _forget_environment(status: Mapping[str, Any], runner_config: Any) -> None:
    """Remove ansible-runner's record of the whole environment, as soon as it has written it."""
    if status["status"] == "running":
        (Path(runner_config.artifact_dir) / "command").unlink()


def _close_connections(folder: Path) -> None:
    """Tell ssh's masters, which would stay for a minute, to go.

    They are not known by the mark: ssh(1) writes its title over the environment that it began with.
    """
    closing = [
        subprocess.Popen(
            ["ssh", "-F", "/dev/null", "-O", "exit", "-o", f"ControlPath={socket}", "master"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for socket in (folder / "ssh").glob("*")
    ]
    deadline = time.monotonic() + _CLOSING
    for process in closing:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _retry_files(folder: Path) -> list[Path]:
    """Ansible's own list of the hosts on which it went on no more: those that failed, and others.

    There is none where all was well, or where it died.
    https://docs.ansible.com/ansible-core/2.19/reference_appendices/config.html#retry-files-enabled
    """
    return list((folder / _RETRY).glob("*.retry"))


def _copy_retry_file(folder: Path, work: Work) -> str | None:
    """Copy it to where the playbook's repository wants it, if it does; why that could not be."""
    values = work.repository.values
    if values.get("defaults.retry_files_enabled", "").strip().lower() not in _YES:
        return None
    place = Path(values.get("defaults.retry_files_save_path") or work.playbook.parent).expanduser()
    for path in _retry_files(folder):
        try:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / path.name)
        except OSError as fault:
            return f"{place / path.name} can't be written: {fault.strerror}"
    return None
