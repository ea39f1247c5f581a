"""Shopify's side: the feed, the daily full reset, the deltas.

Belongs here: shopify_feed, shopify_full_reset, shopify_delta, and what they tell. Does not: targets (``core/feed``),
differences (``core/publication``), publishing (``assets/publisher``).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.desired import DesiredReader
from rpsync_assets.assets.metadata import as_markdown, counted, described
from rpsync_assets.assets.publisher import Published, Publisher
from rpsync_assets.assets.verdicts import ReleaseConfig, check_result, require
from rpsync_assets.core import guards, publication_guards
from rpsync_assets.core.errors import PermanentError
from rpsync_assets.core.feed import shopify_feed as compute_feed
from rpsync_assets.core.publication import AVAILABLE_SCHEMA, ITEM, OUTCOMES, UNITS_SCHEMA, plan_full
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.shopify import Shopify
from rpsync_assets.resources.state import State
from rpsync_assets.settings import Settings
from rpsync_assets.store_settings import StoreSettings

RECEIPTS = {
    "off": "OFF: nothing was read from Shopify and nothing was sent; see [stores.<id>.shopify] in the settings",
    "dry_run": "DRY RUN: nothing was sent to Shopify; these are the differences that a publication would send",
    "on": "PUBLISHED: these differences were sent to Shopify",
}
NOTHING_DIFFERED = {
    "dry_run": "DRY RUN: nothing differed; a publication would send nothing",
    "on": "NOTHING TO SEND: no item differed, and nothing was sent to Shopify",
}
NONE_TAKEN = "NOTHING WAS SENT: items differed, and Shopify took none of them; see what it refuses"
NOBODY = pl.DataFrame(schema={"product_id": pl.String, "facility_id": pl.String})

FEED_CHECKS = {
    "feed_not_negative": "No target is below zero.",
    "feed_unique": "Each inventory item has one target per location.",
}
PUBLICATION_CHECKS = {
    **FEED_CHECKS,
    "publication_changed_share": "Not most of the shop is changed at once, unless somebody is sure.",
    "publication_zeroed_share": "Not much of the shop is taken to zero at once, unless somebody is sure.",
    "shopify_takes": "Shopify knows the items and locations, and refuses hardly any of them.",
    "shopify_matches": "Read again after a full reset: Shopify shows what may be sold less what it sold meanwhile.",
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
            **described(feed, first=("product_id", "facility_id", "quantity", "role", "shopify_location_id")),
            "units": int(feed["quantity"].sum()),
            "items at zero": feed.filter(pl.col("quantity") == 0).height,
        },
    )


@asset(group="shopify", kinds={"shopify"}, checks=PUBLICATION_CHECKS, deps=("shopify_feed",))
def shopify_full_reset(
    context: dg.AssetExecutionContext,
    config: ReleaseConfig,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    state: dg.ResourceParam[State],
    outbox: dg.ResourceParam[Outbox],
    shopify: dg.ResourceParam[Shopify],
    publications: dg.ResourceParam[Publications],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The day's publication to Shopify: every item is compared with what Shopify shows, and only what differs is sent.

    What may be sold is read from the OMS anew when it publishes; ``shopify_feed`` is the record of the day and is never
    sent. Units that Shopify has sold and the OMS has not heard of stay sold. Afterwards all is read once more: see the
    check ``shopify_matches``.
    """
    slot = Slot.of(context)
    its = settings.store(slot.store)
    slot.refuse_future(its.zone)
    today = datetime.now(UTC).astimezone(its.zone).date()
    if its.shopify.mode == "on" and slot.day != today:
        raise PermanentError(
            f"{slot.day} is over at {slot.store}, and Shopify shows what may be sold now",
            f"Materialize {today}|{slot.store}: it reads everything anew; the past is never published",
        )
    publisher = _publisher(context, slot.store, settings, oms, state, outbox, shopify, publications)
    return _publish(publisher, publisher.full, config.release)


