"""Waiting for SSH: how long until the next try, why it failed, and when waiting is of no use."""

from pathlib import Path

import pytest

from diaken_cli.services.ansible.remote import LoginAttempts, NotReached, wait_for_ssh
from diaken_cli.services.ansible.ssh import Fault
from diaken_cli.services.ansible.work import SshSettings, Target

REFUSAL = NotReached(Fault.DENIED, "root@10.0.0.1: Permission denied (publickey).")
RESET = NotReached(Fault.OTHER, "Connection reset by 10.0.0.1 port 22")
NO_SSHD = NotReached(Fault.REFUSED, "Connection refused")
SILENT = NotReached(Fault.TIMED_OUT, "the SSH login to it timed out")


def after(*tries: tuple[float, NotReached]) -> LoginAttempts:
    """What is known after these tries; each failed so many seconds after the beginning."""
    waiting = LoginAttempts(tries[0][1])
    for now, failure in tries:
        waiting = waiting.after(failure, now)
    return waiting


def test_a_host_that_is_booting_is_tried_each_second_and_for_ever() -> None:
    waiting = after((0, NO_SSHD), (1, RESET), (299, NO_SSHD))
    assert (waiting.failure, waiting.pause, waiting.is_final(299)) == (NO_SSHD, 1.0, False)


def test_a_try_that_was_cut_short_says_less_than_the_one_before() -> None:
    assert after((0, NO_SSHD), (1, SILENT)).failure is NO_SSHD
    assert after((0, SILENT), (1, NO_SSHD)).failure is NO_SSHD
    assert after((0, SILENT)).failure is SILENT


def test_refusals_add_up_to_no_penalty() -> None:
    """OpenSSH adds 5 seconds for each, which pass meanwhile, and acts from 15 seconds on."""
    assert after((0, REFUSAL)).pause > 5
    assert after((0, NO_SSHD), (1, REFUSAL), (7, RESET)).pause > 5


@pytest.mark.parametrize("later", [RESET, SILENT])
def test_a_refusal_stays_the_reason_where_later_tries_are_only_reset(later: NotReached) -> None:
    waiting = after((0, NO_SSHD), (1, REFUSAL), (7, later), (13, later))
    assert (waiting.failure, waiting.is_final(60)) == (REFUSAL, False)
    assert waiting.is_final(61)


def test_a_host_that_was_restarted_may_let_us_in() -> None:
    waiting = after((0, REFUSAL), (6, NO_SSHD), (7, REFUSAL))
    assert not waiting.is_final(61)
    assert waiting.is_final(67)
    assert after((0, REFUSAL), (6, NO_SSHD)).pause == 1.0


def test_a_host_key_that_changed_is_final_at_once() -> None:
    assert after((0, NotReached(Fault.KEY_CHANGED, "changed"))).is_final(0)


def test_a_log_in_that_says_more_than_a_pipe_holds_is_heard_to_its_end(tmp_path: Path) -> None:
    """A banner of a hundred pages, or `-vvv`: nobody read it, and ssh waited."""
    told = "ProxyCommand=sh -c 'seq 40000 >&2; exit 1'"
    settings = SshSettings(tmp_path / "known_hosts", extra_args=("-o", told))
    failure = wait_for_ssh(
        Target("web01", "192.0.2.1", "root"), settings, timeout=3.0, should_stop=lambda: False
    )
    assert failure is not None
    assert failure.fault is not Fault.TIMED_OUT
