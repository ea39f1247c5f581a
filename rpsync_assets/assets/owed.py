"""Older files read once more, with today's lists: what of them the OMS still lacks.

Belongs here: gathering older rows and what became of them. Does not: which of them are owed (``core/owed``).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from rpsync_assets.assets.landed_files import by_moment, landed_files
from rpsync_assets.assets.reset_numbers import number_verdicts
from rpsync_assets.core.arrival import before, understood
from rpsync_assets.core.errors import BadFileError, NotYetError
from rpsync_assets.core.guards import CLOCKS_APART
from rpsync_assets.core.keys import KEY, MOMENT
from rpsync_assets.core.owed import EARLIER_SCHEMA, OWED_SCHEMA, owed_rows, waiting_rows
from rpsync_assets.core.reset import FilteredReset, Rules
from rpsync_assets.core.reset_guards import raw_is_new
from rpsync_assets.core.stream import filter_blocks
from rpsync_assets.landed import header_of, packing_of
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.landing import blocks, first_line
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.store_settings import StoreSettings

_log = logging.getLogger(__name__)

OWED = "owed_keys"
"""A table beside ``filtered_reset``: the owed rows, with the file each comes from and why it is owed."""

RELEASED = "released_days"
"""A table beside ``filtered_reset_parts``: who released a held day, for which of its files, and why."""

HELD = "held_files"
"""A table beside ``filtered_reset_parts``: by content, whether the guards hold a file of the day, and what they found.
A file that was held once is not let go by what moves at the OMS since: a person releases it, or its day passes."""


def filter_landed(
    raw: Mapping[str, Any], store: StoreSettings, active: pl.DataFrame, facilities: pl.DataFrame, **more: Any
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


@dataclass(frozen=True)
class Lists:
    """What today's rows are filtered by, and whom to ask for the rest."""

    slot: Slot
    store: StoreSettings
    active: pl.DataFrame
    facilities: pl.DataFrame
    tables: Tables
    state: State
    oms: Oms


def owed_today(kept: pl.DataFrame, raw: Mapping[str, Any], lists: Lists) -> tuple[pl.DataFrame, list[str]]:
    """``core.owed.OWED_SCHEMA`` of a day whose own rows are ``kept``, and the older files that cannot be read.

    Rows of a day that its own numbers hold are listed as ``day_held``; they are owed once that day was released. A file
    that was refused on its own day, or whose columns the settings call otherwise by now, holds no later day up.
    """
    read: list[tuple[pl.DataFrame, bool]] = []
    unreadable: list[str] = []
    for older in reversed(_before(raw, lists)):
        try:
            outcome = filter_landed(older, lists.store, lists.active, lists.facilities)
        except (BadFileError, NotYetError) as error:
            _log.warning("what %s may still owe is not known: %s", older["file_name"], error)
            unreadable.append(older["file_name"])
            continue
        rows, held = _read_again(older, outcome, lists)
        read.append((rows, held))
        if older["file_kind"] == "full" and not held:
            break  # It counted everything. One that is held did not: what came before it still matters.
    return _owed(kept, read, _brought_along(raw, lists), lists), unreadable


def _owed(
    kept: pl.DataFrame, read: list[tuple[pl.DataFrame, bool]], brought_along: pl.DataFrame, lists: Lists
) -> pl.DataFrame:
    if not read:
        return pl.DataFrame(schema=OWED_SCHEMA)
    accepted = lists.state.newest_accepted(lists.slot.store)
    good = [frame for frame, held in read if not held]
    doubtful = [frame for frame, held in read if held]
    owed = owed_rows(kept, pl.concat(good), accepted, brought_along) if good else pl.DataFrame(schema=OWED_SCHEMA)
    if not doubtful:
        return owed
    waiting = waiting_rows(owed_rows(kept, pl.concat(doubtful), accepted, brought_along), owed)
    return pl.concat([owed, waiting]).sort("facility_id", "upca", "snapshot_at")


def _read_again(older: dict[str, Any], outcome: FilteredReset, lists: Lists) -> tuple[pl.DataFrame, bool]:
    """The rows of an older file by today's lists, each with what became of it, and whether its own numbers hold it."""
    of = Slot(older["serves"], lists.slot.store)
    sent = lists.state.went_out(of.store, of.day, "reset")
    delivered = any(one.snapshot_at >= older["snapshot_at"] for one in sent)
    let_go = _went_out(older, of, lists.state) or is_noted(RELEASED, older, of, lists.tables)
    held = not let_go and (
        is_noted(HELD, older, of, lists.tables)
        or any(
            not verdict.passed
            for verdict in (
                raw_is_new(older, day=of.day),
                *number_verdicts(
                    older,
                    outcome.kept,
                    outcome.accounting,
                    outcome.rejected,
                    slot=of,
                    listed=lists.active["product_id"],
                    limits=lists.store.guards.limits,
                    oms=lists.oms,
                    state=lists.state,
                    tables=lists.tables,
                ),
            )
        )
    )
    return _earlier_rows(older, outcome.kept, of, lists.tables, delivered=delivered), held


