"""What was delivered to the OMS, what it made of it, and what moved since.

Belongs here: reset, unreported shipments, variance, ledger. Does not: what may be sold.
"""

from datetime import datetime
from typing import Any

import polars as pl

from rpsync_assets.core.ledger import POS_SALE, RESET, VARIANCE
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject
from rpsync_assets.explain.trace import Step, pieces, rows_as_facts, signed, some
from rpsync_assets.resources.state import Delivery

ACCEPTED = ("applied", "unchanged")


def delivery_step(sources: Sources, subject: Subject, *, kept: bool) -> Step:
    """Whether the row went out, and in which file."""
    title = "Delivered to the OMS"
    holding = [
        delivery
        for delivery in _deliveries(sources, "reset")
        if delivery.delivered_at is not None and _holds(sources, subject, delivery)
    ]
    lines = [
        f"{one.file_name} (generation {one.generation}, part {one.part} of {one.parts}), delivered at"
        f" {sources.at(one.delivered_at)} by run {one.run_id}."
        for one in holding
    ]
    states = ["delivered"] if holding else []
    stops = sources.stops("filtered_reset_parts") if kept else []
    for stop in stops:
        found, mend = stop["found"], stop["mend"]
        if stop["check_name"]:
            found = f"{found} (check {stop['check_name']}: observed {stop['observed']}, needed {stop['threshold']})"
        states.append("waiting" if stop["rerun_helps"] else "held")
        lines.append(f"{'Waits' if stop['rerun_helps'] else 'HELD'}: {found}. {mend}.")
    if not lines:
        told = "Not yet: filtered_reset_parts has not been materialized since."
        lines.append(told if kept else "Not this key: it is not among the day's kept rows.")
        states += ["not_delivered"] if kept else []
    facts: dict[str, object] = {"deliveries": [vars(one) for one in holding], "stops": stops}
    return Step(title, tuple(lines), facts, tuple(states))


def reset_step(sources: Sources, subject: Subject) -> Step:
    """The OMS's receipt for the key."""
    title = "The OMS's receipt for the reset"
    rows = _of_key(sources.table("reset_import"), subject)
    if rows is None:
        return Step(title, tuple(_stopped(sources, "reset_import") or ["None yet: reset_import of the day."]))
    if rows.is_empty():
        return Step(title, ("The day's imports have no row of this key.",))
    lines: list[str] = []
    for row in rows.iter_rows(named=True):
        lines.append(_reset_line(sources, row))
        if row["status"] == "superseded":
            lines += _newer(sources, subject, row["snapshot_at"])
    states = tuple(status for status in rows["status"].to_list() if status not in ACCEPTED)
    accepted = ("accepted",) if rows.filter(pl.col("status").is_in(ACCEPTED)).height else ()
    return Step(title, tuple(lines), {"rows": rows.to_dicts()}, (*accepted, *states))


def shipments_step(sources: Sources, subject: Subject, counted_at: datetime | None) -> Step:
    """Orders that Retail Pro had not been told of when it counted the key."""
    title = "Shipped, and not yet told to Retail Pro"
    rows = _of_key(sources.table("unreported_shipments"), subject)
    if rows is None:
        return Step(title, tuple(_stopped(sources, "unreported_shipments") or ["Not asked yet."]))
    older = _of_key(sources.table("unreported_shipments_of_owed_keys"), subject)
    rows = rows if older is None else pl.concat([rows, older]).unique(maintain_order=True)
    rows = rows.filter(pl.col("snapshot_at") == counted_at)
    if rows.is_empty():
        return Step(title, ("Nothing: Retail Pro knew of every shipment of it when it counted.",), {"units": 0})
    lines = [
        f"Order {row['order_name'] or row['order_id']} (line {row['order_item_seq_id']}, {row['order_status']}):"
        f" {pieces(row['quantity'])}, shipped at {sources.at(row['issued_at'])}."
        for row in rows.iter_rows(named=True)
    ]
    units = int(rows["quantity"].sum())
    total = f"Together {pieces(units)} that Retail Pro still counted."
    return Step(title, (*some(lines), total), {"units": units, "rows": rows.to_dicts()}, ("unreported",))


