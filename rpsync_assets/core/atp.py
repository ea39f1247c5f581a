"""Stock and the results of HotWax's rules -> what may be sold, per facility and per channel, with every step's number.

Belongs here: the computation of domain.md 3.1, step by step. Does not: HotWax's rule engine (we read its results from
PRODUCT_FACILITY and the CONFIGURATION facility) or Shopify (``core/feed``).

Two facts a newcomer would get wrong. Safety stock is floored per facility before the sum: facilities (2, safety 5) and
(10, safety 5) give 5, not 2. And a product whose plain sum is negative is not left out: it is published as 0, because
"absent" would leave Shopify selling yesterday's number.
"""

import polars as pl

from rpsync_assets.core.keys import KEY
from rpsync_assets.core.ledger import AFTER_SAFETY_STOCK

SCHEMA = {
    "scope": pl.String,
    "product_id": pl.String,
    "facility_id": pl.String,
    "quantity_on_hand": pl.Int64,
    "available_to_promise": pl.Int64,
    "minimum_stock": pl.Int64,
    "after_safety_stock": pl.Int64,
    "in_channel": pl.Boolean,
    "brokering_allowed": pl.Boolean,
    "pickup_allowed": pl.Boolean,
    "counted_in_channel": pl.Int64,
    "facilities_counted": pl.UInt32,
    "threshold": pl.Int64,
    "queue_demand": pl.Int64,
    "preorder_demand": pl.Int64,
    "channel_allowed": pl.Boolean,
    "sellable": pl.Int64,
    "note": pl.String,
}
"""One row per product and facility (``scope`` = ``facility``) and one per product (``scope`` = ``channel``)."""

NOTES = {
    "left_channel": "the OMS has stock rows for it, but no facility of the channel may sell it: 0",
    "negative_sum": "the channel's plain sum is below zero: 0",
    "channel_off": "the channel's CONFIGURATION facility does not allow it: 0",
    "held_for_preorders": "the store holds its physical stock while there are pre- or back-orders: 0",
}


_DEMAND_SCHEMA = {"product_id": pl.String, "units": pl.Int64}


