"""Measure, print a table, write ``bench.json``.

The filters take turns, each in a fresh process, so that a slow moment of the machine falls on all of them; the median
of the rounds counts. The day's seconds come from one day of one store through a real Dagster instance, beside an empty
graph of as many steps.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
from rich.console import Console
from rich.table import Table

from rpsync_assets.core.active import compile_active
from rpsync_assets.core.reset import known_facilities
from rpsync_assets.definitions import build_resources
from rpsync_assets.resources.oms import EmbeddedOms
from rpsync_assets.sandbox.demo import QUIET, run_day
from rpsync_assets.sandbox.environment import Environment, running
from rpsync_assets.sandbox.sizes import size_named
from rpsync_assets.sandbox.stores import choose
from rpsync_assets.settings import load_settings
from rpsync_assets_tests.bench.filters import TOOLS

MOST_TIMES_POLARS = 1.5
LEAST_TIMES_FASTER_THAN_PANDAS = 5.0
ROOM = {
    "transfer": ("raw_reset_file", "filtered_reset_parts", "variance_file"),
    "filter": ("filtered_reset",),
    "OMS": ("active_products", "reset_import", "unreported_shipments", "variance_import", "online_atp", "pos_sales"),
    "Shopify": ("shopify_feed", "shopify_full_reset", "shopify_delta"),
}


def main() -> int:
    """Run the bench; the exit code says whether the filter's two ratios hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    asked = parser.parse_args()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="rpsync-bench-") as temporary:
        folder = Path(temporary)
        stores = choose("1")
        console.print(f"making a world of size {asked.size} ...")
        with running(folder / "data", size_named(asked.size), 7, stores) as environment:
            morning = next(iter(environment.mornings.values()))
            file = environment.world.sftp_root / morning.remote_path
            _write_lists(environment, morning.store, folder)
            filters = _filters(file, folder, asked.rounds, console)
            console.print("one day of one store ...")
            day = _day(environment, morning.store)
    result = {"file_bytes": morning.file_bytes, "file_rows": morning.total_rows, "filter": filters, "day": day}
    asked.json.write_text(json.dumps(result, indent=2), "utf-8")
    _show(console, result)
    holds = filters["times_polars"] <= MOST_TIMES_POLARS
    holds &= filters["times_faster_than_pandas"] >= LEAST_TIMES_FASTER_THAN_PANDAS
    return 0 if holds else 1


def _write_lists(environment: Environment, store: str, folder: Path) -> None:
    oms = build_resources(load_settings(environment.variables, Path.cwd()))["oms"]
    assert isinstance(oms, EmbeddedOms)
    with oms.read() as reader:
        compile_active(reader.listed_products(store)).active.write_parquet(folder / "active.parquet")
        known_facilities(reader.facilities(store))[0].write_parquet(folder / "facilities.parquet")


def _filters(file: Path, folder: Path, rounds: int, console: Console) -> dict[str, object]:
    times: dict[str, list[float]] = {tool: [] for tool in TOOLS}
    memory: dict[str, float] = {}
    rows: dict[str, int] = {}
    for number in range(rounds + 1):
        console.print(f"filters, round {number} of {rounds}" if number else "filters, once to warm the disk cache")
        for tool in TOOLS:
            command = [sys.executable, "-m", "rpsync_assets_tests.bench.filters", tool, str(file), str(folder)]
            said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            if number:
                times[tool].append(said["seconds"])
            memory[tool] = max(memory.get(tool, 0.0), said["peak_memory_mb"])
            rows[tool] = said["rows"]
    median = {tool: statistics.median(seconds) for tool, seconds in times.items()}
    return {
        "rounds": rounds,
        "median_seconds": {tool: round(seconds, 3) for tool, seconds in median.items()},
        "all_seconds": {tool: [round(second, 3) for second in seconds] for tool, seconds in times.items()},
        "peak_memory_mb": memory,
        "rows_left": rows,
        "times_polars": round(median["ours"] / median["polars"], 2),
        "times_duckdb": round(median["ours"] / median["duckdb"], 2),
        "times_faster_than_pandas": round(median["pandas"] / median["ours"], 2),
    }


def _day(environment: Environment, store: str) -> dict[str, object]:
    steps: list[str] = []
    summary = run_day(environment, [store], lambda _store, step, state: steps.append(step) if state == "done" else None)
    runs = summary.stores[store]
    seconds = {name: float(said.get("seconds", 0.0)) for run in runs for name, said in run.assets.items()}  # type: ignore[arg-type]
    wall = sum(run.seconds for run in runs)
    split = {room: round(sum(seconds.pop(asset, 0.0) for asset in assets), 3) for room, assets in ROOM.items()}
    split["checks"] = round(sum(float(check["seconds"] or 0.0) for run in runs for check in run.checks), 3)  # type: ignore[arg-type]
    return {
        "held": summary.held,
        "wall_seconds": round(wall, 3),
        "split_seconds": split,
        "between_steps_seconds": round(wall - sum(split.values()), 3),
        "empty_graph_of_as_many_steps_seconds": _empty_graph(environment, len(steps)),
        "peak_memory_mb": summary.peak_memory_mb,
    }


def _empty_graph(environment: Environment, steps: int) -> float:
    """What Dagster itself costs: as many assets that do nothing, one after the other, on the same instance."""

    def nothing(number: int) -> dg.AssetsDefinition:
        @dg.asset(name=f"nothing_{number}", deps=[f"nothing_{number - 1}"] if number else [])
        def empty() -> None: ...

        return empty

    defs = dg.Definitions(
        assets=[nothing(number) for number in range(steps)],
        jobs=[dg.define_asset_job("empty", executor_def=dg.in_process_executor)],
    )
    with dg.DagsterInstance.from_config(environment.variables["DAGSTER_HOME"]) as instance:
        started = time.perf_counter()
        defs.resolve_job_def("empty").execute_in_process(instance=instance, run_config=QUIET)
        return round(time.perf_counter() - started, 3)


def _show(console: Console, result: dict[str, object]) -> None:
    filters, day = result["filter"], result["day"]
    assert isinstance(filters, dict)
    assert isinstance(day, dict)
    table = Table(title=f"filter of {result['file_rows']:,} rows, {result['file_bytes']:,} bytes")
    for column in ("tool", "median seconds", "peak memory MB", "rows left", "ours takes"):
        table.add_column(column, justify="right")
    for tool, seconds in filters["median_seconds"].items():
        ratio = filters["median_seconds"]["ours"] / seconds
        memory, rows = filters["peak_memory_mb"][tool], filters["rows_left"][tool]
        table.add_row(tool, f"{seconds:.3f}", f"{memory:.0f}", f"{rows:,}", f"{ratio:.2f} x its time")
    console.print(table)
    console.print(f"one day of one store: {day['wall_seconds']:.2f} s, peak memory {day['peak_memory_mb']:.0f} MB")
    table = Table()
    table.add_column("where")
    table.add_column("seconds", justify="right")
    for room, seconds in day["split_seconds"].items():
        table.add_row(room, f"{seconds:.2f}")
    table.add_row("Dagster between steps", f"{day['between_steps_seconds']:.2f}")
    table.add_row("(an empty graph of as many steps)", f"{day['empty_graph_of_as_many_steps_seconds']:.2f}")
    console.print(table)
    console.print(
        f"at most {MOST_TIMES_POLARS} x bare polars: {filters['times_polars']} x · at least"
        f" {LEAST_TIMES_FASTER_THAN_PANDAS} x faster than pandas: {filters['times_faster_than_pandas']} x"
    )


if __name__ == "__main__":
    sys.exit(main())
