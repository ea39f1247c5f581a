"""The day of a store beside the least that it can take: bare transfers, a bare scan, and as many empty steps.

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


def measure(environment: Environment, folder: Path) -> dict[str, object]:
    """A day of each store but the first, and after each the floor's parts: the median of all.

    They take turns, so that a slow moment of the machine falls on all of them. The first store's day is left out: it is
    the world's first, with all views to make.
    """
    first, *stores = environment.mornings
    days: list[dict[str, Any]] = []
    floors: dict[str, list[float]] = {}
    with sshd.serving(environment.world.sftp_root, folder / "sshd-day") as server:
        variables = _through(environment, server)
        run(environment, [first], folder, variables)
        for store in stores:
            there = _delivered(environment)
            days.append(run(environment, [store], folder, variables))
            sent = sorted(_delivered(environment) - there)
            for name, seconds in _floor(environment, store, folder, server, sent, days[-1]).items():
                floors.setdefault(name, []).append(seconds)
    days.sort(key=_without_waiting)
    floor = {name: statistics.median(seconds) for name, seconds in floors.items()}
    usual = days[len(days) // 2]
    return {
        **usual,
        "held": all(day["held"] for day in days),
        "peak_memory_mb": max(day["peak_memory_mb"] for day in days),
        "all_seconds_without_waiting": [round(_without_waiting(day), 3) for day in days],
        "floor_seconds": {name: round(seconds, 3) for name, seconds in floor.items()},
        "all_floor_seconds": {name: [round(one, 3) for one in seconds] for name, seconds in floors.items()},
        "times_floor": round(_without_waiting(usual) / sum(floor.values()), 2),
    }


def _without_waiting(day: Mapping[str, Any]) -> float:
    return day["command_seconds"] - day["waited_seconds"]


def _delivered(environment: Environment) -> set[Path]:
    return set(environment.world.sftp_root.rglob("*.csv"))


def _floor(
    environment: Environment,
    store: str,
    folder: Path,
    server: sshd.Sshd,
    sent: Sequence[Path],
    day: Mapping[str, Any],
) -> dict[str, float]:
    """Seconds of what a day like this one takes at the least: the same files, rows, steps and checks."""
    remote_path = environment.mornings[store].remote_path

    def transfer() -> None:
        fetch(server, remote_path, folder)
        for path in sent:
            deliver(server, path)

    scan = ("rpsync_assets_tests.bench.filters", "polars", environment.world.sftp_root / remote_path, folder)
    asked = folder / "empty.json"
    asked.write_text(json.dumps({"home": environment.variables["DAGSTER_HOME"], "runs": day["steps_and_checks"]}))
    return {
        f"OpenSSH's transfers, 1 in and {len(sent)} out": _timed(transfer),
        "bare polars scan": _timed(lambda: _command(*scan)),
        "empty Dagster runs, as many steps and checks": _timed(
            lambda: _command("rpsync_assets_tests.bench.empty", asked)
        ),
    }


def _command(module: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True, capture_output=True)


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


def _timed(what: Any) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started
