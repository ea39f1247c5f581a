"""A tiny world with a shop: publications, what the shop shows, and what was published.

The OMS may sell 20 of A (9A at Shopify), 20 of B and none of C, at the online location 700.
"""

from dataclasses import dataclass
from datetime import date, datetime

from rpsync_assets.oms import tables
from rpsync_assets.sandbox.emulator.server import Endpoint
from rpsync_assets.sandbox.emulator.shop import Applied, Shop
from rpsync_assets_tests.graph.tiny_oms import NEW_YORK
from rpsync_assets_tests.graph.tiny_world import Ran, TinyWorld

NOW = datetime.now(NEW_YORK)


@dataclass
class Online:
    """A tiny world and its shop."""

    world: TinyWorld
    shop: Shop
    endpoint: Endpoint

    @property
    def today(self) -> date:
        return datetime.now(NEW_YORK).date()

    def full(self, release: str | None = None) -> Ran:
        return self.world.run("shopify_full_reset", day=self.today, release=release, released="shopify_full_reset")

    def delta(self) -> Ran:
        return self.world.run(job="shopify_deltas", partition="US")

    def published(self) -> list[Applied]:
        """What we changed, as the shop's own log has it."""
        return [one for one in self.shop.log if one.operation in {"set", "adjust"}]

    def shown(self) -> tuple[int, int, int]:
        """A, B, C."""
        return self.shown_at("700")

    def shown_at(self, location: str) -> tuple[int, int, int]:
        """A, B, C at a location."""
        return tuple(self.shop.available(f"9{product}", location) for product in "ABC")  # type: ignore[return-value]

    def pickup(self, facility: str, location: str) -> None:
        """Stock of a facility (10, 10 and none of C) is shown at a location of its own."""
        shop_location = tables.shopify_shop_location
        self.world.oms.add(shop_location, SHOP_ID="SHOP", FACILITY_ID=facility, SHOPIFY_LOCATION_ID=location)
        self.shop.stock([(f"9{product}", location, units) for product, units in zip("ABC", (10, 10, 0), strict=True)])


def fine(ran: Ran) -> dict[str, object]:
    """Nothing failed and no check is red; what the publication said."""
    assert (ran.failures, ran.red) == ({}, [])
    (said,) = ran.metadata.values()
    return said