@asset(
    group="shopify",
    kinds={"shopify"},
    per="store",
    deps=("pos_sales", "shopify_full_reset"),
    checks=PUBLICATION_CHECKS,
)
def shopify_delta(
    context: dg.AssetExecutionContext,
    config: ReleaseConfig,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    state: dg.ResourceParam[State],
    outbox: dg.ResourceParam[Outbox],
    shopify: dg.ResourceParam[Shopify],
    publications: dg.ResourceParam[Publications],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Every 15 minutes: what changed since the last publication, found by comparing states, not by a time window.

    Stock, rules and facilities that joined or left the channel are covered alike, and Shopify's own sales are never
    sent back to it. Where nothing was published yet, or too long ago, everything is compared with Shopify instead.
    """
    store = str(context.partition_key)
    publisher = _publisher(context, store, settings, oms, state, outbox, shopify, publications)
    return _publish(publisher, publisher.delta, config.release)


def _publisher(
    context: dg.AssetExecutionContext,
    store: str,
    settings: Settings,
    oms: Oms,
    state: State,
    outbox: Outbox,
    shopify: Shopify,
    publications: Publications,
) -> Publisher:
    reader = DesiredReader(oms, state, outbox)
    return Publisher(store, settings.store(store), reader, shopify, publications, context.run.run_id)


def _publish(
    publisher: Publisher, publish: Callable[[Callable[[pl.DataFrame], None]], Published], release: str
) -> dg.MaterializeResult[pl.DataFrame]:
    """Publish as far as the store's setting goes, and tell what came of it."""
    mode = publisher.its.shopify.mode
    checks: list[dg.AssetCheckResult] = []

    def allowed(plan: pl.DataFrame) -> None:
        verdicts = [*_feed_guards(plan), *mass_change(plan, publisher.its)]
        # A dry run sends nothing, so it shows what would be held and goes on.
        checks[:] = [check_result(v) for v in verdicts] if mode == "dry_run" else require(verdicts, release=release)

    if mode == "off":
        feed = publisher.reader.read(publisher.store, publisher.its).feed
        unread = pl.DataFrame(schema=AVAILABLE_SCHEMA)
        no_orders = pl.DataFrame(schema=UNITS_SCHEMA)
        nothing = plan_full(feed, unread, no_orders, no_orders, NOBODY)
        allowed(nothing)
        unseen = [
            publication_guards.shopify_takes(0, not_stocked=0, compared=0, codes={}),
            publication_guards.shopify_matches(0, compared=0, units=0),
        ]
        return dg.MaterializeResult(
            value=nothing,
            check_results=[*checks, *map(check_result, unseen)],
            metadata={
                **described(nothing, first=("product_id", "role", "quantity", "facility_id")),
                "receipt": RECEIPTS["off"],
            },
        )
    published = publish(allowed)
    drifting = published.drifting
    units = int(drifting["drift"].abs().sum())
    compared = 0 if published.after is None else published.after.height
    matches = check_result(publication_guards.shopify_matches(drifting.height, compared=compared, units=units))
    if drifting.height:
        matches = matches._replace(metadata={**matches.metadata, "rows": _table(drifting)})
    return dg.MaterializeResult(
        value=published.plan,
        check_results=[*checks, check_result(_taken(published)), matches],
        metadata=_receipt(published, mode),
    )


def _taken(published: Published) -> guards.Verdict:
    plan, bad = published.plan, published.sent.bad_rows
    # A delta reads no counts: what is not stocked was told by the last full comparison.
    lost = plan.filter(pl.col("outcome") == "not_stocked", published.compared_all).join(bad, on=ITEM, how="anti")
    codes = dict(bad.group_by("code").len().iter_rows())
    return publication_guards.shopify_takes(bad.height, not_stocked=lost.height, compared=plan.height, codes=codes)


def mass_change(plan: pl.DataFrame, its: StoreSettings) -> list[guards.Verdict]:
    """The guards on how much of a shop one plan (``PLAN_SCHEMA``) would change."""
    stocked = plan.filter(pl.col("outcome") != "not_stocked")
    changed = stocked.filter(pl.col("outcome").is_in(["up", "down"]))
    # A delta does not read counts; its target is what may be sold.
    zeroed = changed.filter((pl.col("outcome") == "down") & (pl.coalesce("target", "quantity") == 0))
    return publication_guards.publication_changes(
        changed.height,
        zeroed=zeroed.height,
        compared=stocked.height,
        max_changed_share=its.shopify.max_changed_share,
        max_zeroed_share=its.shopify.max_zeroed_share,
    )


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


def _receipt(published: Published, mode: str) -> dict[str, Any]:
    plan, bad = published.plan, published.sent.bad_rows
    counts = dict(plan.group_by("outcome").len().iter_rows())
    changed = plan.filter(pl.col("outcome").is_in(["up", "down"])).sort(pl.col("difference").abs(), descending=True)
    up = int(changed.filter(pl.col("difference") > 0)["difference"].sum())
    down = int(-changed.filter(pl.col("difference") < 0)["difference"].sum())
    # A delta reads no counts: it knows what should be shown, and by how much that changed.
    numbers = ("shopify_available", "target") if published.compared_all else ("quantity",)
    sent = {"units sent up": published.sent.units_up, "units sent down": published.sent.units_down}
    return {
        **described(changed, first=("product_id", "role", *numbers, "difference", "facility_id")),
        "dagster/row_count": plan.height,
        "receipt": _said(published, mode, differing=changed.height),
        "compared": "everything with Shopify" if published.compared_all else "with what was published before",
        **{outcome.replace("_", " "): counts.get(outcome, 0) for outcome in OUTCOMES},
        "units up": up,
        "units down": down,
        # Only where they tell something else: what was bought meanwhile, or refused.
        **(sent if mode == "on" and (published.sent.units_up, published.sent.units_down) != (up, down) else {}),
        "items sent": published.sent.rows,
        "items refused by Shopify": bad.height,
        **({"refused": _table(bad)} if bad.height else {}),
        **counted("refused", dict(bad.group_by("code").len().sort("code").iter_rows())),
        "products without an inventory item at Shopify": published.desired.unmapped,
        "items bought while they were read": published.moving.height,
        "operations of a run that died, sent again": published.sent.resumed,
        "calls": published.calls,
        "seconds waited for Shopify's limit": round(published.waited_seconds, 3),
    }


def _said(published: Published, mode: str, *, differing: int) -> str:
    if not differing and not published.sent.rows:
        return NOTHING_DIFFERED[mode]
    return RECEIPTS[mode] if published.sent.rows or mode != "on" else NONE_TAKEN


def _table(rows: pl.DataFrame) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(as_markdown(rows.head(50)))
