"""What may be sold -> the target quantity per Shopify inventory item and location, and how far Shopify is from it.

Belongs here: roles of locations, targets, differences. Does not: talking to Shopify (``resources/shopify``).

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
DIFFERENCE_SCHEMA = {
    **FEED_SCHEMA,
    "shopify_available": pl.Int64,
    "difference": pl.Int64,
    "outcome": pl.String,
}
OUTCOMES = {
    "unchanged": "Shopify shows the target already: nothing to send",
    "up": "Shopify shows less than may be sold",
    "down": "Shopify shows more than may be sold",
    "count_unknown": "Shopify's count of this item and location is not known: it is not stocked there, or was not read",
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


def difference(feed: pl.DataFrame, available: pl.DataFrame) -> pl.DataFrame:
    """Compare targets with what Shopify shows.

    Args:
        feed: ``FEED_SCHEMA``.
        available: ``shopify_inventory_item_id``, ``shopify_location_id``, ``available``.

    Returns:
        ``DIFFERENCE_SCHEMA``, one row per row of the feed.
    """
    gap = pl.col("quantity") - pl.col("shopify_available")
    return (
        feed.join(
            available.rename({"available": "shopify_available"}),
            on=["shopify_inventory_item_id", "shopify_location_id"],
            how="left",
            validate="m:1",
        )
        .with_columns(
            difference=gap,
            outcome=pl.when(gap.is_null())
            .then(pl.lit("count_unknown"))
            .when(gap == 0)
            .then(pl.lit("unchanged"))
            .when(gap > 0)
            .then(pl.lit("up"))
            .otherwise(pl.lit("down")),
        )
        .select(pl.col(name).cast(kind) for name, kind in DIFFERENCE_SCHEMA.items())
    )
