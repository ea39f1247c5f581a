"""The list of every file that was landed for a business date, with what is known of its content.

Belongs here: what the list holds, adding to it, asking it. Does not: how files come to lie here (``assets/arriving``).
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from rpsync_assets.core.arrival import CHAIN_DAYS, counted_at
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.keys import MOMENT
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.tables import Tables

LANDED = "landed_files"
"""A table beside ``raw_reset_file``: every file that was landed for a business date, by landing."""

SCHEMA = {
    "file_name": pl.String,
    "remote_path": pl.String,
    "landed_path": pl.String,
    "bytes": pl.Int64,
    "rows": pl.Int64,
    "sha256": pl.String,
    "snapshot_at": MOMENT,
    "modified_at": MOMENT,
    "file_kind": pl.String,
    "compression": pl.String,
    "encoding": pl.String,
    "same_content_as": pl.String,
    "same_content_day": pl.Date,
    "landed_at": MOMENT,
}


def landed_files(tables: Tables, slot: Slot, days: int = CHAIN_DAYS) -> pl.DataFrame:
    """What was landed for a business date and the ``days`` before it: ``SCHEMA`` and ``serves`` (the date)."""
    found = []
    for back in range(days, -1, -1):
        of = Slot(slot.day - timedelta(days=back), slot.store)
        try:
            frame = tables.read(LANDED, of)
        except NotYetError:
            continue
        found.append(frame.with_columns(serves=pl.lit(of.day)))
    return pl.concat(found) if found else pl.DataFrame(schema={**SCHEMA, "serves": pl.Date})


def by_moment(landed: pl.DataFrame) -> pl.DataFrame:
    """Of what was sent again under its name, as of the same moment, only what came last."""
    return landed.unique(["file_name", "snapshot_at"], keep="last", maintain_order=True)


def write_down(tables: Tables, row: dict[str, Any], of: Slot, aside: Path | None) -> None:
    """Add a file to the list of its business date; its counts are as old as the first file with its content.

    Args:
        tables: where the list is kept.
        row: ``SCHEMA``; its ``same_content_as``, ``snapshot_at`` and ``landed_at`` are told here.
        of: the store and business date that the file serves.
        aside: where the earlier file of its name lies now.
    """
    path = row["landed_path"]
    known = landed_files(tables, of)
    alike, today = (pl.col("sha256") == row["sha256"]) & (pl.col("rows") > 0), pl.col("serves") == of.day
    twins = known.filter(alike & ~(today & (pl.col("file_name") == row["file_name"]))).sort("snapshot_at")
    if twins.height:
        row["same_content_as"], row["same_content_day"] = twins.select("file_name", "serves").row(0)
    earlier = known.filter(today & (pl.col("snapshot_at") <= row["snapshot_at"])).sort("snapshot_at")
    row["snapshot_at"] = counted_at(row["snapshot_at"], row["rows"], earlier.select("snapshot_at", alike=alike).rows())
    itself = (pl.col("landed_path") == path) & (pl.col("sha256") == row["sha256"])
    # The same bytes once more lie here since they came first.
    row["landed_at"] = min([row["landed_at"], *known.filter(itself)["landed_at"]])
    before = known.filter(~itself)
    of_day = before.filter(pl.col("serves") == of.day).drop("serves")
    if aside is not None:
        moved = pl.when(pl.col("landed_path") == path).then(pl.lit(str(aside))).otherwise("landed_path")
        of_day = of_day.with_columns(landed_path=moved)
    tables.write(LANDED, str(of.key), pl.concat([of_day, pl.DataFrame([row], schema=SCHEMA)]))
