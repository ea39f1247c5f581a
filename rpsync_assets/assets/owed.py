"""Older files read once more, with today's lists: what of them the OMS still lacks.

Belongs here: gathering older rows and what became of them. Does not: which of them are owed (``core/owed``).
"""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from rpsync_assets.assets.arriving import header_of, landed_files, packing_of
from rpsync_assets.core.arrival import chain, understood
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.owed import EARLIER_SCHEMA, KEY, owed_rows
from rpsync_assets.core.reset import FilteredReset, Rules
from rpsync_assets.core.stream import filter_blocks
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.landing import blocks, first_line
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import StoreSettings

OWED = "owed_keys"
"""A table beside ``filtered_reset``: the owed rows, with the file each comes from and why it is owed."""


def filter_landed(
    raw: dict[str, Any], store: StoreSettings, active: pl.DataFrame, facilities: pl.DataFrame, **more: Any
) -> FilteredReset:
    """One landed file, filtered; ``raw`` is its row of ``landed_files``.

    Raises:
        NotYetError: its bytes are gone.
        BadFileError: it cannot be read.
    """
    path = Path(raw["landed_path"])
    if not path.exists():
        raise NotYetError(f"The landed file {path.name} is gone", "Materialize raw_reset_file again")
    packing = packing_of(raw)
    return filter_blocks(
        blocks(path, start=len(first_line(path, packing)), packing=packing),
        header=header_of(path, packing, store),
        active=active,
        facilities=facilities,
        snapshot_at=raw["snapshot_at"],
        rules=Rules(store.decimal_mark, store.check_digit),
        **more,
    )


def owed_today(
    kept: pl.DataFrame,
    raw: dict[str, Any],
    *,
    slot: Slot,
    store: StoreSettings,
    active: pl.DataFrame,
    facilities: pl.DataFrame,
    tables: Tables,
    state: State,
) -> pl.DataFrame:
    """``core.owed.OWED_SCHEMA`` of a day whose own rows are ``kept``."""
    earlier = [
        _earlier_rows(older, filter_landed(older, store, active, facilities).kept, slot.store, tables, state)
        for older in _chain(raw, slot, store, tables)
    ]
    return owed_rows(
        kept,
        pl.concat(earlier) if earlier else pl.DataFrame(schema=EARLIER_SCHEMA),
        state.newest_accepted(slot.store),
        _brought_along(raw, slot, tables),
    )


def _chain(raw: dict[str, Any], slot: Slot, store: StoreSettings, tables: Tables) -> list[dict[str, Any]]:
    """The landed files before the day's own whose counts may still be the newest: of each name, what came last."""
    landed = landed_files(tables, slot).unique("file_name", keep="last", maintain_order=True)
    candidates = understood(
        list(landed.select("file_name", "modified_at").iter_rows()),
        store=slot.store,
        pattern=store.file_pattern,
        zone=store.zone,
        export_minutes=store.export_minutes,
    )
    chosen = next((candidate for candidate in candidates if candidate.name == raw["file_name"]), None)
    if chosen is None:
        return []
    rows = {row["file_name"]: row for row in landed.iter_rows(named=True)}
    return [rows[candidate.name] for candidate in chain(candidates, chosen, store.file_kind)]


def _earlier_rows(older: dict[str, Any], kept: pl.DataFrame, store: str, tables: Tables, state: State) -> pl.DataFrame:
    """The rows of an older file, each with what became of it on its own day."""
    day: date = older["serves"]
    delivered = any(
        delivery.delivered_at is not None and delivery.snapshot_at >= older["snapshot_at"]
        for delivery in state.deliveries(store, day, "reset")
    )
    try:
        stood = tables.read("filtered_reset", Slot(day, store)).select(*KEY, stood="snapshot_at")
    except NotYetError:
        stood = pl.DataFrame(
            schema={"facility_id": pl.String, "product_id": pl.String, "stood": pl.Datetime("us", "UTC")}
        )
    why = (
        pl.when(not delivered)
        .then(pl.lit("day_not_delivered"))
        .when(pl.col("stood") == pl.col("snapshot_at"))
        .then(pl.lit("not_accepted"))
        .otherwise(pl.lit("late_listing"))
    )
    return (
        kept.join(stood, on=KEY, how="left")
        .with_columns(
            file_name=pl.lit(older["file_name"]),
            serves=pl.lit(day),
            why=why,
            modified_at=pl.lit(older["modified_at"], dtype=pl.Datetime("us", "UTC")),
        )
        .select(pl.col(name).cast(kind) for name, kind in EARLIER_SCHEMA.items())
    )


def _brought_along(raw: dict[str, Any], slot: Slot, tables: Tables) -> pl.DataFrame:
    """The owed rows that stand in this day's ``filtered_reset`` already, if it is of the same file."""
    nothing = pl.DataFrame(schema={name: EARLIER_SCHEMA[name] for name in (*KEY, "snapshot_at")})
    try:
        before = tables.read("filtered_reset", slot)
    except NotYetError:
        return nothing
    if "owed" not in before.columns:
        return nothing
    own = before.filter(~pl.col("owed"))
    same = own.is_empty() or own["file_name"].unique().to_list() == [raw["file_name"]]
    return before.filter(pl.col("owed")).select(*KEY, "snapshot_at") if same else nothing
