"""What a day's reset is compared with: the days before it, the stock at the OMS, the keys that were counted before.

Belongs here: gathering those numbers. Does not: the limits and verdicts (``core/reset_guards``).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from rpsync_assets.core import reset_guards
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.guards import Verdict
from rpsync_assets.core.keys import KEY
from rpsync_assets.core.names import FileKind
from rpsync_assets.core.reset import Accounting
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables

HISTORY_DAYS = 30
CHECKS = {
    "rows_like_other_days": "The file is about as long as the last good days' files of its kind.",
    "rejected_share": "No reason rejects more rows than is usual.",
    "zeroed_share": "The file does not take an unusual part of the stock to zero.",
    "missing_share": "A full file holds the keys that were counted before.",
}


def number_verdicts(
    raw: Mapping[str, Any],
    filtered: pl.DataFrame,
    accounting: Accounting,
    rejected: pl.DataFrame,
    *,
    slot: Slot,
    listed: pl.Series,
    limits: reset_guards.Limits,
    oms: Oms,
    state: State,
    tables: Tables,
) -> list[Verdict]:
    """The verdicts of ``core.reset_guards`` on a day, as of now.

    Args:
        raw: the day's row of ``raw_reset_file``, or that of an older file.
        filtered: what would be delivered: ``facility_id``, ``product_id``, ``quantity``.
        accounting: of the file.
        rejected: ``core.reset.REJECTED_SCHEMA`` of the file.
        slot: store and day of the file.
        listed: the ids of the products that are sold online.
        limits: of the store.
        oms: asked for its stock.
        state: asked for what was delivered and accepted.
        tables: asked for the files of the days before.
    """
    kind: FileKind = raw["file_kind"]
    of_listed = pl.col("product_id").is_in(listed.implode())
    with oms.read() as reader:
        stocked = reader.counts(slot.store).filter((pl.col("quantity_on_hand") > 0) & of_listed)
        facilities = reader.facilities(slot.store)["facility_id"]
    falling = filtered.filter(pl.col("quantity") <= 0).join(stocked, on=KEY, how="semi").height
    good_days = _good_days(slot, kind, state, tables)
    known = missing = 0
    if kind == "full" and good_days:
        # What the last good full file lacked is not missed again: a shop that was closed is released once.
        since = pl.col("snapshot_at") >= good_days[0]["snapshot_at"]
        there = pl.col("facility_id").is_in(facilities.implode())
        counted = state.newest_accepted(slot.store).filter(of_listed & there & since)
        known, missing = counted.height, counted.join(filtered, on=KEY, how="anti").height
    return [
        reset_guards.rows_like_other_days(
            raw["rows"],
            kind=kind,
            good_days=[day["rows"] for day in good_days],
            limits=limits,
            file_name=raw["file_name"],
        ),
        reset_guards.rejected_share(accounting, limits=limits, unknown_codes=_unknown_codes(rejected)),
        reset_guards.zeroed_share(falling, with_stock=stocked.height, limits=limits),
        reset_guards.missing_share(missing, known=known, limits=limits),
    ]


def _good_days(slot: Slot, kind: FileKind, state: State, tables: Tables) -> list[dict[str, Any]]:
    """The rows of ``raw_reset_file`` of the last days before this one that were delivered, newest first."""
    delivered = state.delivered_days(slot.store, since=slot.day - timedelta(days=HISTORY_DAYS), before=slot.day)
    found: list[dict[str, Any]] = []
    for day in sorted(delivered, reverse=True):
        if len(found) == reset_guards.GOOD_DAYS:
            break
        try:
            raw: dict[str, Any] = tables.read("raw_reset_file", Slot(day, slot.store)).row(0, named=True)
        except NotYetError:
            continue
        if raw["file_kind"] == kind:
            found.append(raw)
    return found


def _unknown_codes(rejected: pl.DataFrame) -> list[str]:
    """Store codes that are no facility, the most frequent first."""
    codes = rejected.filter(pl.col("reason") == "unknown_facility")["store_code"].str.strip_chars()
    counted = codes.value_counts().sort("count", "store_code", descending=[True, False])
    return counted["store_code"].to_list()
