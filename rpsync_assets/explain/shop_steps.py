"""What may be sold of the product, and what Shopify shows.

Belongs here: each ATP step with its number, the feed, publications, receipts. Does not: stock.
"""

from typing import Any

import polars as pl

from rpsync_assets.core.atp import NOTES
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.core.publication import OUTCOMES
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject
from rpsync_assets.explain.trace import Step, rows_as_facts, signed, some

RECEIPTS = (
    "raw_reset_file",
    "active_products",
    "filtered_reset",
    "filtered_reset_parts",
    "reset_import",
    "unreported_shipments",
    "variance_file",
    "variance_import",
    "online_atp",
    "shopify_feed",
    "shopify_full_reset",
)


def atp_step(sources: Sources, subject: Subject) -> Step:
    """From each shelf's ATP to the number that may be sold, as of the day's online_atp."""
    title = "What may be sold, step by step"
    table = sources.table("online_atp")
    if table is None:
        return Step(title, ("Not computed for this day yet: online_atp.",))
    rows = table.filter(pl.col("product_id") == (subject.product_id or ""))
    channel = rows.filter(pl.col("scope") == "channel")
    if channel.is_empty():
        return Step(
            title, ("The OMS has no stock record of it among what this store publishes: Shopify is left alone.",)
        )
    shelves = rows.filter(pl.col("scope") == "facility").sort("counted_in_channel", descending=True)
    here = shelves.filter(pl.col("facility_id") == (subject.facility_id or ""))
    others = shelves.filter(pl.col("facility_id") != (subject.facility_id or ""))
    lines = [_shelf(row) for row in here.iter_rows(named=True)]
    lines += some([_shelf(row) for row in others.iter_rows(named=True)], 16)
    whole = channel.row(0, named=True)
    lines.append(
        f"Online: {whole['counted_in_channel']} from {whole['facilities_counted']} facilities, less threshold"
        f" {whole['threshold']}, less orders waiting in the queue {whole['queue_demand']}"
        + (f", pre-orders {whole['preorder_demand']}" if whole["preorder_demand"] else "")
        + f" = {whole['sellable']} may be sold."
    )
    if whole["note"]:
        lines.append(f"Zero by a rule ({whole['note']}): {NOTES.get(whole['note'], whole['note'])}.")
    return Step(
        title, tuple(lines), {"channel": whole, "facilities": shelves.to_dicts()}, (f"sellable_{whole['sellable']}",)
    )


def _shelf(row: dict[str, Any]) -> str:
    why = ""
    if not row["in_channel"]:
        why = ": not in the channel"
    elif not row["brokering_allowed"]:
        why = ": brokering is not allowed there"
    return (
        f"{row['facility_id']}: QOH {row['quantity_on_hand']}, ATP {row['available_to_promise']}, safety stock"
        f" {row['minimum_stock']} leaves {row['after_safety_stock']}, counts {row['counted_in_channel']}{why}"
    )


def shopify_step(sources: Sources, subject: Subject) -> Step:
    """Before and after, at the online location and at the facility's own."""
    title = "Shopify before and after"
    feed, plan = sources.table("shopify_feed"), sources.table("shopify_full_reset")
    mine = pl.col("product_id") == (subject.product_id or "")
    here = mine & pl.col("facility_id").fill_null(ONLINE_FACILITY).is_in([ONLINE_FACILITY, subject.facility_id or ""])
    of_feed = None if feed is None else feed.filter(here)
    of_plan = None if plan is None else plan.filter(here)
    delta = sources.table("shopify_delta", dated=False)
    of_delta = None if delta is None else delta.filter(here)
    if of_feed is None and of_plan is None:
        return Step(title, ("Not published for this day yet.",))
    if (of_feed is None or of_feed.is_empty()) and (of_plan is None or of_plan.is_empty()):
        return Step(
            title, ("It has no inventory item or location at Shopify: nothing is sent.",), states=("not_mapped",)
        )
    lines = [
        f"Feed of the day: {_item(row)} should show {row['quantity']}."
        for row in (() if of_feed is None else of_feed.iter_rows(named=True))
    ]
    operations = _operations(sources, of_feed if of_plan is None else of_plan)
    run = sources.run_id("shopify_full_reset")
    ours = {one["item"] + one["location"] for one in operations if one["run_id"] == run and one["outcome"] == "applied"}
    for row in () if of_plan is None else of_plan.iter_rows(named=True):
        was_sent = row["shopify_inventory_item_id"] + row["shopify_location_id"] in ours
        lines.append(_published(row, sent=was_sent))
    lines += some([_operation(sources, one) for one in operations], 20)
    if of_delta is not None:
        lines += [
            f"The newest delta: {_item(row)}, {row['outcome']} by {signed(row['difference'] or 0)}, to"
            f" {row['quantity']}."
            for row in of_delta.iter_rows(named=True)
        ]
    facts = {
        "feed": rows_as_facts(of_feed),
        "full_reset": rows_as_facts(of_plan),
        "delta": rows_as_facts(of_delta),
        "operations": operations,
    }
    return Step(title, tuple(lines), facts, ("published",) if operations else ())


def _item(row: dict[str, Any]) -> str:
    return f"item {row['shopify_inventory_item_id']} at location {row['shopify_location_id']} ({row['role']})"


def _published(row: dict[str, Any], *, sent: bool) -> str:
    shown = "not read" if row["shopify_available"] is None else row["shopify_available"]
    under_way = f", less {row['under_way']} under way" if row["under_way"] else ""
    if row["outcome"] in {"up", "down"}:
        how = "sent" if sent else "NOT sent (a dry run, or Shopify refused it)"
        what = f"{row['outcome']} by {signed(row['difference'])}, {how}"
    else:
        what = f"{row['outcome']}: {OUTCOMES.get(row['outcome'], '')}"
    return (
        f"Full reset: {_item(row)} showed {shown}, should show {row['target']} ({row['quantity']} may be"
        f" sold{under_way}); {what}."
    )


def _operations(sources: Sources, rows: pl.DataFrame | None) -> list[dict[str, Any]]:
    publications = sources.publications
    if publications is None or rows is None:
        return []
    return [
        operation
        for item in rows["shopify_inventory_item_id"].unique().sort()
        for operation in publications.operations_of(sources.store, item, sources.day)
        if operation["location"] in rows["shopify_location_id"].to_list()
    ]


def _operation(sources: Sources, one: dict[str, Any]) -> str:
    what = (
        f"set to {one['number']} (it was {one['change_from']})" if one["verb"] == "set" else f"{signed(one['number'])}"
    )
    return (
        f"Sent at {sources.at(one['settled_at'] or one['written_at'])}: {what} at location {one['location']},"
        f" {one['outcome'] or 'unsettled'} (operation {one['id']}, run {one['run_id']})."
    )


def receipts_step(sources: Sources) -> Step:
    """Which runs wrote what is told here."""
    runs = {name: run for name in RECEIPTS if (run := sources.run_id(name))}
    by_run: dict[str, list[str]] = {}
    for name, run in runs.items():
        by_run.setdefault(run, []).append(name)
    lines = [f"Run {run}: {', '.join(names)}." for run, names in by_run.items()]
    return Step("Runs", tuple(lines or ["No run of this day has noted itself."]), {"runs": runs})
