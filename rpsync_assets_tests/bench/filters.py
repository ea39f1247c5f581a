"""One filter of one file by one tool, in its own process: ``python -m rpsync_assets_tests.bench.filters TOOL ...``.

Prints JSON: seconds of the work (imports left out, alike for all) and the peak memory of the process. Every tool reads
the same CSV and the same list of UPCs and writes what is left; only ours also normalizes, validates and accounts.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rpsync_assets.sandbox.memory import peak_memory_mb


def ours(file: Path, folder: Path) -> Callable[[], int]:
    """The product's filter step: scan, normalize, validate, account, write."""
    import polars as pl

    from rpsync_assets.core.header import ColumnMap, read_header
    from rpsync_assets.core.stream import filter_blocks
    from rpsync_assets.resources.landing import blocks, first_line

    def work() -> int:
        line = first_line(file)
        outcome = filter_blocks(
            blocks(file, start=len(line)),
            header=read_header(line, ColumnMap()),
            active=pl.read_parquet(folder / "active.parquet"),
            facilities=pl.read_parquet(folder / "facilities.parquet"),
            snapshot_at=datetime.now(UTC),
        )
        outcome.kept.write_parquet(folder / "ours.parquet")
        outcome.rejected.write_parquet(folder / "ours_rejected.parquet")
        return outcome.kept.height

    return work


def polars(file: Path, folder: Path) -> Callable[[], int]:
    """A bare lazy scan and semi-join, streamed to CSV."""
    import polars as pl

    def work() -> int:
        active = pl.scan_parquet(folder / "active.parquet").select(upc="upca")
        left = pl.scan_csv(file, infer_schema=False).join(active, on="upc", how="semi")
        left.sink_csv(folder / "polars.csv")
        return _lines(folder / "polars.csv")

    return work


def duckdb(file: Path, folder: Path) -> Callable[[], int]:
    """The same in DuckDB's SQL."""
    import duckdb as db

    def work() -> int:
        with db.connect() as connection:
            connection.execute(
                f"COPY (SELECT f.* FROM read_csv('{file}', all_varchar = true) f"
                f" SEMI JOIN read_parquet('{folder}/active.parquet') a ON f.upc = a.upca) TO '{folder}/duckdb.csv'"
            )
        return _lines(folder / "duckdb.csv")

    return work


def pandas(file: Path, folder: Path) -> Callable[[], int]:
    """The script an analyst would write."""
    import pandas as pd

    def work() -> int:
        active = set(pd.read_parquet(folder / "active.parquet")["upca"])
        rows = pd.read_csv(file, dtype=str)
        rows[rows["upc"].isin(active)].to_csv(folder / "pandas.csv", index=False)
        return _lines(folder / "pandas.csv")

    return work


TOOLS = {"ours": ours, "polars": polars, "duckdb": duckdb, "pandas": pandas}


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") - 1


def main() -> None:
    """Run one tool once."""
    tool, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    work = TOOLS[tool](file, folder)
    started = time.perf_counter()
    rows = work()
    seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"seconds": seconds, "rows": rows, "peak_memory_mb": peak_memory_mb()}) + "\n")


if __name__ == "__main__":
    main()
