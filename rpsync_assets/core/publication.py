"""What may be sold, what Shopify shows and what its own orders took -> what a publication sends.

Belongs here: the arithmetic of a full reset and of a delta (design.md section 5, "Shopify"), item by item. Does not:
reading counts or orders (``resources/shopify``), remembering baselines (``resources/publications``).

Words, for an inventory item at a location: C is what Shopify shows as available; Z is what Shopify's own orders took
from it (placed less restocked, edits included); K is how much of that the OMS's number reflects already (imported
orders). Z - K is under way: sold at Shopify and not yet known to the OMS. B, the baseline, is the OMS's number that
Shopify's count stands for.

The fact a newcomer would get wrong: Shopify's own sales are never sent to Shopify. It has deducted them itself.
"""

import polars as pl

from rpsync_assets.core.feed import FEED_SCHEMA

ITEM = ["shopify_inventory_item_id", "shopify_location_id"]

UNITS_SCHEMA = {"shopify_inventory_item_id": pl.String, "shopify_location_id": pl.String, "units": pl.Int64}
AVAILABLE_SCHEMA = {"shopify_inventory_item_id": pl.String, "shopify_location_id": pl.String, "available": pl.Int64}
BASELINE_SCHEMA = {
    "shopify_inventory_item_id": pl.String,
    "shopify_location_id": pl.String,
    "baseline": pl.Int64,
    "reflected": pl.Int64,
}
"""``baseline`` is B, ``reflected`` is K of the same moment; a baseline of null: the item is not stocked there."""

TAKEN_SCHEMA = {
    "order_id": pl.String,
    "shopify_inventory_item_id": pl.String,
    "shopify_location_id": pl.String,
    "units": pl.Int64,
}
"""What each of Shopify's own orders took from an item at a location, net."""

REFLECTED_SCHEMA = {
    "order_id": pl.String,
    "shopify_inventory_item_id": pl.String,
    "units": pl.Int64,
}
"""How much of each imported Shopify order the OMS's number reflects; ``order_id`` is Shopify's."""

PLAN_SCHEMA = {
    **FEED_SCHEMA,
    "shopify_available": pl.Int64,
    "under_way": pl.Int64,
    "reflected": pl.Int64,
    "target": pl.Int64,
    "difference": pl.Int64,
    "outcome": pl.String,
    "baseline": pl.Int64,
}
"""``quantity`` is what may be sold, ``target`` what Shopify should show; ``baseline`` holds once the row is published
(null where the item is not stocked)."""

OUTCOMES = {
    "unchanged": "Shopify shows the target already: nothing to send",
    "up": "Shopify shows less than it should",
    "down": "Shopify shows more than it should",
    "held": "an increase that waits until the variance of the key's reset is in the OMS",
    "not_stocked": "Shopify has no count of it there: the item is not stocked at the location",
}


def under_way(taken: pl.DataFrame, reflected: pl.DataFrame) -> pl.DataFrame:
    """Z - K of the same orders, per item and location.

    Args:
        taken: ``TAKEN_SCHEMA``, of Shopify's recent orders.
        reflected: ``REFLECTED_SCHEMA``; orders that are not in ``taken`` are settled and left out.

    Returns:
        ``UNITS_SCHEMA``; rows of zero are left out. An order is reflected where Shopify took it from; of an item that
        an order took from several locations, each is reflected in turn.
    """
    order_item = ["order_id", "shopify_inventory_item_id"]
    known = reflected.group_by(order_item).agg(known=pl.col("units").sum())
    per_place = (
        taken.group_by(*order_item, "shopify_location_id")
        .agg(pl.col("units").sum())
        .sort(*order_item, "shopify_location_id")
        .join(known, on=order_item, how="left", maintain_order="left")
        .with_columns(pl.col("known").fill_null(0))
    )
    before = pl.col("units").cum_sum().over(order_item) - pl.col("units")
    last = pl.int_range(pl.len()).over(order_item) == pl.len().over(order_item) - 1
    # All of what is known beyond the earlier places; the last place takes the rest, even if it is more than it took
    # (a restock that the OMS has not heard of).
    left = pl.col("known") - before
    here = pl.when(last).then(left).otherwise(left.clip(lower_bound=0, upper_bound=pl.col("units")))
    return (
        per_place.with_columns(under_way=pl.col("units") - here)
        .group_by(ITEM)
        .agg(units=pl.col("under_way").sum())
        .filter(pl.col("units") != 0)
        .select(pl.col(name).cast(kind) for name, kind in UNITS_SCHEMA.items())
    )


