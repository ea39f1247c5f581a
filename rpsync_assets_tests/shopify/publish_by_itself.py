"""A process that publishes: the real publisher on an OMS that says 4 of everything. To be killed by its tests."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from pydantic import SecretStr

from rpsync_assets.assets.desired import Desired
from rpsync_assets.assets.publisher import Publisher
from rpsync_assets.core.feed import FEED_SCHEMA
from rpsync_assets.core.publication import REFLECTED_SCHEMA
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.shopify import Shopify, ShopSettings
from rpsync_assets.store_settings import StoreSettings


class FourOfEverything:
    """An OMS of which nothing changes; ``lost`` items more are mapped to a location that Shopify does not have."""

    def __init__(self, outbox: Outbox, items: int, lost: int = 0) -> None:
        self.oms, self.outbox, self._items, self._lost = self, outbox, items, lost

    @contextmanager
    def _reader(self) -> Iterator["FourOfEverything"]:
        yield self

    def read(self, *whose: object) -> object:
        """A snapshot, or what should be shown."""
        if not whose:
            return self._reader()
        rows = [(str(10_000 + number), "700", "online", f"P{number}", None, 4) for number in range(self._items)]
        rows += [(str(900_000 + number), "999", "pickup", f"L{number}", "NY", 4) for number in range(self._lost)]
        return Desired(
            feed=pl.DataFrame(rows, orient="row", schema=FEED_SCHEMA),
            reflected_orders=pl.DataFrame(schema=REFLECTED_SCHEMA),
            returns_known=True,
            pending=pl.DataFrame(schema={"product_id": pl.String, "facility_id": pl.String}),
            unmapped=0,
        )

    def shopify_locations(self, _store: str) -> pl.DataFrame:
        """The online location."""
        places = pl.DataFrame({"facility_id": ["_NA_", "NY"], "shopify_location_id": ["700", "999"]})
        return places if self._lost else places.head(1)


def main() -> None:
    """Publish once."""
    folder, items = Path(sys.argv[1]), int(sys.argv[2])
    its = StoreSettings.model_validate(
        {
            "time_zone": "America/New_York",
            "channel": "US_ONLINE",
            "shopify": {"url": os.environ["SHOP_URL"], "publish": "on"},
        }
    )
    shopify = Shopify({"US": ShopSettings(os.environ["SHOP_URL"], SecretStr(os.environ["SHOP_TOKEN"]))})
    publications = Publications(f"sqlite:///{folder / 'state.sqlite'}")
    reader = FourOfEverything(Outbox(folder / "outbox"), items)
    print("begins", flush=True)  # noqa: T201  for the test that kills us
    publisher = Publisher("US", its, reader, shopify, publications, "run")  # type: ignore[arg-type]
    done = publisher.full(lambda _plan: None)
    assert done.drifting.is_empty()


if __name__ == "__main__":
    main()
