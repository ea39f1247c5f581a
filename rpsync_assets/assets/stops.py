"""Why a day stands still: what stopped each asset of a store and day when it was run last.

Belongs here: the side table ``stops``. Does not: Dagster's own record of runs, which lies elsewhere and is slow to ask;
``rpsync explain`` and the report read this instead.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from rpsync_assets.core.errors import RpsyncError, TransientError
from rpsync_assets.core.guards import Verdict
from rpsync_assets.core.keys import MOMENT
from rpsync_assets.resources.tables import Tables

STOPS = "stops"
SCHEMA = {
    "asset": pl.String,
    "check_name": pl.String,
    "observed": pl.String,
    "threshold": pl.String,
    "found": pl.String,
    "mend": pl.String,
    "rerun_helps": pl.Boolean,
    "stopped_at": MOMENT,
    "run_id": pl.String,
}


def stopped_by_guards(tables: Tables, partition: str, asset: str, verdicts: Sequence[Verdict], run_id: str) -> None:
    """Guards of an asset refused."""
    rows = [
        {
            "check_name": verdict.name,
            "observed": str(verdict.observed),
            "threshold": verdict.threshold,
            "found": verdict.found,
            "mend": verdict.mend,
            "rerun_helps": False,
        }
        for verdict in verdicts
        if not verdict.passed
    ]
    _replace(tables, partition, asset, rows, run_id)


def stopped_by_error(tables: Tables, partition: str, asset: str, error: RpsyncError, run_id: str) -> None:
    """An asset found something that it cannot go on with."""
    row = {"found": error.culprit, "mend": error.mend, "rerun_helps": isinstance(error, TransientError)}
    _replace(tables, partition, asset, [row], run_id)


def went_on(tables: Tables, partition: str, asset: str) -> None:
    """An asset was materialized: nothing stops it any more."""
    if tables.path(STOPS, partition).exists():
        _replace(tables, partition, asset, [], "")


def _replace(tables: Tables, partition: str, asset: str, rows: list[dict[str, object]], run_id: str) -> None:
    path = tables.path(STOPS, partition)
    before = pl.read_parquet(path, hive_partitioning=False) if path.exists() else pl.DataFrame(schema=SCHEMA)
    others = before.filter(pl.col("asset") != asset)
    if not rows and others.height == before.height:
        return
    at = datetime.now(UTC)
    new = pl.DataFrame([{"asset": asset, "stopped_at": at, "run_id": run_id, **row} for row in rows], schema=SCHEMA)
    tables.write(STOPS, partition, pl.concat([others, new]))
