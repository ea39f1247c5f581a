"""What Retail Pro was not told of, and what was taken back out for it.

Belongs here: unreported shipments and the variance. Does not: the reset (``explain/delivery_steps``).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from rpsync_assets.explain.delivery_steps import holds, newest
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject
from rpsync_assets.explain.trace import Step, counted, rows_as_facts, signed, some

DONE = {"applied": "applied it", "clamped": "clamped it", "void": "left it undone (void)", "failed": "REFUSED it"}


def shipments_step(sources: Sources, subject: Subject, counted_at: datetime | None) -> Step:
    """Orders that Retail Pro had not been told of when it counted the key."""
    title = "Shipped, and not yet told to Retail Pro"
    if subject.facility_id is None or subject.product_id is None or counted_at is None:
        return Step(title, ("Cannot be told: it takes a facility, a product and the moment of a count.",))
    if (asked := subject.of(sources.table("unreported_shipments"))) is None:
        return Step(title, tuple(sources.stopped("unreported_shipments") or ["Not asked yet: unreported_shipments."]))
    rows = asked.filter(pl.col("snapshot_at") == counted_at)
    older = subject.of(sources.table("unreported_shipments_of_owed_keys"))
    if rows.is_empty() and older is not None:
        rows = older.filter(pl.col("snapshot_at") == counted_at)
    if rows.is_empty():
        if not _was_asked(sources, subject, counted_at):
            told = f"Not asked yet as of {sources.at(counted_at)}: unreported_shipments and variance_file do."
            return Step(title, (told,))
        return Step(title, ("Nothing: Retail Pro knew of every shipment of it when it counted.",), {"units": 0})
    lines = [
        f"Order {row['order_name'] or row['order_id']} (line {row['order_item_seq_id']}, {row['order_status']}):"
        f" {counted(row['quantity'], 'piece')}, shipped at {sources.at(row['issued_at'])}."
        for row in rows.iter_rows(named=True)
    ]
    lines = some(lines) + _why_unreported(sources, rows)
    units = int(rows["quantity"].sum())
    total = f"Together {counted(units, 'piece')} that Retail Pro still counted."
    return Step(title, (*lines, total), {"units": units, "rows": rows.to_dicts()}, ("unreported",))


def _why_unreported(sources: Sources, rows: pl.DataFrame) -> list[str]:
    """Why shipments of orders count as not told whose status, which is that of now, says otherwise."""
    told, statuses = sources.its.told, set(rows["order_status"].to_list())
    lag = f" and {told.invoice_lag.total_seconds() / 60:.0f} minutes have passed" if told.invoice_lag else ""
    booked = "the order is entirely completed" if told.by == "order_completed" else "the line was sent to it"
    why: list[str] = []
    if "ORDER_COMPLETED" in statuses:
        why.append(f"ORDER_COMPLETED came later: Retail Pro hears of it when {booked}{lag}; by its count that was not.")
    if "ORDER_CANCELLED" in statuses:
        why.append("ORDER_CANCELLED is the order; what of it was shipped has left the shelf, and Retail Pro counts it.")
    return why


def _was_asked(sources: Sources, subject: Subject, counted_at: datetime) -> bool:
    """Whether a moment is one that shipments were asked as of: the tables hold only what was found."""
    made_at, raw = sources.made_at("unreported_shipments"), sources.raw
    if made_at is None:
        return False
    day = [raw["snapshot_at"]] if raw is not None and raw["landed_at"] <= made_at else []
    sent = [one.snapshot_at for one in sources.deliveries("reset") if one.taken_at <= made_at]
    if counted_at in [*day, *sent]:
        return True
    # An owed key's own moment is asked when its variance is made.
    stands = newest(sources, subject)
    return stands is not None and stands["snapshot_at"] == counted_at and stands["settled_at"] is not None


def variance_step(sources: Sources, subject: Subject, upcas: Sequence[str], received: Step, shipped: Step) -> Step:
    """What was taken back out."""
    title = "The variance"
    asked, done = sources.table("variance_file"), sources.table("variance_import")
    sent, got = subject.of(asked), subject.of(done)
    delivered = [one for one in sources.deliveries("variance") if holds(sources, subject, upcas, one)]
    due = _due(sources, subject)
    stopped = sources.stopped("variance_file") if due else []
    if not delivered and (got is None or got.is_empty()):
        why = _none_yet(received, shipped, due=due, made=asked is not None)
        return Step(title, (*why, *stopped), {"due": due}, ("variance_due",) if due else ())
    lines = [_asked(row) for row in ([] if sent is None else sent.to_dicts())]
    lines += [
        f"{one.file_name}, delivered at {sources.at(one.delivered_at)} by run {one.run_id}."
        if one.delivered_at is not None
        else f"{one.file_name} was taken for delivery by run {one.run_id}; whether it went out was not written down."
        for one in delivered
    ]
    rows = [] if got is None else got.to_dicts()
    lines += [_done(sources, row) for row in rows]
    states = [state for row in rows for state in _states(row)]
    if len(rows) < len(delivered):
        states.append("variance_on_its_way")
        lines.append("The OMS has not said what became of it: variance_import.")
        lines += sources.stopped("variance_import")
    if due:
        states.append("variance_due")
        lines += ["It is due once more: variance_file sends it.", *stopped]
    facts = {"asked": rows_as_facts(sent), "done": rows_as_facts(got), "due": due}
    return Step(title, tuple(lines), facts, tuple(states))


def _due(sources: Sources, subject: Subject) -> bool:
    """Whether an accepted count of the day has not had its variance, as far as we know."""
    stands = newest(sources, subject)
    return stands is not None and stands["business_date"] == sources.day and stands["settled_at"] is None


def _none_yet(received: Step, shipped: Step, *, due: bool, made: bool) -> list[str]:
    if due:
        return ["Not made yet: variance_file of the day."]
    if "accepted" in received.states:
        if shipped.facts.get("units"):
            return ["None: what is unreported and what the import overwrote since the count cancel each other out."]
        return ["None: nothing of it is unreported."]
    if "receipt_is_waited_for" in received.states:
        return ["Not made yet: it belongs to what the OMS accepts of the reset."]
    if {"failed", "superseded"} & set(received.states):
        return ["None: its reset row was not accepted, so it brought nothing in."]
    return ["None: no reset of the day has this key." if made else "Not made yet: variance_file of the day."]


def _asked(row: dict[str, Any]) -> str:
    window = f", {signed(row['window_part'])} that the import overwrote" if row["window_part"] else ""
    orders = f"{signed(row['orders_part'])} for {row['orders']} unreported order(s)"
    return f"Asked for: {signed(row['available_delta'])} ({orders}{window})."


def _done(sources: Sources, row: dict[str, Any]) -> str:
    before = "" if row["quantity_on_hand_before"] is None else f" from {row['quantity_on_hand_before']}"
    asked = "" if row["applied"] == row["requested"] else f" instead of {signed(row['requested'])}"
    reason = f": {row['reason']}" if row["reason"] else ""
    return (
        f"The OMS {DONE.get(row['status'], row['status'])} at {sources.at(row['imported_at'])}:"
        f" {signed(row['applied'])}{asked}{before} (import log {row['log_id']}){reason}."
    )


def _states(row: dict[str, Any]) -> list[str]:
    if row["status"] in {"applied", "clamped"}:
        return ["varied"] if row["status"] == "applied" else ["varied", "clamped"]
    return [f"variance_{row['status']}"]
