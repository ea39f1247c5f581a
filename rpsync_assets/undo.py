"""``rpsync undo``: write the file that would take a day's reset and variance back out, and tell its numbers.

Belongs here: reading the day's receipts, writing the file. Does not: the arithmetic (``core/undo``), delivering: no
door that sends is opened here.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from rpsync_assets.core.errors import NotYetError, SetupError
from rpsync_assets.core.names import undo_name
from rpsync_assets.core.parts import LOCATION
from rpsync_assets.core.undo import KEY, REMARK, undo
from rpsync_assets.core.variance import to_csv
from rpsync_assets.explain.sources import Sources, opened
from rpsync_assets.resources.private import promoted
from rpsync_assets.settings import Settings

MOVERS = 10


@dataclass(frozen=True)
class Undone:
    """What the file would do."""

    file: Path
    rows: pl.DataFrame
    left_alone: int

    @property
    def lines(self) -> list[str]:
        """For a person."""
        delta = self.rows["available_delta"]
        short = self.rows.filter(pl.col("would_be") - pl.col("quantity_on_hand") != pl.col("available_delta"))
        to_zero = self.rows.filter((pl.col("quantity_on_hand") > 0) & (pl.col("would_be") <= 0)).height
        biggest = self.rows.sort(delta.abs(), descending=True).head(MOVERS)
        return [
            f"{self.rows.height} rows: {int(delta.filter(delta > 0).sum())} units up,"
            f" {int(-delta.filter(delta < 0).sum())} units down; {to_zero} keys would go to zero.",
            f"{len(short)} keys have less than would be taken out: the OMS stops at zero there.",
            f"{self.left_alone} keys of the day are left alone: a newer count has taken their place.",
            *(
                f"  {row['facility_id']} {row['upca']}: {row['available_delta']:+d}, QOH {row['quantity_on_hand']} ->"
                f" {row['would_be']}"
                for row in biggest.iter_rows(named=True)
            ),
            f"Written to {self.file}. Nothing was delivered: to apply it, upload it once to the OMS's"
            " inventory-variance folder yourself.",
            "The check oms_matches_retail_pro of that day will be red then, as it should be; Retail Pro's next count"
            " puts these keys right.",
        ]


def prepare_undo(settings: Settings, store: str, day: date, folder: Path) -> Undone:
    """Write ``undo_<STORE>_<YYYYMMDD>.csv`` into a folder.

    Raises:
        NotYetError: the OMS has not said what it made of the day.
        SetupError: nothing of the day is in the OMS, or it cannot be asked.
    """
    with opened(settings, store, day) as sources:
        reset, variance = _received(sources)
        state = sources.state
        if state is None or sources.oms is None:
            raise SetupError(f"The OMS cannot be asked: {sources.oms_trouble}", "Mend that first")
        accepted = state.accepted_of_day(store, day)
        rows = undo(reset, variance, accepted, sources.oms.counts(store))
    changed = reset.filter(pl.col("difference").fill_null(0) != 0).select(KEY).unique()
    if rows.is_empty():
        raise SetupError(
            f"Nothing of {store} on {day} can be taken back: {changed.height} keys were changed, and each has a newer"
            " count"
            if changed.height
            else f"The reset of {store} on {day} changed nothing",
            "Nothing is to be done",
        )
    file = folder / undo_name(store, day)
    with promoted(file) as handle:
        handle.write(to_csv(rows, LOCATION, f"{REMARK} {store} for {day}"))
    return Undone(file, rows, changed.join(accepted, on=KEY, how="anti").height)


def _received(sources: Sources) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The receipts of the day's reset and variance; all of them, or none is believed."""
    state, where = sources.state, f"{sources.store} on {sources.day}"
    sent = {
        kind: [] if state is None else state.deliveries(sources.store, sources.day, kind)
        for kind in ("reset", "variance")
    }
    received: list[pl.DataFrame] = []
    for kind, table in (("reset", "reset_import"), ("variance", "variance_import")):
        rows = sources.table(table)
        out = [one for one in sent[kind] if one.delivered_at is not None]
        if rows is None and (out or kind == "reset"):
            raise NotYetError(
                f"What the OMS made of the {kind} of {where} is not known", f"Materialize {table} of that day first"
            )
        if rows is not None and rows.height < sum(one.rows for one in out):
            raise NotYetError(
                f"{table} of {where} holds {rows.height} rows, and {sum(one.rows for one in out)} were delivered",
                f"Materialize {table} of that day again, so that nothing is missing",
            )
        received.append(
            pl.DataFrame(schema={**dict.fromkeys(KEY, pl.String), "applied": pl.Int64}) if rows is None else rows
        )
    return received[0], received[1]
