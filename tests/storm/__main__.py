"""A storm of commands and faults in a lab of its own, and whether all held: `make storm`."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab_fixture import Lab
from tests.storm.driver import Driver, Plan
from tests.storm.faults import kill_all
from tests.storm.seeds import SEEDS
from tests.storm.world import READY, World


def main() -> int:
    """0 where all held, 1 where something broke: it is printed, and the folder stays."""
    options = _options()
    if options.inside is not None:
        return _inside(options, Lab(None, json.loads((options.inside / "lab.json").read_text())))
    seeds = [options.seed] if options.seed is not None else SEEDS
    return max(_outside(options, seed) for seed in seeds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--seed", type=int, help="the choices; without it, all that broke once")
    parser.add_argument("--seconds", type=float, default=120, help="how long (default: 120)")
    parser.add_argument(
        "--settle", type=float, default=240, help="seconds to end in afterwards (default: 240)"
    )
    parser.add_argument("--power-cuts", action="store_true", help="kill all at once now and then")
    parser.add_argument("--lab-name", default=f"storm-{os.getpid()}", help=argparse.SUPPRESS)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _outside(options: argparse.Namespace, seed: int) -> int:
    """Start a lab, and in a mount namespace of its own the storm: what is left there is its."""
    folder = Path(tempfile.mkdtemp(prefix="storm-", dir="/var/tmp"))
    print(f"storm {seed}: {options.seconds:.0f} s in {folder}", flush=True)
    lab = Lab.start(options.lab_name, "--vms", str(len(READY)))
    (folder / "lab.json").write_text(json.dumps(lab.described))
    again = [sys.executable, "-m", "tests.storm", *sys.argv[1:], "--seed", str(seed)]
    private = ["unshare", "--mount", "--propagation", "private"]
    try:
        done = subprocess.run(
            [*private, *again, "--inside", folder],
            timeout=options.seconds + options.settle,
            check=False,
        )
        status = done.returncode
    except subprocess.TimeoutExpired:
        print("broken: it did not settle in time", flush=True)
        status = 1
    finally:
        lab.stop()
    if status == 0:
        shutil.rmtree(folder)
    return min(status, 1)


def _inside(options: argparse.Namespace, lab: Lab) -> int:
    world = World(lab, options.inside)
    world.make()
    driver = Driver(world, Plan(options.seed, options.seconds, options.power_cuts))
    try:
        findings = driver.carry_out()
    finally:
        kill_all(world)
    summary = driver.summary()
    (world.folder / "summary.json").write_text(summary)
    print(summary, flush=True)
    for finding in findings:
        print(f"broken: {finding.invariant}: {finding.what}", flush=True)
    if findings:
        shutil.copytree(world.database.parent, world.folder / "db-at-the-end")
    print("broken" if findings else "held", flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
