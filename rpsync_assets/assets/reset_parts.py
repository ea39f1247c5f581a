"""The reset goes out: judged once more, split, delivered.

Belongs here: filtered_reset_parts, a person's release, and the order of resets and variances. Does not: how the rows
came about (``assets/reset``), the mechanics of exactly-once (``assets/delivery``).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import polars as pl

from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.delivery import Courier, Parcel, Shipment
from rpsync_assets.assets.held import in_parts, refuse_out_of_turn, row_verdicts
from rpsync_assets.assets.initial import require_initial
from rpsync_assets.assets.metadata import described, recorded_snapshot
from rpsync_assets.assets.owed import HELD, RELEASED, forget, held_of_day, is_noted, note
from rpsync_assets.assets.replay import DeliveryConfig, refuse_again
from rpsync_assets.assets.reset import FILTER_CHECKS
from rpsync_assets.assets.verdicts import require
from rpsync_assets.core import guards
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.keys import MOMENT
from rpsync_assets.core.names import content_digest, read_delivered_name, reset_part_name
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import SftpSession
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings

PARTS_SCHEMA = {
    "part": pl.Int64,
    "parts": pl.Int64,
    "generation": pl.Int64,
    "file_name": pl.String,
    "remote_path": pl.String,
    "rows": pl.Int64,
    "bytes": pl.Int64,
    "digest": pl.String,
    "snapshot_at": MOMENT,
    "delivered_at": MOMENT,
}


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
    _note_release(config.release, raw, refused, slot, tables, run_id=context.run.run_id)
    _note_hold(raw, [] if config.release or sent_before else refused, slot, tables)
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
            **described(
                table, first=("file_name", "rows", "bytes", "remote_path", "delivered_at"), snapshot_at=snapshot_at
            ),
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


def _note_release(
    release: str,
    raw: Mapping[str, Any],
    refused: Sequence[guards.Verdict],
    slot: Slot,
    tables: Tables,
    *,
    run_id: str,
) -> None:
    """Write down whom a person lets go: the day's own file, or, if that needs nobody any more, its held other files.

    Before anything is sent: also where the day comes too late, its rows may go with a later one.
    """
    if not release:
        return
    own = any(one.releasable for one in refused) and not is_noted(RELEASED, raw, slot, tables)
    files = [raw] if own else held_of_day(slot, tables)
    if files:
        now = datetime.now(UTC)
        note(RELEASED, files, slot, tables, released_because=release, released_at=now, run_id=run_id)


def _note_hold(raw: Mapping[str, Any], refused: Sequence[guards.Verdict], slot: Slot, tables: Tables) -> None:
    """Write down that the guards hold the day's file, or that they do not any longer."""
    forget(HELD, raw, slot, tables)
    if refused:
        note(HELD, [raw], slot, tables, held_at=datetime.now(UTC), found="; ".join(one.found for one in refused))


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