def note(table: str, files: Sequence[Mapping[str, Any]], of: Slot, tables: Tables, **told: object) -> None:
    """Write down by content what is to be known of a day's files; what was written of others stays."""
    rows = pl.DataFrame([{"file_name": one["file_name"], "sha256": one["sha256"], **told} for one in files])
    tables.write(table, str(of.key), pl.concat([_noted(table, of, tables), rows], how="diagonal_relaxed"))


def forget(table: str, file: Mapping[str, Any], of: Slot, tables: Tables) -> None:
    """What was written of a file is true no more."""
    if is_noted(table, file, of, tables):
        tables.write(table, str(of.key), _noted(table, of, tables).filter(pl.col("sha256") != file["sha256"]))


def is_noted(table: str, file: Mapping[str, Any], of: Slot, tables: Tables) -> bool:
    """Whether something is written of a file, by its content."""
    return file["sha256"] in _noted(table, of, tables)["sha256"].to_list()


def _noted(table: str, of: Slot, tables: Tables) -> pl.DataFrame:
    nothing = pl.DataFrame(schema={"file_name": pl.String, "sha256": pl.String})
    try:
        return pl.concat([nothing, tables.read(table, of)], how="diagonal_relaxed")
    except NotYetError:
        return nothing


def held_of_day(slot: Slot, tables: Tables) -> list[dict[str, Any]]:
    """The landed files of a day, not its own one, whose rows wait because their numbers hold them."""
    waiting = tables.read(OWED, slot).filter(pl.col("why") == "day_held", pl.col("serves") == slot.day)
    landed = by_moment(landed_files(tables, slot, days=0))
    return landed.join(waiting, on=["file_name", "snapshot_at"], how="semi").to_dicts()


def _before(raw: Mapping[str, Any], lists: Lists) -> list[dict[str, Any]]:
    """The landed files before the day's own, oldest first: of each name and moment, what came last."""
    slot, store = lists.slot, lists.store
    # A count of the future was refused on its day; its moment is not to be believed later either.
    landed = landed_files(lists.tables, slot).filter(pl.col("snapshot_at") <= pl.col("landed_at") + CLOCKS_APART)
    landed = by_moment(landed)
    candidates = understood(
        list(landed.select("file_name", "modified_at").iter_rows()),
        store=slot.store,
        pattern=store.file_pattern,
        zone=store.zone,
        export_minutes=store.export_minutes,
    )
    rows = {(row["file_name"], row["modified_at"]): row for row in landed.iter_rows(named=True)}
    of = [(rows[one.name, one.modified_at], one) for one in candidates]
    its_own = (raw["file_name"], raw["snapshot_at"])
    chosen = next((one for row, one in of if (row["file_name"], row["snapshot_at"]) == its_own), None)
    if chosen is None:
        return []
    return [rows[one.name, one.modified_at] for one in before(candidates, chosen, store.file_kind)]


def _earlier_rows(
    older: Mapping[str, Any], kept: pl.DataFrame, of: Slot, tables: Tables, *, delivered: bool
) -> pl.DataFrame:
    """The rows of an older file, each with what became of it on its own day: ``core.owed.EARLIER_SCHEMA``."""
    try:
        stood = tables.read("filtered_reset", of).select(*KEY, stood="snapshot_at")
    except NotYetError:
        stood = pl.DataFrame(schema={"facility_id": pl.String, "product_id": pl.String, "stood": MOMENT})
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
            serves=pl.lit(of.day),
            why=why,
            modified_at=pl.lit(older["modified_at"], dtype=MOMENT),
        )
        .select(pl.col(name).cast(kind) for name, kind in EARLIER_SCHEMA.items())
    )


def _brought_along(raw: Mapping[str, Any], lists: Lists) -> pl.DataFrame:
    """The owed rows that stand in this day's ``filtered_reset`` already, if it is of the same file, as it is now."""
    kinds = {**{name: EARLIER_SCHEMA[name] for name in (*KEY, "snapshot_at")}, "went_out": pl.Boolean}
    try:
        before = lists.tables.read("filtered_reset", lists.slot)
    except NotYetError:
        return pl.DataFrame(schema=kinds)
    if "owed" not in before.columns:
        return pl.DataFrame(schema=kinds)
    own = before.filter(~pl.col("owed"))
    if not own.is_empty() and own["file_name"].unique().to_list() != [raw["file_name"]]:
        return pl.DataFrame(schema=kinds)
    went_out = _went_out(raw, lists.slot, lists.state)
    return before.filter("owed").select(*KEY, "snapshot_at", pl.lit(went_out).alias("went_out"))


def _went_out(file: Mapping[str, Any], of: Slot, state: State) -> bool:
    """Whether a file was delivered as its day's own; good rows of it that a newer one brought along do not count."""
    return any(
        one.snapshot_at == file["snapshot_at"] and one.taken_at >= file["landed_at"]
        for one in state.went_out(of.store, of.day, "reset")
    )
