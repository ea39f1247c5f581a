"""What keeps a day's reset from going out: the guards on its rows, and the order of resets and variances.

Belongs here: asked by the asset that delivers and by the dry run alike, so that a dry run says what the day will meet.
Does not: rules (``core/guards``, ``core/reset_guards``), a person's release, sending.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from rpsync_assets.assets.rejected import REJECTED
from rpsync_assets.assets.reset_numbers import number_verdicts
from rpsync_assets.core import guards, reset_guards
from rpsync_assets.core.errors import HeldError, NotYetError
from rpsync_assets.core.parts import split, to_csv
from rpsync_assets.core.reset import REASONS, Accounting
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings

ACCOUNTING = "reset_row_accounting"
"""A table beside ``filtered_reset``: where the rows of the file went, to the row."""


def row_verdicts(
    slot: Slot, filtered: pl.DataFrame, settings: Settings, oms: Oms, state: State, tables: Tables
) -> list[guards.Verdict]:
    """The verdicts on the rows that would be delivered for a day, as of now."""
    raw = tables.read("raw_reset_file", slot).row(0, named=True)
    lines, stored = read_accounting(tables.read(ACCOUNTING, slot))
    # What is kept is what is delivered now, whatever an earlier run said it had stored.
    accounting = replace(stored, kept=filtered.filter(~pl.col("owed")).height)
    return [
        reset_guards.raw_is_new(raw, day=slot.day),
        guards.rows_accounted_for(accounting, lines=lines),
        *fit_to_deliver(filtered, accounting),
        *number_verdicts(
            raw,
            filtered,
            accounting,
            tables.read(REJECTED, slot),
            slot=slot,
            listed=tables.read("active_products", slot)["product_id"],
            limits=settings.store(slot.store).guards.limits,
            oms=oms,
            state=state,
            tables=tables,
        ),
    ]


def fit_to_deliver(kept: pl.DataFrame, accounting: Accounting) -> list[guards.Verdict]:
    """The guards on the rows themselves."""
    return [
        guards.filtered_row_count(kept.height, accounting=accounting),
        guards.upca_valid(kept, name="filtered_upca_valid"),
        guards.unique(kept, ["facility_id", "upca"], name="filtered_keys_unique", what="a facility and UPCA"),
    ]


def in_parts(filtered: pl.DataFrame) -> tuple[Sequence[pl.DataFrame], list[bytes]]:
    """The parts to deliver, and the bytes of each."""
    parts = split(filtered)
    return parts, [to_csv(part) for part in parts]


def read_accounting(table: pl.DataFrame) -> tuple[int, Accounting]:
    """The lines on arrival and the accounting that ``assets.reset.accounting_table`` wrote down."""
    counts = dict(table.iter_rows())
    rejected = {reason: counts.get(f"rejected: {reason}", 0) for reason in REASONS}
    read = counts["kept"] + counts["inactive"] + sum(rejected.values())
    return counts["lines"], Accounting(read=read, kept=counts["kept"], inactive=counts["inactive"], rejected=rejected)


def refuse_out_of_turn(store: str, snapshot_at: datetime, state: State, oms: Oms) -> None:
    """A reset must not go out before an older variance was read, or after a newer reset (design.md section 5).

    Raises:
        NotYetError: the OMS has not finished a variance.
        HeldError: a newer reset went out.
    """
    variance = state.newest_variance(store)
    if variance is not None:
        with oms.read() as reader:
            queued = oms.is_on_its_way(reader, variance)
        if queued:
            raise NotYetError(
                f"The OMS has taken {variance.file_name} and not finished it; a newer reset would swallow it",
                "Wait for the OMS's import queue; then rerun",
            )
    newest = state.newest_reset(store)
    if newest is not None and newest.snapshot_at > snapshot_at:
        raise HeldError(
            f"A reset of {store} as of {newest.snapshot_at:%Y-%m-%d %H:%M} UTC went out before"
            f" ({newest.file_name});"
            f" this one is older, as of {snapshot_at:%Y-%m-%d %H:%M} UTC",
            "Nothing is to be done: newer counts are in place, and older ones must not go over them. Keys whose newest"
            " count this is go with the next reset",
        )
