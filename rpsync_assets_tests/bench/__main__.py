"""Measure, print a table, write ``bench.json``.

The filters take turns, each in a fresh process, so that a slow moment of the machine falls on all of them; the median
of the rounds counts. The day of one store runs through a real Dagster instance, beside a bare transfer, a bare scan and
as many empty steps. Imports and the Update Inventory API have a bare peer each, on the same database; a publication
has what Shopify's bucket allows, a download has OpenSSH's own client.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rpsync_assets.core.active import compile_active
from rpsync_assets.core.reset import known_facilities
from rpsync_assets.definitions import build_resources
from rpsync_assets.resources.oms import EmbeddedOms
from rpsync_assets.sandbox.environment import Environment, running
from rpsync_assets.sandbox.sizes import size_named
from rpsync_assets.sandbox.stores import choose
from rpsync_assets.settings import load_settings
from rpsync_assets_tests.bench import api, day, growth, imports, publication, reader, transfer
from rpsync_assets_tests.bench.filters import TOOLS

MOST_TIMES_POLARS = 1.5
LEAST_TIMES_FASTER_THAN_PANDAS = 5.0
MOST_TIMES_BARE_INSERT = 4.0
LONGEST_WAIT_OF_A_SALE = 1.0
LEAST_TIMES_BARE_HANDLER = 0.6
MOST_TIMES_FLOOR = 1.1
MOST_THROTTLED = 0.01
MOST_TIMES_OPENSSH = 2.5
MOST_TIMES_DAY = 2.0
MOST_MEMORY_MB = 700
MOST_TIMES_TEN = 12.0
MOST_TIMES_MEMORY = 1.25
MOST_TIMES_PLAIN_READER = 1.25
PARTS = ("filter", "reader", "day", "growth", "import", "api", "publication", "transfer")


def main() -> int:
    """Run the bench; the exit code says whether its limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    asked = parser.parse_args()
    console = Console(highlight=False)
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="rpsync-bench-") as temporary:
        folder = Path(temporary)
        if {"filter", "reader", "day", "growth"} & set(asked.only):
            result |= _world(folder, asked, console)
        if "import" in asked.only:
            console.print(f"imports of {imports.ROWS:,} rows ...")
            result["import"] = imports.measure(folder, min(asked.rounds, 3))
        if "api" in asked.only:
            console.print("the Update Inventory API ...")
            result["api"] = api.measure(folder, min(asked.rounds, 3))
        if "publication" in asked.only:
            console.print(f"a publication of {publication.ITEMS:,} items ...")
            result["publication"] = publication.measure(folder)
        if "transfer" in asked.only:
            console.print(f"a download of {transfer.BYTES:,} bytes ...")
            result["transfer"] = transfer.measure(folder, asked.rounds)
    asked.json.write_text(json.dumps(result, indent=2), "utf-8")
    limits = _limits(result)
    _show(console, result, limits)
    return 0 if all(holds for _, holds in limits) else 1


