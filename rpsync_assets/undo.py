"""``rpsync undo``: write the file that would take a day's reset and variance back out, and tell its numbers.

Belongs here: reading the day's receipts, writing the file. Does not: the arithmetic (``core/undo``), delivering: no
door that sends is opened here.

The file is minus what the day's imports changed. So all of them must be known: a file that HotWax imported twice
changed the counts twice, and what an undo took back before is not taken back again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from rpsync_assets.core.errors import NotYetError, SetupError
from rpsync_assets.core.keys import KEY
from rpsync_assets.core.ledger import RESET, VARIANCE
from rpsync_assets.core.names import undo_name
from rpsync_assets.core.parts import LOCATION
from rpsync_assets.core.undo import REMARK, undo
from rpsync_assets.core.variance import to_csv
from rpsync_assets.explain.sources import Sources, opened
from rpsync_assets.resources.databases import told_plainly
from rpsync_assets.resources.oms_reader import STATUS_CRASHED, ImportLog, OmsReader
from rpsync_assets.resources.private import promoted
from rpsync_assets.resources.state import Delivery, Kind
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
            f"Written to {self.file}. Nothing was delivered: to apply it, upload it once, under this name, to the OMS's"
            " inventory-variance folder yourself.",
            "The check oms_matches_retail_pro of that day will be red then, as it should be; Retail Pro's next count"
            " puts these keys right.",
        ]


def prepare_undo(settings: Settings, store: str, day: date, folder: Path) -> Undone:
    """Write ``undo_<STORE>_<YYYYMMDD>.csv`` into a folder.

    Raises:
        NotYetError: the OMS has not said what it made of the day, or a variance is still due.
        SetupError: nothing of the day is in the OMS, it cannot be asked, or what it changed cannot be told.
    """
    with opened(settings, store, day) as sources:
        if sources.oms is None:
            raise SetupError(f"The OMS cannot be asked: {sources.oms_trouble}", "Mend that first")
        with told_plainly("The OMS database"):
            return _prepared(sources, sources.oms, folder)


def _prepared(sources: Sources, oms: OmsReader, folder: Path) -> Undone:
    store, day, state = sources.store, sources.day, sources.state
    reset, variance = _received(sources, oms, "reset"), _received(sources, oms, "variance")
    if state is None:
        raise SetupError(
            "The state database is gone: which counts are newer is not known", "Restore it from its backup"
        )
    due = state.accepted_without_variance(store, day).height
    if due:
        raise NotYetError(
            f"{due} keys of {store} on {day} may still get a variance, which would undo the undo",
            "Materialize variance_file and variance_import of that day first, then ask again",
        )
    before, turn = _taken_back(sources, oms)
    accepted = state.accepted_of_day(store, day)
    rows = undo(reset, pl.concat([variance.select(*KEY, "applied"), before]), accepted, oms.counts(store))
    changed = reset.filter(pl.col("difference") != 0).select(KEY).unique()
    if rows.is_empty():
        raise SetupError(_nothing_left(sources, changed.height, accepted, turn), "Nothing is to be done")
    file = folder / undo_name(store, day, turn)
    with promoted(file) as handle:
        handle.write(to_csv(rows, LOCATION, f"{REMARK} {store} for {day}"))
    return Undone(file, rows, changed.join(accepted, on=KEY, how="anti").height)


def _nothing_left(sources: Sources, changed: int, accepted: pl.DataFrame, turn: int) -> str:
    where = f"{sources.store} on {sources.day}"
    if turn > 1:
        return f"{where} was taken back already: the OMS imported {undo_name(sources.store, sources.day, turn - 1)}"
    if not changed:
        return f"The reset of {where} changed nothing"
    if accepted.is_empty():
        return f"Nothing of {where} can be taken back: {changed} keys were changed, and each has a newer count"
    return f"Nothing of {where} is to be taken back: its reset and its variance cancel each other out"


def _received(sources: Sources, oms: OmsReader, kind: Kind) -> pl.DataFrame:
    """The receipts of the day's resets or variances; all of them, or none is believed."""
    where = f"{sources.store} on {sources.day}"
    table, amount, reason = {
        "reset": ("reset_import", "difference", RESET),
        "variance": ("variance_import", "applied", VARIANCE),
    }[kind]
    rows = sources.table(table)
    out = sources.went_out(kind)
    if rows is None and (out or kind == "reset"):
        raise NotYetError(
            f"What the OMS made of the {kind} of {where} is not known", f"Materialize {table} of that day first"
        )
    if rows is None:
        return pl.DataFrame(schema={**dict.fromkeys(KEY, pl.String), "upca": pl.String, amount: pl.Int64})
    known = rows.filter(pl.col("status") != "failed")
    if known[amount].null_count() or (out and not _tells_changes(sources)):
        raise SetupError(
            f"By how much HotWax's imports of {where} changed its counts is not known: [oms] ledger or import_log is"
            " off",
            "Take the day back by hand, or give us the ledger and the import log of the replica",
        )
    imports = [(one, _finished(oms, one)) for one in out]
    expected = sum(one.rows for one, logs in imports if logs)
    if rows.height < expected:
        raise NotYetError(
            f"{table} of {where} holds {rows.height} rows, and {expected} were delivered",
            f"Materialize {table} of that day again, so that nothing is missing",
        )
    return pl.concat(
        [
            rows.select(*KEY, "upca", pl.col(amount)),
            *_earlier_imports(oms, sources.store, imports, rows, amount=amount, reason=reason),
        ]
    )


