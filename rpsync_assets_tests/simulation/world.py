"""The truth of a store: what lies on its shelves, what Retail Pro believes, which orders there are, and who was told.

Belongs here: plain numbers. Does not: databases (``books``), files (``retail_pro``), Shopify (``shop``), or anything of
``rpsync_assets``: what the product must end up with is computed from here.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ZONES = ("America/New_York", "America/Los_Angeles", "Australia/Sydney", "Europe/London", "America/Caracas")
FACILITIES = {"NY": "101", "NASH": "102"}
PRODUCTS = {"A": "012345678905", "B": "4006381333931", "C": "036000291452"}
UNSOLD = ("Z", "0075678164125")
QUEUE = "_NA_"

Key = tuple[str, str]
KEYS: list[Key] = [(facility, product) for facility in FACILITIES for product in PRODUCTS]


@dataclass
class Movement:
    """Goods that came (above zero) or went, and that the OMS has not been told of: not yet, or never."""

    key: Key
    units: int
    at: datetime
    due: datetime | None = None
    number: int = 0
    retries: int = 0


@dataclass
class Issuance:
    """Units that left a shelf for an order's line."""

    number: str
    facility: str
    units: int
    at: datetime
    taken_back: int = 0
    taken_back_at: datetime | None = None
    told_at: datetime | None = None


@dataclass
class Line:
    """A line of an order; at ``QUEUE`` nobody has been asked for it yet."""

    product: str
    ordered: int
    facility: str
    cancelled: int = 0
    returned: int = 0
    issued: list[Issuance] = field(default_factory=list)
    completed: bool = False

    @property
    def gone(self) -> int:
        """Units that left a shelf and were not taken back."""
        return sum(issuance.units - issuance.taken_back for issuance in self.issued)

    @property
    def open(self) -> int:
        """Units that are still to be shipped."""
        return 0 if self.completed else self.ordered - self.cancelled - self.gone

    @property
    def reflected(self) -> int:
        """By how much what may be sold has gone down for it."""
        wanted = self.ordered - self.cancelled if self.facility != QUEUE or self.cancelled else self.ordered
        return max(self.gone, wanted) - self.returned


@dataclass
class Order:
    """An order as the OMS has it; ``shopify`` is its number there."""

    number: str
    lines: list[Line]
    shopify: str | None = None
    send_sale: bool = False
    completed_at: datetime | None = None
    cancelled: bool = False

    @property
    def closed(self) -> bool:
        """Nothing more will be shipped."""
        return self.completed_at is not None or self.cancelled


@dataclass
class Rule:
    """What HotWax's rules say of a product at a facility."""

    safety_stock: int | None = None
    brokering: str | None = None


@dataclass
class World:
    """One store.

    Attributes:
        shelf: the pieces that lie there.
        counted: what Retail Pro would count if it had booked no order of the OMS's at all.
        unknown: movements that the OMS has not been told of.
        orders: of the OMS, oldest first.
        corrected: what people changed in the OMS's books since the key's last accepted count.
        views: Retail Pro's counts at each snapshot.
    """

    booked_by_line: bool
    lag: timedelta
    shelf: Counter[Key] = field(default_factory=Counter)
    counted: Counter[Key] = field(default_factory=Counter)
    unknown: list[Movement] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    corrected: Counter[Key] = field(default_factory=Counter)
    rules: dict[Key, Rule] = field(default_factory=lambda: {key: Rule() for key in KEYS})
    thresholds: dict[str, int] = field(default_factory=dict)
    members: set[str] = field(default_factory=lambda: set(FACILITIES))
    published: set[str] = field(default_factory=lambda: set(PRODUCTS))
    views: dict[datetime, dict[Key, int]] = field(default_factory=dict)

    def in_store(self, key: Key, units: int, at: datetime) -> Movement:
        """Goods come or go, and Retail Pro sees it at once."""
        self.shelf[key] += units
        self.counted[key] += units
        return Movement(key, units, at)

    def ship(self, order: Order, line: Line, issuance: Issuance) -> None:
        """Units leave the shelf; Retail Pro hears of it when it has booked it (a Send-Sale is its own)."""
        key = issuance.facility, line.product
        self.shelf[key] -= issuance.units
        line.issued.append(issuance)
        if order.send_sale:
            self.counted[key] -= issuance.units

    def take_back(self, line: Line, issuance: Issuance, units: int, at: datetime) -> None:
        """Units of an issuance lie on the shelf again."""
        self.shelf[issuance.facility, line.product] += units
        issuance.taken_back, issuance.taken_back_at = units, at

    def booked(self, order: Order, issuance: Issuance, at: datetime) -> bool:
        """Whether Retail Pro has an issuance in its books."""
        told = issuance.told_at if self.booked_by_line else order.completed_at
        return told is not None and told + self.lag <= at

    def retail_pro(self, at: datetime) -> dict[Key, int]:
        """What Retail Pro counts."""
        view = dict(self.counted)
        for order in self.orders:
            for line in order.lines:
                for issuance in line.issued:
                    if not order.send_sale and self.booked(order, issuance, at):
                        key = issuance.facility, line.product
                        view[key] = view.get(key, 0) - (issuance.units - issuance.taken_back)
        return {key: view.get(key, 0) for key in KEYS}

    def reserved(self, key: Key) -> int:
        """Units of open lines that are promised at a facility."""
        return sum(
            line.open
            for order in self.orders
            for line in order.lines
            if (line.facility, line.product) == key and not order.closed
        )

    def expected(self, key: Key, snapshot_at: datetime) -> int:
        """What the OMS must have on hand of a key whose last accepted count is of ``snapshot_at``.

        The shelf, less what came and went since that count and was not (or never) told to the OMS, and what people
        changed in its books.
        """
        unknown = sum(one.units for one in self.unknown if one.key == key and one.at > snapshot_at)
        return self.shelf[key] - unknown + self.corrected[key]

    def desired(self, product: str, on_hand: dict[Key, int]) -> int | None:
        """What may be sold of a product online; None if the OMS never had it.

        Args:
            product: one of ``PRODUCTS``.
            on_hand: what the OMS must have, of keys it has.
        """
        keys = [key for key in on_hand if key[1] == product]
        if not keys:
            return None
        counted = [key for key in keys if key[0] in self.members and self.rules[key].brokering != "N"]
        promised = {key: on_hand[key] - self.reserved(key) for key in counted}
        if not counted or sum(promised.values()) < 0:
            return 0
        left = sum(
            units - (self.rules[key].safety_stock or 0) if units >= (self.rules[key].safety_stock or 0) else 0
            for key, units in promised.items()
        )
        waiting = sum(
            line.ordered
            for order in self.orders
            for line in order.lines
            if line.facility == QUEUE and line.product == product and not order.closed and not line.cancelled
        )
        return max(0, left - self.thresholds.get(product, 0) - waiting)

    def reflected(self, product: str) -> int:
        """Units of Shopify's orders for a product that what may be sold has gone down by."""
        return sum(
            line.reflected for order in self.orders if order.shopify for line in order.lines if line.product == product
        )
