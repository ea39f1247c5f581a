"""What happens in stores, in the OMS and at Shopify, told to each system when and as it really hears of it.

Belongs here: one verb per kind of event; its numbers are taken modulo what is there. Does not: the product's runs
(``play``), or what must come of it (``invariants``).
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine

from rpsync_assets.oms.point_of_sale import read_update, update_inventory
from rpsync_assets_tests.simulation.books import LOCATION, Books
from rpsync_assets_tests.simulation.clock import Clock
from rpsync_assets_tests.simulation.events import Event
from rpsync_assets_tests.simulation.shop import ShopDoor
from rpsync_assets_tests.simulation.world import (
    FACILITIES,
    KEYS,
    PRODUCTS,
    QUEUE,
    Issuance,
    Key,
    Line,
    Movement,
    Order,
    World,
)

PLACES = [*FACILITIES, QUEUE]


class Agenda:
    """What will happen by itself when its moment has come."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def add(self, at: datetime, what: Callable[[], None]) -> None:
        """At a moment."""
        heapq.heappush(self._heap, (at, next(self._order), what))

    def next_before(self, moment: datetime) -> tuple[datetime, Callable[[], None]] | None:
        """The next thing that is due until a moment, taken off."""
        if self._heap and self._heap[0][0] <= moment:
            at, _, what = heapq.heappop(self._heap)
            return at, what
        return None


