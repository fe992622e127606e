"""What an idle tick costs, beside `python -c pass` of the same environment.

Whole processes, run in turn; the median of the ratios of the pairs. Builds a wheel, installs it
into an environment of its own, and fills a database.

    .venv/bin/python bench/tick.py [--pairs 200] [--venv DIR]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
TASKS, RUNS = 10_000, 100_000
MOST = 2.0


def main() -> int:
    """Print the ratio; exit status 1 where it is more than it may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--venv", type=Path, help="use this one, into which the wheel is installed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="diaken-bench-") as folder:
        place = Path(folder)
        venv = given.venv or place / "venv"
        if not (venv / "bin/diaken").exists():
            install(venv)
        fill(place / "diaken.db")
        (place / "config.toml").write_text(
            f'[database]\npath = "{place}/diaken.db"\n[ssh]\nuser = "root"\nport = 22\n'
        )
        environment = {"PATH": "/usr/bin:/bin", "HOME": folder}
        environment["XDG_DATA_HOME"] = f"{place}/data"
        environment["DIAKEN_CONFIG"] = f"{place}/config.toml"
        idle = [str(venv / "bin/diaken"), "scheduler", "tick"]
        nothing = [str(venv / "bin/python"), "-c", "pass"]
        for each in (idle, nothing) * 5:  # bytecode and files are in place
            cpu_seconds(each, environment)
        pairs = [
            (cpu_seconds(idle, environment), cpu_seconds(nothing, environment))
            for _ in range(given.pairs)
        ]
    ratio = statistics.median(tick / python for tick, python in pairs)
    tick, python = (statistics.median(each) * 1000 for each in zip(*pairs, strict=True))
    print(f"idle tick {tick:.1f} ms, python -c pass {python:.1f} ms of CPU, {given.pairs} pairs")
    print(f"ratio {ratio:.2f} (at most {MOST}): {TASKS} tasks, {RUNS} runs")
    return int(ratio > MOST)


def install(venv: Path) -> None:
    """A wheel, as users install it: not editable."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin/python", "-m", "pip", "install", "--quiet", HERE], check=True)


def cpu_seconds(argv: list[str], environment: dict[str, str]) -> float:
    """User and system time of one process, which must succeed and say nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.stdout or done.stderr:
        raise SystemExit(f"{argv} was not silent: {done.stdout + done.stderr!r}")
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def fill(path: Path) -> None:
    """Many tasks, none of them due: half wait, half have ended; and many runs."""
    sys.path.insert(0, str(HERE))
    from diaken_cli import timing
    from diaken_cli.store import Store
    from diaken_cli.store.records import HostValues
    from diaken_cli.store.tasks import TaskValues
    from diaken_cli.words import RunOptions, TargetType

    now = datetime.now(UTC).replace(microsecond=0)
    store = Store(path)
    environment = store.inventory.add_environment("PROD")
    host = store.inventory.add_host("web01", HostValues("10.0.0.1", environment.id), now)
    due_at = now + timedelta(days=1)
    moment = timing.Moment(due_at.replace(tzinfo=None), "UTC", 0, due_at)
    values = TaskValues(
        target_type=TargetType.HOST,
        target_id=host.id,
        target=host.name,
        environment="PROD",
        playbook="update",
        options=RunOptions(),
        moment=moment,
        rule=None,
        grace=3600,
        due_at=due_at,
    )
    store.schedules.add("first", values)
    with store.database.writing() as session:
        connection = session.connection()
        copied = "target_type, host_id, target, environment, playbook, options, wall_at, timezone"
        connection.exec_driver_sql(
            f"INSERT INTO scheduled_task (name, {copied}, fold, grace_s, due_at, status)"
            f" WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {TASKS})"
            f" SELECT 'task ' || i, {copied}, fold, grace_s,"
            " CASE WHEN i % 2 THEN due_at END, CASE WHEN i % 2 THEN 'pending' ELSE 'completed' END"
            " FROM scheduled_task, n WHERE name = 'first'"
        )
        connection.exec_driver_sql(
            "INSERT INTO run (uid, node, pid, user, trigger, kind, target_type, target, playbook,"
            " request, status, started_at, finished_at, hosts, ok_hosts, failed_hosts,"
            " unreachable_hosts, skipped_hosts)"
            f" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS})"
            " SELECT 'uid' || i, 'here', 1, 'root', 'schedule', 'playbook', 'host', 'web01',"
            " 'update', '{\"v\": 1}', 'success', '2024-01-01 00:00:00.000000',"
            " '2024-01-01 00:01:00.000000', 1, 1, 0, 0, 0 FROM n"
        )


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
