"""Customers of the emulated shop: they buy what is there, and cancel or send back some of it.

Belongs here: who does what. Does not: what it does to counts (``shop``).
"""

from random import Random

from rpsync_assets.sandbox.emulator.shop import Shop


class Customers:
    """A crowd that does one thing at a time, the same things for the same seed and stock."""

    def __init__(self, shop: Shop, seed: int = 1) -> None:
        self._shop, self._chance = shop, Random(seed)  # noqa: S311  a story that repeats
        self._orders: list[str] = []

    def do_something(self) -> None:
        """Buy, mostly; else cancel an order or edit some of it out, with or without restocking."""
        if self._orders and self._chance.random() < 0.25:
            order = self._chance.choice(self._orders)
            left = self._shop.order(order).left
            restock = self._chance.random() < 0.5
            if not left or self._chance.random() < 0.5:
                self._shop.cancel(order, restock=restock)
                self._orders.remove(order)
            else:
                self._shop.refund(order, self._chance.choice(sorted(left)), 1, restock=restock)
            return
        there = self._shop.in_stock(self._chance.random())
        if there is not None:
            item, location, available = there
            self._orders.append(self._shop.place_order({item: self._chance.randint(1, min(2, available))}, location))
