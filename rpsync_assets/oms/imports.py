"""Importing a delivered file into the embedded OMS: every row once, with an outcome, while tills go on selling.

Belongs here: a reset's and a variance's way through the import log. Does not: finding files (``oms/inbox``), the SQL
(``oms/import_sql``), the ledger (``oms/ledger``).

One import at a time, as in HotWax's queue; a second process waits for its turn and then finds the file imported. Rows
are applied in batches, each a short transaction of ledger, totals and outcome together, so that a sale at a till never
waits long; an import that died is taken up after the last batch it finished. What makes it an import is its log entry:
nobody takes a file for imported before that says so.
"""

import fcntl
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
from sqlalchemy import Connection, Engine

from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.guards import CLOCKS_APART
from rpsync_assets.core.ledger import RESET, VARIANCE
from rpsync_assets.core.names import DeliveredName, error_name, read_delivered_name, read_undo_name
from rpsync_assets.oms import import_sql, incoming
from rpsync_assets.oms.delivered import Delivered, read_delivered, snapshot_of, write_errors
from rpsync_assets.oms.import_log import ImportFile, close_log, failed_rows, logs_of_earlier_days, open_log, reset_logs
from rpsync_assets.oms.import_sql import Basis
from rpsync_assets.oms.ledger import FIND_ITEMS, Posting, find_or_make_items, post, stored
from rpsync_assets.resources.private import private_file

_log = logging.getLogger(__name__)

RESET_CONFIG = "RESET_INVENTORY"
VARIANCE_CONFIG = "MDM_INV_VARIANCE"
CONFIGS: dict[Basis, str] = {"snapshot": RESET_CONFIG, "exact_qoh": "IMP_INV_QOH", "exact_atp": "IMP_INV_ATP"}

BATCH = 10_000
"""Lines per transaction: some tenths of a second even when the machine is busy, so that no sale waits for a second."""

GIVE_WAY_SECONDS = 0.01
"""Between batches: longer than a waiting writer sleeps between its tries (``resources/databases``)."""


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    log_id: str
    total: int
    failed: int
    already: bool = False


def import_reset(
    engine: Engine,
    file_name: str,
    content: bytes,
    now: datetime,
    *,
    basis: Basis = "snapshot",
    errors: Path | None = None,
) -> Imported:
    """Import a Reset Inventory CSV (domain.md 1.1); the same file is imported once.

    Args:
        engine: the embedded OMS.
        file_name: the file's name; of ours, it tells store, day and generation.
        content: its bytes.
        now: the moment of importing.
        basis: ``snapshot`` compares with what stood at the row's snapshot (``F + L(T0,now] - QOH(now)``, design.md
            section 5); ``exact_qoh`` and ``exact_atp`` make that count exactly the file's number now (domain.md 3.3 b).
        errors: where to put the CSV of failed rows.

    Raises:
        BadFileError: the file as a whole cannot be read; nothing was changed.
    """
    file = ImportFile(CONFIGS[basis], file_name, content, now)
    name = read_delivered_name(file_name)
    generation = name.generation if name else 1
    difference = import_sql.DIFFERENCE[basis]

    def apply(connection: Connection, log_id: str, first: int, last: int) -> None:
        lines, moment = {"first": first, "last": last}, stored(now)
        connection.exec_driver_sql("DROP TABLE IF EXISTS temp.EARLIER_DAY")
        connection.exec_driver_sql(import_sql.EARLIER_DAY)
        earlier = [(log,) for log in logs_of_earlier_days(connection, RESET_CONFIG, name)]
        if earlier:
            connection.exec_driver_sql("INSERT INTO EARLIER_DAY VALUES (?)", earlier)
        find_or_make_items(connection, first, last, f"R{log_id}")
        judge = import_sql.JUDGE_RESET.format(difference=difference)
        connection.exec_driver_sql(judge, {**lines, "generation": generation})
        record = {**lines, "log": log_id, "generation": generation, "now": moment}
        connection.exec_driver_sql(import_sql.RECORD_RESET, record)
        post(connection, Posting(first, last, f"R{log_id}", RESET, moment, moment))

    def read() -> tuple[Delivered, pl.Expr]:
        taken = snapshot_of(now) if basis == "snapshot" else pl.lit(stored(now))
        return read_delivered(content, amount=("availableqty", "quantity")), taken

    return _import(engine, file, name, "EXTERNAL_INVENTORY_RESET", read, apply, errors)


