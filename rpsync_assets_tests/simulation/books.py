"""The OMS's database as the OMS itself writes it: master data, orders, shipments, rules; the same for both kinds.

Belongs here: rows, by plain SQL, fast. Does not: imports (the product's, or ``hotwax.stand_in``), or what is right.
Moments are naive UTC text, as SQLAlchemy writes them to SQLite.
"""

import itertools
import shutil
import sqlite3
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import create_engine

from rpsync_assets.oms.tables import metadata
from rpsync_assets_tests.simulation.world import FACILITIES, KEYS, PRODUCTS, QUEUE, Issuance, Key, Line, Order

LONG_AGO = "2020-01-01 00:00:00.000000"
CHANNEL, LOCATION = "US_ONLINE", "700"

_FOLLOW = """
UPDATE PRODUCT_FACILITY SET LAST_INVENTORY_COUNT = (
    SELECT SUM(AVAILABLE_TO_PROMISE_TOTAL) FROM INVENTORY_ITEM I
    WHERE I.PRODUCT_ID = PRODUCT_FACILITY.PRODUCT_ID AND I.FACILITY_ID = PRODUCT_FACILITY.FACILITY_ID)
WHERE PRODUCT_ID = :product AND FACILITY_ID = :facility
"""
_COMPUTE = """
UPDATE PRODUCT_FACILITY SET COMPUTED_LAST_INVENTORY_COUNT =
  MAX(CASE WHEN LAST_INVENTORY_COUNT >= COALESCE(MINIMUM_STOCK, 0)
      THEN LAST_INVENTORY_COUNT - COALESCE(MINIMUM_STOCK, 0) ELSE 0 END, 0)
WHERE PRODUCT_ID = :product AND FACILITY_ID = :facility
"""