def _limits(result: dict[str, Any]) -> list[tuple[str, bool]]:
    """What each part promises, with the number that was measured, and whether it holds."""
    limits: list[tuple[str, bool]] = []
    if filters := result.get("filter"):
        polars, pandas = filters["times_polars"], filters["times_faster_than_pandas"]
        limits += [
            (f"filter: at most {MOST_TIMES_POLARS} x bare polars: {polars} x", polars <= MOST_TIMES_POLARS),
            (
                f"filter: at least {LEAST_TIMES_FASTER_THAN_PANDAS} x faster than pandas: {pandas} x",
                pandas >= LEAST_TIMES_FASTER_THAN_PANDAS,
            ),
        ]
    if lived := result.get("day"):
        times, memory = lived["times_floor"], lived["peak_memory_mb"]
        limits += [
            (f"day: at most {MOST_TIMES_DAY} x its floor: {times} x", times <= MOST_TIMES_DAY),
            (f"day: under {MOST_MEMORY_MB} MB: {memory} MB", memory < MOST_MEMORY_MB),
        ]
    if grown := result.get("growth"):
        times, memory = grown["times_seconds"], grown["times_memory"]
        limits += [
            (f"10 x the rows: at most {MOST_TIMES_TEN} x the filter's time: {times} x", times <= MOST_TIMES_TEN),
            (f"10 x the rows: at most {MOST_TIMES_MEMORY} x the memory: {memory} x", memory <= MOST_TIMES_MEMORY),
        ]
    if read := result.get("reader"):
        times = read["times_plain"]
        limits.append(
            (f"reader: at most {MOST_TIMES_PLAIN_READER} x a plain one: {times} x", times <= MOST_TIMES_PLAIN_READER)
        )
    if took := result.get("import"):
        times, wait = took["times_bare_insert"], took["longest_wait_of_a_sale_seconds"]
        limits += [
            (f"import: at most {MOST_TIMES_BARE_INSERT} x a bare insert: {times} x", times <= MOST_TIMES_BARE_INSERT),
            (
                f"import: no sale waits longer than {LONGEST_WAIT_OF_A_SALE} s: {wait} s",
                wait <= LONGEST_WAIT_OF_A_SALE,
            ),
        ]
    if answered := result.get("api"):
        times = answered["times_bare_handler"]
        limits.append(
            (
                f"API: at least {LEAST_TIMES_BARE_HANDLER} x a bare handler: {times} x",
                times >= LEAST_TIMES_BARE_HANDLER,
            )
        )
    if published := result.get("publication"):
        times, throttled = published["times_floor"], published["throttled_share"]
        limits += [
            (f"publication: at most {MOST_TIMES_FLOOR} x Shopify's limit: {times} x", times <= MOST_TIMES_FLOOR),
            (f"publication: under {MOST_THROTTLED:.0%} throttled: {throttled:.2%}", throttled < MOST_THROTTLED),
        ]
    if moved := result.get("transfer"):
        times = moved["times_openssh"]
        limits.append(
            (f"transfer: at most {MOST_TIMES_OPENSSH} x OpenSSH's sftp: {times} x", times <= MOST_TIMES_OPENSSH)
        )
    return limits


def _world(folder: Path, asked: argparse.Namespace, console: Console) -> dict[str, Any]:
    result: dict[str, Any] = {}
    console.print(f"making a world of size {asked.size} ...")
    stores = choose("4" if "day" in asked.only else "1")
    with running(folder / "data", size_named(asked.size), 7, stores) as environment:
        morning = list(environment.mornings.values())[-1]
        result |= {"file_bytes": morning.file_bytes, "file_rows": morning.total_rows}
        file = environment.world.sftp_root / morning.remote_path
        _write_lists(environment, morning.store, folder)
        if "reader" in asked.only:
            console.print("readers ...")
            result["reader"] = reader.measure(file, folder, asked.rounds)
        if "filter" in asked.only:
            result["filter"] = _filters(file, folder, asked.rounds, console)
        if "growth" in asked.only:
            console.print("the filter of longer and longer files ...")
            result["growth"] = growth.of_length(file, folder, min(asked.rounds, 3))
        if "day" in asked.only:
            console.print(f"the day of {len(stores)} stores ...")
            result["day"] = day.measure(environment, folder)
    if "growth" in asked.only:
        console.print("days of more and more stores ...")
        result["stores"] = growth.of_stores(folder)
    return result


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


def _show(console: Console, result: dict[str, Any], limits: list[tuple[str, bool]]) -> None:
    _show_files(console, result)
    _show_services(console, result)
    for promise, holds in limits:
        console.print(f"{'✔' if holds else '✘'} {promise}")


