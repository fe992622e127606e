"""What the workers of a storm ask diaken for: every kind of command, on few hosts, at once."""

from collections.abc import Callable
from random import Random

from tests.storm.calls import Calls
from tests.storm.witness import Witness
from tests.storm.world import ENVIRONMENT, GROUPS, READY, World

_IN_TEST = ["--environment", ENVIRONMENT]
_UNFINISHED = (
    "select id from run where kind = 'deploy' and status in ('failed', 'canceled', 'interrupted')"
    " and id in (select run_id from run_step where status != 'undone'"
    " and name in ('register', 'clone', 'power_on')) order by id desc limit 6"
)
_TO_RETRY = (
    "select id, target_type, target from run where kind = 'playbook' and trigger = 'manual'"
    " and status in ('partial', 'failed') order by id desc limit 8"
)
_OPEN_TASKS = (
    "select id from scheduled_task where status in ('pending', 'running') order by id desc limit 6"
)
_OWN_SNAPSHOTS = (
    "select name, host from run_snapshot where status = 'success' and name like 'keep %'"
    " order by id desc limit 20"
)


class Worker:
    """Makes one command after the other, by a chance of its own."""

    def __init__(self, world: World, calls: Calls, witness: Witness, chance: Random) -> None:
        self._world = world
        self._calls = calls
        self._witness = witness
        self._chance = chance
        self.backups: list[str] = []

    def make_one(self) -> None:
        """The next command, to its end."""
        kinds = list(WEIGHTS)
        (kind,) = self._chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])
        kind(self)

    def _is(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _some(self, sql: str) -> tuple[object, ...] | None:
        rows = self._world.query(sql)
        return self._chance.choice(rows) if rows else None

    def _target(self) -> list[str]:
        if self._is(0.6):
            return ["host", self._chance.choice(READY)]
        return ["group", self._chance.choice(GROUPS)]

    def _where(self) -> list[str]:
        kind, name = self._target()
        return [f"--{kind}", name, *(_IN_TEST if kind == "group" else [])]

    # ── deploys ──────────────────────────────────────────────────────────────────────────────

    def deploy(self) -> None:
        """A new VM, mostly without waiting for its provisioning, sometimes impossible."""
        number = self._calls.next_number()
        words: list[object] = ["deploy", "vm", f"d{number:04}", *_IN_TEST]
        words += ["--ip", f"10.77.0.{10 + number % 85}/24"]
        for probability, more in (
            (0.8, ["--no-provision"]),
            (0.4, ["--playbook", "witness"]),
            (0.2, ["--keep-on-failure"]),
            (0.1, ["--template", "debian12-big", "--disk", "5G"]),
            (0.3, ["--group", self._chance.choice(GROUPS)]),
        ):
            words += more if self._is(probability) else []
        self._calls.make("deploy", *words)

    def take_up(self) -> None:
        """Resume or abort a deploy that left something."""
        if (row := self._some(_UNFINISHED)) is not None:
            verb, more = ("resume", []) if self._is(0.5) else ("abort", ["--yes"])
            self._calls.make(f"deploy {verb}", "deploy", verb, row[0], *more)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """The playbook on a host or on a group."""
        kind, name = self._target()
        words = ["run", kind, name, "witness", *(_IN_TEST if kind == "group" else [])]
        words += ["-e", f"seconds={self._chance.randint(0, 3)}"]
        snapshot = ["--snapshot", "--require-snapshot"]
        words.append(self._chance.choice(snapshot) if self._is(0.35) else "--no-snapshot")
        for probability, more in (
            (0.15, ["-e", f"fail_on={self._chance.choice(READY)}"]),
            (0.3, ["--wait", "8s"]),
            (0.1, ["--timeout", "2s"]),
        ):
            words += more if self._is(probability) else []
        self._calls.make("run", *words)

    def retry(self) -> None:
        """Again on the hosts where it failed."""
        if (row := self._some(_TO_RETRY)) is not None:
            run, kind, target = row
            more = _IN_TEST if kind == "group" else []
            self._calls.make("retry", "run", kind, target, "witness", *more, "--retry-failed", run)

    def schedule(self) -> None:
        """Tasks that are due in seconds, on few hosts."""
        for _ in range(self._chance.randint(1, 3)):
            words = ["schedule", "add", f"t{self._calls.next_number()}", *self._where()]
            words += ["--playbook", "witness", "--at", f"+{self._chance.randint(2, 8)}s"]
            words += ["-e", f"seconds={self._chance.randint(0, 3)}"]
            for probability, more in (
                (0.12, ["--every", "FREQ=MINUTELY;COUNT=4"]),
                (0.25, ["--snapshot"]),
                (0.5, ["--misfire-grace", f"{self._chance.randint(3, 40)}s"]),
            ):
                words += more if self._is(probability) else []
            self._calls.make("schedule add", *words)

    def schedule_other(self) -> None:
        """Look at tasks, or cancel one."""
        asked: list[list[object]] = [["schedule", "list"], ["scheduler", "status"]]
        if (row := self._some(_OPEN_TASKS)) is not None:
            asked += [["schedule", "cancel", row[0], "--stop"], ["schedule", "show", row[0]]]
        self._calls.make("schedule other", *self._chance.choice(asked))

    # ── snapshots ────────────────────────────────────────────────────────────────────────────

    def snapshot(self) -> None:
        """One that diaken never prunes."""
        name = f"keep {self._calls.next_number()}"
        self._calls.make("snapshots create", "snapshots", "create", name, *self._where())

    def snapshots_prune(self) -> None:
        """Remove the automatic ones that are old."""
        self._calls.make("snapshots prune", "snapshots", "prune")

    def snapshot_other(self) -> None:
        """Go back to one, remove one, or look."""
        row = self._some(_OWN_SNAPSHOTS)
        if row is None or self._is(0.2):
            self._calls.make("snapshots list", "snapshots", "list")
            return
        verb = self._chance.choice(["revert", "remove"])
        if verb == "revert":  # what was written on the host since will be gone
            self._witness.look()
        name, host = row
        self._calls.make(f"snapshots {verb}", "snapshots", verb, name, "--host", host, "--yes")

    # ── the inventory, history and the rest ──────────────────────────────────────────────────

    def hosts(self) -> None:
        """Change the inventory under the runs."""
        address = f"10.77.0.{self._chance.randint(180, 189)}"
        fake = f"x{self._chance.randint(1, 4)}"
        number = self._chance.choice([7, 8])
        again = [f"web{number:02}", "--ip", f"10.77.0.{100 + number}", "--group", "c"]
        group = self._chance.choice(GROUPS)
        choices = [
            ["add", fake, "--ip", address, *_IN_TEST, "--inactive"],
            ["add", fake, "--ip", address, *_IN_TEST],
            ["remove", fake, "--yes"],
            ["set", fake, "--description", address],
            ["remove", again[0], "--yes"],
            ["add", *again, *_IN_TEST, "--vcenter", "main"],
            ["set", "web06", self._chance.choice(["--active", "--inactive"])],
            ["set", "web05", "--group", group],
            ["list", "--all"],
            ["sync"],
            ["sync", "--dry-run"],
        ]
        self._calls.make("hosts", "hosts", *self._chance.choice(choices))

    def small(self) -> None:
        """What changes or shows little."""
        group, number = f"g{self._chance.randint(1, 3)}", self._chance.randint(1, 9)
        choices = [
            ["groups", "add", group, *_IN_TEST],
            ["groups", "remove", group, *_IN_TEST, "--yes"],
            ["groups", "set", "c", *_IN_TEST, "--var", f"k={number}"],
            ["settings", "set", "storm", f"v{number}"],
            ["settings", "unset", "storm"],
            ["inventory", "export", "--list"],
            ["vcenters", "test", "main"],
            ["doctor"],
        ]
        words = self._chance.choice(choices)
        self._calls.make(words[0], *words)

    def history(self) -> None:
        """Look at runs, cancel one that goes on, prune those that are over."""
        asked: list[list[object]] = [["prune", "--older-than", "2m", "--yes"], ["list"]]
        if (row := self._some("select id from run where status = 'running'")) is not None:
            asked += [["cancel", row[0]]] * 3
        if (row := self._some("select id from run")) is not None:
            asked += [["show", row[0]], ["output", row[0]]]
        words = self._chance.choice(asked)
        self._calls.make(f"history {words[0]}", "history", *words)

    def backup(self) -> None:
        """Copy the database while it is written to."""
        path = self._world.backups / f"{self._calls.next_number()}.db"
        if self._calls.make("database backup", "database", "backup", path).status == 0:
            self.backups.append(path.name)


WEIGHTS: dict[Callable[[Worker], None], int] = {
    Worker.deploy: 14,
    Worker.take_up: 9,
    Worker.run: 20,
    Worker.retry: 4,
    Worker.schedule: 12,
    Worker.schedule_other: 4,
    Worker.snapshot: 4,
    Worker.snapshots_prune: 6,
    Worker.snapshot_other: 6,
    Worker.hosts: 10,
    Worker.small: 6,
    Worker.history: 8,
    Worker.backup: 3,
}
