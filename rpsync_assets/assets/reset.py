"""The reset: filter the raw file to the active products, split it, deliver it.

Belongs here: filtered_reset and filtered_reset_parts. Does not: the judgement of a row (``core/reset``), the mechanics
of exactly-once (``assets/delivery``).
"""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl

from rpsync_assets.assets import reset_numbers
from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.delivery import Courier, Parcel, Shipment
from rpsync_assets.assets.held import ACCOUNTING, fit_to_deliver, in_parts, refuse_out_of_turn, row_verdicts
from rpsync_assets.assets.initial import require_initial
from rpsync_assets.assets.metadata import counted, described, recorded_snapshot
from rpsync_assets.assets.owed import (
    HELD,
    OWED,
    RELEASED,
    Lists,
    filter_landed,
    forget,
    held_of_day,
    note,
    owed_today,
)
from rpsync_assets.assets.rejected import keep_rejected
from rpsync_assets.assets.replay import DeliveryConfig, refuse_again
from rpsync_assets.assets.reset_numbers import number_verdicts
from rpsync_assets.assets.verdicts import check_result, require
from rpsync_assets.core import guards, reset_guards
from rpsync_assets.core.active import compile_active, with_newly_listed
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.names import content_digest, read_delivered_name, reset_part_name
from rpsync_assets.core.owed import WHY, with_owed
from rpsync_assets.core.reset import REASONS, Accounting, known_facilities
from rpsync_assets.partitions import Slot, today_in
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.sftp import Sftp, SftpSession
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings

_log = logging.getLogger(__name__)

PARTS_SCHEMA = {
    "part": pl.Int64,
    "parts": pl.Int64,
    "generation": pl.Int64,
    "file_name": pl.String,
    "remote_path": pl.String,
    "rows": pl.Int64,
    "bytes": pl.Int64,
    "digest": pl.String,
    "snapshot_at": pl.Datetime("us", "UTC"),
    "delivered_at": pl.Datetime("us", "UTC"),
}
FILTER_CHECKS = {
    "rows_accounted_for": "Every row of the raw file is kept, inactive, or rejected for a reason: to the row.",
    "filtered_row_count": "Rows are left to deliver; a day without any is held until a person releases it.",
    "filtered_upca_valid": "Every UPCA that is delivered can be matched.",
    "filtered_keys_unique": "Each facility and UPCA stands there once.",
    **reset_numbers.CHECKS,
}
"""Shown where the rows are made, and again where they are delivered: the delivering asset calls the guards itself."""


