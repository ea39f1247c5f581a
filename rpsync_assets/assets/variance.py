"""The variance: what Retail Pro was not told of, and the file that takes it back out.

Belongs here: unreported_shipments and variance_file. Does not: the arithmetic (``core/variance``), the query
(``resources/oms_sql``), exactly-once (``assets/delivery``).
"""

from datetime import UTC, datetime

import dagster as dg
import polars as pl

from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.delivery import LOOK_BACK, Courier, Parcel, Shipment
from rpsync_assets.assets.metadata import described, recorded_snapshot
from rpsync_assets.assets.owed import HELD, is_noted
from rpsync_assets.assets.receipts import receipts, refuse_unseen_imports
from rpsync_assets.assets.replay import ReplayConfig, refuse_again
from rpsync_assets.assets.verdicts import require
from rpsync_assets.core import guards
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.keys import KEY, RESET_ROW
from rpsync_assets.core.names import content_digest, variance_name
from rpsync_assets.core.parts import LOCATION
from rpsync_assets.core.sent import sent_rows
from rpsync_assets.core.variance import VARIANCE_SCHEMA, Told, to_csv, variance_due
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.oms_reader import OmsReader
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import SftpSession
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings

OWED_SHIPMENTS = "unreported_shipments_of_owed_keys"
"""A table beside ``variance_file``: what Retail Pro was not told of when it counted the keys that were owed."""