def plan_full(
    feed: pl.DataFrame,
    available: pl.DataFrame,
    in_flight: pl.DataFrame,
    reflected: pl.DataFrame,
    pending: pl.DataFrame,
) -> pl.DataFrame:
    """The full reset: ``v = max(0, desired - (Z - K))`` where that differs from C.

    Args:
        feed: ``FEED_SCHEMA``; ``quantity`` is desired, of one OMS snapshot.
        available: ``AVAILABLE_SCHEMA``: C, read before Shopify's orders.
        in_flight: ``UNITS_SCHEMA``: Z - K.
        reflected: ``UNITS_SCHEMA``: K over all imported orders, of the same snapshot as ``feed``.
        pending: ``product_id``, ``facility_id`` of keys whose variance is still due: no increase for them.

    Returns:
        ``PLAN_SCHEMA``, one row per row of the feed.
    """
    planned = (
        feed.join(available.rename({"available": "shopify_available"}), on=ITEM, how="left", validate="1:1")
        .join(in_flight.rename({"units": "under_way"}), on=ITEM, how="left", validate="1:1")
        .join(reflected.rename({"units": "reflected"}), on=ITEM, how="left", validate="1:1")
        .with_columns(pl.col("under_way", "reflected").fill_null(0))
        .with_columns(target=pl.max_horizontal(pl.col("quantity") - pl.col("under_way"), pl.lit(0)))
        .with_columns(difference=pl.col("target") - pl.col("shopify_available"))
    )
    planned = _with_outcome(planned, pending)
    shown = pl.when(pl.col("outcome") == "held").then("shopify_available").otherwise("target")
    return _plan(planned.with_columns(baseline=shown + pl.col("under_way")))


def plan_delta(
    feed: pl.DataFrame, baselines: pl.DataFrame, reflected: pl.DataFrame, pending: pl.DataFrame
) -> pl.DataFrame:
    """A delta, by comparing states: ``d = desired' - (B - (K' - K))``.

    Args:
        feed: ``FEED_SCHEMA``; ``quantity`` is desired', of one OMS snapshot.
        baselines: ``BASELINE_SCHEMA``: B and K; one per row of the feed (``lacks_baseline``).
        reflected: ``UNITS_SCHEMA``: K', of the same snapshot as ``feed``.
        pending: as ``plan_full`` takes it.

    Returns:
        ``PLAN_SCHEMA``; ``shopify_available`` and ``target`` are unknown: nothing is read from Shopify.
    """
    before = baselines.rename({"baseline": "baseline_before", "reflected": "reflected_before"})
    expected = pl.col("baseline_before") - (pl.col("reflected") - pl.col("reflected_before"))
    planned = (
        feed.join(before, on=ITEM, how="left", validate="1:1")
        .join(reflected.rename({"units": "reflected"}), on=ITEM, how="left", validate="1:1")
        .with_columns(pl.col("reflected").fill_null(0))
        .with_columns(difference=pl.col("quantity") - expected)
    )
    planned = _with_outcome(planned, pending)
    # What is held keeps its baseline, told in terms of K' so that one pair of numbers stays together.
    held = pl.when(pl.col("outcome") == "held").then(expected).otherwise("quantity")
    return _plan(planned.with_columns(baseline=pl.when(pl.col("outcome") != "not_stocked").then(held)))


def lacks_baseline(feed: pl.DataFrame, baselines: pl.DataFrame) -> pl.DataFrame:
    """The rows of a feed that no publication has ever compared with Shopify: a delta cannot be computed for them."""
    return feed.join(baselines, on=ITEM, how="anti")


def drift(planned: pl.DataFrame) -> pl.DataFrame:
    """``C - max(0, desired - (Z - K))`` of rows that are not held, where it is not zero: what a re-read shows."""
    return planned.filter((pl.col("difference") != 0) & (pl.col("outcome") != "held")).with_columns(
        drift=-pl.col("difference")
    )


def _with_outcome(planned: pl.DataFrame, pending: pl.DataFrame) -> pl.DataFrame:
    """An online row sums over facilities, so any pending facility of its product holds it."""
    products = pending.select("product_id").unique().with_columns(pending_anywhere=pl.lit(value=True))
    places = pending.select("product_id", "facility_id").unique().with_columns(pending_here=pl.lit(value=True))
    gap = pl.col("difference")
    waits = pl.when(pl.col("role") == "online").then("pending_anywhere").otherwise("pending_here")
    return (
        planned.join(products, on="product_id", how="left")
        .join(places, on=["product_id", "facility_id"], how="left")
        .with_columns(
            outcome=pl.when(gap.is_null())
            .then(pl.lit("not_stocked"))
            .when(gap == 0)
            .then(pl.lit("unchanged"))
            .when(gap < 0)
            .then(pl.lit("down"))
            .when(waits.fill_null(value=False))
            .then(pl.lit("held"))
            .otherwise(pl.lit("up"))
        )
    )


def _plan(planned: pl.DataFrame) -> pl.DataFrame:
    blank = [pl.lit(None, dtype=kind).alias(name) for name, kind in PLAN_SCHEMA.items() if name not in planned.columns]
    return (
        planned.with_columns(blank)
        .with_columns(baseline=pl.when(pl.col("outcome") != "not_stocked").then("baseline"))
        .select(pl.col(name).cast(kind) for name, kind in PLAN_SCHEMA.items())
    )
