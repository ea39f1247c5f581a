"""One store on one business date, and the keys (product at a facility) that things happen to.

Belongs here: the moment of the snapshot, the seeded dice, shelves, drawing keys. Does not: what happens to them.

One fact a newcomer would get wrong: choices depend on the sandbox's own shelves only, never on the OMS's numbers, so a
file comes out the same whether or not the product has run in between.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from rpsync_assets.core.errors import SetupError
from rpsync_assets.sandbox.book import Key
from rpsync_assets.sandbox.catalog import Product
from rpsync_assets.sandbox.facilities import Facility, stock_id
from rpsync_assets.sandbox.stores import SandboxStore

SNAPSHOT_TIME = time(23, 30)
"""Store-local, on the evening before the business date."""

PLENTY = 10
"""Units on a shelf that orders and sales may be invented for: more than a morning takes."""


@dataclass(frozen=True)
class Day:
    """One store on one business date; ``snapshot_at`` is T0 in naive UTC, as the OMS stores moments."""

    store: SandboxStore
    business_date: date
    snapshot_at: datetime
    rng: Random

    @property
    def prefix(self) -> str:
        """What the ids of everything invented for this day begin with."""
        return f"SBX{self.store.store_id}{self.business_date:%y%m%d}-"

    def at(self, minutes: float) -> datetime:
        """A moment relative to the snapshot, naive UTC."""
        return self.snapshot_at + timedelta(minutes=minutes)


def snapshot_of(store: SandboxStore, business_date: date) -> datetime:
    """T0 of a business date with its zone: 23:30 store-local on the evening before."""
    return datetime.combine(business_date - timedelta(days=1), SNAPSHOT_TIME, tzinfo=store.zone)


def naive_utc(moment: datetime) -> datetime:
    """A moment as the OMS stores it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Stocked:
    """A product at a facility."""

    facility: Facility
    product: Product

    @property
    def key(self) -> Key:
        """Facility id and product id."""
        return self.facility.facility_id, self.product.product_id

    @property
    def inventory_item_id(self) -> str:
        """The OMS's stock record."""
        return stock_id(self.facility.facility_id, self.product.number)


class Shelves:
    """What lies on every shelf of a store, true by definition; remembers which ones changed."""

    def __init__(self, quantities: dict[Key, int]) -> None:
        self._quantities = quantities
        self.changed: set[Key] = set()

    def __getitem__(self, key: Key) -> int:
        return self._quantities[key]

    def move(self, key: Key, units: int) -> None:
        """Put units on a shelf, or take them off it."""
        if units:
            self._quantities[key] += units
            self.changed.add(key)


class Pool:
    """Keys with plenty of stock and nothing going on, in random order; each is drawn once."""

    def __init__(self, stocked: Iterable[Stocked], rng: Random) -> None:
        self._keys = list(stocked)
        rng.shuffle(self._keys)

    def draw(self, fits: Callable[[Stocked], bool] | None = None) -> Stocked:
        """The next key, or the next one that fits.

        Raises:
            SetupError: none is left.
        """
        for place in range(len(self._keys) - 1, -1, -1):
            if fits is None or fits(self._keys[place]):
                return self._keys.pop(place)
        raise SetupError(
            "The sandbox has no product left with enough stock for another order",
            "Play fewer mornings in this folder, or choose another folder or a bigger size",
        )
