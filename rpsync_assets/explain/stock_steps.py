"""What the OMS has on the shelf, what moved since the count, and whether that adds up.

Belongs here: ledger and balance of one key. Does not: what may be sold (``explain/shop_steps``).
"""

from datetime import datetime
from typing import Any

import polars as pl

from rpsync_assets.core.ledger import POS_SALE, RESET, VARIANCE
from rpsync_assets.core.undo import REMARK
from rpsync_assets.explain.delivery_steps import newest
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject
from rpsync_assets.explain.trace import Step, signed, some

BALANCE = "Does it add up?"


def ledger_step(sources: Sources, subject: Subject, since: datetime | None) -> Step:
    """Everything that happened to the key at the OMS since the count."""
    title = "Sold and moved since the count"
    facility, product = subject.facility_id, subject.product_id
    if facility is None or product is None or since is None:
        return Step(title, ("Cannot be told: it takes a facility, a product and the moment of a count.",))
    count = sources.ask(lambda oms: oms.count_of(facility, product) or (None, None))
    if count is None:
        return Step(title, (f"Cannot be told: {sources.oms_trouble}",))
    if count[0] is None:
        return Step(title, ("The OMS has never had stock of it there.",), states=("no_stock_record",))
    now = f"Now the OMS has {count[0]} on hand (QOH) and {count[1]} to promise (ATP)."
    if sources.settings.oms.kind == "hotwax" and not sources.settings.oms.ledger:
        return Step(title, ("[oms] ledger is off, so movements cannot be told.", now), {"now": count})
    ledger = sources.ask(lambda oms: oms.ledger_of(facility, product, since))
    if ledger is None:
        return Step(title, (f"Movements cannot be told: {sources.oms_trouble}", now), {"now": count})
    moved = ledger.filter(pl.col("physical") & (pl.col("quantity_on_hand_change") != 0))
    lines = some([_movement(sources, row) for row in moved.iter_rows(named=True)])
    total = int(moved["quantity_on_hand_change"].sum())
    told = f"Together {signed(total)} since the count." if moved.height else "Nothing was sold, shipped or received."
    others = ledger.filter(~pl.col("physical"))
    booked = some([_movement(sources, row) for row in others.iter_rows(named=True)])
    sold = moved.filter((pl.col("reason") == POS_SALE) & (pl.col("quantity_on_hand_change") < 0)).height
    states = (*(["sold_since"] if sold else []), *(["moved_since"] if moved.height else []))
    facts = {"since": since, "moved_since_snapshot": total, "now": count, "ledger": ledger.to_dicts()}
    lines = [f"Since {sources.at(since)}:", *lines, told]
    return Step(title, (*lines, *(["Booked beside that:", *booked] if booked else []), now), facts, states)


def balance_step(sources: Sources, subject: Subject, counted: int, shipped: Step, varied: Step, moved: Step) -> Step:
    """Whether the two systems agree on the key: F - U0 + L = QOH (design.md section 5)."""
    title = BALANCE
    stands, now, since = newest(sources, subject), moved.facts.get("now"), moved.facts.get("moved_since_snapshot")
    if stands is not None and stands["business_date"] != sources.day:
        told = f"The count that stands is that of {stands['business_date']}. Ask for that day."
        return Step(title, (told,), states=("replaced",))
    unreported = shipped.facts.get("units")
    if not isinstance(now, tuple) or not isinstance(since, int) or not isinstance(unreported, int):
        why = (
            "it takes what was unreported when it was counted"
            if isinstance(since, int)
            else "it takes the OMS's ledger"
        )
        return Step(title, (f"Cannot be told: {why}.",))
    target, on_hand = counted - unreported + since, int(now[0])
    sum_ = f"Counted {counted}, less {unreported} unreported, {signed(since)} moved since = {target} should lie there."
    if target == on_hand:
        return Step(title, (sum_, f"The OMS has {on_hand}: the systems agree."), {"difference": 0}, ("agrees",))
    told = f"The OMS has {on_hand}: {signed(on_hand - target)} off."
    why = _why_off(varied, moved)
    return Step(title, (sum_, told, *why), {"difference": on_hand - target}, ("differs",))


def no_balance_step(sources: Sources, subject: Subject) -> Step:
    """What can be said of a key of which the day brought the OMS no count."""
    told = "Not to be told by this day: no count of the key was accepted, so the OMS keeps its own number."
    stands = newest(sources, subject)
    if stands is None:
        return Step(BALANCE, (told, "No count of it was ever accepted."))
    at = sources.at(stands["snapshot_at"])
    return Step(BALANCE, (told, f"The count that stands is {stands['quantity']}, of {stands['business_date']} ({at})."))


def _why_off(varied: Step, moved: Step) -> list[str]:
    """What is known to make a difference."""
    why: list[str] = []
    if {"variance_due", "variance_on_its_way"} & set(varied.states):
        why.append("Its variance is not in the OMS yet.")
    done: Any = varied.facts.get("done", [])
    left = sum(row["requested"] - row["applied"] for row in done if row["status"] == "clamped")
    if left:
        why.append(f"{signed(-left)} is what the variance could not take: there was less than that.")
    ledger: Any = moved.facts.get("ledger", [])
    kinds = {
        "an undo": [row for row in ledger if _is_undo(row)],
        "corrections by hand": [
            row
            for row in ledger
            if not row["physical"] and row["reason"] not in {RESET, VARIANCE} and not _is_undo(row)
        ],
    }
    for kind, rows in kinds.items():
        if units := sum(row["quantity_on_hand_change"] for row in rows):
            why.append(f"{signed(units)} since the count by {kind}.")
    return why


_REASONS = {RESET: "a reset", VARIANCE: "a variance"}
_DOCUMENTS = {"issuance": "shipped", "receipt": "goods received", "return": "returned by a customer"}


def _movement(sources: Sources, row: dict[str, Any]) -> str:
    late = row["arrived_at"] is not None and (row["arrived_at"] - row["event_at"]).total_seconds() > 60
    heard = f", heard of at {sources.at(row['arrived_at'])}" if late else ""
    return (
        f"{sources.at(row['event_at'])}: {_what(row)}, QOH {signed(row['quantity_on_hand_change'])}, ATP"
        f" {signed(row['available_change'])}{heard}"
    )


def _what(row: dict[str, Any]) -> str:
    if row["reason"] == POS_SALE:
        return "sold in store" if row["quantity_on_hand_change"] < 0 else "returned in store"
    if _is_undo(row):
        return "an undo"
    if row["reason"] in _REASONS:
        return _REASONS[row["reason"]]
    what = _DOCUMENTS.get(row["document"] or "", row["reason"] or ("" if row["order_id"] else "booked"))
    if row["document"] == "issuance" and row["quantity_on_hand_change"] > 0:
        what = "shipment taken back"
    order = row["order_name"] or row["order_id"]
    return f"order {order} {what}".rstrip() if order else what


def _is_undo(row: dict[str, Any]) -> bool:
    return (row["remark"] or "").startswith(REMARK)
