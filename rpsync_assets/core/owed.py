"""Counts that an earlier file brought and the OMS never took: what a delta of today does not hold.

Belongs here: which rows are owed, and why. Does not: reading older files again (``assets/owed``).

design.md section 5, "Owed keys": delta files form a chain. A held day, a failed or rejected row, a facility mapped
late, a product published after its stock arrived: none of them is in tomorrow's delta. So each day delivers today's
rows plus the owed ones: active keys whose newest Retail Pro count in the kept files is newer than their last accepted
T0.
"""

import polars as pl

from rpsync_assets.core.keys import KEY, MOMENT
from rpsync_assets.core.reset import KEPT_SCHEMA

WHY = {
    "day_not_delivered": "the day of its file was held, or its delivery never went out",
    "not_accepted": "it was delivered, and the OMS did not take it",
    "late_listing": "its product was not sold online or its facility not known when its file came, or its row was"
    " rejected then",
    "day_held": "the numbers of its file hold its day: not delivered until that day is released",
}
"""Why a key is owed."""

FILTERED_SCHEMA = {**KEPT_SCHEMA, "file_name": pl.String, "owed": pl.Boolean}
"""``filtered_reset``: the day's rows and the owed ones, each with its own T0 and the file that it comes from."""

OWED_SCHEMA = {**KEPT_SCHEMA, "file_name": pl.String, "serves": pl.Date, "why": pl.String}
"""Owed rows; ``serves`` is the business date of the file."""

EARLIER_SCHEMA = {**OWED_SCHEMA, "modified_at": MOMENT}
"""Rows of older files, filtered by today's lists; ``why`` is the reason that would hold if the row is owed."""


def owed_rows(
    kept: pl.DataFrame, earlier: pl.DataFrame, accepted: pl.DataFrame, delivered: pl.DataFrame
) -> pl.DataFrame:
    """The rows of older files that are owed today.

    Args:
        kept: the day's rows: ``KEPT_SCHEMA``.
        earlier: ``EARLIER_SCHEMA``.
        accepted: the newest accepted count of each key, accepted for whatever day: ``facility_id``, ``product_id``,
            ``snapshot_at``, ``quantity``. Another number as of the same moment is a correction, and owed.
        delivered: keys and ``snapshot_at`` of owed rows that this same day's file brought along before, and
            ``went_out``: whether it was delivered with them. They stay part of it once they were accepted, and what
            went out stays whatever was counted since, or a second click would be another content.

    Returns:
        ``OWED_SCHEMA``, one row per key, sorted by facility and UPCA.
    """
    newest = earlier.sort("snapshot_at", "modified_at").unique(KEY, keep="last", maintain_order=True)
    again = delivered.select(*KEY, "went_out", delivered_at="snapshot_at")
    taken = accepted.select(*KEY, accepted_at="snapshot_at", accepted_quantity="quantity")
    brought = (pl.col("snapshot_at") == pl.col("delivered_at")).fill_null(value=False)
    corrected = pl.col("quantity") != pl.col("accepted_quantity")
    return (
        newest.join(kept, on=KEY, how="anti")
        .join(taken, on=KEY, how="left")
        .join(again, on=KEY, how="left")
        .filter(
            pl.col("accepted_at").is_null()
            | (pl.col("snapshot_at") > pl.col("accepted_at"))
            | ((pl.col("snapshot_at") == pl.col("accepted_at")) & (corrected | brought))
            | (brought & pl.col("went_out"))
        )
        .select(OWED_SCHEMA.keys())
        .sort("facility_id", "upca")
    )


def waiting_rows(held: pl.DataFrame, owed: pl.DataFrame) -> pl.DataFrame:
    """Of counts that are held, those that wait: an older count that goes meanwhile does not hide a newer one.

    Args:
        held: ``OWED_SCHEMA``: what ``owed_rows`` finds in files whose numbers hold them.
        owed: ``OWED_SCHEMA``: what goes with the day.

    Returns:
        ``OWED_SCHEMA``, with ``day_held`` for why.
    """
    return (
        held.join(owed.select(*KEY, going="snapshot_at"), on=KEY, how="left")
        .filter(pl.col("going").is_null() | (pl.col("snapshot_at") > pl.col("going")))
        .with_columns(why=pl.lit("day_held"))
        .select(OWED_SCHEMA.keys())
    )


def with_owed(kept: pl.DataFrame, owed: pl.DataFrame, *, file_name: str) -> pl.DataFrame:
    """The day's rows and the owed ones: ``FILTERED_SCHEMA``, sorted by facility and UPCA.

    Args:
        kept: ``KEPT_SCHEMA``.
        owed: ``OWED_SCHEMA``.
        file_name: of the day's file.
    """
    own = kept.with_columns(file_name=pl.lit(file_name), owed=pl.lit(value=False))
    others = (
        owed.filter(pl.col("why") != "day_held").with_columns(owed=pl.lit(value=True)).select(FILTERED_SCHEMA.keys())
    )
    return pl.concat([own, others]).sort("facility_id", "upca")
