"""What `schedule add` and `set` warn of: what will not work at night, and what a rule skips."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from diaken_cli.actions.vcenters import add_vcenter
from diaken_cli.inventory_options import VCenterOptions
from tests.e2e.cli import Cli
from tests.e2e.schedules.scheduling import prepared

ADD = ("schedule", "add")
SAY = ("--playbook", "append", "-e", "line=x")


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return prepared(tmp_path_factory.mktemp("schedule"))


def test_the_months_that_a_rule_skips_are_warned_of(cli: Cli) -> None:
    monthly = ("--host", "web01", *SAY, "--every", "monthly", "--at")
    done = cli.run(*ADD, "on the 31st", *monthly, "2031-01-31 03:00")
    assert done.status == 0
    assert "skipped in the months without a day 31: February, April, June, September" in done.err
    assert "--every 'FREQ=MONTHLY;BYMONTHDAY=-1'" in done.err
    assert "; next: 2031-01-31, 2031-03-31, 2031-05-31, 2031-07-31. For" in done.err
    yearly = ("--every", "FREQ=YEARLY;BYMONTHDAY=30")
    done = cli.run(*ADD, "yearly", "--host", "web01", *SAY, *yearly, "--at", "2031-03-01 03:00")
    assert "it runs every month, although its rule is FREQ=YEARLY; next: 2031-03-30" in done.err
    assert "Once a year: --every 'FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=30'" in done.err
    assert "skipped" not in cli.run(*ADD, "on the 28th", *monthly, "2031-01-28 03:00").err


def test_what_most_likely_means_something_else_is_warned_of_with_its_moments(cli: Cli) -> None:
    on = ("--host", "web01", *SAY, "--timezone", "UTC")
    done = cli.run(*ADD, "by cron", *on, "--every", "0 3 * * sun", "--at", "2031-03-02 05:00")
    assert done.status == 0
    assert (
        "warning: the rule sets its times, 03:00, and --at only the start; next:"
        " 2031-03-09, 2031-03-16, 2031-03-23, 2031-03-30. At 05:00: --every"
        " 'FREQ=WEEKLY;BYDAY=SU;BYHOUR=5;BYMINUTE=0'\n"
    ) in done.err
    done = cli.run("schedule", "set", "by cron", "--every", "FREQ=MONTHLY;BYDAY=5SU")
    assert "it runs only in months that have a fifth Sunday; next: " in done.err
    done = cli.run(*ADD, "on a day", *on, "--every", "monthly", "--at", "sun 03:00")
    assert "of the month, which is not always a Sunday; next: " in done.err
    assert "On a Sunday: --every 'FREQ=MONTHLY;BYDAY=" in done.err
    assert cli.run(*ADD, "weekly", *on, "--every", "weekly", "--at", "sun 03:00").status == 0


def test_what_will_not_work_under_cron_is_warned_of(cli: Cli, tmp_path: Path) -> None:
    key = tmp_path / "key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(key)]
    subprocess.run(make, check=True, timeout=60)
    given = VCenterOptions(server="127.0.0.1:1", username="x", password_env="VC_PASSWORD")
    add_vcenter(cli.store, name="main", typed=given)
    tied = ("--vcenter", "main", "--key", str(key))
    assert cli.run("hosts", "set", "web02", *tied).status == 0
    done = cli.run(*ADD, "warned", "--host", "web02", *SAY, "--at", "+1h", "--snapshot")
    assert done.status == 0
    assert "$VC_PASSWORD, which cron does not set" in done.err
    assert f"the SSH key {key} has a passphrase" in done.err


def test_a_snapshot_of_a_host_without_a_vcenter_is_warned_of(cli: Cli) -> None:
    one = ("--host", "web01", *SAY, "--at", "+1h")
    done = cli.run(*ADD, "tied to none", *one, "--snapshot")
    alone = "no snapshot of web01 will be taken: web01 has no vCenter; the playbook will run anyway"
    assert done.status == 0
    assert f"warning: {alone}\n" in done.err
    done = cli.run("schedule", "set", "tied to none", "--require-snapshot")
    refused = "warning: every run will be refused: web01 has no vCenter, and --require-snapshot"
    assert f"{refused} needs a snapshot of every host\n" in done.err
    done = cli.run("schedule", "set", "tied to none", "--no-snapshot")
    assert (done.status, "no vCenter" in done.err) == (0, False)
    in_check_mode = "warning: --check changes nothing, but snapshots are taken because of"
    done = cli.run("schedule", "set", "tied to none", "--check", "--snapshot")
    assert in_check_mode in done.err
    assert in_check_mode not in cli.run("schedule", "set", "tied to none", "--no-check").err
    (task,) = [each for each in cli.json("schedule", "list") if each["name"] == "tied to none"]
    assert (task["snapshot"], task["options"].get("check")) == (True, None)
    some = ("--group", "web", "--limit", "web:!web02", *SAY, "--at", "+1h", "--require-snapshot")
    done = cli.run(*ADD, "some of web", *some)
    assert "every run will be refused: web01, web03, web04 have no vCenter, and" in done.err
    for name in ("tied to none", "some of web"):
        cli.json("schedule", "cancel", name)


def test_a_key_that_ssh_chooses_by_itself_is_warned_of_too(tmp_path: Path) -> None:
    keys = [tmp_path / "id_rsa", tmp_path / "id_ed25519"]
    ssh_config = tmp_path / "ssh_config"
    ssh_config.write_text("".join(f"IdentityFile {key}\n" for key in (*keys, tmp_path / "none")))
    cli = prepared(tmp_path, config=f'[ssh]\nextra_args = ["-F", "{ssh_config}"]\n')

    def warned(name: str, *passphrases: str) -> list[str]:
        for key, passphrase in zip(keys, passphrases, strict=False):
            key.unlink(missing_ok=True)
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(key)]
            subprocess.run(make, check=True, timeout=60)
        done = cli.run(*ADD, name, "--host", "web01", *SAY, "--at", "+1h")
        assert done.status == 0, done.err
        return [str(key) for key in keys if f"the SSH key {key} has a passphrase" in done.err]

    assert warned("no key") == []
    assert warned("one key", "a passphrase") == [str(keys[0])]
    assert warned("another one can be used", "a passphrase", "") == []
    assert warned("none can be used", "a passphrase", "another") == [str(key) for key in keys]


def test_where_nothing_ticks_it_is_said_that_nothing_will_start_it(tmp_path: Path) -> None:
    cli = prepared(tmp_path)
    what = (*ADD, "x", "--host", "web01", *SAY, "--every", "*/20 * * * *")
    done = cli.run(*what)
    assert done.status == 0
    never = "nothing will start it: `scheduler tick` has never run here"
    assert f"warning: {never}; see: diaken scheduler install" in done.err
    assert "; every 20 minutes" in cli.run("scheduler", "status").out
    cli.store.beside("tick").touch()
    assert "warning" not in cli.run("schedule", "set", "x", "--misfire-grace", "2h").err
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    os.utime(cli.store.beside("tick"), (hour_ago, hour_ago))
    assert "tick` last ran at 20" in cli.run("schedule", "set", "x", "--misfire-grace", "3h").err
