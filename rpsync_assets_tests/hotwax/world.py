"""What happens in stores and to orders, written into HotWax's tables as HotWax writes it, each with its own moment.

Belongs here: events; the master data are ``graph/tiny_oms``'s (New York and Nashville, products A, B, C and Z), so
that one Retail Pro file fits both. Does not: imports (``stand_in``), and nothing that says what is right: a test
computes the true shelf from what it made happen.

``when`` is when it happened; ``arrived``, where it differs, is when HotWax heard of it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from rpsync_assets.oms import tables
from rpsync_assets_tests.graph.tiny_oms import OPENING, Moment, TinyOms, at
from rpsync_assets_tests.hotwax import ledger


class HotWaxWorld(TinyOms):
    """The same two stores as in ``TinyOms``, on any engine, with a ledger that HotWax's triggers keep."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.engine = engine

    def item(self, facility: str, product: str) -> str:
        """The inventory item of a key, made if there is none: an import may have made it before us."""
        with self.engine.begin() as connection:
            return ledger.item_of(connection, facility, product)

    def stock(self, facility: str, product: str, units: int) -> None:
        """What was there in the beginning."""
        self._move(self.item(facility, product), OPENING, units, units, reason="VAR_MANUAL")

    def _move(
        self,
        item: str,
        when: datetime,
        on_hand: int,
        promised: int,
        *,
        reason: str | None = None,
        arrived: Moment | None = None,
        **more: Any,
    ) -> None:
        moments = (when, at(arrived) if arrived else None)
        with self.engine.begin() as connection:
            ledger.post(connection, item, (on_hand, promised), *moments, REASON_ENUM_ID=reason, **more)

    def add_second_upca(self, product: str, upca: str, until: Moment | None = None) -> None:
        """One more identification of a product, perhaps expired."""
        self.add(
            tables.good_identification,
            GOOD_IDENTIFICATION_TYPE_ID="UPCA",
            PRODUCT_ID=product,
            FROM_DATE=OPENING,
            ID_VALUE=upca,
            THRU_DATE=at(until) if until else None,
        )

    # On the shelf -----------------------------------------------------------------------------------------------------
    def sell_in_store(
        self, facility: str, product: str, units: int, when: Moment, arrived: Moment | None = None
    ) -> None:
        """A sale at the till, as the Update Inventory API records it; below zero, a return."""
        item = self.item(facility, product)
        self._move(item, at(when), -units, -units, reason="POS_SALE", arrived=arrived)

    def receive(self, facility: str, product: str, units: int, when: Moment, arrived: Moment | None = None) -> None:
        """Goods come in."""
        item = self.item(facility, product)
        self._move(item, at(when), units, units, arrived=arrived, RECEIPT_ID=ledger.new_id())

    def ship(
        self, order: str, product: str, facility: str, units: int, when: Moment, arrived: Moment | None = None
    ) -> str:
        """Some or all units of an order's line leave the shelf of a facility; returns the issuance's id.

        They were reserved when they were ordered, so only the quantity on hand falls. The line is completed with its
        last unit, and nothing is said of the order (``complete``).
        """
        issuance, item = ledger.new_id(), self.item(facility, product)
        line = {"ORDER_ID": order, "ORDER_ITEM_SEQ_ID": product}
        ((group,),) = self.ask(
            "SELECT SHIP_GROUP_SEQ_ID FROM ORDER_ITEM WHERE ORDER_ID = :order AND ORDER_ITEM_SEQ_ID = :line",
            order=order,
            line=product,
        )
        self.add(
            tables.item_issuance,
            ITEM_ISSUANCE_ID=issuance,
            **line,
            SHIP_GROUP_SEQ_ID=group,
            INVENTORY_ITEM_ID=item,
            ISSUED_DATE_TIME=at(when),
            QUANTITY=units,
        )
        self._move(item, at(when), -units, 0, arrived=arrived, ITEM_ISSUANCE_ID=issuance, **line)
        if self._is_all_issued(order, product):
            self._status(order, "ITEM_COMPLETED", when, product)
            self.do(
                "UPDATE ORDER_ITEM SET STATUS_ID = 'ITEM_COMPLETED'"
                " WHERE ORDER_ID = :order AND ORDER_ITEM_SEQ_ID = :line",
                order=order,
                line=product,
            )
        return issuance

    def _is_all_issued(self, order: str, line: str) -> bool:
        ((ordered,),) = self.ask(
            "SELECT QUANTITY - COALESCE(CANCEL_QUANTITY, 0) FROM ORDER_ITEM"
            " WHERE ORDER_ID = :order AND ORDER_ITEM_SEQ_ID = :line",
            order=order,
            line=line,
        )
        ((issued,),) = self.ask(
            "SELECT SUM(QUANTITY - COALESCE(CANCEL_QUANTITY, 0)) FROM ITEM_ISSUANCE"
            " WHERE ORDER_ID = :order AND ORDER_ITEM_SEQ_ID = :line",
            order=order,
            line=line,
        )
        return issued >= ordered

    def take_back(self, issuance: str, units: int, when: Moment) -> None:
        """An issuance is cancelled in part or whole: its units lie on the shelf again and may be promised again."""
        self.do(
            "UPDATE ITEM_ISSUANCE SET CANCEL_QUANTITY = COALESCE(CANCEL_QUANTITY, 0) + :units,"
            " CANCELLED_DATE_TIME = :moment WHERE ITEM_ISSUANCE_ID = :issuance",
            units=units,
            moment=at(when),
            issuance=issuance,
        )
        ((item,),) = self.ask("SELECT INVENTORY_ITEM_ID FROM ITEM_ISSUANCE WHERE ITEM_ISSUANCE_ID = :i", i=issuance)
        self._move(item, at(when), units, units, ITEM_ISSUANCE_ID=issuance)

    # In the books only ------------------------------------------------------------------------------------------------
    def reserve(self, facility: str, product: str, units: int, when: Moment) -> None:
        """Units are promised; below zero, a promise is taken back. The shelf does not change."""
        self._move(self.item(facility, product), at(when), 0, -units)

    def correct_by_hand(self, facility: str, product: str, units: int, when: Moment) -> None:
        """A person changes both counts on the inventory page. The shelf does not change."""
        item = self.item(facility, product)
        self._move(item, at(when), units, units, reason="VAR_MANUAL", PHYSICAL_INVENTORY_ID=ledger.new_id())

    # What HotWax says -------------------------------------------------------------------------------------------------
    def totals(self, facility: str, product: str) -> tuple[int, int]:
        """Quantity on hand and available to promise of a key, over all its items."""
        ((on_hand, promised),) = self.ask(
            "SELECT COALESCE(SUM(QUANTITY_ON_HAND_TOTAL), 0), COALESCE(SUM(AVAILABLE_TO_PROMISE_TOTAL), 0)"
            " FROM INVENTORY_ITEM WHERE FACILITY_ID = :facility AND PRODUCT_ID = :product",
            facility=facility,
            product=product,
        )
        return int(on_hand), int(promised)
