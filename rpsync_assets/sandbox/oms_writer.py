"""Rows into the OMS tables, fast and in SQLAlchemy's own storage formats, and totals kept equal to the ledger.

Belongs here: how rows are written. Does not: which ones.

HotWax recomputes INVENTORY_ITEM totals from INVENTORY_ITEM_DETAIL by a trigger and then PRODUCT_FACILITY; here
``post`` does both in the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table

from rpsync_assets.oms import tables

Value = str | int | float | datetime | None
Row = tuple[Value, ...]


def moment(value: datetime) -> str:
    """A naive UTC moment as SQLAlchemy stores it on SQLite."""
    return value.strftime("%Y-%m-%d %H:%M:%S.%f")


def insert(connection: Connection, table: Table, columns: str, rows: Iterable[Row], *, or_ignore: bool = False) -> None:
    """Write many rows.

    Args:
        connection: inside the caller's transaction.
        table: where to.
        columns: names of the columns, with spaces between them, in the order of the values.
        rows: values; naive UTC moments as ``datetime``.
        or_ignore: leave rows alone whose key is there already.
    """
    names = columns.split()
    for name in names:
        table.c[name]  # a misspelt column must name itself, not "no such column" in a statement of 60 KB
    values = [tuple(moment(value) if isinstance(value, datetime) else value for value in row) for row in rows]
    if values:
        connection.exec_driver_sql(
            f"INSERT {'OR IGNORE ' if or_ignore else ''}INTO {table.name} ({', '.join(names)})"  # noqa: S608  our names
            f" VALUES ({', '.join('?' * len(names))})",
            values,
        )


@dataclass(frozen=True)
class Movement:
    """One row of the OMS ledger."""

    facility_id: str
    product_id: str
    inventory_item_id: str
    effective_at: datetime
    arrived_at: datetime
    on_hand: int
    promised: int
    order_id: str | None = None
    order_item_seq_id: str | None = None
    shipment_id: str | None = None
    issuance_id: str | None = None
    return_id: str | None = None
    reason: str | None = None


DETAIL_COLUMNS = (
    "INVENTORY_ITEM_ID INVENTORY_ITEM_DETAIL_SEQ_ID EFFECTIVE_DATE CREATED_STAMP QUANTITY_ON_HAND_DIFF"
    " AVAILABLE_TO_PROMISE_DIFF ORDER_ID ORDER_ITEM_SEQ_ID SHIPMENT_ID ITEM_ISSUANCE_ID RETURN_ID REASON_ENUM_ID"
)


def post(connection: Connection, movements: Sequence[Movement], prefix: str) -> None:
    """Append to the ledger and move the totals.

    Args:
        connection: inside the caller's transaction.
        movements: in the order of their numbers.
        prefix: what their sequence ids begin with; unique per store and business date.
    """
    insert(
        connection,
        tables.inventory_item_detail,
        DETAIL_COLUMNS,
        (
            (
                *(row.inventory_item_id, f"{prefix}{number:06d}", row.effective_at, row.arrived_at, row.on_hand),
                *(row.promised, row.order_id, row.order_item_seq_id, row.shipment_id, row.issuance_id, row.return_id),
                row.reason,
            )
            for number, row in enumerate(movements, 1)
        ),
    )
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in movements:
        total = sums[row.inventory_item_id, row.product_id, row.facility_id]
        total[0] += row.on_hand
        total[1] += row.promised
    move_totals(connection, [(*key, total[0], total[1]) for key, total in sums.items()])


def move_totals(connection: Connection, changes: Sequence[tuple[str, str, str, int, int]]) -> None:
    """Add differences to the totals of INVENTORY_ITEM and PRODUCT_FACILITY.

    Args:
        connection: inside the caller's transaction.
        changes: inventory item, product, facility, change of quantity on hand, change of available to promise.
    """
    if not changes:
        return
    connection.exec_driver_sql(
        "UPDATE INVENTORY_ITEM SET QUANTITY_ON_HAND_TOTAL = QUANTITY_ON_HAND_TOTAL + ?,"
        " AVAILABLE_TO_PROMISE_TOTAL = AVAILABLE_TO_PROMISE_TOTAL + ? WHERE INVENTORY_ITEM_ID = ?",
        [(on_hand, promised, item) for item, _product, _facility, on_hand, promised in changes],
    )
    connection.exec_driver_sql(
        "UPDATE PRODUCT_FACILITY SET LAST_INVENTORY_COUNT = LAST_INVENTORY_COUNT + ?,"
        " COMPUTED_LAST_INVENTORY_COUNT = MAX(LAST_INVENTORY_COUNT + ? - COALESCE(MINIMUM_STOCK, 0), 0)"
        " WHERE PRODUCT_ID = ? AND FACILITY_ID = ?",
        [(promised, promised, product, facility) for _item, product, facility, _on_hand, promised in changes],
    )


def undo(connection: Connection, prefix: str) -> None:
    """Take back everything that a morning inserted, for one that crashed before its truth was in the book.

    Rows of a morning carry ids that begin with its prefix. What it updated in older orders is not taken back: the
    replay, from the same seed and book, sets the same values again.
    """
    like = (prefix + "%",)
    gone = connection.exec_driver_sql(
        "SELECT d.INVENTORY_ITEM_ID, i.PRODUCT_ID, i.FACILITY_ID, CAST(-SUM(d.QUANTITY_ON_HAND_DIFF) AS INTEGER),"
        " CAST(-SUM(d.AVAILABLE_TO_PROMISE_DIFF) AS INTEGER) FROM INVENTORY_ITEM_DETAIL d"
        " JOIN INVENTORY_ITEM i ON i.INVENTORY_ITEM_ID = d.INVENTORY_ITEM_ID"
        " WHERE d.INVENTORY_ITEM_DETAIL_SEQ_ID LIKE ? GROUP BY 1, 2, 3",
        like,
    ).all()
    move_totals(connection, [(row[0], row[1], row[2], row[3], row[4]) for row in gone])
    for table, column in (
        (tables.inventory_item_detail, "INVENTORY_ITEM_DETAIL_SEQ_ID"),
        (tables.item_issuance, "ITEM_ISSUANCE_ID"),
        (tables.order_status, "ORDER_STATUS_ID"),
        (tables.order_item_reservation, "ORDER_ID"),
        (tables.order_item_ship_group, "ORDER_ID"),
        (tables.order_item, "ORDER_ID"),
        (tables.order_header, "ORDER_ID"),
    ):
        connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE {column} LIKE ?", like)  # noqa: S608
