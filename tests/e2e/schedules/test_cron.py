"""A real cron daemon runs the file that `scheduler install` writes, and a task at its minute.

It is a cron of the test's own: in a mount namespace, where /etc/cron.d and its spool are empty.
"""

import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.cli import DIAKEN, Cli
from tests.e2e.schedules.scheduling import lines, prepared
from tests.lab_fixture import Lab, lab_of_module
from tests.waiting import until

# What cron reads and writes is put aside; what the lab has in /run stays where it is.
PRIVATE = """\
set -eu
mount --make-rprivate /
for place in /etc/cron.d /var/spool/cron/crontabs; do
  mount -t tmpfs -o mode=755 none "$place"
done
: >"$1/crontab"
mount --bind "$1/crontab" /etc/crontab
mkdir -p "$1/run/diaken-lab"
mount --rbind /run/diaken-lab "$1/run/diaken-lab"
mount --rbind "$1/run" /run
shift
exec "$@"
"""


lab = lab_of_module("--vms", "1")


@pytest.fixture
def cli(lab: Lab, tmp_path: Path) -> Cli:
    return prepared(tmp_path, lab)


def test_cron_runs_the_installed_file_and_a_task_at_its_minute(
    cli: Cli, lab: Lab, tmp_path: Path
) -> None:
    at = (datetime.now(UTC) + timedelta(seconds=75)).replace(second=0, microsecond=0)
    what = ("--host", "web01", "--playbook", "append", "-e", "line=cron")
    when = ("--at", f"{at:%Y-%m-%d %H:%M}", "--timezone", "UTC")
    task = cli.json("schedule", "add", "by cron", *what, *when)
    assert task["at"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    install = f"{' '.join(DIAKEN)} scheduler install --yes --json >{tmp_path}/installed"
    again = f"{' '.join(DIAKEN)} scheduler install --yes --json >{tmp_path}/again"
    cron = lab.popen(
        [
            *("unshare", "--mount", "sh", "-c", PRIVATE, "sh", str(tmp_path)),
            *("sh", "-c", f"{install} && {again} && exec cron -f -L 15"),
        ],
        env=cli.environment,
        cwd=cli.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        until(lambda: cron.poll() is not None or lines(lab)["cron"], "cron has begun the task")
        assert cron.poll() is None, cron.communicate()
        until(lambda: cli.json("schedule", "show", "by cron")["status"] == "completed", "it ends")
    finally:
        os.killpg(cron.pid, signal.SIGTERM)
        cron.communicate(timeout=30)
    (run,) = cli.json("history", "list")
    began = datetime.fromisoformat(run["started_at"])
    assert at <= began, "not before its minute"
    assert (run["trigger"], run["user"], run["status"]) == ("schedule", "root", "success")
    assert lines(lab)["cron"] == 1
    status = cli.json("scheduler", "status")
    assert (status["late"], status["due"], status["running"]) == (False, 0, 0)
    assert '"changed": true' in (tmp_path / "installed").read_text()
    assert '"changed": false' in (tmp_path / "again").read_text()