def _show_files(console: Console, result: dict[str, Any]) -> None:
    if filters := result.get("filter"):
        title = f"filter of {result['file_rows']:,} rows, {result['file_bytes']:,} bytes"
        rows = [
            (
                *(tool, f"{seconds:.3f}", f"{filters['peak_memory_mb'][tool]:.0f}", f"{filters['rows_left'][tool]:,}"),
                f"{filters['median_seconds']['ours'] / seconds:.2f} x its time",
            )
            for tool, seconds in filters["median_seconds"].items()
        ]
        console.print(_table(title, ("tool", "median seconds", "peak memory MB", "rows left", "ours takes"), rows))
    if read := result.get("reader"):
        rows = [(one, f"{seconds:.3f}") for one, seconds in read["median_seconds"].items()]
        console.print(
            _table(f"landing and reading of {result['file_rows']:,} rows", ("reader", "median seconds"), rows)
        )
    if lived := result.get("day"):
        rows = [(room, f"{seconds:.2f}") for room, seconds in lived["split_seconds"].items()]
        rows.append(("Dagster between steps, report", f"{lived['between_steps_seconds']:.2f}"))
        rows.append(("start and end of the process", f"{lived['command_seconds'] - lived['wall_seconds']:.2f}"))
        rows.append(("of these, waited for Shopify's limit", f"{lived['waited_seconds']:.2f}"))
        rows += [(f"floor: {what}", f"{seconds:.2f}") for what, seconds in lived["floor_seconds"].items()]
        title = f"one day of one store: {lived['command_seconds']:.2f} s, peak memory {lived['peak_memory_mb']:.0f} MB"
        console.print(_table(title, ("where", "seconds"), rows))
    if grown := result.get("growth"):
        rows = [
            (f"{length} x", f"{grown['rows'][length]:,}", f"{seconds:.3f}", f"{grown['peak_memory_mb'][length]:.0f}")
            for length, seconds in grown["median_seconds"].items()
        ]
        console.print(_table("the filter of longer files", ("length", "rows", "median seconds", "peak MB"), rows))
    if many := result.get("stores"):
        rows = [
            (
                str(number),
                f"{seconds:.1f}",
                f"{many['seconds_a_store'][number]:.2f}",
                f"{many['peak_memory_mb'][number]:.0f}",
            )
            for number, seconds in many["wall_seconds"].items()
        ]
        console.print(_table("a day of tiny stores", ("stores", "seconds", "seconds a store", "peak MB"), rows))


def _show_services(console: Console, result: dict[str, Any]) -> None:
    if took := result.get("import"):
        rows = [(tool, f"{seconds:.3f}") for tool, seconds in took["median_seconds"].items()]
        console.print(_table(f"import of {took['rows']:,} rows, all different", ("way", "median seconds"), rows))
    if answered := result.get("api"):
        rows = [
            (tool, f"{said['requests_per_second']:.0f}", f"{said['p50_ms']:.1f}", f"{said['p99_ms']:.1f}")
            for tool, said in answered["median"].items()
        ]
        title = f"Update Inventory API, {answered['tills']} tills, {answered['requests']:,} requests"
        console.print(_table(title, ("server", "requests/s", "p50 ms", "p99 ms"), rows))
    if published := result.get("publication"):
        rows = [
            ("ours", f"{published['shopify_seconds']:.0f}", f"{published['calls']:,}"),
            ("Shopify's limit", f"{published['floor_seconds']:.0f}", ""),
        ]
        title = f"full publication of {published['items']:,} items that all differ"
        console.print(_table(title, ("what", "seconds of Shopify's clock", "calls"), rows))
    if moved := result.get("transfer"):
        rows = [
            (client, f"{moved['median_seconds'][client]:.3f}", f"{speed}")
            for client, speed in moved["megabytes_a_second"].items()
        ]
        console.print(_table(f"download of {moved['bytes']:,} bytes from sshd", ("client", "seconds", "MB/s"), rows))


def _table(title: str, columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    sys.exit(main())
