"""A dry run: what the day would change at the OMS and at Shopify, delivering nothing.

Belongs here: reset_preview. Does not: the arithmetic (``core/preview``, ``core/publication``), or any door that sends:
nothing here holds an SFTP session, and the publisher is told that publishing is off.
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.desired import DesiredReader
from rpsync_assets.assets.held import in_parts, refuse_out_of_turn, row_verdicts
from rpsync_assets.assets.metadata import as_markdown, described
from rpsync_assets.assets.publisher import Publisher
from rpsync_assets.assets.replay import refuse_again
from rpsync_assets.assets.shopify import mass_change
from rpsync_assets.assets.variance import of_owed_keys
from rpsync_assets.assets.verdicts import sentence
from rpsync_assets.core.errors import HeldError, NotYetError
from rpsync_assets.core.names import content_digest
from rpsync_assets.core.preview import BACK, TO_ZERO, preview, summed
from rpsync_assets.core.publication import PLAN_SCHEMA
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.shopify import Shopify
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings
from rpsync_assets.store_settings import StoreSettings

SHOPIFY_PREVIEW = "shopify_preview"
MOVERS = 10


@asset(group="reset", kinds={"polars"})
def reset_preview(
    context: dg.AssetExecutionContext,
    filtered_reset: pl.DataFrame,
    unreported_shipments: pl.DataFrame,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    state: dg.ResourceParam[State],
    outbox: dg.ResourceParam[Outbox],
    shopify: dg.ResourceParam[Shopify],
    publications: dg.ResourceParam[Publications],
    tables: dg.ResourceParam[Tables],
) -> dg.MaterializeResult[pl.DataFrame]:
    """A dry run: what reset and variance would change at the OMS, and then a publication at Shopify. Nothing is sent.

    One row per key, with the count now, the count it would get and the difference; what would follow at Shopify lies in
    ``shopify_preview``. The metadata say whether the day would be held, at the OMS and at Shopify. Run the job
    ``dry_run_day``, or ``rpsync dry-run``, before a day that you are not sure of.
    """
    slot = Slot.of(context)
    its = settings.store(slot.store)
    with oms.read() as reader:
        counts = reader.counts(slot.store)
        owed = of_owed_keys(reader, unreported_shipments, filtered_reset, slot.store, its.told)
        movements = oms.moved_since_counts(reader, slot.store, filtered_reset, its.told)
    changes = preview(
        filtered_reset,
        counts,
        movements,
        pl.concat([unreported_shipments, owed]),
        state.newest_accepted(slot.store).select("facility_id", "product_id", accepted_at_snapshot="snapshot_at"),
        basis=oms.compares_with,
    )
    plan = _at_shopify(context, its, DesiredReader(oms, state, outbox, _overlay(changes)), shopify, publications)
    tables.write(SHOPIFY_PREVIEW, str(slot.key), plan)
    return dg.MaterializeResult(
        value=changes,
        metadata={
            **described(changes, first=("facility_id", "upca", "quantity_on_hand", "would_be", "difference", "effect")),
            "receipt": "DRY RUN: nothing was delivered to the OMS, nothing was sent to Shopify",
            **_prefixed("OMS", summed(changes)),
            "OMS to zero": changes.filter(pl.col("crossing") == TO_ZERO).height,
            "OMS back from zero": changes.filter(pl.col("crossing") == BACK).height,
            **_delivery(slot, filtered_reset, settings, oms, state, tables),
            "biggest movers at the OMS": _movers(changes),
            **_of_shopify(plan, its),
            **({} if oms.ledger else {"movements since the count": "only shipments are known: [oms] ledger is off"}),
        },
    )


def _delivery(
    slot: Slot, filtered: pl.DataFrame, settings: Settings, oms: Oms, state: State, tables: Tables
) -> dict[str, str]:
    """Whether the day's reset would go out, and what would hold it; what went out is not held by a second click."""
    generation = state.generation_of(slot.store, slot.day, content_digest(in_parts(filtered)[1]))
    delivered = state.went_out(slot.store, slot.day, "reset")
    if any(one.generation == generation for one in delivered):
        return {"OMS delivery": f"generation {generation} was delivered before: it would not be sent again"}
    snapshot_at = tables.read("raw_reset_file", slot)["snapshot_at"].item()
    held = [
        sentence(verdict)
        for verdict in row_verdicts(slot, filtered, settings, oms, state, tables)
        if not verdict.passed
    ]
    zone, now = settings.store(slot.store).zone, datetime.now(UTC)
    for refuse in (
        lambda: refuse_again(slot, delivered, now=now, zone=zone, replay=""),
        lambda: refuse_out_of_turn(slot.store, snapshot_at, state, oms),
    ):
        try:
            refuse()
        except (HeldError, NotYetError) as refused:
            held.append(str(refused))
    return {"OMS delivery": f"generation {generation}", "OMS would be held": "; ".join(held) or "no"}


def _overlay(changes: pl.DataFrame) -> pl.DataFrame:
    """By how much stock would differ from now: ``facility_id``, ``product_id``, ``units``."""
    return changes.filter(pl.col("effect") != "superseded").select("facility_id", "product_id", units="difference")


def _at_shopify(
    context: dg.AssetExecutionContext,
    its: StoreSettings,
    reader: DesiredReader,
    shopify: Shopify,
    publications: Publications,
) -> pl.DataFrame:
    """The plan of a full publication on top of the day: ``PLAN_SCHEMA``; empty where the store has no shop."""
    if its.shopify.mode == "off":
        return pl.DataFrame(schema=PLAN_SCHEMA)
    dry = its.model_copy(update={"shopify": its.shopify.model_copy(update={"publish": "dry_run"})})
    publisher = Publisher(Slot.of(context).store, dry, reader, shopify, publications, context.run.run_id)
    return publisher.full(lambda _plan: None).plan


def _of_shopify(plan: pl.DataFrame, its: StoreSettings) -> dict[str, Any]:
    if its.shopify.mode == "off":
        return {"Shopify": "OFF: the store has no shop in the settings, or publishing is off"}
    held = [sentence(verdict) for verdict in mass_change(plan, its) if not verdict.passed]
    change = plan.filter(pl.col("outcome").is_in(["up", "down"]))
    shown, target = pl.col("shopify_available"), pl.col("target")
    return {
        **_prefixed("Shopify", summed(plan, "outcome")),
        "Shopify to zero": change.filter((shown > 0) & (target == 0)).height,
        "Shopify back from zero": change.filter((shown <= 0) & (target > 0)).height,
        "biggest movers at Shopify": _movers(change),
        "Shopify would be held": "; ".join(held) or "no",
    }


def _movers(changes: pl.DataFrame) -> dg.MarkdownMetadataValue:
    moved = changes.filter(pl.col("difference") != 0).sort(pl.col("difference").abs(), descending=True)
    return dg.MetadataValue.md(as_markdown(moved.head(MOVERS)))


def _prefixed(where: str, numbers: dict[str, int]) -> dict[str, int]:
    return {f"{where} {name.replace('_', ' ')}": number for name, number in numbers.items()}
