"""What went out to the OMS, and what it says that it made of it.

Belongs here: the delivered reset and its receipt. Does not: the variance (``explain/variance_steps``), what lies on the
shelf now (``explain/stock_steps``).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from rpsync_assets.core.sent import line_start
from rpsync_assets.explain.file_steps import filtered_file
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject
from rpsync_assets.explain.trace import Step, signed
from rpsync_assets.resources.state import Delivery

ACCEPTED = ("applied", "unchanged")


def delivery_step(sources: Sources, subject: Subject, upcas: Sequence[str], *, kept: bool) -> Step:
    """Whether the row went out, and in which file."""
    title = "Delivered to the OMS"
    taken = [one for one in sources.deliveries("reset") if holds(sources, subject, upcas, one)]
    holding = [one for one in taken if one.delivered_at is not None]
    lines = [
        f"{one.file_name} (generation {one.generation}, part {one.part} of {one.parts}), delivered at"
        f" {sources.at(one.delivered_at)} by run {one.run_id}."
        for one in holding
    ]
    states = ["delivered"] if holding else []
    lines += [
        f"{one.file_name} was taken for delivery at {sources.at(one.taken_at)} by run {one.run_id}, and whether it went"
        " out was not written down: filtered_reset_parts looks for it when it is materialized again."
        for one in taken
        if one.delivered_at is None
    ]
    stops = sources.stops("filtered_reset_parts") if kept else []
    for stop in stops:
        found, mend = stop["found"], stop["mend"]
        if stop["check_name"]:
            found = f"{found} (check {stop['check_name']}: observed {stop['observed']}, needed {stop['threshold']})"
        states.append("waiting" if stop["rerun_helps"] else "held")
        lines.append(f"{'Waits' if stop['rerun_helps'] else 'HELD'}: {found}. {mend}.")
    if kept and (released := _released(sources)):
        lines += released
        states.append("released")
    if not lines:
        told = "Not yet: filtered_reset_parts has not been materialized since."
        lines.append(told if kept else "Not this key: it is not among the day's kept rows.")
    states += ["not_delivered"] if kept and not holding else []
    facts: dict[str, object] = {"deliveries": [vars(one) for one in taken], "stops": stops}
    return Step(title, tuple(lines), facts, tuple(states))


def _released(sources: Sources) -> list[str]:
    """A person's word for the file that was filtered, once it was held."""
    released, of = sources.table("released_days"), filtered_file(sources)
    if released is None or of is None:
        return []
    return [
        f'A person released the held file at {sources.at(row["released_at"])}: "{row["released_because"]}" (run'
        f" {row['run_id']})."
        for row in released.filter(pl.col("sha256") == of["sha256"]).iter_rows(named=True)
    ]


def reset_step(sources: Sources, subject: Subject, delivered: Step) -> Step:
    """The OMS's receipt for the key."""
    title = "The OMS's receipt for the reset"
    rows = subject.of(sources.table("reset_import"))
    rows = pl.DataFrame() if rows is None else rows
    lines: list[str] = []
    for row in rows.iter_rows(named=True):
        lines.append(_reset_line(sources, row))
        if row["status"] == "superseded":
            lines += _newer(sources, subject, row["snapshot_at"])
    waiting = _without_receipt(sources, delivered, rows)
    lines += waiting
    if not lines:
        lines = _nothing_received(sources, subject)
    statuses: list[str] = rows["status"].to_list() if rows.height else []
    states = ["accepted"] if any(status in ACCEPTED for status in statuses) else []
    states += [status for status in statuses if status not in ACCEPTED]
    states += ["receipt_is_waited_for"] if waiting else []
    return Step(title, tuple(lines), {"rows": rows.to_dicts()}, tuple(states))


def _without_receipt(sources: Sources, delivered: Step, rows: pl.DataFrame) -> list[str]:
    """Delivered files with the key whose receipt has no row of it, and what the OMS says of them now."""
    known = set(rows["generation"].to_list()) if rows.height else set[int]()
    lines: list[str] = []
    deliveries: Any = delivered.facts["deliveries"]
    for one in deliveries:
        if one["delivered_at"] is None or one["generation"] in known:
            continue
        name = one["file_name"]
        logs = sources.ask(lambda oms, name=name: oms.import_logs(name))
        told = f"reset_import has no receipt for {name} yet"
        if logs:
            when = f" at {sources.at(logs[0].finished_at)}" if logs[0].finished_at else ""
            told += f"; the OMS's import log {logs[0].log_id} says {logs[0].status}{when}"
        elif logs is not None:
            told += "; the OMS's import log does not name it"
        lines.append(f"{told}.")
    return [*lines, *sources.stopped("reset_import")] if lines else []


def _nothing_received(sources: Sources, subject: Subject) -> list[str]:
    if sources.table("reset_import") is None:
        return sources.stopped("reset_import") or ["None yet: reset_import of the day."]
    stands = newest(sources, subject)
    told = ["The day's imports have no row of this key."]
    if stands is not None:
        told.append(
            f"The count of it that the OMS accepted last is {stands['quantity']}, counted at"
            f" {sources.at(stands['snapshot_at'])}, of {stands['business_date']} (import log {stands['log_id']})."
        )
    return told


def _reset_line(sources: Sources, row: dict[str, Any]) -> str:
    where = f"(generation {row['generation']}, import log {row['log_id']}, {sources.at(row['imported_at'])})"
    if row["status"] == "failed":
        return f"FAILED {where}: {row['reason']}. The OMS keeps its old number, and no variance is due."
    if row["status"] == "superseded":
        return f"Superseded {where}: {row['reason'] or 'a newer count was there'}. It changed nothing."
    before, change, moved = row["quantity_on_hand_before"], row["difference"], row["moved_since_snapshot"]
    counted = f"counted {row['quantity']}" + (f", {signed(moved)} moved since" if moved else "")
    if row["status"] == "unchanged":
        was = "" if before is None else f": QOH was {before}"
        return f"Unchanged, it agreed already {where}: {counted}{was}."
    if change is None:
        return f"Applied {where}: {counted}. By how much it changed QOH cannot be told: it takes the OMS's ledger."
    if before is None:
        return f"Applied {where}: {counted}, which changed QOH by {signed(change)}."
    return f"Applied {where}: {counted}: QOH {before} {signed(change)} = {before + change}."


def newest(sources: Sources, subject: Subject) -> dict[str, Any] | None:
    """The key's newest accepted row, of whatever day."""
    state, facility, product = sources.state, subject.facility_id, subject.product_id
    if state is None or facility is None or product is None:
        return None
    return sources.once(("newest", facility, product), lambda: state.accepted_row(sources.store, facility, product))


def _newer(sources: Sources, subject: Subject, than: datetime) -> list[str]:
    stands = newest(sources, subject)
    if stands is None or stands["snapshot_at"] < than:
        return []
    return [
        f"What counts is {stands['quantity']}, counted at {sources.at(stands['snapshot_at'])} (import log"
        f" {stands['log_id']})."
    ]


def holds(sources: Sources, subject: Subject, upcas: Sequence[str], delivery: Delivery) -> bool:
    """Whether the kept copy of a delivered file has a row of the key.

    Args:
        sources: store and day.
        subject: the key.
        upcas: how its UPCA was ever spelled.
        delivery: the file.
    """
    path = sources.outbox.path(delivery.business_date, delivery.product_store, delivery.file_name)
    if subject.facility_id is None or not upcas or not path.exists():
        return False
    content = b"\n" + path.read_bytes()
    return any(b"\n" + line_start(delivery.kind, subject.facility_id, upca) in content for upca in upcas)
