"""Unreported shipments x accepted reset rows -> the variance file.

Belongs here: which keys get a variance and how much. Does not: the query that finds unreported shipments
(``resources/oms_sql``), the proof that the reset was imported (``core/guards``).

S001: "deltas for only those order items ... are included in the variance file which are present in the reset inventory
file received from RetailPro that day". Sharper here (design.md section 5): for exactly the reset rows that the OMS
accepted and that have no variance yet; a rejected, failed or superseded row brought no surplus in, so nothing is taken
out.
"""

import polars as pl

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

UNREPORTED_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "quantity": pl.Int64,
    "order_id": pl.String,
    "order_name": pl.String,
    "order_item_seq_id": pl.String,
    "order_status": pl.String,
    "issued_at": pl.Datetime("us", "UTC"),
    "evidence": pl.String,
    "current_upcas": pl.Int64,
    "snapshot_at": pl.Datetime("us", "UTC"),
}
"""One row per issuance (or completed item) that Retail Pro had not been told of at the snapshot."""

RESET_ROW = ["facility_id", "product_id", "snapshot_at"]
"""What a variance belongs to: a key's count as of one moment. Two files of a day have two moments."""

VARIANCE_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "available_delta": pl.Int64,
    "orders": pl.UInt32,
    "snapshot_at": pl.Datetime("us", "UTC"),
    "generation": pl.Int64,
}


def variance_due(unreported: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    """The variance of one reset: minus the unreported units of each accepted key, keys without any left out.

    Args:
        unreported: ``UNREPORTED_SCHEMA``, as of each snapshot that stands in ``accepted``.
        accepted: accepted rows that have no variance yet: ``facility_id``, ``product_id``, ``upca``, ``snapshot_at``,
            ``generation``; unique by facility and product.

    Returns:
        ``VARIANCE_SCHEMA``, one row per key, ``available_delta`` below zero, sorted by facility and UPCA. ``upca`` is
        the accepted row's, so a product with two current UPCAs is deducted once.
    """
    units = unreported.group_by(RESET_ROW).agg(
        pl.col("quantity").sum().alias("units"), pl.col("order_id").n_unique().alias("orders")
    )
    return (
        accepted.join(units, on=RESET_ROW, how="inner")
        .filter(pl.col("units") > 0)
        .select(
            "facility_id",
            "product_id",
            "upca",
            (-pl.col("units")).cast(pl.Int64).alias("available_delta"),
            pl.col("orders").cast(pl.UInt32),
            "snapshot_at",
            "generation",
        )
        .sort("facility_id", "upca")
    )


def to_csv(variance: pl.DataFrame, location: str) -> bytes:
    """The variance as HotWax's Inventory Variance CSV, deltas in the spelling of S001's sample (``-1.0``)."""
    return (
        variance.select(
            pl.col("facility_id").alias("facilityId"),
            pl.lit("UPCA").alias("idType"),
            pl.col("upca").alias("idValue"),
            pl.format("{}.0", pl.col("available_delta")).alias("availableDelta"),
            pl.lit(location).alias("locationSeqId"),
            pl.lit(REASON).alias("varianceReasonId"),
            pl.lit(COMMENT).alias("comments"),
        )
        .write_csv()
        .encode()
    )


def compare_with_retail_pro(stock: pl.DataFrame, unreported: pl.DataFrame) -> pl.DataFrame:
    """The acceptance test, key by key: ``difference = QOH(t) - L(T0,t] + U0 - F`` (design.md section 5).

    Args:
        stock: ``facility_id``, ``product_id``, ``upca``, ``snapshot_at``, ``retail_pro_quantity``,
            ``quantity_on_hand``, ``moved_since_snapshot``.
        unreported: ``UNREPORTED_SCHEMA``, as of each snapshot that stands in ``stock``.

    Returns:
        ``stock`` with ``unreported`` and ``difference``; 0 where the systems agree.
    """
    units = unreported.group_by(RESET_ROW).agg(unreported=pl.col("quantity").sum())
    return (
        stock.join(units, on=RESET_ROW, how="left")
        .with_columns(pl.col("unreported").fill_null(0))
        .with_columns(
            difference=pl.col("quantity_on_hand")
            - pl.col("moved_since_snapshot")
            + pl.col("unreported")
            - pl.col("retail_pro_quantity")
        )
    )