def variance_step(sources: Sources, subject: Subject, *, accepted: bool) -> Step:
    """What was taken back out."""
    title = "The variance"
    asked, done = sources.table("variance_file"), sources.table("variance_import")
    sent, got = _of_key(asked, subject), _of_key(done, subject)
    if sent is None:
        return Step(title, tuple(_stopped(sources, "variance_file") or ["Not made yet: variance_file of the day."]))
    if sent.is_empty() and (got is None or got.is_empty()):
        why = "nothing of it is unreported" if accepted else "its reset row was not accepted, so it brought nothing in"
        return Step(title, (f"None: {why}.",))
    lines: list[str] = []
    for row in sent.iter_rows(named=True):
        window = f", {signed(row['window_part'])} that the import overwrote" if row["window_part"] else ""
        lines.append(
            f"Asked for: {signed(row['available_delta'])} ({signed(row['orders_part'])} for {row['orders']} unreported"
            f" order(s){window})."
        )
    lines += [
        f"{one.file_name}, delivered at {sources.at(one.delivered_at)} by run {one.run_id}."
        for one in _deliveries(sources, "variance")
        if one.delivered_at is not None and _holds(sources, subject, one)
    ]
    states = ["varied"] if got is not None and got.height else ["variance_on_its_way"]
    for row in () if got is None else got.iter_rows(named=True):
        before = "" if row["quantity_on_hand_before"] is None else f" from {row['quantity_on_hand_before']}"
        reason = f": {row['reason']}" if row["reason"] else ""
        lines.append(
            f"The OMS {row['status']} it at {sources.at(row['imported_at'])}: {signed(row['applied'])}{before}"
            f" (import log {row['log_id']}){reason}."
        )
        states += [row["status"]] if row["status"] != "applied" else []
    if got is None:
        lines += _stopped(sources, "variance_import") or ["The OMS has not said what became of it."]
    return Step(title, tuple(lines), {"asked": sent.to_dicts(), "done": rows_as_facts(got)}, tuple(states))


def ledger_step(sources: Sources, subject: Subject, since: datetime | None) -> Step:
    """Everything that happened to the key at the OMS since the count."""
    title = "Sold and moved since the count"
    if sources.oms is None or subject.facility_id is None or subject.product_id is None or since is None:
        return Step(title, ("Cannot be told: it takes the OMS, a facility, a product and the moment of a count.",))
    count = sources.oms.count_of(subject.facility_id, subject.product_id)
    if count is None:
        return Step(title, ("The OMS has never had stock of it there.",), states=("no_stock_record",))
    now = f"Now the OMS has {count[0]} on hand (QOH) and {count[1]} to promise (ATP)."
    if sources.settings.oms.kind == "hotwax" and not sources.settings.oms.ledger:
        return Step(title, ("[oms] ledger is off, so movements cannot be told.", now), {"now": count})
    ledger = sources.oms.ledger_of(subject.facility_id, subject.product_id, since)
    moved = ledger.filter(pl.col("physical") & (pl.col("quantity_on_hand_change") != 0))
    lines = some([_movement(sources, row) for row in moved.iter_rows(named=True)])
    total = int(moved["quantity_on_hand_change"].sum())
    told = f"Together {signed(total)} since the count." if moved.height else "Nothing was sold, shipped or received."
    others = ledger.filter(~pl.col("physical"))
    booked = some([_movement(sources, row) for row in others.iter_rows(named=True)])
    states = ("sold_since",) if moved.filter(pl.col("reason") == POS_SALE).height else ()
    facts = {"moved_since_snapshot": total, "now": count, "ledger": ledger.to_dicts()}
    return Step(title, (*lines, told, *(["Booked beside that:", *booked] if booked else []), now), facts, states)