def text(moment: datetime) -> str:
    """A moment as the database holds it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@cache
def _template() -> Path:
    """Tables and master data, made once per process."""
    path = Path(mkdtemp(prefix="rpsync-simulation-")) / "oms.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    add = _adder(connection)
    for kind, parent in (
        ("RETAIL_STORE", "PHYSICAL_STORE"),
        ("NA", "VIRTUAL_FACILITY"),
        ("CONFIGURATION", "VIRTUAL_FACILITY"),
    ):
        add("FACILITY_TYPE", FACILITY_TYPE_ID=kind, PARENT_TYPE_ID=parent)
    add("PRODUCT_STORE", PRODUCT_STORE_ID="US", RESERVE_INVENTORY="Y")
    add("FACILITY_GROUP", FACILITY_GROUP_ID=CHANNEL, FACILITY_GROUP_TYPE_ID="CHANNEL_FAC_GROUP")
    for facility, kind, code in (
        (QUEUE, "NA", None),
        ("CFG", "CONFIGURATION", None),
        *((facility, "RETAIL_STORE", code) for facility, code in FACILITIES.items()),
    ):
        add("FACILITY", FACILITY_ID=facility, FACILITY_TYPE_ID=kind, EXTERNAL_ID=code)
        if kind == "RETAIL_STORE":
            add("PRODUCT_STORE_FACILITY", PRODUCT_STORE_ID="US", FACILITY_ID=facility, FROM_DATE=LONG_AGO)
        if facility != QUEUE:
            add("FACILITY_GROUP_MEMBER", FACILITY_ID=facility, FACILITY_GROUP_ID=CHANNEL, FROM_DATE=LONG_AGO)
    add("SHOPIFY_SHOP", SHOP_ID="SHOP", PRODUCT_STORE_ID="US")
    add("SHOPIFY_SHOP_LOCATION", SHOP_ID="SHOP", FACILITY_ID=QUEUE, SHOPIFY_LOCATION_ID=LOCATION)
    add("PRODUCT_TYPE", PRODUCT_TYPE_ID="FINISHED_GOOD", IS_PHYSICAL="Y", IS_DIGITAL="N")
    for product, upca in PRODUCTS.items():
        add("PRODUCT", PRODUCT_ID=product, PRODUCT_TYPE_ID="FINISHED_GOOD", INTERNAL_NAME=f"SKU-{product}")
        add(
            "GOOD_IDENTIFICATION",
            GOOD_IDENTIFICATION_TYPE_ID="UPCA",
            PRODUCT_ID=product,
            FROM_DATE=LONG_AGO,
            ID_VALUE=upca,
        )
        _publish(add, product)
    connection.commit()
    connection.close()
    return path


def _adder(connection: sqlite3.Connection):
    def add(table: str, **values: object) -> None:
        columns, places = ", ".join(values), ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", list(values.values()))

    return add


def _publish(add, product: str) -> None:
    add(
        "SHOPIFY_SHOP_PRODUCT",
        SHOP_ID="SHOP",
        SHOPIFY_PRODUCT_ID=f"8{product}",
        PRODUCT_ID=product,
        SHOPIFY_INVENTORY_ITEM_ID=f"9{product}",
    )


class Books:
    """One OMS's database."""

    def __init__(self, path: Path) -> None:
        shutil.copy(_template(), path)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA synchronous=OFF")
        self._numbers = itertools.count(1)
        self._add = _adder(self._connection)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def new_id(self) -> str:
        """An id that no other row has."""
        return f"W{next(self._numbers):07d}"

    def ask(self, question: str, *values: object) -> list[tuple]:
        """Plain SQL."""
        return self._connection.execute(question, values).fetchall()

    # What the OMS has -------------------------------------------------------------------------------------------------
    def on_hand(self) -> dict[Key, int]:
        """Quantity on hand of every key that the OMS has."""
        return {
            (facility, product): int(units)
            for facility, product, units in self.ask(
                "SELECT FACILITY_ID, PRODUCT_ID, SUM(QUANTITY_ON_HAND_TOTAL) FROM INVENTORY_ITEM GROUP BY 1, 2"
            )
        }

    def promised(self) -> dict[Key, int]:
        """Available to promise of every key that the OMS has."""
        return {
            (facility, product): int(units)
            for facility, product, units in self.ask(
                "SELECT FACILITY_ID, PRODUCT_ID, SUM(AVAILABLE_TO_PROMISE_TOTAL) FROM INVENTORY_ITEM GROUP BY 1, 2"
            )
        }

    def known_keys(self) -> set[Key]:
        """Keys that may be sold: the ones with a PRODUCT_FACILITY."""
        found = set(self.ask("SELECT FACILITY_ID, PRODUCT_ID FROM PRODUCT_FACILITY"))
        return {key for key in KEYS if key in found}

    # What moves -------------------------------------------------------------------------------------------------------
    def move(self, key: Key, on_hand: int, promised: int, at: datetime, **more: object) -> None:
        """A row of the ledger, and the totals that follow from it."""
        self._connection.execute("BEGIN IMMEDIATE")
        item = self._item(key)
        self._add(
            "INVENTORY_ITEM_DETAIL",
            INVENTORY_ITEM_ID=item,
            INVENTORY_ITEM_DETAIL_SEQ_ID=self.new_id(),
            EFFECTIVE_DATE=text(at),
            CREATED_STAMP=text(at),
            QUANTITY_ON_HAND_DIFF=on_hand,
            AVAILABLE_TO_PROMISE_DIFF=promised,
            **more,
        )
        self._connection.execute(
            "UPDATE INVENTORY_ITEM SET QUANTITY_ON_HAND_TOTAL = QUANTITY_ON_HAND_TOTAL + ?,"
            " AVAILABLE_TO_PROMISE_TOTAL = AVAILABLE_TO_PROMISE_TOTAL + ? WHERE INVENTORY_ITEM_ID = ?",
            (on_hand, promised, item),
        )
        self._follow(key)
        self._connection.execute("COMMIT")

    def _follow(self, key: Key) -> None:
        for statement in (_FOLLOW, _COMPUTE):
            self._connection.execute(statement, {"facility": key[0], "product": key[1]})

    def _item(self, key: Key) -> str:
        found = self.ask("SELECT INVENTORY_ITEM_ID FROM INVENTORY_ITEM WHERE FACILITY_ID = ? AND PRODUCT_ID = ?", *key)
        if found:
            return found[0][0]
        item = self.new_id()
        whose = {"FACILITY_ID": key[0], "PRODUCT_ID": key[1]}
        self._add(
            "INVENTORY_ITEM",
            INVENTORY_ITEM_ID=item,
            QUANTITY_ON_HAND_TOTAL=0,
            AVAILABLE_TO_PROMISE_TOTAL=0,
            **whose,
        )
        self._facility_row(key)
        self._connection.execute(
            "UPDATE PRODUCT_FACILITY SET INVENTORY_ITEM_ID = ? WHERE FACILITY_ID = ? AND PRODUCT_ID = ?", (item, *key)
        )
        return item

    def _facility_row(self, key: Key) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO PRODUCT_FACILITY (FACILITY_ID, PRODUCT_ID, LAST_INVENTORY_COUNT,"
            " COMPUTED_LAST_INVENTORY_COUNT) VALUES (?, ?, 0, 0)",
            key,
        )

    # Orders -----------------------------------------------------------------------------------------------------------
    def order(self, order: Order, at: datetime) -> None:
        """An order comes in; what is promised at a facility is taken off what may be promised there."""
        self._add(
            "ORDER_HEADER",
            ORDER_ID=order.number,
            ORDER_NAME=f"#{order.number}",
            ORDER_TYPE_ID="SALES_ORDER",
            SALES_CHANNEL_ENUM_ID="POS_SALES_CHANNEL" if order.send_sale else "WEB_SALES_CHANNEL",
            ORDER_DATE=text(at),
            STATUS_ID="ORDER_APPROVED",
            PRODUCT_STORE_ID="US",
        )
        if order.shopify:
            self._add("SHOPIFY_SHOP_ORDER", SHOP_ID="SHOP", ORDER_ID=order.number, SHOPIFY_ORDER_ID=order.shopify)
        for line in order.lines:
            self._group(order, line.facility)
            self._add(
                "ORDER_ITEM",
                ORDER_ID=order.number,
                ORDER_ITEM_SEQ_ID=line.product,
                PRODUCT_ID=line.product,
                QUANTITY=line.ordered,
                STATUS_ID="ITEM_APPROVED",
                SHIP_GROUP_SEQ_ID=f"G-{line.facility}",
            )
            if line.facility != QUEUE:
                self.move((line.facility, line.product), 0, -line.ordered, at, ORDER_ID=order.number)

    def _group(self, order: Order, facility: str) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO ORDER_ITEM_SHIP_GROUP (ORDER_ID, SHIP_GROUP_SEQ_ID, FACILITY_ID) VALUES (?, ?, ?)",
            (order.number, f"G-{facility}", facility),
        )

    def broker(self, order: Order, line: Line, at: datetime) -> None:
        """A line leaves the queue for a facility, where it is reserved."""
        self._group(order, line.facility)
        self._line(order, line, "SHIP_GROUP_SEQ_ID = ?", f"G-{line.facility}")
        self.move((line.facility, line.product), 0, -line.open, at, ORDER_ID=order.number)

    def ship(self, order: Order, line: Line, issuance: Issuance) -> None:
        """Units leave a shelf; they were promised, so only what is on hand falls."""
        key = issuance.facility, line.product
        self._connection.execute("BEGIN IMMEDIATE")
        item = self._item(key)
        self._connection.execute("COMMIT")
        self._add(
            "ITEM_ISSUANCE",
            ITEM_ISSUANCE_ID=issuance.number,
            ORDER_ID=order.number,
            ORDER_ITEM_SEQ_ID=line.product,
            SHIP_GROUP_SEQ_ID=f"G-{issuance.facility}",
            SHIPMENT_ID=f"S-{issuance.number}",
            INVENTORY_ITEM_ID=item,
            ISSUED_DATE_TIME=text(issuance.at),
            QUANTITY=issuance.units,
        )
        about = {"ORDER_ID": order.number, "ORDER_ITEM_SEQ_ID": line.product, "ITEM_ISSUANCE_ID": issuance.number}
        self.move(key, -issuance.units, 0, issuance.at, **about)

    def take_back(self, line: Line, issuance: Issuance, units: int, at: datetime) -> None:
        """Units of an issuance are put back, and promised to the same line again."""
        self._connection.execute(
            "UPDATE ITEM_ISSUANCE SET CANCEL_QUANTITY = ?, CANCELLED_DATE_TIME = ? WHERE ITEM_ISSUANCE_ID = ?",
            (units, text(at), issuance.number),
        )
        key = issuance.facility, line.product
        self.move(key, units, units, at, ITEM_ISSUANCE_ID=issuance.number)
        self.move(key, 0, -units, at)

    def tell_line(self, order: Order, line: Line, issuance: Issuance, at: datetime) -> None:
        """Retail Pro is told of a shipment by HotWax's feed of fulfilled items."""
        self._add(
            "ORDER_FULFILLMENT_HISTORY",
            FULFILLMENT_LOG_ID=self.new_id(),
            SHIPMENT_ID=f"S-{issuance.number}",
            ORDER_ID=order.number,
            ORDER_ITEM_SEQ_ID=line.product,
            CREATED_DATE=text(at),
        )

    def cancel(self, order: Order, line: Line, units: int, at: datetime) -> None:
        """Open units of a line are cancelled; what was promised to them is free again."""
        status = "ITEM_APPROVED" if units < line.open else "ITEM_COMPLETED" if line.gone else "ITEM_CANCELLED"
        self._line(order, line, "CANCEL_QUANTITY = ?, STATUS_ID = ?", line.cancelled + units, status)
        if line.facility != QUEUE:
            self.move((line.facility, line.product), 0, units, at, ORDER_ID=order.number)

    def complete_line(self, order: Order, line: Line, at: datetime) -> None:
        """All units of a line are shipped."""
        self._line(order, line, "STATUS_ID = ?", "ITEM_COMPLETED")
        self._status(order, "ITEM_COMPLETED", at, line.product)

    def close_order(self, order: Order, status: str, at: datetime) -> None:
        """ORDER_COMPLETED or ORDER_CANCELLED."""
        self._status(order, status, at)
        self._connection.execute("UPDATE ORDER_HEADER SET STATUS_ID = ? WHERE ORDER_ID = ?", (status, order.number))

    def _status(self, order: Order, status: str, at: datetime, line: str | None = None) -> None:
        self._add(
            "ORDER_STATUS",
            ORDER_STATUS_ID=self.new_id(),
            ORDER_ID=order.number,
            ORDER_ITEM_SEQ_ID=line,
            STATUS_ID=status,
            STATUS_DATETIME=text(at),
        )

    def _line(self, order: Order, line: Line, change: str, *values: object) -> None:
        self._connection.execute(
            f"UPDATE ORDER_ITEM SET {change} WHERE ORDER_ID = ? AND ORDER_ITEM_SEQ_ID = ?",
            (*values, order.number, line.product),
        )

    # Rules ------------------------------------------------------------------------------------------------------------
    def rule(self, key: Key, column: str, value: object) -> None:
        """MINIMUM_STOCK or ALLOW_BROKERING of a product at a facility."""
        self._facility_row(key)
        self._connection.execute(
            f"UPDATE PRODUCT_FACILITY SET {column} = ? WHERE FACILITY_ID = ? AND PRODUCT_ID = ?", (value, *key)
        )
        self._connection.execute(_COMPUTE, {"facility": key[0], "product": key[1]})

    def membership(self, facility: str, until: datetime | None) -> None:
        """A facility leaves the channel, or is a member again."""
        self._connection.execute(
            "UPDATE FACILITY_GROUP_MEMBER SET THRU_DATE = ? WHERE FACILITY_ID = ?",
            (text(until) if until else None, facility),
        )

    def publish(self, product: str, published: bool) -> None:
        """A product is put on Shopify, or taken off."""
        self._connection.execute("DELETE FROM SHOPIFY_SHOP_PRODUCT WHERE PRODUCT_ID = ?", (product,))
        if published:
            _publish(self._add, product)
