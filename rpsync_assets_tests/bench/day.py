"""One day of one store beside the least that it can take: bare transfers, a bare scan, and as many empty steps.

Belongs here: the day beside its floor. Does not: the process that the day runs in (``day_process``), growth
(``growth``).

Each is a command of its own, from its start to its end, as the day is. The file comes from OpenSSH's sshd and what is
delivered goes there, for the day and for the floor's OpenSSH client alike. What is waited for on purpose is apart:
Shopify's bucket, and the seconds for which a file must stand still (none here).
"""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rpsync_assets.sandbox.environment import Environment
from rpsync_assets_tests import sshd
from rpsync_assets_tests.bench.transfer import deliver, fetch


def measure(environment: Environment, folder: Path, rounds: int) -> dict[str, object]:
    """The day of the second store after that of the first, then the floor's parts, each the median of some rounds."""
    world = environment.world
    first, store = environment.mornings
    morning = environment.mornings[store]
    with sshd.serving(world.sftp_root, folder / "sshd-day") as server:
        variables = _through(environment, server)
        run(environment, [first], folder, variables)
        there = set(world.sftp_root.rglob("*.csv"))
        said = run(environment, [store], folder, variables)
        sent = sorted(set(world.sftp_root.rglob("*.csv")) - there)

        def transfer() -> None:
            fetch(server, morning.remote_path, folder)
            for path in sent:
                deliver(server, path)

        transfers = [_timed(transfer) for _ in range(rounds + 1)][1:]
    file = world.sftp_root / morning.remote_path
    command = [sys.executable, "-m", "rpsync_assets_tests.bench.filters", "polars", str(file), str(folder)]
    scans = [
        _timed(lambda: subprocess.run(command, check=True, capture_output=True, text=True)) for _ in range(rounds + 1)
    ][1:]
    empty = [_empty_runs(environment, folder, said["steps_and_checks"]) for _ in range(rounds)]
    floor = {
        f"OpenSSH's transfers, 1 in and {len(sent)} out": statistics.median(transfers),
        "bare polars scan": statistics.median(scans),
        "empty Dagster runs, as many steps and checks": statistics.median(empty),
    }
    return {
        **said,
        "floor_seconds": {name: round(seconds, 3) for name, seconds in floor.items()},
        "times_floor": round((said["command_seconds"] - said["waited_seconds"]) / sum(floor.values()), 2),
    }


def run(environment: Environment, stores: Sequence[str], folder: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The day of stores, one after the other, in a fresh process: seconds by room, steps per run, peak memory."""
    days = {name: environment.mornings[name].business_date.isoformat() for name in stores}
    asked = folder / "day.json"
    asked.write_text(json.dumps({"variables": dict(variables), "days": days}))
    command = [sys.executable, "-m", "rpsync_assets_tests.bench.day_process", str(asked)]
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"The day did not run:\n{done.stderr[-3_000:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "command_seconds": round(seconds, 3)}


def _through(environment: Environment, server: sshd.Sshd) -> dict[str, str]:
    """The sandbox's variables, with OpenSSH's server in place of its own."""
    ours = Path(environment.variables["RPSYNC_CONFIG"])
    text = ours.read_text("utf-8")
    for name, value in (
        ("port", str(server.port)),
        ("username", f'"{server.username}"'),
        ("known_hosts", f'"{server.known_hosts}"'),
        ("settle_seconds", "0"),
    ):
        text = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", text, count=1)
    config = ours.with_name("bench.toml")
    config.write_text(text, "utf-8")
    variables = {name: value for name, value in environment.variables.items() if name != "RPSYNC_SFTP_PASSWORD"}
    return {**variables, "RPSYNC_CONFIG": str(config), "RPSYNC_SFTP_KEY_FILE": str(server.key_file)}


def _empty_runs(environment: Environment, folder: Path, runs: Sequence[Sequence[int]]) -> float:
    """What Dagster itself costs: as many runs of as many steps and checks that do nothing, on the same instance."""
    asked = folder / "empty.json"
    asked.write_text(json.dumps({"home": environment.variables["DAGSTER_HOME"], "runs": runs}))
    command = [sys.executable, "-m", "rpsync_assets_tests.bench.empty", str(asked)]
    return _timed(lambda: subprocess.run(command, check=True, capture_output=True))


def _timed(what: Any) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started
