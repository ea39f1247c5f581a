"""One day of one store beside the least that it can take: bare transfers, a bare scan, and as many empty steps.

Belongs here: the day in a process of its own, so that its memory is its own, and the floor. Does not: growth
(``growth``). As a program, ``python -m rpsync_assets_tests.bench.day FILE`` runs the day that a JSON file describes.

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
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rpsync_assets.sandbox.environment import Environment
from rpsync_assets_tests import sshd
from rpsync_assets_tests.bench.transfer import deliver, fetch

ROOM = {
    "transfer": ("raw_reset_file", "filtered_reset_parts", "variance_file"),
    "filter": ("filtered_reset",),
    "OMS": ("active_products", "reset_import", "unreported_shipments", "variance_import", "online_atp", "pos_sales"),
    "Shopify": ("shopify_feed", "shopify_full_reset", "shopify_delta"),
}
WAITED = "seconds waited for Shopify's limit"


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
    command = [sys.executable, "-m", "rpsync_assets_tests.bench.day", str(asked)]
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


def main() -> None:
    """Run the day and say how it went."""
    from rpsync_assets.sandbox.demo import run_day

    asked = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    mornings = {name: SimpleNamespace(business_date=date.fromisoformat(day)) for name, day in asked["days"].items()}
    environment = SimpleNamespace(variables=asked["variables"], mornings=mornings)
    done = dict.fromkeys(mornings, 0)

    def count(store: str, _step: str, state: str) -> None:
        done[store] += state == "done"

    summary = run_day(environment, list(mornings), count)  # type: ignore[arg-type]
    runs = [run for of_store in summary.stores.values() for run in of_store]
    said = {name: about for run in runs for name, about in run.assets.items()}
    seconds = {name: float(about.get("seconds", 0.0)) for name, about in said.items()}  # type: ignore[arg-type]
    wall = sum(run.seconds for run in runs)
    split = {room: round(sum(seconds.pop(asset, 0.0) for asset in assets), 3) for room, assets in ROOM.items()}
    checks = [check for run in runs for check in run.checks]
    split["checks"] = round(sum(float(check["seconds"] or 0.0) for check in checks), 3)  # type: ignore[arg-type]
    waited = sum(float(about.get(WAITED, 0.0)) for about in said.values())  # type: ignore[arg-type]
    result = {
        "held": summary.held,
        "wall_seconds": round(wall, 3),
        "waited_seconds": round(waited, 3),
        "split_seconds": split,
        "between_steps_seconds": round(wall - sum(split.values()), 3),
        # Each step that ended was told; the delta's own run has one asset.
        "steps_and_checks": [
            [steps, len(run.checks)]
            for store, of_store in summary.stores.items()
            for run, steps in zip(of_store, (done[store] - 1, 1), strict=True)
        ],
        "peak_memory_mb": summary.peak_memory_mb,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
