"""What may be sold -> the target quantity per Shopify inventory item and location.

Belongs here: roles of locations, targets. Does not: how far Shopify is from them (``core/publication``).

A location has one role: ``online`` gets the channel's number (the OMS maps it to facility ``_NA_``), ``pickup`` gets
its own facility's (design.md section 5).
"""

import polars as pl

ONLINE_FACILITY = "_NA_"

FEED_SCHEMA = {
    "shopify_inventory_item_id": pl.String,
    "shopify_location_id": pl.String,
    "role": pl.String,
    "product_id": pl.String,
    "facility_id": pl.String,
    "quantity": pl.Int64,
}


def shopify_feed(atp: pl.DataFrame, items: pl.DataFrame, locations: pl.DataFrame) -> pl.DataFrame:
    """The target quantity of every mapped item at every mapped location.

    Args:
        atp: ``core.atp.SCHEMA``.
        items: ``product_id``, ``shopify_inventory_item_id``.
        locations: ``facility_id`` (``_NA_`` for the online location), ``shopify_location_id``.

    Returns:
        ``FEED_SCHEMA``, sorted. A product that the OMS never had stock of has no row: it is left untouched.
    """
    online = locations.filter(pl.col("facility_id") == ONLINE_FACILITY)
    pickup = locations.filter(pl.col("facility_id") != ONLINE_FACILITY)
    targets = pl.concat(
        [
            atp.filter(pl.col("scope") == "channel")
            .drop("facility_id")
            .join(online, how="cross")
            .with_columns(role=pl.lit("online")),
            atp.filter(pl.col("scope") == "facility")
            .join(pickup, on="facility_id", how="inner")
            .with_columns(role=pl.lit("pickup")),
        ],
        how="diagonal",
    )
    return (
        targets.join(items, on="product_id", how="inner")
        .select(
            pl.col("sellable").alias(n).cast(t) if n == "quantity" else pl.col(n).cast(t)
            for n, t in FEED_SCHEMA.items()
        )
        .sort("shopify_inventory_item_id", "shopify_location_id")
    )
