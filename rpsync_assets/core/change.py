"""Why a publication changes what Shopify shows: the change of each item at a location, in parts that add up to it.

Belongs here: telling the day's own corrections from what Shopify had not been told before. Does not: what is published
(``core/publication``), or the rules (``core/atp``): they are run once more, on stock without the day's corrections.
"""

import polars as pl

from rpsync_assets.core.atp import less_owed, online_atp
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.core.keys import KEY

PARTS = {
    "by_counts": "by the day's reset and variance",
    "already_off": "as Shopify was off before",
    "since_then": "moved since",
}
"""What a change at Shopify is made of; the sum is the difference."""

MEANINGS = {
    "by_counts": "what the OMS's numbers changed by, through safety stock, channel and threshold; online all shops of"
    " the channel count, for pick-up each shop for itself",
    "already_off": "Shopify showed another number than the OMS already before that: sales and rules since the last"
    " publication, or a change by somebody else",
    "since_then": "sold, shipped, received, or rules changed, between online_atp and the publication",
}


def corrections(reset: pl.DataFrame, variance: pl.DataFrame | None) -> pl.DataFrame:
    """``KEY`` and ``units``: by how much the day's imports changed each key of the OMS.

    Args:
        reset: rows of ``reset_import``.
        variance: rows of ``variance_import``; None where there is none yet.
    """
    changed = [reset.select(*KEY, units="difference")]
    changed += [] if variance is None else [variance.select(*KEY, units="applied")]
    return (
        pl.concat(changed)
        .drop_nulls(KEY)
        .group_by(KEY)
        .agg(pl.col("units").sum())
        .filter(pl.col("units") != 0)
        .sort(KEY)
    )


def without(atp: pl.DataFrame, corrected: pl.DataFrame) -> pl.DataFrame:
    """The table of ``core.atp.SCHEMA`` as it would be if the day had corrected nothing: same rules, earlier stock.

    Args:
        atp: ``core.atp.SCHEMA``.
        corrected: as ``corrections`` gives it.
    """
    shelves, channel = atp.filter(pl.col("scope") == "facility"), atp.filter(pl.col("scope") == "channel")
    stock = shelves.select(
        *KEY,
        "quantity_on_hand",
        "available_to_promise",
        "minimum_stock",
        "after_safety_stock",
        "in_channel",
        allow_brokering=_yes("brokering_allowed"),
        allow_pickup=_yes("pickup_allowed"),
    )
    return online_atp(
        less_owed(stock, corrected.with_columns(-pl.col("units"))),
        channel.select("product_id", "threshold", allow_brokering=_yes("channel_allowed")),
        channel.select("product_id", units="queue_demand"),
        # Where the store does not reserve, the table says a demand of zero.
        reserves=True,
        preorder_demand=channel.select("product_id", units="preorder_demand"),
    )


def explained(plan: pl.DataFrame, atp: pl.DataFrame, corrected: pl.DataFrame) -> pl.DataFrame:
    """A publication's rows with ``PARTS`` and ``note`` (the rule that makes a product zero).

    Args:
        plan: ``core.publication.PLAN_SCHEMA``.
        atp: ``core.atp.SCHEMA``, of the same products.
        corrected: as ``corrections`` gives it.
    """
    place = ["product_id", "facility_id"]
    now, before = (
        table.select("product_id", pl.col("facility_id").fill_null(ONLINE_FACILITY), "note", sellable="sellable")
        for table in (atp, without(atp, corrected))
    )
    return (
        plan.join(now, on=place, how="left", maintain_order="left")
        .join(before.select(*place, sellable_before="sellable"), on=place, how="left", maintain_order="left")
        .with_columns(
            by_counts=pl.col("sellable") - pl.col("sellable_before"), since_then=pl.col("quantity") - pl.col("sellable")
        )
        .with_columns(already_off=pl.col("difference") - pl.col("by_counts") - pl.col("since_then"))
        .select(*plan.columns, *PARTS, "note")
    )


def _yes(flag: str) -> pl.Expr:
    return pl.when(flag).then(pl.lit("Y")).otherwise(pl.lit("N"))
