"""The rows that the orders of a morning write, and writing them.

Belongs here: what goes into which OMS table. Does not: inventing orders (``orders``), the ledger (``oms_writer.post``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from rpsync_assets.oms import tables
from rpsync_assets.sandbox.book import Issued, Key, OpenLine
from rpsync_assets.sandbox.day import Stocked
from rpsync_assets.sandbox.oms_writer import Movement, Row, insert


@dataclass
class OrderRows:
    """Everything that the orders of a morning write."""

    headers: list[Row] = field(default_factory=list)
    items: list[Row] = field(default_factory=list)
    ship_groups: list[Row] = field(default_factory=list)
    statuses: list[tuple[str, str, str | None, datetime]] = field(default_factory=list)
    issuances: list[Row] = field(default_factory=list)
    reservations: list[Row] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    issued: list[Issued] = field(default_factory=list)
    open_lines: list[OpenLine] = field(default_factory=list)
    finished_orders: dict[str, datetime] = field(default_factory=dict)
    in_file: dict[Key, Stocked] = field(default_factory=dict)
    not_in_file: set[Key] = field(default_factory=set)
    scenarios: dict[str, int] = field(default_factory=dict)


def write(connection: Connection, rows: OrderRows, completed: Iterable[OpenLine], prefix: str) -> None:
    """Everything but the ledger into the OMS, in the caller's transaction."""
    insert(
        connection,
        tables.order_header,
        "ORDER_ID ORDER_TYPE_ID ORDER_NAME EXTERNAL_ID SALES_CHANNEL_ENUM_ID ORDER_DATE ENTRY_DATE STATUS_ID"
        " PRODUCT_STORE_ID",
        rows.headers,
    )
    insert(
        connection,
        tables.order_item,
        "ORDER_ID ORDER_ITEM_SEQ_ID PRODUCT_ID QUANTITY CANCEL_QUANTITY STATUS_ID SHIP_GROUP_SEQ_ID",
        rows.items,
    )
    insert(
        connection,
        tables.order_item_ship_group,
        "ORDER_ID SHIP_GROUP_SEQ_ID FACILITY_ID SHIPMENT_METHOD_TYPE_ID",
        rows.ship_groups,
    )
    insert(
        connection,
        tables.order_status,
        "ORDER_STATUS_ID ORDER_ID STATUS_ID ORDER_ITEM_SEQ_ID STATUS_DATETIME",
        ((f"{prefix}{number:06d}", *row) for number, row in enumerate(rows.statuses, 1)),
    )
    insert(
        connection,
        tables.item_issuance,
        "ITEM_ISSUANCE_ID ORDER_ID ORDER_ITEM_SEQ_ID SHIP_GROUP_SEQ_ID INVENTORY_ITEM_ID SHIPMENT_ID"
        " ISSUED_DATE_TIME QUANTITY CANCEL_QUANTITY",
        rows.issuances,
    )
    insert(
        connection,
        tables.order_item_reservation,
        "ORDER_ID SHIP_GROUP_SEQ_ID ORDER_ITEM_SEQ_ID INVENTORY_ITEM_ID QUANTITY RESERVED_DATETIME",
        rows.reservations,
    )
    for line in completed:
        at = (line.order_id, line.order_item_seq_id)
        connection.exec_driver_sql(
            "UPDATE ORDER_ITEM SET STATUS_ID = 'ITEM_COMPLETED' WHERE ORDER_ID = ? AND ORDER_ITEM_SEQ_ID = ?", at
        )
        connection.exec_driver_sql(
            "DELETE FROM ORDER_ITEM_SHIP_GRP_INV_RES WHERE ORDER_ID = ? AND ORDER_ITEM_SEQ_ID = ?", at
        )
    for order_id in rows.finished_orders:
        connection.exec_driver_sql(
            "UPDATE ORDER_HEADER SET STATUS_ID = 'ORDER_COMPLETED' WHERE ORDER_ID = ?", (order_id,)
        )