@asset(group="variance", kinds={"sql"})
def unreported_shipments(
    context: dg.AssetExecutionContext,
    raw_reset_file: pl.DataFrame,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    state: dg.ResourceParam[State],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Shipped items that Retail Pro had not been told of when it counted: one row per shipped line, with its order.

    Retail Pro hears of an order only when it is entirely completed. Until then its counts still hold what was shipped.
    """
    slot = Slot.of(context)
    snapshot_at: datetime = raw_reset_file["snapshot_at"].item()
    # Rows of an earlier file of the same day whose variance is still due were counted at that file's moment; they may
    # be delivered and not yet known to be accepted.
    still_due = state.accepted_without_variance(slot.store, slot.day)["snapshot_at"].unique().to_list()
    delivered = [delivery.snapshot_at for delivery in state.deliveries(slot.store, slot.day, "reset")]
    with oms.read() as reader:
        told = settings.store(slot.store).told
        shipped = reader.unreported_shipments(slot.store, [snapshot_at, *still_due, *delivered], told)
    current = shipped.filter(pl.col("snapshot_at") == snapshot_at)
    return dg.MaterializeResult(
        value=shipped,
        metadata={
            **described(
                shipped,
                first=("facility_id", "upca", "quantity", "order_name", "order_status", "issued_at"),
                snapshot_at=snapshot_at,
            ),
            "units": int(current["quantity"].sum()),
            "orders": current["order_id"].n_unique(),
            "orders imported twice": _same_name(current),
            "lines of products with several current UPCAs": current.filter(pl.col("current_upcas") > 1).height,
            "lines of products without a current UPCA": current.filter(pl.col("current_upcas") == 0).height,
        },
    )


@asset(
    group="variance",
    kinds={"sftp", "csv"},
    checks={
        "variance_keys_within_reset": "Only keys of the day's reset are deducted.",
        "variance_reset_same_day": "Reset, shipments and import are of one snapshot, the partition's own.",
    },
)
def variance_file(
    context: dg.AssetExecutionContext,
    unreported_shipments: pl.DataFrame,
    filtered_reset: pl.DataFrame,
    reset_import: pl.DataFrame,
    config: ReplayConfig,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    sftp: dg.ResourceParam[Sftp],
    state: dg.ResourceParam[State],
    outbox: dg.ResourceParam[Outbox],
    tables: dg.ResourceParam[Tables],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The delivered CSV that takes unreported shipments back out of the OMS, for the keys of the same day's reset.

    Delivered after that reset was imported, exactly once, never without it. Nothing to take back: no file is sent, and
    the receipt says so.
    """
    slot = Slot.of(context)
    zone = settings.store(slot.store).zone
    raw = tables.read("raw_reset_file", slot).row(0, named=True)
    snapshot_at, of_one_snapshot = raw["snapshot_at"], ["unreported_shipments", "filtered_reset", "reset_import"]
    delivered = state.went_out(slot.store, slot.day, "reset")
    if delivered and is_noted(HELD, raw, slot, tables):
        # A newer file of the day that is held is no reset: what went out before it stands, and owes its variance.
        snapshot_at, of_one_snapshot = delivered[-1].snapshot_at, ["reset_import"]
    courier = Courier(sftp, state, outbox, oms, context)
    went_out = courier.went_out(slot, "variance")
    for earlier in went_out:
        # A run that died after sending could not write down that these rows have had their variance.
        state.settle(slot.store, slot.day, earlier.generation, taken_at=earlier.taken_at)
    made_at = datetime.now(UTC)
    generation = int(reset_import["generation"].max()) if reset_import.height else 0  # type: ignore[arg-type]
    known = state.deliveries(slot.store, slot.day, "variance", generation)
    due = state.accepted_without_variance(slot.store, slot.day)
    # A file that was taken and did not go out goes out as it was kept; it is not computed anew.
    unsent = any(delivery.delivered_at is None for delivery in known)
    turn = len(known) if unsent or (known and due.is_empty()) else len(known) + 1
    table = tables.read("variance_file", slot) if known else pl.DataFrame(schema=VARIANCE_SCHEMA)
    new = pl.DataFrame(schema=VARIANCE_SCHEMA)
    if turn > len(known):
        told = settings.store(slot.store).told
        with oms.read() as reader:
            found = receipts(oms, reader, state, slot, "reset")
            refuse_unseen_imports(found, reset_import["log_id"].unique().to_list(), slot)
            _refuse_unread_variance(due, slot, oms, reader, state, outbox)
            window = oms.window(reader, slot.store, due, told)
            owed = of_owed_keys(reader, unreported_shipments, due, slot.store, told)
        tables.write(OWED_SHIPMENTS, str(slot.key), owed)
        new = variance_due(pl.concat([unreported_shipments, owed]), due, window)
        table = pl.concat([table.join(due, on=KEY, how="anti"), new])
    checks = require(
        [
            # The day's reset is what was imported for the day: an earlier file's rows count too.
            guards.variance_keys_within_reset(table, reset_import, filtered_reset),
            guards.variance_reset_same_day(
                partition=f"{slot.store} {slot.day}",
                expected=snapshot_at.astimezone(zone),
                found={name: recorded_snapshot(context, name).astimezone(zone) for name in of_one_snapshot},
            ),
        ]
    )

    def before_sending(_session: SftpSession) -> None:
        refuse_again(slot, went_out, now=made_at, zone=zone, replay=config.replay)
        # The table is written before anything is sent: after a crash the same rows are found, not computed anew.
        tables.write("variance_file", str(slot.key), table)

    name = variance_name(slot.store, slot.day, generation, turn)
    content = to_csv(new, LOCATION)
    sent = courier.deliver(
        Shipment(
            slot=slot,
            kind="variance",
            generation=generation,
            digest=content_digest([content]),
            snapshot_at=snapshot_at,
            folder=sftp.inventory_variance,
            parcels=[Parcel(name, content, new.height)] if new.height else [],
            first_part=turn,
        ),
        before_sending=before_sending,
    )
    if sent.deliveries and not sent.sent_now:
        # It went out before, perhaps a moment ago by a twin: what went out is what stands here.
        table = tables.read("variance_file", slot)
    state.settle(slot.store, slot.day, generation, taken_at=made_at)
    return dg.MaterializeResult(
        value=table,
        check_results=checks,
        metadata={
            **described(
                table,
                first=("facility_id", "upca", "available_delta", "orders_part", "window_part", "orders"),
                snapshot_at=snapshot_at,
            ),
            "units": int(-table["available_delta"].sum()),
            "units of unreported orders": int(-table["orders_part"].sum()),
            "units of movements that the import overwrote": int(table["window_part"].sum()),
            "generation": generation,
            "bytes": sum(delivery.bytes for delivery in sent.deliveries),
            "remote path": ", ".join(delivery.remote_path for delivery in sent.deliveries) or "no file was needed",
            **({"replayed because": config.replay} if config.replay else {}),
            "outcome": sent.outcome if table.height else "nothing to take back: no file was sent",
        },
    )


def _refuse_unread_variance(
    due: pl.DataFrame, slot: Slot, oms: Oms, reader: OmsReader, state: State, outbox: Outbox
) -> None:
    """What an unread variance takes from a key is not off the OMS's count yet: a second one would take it again.

    An owed key has two, where the queue of the OMS runs so late that its first reset was not imported when the next
    day's brought it along.

    Raises:
        NotYetError: there is one.
    """
    for delivery in state.deliveries_since(slot.store, slot.day - LOOK_BACK):
        if delivery.kind != "variance" or delivery.delivered_at is None:
            continue
        sent = sent_rows(outbox.read(delivery.business_date, delivery.product_store, delivery.file_name))
        both = due.join(sent, on=["facility_id", "upca"], how="semi").height
        if both and oms.is_on_its_way(reader, delivery):
            raise NotYetError(
                f"The OMS has not read {delivery.file_name} yet, which takes units of {both} of the same keys",
                f"Wait for the OMS's import, or materialize variance_import of {delivery.business_date}|{slot.store};"
                " then rerun",
            )


def of_owed_keys(
    reader: OmsReader, unreported: pl.DataFrame, due: pl.DataFrame, store: str, told: Told
) -> pl.DataFrame:
    """Unreported shipments as of the moments at which owed keys were counted, for exactly those: an older file's."""
    asked = unreported["snapshot_at"].unique()
    older = due.filter(~pl.col("snapshot_at").is_in(asked.implode()))
    shipped = reader.unreported_shipments(store, older["snapshot_at"].unique().to_list(), told)
    return shipped.join(older, on=RESET_ROW, how="semi")


def _same_name(shipped: pl.DataFrame) -> int:
    """Orders that share their name with another: imported twice, and issued twice. Reported, never guessed."""
    orders = shipped.select("order_id", "order_name").unique().drop_nulls("order_name")
    return int(orders.filter(pl.col("order_name").is_duplicated()).height)
