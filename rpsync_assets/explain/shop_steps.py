"""What may be sold of the product, and what Shopify shows.

Belongs here: each ATP step with its number, the feed, publications, receipts. Does not: stock.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from rpsync_assets.core.atp import NOTES
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.core.publication import OUTCOMES
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject
from rpsync_assets.explain.trace import Step, counted, rows_as_facts, signed, some

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
        return Step(title, tuple(sources.stopped("online_atp") or ["Not computed for this day yet: online_atp."]))
    if subject.product_id is None:
        return Step(title, ("Cannot be told without a product.",))
    rows = table.filter(pl.col("product_id") == subject.product_id)
    channel = rows.filter(pl.col("scope") == "channel")
    if channel.is_empty():
        return Step(
            title, ("The OMS has no stock record of it among what this store publishes: Shopify is left alone.",)
        )
    shelves = rows.filter(pl.col("scope") == "facility").sort("counted_in_channel", descending=True)
    here = shelves.filter(pl.col("facility_id") == (subject.facility_id or ""))
    others = shelves.filter(pl.col("facility_id") != (subject.facility_id or ""))
    lines = [f"As of {sources.at(sources.made_at('online_atp'))}, when online_atp was made:"]
    lines += [f"{_shelf(row)}{_pickup(row)}" for row in here.iter_rows(named=True)]
    lines += some([_shelf(row) for row in others.iter_rows(named=True)], 16)
    whole = channel.row(0, named=True)
    lines.append(_online(whole))
    if whole["note"]:
        lines.append(f"Zero by a rule ({whole['note']}): {NOTES.get(whole['note'], whole['note'])}.")
    return Step(
        title, tuple(lines), {"channel": whole, "facilities": shelves.to_dicts()}, (f"sellable_{whole['sellable']}",)
    )


def _online(whole: dict[str, Any]) -> str:
    rest = whole["counted_in_channel"] - whole["threshold"] - whole["queue_demand"]
    below = " (never below zero)" if rest < 0 and not whole["note"] else ""
    preorders = f"; pre-orders {whole['preorder_demand']}" if whole["preorder_demand"] else ""
    result = f"{rest}: none" if whole["note"] and rest else f"{whole['sellable']}{below}"
    return (
        f"Online: {whole['counted_in_channel']} from {counted(whole['facilities_counted'], 'facility', 'facilities')},"
        f" less threshold {whole['threshold']}, less orders waiting in the queue {whole['queue_demand']} ="
        f" {result} may be sold{preorders}."
    )


def _shelf(row: dict[str, Any]) -> str:
    why = ""
    if not row["in_channel"]:
        why = ": not in the channel"
    elif not row["brokering_allowed"]:
        why = ": brokering is not allowed there"
    reserved = row["quantity_on_hand"] - row["available_to_promise"]
    promised = f" ({reserved} reserved for orders)" if reserved > 0 else ""
    return (
        f"{row['facility_id']}: QOH {row['quantity_on_hand']}, ATP {row['available_to_promise']}{promised}, safety"
        f" stock {row['minimum_stock']} leaves {row['after_safety_stock']}, counts {row['counted_in_channel']}{why}"
    )


def _pickup(row: dict[str, Any]) -> str:
    return f"; for pick-up {row['sellable']}" if row["pickup_allowed"] else "; pick-up is not allowed there"


def shopify_step(sources: Sources, subject: Subject) -> Step:
    """Before and after, at the online location and at the facility's own."""
    title = "Shopify before and after"
    feed, plan = sources.table("shopify_feed"), sources.table("shopify_full_reset")
    stopped = sources.stopped("shopify_full_reset")
    if feed is None and plan is None:
        return Step(title, ("Not published for this day yet.", *stopped))
    if subject.product_id is None:
        return Step(title, ("Cannot be told without a product.",))
    places = [ONLINE_FACILITY, subject.facility_id or ""]
    here = (pl.col("product_id") == subject.product_id) & pl.col("facility_id").fill_null(ONLINE_FACILITY).is_in(places)
    of_feed, of_plan, of_delta = (
        None if table is None else table.filter(here)
        for table in (feed, plan, sources.table("shopify_delta", dated=False))
    )
    if (of_feed is None or of_feed.is_empty()) and (of_plan is None or of_plan.is_empty()):
        told = "It has no inventory item or location at Shopify: nothing is sent."
        return Step(title, (told, *stopped), states=("not_mapped",))
    lines = [
        f"Feed of the day: {_item(row)} should show {row['quantity']}."
        for row in (() if of_feed is None else of_feed.iter_rows(named=True))
    ]
    operations = _operations(sources, of_feed if of_plan is None else of_plan)
    if plan is None:
        lines.append("Not published for this day yet: shopify_full_reset.")
    elif nothing_read(sources, plan):
        lines.append("Nothing was read from Shopify and nothing was sent: publishing is off for this store.")
    else:
        run = sources.run_id("shopify_full_reset")
        lines += [
            _published(row, [one for one in operations if one["run_id"] == run and _is_of(one, row)])
            for row in (() if of_plan is None else of_plan.iter_rows(named=True))
        ]
    lines += stopped
    today = [one for one in operations if _day(sources, one) == sources.day]
    lines += some([_operation(sources, one) for one in today], 20)
    if later := len([one for one in operations if _day(sources, one) > sources.day]):
        lines.append(f"On later days it was sent {counted(later, 'more time')}.")
    lines += [] if of_delta is None else _delta(sources, of_delta)
    facts = {
        "feed": rows_as_facts(of_feed),
        "full_reset": rows_as_facts(of_plan),
        "delta": rows_as_facts(of_delta),
        "operations": operations,
    }
    held = of_plan is not None and "held" in of_plan["outcome"].to_list()
    applied = any(one["outcome"] == "applied" for one in today)
    states = (*(["published"] if applied else []), *(["increase_held"] if held else []))
    return Step(title, tuple(lines), facts, states)