@asset(
    group="reset",
    kinds={"polars", "parquet"},
    checks=FILTER_CHECKS,
)
def filtered_reset(
    context: dg.AssetExecutionContext,
    raw_reset_file: pl.DataFrame,
    active_products: pl.DataFrame,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    state: dg.ResourceParam[State],
    tables: dg.ResourceParam[Tables],
    rejections: dg.ResourceParam[Outbox],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The rows to apply: counts of active products at the store's facilities, as of the file's snapshot.

    With them go the keys that are owed from earlier files, each as of its own snapshot: ``owed_keys`` tells why. Every
    other row is accounted for: inactive products are counted, rejected rows lie in ``rejected_reset_rows`` and in a CSV
    with line number, raw text and reason, and ``reset_row_accounting`` adds up to the row.
    """
    slot = Slot.of(context)
    raw = raw_reset_file.row(0, named=True)
    store = settings.store(slot.store)
    with oms.read() as reader:
        facilities, shared_codes = known_facilities(reader.facilities(slot.store))
        active = active_products
        if slot.day == today_in(store.zone):
            active = with_newly_listed(active, compile_active(reader.listed_products(slot.store)).active)
    outcome = filter_landed(raw, store, active, facilities, on_rows=_progress(raw["file_name"], raw["rows"]))
    accounting = outcome.accounting
    checks = require([guards.rows_accounted_for(accounting, lines=raw["rows"])])
    spreadsheet = keep_rejected(outcome.rejected, raw, store, slot, tables, rejections)
    owed, unreadable = owed_today(outcome.kept, raw, Lists(slot, store, active, facilities, tables, state, oms))
    tables.write(OWED, str(slot.key), owed)
    # Without a ledger nobody can bring back what moved since an old count: such keys are told, not delivered.
    filtered = with_owed(outcome.kept, owed if oms.ledger else owed.clear(), file_name=raw["file_name"])
    tables.write(
        ACCOUNTING, str(slot.key), accounting_table(accounting, lines=raw["rows"], owed=int(filtered["owed"].sum()))
    )
    verdicts = [
        *fit_to_deliver(filtered, accounting),
        *number_verdicts(
            raw,
            filtered,
            accounting,
            outcome.rejected,
            slot=slot,
            listed=active["product_id"],
            limits=store.guards.limits,
            oms=oms,
            state=state,
            tables=tables,
        ),
    ]
    return dg.MaterializeResult(
        value=filtered,
        check_results=[*checks, *map(check_result, verdicts)],
        metadata={
            **described(filtered, snapshot_at=raw["snapshot_at"]),
            "raw rows": accounting.read,
            "kept": accounting.kept,
            "inactive": accounting.inactive,
            "rejected": sum(accounting.rejected.values()),
            "kept share": round(accounting.kept / accounting.read, 6) if accounting.read else 0.0,
            **counted("rejected", {reason: accounting.rejected.get(reason, 0) for reason in REASONS}),
            "rejected rows": dg.MetadataValue.path(str(spreadsheet)),
            **counted("owed", {why: owed.filter(pl.col("why") == why).height for why in WHY}),
            **({} if oms.ledger or owed.is_empty() else {"owed keys": "not delivered: [oms] ledger is off"}),
            "older files that cannot be read": ", ".join(unreadable) or "none",
            "older files that are held": _held(owed),
            "decimal mark": outcome.decimal_mark or "not told by the file",
            "products listed since the list was made": active.height - active_products.height,
            "store codes of two facilities": ", ".join(shared_codes) or "none",
        },
    )


@asset(
    group="reset",
    kinds={"sftp", "csv"},
    checks={
        **FILTER_CHECKS,
        "raw_is_new": "The file is not an earlier day's once more.",
        "part_row_counts": "Parts hold every row once, are balanced, and never above 200,000 records.",
    },
)
def filtered_reset_parts(
    context: dg.AssetExecutionContext,
    filtered_reset: pl.DataFrame,
    config: DeliveryConfig,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    sftp: dg.ResourceParam[Sftp],
    state: dg.ResourceParam[State],
    outbox: dg.ResourceParam[Outbox],
    tables: dg.ResourceParam[Tables],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The delivered CSV part(s) for the OMS to reset its inventory, at most 200,000 records each, balanced.

    Delivered exactly once per content: the same rows again are the same generation and are not sent a second time. A
    day without rows is held until a person releases it.
    """
    slot = Slot.of(context)
    snapshot_at = recorded_snapshot(context, "filtered_reset")
    parts, contents = in_parts(filtered_reset)
    digest = content_digest(contents)
    generation = state.generation_of(slot.store, slot.day, digest)
    courier = Courier(sftp, state, outbox, oms, context)
    delivered = courier.went_out(slot, "reset")
    sent_before = any(delivery.generation == generation for delivery in delivered)
    raw = tables.read("raw_reset_file", slot).row(0, named=True)
    verdicts = [
        *row_verdicts(slot, filtered_reset, settings, oms, state, tables),
        guards.part_row_counts([part.height for part in parts], rows=filtered_reset.height),
    ]
    refused = [verdict for verdict in verdicts if not verdict.passed]
    if config.release:
        # Written before anything is sent: also where the day comes too late, its rows may go with a later one.
        its = [raw] if any(one.releasable for one in refused) else held_of_day(slot, tables)
        released = {"released_because": config.release, "released_at": datetime.now(UTC), "run_id": context.run.run_id}
        if its:
            note(RELEASED, its, slot, tables, **released)
    forget(HELD, raw, slot, tables)
    if refused and not (config.release or sent_before):
        note(HELD, [raw], slot, tables, held_at=datetime.now(UTC), found="; ".join(one.found for one in refused))
    # What went out once, be it one part of several, is not held back by a second click.
    checks = require(verdicts, release=config.release or ("it was delivered before" if sent_before else ""))
    parcels = [
        Parcel(
            name=reset_part_name(slot.store, slot.day, generation, number, len(parts)),
            content=content,
            rows=part.height,
        )
        for number, (part, content) in enumerate(zip(parts, contents, strict=True), start=1)
    ]
    shipment = Shipment(
        slot=slot,
        kind="reset",
        generation=generation,
        digest=digest,
        snapshot_at=snapshot_at,
        folder=sftp.reset_inventory,
        parcels=parcels,
    )
    told_of_initial: dict[str, str] = {}

    def before_sending(session: SftpSession) -> None:
        zone = settings.store(slot.store).zone
        if config.initial_load:
            history = state.deliveries_since(slot.store, date.min), state.accepted_since(slot.store, date.min).height
            listed = tables.read("active_products", slot)
            told_of_initial.update(
                require_initial(slot, raw, history, filtered=filtered_reset, active=listed, release=config.release)
            )
        refuse_again(slot, delivered, now=datetime.now(UTC), zone=zone, replay=config.replay)
        _refuse_overtaking(shipment, state, oms, sftp, session)

    sent = courier.deliver(shipment, before_sending=before_sending)
    table = pl.DataFrame(
        [{name: getattr(delivery, name) for name in PARTS_SCHEMA} for delivery in sent.deliveries], schema=PARTS_SCHEMA
    )
    return dg.MaterializeResult(
        value=table,
        check_results=checks,
        metadata={
            **described(table, snapshot_at=snapshot_at),
            "dagster/row_count": filtered_reset.height,
            "bytes": int(table["bytes"].sum()),
            "generation": generation,
            "parts": table.height,
            "outcome": sent.outcome,
            **({"released because": config.release} if config.release else {}),
            **({"replayed because": config.replay} if config.replay else {}),
            **told_of_initial,
        },
    )


def _held(owed: pl.DataFrame) -> str:
    """Whose rows wait, and how a person lets them go."""
    files = owed.filter(pl.col("why") == "day_held").select("file_name", "serves").unique().sort("serves", "file_name")
    named = ", ".join(f"{name} of {day}" for name, day in files.iter_rows())
    return f"{named}: {reset_guards.RELEASE_HELD}" if named else "none"


def accounting_table(accounting: Accounting, *, lines: int, owed: int) -> pl.DataFrame:
    """The accounting as a table: ``fate``, ``rows``; first the lines counted on arrival; owed rows are not of them."""
    fates = {"lines": lines, "owed": owed, "kept": accounting.kept, "inactive": accounting.inactive}
    rejected = {f"rejected: {reason}": accounting.rejected.get(reason, 0) for reason in REASONS}
    rows = [*fates.items(), *rejected.items()]
    return pl.DataFrame(rows, schema={"fate": pl.String, "rows": pl.Int64}, orient="row")


def _refuse_overtaking(shipment: Shipment, state: State, oms: Oms, sftp: Sftp, session: SftpSession) -> None:
    """A reset must not go out before an older variance was read, or after a newer reset (design.md section 5)."""
    slot = shipment.slot
    unread = [
        name
        for file in session.list(sftp.inventory_variance)
        if (name := read_delivered_name(file.name)) and (name.kind, name.store) == ("variance", slot.store)
    ]
    if unread:
        raise NotYetError(
            f"The OMS has not read the variance of {unread[0].business_date} yet; a newer reset would swallow it",
            f"Materialize variance_import of {unread[0].business_date}|{slot.store}, or wait for the OMS's import; then"
            " rerun",
        )
    refuse_out_of_turn(slot.store, shipment.snapshot_at, state, oms)


def _progress(file_name: str, rows: int) -> Callable[[int], None]:
    """Say how far a long filter is, every million rows or so."""
    told = 0

    def tell(done: int) -> None:
        nonlocal told
        if done - told >= 1_000_000:
            told = done
            _log.info("%s: filtered %.1f of %.1f million rows", file_name, done / 1e6, rows / 1e6)

    return tell
