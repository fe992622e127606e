"""What a history of a million runs takes up, and whether a list of the last ones minds it."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from bench.figures import Figure, ratios, seconds
from bench.place import Asked, Place, call_first
from bench.processes import in_turn
from bench.tasks import fill_runs
from diaken_cli.store import Store
from diaken_cli.store.outputs import StoredResult, pack
from diaken_cli.types import TaskResult

RUNS = 1_000_000
MORNING_MS = int(datetime(2024, 11, 24, 3, 0, tzinfo=UTC).timestamp() * 1000)
BYTES = 4096
"""What Ansible said in each run, before it is compressed."""

SAMPLES = 50
"""Different outputs, which the runs share out among them."""

PACKAGES = (
    "libssl3",
    "openssl",
    "libc6",
    "nginx",
    "curl",
    "tzdata",
    "python3.11",
    "systemd",
    "bind9",
)

SOURCE = "http://deb.debian.org/debian-security bookworm-security/main amd64"


def measure(asked: Asked) -> list[Figure]:
    """The wall time of whole processes, and the bytes of the file."""
    full, empty = Place(asked, "history"), Place(asked, "history-empty")
    count = asked.of(RUNS, 2000)
    fill_runs(full.store, count)
    fill_what_runs_said(full.store)
    size = full.database.stat().st_size / count / 1024
    calls = (
        lambda: full.diaken("history", "list").wall,
        lambda: empty.diaken("history", "list").wall,
    )
    call_first(*calls)
    ours, theirs = zip(*in_turn(asked.of(25, 3), *calls), strict=True)
    whole = f"{full.database.stat().st_size / 1024**3:.2f} GiB"
    full.database.unlink()
    return [
        Figure("history-list", ratios(ours, theirs), seconds(ours), seconds(theirs)),
        Figure("history-size", (size,), whole, "–"),
    ]


def fill_what_runs_said(store: Store) -> None:
    """Give each run its step, its host's result, and what Ansible said there."""
    with store.database.writing() as session:
        connection = session.connection()
        connection.exec_driver_sql(
            "INSERT INTO run_step (run_id, position, name, status, started_at, finished_at, facts)"
            " SELECT id, 0, 'playbook', 'success', started_at, finished_at, '{}' FROM run"
        )
        connection.exec_driver_sql(
            "INSERT INTO run_step_host (run_id, position, host, status, ok, changed, failed,"
            " unreachable, skipped, ignored) SELECT id, 0, target, 'success', 8, 2, 0, 0, 1, 0"
            " FROM run"
        )
        connection.exec_driver_sql(
            "INSERT INTO run_host (run_id, host, ip, host_id, status, ok, changed, failed,"
            " unreachable, skipped) SELECT id, target, '10.0.4.21', target_id, 'success', 8, 2, 0,"
            " 0, 1 FROM run"
        )
        connection.exec_driver_sql("CREATE TEMPORARY TABLE sample (number INTEGER, body BLOB)")
        connection.exec_driver_sql(
            "INSERT INTO sample VALUES (?, ?)", list(enumerate(map(pack, samples(SAMPLES))))
        )
        connection.exec_driver_sql(
            "INSERT INTO run_output (run_id, position, host, chunk, body)"
            f" SELECT id, 0, target, 0, body FROM run JOIN sample ON number = id % {SAMPLES}"
        )


def samples(count: int) -> Iterator[list[StoredResult]]:
    """Results of the tasks of an update, as Ansible gives them: none is like another."""
    chance = random.Random(1)  # noqa: S311  the same in each run of the benchmark
    for _ in range(count):
        texts = ["", "changed: the list of packages", _apt(chance), "", "no reboot is needed"]
        room = BYTES - sum(map(len, texts[3:] + texts[:2]))
        texts[2] = texts[2][:room]
        yield [
            StoredResult(
                seq=number,
                task_name=number,
                item=None,
                result=TaskResult.CHANGED if number == 2 else TaskResult.OK,
                changed=number == 2,
                at_ms=MORNING_MS + number * 1000 + chance.randrange(1000),
                ms=chance.randrange(10_000),
                message=None,
                text=text,
            )
            for number, text in enumerate(texts)
        ]


def _apt(chance: random.Random) -> str:
    """Lines that apt prints, more than there is room for."""
    lines = []
    for number in range(1, 25):
        package = chance.choice(PACKAGES)
        version = (
            f"{chance.randrange(9)}.{chance.randrange(20)}.{chance.randrange(20)}-{number}+deb12u"
        )
        old, new = f"{version}{chance.randrange(1, 5)}", f"{version}{chance.randrange(5, 9)}"
        lines += [
            f"Get:{number} {SOURCE} {package} amd64 {new} [{chance.randrange(20, 3000)} kB]",
            f"Preparing to unpack .../{number:02}-{package}_{new}_amd64.deb ...",
            f"Unpacking {package} ({new}) over ({old}) ...",
            f"Setting up {package} ({new}) ...",
        ]
    return "\n".join(lines)