def nothing_read(sources: Sources, plan: pl.DataFrame) -> bool:
    """Whether a full reset did not look at Shopify, as the store does not publish: no count of it is there."""
    return sources.its.shopify.mode == "off" and plan["shopify_available"].null_count() == plan.height


def _item(row: dict[str, Any]) -> str:
    return f"item {row['shopify_inventory_item_id']} at location {row['shopify_location_id']} ({row['role']})"


def _is_of(operation: dict[str, Any], row: dict[str, Any]) -> bool:
    its = row["shopify_inventory_item_id"], row["shopify_location_id"]
    return (operation["item"], operation["location"]) == its


def _published(row: dict[str, Any], operations: Sequence[dict[str, Any]]) -> str:
    """What the full reset decided of a row, and what became of it; ``operations`` are that run's, of the row."""
    shown = "an unknown number" if row["shopify_available"] is None else row["shopify_available"]
    under_way = f", less {row['under_way']} under way" if row["under_way"] else ""
    if row["outcome"] in {"up", "down"}:
        what = f"{row['outcome']} by {abs(row['difference'])}, {_how(operations)}"
    else:
        gap = f" ({signed(row['difference'])})" if row["outcome"] == "held" else ""
        what = f"{row['outcome']}{gap}: {OUTCOMES.get(row['outcome'], '')}"
    return (
        f"Full reset: {_item(row)} showed {shown}, should show {row['target']} ({row['quantity']} may be"
        f" sold{under_way}); {what}."
    )


def _how(operations: Sequence[dict[str, Any]]) -> str:
    if any(one["outcome"] == "applied" for one in operations):
        return "sent"
    if not operations:
        return "NOT sent: a dry run, or the call was not reached"
    last = operations[-1]
    said = "; ".join(last["errors"])
    return f"NOT applied: {last['outcome'] or 'sent, and no answer was written down'}{f' ({said})' if said else ''}"


def _delta(sources: Sources, rows: pl.DataFrame) -> list[str]:
    """The newest delta of the store: it has no date, and is of whatever day it was made."""
    made_at = sources.made_at("shopify_delta", dated=False)
    lines: list[str] = []
    for row in rows.iter_rows(named=True):
        gap = abs(row["difference"] or 0)
        what = {
            "up": f"up by {gap}, to {row['quantity']}",
            "down": f"down by {gap}, to {row['quantity']}",
            "held": f"held: {gap} waits for the variance",
            "unchanged": f"unchanged at {row['quantity']}",
        }.get(row["outcome"], f"{row['outcome']}: {OUTCOMES.get(row['outcome'], '')}")
        lines.append(f"The newest delta, of {sources.at(made_at)}, decided: {_item(row)}, {what}.")
    return lines


def _operations(sources: Sources, rows: pl.DataFrame | None) -> list[dict[str, Any]]:
    """What was sent for these rows on the day and after it; UTC's day begins earlier or later than the store's."""
    publications = sources.publications
    if publications is None or rows is None:
        return []
    return [
        operation
        for item in rows["shopify_inventory_item_id"].unique().sort()
        for operation in publications.operations_of(sources.store, item, sources.day)
        if operation["location"] in rows["shopify_location_id"].to_list() and _day(sources, operation) >= sources.day
    ]


def _day(sources: Sources, operation: dict[str, Any]) -> date:
    """The store's own date when an operation was written down."""
    written: datetime = operation["written_at"]
    return written.astimezone(sources.its.zone).date()


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
