"""Orders of one morning, as rows: headers, lines, statuses, issuances, reservations, ledger.

Belongs here: turning scenarios into rows. Does not: which scenarios there are (``scenarios``), writing
(``order_rows``).

ATP moves with the reservation and QOH with the issuance, as in OFBiz: a shipped unit that was reserved changes ATP once
only.
"""

from dataclasses import dataclass
from datetime import datetime

from rpsync_assets.sandbox.book import Issued, OpenLine, iso
from rpsync_assets.sandbox.catalog import Product
from rpsync_assets.sandbox.day import Day, Pool, Stocked
from rpsync_assets.sandbox.facilities import QUEUE, Facility, stock_id
from rpsync_assets.sandbox.oms_writer import Movement
from rpsync_assets.sandbox.order_rows import OrderRows
from rpsync_assets.sandbox.scenarios import POS, SCENARIOS, LinePlan, Scenario


@dataclass(frozen=True)
class _Line:
    """A planned line with its place in the world; ``item`` is None where no shelf is touched."""

    plan: LinePlan
    seq: str
    product: Product
    facility_id: str
    ship_group: str
    item: str | None


class OrderInventor:
    """Invents the orders of one morning into ``rows``."""

    def __init__(self, day: Day, pool: Pool, own: list[Facility], digital: list[Product]) -> None:
        self._day = day
        self._pool = pool
        self._own = own
        self._digital = digital
        self._shared: Stocked | None = None
        self.rows = OrderRows()

    def invent(self, times: int) -> None:
        """Every scenario that many times."""
        for scenario in SCENARIOS:
            for _ in range(times):
                self._order(scenario)
            self.rows.scenarios[scenario.name] = times

    def complete(self, orders: dict[str, list[OpenLine]]) -> None:
        """Ship what older orders still wait for and complete them, hours before the snapshot."""
        for order_id, lines in orders.items():
            for line in lines:
                self._ship_rest(line)
            at = self._day.at(-470)
            self.rows.statuses.append((order_id, "ORDER_COMPLETED", None, at))
            self.rows.finished_orders[order_id] = at

    def _ship_rest(self, line: OpenLine) -> None:
        at, item = self._day.at(-480), stock_id(line.facility_id, int(line.product_id[1:]))
        self._issue(line.order_id, line.order_item_seq_id, line.ship_group, item, (at, line.quantity, 0))
        self.rows.statuses.append((line.order_id, "ITEM_COMPLETED", line.order_item_seq_id, at))
        self.rows.issued.append(
            Issued(
                *(line.order_id, line.facility_id, line.product_id, line.quantity, iso(at)),
                booked_at=iso(self._day.at(-470)),
            )
        )
        self._move(line.facility_id, line.product_id, item, at, -line.quantity, 0, line.order_id, issued=True)

    def _order(self, scenario: Scenario) -> None:
        number = len(self.rows.headers) + 1
        order_id = f"{self._day.prefix}{number:04d}"
        placed = self._day.at(-self._day.rng.randrange(720, 1200))
        lines = self._lines(scenario)
        status = "COMPLETED" if scenario.completed else "CANCELLED" if scenario.cancelled else "APPROVED"
        store = self._day.store.store_id
        external = f"5{self._day.business_date:%y%m%d}{number:06d}"
        self.rows.headers.append(
            (
                *(order_id, "SALES_ORDER", f"#{store}{external[1:]}", external, scenario.channel),
                *(placed, self._day.at(-700), f"ORDER_{status}", store),
            )
        )
        history = [("ORDER_CREATED", placed), ("ORDER_APPROVED", self._day.at(-695))]
        end = scenario.completed or scenario.cancelled
        if end:
            history.append((f"ORDER_{status}", self._day.at(end)))
        self.rows.statuses += [(order_id, name, None, at) for name, at in history]
        groups = {line.ship_group: line.facility_id for line in lines}
        self.rows.ship_groups += [(order_id, group, facility, "STANDARD") for group, facility in groups.items()]
        for line in lines:
            self._line(order_id, scenario, line)

    def _lines(self, scenario: Scenario) -> list[_Line]:
        lines: list[_Line] = []
        groups: dict[str, str] = {}
        first: Stocked | None = None
        for number, plan in enumerate(scenario.lines, 1):
            stocked: Stocked | None = None
            if plan.place == "digital":
                # HotWax books digital goods at some facility as well: only the product type tells them apart.
                product, facility_id = self._day.rng.choice(self._digital), self._own[0].facility_id
            else:
                stocked = self._draw(scenario, first, wait=plan.place == "queue")
                first = first or stocked
                product = stocked.product
                facility_id = QUEUE if plan.place == "queue" else stocked.facility.facility_id
            group = groups.setdefault(facility_id, f"{len(groups) + 1:05d}")
            item = stocked.inventory_item_id if stocked and plan.place == "store" else None
            lines.append(_Line(plan, f"{number:05d}", product, facility_id, group, item))
        return lines

    def _draw(self, scenario: Scenario, first: Stocked | None, *, wait: bool) -> Stocked:
        """A key for a line; now and then one that another order has already, so that units add up."""
        if scenario.one_facility and first:
            return self._pool.draw(lambda one: one.facility == first.facility)
        if self._shared and scenario.in_file and not wait and first is None and self._day.rng.random() < 0.2:
            shared, self._shared = self._shared, None
            return shared
        drawn = self._pool.draw()
        if not scenario.in_file:
            self.rows.not_in_file.add(drawn.key)
        elif not wait:
            self.rows.in_file[drawn.key] = drawn
            self._shared = drawn
        return drawn

    def _line(self, order_id: str, scenario: Scenario, line: _Line) -> None:
        plan = line.plan
        done = plan.open_quantity == 0
        status = "CANCELLED" if plan.cancelled == plan.quantity else "COMPLETED" if done else "APPROVED"
        self.rows.items.append(
            (
                *(order_id, line.seq, line.product.product_id, plan.quantity, plan.cancelled or None),
                *(f"ITEM_{status}", line.ship_group),
            )
        )
        history = [("ITEM_CREATED", self._day.at(-700)), ("ITEM_APPROVED", self._day.at(-690))]
        if done:
            last = plan.issues[-1][0] if plan.issues else scenario.cancelled or -230
            history.append((f"ITEM_{status}", self._day.at(last)))
        self.rows.statuses += [(order_id, name, line.seq, at) for name, at in history]
        if line.item is None:
            return
        self._reserve(order_id, scenario, line, line.item)
        for place, (minutes, units) in enumerate(plan.issues):
            self._ship(order_id, scenario, line, line.item, (minutes, units, plan.undone if place == 0 else 0))

    def _reserve(self, order_id: str, scenario: Scenario, line: _Line, item: str) -> None:
        plan, product_id = line.plan, line.product.product_id
        at = self._day.at(-690)
        self._move(line.facility_id, product_id, item, at, 0, -plan.quantity, order_id)
        if plan.cancelled:
            undone_at = self._day.at(scenario.cancelled or -230)
            self._move(line.facility_id, product_id, item, undone_at, 0, plan.cancelled, order_id)
        if plan.open_quantity:
            self.rows.reservations.append((order_id, line.ship_group, line.seq, item, plan.open_quantity, at))
            self.rows.open_lines.append(
                OpenLine(
                    *(order_id, line.seq, line.ship_group, line.facility_id, product_id, plan.open_quantity),
                    may_complete=scenario.may_complete_later,
                )
            )

    def _ship(self, order_id: str, scenario: Scenario, line: _Line, item: str, issue: tuple[int, int, int]) -> None:
        minutes, units, undone = issue
        at, product_id = self._day.at(minutes), line.product.product_id
        with_issuance = line.plan.evidence == "issuance"
        if with_issuance:
            self._issue(order_id, line.seq, line.ship_group, item, (at, units, undone))
        self._move(line.facility_id, product_id, item, at, -units, 0, order_id, issued=with_issuance, shipped=True)
        if undone:
            self._move(line.facility_id, product_id, item, at, undone, 0, order_id, issued=True, shipped=True)
        if scenario.channel != POS:
            booked = None if scenario.completed is None else iso(self._day.at(scenario.completed))
            self.rows.issued.append(
                Issued(order_id, line.facility_id, product_id, units - undone, iso(at), booked_at=booked)
            )

    def _issue(self, order_id: str, seq: str, ship_group: str, item: str, issue: tuple[datetime, int, int]) -> None:
        at, units, undone = issue
        number = len(self.rows.issuances) + 1
        self.rows.issuances.append(
            (
                *(
                    f"{self._day.prefix}{number:05d}",
                    order_id,
                    seq,
                    ship_group,
                    item,
                    self._shipment(order_id),
                ),
                *(at, units, undone or None),
            )
        )

    def _shipment(self, order_id: str) -> str:
        """The shipment of an order on this day; a later day sends another one."""
        return f"{self._day.prefix}M{order_id.removeprefix('SBX')}"

    def _move(  # noqa: PLR0913  the columns of a ledger row
        self,
        facility_id: str,
        product_id: str,
        item: str,
        at: datetime,
        on_hand: int,
        promised: int,
        order_id: str,
        *,
        issued: bool = False,
        shipped: bool = False,
    ) -> None:
        last_issuance = f"{self._day.prefix}{len(self.rows.issuances):05d}"
        self.rows.movements.append(
            Movement(
                *(facility_id, product_id, item, at, at.replace(second=40), on_hand, promised, order_id),
                shipment_id=self._shipment(order_id) if issued or shipped else None,
                issuance_id=last_issuance if issued else None,
            )
        )