def import_variance(
    engine: Engine, file_name: str, content: bytes, now: datetime, *, errors: Path | None = None
) -> Imported:
    """Import an Inventory Variance CSV (domain.md 1.2), exactly once and never without its reset.

    A file that a person made with ``rpsync undo`` takes back out what the day's reset and variance did.

    Raises:
        BadFileError: the file cannot be read, or the reset of its store, day and generation was not imported.
    """
    file = ImportFile(VARIANCE_CONFIG, file_name, content, now)
    undoes = read_undo_name(file_name)
    name = undoes or read_delivered_name(file_name)

    def read() -> tuple[Delivered, pl.Expr]:
        return read_delivered(content, amount=("availabledelta",)), pl.lit(None, dtype=pl.String)

    def apply(connection: Connection, log_id: str, first: int, last: int) -> None:
        lines, moment = {"first": first, "last": last}, stored(now)
        # Its keys have items, or the row fails; nothing is made for a variance.
        connection.exec_driver_sql("DROP TABLE IF EXISTS temp.RESET_LOG")
        connection.exec_driver_sql(import_sql.RESET_LOG)
        own_day = [(log,) for log in reset_logs(connection, RESET_CONFIG, name)]
        connection.exec_driver_sql("INSERT INTO RESET_LOG VALUES (?)", own_day)
        connection.exec_driver_sql(FIND_ITEMS, lines)
        for statement in import_sql.JUDGE_UNDO if undoes else import_sql.JUDGE_VARIANCE:
            connection.exec_driver_sql(statement, lines)
        record = {**lines, "log": log_id, "prefix": f"V{log_id}", "now": moment}
        connection.exec_driver_sql(import_sql.RECORD_VARIANCE, record)
        connection.exec_driver_sql(import_sql.WHAT_MOVES, lines)
        post(connection, Posting(first, last, f"V{log_id}", VARIANCE, moment, moment, is_variance=True))

    def refuse_without_reset(connection: Connection) -> None:
        if not reset_logs(connection, RESET_CONFIG, name):
            raise BadFileError(
                f"{file_name} came without its reset: none of that store, day and generation was imported",
                "Import the reset first; deducting alone would take units that never came in",
            )

    return _import(engine, file, name, "INVENTORY_ITEM_VARIANCE", read, apply, errors, refuse_without_reset)


def _import(  # noqa: PLR0913, PLR0917  one flow, two kinds of file
    engine: Engine,
    file: ImportFile,
    name: DeliveredName | None,
    table: str,
    read: Callable[[], tuple[Delivered, pl.Expr]],
    apply: Callable[[Connection, str, int, int], None],
    errors: Path | None,
    allowed: Callable[[Connection], None] = lambda _connection: None,
) -> Imported:
    with _queued(engine), engine.connect() as connection:
        # A batch that a power cut takes away is done again: only the end of the import must be on the disk.
        _set(
            connection,
            "temp_store = MEMORY",
            "cache_size = -65536",
            "wal_autocheckpoint = 16384",
            "synchronous = NORMAL",
        )
        with _reading(connection):
            if (done := file.finished(connection)) is not None:
                return Imported(*done, already=True)
            allowed(connection)
            delivered, snapshot = read()
            rows = delivered.rows.with_columns(snapshot.alias("snapshot")).select(list(incoming.NAMES))
            incoming.load(connection, incoming.resolve(connection, rows, stored(file.now)))
            incoming.refuse_future(connection, stored(file.now + CLOCKS_APART))
        with _writing(connection):
            log_id, after = open_log(connection, file, name, table)
        for first in range(after + 1, rows.height + 2, BATCH):
            with _writing(connection):
                apply(connection, log_id, first, first + BATCH - 1)
            if first + BATCH < rows.height:
                _log.info("%s: %d of %d rows", file.name, first + BATCH - 2, rows.height)
                time.sleep(GIVE_WAY_SECONDS)
        with _reading(connection):
            failed = failed_rows(connection, log_id, table)
        place = errors / error_name(file.name) if errors and failed else None
        if place:
            write_errors(delivered.original, failed, place)
        _set(connection, "synchronous = FULL")
        with _writing(connection):
            close_log(connection, file, log_id, total=rows.height, failed=len(failed), errors=place)
    return Imported(log_id, rows.height, len(failed))


@contextmanager
def _queued(engine: Engine) -> Iterator[None]:
    """Wait for our turn: one import at a time, whatever process it is in; a process that dies leaves the queue."""
    with private_file(Path(f"{engine.url.database}.import_queue")).open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _set(connection: Connection, *settings: str) -> None:
    """Settings of SQLite's for this connection; outside of a transaction, where some of them must be made."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101  the embedded OMS's database
    for setting in settings:
        driver.execute(f"PRAGMA {setting}").close()


@contextmanager
def _reading(connection: Connection) -> Iterator[None]:
    connection.execution_options(writes=False)
    with connection.begin():
        yield


@contextmanager
def _writing(connection: Connection) -> Iterator[None]:
    connection.execution_options(writes=True)
    with connection.begin():
        yield