def balance_step(sources: Sources, subject: Subject, counted: int, unreported: int, moved: Step) -> Step:
    """Whether the two systems agree on the key: F - U0 + L = QOH (design.md section 5)."""
    title = "Does it add up?"
    newest, now, since = _newest(sources, subject), moved.facts.get("now"), moved.facts.get("moved_since_snapshot")
    if not isinstance(now, tuple) or not isinstance(since, int) or newest is None:
        return Step(title, ("Cannot be told.",))
    if newest["business_date"] != sources.day:
        told = f"A newer count took its place: that of {newest['business_date']}. Ask for that day."
        return Step(title, (told,), states=("replaced",))
    target, on_hand = counted - unreported + since, int(now[0])
    sum_ = f"Counted {counted}, less {unreported} unreported, {signed(since)} moved since = {target} should lie there."
    if target == on_hand:
        return Step(title, (sum_, f"The OMS has {on_hand}: the systems agree."), {"difference": 0}, ("agrees",))
    told = f"The OMS has {on_hand}: {signed(on_hand - target)} off."
    return Step(title, (sum_, told), {"difference": on_hand - target}, ("differs",))


_REASONS = {RESET: "a reset", VARIANCE: "a variance"}


def _movement(sources: Sources, row: dict[str, Any]) -> str:
    what = _REASONS.get(row["reason"], row["reason"] or ("received" if row["physical"] else "booked"))
    if row["reason"] == POS_SALE:
        what = "sold in store" if row["quantity_on_hand_change"] < 0 else "returned in store"
    elif row["order_id"]:
        what = f"order {row['order_id']}" + (" shipped" if row["physical"] else "")
    late = row["arrived_at"] is not None and (row["arrived_at"] - row["event_at"]).total_seconds() > 60
    heard = f", heard of at {sources.at(row['arrived_at'])}" if late else ""
    return (
        f"{sources.at(row['event_at'])}: {what}, QOH {signed(row['quantity_on_hand_change'])}, ATP"
        f" {signed(row['available_change'])}{heard}"
    )


def _reset_line(sources: Sources, row: dict[str, Any]) -> str:
    where = f"(generation {row['generation']}, import log {row['log_id']}, {sources.at(row['imported_at'])})"
    if row["status"] == "failed":
        return f"FAILED {where}: {row['reason']}. The OMS keeps its old number, and no variance is due."
    if row["status"] == "superseded":
        return f"Superseded {where}: {row['reason'] or 'a newer count was there'}. It changed nothing."
    before, change = row["quantity_on_hand_before"], row["difference"]
    moved = row["moved_since_snapshot"]
    counted = f"counted {row['quantity']}" + (f", {signed(moved)} moved since" if moved else "")
    after = "" if before is None else f": QOH {before} {signed(change)} = {before + change}"
    verb = "Unchanged, it agreed already" if row["status"] == "unchanged" else "Applied"
    return f"{verb} {where}: {counted}{after}."


def _newest(sources: Sources, subject: Subject) -> dict[str, Any] | None:
    state = sources.state
    if state is None or subject.facility_id is None or subject.product_id is None:
        return None
    return state.accepted_row(sources.store, subject.facility_id, subject.product_id)


def _newer(sources: Sources, subject: Subject, than: datetime) -> list[str]:
    newest = _newest(sources, subject)
    if newest is None or newest["snapshot_at"] < than:
        return []
    return [
        f"What counts is {newest['quantity']}, counted at {sources.at(newest['snapshot_at'])} (import log"
        f" {newest['log_id']})."
    ]


def _stopped(sources: Sources, asset: str) -> list[str]:
    return [f"{asset} was stopped: {stop['found']}. {stop['mend']}." for stop in sources.stops(asset)]


def _of_key(table: pl.DataFrame | None, subject: Subject) -> pl.DataFrame | None:
    if table is None:
        return None
    product = pl.col("product_id") == (subject.product_id or "")
    upca = pl.col("upca") == (subject.upca or "")
    return table.filter((pl.col("facility_id") == (subject.facility_id or "")) & (product | upca))


def _deliveries(sources: Sources, kind: Any) -> list[Delivery]:
    state = sources.state
    return [] if state is None else state.deliveries(sources.store, sources.day, kind)


def _holds(sources: Sources, subject: Subject, delivery: Delivery) -> bool:
    """Whether the kept copy of a delivered file has a row of the key."""
    path = sources.outbox.path(delivery.business_date, delivery.product_store, delivery.file_name)
    if not path.exists():
        return False
    content = path.read_bytes()
    place = f"{subject.facility_id},TLTLTLLL01,UPCA,{subject.upca}," if delivery.kind == "reset" else ""
    return (place or f"{subject.facility_id},UPCA,{subject.upca},").encode() in content
