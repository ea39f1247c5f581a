"""A hand-made OMS: two facilities, four products, every row written here, the ledger always equal to the totals.

Belongs here: rows, spelled out. Does not: the product's code, except the shape of the tables.
"""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, NullPool, Table, create_engine, event, insert, text

from rpsync_assets.oms import tables

NEW_YORK = ZoneInfo("America/New_York")
LONG_AGO = datetime(2020, 1, 1)  # noqa: DTZ001  naive UTC, as the OMS stores it
OPENING = datetime(2026, 1, 1)  # noqa: DTZ001

UPCA = {"A": "012345678905", "B": "4006381333931", "C": "036000291452", "Z": "0075678164125"}
"""Z is in Retail Pro's file and not sold online."""


Moment = str | datetime
"""New York's wall clock in words, or a moment with its zone."""


def at(when: Moment) -> datetime:
    """A moment as the OMS stores it: naive UTC."""
    moment = datetime.fromisoformat(when).replace(tzinfo=NEW_YORK) if isinstance(when, str) else when
    return moment.astimezone(UTC).replace(tzinfo=None)


def _sqlite(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    # Its rows need not survive a power cut; the product's own connections stay as careful as they are.
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    tables.metadata.create_all(engine)
    return engine


class TinyOms:
    """The database and the few things that happen to it."""

    def __init__(self, where: Path | Engine) -> None:
        """In a new SQLite file, or in a database whose tables stand empty (the fixture ``mariadb``)."""
        self._engine = _sqlite(where) if isinstance(where, Path) else where
        self._numbers = iter(range(1, 10**6))
        self._master_data()

    def add(self, table: Table, **values: object) -> None:
        """One row."""
        with self._engine.begin() as connection:
            connection.execute(insert(table).values(**values))

    def ask(self, question: str, **values: object) -> list[tuple]:
        """Plain SQL, plain tuples."""
        with self._engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(question), values)]

    def do(self, statement: str, **values: object) -> None:
        """Plain SQL that changes something."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def _master_data(self) -> None:
        for kind, parent in (("RETAIL_STORE", "PHYSICAL_STORE"), ("NA", "VIRTUAL_FACILITY")):
            self.add(tables.facility_type, FACILITY_TYPE_ID=kind, PARENT_TYPE_ID=parent)
        self.add(tables.product_store, PRODUCT_STORE_ID="US", RESERVE_INVENTORY="Y")
        self.add(tables.facility, FACILITY_ID="_NA_", FACILITY_TYPE_ID="NA")
        self.add(tables.facility_group, FACILITY_GROUP_ID="US_ONLINE", FACILITY_GROUP_TYPE_ID="CHANNEL_FAC_GROUP")
        self.add(tables.shopify_shop, SHOP_ID="SHOP", PRODUCT_STORE_ID="US")
        self.add(tables.shopify_shop_location, SHOP_ID="SHOP", FACILITY_ID="_NA_", SHOPIFY_LOCATION_ID="700")
        for facility, code in (("NY", "101"), ("NASH", "102")):
            self.facility(facility, code)
        self.add(tables.product_type, PRODUCT_TYPE_ID="FINISHED_GOOD", IS_PHYSICAL="Y", IS_DIGITAL="N")
        self.add(tables.product_type, PRODUCT_TYPE_ID="DIGITAL_GOOD", IS_PHYSICAL="N", IS_DIGITAL="Y")
        self.add(tables.product, PRODUCT_ID="GIFT", PRODUCT_TYPE_ID="DIGITAL_GOOD", INTERNAL_NAME="GIFT-CARD")
        for product, upca in UPCA.items():
            self.product(product, upca, published=product != "Z")
        self.add(
            tables.shopify_shop_product,
            SHOP_ID="SHOP",
            SHOPIFY_PRODUCT_ID="8GIFT",
            PRODUCT_ID="GIFT",
            SHOPIFY_INVENTORY_ITEM_ID="9GIFT",
        )

    def facility(self, facility: str, code: str) -> None:
        """A store that sells on the channel; Retail Pro calls it by its code."""
        self.add(tables.facility, FACILITY_ID=facility, FACILITY_TYPE_ID="RETAIL_STORE", EXTERNAL_ID=code)
        self.add(tables.product_store_facility, PRODUCT_STORE_ID="US", FACILITY_ID=facility, FROM_DATE=LONG_AGO)
        self.add(tables.facility_group_member, FACILITY_ID=facility, FACILITY_GROUP_ID="US_ONLINE", FROM_DATE=LONG_AGO)

    def product(self, product: str, upca: str, *, published: bool = True) -> None:
        """A shoe."""
        self.add(tables.product, PRODUCT_ID=product, PRODUCT_TYPE_ID="FINISHED_GOOD", INTERNAL_NAME=f"SKU-{product}")
        self.add(
            tables.good_identification,
            GOOD_IDENTIFICATION_TYPE_ID="UPCA",
            PRODUCT_ID=product,
            FROM_DATE=LONG_AGO,
            ID_VALUE=upca,
        )
        if published:
            self.publish(product)

    def publish(self, product: str) -> None:
        """It is on sale on Shopify from now on."""
        self.add(
            tables.shopify_shop_product,
            SHOP_ID="SHOP",
            SHOPIFY_PRODUCT_ID=f"8{product}",
            PRODUCT_ID=product,
            SHOPIFY_INVENTORY_ITEM_ID=f"9{product}",
        )

    def item(self, facility: str, product: str) -> str:
        """The inventory item of a key."""
        return f"{facility}-{product}"

    def stock(self, facility: str, product: str, units: int) -> None:
        """What was there in the beginning."""
        item = self.item(facility, product)
        self.add(
            tables.inventory_item,
            INVENTORY_ITEM_ID=item,
            PRODUCT_ID=product,
            FACILITY_ID=facility,
            QUANTITY_ON_HAND_TOTAL=0,
            AVAILABLE_TO_PROMISE_TOTAL=0,
        )
        self.add(
            tables.product_facility,
            PRODUCT_ID=product,
            FACILITY_ID=facility,
            INVENTORY_ITEM_ID=item,
            LAST_INVENTORY_COUNT=0,
            COMPUTED_LAST_INVENTORY_COUNT=0,
        )
        self._move(item, OPENING, units, units, reason="VAR_MANUAL")

    def _move(
        self, item: str, when: datetime, on_hand: int, promised: int, *, reason: str | None = None, **more
    ) -> None:
        self.add(
            tables.inventory_item_detail,
            INVENTORY_ITEM_ID=item,
            INVENTORY_ITEM_DETAIL_SEQ_ID=f"{next(self._numbers):06d}",
            EFFECTIVE_DATE=when,
            CREATED_STAMP=when,
            QUANTITY_ON_HAND_DIFF=on_hand,
            AVAILABLE_TO_PROMISE_DIFF=promised,
            REASON_ENUM_ID=reason,
            **more,
        )
        moved = {"item": item, "on_hand": on_hand, "promised": promised}
        self.do(
            "UPDATE INVENTORY_ITEM SET QUANTITY_ON_HAND_TOTAL = QUANTITY_ON_HAND_TOTAL + :on_hand,"
            " AVAILABLE_TO_PROMISE_TOTAL = AVAILABLE_TO_PROMISE_TOTAL + :promised WHERE INVENTORY_ITEM_ID = :item",
            **moved,
        )
        self.do(
            "UPDATE PRODUCT_FACILITY SET LAST_INVENTORY_COUNT = LAST_INVENTORY_COUNT + :promised,"
            " COMPUTED_LAST_INVENTORY_COUNT = COMPUTED_LAST_INVENTORY_COUNT + :promised"
            " WHERE INVENTORY_ITEM_ID = :item",
            item=item,
            promised=promised,
        )

    def order(
        self, order: str, when: Moment, lines: dict[str, tuple[str, int]], channel: str = "WEB_SALES_CHANNEL"
    ) -> None:
        """An order; ``lines`` is product -> (facility, units), each unit reserved at its facility."""
        self.add(
            tables.order_header,
            ORDER_ID=order,
            ORDER_NAME=f"#{order}",
            ORDER_TYPE_ID="SALES_ORDER",
            SALES_CHANNEL_ENUM_ID=channel,
            ORDER_DATE=at(when),
            STATUS_ID="ORDER_APPROVED",
            PRODUCT_STORE_ID="US",
        )
        for product, (facility, units) in lines.items():
            group = f"G-{facility}"
            if not self.ask(
                "SELECT 1 FROM ORDER_ITEM_SHIP_GROUP WHERE ORDER_ID = :o AND SHIP_GROUP_SEQ_ID = :g", o=order, g=group
            ):
                self.add(tables.order_item_ship_group, ORDER_ID=order, SHIP_GROUP_SEQ_ID=group, FACILITY_ID=facility)
            self.add(
                tables.order_item,
                ORDER_ID=order,
                ORDER_ITEM_SEQ_ID=product,
                PRODUCT_ID=product,
                QUANTITY=units,
                STATUS_ID="ITEM_APPROVED",
                SHIP_GROUP_SEQ_ID=group,
            )
            if product != "GIFT":
                self._move(self.item(facility, product), at(when), 0, -units, ORDER_ID=order)

    def import_from_shopify(self, shopify_order: str, when: Moment, lines: dict[str, tuple[str, int]]) -> None:
        """An order that was placed at Shopify arrives, under its own number."""
        self.order(shopify_order, when, lines)
        self.add(tables.shopify_shop_order, SHOP_ID="SHOP", ORDER_ID=shopify_order, SHOPIFY_ORDER_ID=shopify_order)

    def cancel(self, order: str, product: str, when: Moment) -> None:
        """An open line is cancelled: what was promised to it may be promised again."""
        ((facility, units),) = self.ask(
            "SELECT SG.FACILITY_ID, OI.QUANTITY FROM ORDER_ITEM OI JOIN ORDER_ITEM_SHIP_GROUP SG"
            " ON SG.ORDER_ID = OI.ORDER_ID AND SG.SHIP_GROUP_SEQ_ID = OI.SHIP_GROUP_SEQ_ID"
            " WHERE OI.ORDER_ID = :order AND OI.ORDER_ITEM_SEQ_ID = :line",
            order=order,
            line=product,
        )
        self.do(
            "UPDATE ORDER_ITEM SET STATUS_ID = 'ITEM_CANCELLED', CANCEL_QUANTITY = QUANTITY"
            " WHERE ORDER_ID = :order AND ORDER_ITEM_SEQ_ID = :line",
            order=order,
            line=product,
        )
        self._move(self.item(facility, product), at(when), 0, int(units), ORDER_ID=order)

    def ship(self, order: str, product: str, facility: str, units: int, when: Moment) -> None:
        """Units leave the shelf for an order's line, whose only line of that product it is."""
        issuance = f"I-{order}-{product}"
        self.add(
            tables.item_issuance,
            ITEM_ISSUANCE_ID=issuance,
            ORDER_ID=order,
            ORDER_ITEM_SEQ_ID=product,
            SHIP_GROUP_SEQ_ID=f"G-{facility}",
            INVENTORY_ITEM_ID=self.item(facility, product),
            ISSUED_DATE_TIME=at(when),
            QUANTITY=units,
        )
        self._move(self.item(facility, product), at(when), -units, 0, ORDER_ID=order, ITEM_ISSUANCE_ID=issuance)
        self._status(order, "ITEM_COMPLETED", when, product)

    def complete_digital(self, order: str, when: Moment) -> None:
        """A gift card goes out by e-mail: completed, no issuance, no shelf."""
        self._status(order, "ITEM_COMPLETED", when, "GIFT")

    def complete(self, order: str, when: Moment) -> None:
        """The last item is shipped: the order is completed, and Retail Pro hears of it."""
        self._status(order, "ORDER_COMPLETED", when)
        self.do("UPDATE ORDER_HEADER SET STATUS_ID = 'ORDER_COMPLETED' WHERE ORDER_ID = :order", order=order)

    def _status(self, order: str, status: str, when: Moment, line: str | None = None) -> None:
        self.add(
            tables.order_status,
            ORDER_STATUS_ID=f"S{next(self._numbers)}",
            ORDER_ID=order,
            ORDER_ITEM_SEQ_ID=line,
            STATUS_ID=status,
            STATUS_DATETIME=at(when),
        )

    def sell_in_store(self, facility: str, product: str, units: int, when: Moment) -> None:
        """A sale at the till, as the Update Inventory API records it."""
        self._move(self.item(facility, product), at(when), -units, -units, reason="POS_SALE")

    def on_hand(self) -> dict[str, tuple[int, ...]]:
        """QUANTITY_ON_HAND_TOTAL of each product in New York and Nashville."""
        rows = self.ask(
            "SELECT PRODUCT_ID, FACILITY_ID, QUANTITY_ON_HAND_TOTAL FROM INVENTORY_ITEM ORDER BY FACILITY_ID DESC"
        )
        return {
            product: tuple(int(units) for one, _, units in rows if one == product)
            for product in sorted({one for one, _, _ in rows})
        }

    def ledger(self) -> list[tuple]:
        """Every row of the ledger."""
        return self.ask("SELECT * FROM INVENTORY_ITEM_DETAIL ORDER BY 1, 2")

    def totals_off_the_ledger(self) -> list[tuple]:
        """Items whose totals are not the sum of their ledger: always none."""
        return self.ask(
            "SELECT II.INVENTORY_ITEM_ID FROM INVENTORY_ITEM II JOIN INVENTORY_ITEM_DETAIL D USING (INVENTORY_ITEM_ID)"
            " GROUP BY II.INVENTORY_ITEM_ID, II.QUANTITY_ON_HAND_TOTAL, II.AVAILABLE_TO_PROMISE_TOTAL"
            " HAVING SUM(D.QUANTITY_ON_HAND_DIFF) <> II.QUANTITY_ON_HAND_TOTAL"
            " OR SUM(D.AVAILABLE_TO_PROMISE_DIFF) <> II.AVAILABLE_TO_PROMISE_TOTAL"
        )