def online_atp(
    stock: pl.DataFrame,
    channel_rules: pl.DataFrame,
    queue_demand: pl.DataFrame,
    *,
    reserves: bool,
    preorder_demand: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """What may be sold of each product of one product store.

    Args:
        stock: one row per product and physical facility of the store: ``product_id``, ``facility_id``,
            ``quantity_on_hand``, ``available_to_promise``, ``minimum_stock`` (null: none), ``after_safety_stock``
            (COMPUTED_LAST_INVENTORY_COUNT; null: computed here), ``allow_brokering``, ``allow_pickup`` (null means Y),
            ``in_channel`` (the facility is a current member of the asked channel).
        channel_rules: ``product_id``, ``threshold`` (one row per CONFIGURATION facility of the channel that has one),
            ``allow_brokering``.
        queue_demand: ``product_id``, ``units`` ordered and waiting in virtual facilities, store-wide.
        reserves: PRODUCT_STORE.RESERVE_INVENTORY is not 'N'.
        preorder_demand: ``product_id``, ``units`` pre- or back-ordered, for a store that holds its physical inventory
            while there are any (HOLD_PRORD_PHYCL_INV); left out for one that does not.

    Returns:
        ``SCHEMA``, sorted by scope, product and facility. ``sellable`` of a facility row is what pickup may sell there.
    """
    facilities = stock.with_columns(
        pl.col("minimum_stock").fill_null(0),
        brokering_allowed=pl.col("allow_brokering").fill_null("Y") != "N",
        pickup_allowed=pl.col("allow_pickup").fill_null("Y") != "N",
    ).with_columns(
        after_safety_stock=pl.coalesce(
            "after_safety_stock",
            pl.sql_expr(AFTER_SAFETY_STOCK.format(available="available_to_promise", minimum="minimum_stock")),
        )
    )
    counted = pl.col("in_channel") & pl.col("brokering_allowed")
    facilities = facilities.with_columns(
        counted_in_channel=pl.when(counted).then(pl.col("after_safety_stock")).otherwise(0),
        sellable=pl.when(pl.col("pickup_allowed"))
        .then(pl.max_horizontal("after_safety_stock", pl.lit(0)))
        .otherwise(0),
        scope=pl.lit("facility"),
    )
    preorders = pl.DataFrame(schema=_DEMAND_SCHEMA) if preorder_demand is None else preorder_demand
    channel = _channel_rows(facilities, counted, channel_rules, queue_demand, preorders, reserves=reserves)
    both = pl.concat([facilities, channel], how="diagonal_relaxed")
    blank = [pl.lit(None, dtype=kind).alias(name) for name, kind in SCHEMA.items() if name not in both.columns]
    return (
        both.with_columns(blank)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("scope", "product_id", "facility_id")
    )


def less_owed(stock: pl.DataFrame, owed: pl.DataFrame) -> pl.DataFrame:
    """Stock as it will be once the variances that are due are in; safety stock is taken off anew.

    Args:
        stock: as ``online_atp`` takes it.
        owed: ``facility_id``, ``product_id``, ``units`` by which counts will change (design.md section 5: the overlay).
    """
    change = owed.group_by(KEY).agg(owed=pl.col("units").sum()).filter(pl.col("owed") != 0)
    return (
        stock.join(change, on=KEY, how="left")
        .with_columns(
            pl.col("available_to_promise", "quantity_on_hand") + pl.col("owed").fill_null(0),
            after_safety_stock=pl.when(pl.col("owed").is_null()).then("after_safety_stock"),
        )
        .drop("owed")
    )


def _channel_rows(
    facilities: pl.DataFrame,
    counted: pl.Expr,
    channel_rules: pl.DataFrame,
    queue_demand: pl.DataFrame,
    preorder_demand: pl.DataFrame,
    *,
    reserves: bool,
) -> pl.DataFrame:
    rules = channel_rules.group_by("product_id").agg(
        # Several CONFIGURATION facilities: the largest threshold, subtracted once (domain.md 3.1, step 3).
        threshold=pl.col("threshold").max(),
        channel_allowed=(pl.col("allow_brokering").fill_null("Y") != "N").all(),
    )
    demand = queue_demand.group_by("product_id").agg(queue_demand=pl.col("units").sum())
    preorders = preorder_demand.group_by("product_id").agg(preorder_demand=pl.col("units").sum())
    held = pl.col("preorder_demand") > 0
    no_facility = pl.col("facilities_counted") == 0
    negative = pl.col("available_to_promise") < 0
    off = ~pl.col("channel_allowed")
    return (
        facilities.group_by("product_id")
        .agg(
            quantity_on_hand=pl.col("quantity_on_hand").filter(counted).sum(),
            available_to_promise=pl.col("available_to_promise").filter(counted).sum(),
            counted_in_channel=pl.col("counted_in_channel").sum(),
            facilities_counted=counted.sum(),
        )
        .join(rules, on="product_id", how="left")
        .join(demand, on="product_id", how="left")
        .join(preorders, on="product_id", how="left")
        .with_columns(
            pl.col("threshold", "preorder_demand").fill_null(0),
            pl.col("channel_allowed").fill_null(value=True),
            queue_demand=pl.col("queue_demand").fill_null(0) if reserves else pl.lit(0),
        )
        .with_columns(
            scope=pl.lit("channel"),
            sellable=pl.when(no_facility | negative | off | held)
            .then(0)
            .otherwise(
                pl.max_horizontal(
                    pl.col("counted_in_channel") - pl.col("threshold") - pl.col("queue_demand"), pl.lit(0)
                )
            ),
            note=pl.when(no_facility)
            .then(pl.lit("left_channel"))
            .when(negative)
            .then(pl.lit("negative_sum"))
            .when(off)
            .then(pl.lit("channel_off"))
            .when(held)
            .then(pl.lit("held_for_preorders")),
        )
    )