def _tells_changes(sources: Sources) -> bool:
    its = sources.settings.oms
    return its.kind != "hotwax" or (its.ledger and its.import_log)


def _finished(oms: OmsReader, delivery: Delivery) -> list[ImportLog]:
    """The finished imports of a delivered file, newest first; none if the OMS refused it.

    Raises:
        NotYetError: one is under way.
        SetupError: one died on its way.
    """
    logs = oms.import_logs(delivery.file_name)
    for log in logs:
        if log.status == STATUS_CRASHED:
            raise SetupError(
                f"The import {log.log_id} of {delivery.file_name} died, and how far it came is not known",
                "Compare the counts of its keys by hand",
            )
        if not (log.finished or log.refused):
            raise NotYetError(
                f"The OMS has not finished the import {log.log_id} of {delivery.file_name} ({log.status})",
                "Wait for it, materialize the day's receipts again, then ask again",
            )
    return [log for log in logs if log.finished]


def _earlier_imports(
    oms: OmsReader,
    store: str,
    imports: Sequence[tuple[Delivery, list[ImportLog]]],
    rows: pl.DataFrame,
    *,
    amount: str,
    reason: str,
) -> list[pl.DataFrame]:
    """What imports changed that the receipts do not hold: a file that is imported again has the newest one's only."""
    told = set(rows["log_id"].to_list())
    keys = rows.select(*KEY, "upca").drop_nulls("product_id").unique(KEY)
    found: list[pl.DataFrame] = []
    for _, logs in imports:
        for log in logs:
            if log.log_id in told or log.started_at is None or log.finished_at is None:
                continue
            changed = oms.corrections(store, reason, log.started_at, log.finished_at)
            found.append(changed.join(keys, on=KEY).select(*KEY, "upca", pl.col("units").alias(amount)))
    return found


def _taken_back(sources: Sources, oms: OmsReader) -> tuple[pl.DataFrame, int]:
    """What earlier undo files of the day changed: key and ``applied``; and the turn of the next one.

    Raises:
        NotYetError: the OMS has one and has not finished it.
    """
    found = [pl.DataFrame(schema={**dict.fromkeys(KEY, pl.String), "applied": pl.Int64})]
    turn = 1
    while _tells_changes(sources) and (logs := oms.import_logs(name := undo_name(sources.store, sources.day, turn))):
        for log in logs:
            if not (log.finished or log.refused):
                raise NotYetError(f"The OMS has taken {name} and not finished it ({log.status})", "Wait for it")
        if not any(log.finished for log in logs):
            break  # It was refused as a whole: its name is free.
        for log in logs:
            if not log.finished:
                continue
            if sources.settings.oms.kind != "hotwax":
                found.append(oms.variance_rows(log.log_id).select(*KEY, "applied"))
            elif log.started_at is not None and log.finished_at is not None:
                changed = oms.corrections(sources.store, VARIANCE, log.started_at, log.finished_at)
                found.append(changed.select(*KEY, applied="units"))
        turn += 1
    return pl.concat(found), turn
