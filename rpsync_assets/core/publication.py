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
_ORDER_ITEM = ["order_id", "shopify_inventory_item_id"]

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
    "shopify_location_id": pl.String,
    "units": pl.Int64,
}
"""How much of each imported Shopify order the OMS's number reflects; ``order_id`` is Shopify's, the location is where
the OMS would look for it: where Shopify took it from is known of orders that were read there."""

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
        ``UNITS_SCHEMA``; rows of zero are left out. Summed over locations it is Z - K of each order and item.
    """
    allotted = _allotted(taken, reflected).with_columns(units=pl.col("units") - pl.col("known_here"))
    return _per_place(allotted).filter(pl.col("units") != 0)


def reflected_at(reflected: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    """K over all imported orders, per item and location.

    An order that was read at Shopify is reflected where Shopify took it from, and for items that it took: a product may
    have two of them. The others are reflected where the OMS would look for them.

    Args:
        reflected: ``REFLECTED_SCHEMA``.
        taken: ``TAKEN_SCHEMA``, of all orders that were ever read.

    Returns:
        ``UNITS_SCHEMA``.
    """
    read = _allotted(taken, reflected).with_columns(units="known_here")
    unread = reflected.join(taken, on="order_id", how="anti")
    return _per_place(pl.concat([read.select(TAKEN_SCHEMA.keys()), unread.select(TAKEN_SCHEMA.keys())]))


def without_returns(reflected: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    """K where the OMS's returns cannot be read: of an order no more than Shopify's own count of it says.

    A return that both sides have booked has raised both of their numbers; without this it would raise Shopify's twice.

    Args:
        reflected: ``REFLECTED_SCHEMA``.
        taken: ``TAKEN_SCHEMA``, of all orders that were ever read; others stay as they are.
    """
    net = taken.group_by(_ORDER_ITEM).agg(net=pl.col("units").sum().clip(lower_bound=0))
    capped = pl.min_horizontal("units", pl.col("net").fill_null(pl.col("units")))
    return reflected.join(net, on=_ORDER_ITEM, how="left", maintain_order="left").select(
        *(pl.col(name) for name in REFLECTED_SCHEMA if name != "units"), units=capped
    )


def _allotted(taken: pl.DataFrame, reflected: pl.DataFrame) -> pl.DataFrame:
    """``TAKEN_SCHEMA`` and ``known_here``: each order's K, shared out over the locations that it took an item from.

    Each location in turn up to what it took; what is left (a restock that the OMS has not heard of) goes to the last.
    """
    known = reflected.group_by(_ORDER_ITEM).agg(known=pl.col("units").sum())
    places = (
        taken.group_by(*_ORDER_ITEM, "shopify_location_id")
        .agg(pl.col("units").sum())
        .sort(*_ORDER_ITEM, "shopify_location_id")
        .join(known, on=_ORDER_ITEM, how="left", maintain_order="left")
        .with_columns(pl.col("known").fill_null(0), took=pl.col("units").clip(lower_bound=0))
    )
    before = pl.col("took").cum_sum().over(_ORDER_ITEM) - pl.col("took")
    places = places.with_columns(
        known_here=pl.min_horizontal((pl.col("known") - before).clip(lower_bound=0), pl.col("took"))
    )
    last = pl.int_range(pl.len()).over(_ORDER_ITEM) == pl.len().over(_ORDER_ITEM) - 1
    left = pl.col("known") - pl.col("known_here").sum().over(_ORDER_ITEM)
    return places.with_columns(known_here=pl.col("known_here") + pl.when(last).then(left).otherwise(0))


def _per_place(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.group_by(ITEM)
        .agg(pl.col("units").sum())
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
        ``PLAN_SCHEMA``, one row per row of the feed (an item that is there twice is a guard's to tell).
    """
    planned = (
        feed.join(available.rename({"available": "shopify_available"}), on=ITEM, how="left", validate="m:1")
        .join(in_flight.rename({"units": "under_way"}), on=ITEM, how="left", validate="m:1")
        .join(reflected.rename({"units": "reflected"}), on=ITEM, how="left", validate="m:1")
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
        feed.join(before, on=ITEM, how="left", validate="m:1")
        .join(reflected.rename({"units": "reflected"}), on=ITEM, how="left", validate="m:1")
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
