"""Kept rows -> the CSV parts that are delivered for the OMS to reset its inventory.

Belongs here: the split and the columns HotWax imports (domain.md 1.1). Does not: names (``core/names``), sending.
"""

from itertools import pairwise

import polars as pl

MOST_RECORDS = 200_000
"""S001: a filtered file of more than 200,000 records is split."""

LOCATION = "TLTLTLLL01"
COLUMNS = ("facilityId", "locationSeqId", "idType", "idValue", "availableQty", "comments")
SNAPSHOT_COMMENT = "Retail Pro snapshot "


def split(kept: pl.DataFrame, most: int = MOST_RECORDS) -> list[pl.DataFrame]:
    """Split rows into as few parts as the limit allows, their sizes at most one apart; no rows, no parts."""
    count = -(-kept.height // most)
    if count == 0:
        return []
    size, longer = divmod(kept.height, count)
    starts = [part * size + min(part, longer) for part in range(count + 1)]
    return [kept[start:end] for start, end in pairwise(starts)]


def to_csv(part: pl.DataFrame) -> bytes:
    """One part as HotWax's Reset Inventory CSV.

    ``idValue`` is the OMS's own text of the UPCA: HotWax finds products by exactly that text, whatever Retail Pro's
    export made of the zeros. ``comments`` carries the snapshot moment, which the embedded OMS reads as the row's T0.
    """
    return (
        part.select(
            pl.col("facility_id").alias("facilityId"),
            pl.lit(LOCATION).alias("locationSeqId"),
            pl.lit("UPCA").alias("idType"),
            pl.col("upca").alias("idValue"),
            pl.col("quantity").alias("availableQty"),
            pl.format(
                SNAPSHOT_COMMENT + "{}",
                pl.col("snapshot_at").dt.convert_time_zone("UTC").dt.to_string("%FT%TZ"),
            ).alias("comments"),
        )
        .write_csv()
        .encode()
    )


def snapshot_in(comments: pl.Expr) -> pl.Expr:
    """The snapshot moment that ``to_csv`` wrote into a comment (naive UTC), or null for any other comment."""
    written = pl.when(comments.str.starts_with(SNAPSHOT_COMMENT)).then(comments.str.strip_prefix(SNAPSHOT_COMMENT))
    return written.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", strict=False)
