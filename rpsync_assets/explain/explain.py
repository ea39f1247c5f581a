"""Putting the steps together.

Belongs here: their order, and what each hands to the next. Does not: any of them.
"""

from datetime import datetime
from typing import Any

from rpsync_assets.explain.change_step import change_step
from rpsync_assets.explain.delivery_steps import ACCEPTED, delivery_step, newest, reset_step
from rpsync_assets.explain.file_steps import file_step, filter_step
from rpsync_assets.explain.shop_steps import atp_step, receipts_step, shopify_step
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.stock_steps import balance_step, ledger_step, no_balance_step
from rpsync_assets.explain.subject import Subject, find
from rpsync_assets.explain.trace import Step, Trace
from rpsync_assets.explain.variance_steps import shipments_step, variance_step


def explain(sources: Sources, facility: str, upc: str) -> Trace:
    """The whole way of one key on one day.

    Args:
        sources: store and day.
        facility: the OMS's facility id, or Retail Pro's store code.
        upc: as anybody writes it, zeros before it mean nothing; or the product's SKU.
    """
    subject, key = find(sources, facility, upc)
    filtered = filter_step(sources, subject)
    upcas = _spellings(sources, subject)
    delivered = delivery_step(sources, subject, upcas, kept="kept" in filtered.states)
    received = reset_step(sources, subject, delivered)
    counted_at = _counted_at(sources, subject, filtered, received)
    shipped = shipments_step(sources, subject, counted_at)
    varied = variance_step(sources, subject, upcas, received, shipped)
    moved = ledger_step(sources, subject, counted_at)
    steps = [key, file_step(sources), filtered, delivered, received, shipped, varied, moved]
    if accepted := _accepted(received):
        steps.append(balance_step(sources, subject, accepted[-1]["quantity"], shipped, varied, moved))
    else:
        steps.append(no_balance_step(sources, subject))
    steps += [atp_step(sources, subject), shopify_step(sources, subject)]
    steps += [change_step(sources, subject), receipts_step(sources)]
    return Trace(sources.store, sources.day, facility, upc, tuple(steps))


def _accepted(received: Step) -> list[dict[str, Any]]:
    rows: Any = received.facts.get("rows", [])
    return sorted((row for row in rows if row["status"] in ACCEPTED), key=lambda row: row["snapshot_at"])


def _counted_at(sources: Sources, subject: Subject, filtered: Step, received: Step) -> datetime | None:
    """T0 of the key: of the count that the OMS accepted last, else of its own row, else of the day's file."""
    if accepted := _accepted(received):
        return accepted[-1]["snapshot_at"]
    kept: Any = filtered.facts.get("kept")
    if kept:
        return kept[0]["snapshot_at"]
    stands = newest(sources, subject)
    if stands is not None and stands["business_date"] <= sources.day:
        return stands["snapshot_at"]
    return None if sources.raw is None else sources.raw["snapshot_at"]


def _spellings(sources: Sources, subject: Subject) -> list[str]:
    """How the product's UPCA was ever spelled in what was delivered: the OMS's own text of it may have changed."""
    found = {subject.product.upca} if subject.product.upca else set[str]()
    for name in ("filtered_reset", "reset_import", "variance_file", "variance_import"):
        rows = subject.of(sources.table(name))
        found |= set[str]() if rows is None else set(rows["upca"].drop_nulls().to_list())
    return sorted(found)
