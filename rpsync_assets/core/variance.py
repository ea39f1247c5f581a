"""Unreported shipments x accepted reset rows -> the variance file.

Belongs here: which keys get a variance and how much. Does not: the query that finds unreported shipments
(``resources/oms_sql``), the proof that the reset was imported (``core/guards``).

S001: "deltas for only those order items ... are included in the variance file which are present in the reset inventory
file received from RetailPro that day". Sharper here (design.md section 5): for exactly the reset rows that the OMS
accepted and that have no variance yet; a rejected, failed or superseded row brought no surplus in, so nothing is taken
out.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import polars as pl

from rpsync_assets.core.keys import KEY, MOMENT, RESET_ROW

REASON = "VAR_INTEGR"
COMMENT = "Inventory Variance sent as part of Reset Inventory deduction for partially completed orders"
COLUMNS = (
    "facilityId",
    "idType",
    "idValue",
    "availableDelta",
    "locationSeqId",
    "varianceReasonId",
    "comments",
)


@dataclass(frozen=True)
class Told:
    """How a store's Retail Pro comes to know of a shipment.

    Attributes:
        by: ``order_completed`` (the order is entirely completed) or ``fulfillment_history`` (HotWax sent the line).
        invoice_lag: how long after that Retail Pro books it.
    """

    by: Literal["order_completed", "fulfillment_history"] = "order_completed"
    invoice_lag: timedelta = timedelta(0)


UNREPORTED_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "quantity": pl.Int64,
    "order_id": pl.String,
    "order_name": pl.String,
    "order_item_seq_id": pl.String,
    "order_status": pl.String,
    "issued_at": MOMENT,
    "evidence": pl.String,
    "current_upcas": pl.Int64,
    "snapshot_at": MOMENT,
}
"""One row per issuance (or completed item) that Retail Pro had not been told of at the snapshot."""

VARIANCE_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "available_delta": pl.Int64,
    "orders_part": pl.Int64,
    "window_part": pl.Int64,
    "orders": pl.UInt32,
    "snapshot_at": MOMENT,
    "generation": pl.Int64,
}
"""``available_delta`` = ``orders_part`` (minus what Retail Pro was not told of) + ``window_part`` (what an import that
compares when it runs has overwritten since the count; always 0 with the embedded OMS)."""

WINDOW_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "snapshot_at": MOMENT,
    "window_part": pl.Int64,
}


def moved_since(accepted: pl.DataFrame, movements: pl.DataFrame) -> pl.DataFrame:
    """L(T0,t] of each accepted row: ``RESET_ROW``, ``moved_since_snapshot``; rows without any are left out.

    Args:
        accepted: ``facility_id``, ``product_id``, ``snapshot_at``.
        movements: physical movements until t: ``facility_id``, ``product_id``, ``event_at``, ``units``.
    """
    return (
        accepted.select(RESET_ROW)
        .join(movements, on=KEY, how="inner")
        .filter(pl.col("event_at") > pl.col("snapshot_at"))
        .group_by(RESET_ROW)
        .agg(moved_since_snapshot=pl.col("units").sum())
    )


def overwritten(accepted: pl.DataFrame, counts: pl.DataFrame, movements: pl.DataFrame) -> pl.DataFrame:
    """The window part of HotWax's variance: ``F + L(T0,t*] - QOH(t*)`` (design.md section 5).

    Args:
        accepted: accepted rows: ``facility_id``, ``product_id``, ``snapshot_at``, ``quantity``.
        counts: ``facility_id``, ``product_id``, ``quantity_on_hand``, as of t*.
        movements: as ``moved_since`` takes them, as of t*.

    Returns:
        ``WINDOW_SCHEMA``, one row per accepted row. It is "target minus what is there": asked again after it was
        applied, it is minus what the other part took.
    """
    return (
        accepted.select(*RESET_ROW, "quantity")
        .join(counts.select("facility_id", "product_id", "quantity_on_hand"), on=KEY, how="left")
        .join(moved_since(accepted, movements), on=RESET_ROW, how="left")
        .with_columns(pl.col("quantity_on_hand", "moved_since_snapshot").fill_null(0))
        .select(
            *RESET_ROW,
            window_part=pl.col("quantity") + pl.col("moved_since_snapshot") - pl.col("quantity_on_hand"),
        )
    )


def overwritten_without_ledger(
    accepted: pl.DataFrame, counts: pl.DataFrame, shipped: pl.DataFrame, *, reset_basis: str
) -> pl.DataFrame:
    """The window part where HotWax's ledger cannot be read: minus what was issued until the import.

    Args:
        accepted: accepted rows: ``RESET_ROW`` and ``imported_at``.
        counts: ``facility_id``, ``product_id``, ``quantity_on_hand``, ``available_to_promise``.
        shipped: ``UNREPORTED_SCHEMA`` and ``imported_at``: issued after the snapshot and until the import.
        reset_basis: ``qoh``, or ``atp``: then the reset has put the reserved units on top of the count.

    Returns:
        ``WINDOW_SCHEMA``.
    """
    units = shipped.group_by(*RESET_ROW, "imported_at").agg(units=pl.col("quantity").sum())
    reserved = counts.select(*KEY, reserved=pl.col("quantity_on_hand") - pl.col("available_to_promise"))
    on_top = pl.col("reserved").fill_null(0) if reset_basis == "atp" else pl.lit(0)
    return (
        accepted.join(units, on=[*RESET_ROW, "imported_at"], how="left")
        .join(reserved, on=KEY, how="left")
        .select(*RESET_ROW, window_part=(-pl.col("units").fill_null(0) - on_top).cast(pl.Int64))
    )


def unseen(imported: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    """The rows of an import that we have not learnt of: newer than what we know of their key, or imported once more.

    Args:
        imported: accepted rows of one import: ``RESET_ROW``, ``generation``, ``log_id``, ``imported_at``.
        accepted: the newest rows that we know, one per key, with the same columns.

    Returns:
        ``imported`` without rows that a known one is as new as; a newer count of a key has taken an older one's place.
    """
    known = accepted.select(*KEY, *(pl.col(name).alias(f"known_{name}") for name in _AGE))
    newer = pl.col("snapshot_at") > pl.col("known_snapshot_at")
    same = pl.col("snapshot_at") == pl.col("known_snapshot_at")
    later = pl.col("generation") > pl.col("known_generation")
    again = (pl.col("generation") == pl.col("known_generation")) & (pl.col("log_id") != pl.col("known_log_id"))
    # A later day may have brought the same count along as owed; generations count within a day.
    since = (pl.col("imported_at") > pl.col("known_imported_at")).fill_null(value=False)
    outdated = (pl.col("imported_at") < pl.col("known_imported_at")).fill_null(value=False)
    return (
        imported.join(known, on=KEY, how="left", maintain_order="left")
        .filter(pl.col("known_snapshot_at").is_null() | newer | (same & (later | again | since) & ~outdated))
        .select(imported.columns)
    )


_AGE = ("snapshot_at", "generation", "log_id", "imported_at")


def variance_due(unreported: pl.DataFrame, accepted: pl.DataFrame, window: pl.DataFrame | None = None) -> pl.DataFrame:
    """The variance of one reset: minus the unreported units of each accepted key, plus what its import overwrote.

    Args:
        unreported: ``UNREPORTED_SCHEMA``, as of each snapshot that stands in ``accepted``.
        accepted: accepted rows that have no variance yet: ``facility_id``, ``product_id``, ``upca``, ``snapshot_at``,
            ``generation``; unique by facility and product.
        window: ``WINDOW_SCHEMA``; left out for an OMS whose import keeps what moved.

    Returns:
        ``VARIANCE_SCHEMA``, one row per key whose ``available_delta`` is not zero, sorted by facility and UPCA.
        ``upca`` is the accepted row's, so a product with two current UPCAs is deducted once.
    """
    units = unreported.group_by(RESET_ROW).agg(
        units=pl.col("quantity").sum(), orders=pl.col("order_id").n_unique().cast(pl.UInt32)
    )
    return (
        accepted.join(units, on=RESET_ROW, how="left")
        .join(pl.DataFrame(schema=WINDOW_SCHEMA) if window is None else window, on=RESET_ROW, how="left")
        .with_columns(
            orders_part=-pl.col("units").fill_null(0),
            window_part=pl.col("window_part").fill_null(0),
            orders=pl.col("orders").fill_null(0),
        )
        .with_columns(available_delta=pl.col("orders_part") + pl.col("window_part"))
        .filter(pl.col("available_delta") != 0)
        .select(pl.col(name).cast(kind) for name, kind in VARIANCE_SCHEMA.items())
        .sort("facility_id", "upca")
    )


def to_csv(variance: pl.DataFrame, location: str, comment: str = COMMENT) -> bytes:
    """The variance as HotWax's Inventory Variance CSV, deltas in the spelling of S001's sample (``-1.0``)."""
    return (
        variance.select(
            pl.col("facility_id").alias("facilityId"),
            pl.lit("UPCA").alias("idType"),
            pl.col("upca").alias("idValue"),
            pl.format("{}.0", pl.col("available_delta")).alias("availableDelta"),
            pl.lit(location).alias("locationSeqId"),
            pl.lit(REASON).alias("varianceReasonId"),
            pl.lit(comment).alias("comments"),
        )
        .write_csv()
        .encode()
    )


def compare_with_retail_pro(
    accepted: pl.DataFrame, counts: pl.DataFrame, movements: pl.DataFrame, unreported: pl.DataFrame
) -> pl.DataFrame:
    """The acceptance test, key by key: ``difference = QOH(t) - L(T0,t] + U0 - F`` (design.md section 5).

    Args:
        accepted: accepted rows: ``facility_id``, ``product_id``, ``upca``, ``snapshot_at``, ``quantity`` (F).
        counts: ``facility_id``, ``product_id``, ``quantity_on_hand``, as of t.
        movements: as ``moved_since`` takes them, as of t.
        unreported: ``UNREPORTED_SCHEMA``, as of each snapshot that stands in ``accepted``.

    Returns:
        One row per accepted row: key, ``snapshot_at``, ``retail_pro_quantity``, ``quantity_on_hand``,
        ``moved_since_snapshot``, ``unreported`` and ``difference``; 0 where the systems agree.
    """
    units = unreported.group_by(RESET_ROW).agg(unreported=pl.col("quantity").sum())
    return (
        accepted.select(*KEY, "upca", "snapshot_at", pl.col("quantity").alias("retail_pro_quantity"))
        .join(counts.select(*KEY, "quantity_on_hand"), on=KEY, how="left")
        .join(moved_since(accepted, movements), on=RESET_ROW, how="left")
        .join(units, on=RESET_ROW, how="left")
        .with_columns(pl.col("quantity_on_hand", "moved_since_snapshot", "unreported").fill_null(0))
        .with_columns(
            difference=pl.col("quantity_on_hand")
            - pl.col("moved_since_snapshot")
            + pl.col("unreported")
            - pl.col("retail_pro_quantity")
        )
    )
