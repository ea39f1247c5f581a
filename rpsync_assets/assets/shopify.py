"""Shopify's side: the feed, the daily full reset, the deltas. Every run of these is a dry run for now and says so.

Belongs here: shopify_feed, shopify_full_reset, shopify_delta. Does not: targets and differences (``core/feed``).
"""

from typing import Any

import dagster as dg
import polars as pl

from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.metadata import described
from rpsync_assets.assets.verdicts import require
from rpsync_assets.core import guards
from rpsync_assets.core.atp import online_atp as compute_online_atp
from rpsync_assets.core.feed import OUTCOMES, difference
from rpsync_assets.core.feed import shopify_feed as compute_feed
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.shopify import ShopifyExport
from rpsync_assets.settings import Settings

DRY_RUN = "DRY RUN: nothing was sent to Shopify; these are the differences that a publication would send"

FEED_CHECKS = {
    "feed_not_negative": "No target is below zero.",
    "feed_unique": "Each inventory item has one target per location.",
}


@asset(group="shopify", kinds={"polars", "shopify"}, checks=FEED_CHECKS)
def shopify_feed(
    context: dg.AssetExecutionContext,
    online_atp: pl.DataFrame,
    oms: dg.ResourceParam[Oms],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The target quantity of every mapped inventory item at every mapped Shopify location.

    The online location gets the channel's number; a pickup location gets its facility's.
    """
    slot = Slot.of(context)
    with oms.read() as reader:
        feed = compute_feed(online_atp, reader.shopify_items(slot.store), reader.shopify_locations(slot.store))
    return dg.MaterializeResult(
        value=feed,
        check_results=require(_feed_guards(feed)),
        metadata={
            **described(feed),
            "units": int(feed["quantity"].sum()),
            "items at zero": feed.filter(pl.col("quantity") == 0).height,
        },
    )


@asset(group="shopify", kinds={"shopify"}, checks=FEED_CHECKS)
def shopify_full_reset(
    context: dg.AssetExecutionContext,
    shopify_feed: pl.DataFrame,
    shopify: dg.ResourceParam[ShopifyExport],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The day's publication to Shopify: only what differs. A dry run: differences are computed, nothing is sent."""
    checks = require(_feed_guards(shopify_feed))
    table = difference(shopify_feed, shopify.available())
    return dg.MaterializeResult(value=table, check_results=checks, metadata=_receipt(table))


@asset(group="shopify", kinds={"shopify"}, per="store", deps=("pos_sales", "shopify_full_reset"), checks=FEED_CHECKS)
def shopify_delta(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    shopify: dg.ResourceParam[ShopifyExport],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Every 15 minutes: what changed since the last publication, found by comparing states, not by a time window.

    A dry run moves no baseline, so for now every delta is a comparison with what Shopify shows. Nothing is sent.
    """
    store = str(context.partition_key)
    with oms.read() as reader:
        read = reader.stock(store, settings.store(store).channel)
        atp = compute_online_atp(read.stock, read.channel_rules, read.queue_demand, reserves=read.reserves)
        feed = compute_feed(atp, reader.shopify_items(store), reader.shopify_locations(store))
    checks = require(_feed_guards(feed))
    table = difference(feed, shopify.available())
    return dg.MaterializeResult(value=table, check_results=checks, metadata=_receipt(table))


def _feed_guards(feed: pl.DataFrame) -> list[guards.Verdict]:
    return [
        guards.not_negative(feed, "quantity", name="feed_not_negative"),
        guards.unique(
            feed,
            ["shopify_inventory_item_id", "shopify_location_id"],
            name="feed_unique",
            what="an inventory item and location",
        ),
    ]


def _receipt(table: pl.DataFrame) -> dict[str, Any]:
    counts = dict(table.group_by("outcome").len().iter_rows())
    changed = table.filter(pl.col("difference") != 0)
    return {
        **described(changed.sort(pl.col("difference").abs(), descending=True)),
        "dagster/row_count": table.height,
        "receipt": DRY_RUN,
        "compared": table.height,
        **{outcome: counts.get(outcome, 0) for outcome in OUTCOMES},
        "units up": int(changed.filter(pl.col("difference") > 0)["difference"].sum()),
        "units down": int(-changed.filter(pl.col("difference") < 0)["difference"].sum()),
    }
