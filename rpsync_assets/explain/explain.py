"""Putting the steps together.

Belongs here: their order, and what each hands to the next. Does not: any of them.
"""

from datetime import datetime
from typing import Any

from rpsync_assets.explain.file_steps import file_step, filter_step
from rpsync_assets.explain.oms_steps import (
    ACCEPTED,
    balance_step,
    delivery_step,
    ledger_step,
    reset_step,
    shipments_step,
    variance_step,
)
from rpsync_assets.explain.shop_steps import atp_step, receipts_step, shopify_step
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import find
from rpsync_assets.explain.trace import Step, Trace


def explain(sources: Sources, facility: str, upc: str) -> Trace:
    """The whole way of one key on one day.

    Args:
        sources: store and day.
        facility: the OMS's facility id, or Retail Pro's store code.
        upc: as anybody writes it; zeros before it mean nothing.
    """
    subject, key = find(sources, facility, upc)
    steps = [key, file_step(sources)]
    filtered = filter_step(sources, subject)
    steps.append(filtered)
    kept = "kept" in filtered.states
    delivered = delivery_step(sources, subject, kept=kept)
    steps.append(delivered)
    received = reset_step(sources, subject)
    counted_at = _counted_at(sources, filtered, received)
    shipped = shipments_step(sources, subject, counted_at)
    steps += [received, shipped]
    steps.append(variance_step(sources, subject, accepted="accepted" in received.states))
    moved = ledger_step(sources, subject, counted_at)
    steps.append(moved)
    if "accepted" in received.states:
        counted = _accepted(received)
        units: Any = shipped.facts.get("units", 0)
        steps.append(balance_step(sources, subject, counted[-1]["quantity"], units, moved))
    steps += [atp_step(sources, subject), shopify_step(sources, subject), receipts_step(sources)]
    return Trace(sources.store, sources.day, facility, upc, tuple(steps))


def _accepted(received: Step) -> list[dict[str, Any]]:
    rows: Any = received.facts.get("rows", [])
    return [row for row in rows if row["status"] in ACCEPTED]


def _counted_at(sources: Sources, filtered: Step, received: Step) -> datetime | None:
    """T0 of the key: of the count that the OMS accepted last, else of its own row, else of the day's file."""
    if accepted := _accepted(received):
        return accepted[-1]["snapshot_at"]
    kept: Any = filtered.facts.get("kept")
    if kept:
        return kept[0]["snapshot_at"]
    return None if sources.raw is None else sources.raw["snapshot_at"]
