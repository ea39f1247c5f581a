"""A shop's inventory and orders, in a SQLite file that outlives the emulator.

Belongs here: counts, Shopify's own orders and what they do to counts, and the log of every change. Does not: what an
API call may do (``rules``), HTTP (``server``).

Shopify moves its own stock: an order takes from ``available`` at once; a refund gives back only if it restocks.
"""

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS level (item TEXT, location TEXT, available INTEGER, PRIMARY KEY (location, item));
CREATE TABLE IF NOT EXISTS mark (item TEXT, what TEXT, PRIMARY KEY (item, what));
CREATE TABLE IF NOT EXISTS orders (
  id INTEGER PRIMARY KEY, location TEXT, created_at TEXT, cancelled_at TEXT, lines TEXT, refunds TEXT,
  updated_at TEXT);
CREATE TABLE IF NOT EXISTS applied (
  number INTEGER PRIMARY KEY, operation TEXT, item TEXT, location TEXT, delta INTEGER, available_after INTEGER,
  idempotency_key TEXT, reference TEXT);
CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, asked TEXT, said TEXT);
"""
FIRST_ORDER = 5001


@dataclass(frozen=True)
class Applied:
    """One change of a count that really happened."""

    number: int
    operation: str
    item: str
    location: str
    delta: int
    available_after: int
    idempotency_key: str | None
    reference: str | None


@dataclass(frozen=True)
class Order:
    """An order; ``lines`` is item -> ordered units, ``refunds`` is (item, units, restocked), all at one location."""

    id: int
    location: str
    created_at: str
    cancelled_at: str | None
    lines: dict[str, int]
    refunds: list[tuple[str, int, bool]]
    updated_at: str

    @property
    def left(self) -> dict[str, int]:
        """Units per item that were not given back."""
        given_back = Counter[str]()
        for item, units, _ in self.refunds:
            given_back[item] += units
        return {item: units - given_back[item] for item, units in self.lines.items() if units > given_back[item]}


class Shop:
    """One shop; may be used from several threads."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.executescript(_TABLES)
        self._lock = threading.RLock()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all or nothing."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    # Inventory --------------------------------------------------------------------------------------------------------
    def stock(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Counts: item, location, available; in place of what was there for these."""
        with self.changing() as connection:
            connection.executemany("INSERT OR REPLACE INTO level VALUES (?, ?, ?)", rows)

    def begin_with(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Counts of items that are not stocked there yet; the others stay as they are."""
        with self.changing() as connection:
            connection.executemany("INSERT OR IGNORE INTO level VALUES (?, ?, ?)", rows)

    def counts(self) -> dict[tuple[str, str], int]:
        """Available per item and location."""
        with self._lock:
            found = self._connection.execute("SELECT item, location, available FROM level")
            return {(item, location): available for item, location, available in found}

    def counts_of(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Available of these items and locations, as far as they are stocked there."""
        with self._lock:
            found = self._connection.execute(
                "SELECT L.item, L.location, L.available FROM json_each(?) P JOIN level L"
                " ON L.item = P.value ->> 0 AND L.location = P.value ->> 1",
                (json.dumps(places),),
            )
            return {(item, location): available for item, location, available in found}

    def available(self, item: str, location: str) -> int:
        """One count."""
        return self.counts_of([(item, location)])[item, location]

    def in_stock(self, share: float) -> tuple[str, str, int] | None:
        """The item, location and count that lies at a share of all that is in stock; None if nothing is."""
        with self._lock:
            (there,) = self._connection.execute("SELECT COUNT(*) FROM level WHERE available > 0").fetchone()
            return self._connection.execute(
                "SELECT item, location, available FROM level WHERE available > 0 ORDER BY location, item LIMIT 1"
                " OFFSET ?",
                (int(there * share),),
            ).fetchone()

    def page(self, location: str, after: str, size: int) -> list[tuple[str, int]]:
        """Items and counts of a location behind a cursor."""
        with self._lock:
            return self._connection.execute(
                "SELECT item, available FROM level WHERE location = ? AND item > ? ORDER BY item LIMIT ?",
                (location, after, size),
            ).fetchall()

    def locations(self) -> list[str]:
        """Where anything is stocked."""
        with self._lock:
            return [place for (place,) in self._connection.execute("SELECT DISTINCT location FROM level ORDER BY 1")]

    def has_location(self, location: str) -> bool:
        """Whether anything is stocked there."""
        with self._lock:
            return (
                self._connection.execute("SELECT 1 FROM level WHERE location = ?", (location,)).fetchone() is not None
            )

    def bundle(self, *items: str) -> None:
        """These can no longer be changed: their counts follow from their parts."""
        self._mark("bundle", items)

    def delete(self, *items: str) -> None:
        """These are gone for the API's calls; their counts are still shown where somebody read them before."""
        self._mark("deleted", items)

    def marked(self, what: str, items: Sequence[str]) -> set[str]:
        """Which of these are bundles, or deleted."""
        with self._lock:
            found = {item for (item,) in self._connection.execute("SELECT item FROM mark WHERE what = ?", (what,))}
        return found.intersection(items)

    def _mark(self, what: str, items: Sequence[str]) -> None:
        with self.changing() as connection:
            connection.executemany("INSERT OR IGNORE INTO mark VALUES (?, ?)", [(item, what) for item in items])

    def move(
        self,
        connection: sqlite3.Connection,
        operation: str,
        deltas: Sequence[tuple[str, str, int]],
        key: str | None = None,
        reference: str | None = None,
    ) -> None:
        """Change counts and write each change down; part of the caller's transaction."""
        connection.executemany(
            "UPDATE level SET available = available + ? WHERE item = ? AND location = ?",
            [(delta, item, location) for item, location, delta in deltas],
        )
        connection.executemany(
            "INSERT INTO applied (operation, item, location, delta, available_after, idempotency_key, reference)"
            " SELECT ?, item, location, ?, available, ?, ? FROM level WHERE item = ? AND location = ?",
            [(operation, delta, key, reference, item, location) for item, location, delta in deltas],
        )

    @property
    def log(self) -> list[Applied]:
        """Every change, in its order."""
        with self._lock:
            return [Applied(*row) for row in self._connection.execute("SELECT * FROM applied ORDER BY number")]

    # Shopify's own orders ---------------------------------------------------------------------------------------------
    def place_order(self, lines: dict[str, int], location: str, at: datetime | None = None) -> str:
        """Somebody buys; the order's id."""
        moment = _instant(at)
        with self.changing() as connection:
            (newest,) = connection.execute("SELECT COALESCE(MAX(id), ?) FROM orders", (FIRST_ORDER - 1,)).fetchone()
            connection.execute(
                "INSERT INTO orders VALUES (?, ?, ?, NULL, ?, '[]', ?)",
                (newest + 1, location, moment, json.dumps(lines), moment),
            )
            self.move(connection, "order", [(item, location, -units) for item, units in lines.items()])
        return str(newest + 1)

    def refund(self, order: str, item: str, units: int, *, restock: bool) -> None:
        """Units of a line are given back, or edited out of it; on sale again only if they are restocked."""
        with self.changing() as connection:
            known = self.order(order)
            refunds = [*known.refunds, (item, units, restock)]
            self._write(connection, known.id, "refunds", json.dumps(refunds))
            if restock:
                self.move(connection, "restock", [(item, known.location, units)])

    def cancel(self, order: str, *, restock: bool) -> None:
        """All that is left of an order."""
        with self.changing() as connection:
            known = self.order(order)
            left = known.left
            refunds = [*known.refunds, *((item, units, restock) for item, units in left.items())]
            self._write(connection, known.id, "refunds", json.dumps(refunds))
            self._write(connection, known.id, "cancelled_at", _instant())
            if restock:
                self.move(connection, "restock", [(item, known.location, units) for item, units in left.items()])

    def add_to_order(self, order: str, item: str, units: int) -> None:
        """An edit that adds units."""
        with self.changing() as connection:
            known = self.order(order)
            lines = {**known.lines, item: known.lines.get(item, 0) + units}
            self._write(connection, known.id, "lines", json.dumps(lines))
            self.move(connection, "order", [(item, known.location, -units)])

    @staticmethod
    def _write(connection: sqlite3.Connection, order: int, column: str, value: str) -> None:
        connection.execute(
            f"UPDATE orders SET {column} = ?, updated_at = ? WHERE id = ?",  # noqa: S608  our own words
            (value, _instant(), order),
        )

    def order(self, order: str) -> Order:
        """One order."""
        return self.orders(f"id = {int(order)}", 1)[0]

    def orders(self, condition: str, most: int, *values: object) -> list[Order]:
        """Orders that meet a condition, oldest first."""
        question = f"SELECT * FROM orders WHERE {condition} ORDER BY id LIMIT {most}"  # noqa: S608  our own words
        with self._lock:
            rows = self._connection.execute(question, values).fetchall()
        return [
            Order(
                number, place, made, cancelled, json.loads(lines), [tuple(one) for one in json.loads(refunds)], changed
            )
            for number, place, made, cancelled, lines, refunds, changed in rows
        ]


def _instant(at: datetime | None = None) -> str:
    return f"{(at or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
