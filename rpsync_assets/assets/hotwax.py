"""The OMS's side: what it lists, what it took in, what it would sell, what was sold in store.

Belongs here: assets that read the OMS. Does not: SQL (``resources/oms_sql``), rules (``core/``).
"""

from datetime import UTC, datetime, time, timedelta

import dagster as dg
import polars as pl

from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.delivery import Courier
from rpsync_assets.assets.metadata import counted, described, recorded_snapshot
from rpsync_assets.assets.receipts import finished, log_ids, receipts
from rpsync_assets.assets.verdicts import ReleaseConfig, check_result, require
from rpsync_assets.core import guards, sale_guards
from rpsync_assets.core.active import EXCLUDED_REASONS, compile_active
from rpsync_assets.core.atp import online_atp as compute_online_atp
from rpsync_assets.core.keys import KEY
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms, Sent
from rpsync_assets.resources.oms_reader import RESET_ROW_SCHEMA, VARIANCE_ROW_SCHEMA
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings

EXCLUDED = "excluded_products"
ACCEPTED = ("applied", "unchanged")


@asset(
    group="hotwax",
    kinds={"sql"},
    checks={
        "active_row_count": "The store has active products.",
        "active_upca_valid": "Every UPCA on the list can be matched; failing check digits are told.",
        "active_upca_unique": "No UPCA stands for two products.",
    },
)
def active_products(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    tables: dg.ResourceParam[Tables],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The products that this store sells online: published on Shopify, physical, with one valid current UPCA.

    Published products that are not on the list lie in ``excluded_products`` with the reason.
    """
    slot = Slot.of(context)
    slot.refuse_future(settings.store(slot.store).zone)
    with oms.read() as reader:
        compiled = compile_active(reader.listed_products(slot.store))
    active, excluded = compiled.active, compiled.excluded
    checks = require(
        [
            guards.active_row_count(active.height, excluded=excluded["product_id"].n_unique()),
            guards.upca_valid(active, name="active_upca_valid"),
            guards.unique(active, ["gtin"], name="active_upca_unique", what="a UPCA"),
        ]
    )
    tables.write(EXCLUDED, str(slot.key), excluded)
    by_reason = dict(excluded.group_by("reason").agg(pl.col("product_id").n_unique()).iter_rows())
    return dg.MaterializeResult(
        value=active,
        check_results=checks,
        metadata={
            **described(active, first=("sku", "upca", "product_id", "check_digit_valid")),
            **counted("excluded", {reason: by_reason.get(reason, 0) for reason in EXCLUDED_REASONS}),
            "failing check digit": active.filter(~pl.col("check_digit_valid")).height,
        },
    )


@asset(
    group="hotwax",
    kinds={"sql"},
    checks={"import_complete": "The OMS took in as many rows as we delivered, and hardly any failed."},
)
def reset_import(
    context: dg.AssetExecutionContext,
    filtered_reset_parts: pl.DataFrame,
    config: ReleaseConfig,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    sftp: dg.ResourceParam[Sftp],
    state: dg.ResourceParam[State],
    outbox: dg.ResourceParam[Outbox],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The OMS's receipt for the reset: which rows it applied, with which difference, at what moment.

    A row is applied, unchanged (it agreed already), superseded (a newer count was there), or failed with a reason. Rows
    that were applied or unchanged are accepted: only they get a variance. If the day had several files, the rows of all
    of them stand here, by generation.
    """
    slot = Slot.of(context)
    snapshot_at = recorded_snapshot(context, "filtered_reset_parts")
    oms.import_delivered()
    # An earlier file of the day may have gone out without anybody knowing: its import counts, too.
    Courier(sftp, state, outbox, oms, context).went_out(slot, "reset")
    with oms.read() as reader:
        found = receipts(oms, reader, state, slot, "reset")
        received = [oms.reset_rows(reader, log, Sent(delivery, outbox)) for delivery, log in found]
    rows = pl.concat(received) if received else pl.DataFrame(schema=RESET_ROW_SCHEMA)
    verdict = guards.import_complete(
        delivered=sum(delivery.rows for delivery, _ in found),
        reported=sum(log.total_rows for _, log in found),
        failed=sum(log.failed_rows for _, log in found),
        reasons=dict(rows.filter(pl.col("status") == "failed").group_by("reason").len().sort("reason").iter_rows()),
        max_failed_share=settings.store(slot.store).max_failed_share,
    )
    checks = require([verdict], release=config.release)
    state.accept(slot.store, slot.day, rows.filter(pl.col("status").is_in(ACCEPTED)))
    return dg.MaterializeResult(
        value=rows,
        check_results=checks,
        metadata={
            **described(
                _largest(rows, "difference"),
                first=("facility_id", "upca", "quantity_on_hand_before", "quantity", "difference", "status"),
                snapshot_at=snapshot_at,
                imported_at=finished(found),
            ),
            **_by_status(rows, ("applied", "unchanged", "superseded", "failed")),
            "units up": int(rows.filter(pl.col("difference") > 0)["difference"].sum()),
            "units down": int(-rows.filter(pl.col("difference") < 0)["difference"].sum()),
            "import log": log_ids(found),
        },
    )


@asset(group="hotwax", kinds={"sql"})
def variance_import(
    context: dg.AssetExecutionContext,
    variance_file: pl.DataFrame,
    oms: dg.ResourceParam[Oms],
    state: dg.ResourceParam[State],
    outbox: dg.ResourceParam[Outbox],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The OMS's receipt for the variance: which deductions it applied, and which it clamped at zero.

    After it, both systems agree: see the check ``oms_matches_retail_pro``.
    """
    slot = Slot.of(context)
    oms.import_delivered()
    with oms.read() as reader:
        found = receipts(oms, reader, state, slot, "variance")
        received = [oms.variance_rows(reader, log, Sent(delivery, outbox)) for delivery, log in found]
    rows = pl.concat(received) if received else pl.DataFrame(schema=VARIANCE_ROW_SCHEMA)
    last_word = rows.unique(KEY, keep="last", maintain_order=True)
    refused = last_word.filter(pl.col("status") == "failed").drop_nulls("product_id")
    state.owe_again(slot.store, slot.day, refused.select("facility_id", "product_id").rows())
    return dg.MaterializeResult(
        value=rows,
        metadata={
            **described(
                _largest(rows, "applied"),
                first=("facility_id", "upca", "requested", "applied", "quantity_on_hand_before", "status"),
                imported_at=finished(found),
            ),
            **_by_status(rows, ("applied", "clamped", "void", "failed")),
            "units up": int(rows.filter(pl.col("applied") > 0)["applied"].sum()),
            "units taken back": int(-rows.filter(pl.col("applied") < 0)["applied"].sum()),
            "import log": log_ids(found),
            **({"owed": "materialize variance_file again: it sends the failed rows once more"} if len(refused) else {}),
        },
    )


@asset(
    group="hotwax",
    kinds={"sql", "polars"},
    deps=("variance_import",),
    checks={"online_atp_not_negative": "Nothing below zero may be sold."},
)
def online_atp(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
) -> dg.MaterializeResult[pl.DataFrame]:
    """What may be sold, per facility and per channel, after safety stock, brokering, threshold and queue demand.

    Each step's number stands in a column of its own, read from the OMS in one snapshot at the moment of materializing.
    """
    slot = Slot.of(context)
    slot.refuse_future(settings.store(slot.store).zone)
    with oms.read() as reader:
        read = reader.stock(slot.store, settings.store(slot.store).channel)
    table = compute_online_atp(
        read.stock,
        read.channel_rules,
        read.queue_demand,
        reserves=read.reserves,
        preorder_demand=read.preorder_demand,
    )
    channel = table.filter(pl.col("scope") == "channel")
    return dg.MaterializeResult(
        value=table,
        check_results=[check_result(guards.not_negative(table, "sellable", name="online_atp_not_negative"))],
        metadata={
            **described(
                table,
                first=("product_id", "scope", "facility_id", "available_to_promise", "counted_in_channel", "sellable"),
            ),
            "products": channel.height,
            "products that can be sold": channel.filter(pl.col("sellable") > 0).height,
            "sellable units": int(channel["sellable"].sum()),
            **counted("zero", dict(channel.drop_nulls("note").group_by("note").len().sort("note").iter_rows())),
        },
    )


@asset(
    group="hotwax",
    kinds={"sql"},
    checks={
        "pos_sales_are_no_orders": "No sale over the counter came in as an order: the API has deducted it already.",
        "no_look_alike_sales": "No sale looks like one that was sent twice; a warning.",
    },
)
def pos_sales(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
) -> dg.MaterializeResult[pl.DataFrame]:
    """In-store sales (below zero) and returns of the day, as the Update Inventory API brought them to the OMS.

    Point-of-sale orders are never imported as orders; this is the only way they reach inventory. The day is the
    store's own, from midnight to midnight, by the moment of the sale.
    """
    slot = Slot.of(context)
    zone = settings.store(slot.store).zone
    slot.refuse_future(zone)
    start = datetime.combine(slot.day, time.min, zone)
    end = datetime.combine(slot.day + timedelta(days=1), time.min, zone)
    with oms.read() as reader:
        sales = reader.pos_sales(slot.store, start.astimezone(UTC), end.astimezone(UTC))
        orders = reader.pos_orders(slot.store, start.astimezone(UTC), end.astimezone(UTC))
    alike = check_result(sale_guards.no_look_alike_sales(sales))._replace(severity=dg.AssetCheckSeverity.WARN)
    return dg.MaterializeResult(
        value=sales,
        check_results=[check_result(sale_guards.pos_sales_are_no_orders(orders)), alike],
        metadata={
            **described(sales, first=("event_at", "facility_id", "product_id", "quantity", "remark")),
            "units sold": int(-sales.filter(pl.col("quantity") < 0)["quantity"].sum()),
            "units returned": int(sales.filter(pl.col("quantity") > 0)["quantity"].sum()),
        },
    )


def _largest(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """What moved most first: that is what somebody looks at a receipt for."""
    return rows.sort(pl.col(column).abs(), descending=True, nulls_last=True, maintain_order=True)


def _by_status(rows: pl.DataFrame, statuses: tuple[str, ...]) -> dict[str, int]:
    counts = dict(rows.group_by("status").len().iter_rows())
    return {status: counts.get(status, 0) for status in statuses}
