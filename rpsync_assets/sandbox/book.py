"""The sandbox's own truth, in a database apart from the OMS: what the shelves hold and what was really shipped.

Belongs here: reading and writing what was invented. Does not: the product's SQL or arithmetic. Tests hold the product
against this book; it must never be filled from the product's answers.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

_SCHEMA = """
CREATE TABLE IF NOT EXISTS played (
    store TEXT, business_date TEXT, snapshot_at TEXT, morning TEXT, PRIMARY KEY (store, business_date));
CREATE TABLE IF NOT EXISTS shelf (
    store TEXT, facility_id TEXT, product_id TEXT, quantity INTEGER, PRIMARY KEY (facility_id, product_id));
CREATE TABLE IF NOT EXISTS issued (
    store TEXT, order_id TEXT, facility_id TEXT, product_id TEXT, quantity INTEGER, issued_at TEXT, booked_at TEXT);
CREATE TABLE IF NOT EXISTS open_line (
    store TEXT, order_id TEXT, order_item_seq_id TEXT, ship_group TEXT, facility_id TEXT, product_id TEXT,
    quantity INTEGER, may_complete INTEGER);
CREATE TABLE IF NOT EXISTS truth (
    store TEXT, business_date TEXT, facility_id TEXT, product_id TEXT, upca TEXT, shelf_at_snapshot INTEGER,
    unreported INTEGER, file_quantity INTEGER, moved_since INTEGER,
    PRIMARY KEY (store, business_date, facility_id, product_id)) WITHOUT ROWID;
"""

Key = tuple[str, str]
"""Facility and product."""


@dataclass(frozen=True)
class Issued:
    """Units that left a shelf for an order that Retail Pro has to be told of; moments as ISO text in UTC."""

    order_id: str
    facility_id: str
    product_id: str
    quantity: int
    issued_at: str
    booked_at: str | None

    def unreported_at(self, moment: str) -> bool:
        """Whether it had left the shelf and Retail Pro did not know at that moment."""
        return self.issued_at <= moment and (self.booked_at is None or self.booked_at > moment)


@dataclass(frozen=True)
class OpenLine:
    """Units of an order line that still wait, reserved at a facility."""

    order_id: str
    order_item_seq_id: str
    ship_group: str
    facility_id: str
    product_id: str
    quantity: int
    may_complete: bool


def iso(moment: datetime) -> str:
    """A naive UTC moment as text that sorts."""
    return moment.isoformat(sep=" ", timespec="microseconds")


def create(path: Path) -> None:
    """Make the tables where they are missing."""
    with opened(path) as connection:
        connection.executescript(_SCHEMA)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """One connection, one transaction: committed when the block ends well."""
    connection = sqlite3.connect(path, timeout=600, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        if connection.in_transaction:
            connection.execute("COMMIT")
    finally:
        connection.close()


def truth(path: Path, store: str, business_date: date) -> pl.DataFrame:
    """What must be true of every kept key of one store and date.

    Returns:
        ``store, business_date, facility_id, product_id, upca, shelf_at_snapshot, unreported, file_quantity,
        moved_since``; after reset and variance the OMS's quantity on hand is
        ``shelf_at_snapshot + moved_since``.
    """
    names = (
        *("store", "business_date", "facility_id", "product_id", "upca"),
        *("shelf_at_snapshot", "unreported", "file_quantity", "moved_since"),
    )
    with opened(path) as connection:
        rows = connection.execute(
            f"SELECT {', '.join(names)} FROM truth WHERE store = ? AND business_date = ?"  # noqa: S608  our names
            " ORDER BY facility_id, upca",
            (store, business_date.isoformat()),
        ).fetchall()
    schema = {name: pl.String if place < 5 else pl.Int64 for place, name in enumerate(names)}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("business_date").str.to_date())


def unreported(issued: list[Issued], moment: datetime) -> dict[Key, int]:
    """Units per key that had left the shelf unknown to Retail Pro: the independent oracle of the product's U0."""
    found: dict[Key, int] = {}
    at = iso(moment)
    for one in issued:
        if one.unreported_at(at):
            key = (one.facility_id, one.product_id)
            found[key] = found.get(key, 0) + one.quantity
    return found


def read_issued(connection: sqlite3.Connection, store: str) -> list[Issued]:
    """All units issued for a store's orders so far."""
    return [
        Issued(*row)
        for row in connection.execute(
            "SELECT order_id, facility_id, product_id, quantity, issued_at, booked_at FROM issued WHERE store = ?"
            " ORDER BY rowid",
            (store,),
        )
    ]


def read_open_lines(connection: sqlite3.Connection, store: str) -> list[OpenLine]:
    """All lines of a store's orders that still wait."""
    return [
        OpenLine(row[0], row[1], row[2], row[3], row[4], row[5], may_complete=bool(row[6]))
        for row in connection.execute(
            "SELECT order_id, order_item_seq_id, ship_group, facility_id, product_id, quantity, may_complete"
            " FROM open_line WHERE store = ? ORDER BY rowid",
            (store,),
        )
    ]


def remember(
    connection: sqlite3.Connection,
    store: str,
    *,
    shelves: dict[Key, int],
    issued: list[Issued],
    open_lines: list[OpenLine],
) -> None:
    """Write what a store's morning left behind: changed shelves, all issued units, all waiting lines."""
    connection.executemany(
        "INSERT OR REPLACE INTO shelf VALUES (?, ?, ?, ?)",
        [(store, *key, quantity) for key, quantity in sorted(shelves.items())],
    )
    connection.execute("DELETE FROM issued WHERE store = ?", (store,))
    connection.executemany(
        "INSERT INTO issued VALUES (?, ?, ?, ?, ?, ?, ?)", [(store, *astuple(one)) for one in issued]
    )
    connection.execute("DELETE FROM open_line WHERE store = ?", (store,))
    connection.executemany(
        "INSERT INTO open_line VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(store, *astuple(one)) for one in open_lines]
    )


def remember_truth(
    connection: sqlite3.Connection, morning: tuple[str, str], rows: Iterable[tuple[str | int, ...]]
) -> None:
    """Write what must be true of the kept keys of a morning (store and ISO date)."""
    connection.executemany("INSERT INTO truth VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", ((*morning, *row) for row in rows))