class Happenings:
    """The world's events; ``engine`` is the embedded OMS, whose API takes sales in, or None with HotWax."""

    def __init__(
        self, world: World, books: Books, shop: ShopDoor, clock: Clock, engine: Engine | None, fired: Counter[str]
    ) -> None:
        self.world, self.books, self.shop, self.clock = world, books, shop, clock
        self.engine, self.fired, self.agenda = engine, fired, Agenda()
        self.settled = True
        self.sales_posted = 0
        self._numbers = itertools.count(1)
        self._imported: dict[str, Order] = {}

    def do(self, event: Event) -> None:
        """Make an event happen now."""
        getattr(self, event.kind)(*event.what)

    # In the shops -----------------------------------------------------------------------------------------------------
    def sale(self, which: int, many: int, delay: int, minutes: int, again: int) -> None:
        key, units = KEYS[which % len(KEYS)], 1 + many % 3
        if self.world.shelf[key] >= units:
            self._at_the_till(key, -units, delay, minutes, again)

    def return_(self, which: int, many: int, delay: int, minutes: int, again: int) -> None:
        self._at_the_till(KEYS[which % len(KEYS)], 1 + many % 2, delay, minutes, again)

    def _at_the_till(self, key: Key, units: int, delay: int, minutes: int, again: int) -> None:
        movement = self.world.in_store(key, units, self.clock.now)
        if self.engine is None:
            # HotWax's API knows no moment of a sale and no retry: what comes late or twice, nobody can mend.
            self.books.move(key, units, units, self.clock.now, REASON_ENUM_ID="POS_SALE")
            return
        late = (0, 0, minutes % 180, minutes * 2)[delay % 4]
        movement.number, movement.retries = next(self._numbers), again % 3
        self.world.unknown.append(movement)
        if late == 0:
            self._post(movement, with_moment=again % 2 == 0)
        else:
            self.fired["sales posted late"] += 1
            self.agenda.add(self.clock.now + timedelta(minutes=late), lambda: self._post(movement, with_moment=True))

    def _post(self, movement: Movement, *, with_moment: bool) -> None:
        body: dict[str, object] = {
            "facilityId": movement.key[0] if movement.number % 2 else FACILITIES[movement.key[0]],
            "idType": "UPCA",
            "idValue": PRODUCTS[movement.key[1]],
            "availableDelta": movement.units,
            "locationSeqId": "TLTLTLLL01",
            "varianceReasonId": "POS_SALE",
        }
        if with_moment:
            body["eventDateTime"] = movement.at.isoformat()
        update = read_update(body, f"till-{movement.number}")
        assert self.engine is not None
        for attempt in range(1 + movement.retries):
            self.fired["API retries"] += attempt > 0
            with self.engine.execution_options(writes=True).begin() as connection:
                update_inventory(connection, update, "till", self.clock.now)
        self.sales_posted += 1
        self.world.unknown.remove(movement)

    def receipt(self, which: int, many: int, *_: int) -> None:
        self.world.unknown.append(self.world.in_store(KEYS[which % len(KEYS)], 1 + many % 6, self.clock.now))

    def receive_both(self, which: int, many: int, *_: int) -> None:
        key, units = KEYS[which % len(KEYS)], 1 + many % 4
        self.world.in_store(key, units, self.clock.now)
        self.books.move(key, units, units, self.clock.now, RECEIPT_ID=self.books.new_id())

    def transfer(self, which: int, many: int, *_: int) -> None:
        place, product = KEYS[which % len(KEYS)]
        other, units = next(one for one in FACILITIES if one != place), 1 + many % 3
        if self.world.shelf[place, product] >= units:
            for key, moved in (((place, product), -units), ((other, product), units)):
                self.world.unknown.append(self.world.in_store(key, moved, self.clock.now))

    def count(self, which: int, many: int, *_: int) -> None:
        """Somebody counts the shelf in Retail Pro and finds pieces more or less."""
        key, found = KEYS[which % len(KEYS)], many % 5 - 2
        if self.world.shelf[key] + found >= 0:
            self.world.unknown.append(self.world.in_store(key, found, self.clock.now))

    def correct(self, which: int, many: int, *_: int) -> None:
        """A person changes the OMS's number by hand: no goods move, and the next count goes over it."""
        key, units = KEYS[which % len(KEYS)], many % 7 - 3
        if units and self.settled and key in self.books.known_keys():
            self.books.move(
                key, units, units, self.clock.now, REASON_ENUM_ID="VAR_MANUAL", PHYSICAL_INVENTORY_ID="by hand"
            )
            self.world.corrected[key] += units

    # Orders -----------------------------------------------------------------------------------------------------------
    def web_order(self, first: int, second: int, many: int, minutes: int, place: int) -> None:
        lines: dict[str, int] = {}
        for product in {list(PRODUCTS)[first % 3], list(PRODUCTS)[second % 3]}:
            there = self.shop.available(product, LOCATION)
            if there > 0:
                lines[f"9{product}"] = min(there, 1 + many % 2)
        if not lines:
            return
        number = self.shop.shop.place_order(dict(sorted(lines.items())), LOCATION, self.clock.now)
        late = minutes % 30 if minutes % 5 else minutes * 2
        self.fired["orders imported hours late"] += late > 120
        self.agenda.add(self.clock.now + timedelta(minutes=late), lambda: self._import(number, place))

    def _import(self, number: str, place: int) -> None:
        left = self.shop.shop.order(number).left
        if left:
            where = PLACES[place % 3]
            lines = [Line(item[1:], units, where) for item, units in left.items()]
            self._imported[number] = self._order(Order(f"O{number}", lines, shopify=number))

    def oms_order(self, which: int, many: int, place: int, *_: int) -> None:
        product = list(PRODUCTS)[which % 3]
        self._order(Order(f"X{next(self._numbers)}", [Line(product, 1 + many % 2, PLACES[place % 3])]))

    def send_sale(self, which: int, many: int, *_: int) -> None:
        place, product = KEYS[which % len(KEYS)]
        self._order(Order(f"P{next(self._numbers)}", [Line(product, 1 + many % 2, place)], send_sale=True))

    def _order(self, order: Order) -> Order:
        self.world.orders.append(order)
        self.books.order(order, self.clock.now)
        return order

    def _open_lines(self, *, queued: bool) -> list[tuple[Order, Line]]:
        return [
            (order, line)
            for order in self.world.orders
            if not order.closed
            for line in order.lines
            if line.open > 0 and (line.facility == QUEUE) == queued
        ]

    def broker(self, which: int, place: int, *_: int) -> None:
        if lines := self._open_lines(queued=True):
            self._broker(*lines[which % len(lines)], list(FACILITIES)[place % 2])

    def _broker(self, order: Order, line: Line, facility: str) -> None:
        line.facility = facility
        self.books.broker(order, line, self.clock.now)

    def ship(self, which: int, many: int, minutes: int, *_: int) -> None:
        """Some or all open units of a line leave its facility's shelf."""
        if not (lines := self._open_lines(queued=False)):
            return
        order, line = lines[which % len(lines)]
        units = min(line.open, 1 + many % 3)
        if self.world.shelf[line.facility, line.product] < units:
            return
        issuance = Issuance(self.books.new_id(), line.facility, units, self.clock.now)
        self.fired["partial shipments"] += units < line.open
        self.world.ship(order, line, issuance)
        self.books.ship(order, line, issuance)
        if line.open == 0:
            line.completed = True
            self.books.complete_line(order, line, self.clock.now)
        if self.world.booked_by_line and not order.send_sale:
            self.agenda.add(
                self.clock.now + timedelta(minutes=minutes % 900), lambda: self._tell(order, line, issuance)
            )

    def _tell(self, order: Order, line: Line, issuance: Issuance) -> None:
        if not issuance.taken_back:
            issuance.told_at = self.clock.now
            self.books.tell_line(order, line, issuance, self.clock.now)

    def complete(self, which: int, *_: int) -> None:
        ready = [
            order
            for order in self.world.orders
            if not order.closed and all(line.open == 0 for line in order.lines) and any(one.gone for one in order.lines)
        ]
        if ready:
            self._close(ready[which % len(ready)], "ORDER_COMPLETED")

    def _close(self, order: Order, status: str) -> None:
        if status == "ORDER_COMPLETED":
            order.completed_at = self.clock.now
        else:
            order.cancelled = True
        self.books.close_order(order, status, self.clock.now)

    def cancel_rest(self, which: int, told: int, restock: int, *_: int) -> None:
        """What was not shipped is cancelled; if anything was, the order is completed."""
        lines = self._open_lines(queued=False) + self._open_lines(queued=True)
        if not lines:
            return
        order, _ = lines[which % len(lines)]
        cancelled = {line.product: line.open for line in order.lines if line.open}
        self.fired["cancellations of the rest"] += any(line.gone for line in order.lines)
        self._cancel_open(order)
        if order.shopify and told % 2:
            self._refund(order.shopify, cancelled, restock=restock % 2 == 0)

    def _cancel_open(self, order: Order, status: str | None = None) -> None:
        for line in order.lines:
            self._cancel(order, line, line.open)
        gone = any(line.gone for line in order.lines)
        self._close(order, status or ("ORDER_COMPLETED" if gone else "ORDER_CANCELLED"))

    def _cancel(self, order: Order, line: Line, units: int) -> None:
        if units <= 0:
            return
        if line.facility == QUEUE and units < line.open:
            self._broker(order, line, next(iter(FACILITIES)))
        self.books.cancel(order, line, units, self.clock.now)
        line.cancelled += units
        line.completed = line.gone > 0 and line.ordered - line.cancelled == line.gone

    def _refund(self, number: str, units: dict[str, int], *, restock: bool) -> None:
        order = self.shop.shop.order(number)
        for product, wanted in units.items():
            many = min(wanted, order.left.get(f"9{product}", 0))
            if many and len(self.shop.shop.order(number).refunds) < 4:
                self.shop.shop.refund(number, f"9{product}", many, restock=restock)

    def cancel_header(self, which: int, *_: int) -> None:
        """The order is called cancelled though some of it was shipped: that does not bring the shoes back."""
        if lines := [one for one in self._open_lines(queued=False) if one[1].gone]:
            self._cancel_open(lines[which % len(lines)][0], "ORDER_CANCELLED")

    def take_back(self, which: int, *_: int) -> None:
        """A shipment is undone before anybody was told of it: its units lie on the shelf again, still promised."""
        found = [
            (line, issuance)
            for order in self.world.orders
            if not order.closed and not order.send_sale
            for line in order.lines
            if not line.completed
            for issuance in line.issued
            if not issuance.taken_back and issuance.told_at is None
        ]
        if found:
            line, issuance = found[which % len(found)]
            self.world.take_back(line, issuance, issuance.units, self.clock.now)
            self.books.take_back(line, issuance, issuance.units, self.clock.now)

    def web_return(self, which: int, restock: int, *_: int) -> None:
        """Shoes of an order that Retail Pro has booked come back to the shop they left."""
        found = [
            (order, line)
            for order in self.world.orders
            if order.completed_at is not None and not order.send_sale
            for line in order.lines
            if line.gone > line.returned
            and all(self.world.booked(order, one, self.clock.now) for one in line.issued if not one.taken_back)
        ]
        if not found:
            return
        order, line = found[which % len(found)]
        key = next(one.facility for one in line.issued if not one.taken_back), line.product
        self.world.in_store(key, 1, self.clock.now)
        line.returned += 1
        about = {"RETURN_ID": self.books.new_id(), "ORDER_ID": order.number, "ORDER_ITEM_SEQ_ID": line.product}
        self.books.move(key, 1, 1, self.clock.now, **about)
        if order.shopify and restock % 3:
            self._refund(order.shopify, {line.product: 1}, restock=restock % 2 == 0)

    # At Shopify -------------------------------------------------------------------------------------------------------
    def _unshipped(self) -> list[str]:
        """Shopify's orders of which nothing was shipped."""
        return [
            str(order.id)
            for order in self.shop.shop.orders("cancelled_at IS NULL", 100_000)
            if order.left and not any(line.issued for line in self._lines_of(str(order.id))) and len(order.refunds) < 3
        ]

    def _lines_of(self, number: str) -> list[Line]:
        return self._imported[number].lines if number in self._imported else []

    def shop_cancel(self, which: int, restock: int, minutes: int, *_: int) -> None:
        if numbers := self._unshipped():
            number = numbers[which % len(numbers)]
            self.fired[f"cancels {'with' if restock % 2 else 'without'} restock"] += 1
            self.shop.shop.cancel(number, restock=restock % 2 == 1)
            self.agenda.add(self.clock.now + timedelta(minutes=minutes % 200), lambda: self._heard_cancel(number))

    def _heard_cancel(self, number: str) -> None:
        order = self._imported.get(number)
        if order is not None and not order.closed:
            self._cancel_open(order)

    def shop_refund(self, which: int, restock: int, minutes: int, *_: int) -> None:
        """A unit is edited out of an order before it is shipped."""
        if numbers := self._unshipped():
            number = numbers[which % len(numbers)]
            item = next(iter(self.shop.shop.order(number).left))
            self.shop.shop.refund(number, item, 1, restock=restock % 2 == 1)
            self.agenda.add(
                self.clock.now + timedelta(minutes=minutes % 200), lambda: self._heard_refund(number, item[1:])
            )

    def _heard_refund(self, number: str, product: str) -> None:
        order = self._imported.get(number)
        if order is None or order.closed:
            return
        left = self.shop.shop.order(number).left.get(f"9{product}", 0)
        line = next((line for line in order.lines if line.product == product), None)
        if line is not None:
            self._cancel(order, line, min(line.open, line.ordered - line.cancelled - left))

    def shop_edit(self, which: int, *_: int) -> None:
        """A unit more, before the OMS has the order."""
        numbers = [number for number in self._unshipped() if number not in self._imported]
        if numbers:
            number = numbers[which % len(numbers)]
            item = next(iter(self.shop.shop.order(number).left))
            if self.shop.shop.available(item, LOCATION) > 0:
                self.shop.shop.add_to_order(number, item, 1)

    # Rules ------------------------------------------------------------------------------------------------------------
    def safety_stock(self, which: int, units: int, *_: int) -> None:
        key, stock = KEYS[which % len(KEYS)], (None, 0, 1, 2, 4)[units % 5]
        self.world.rules[key].safety_stock = stock
        self._rule(key, "MINIMUM_STOCK", stock)

    def brokering(self, which: int, value: int, *_: int) -> None:
        key, allowed = KEYS[which % len(KEYS)], (None, "Y", "N")[value % 3]
        self.world.rules[key].brokering = allowed
        self._rule(key, "ALLOW_BROKERING", allowed)

    def threshold(self, which: int, units: int, *_: int) -> None:
        product = list(PRODUCTS)[which % 3]
        self.world.thresholds[product] = units % 3
        self._rule(("CFG", product), "MINIMUM_STOCK", units % 3)

    def _rule(self, key: Key, column: str, value: object) -> None:
        self.fired["rule changes"] += 1
        self.books.rule(key, column, value)

    def membership(self, which: int, *_: int) -> None:
        facility = list(FACILITIES)[which % 2]
        leaves = facility in self.world.members
        (self.world.members.discard if leaves else self.world.members.add)(facility)
        self.fired["membership changes"] += 1
        self.books.membership(facility, self.clock.now - timedelta(hours=2) if leaves else None)

    def publish(self, which: int, *_: int) -> None:
        product = list(PRODUCTS)[which % 3]
        published = product not in self.world.published
        (self.world.published.add if published else self.world.published.discard)(product)
        self.fired["products published or taken off"] += 1
        self.books.publish(product, published)
