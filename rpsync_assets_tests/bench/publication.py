"""A full publication beside the least that Shopify's bucket allows.

The emulator's bucket is a Standard plan's, empty at first, and fills five times as fast; seconds are told on Shopify's
clock. The floor is what all requests that were answered cost, reading before and after included, over what drips in.
"""

import time
from pathlib import Path

from pydantic import SecretStr

from rpsync_assets.assets.publisher import Publisher
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.shopify import Shopify, ShopSettings
from rpsync_assets.sandbox.emulator.server import Behaviour, Endpoint, serving
from rpsync_assets.sandbox.emulator.shop import Shop
from rpsync_assets.store_settings import StoreSettings
from rpsync_assets_tests.shopify.publish_by_itself import FourOfEverything

ITEMS = 200_000
SPEED = 5.0
POINTS_A_SECOND = 100.0


def publisher(folder: Path, endpoint: Endpoint, oms: FourOfEverything) -> Publisher:
    """A store US whose shop is the emulator."""
    shopify = {"url": endpoint.url, "publish": "on"}
    its = {"time_zone": "America/New_York", "channel": "US_ONLINE", "shopify": shopify}
    shops = Shopify({"US": ShopSettings(endpoint.url, SecretStr(endpoint.token))})
    publications = Publications(f"sqlite:///{folder / 'state.sqlite'}")
    return Publisher("US", StoreSettings.model_validate(its), oms, shops, publications, "run")  # type: ignore[arg-type]


def measure(folder: Path, items: int = ITEMS) -> dict[str, float]:
    """Publish items that all differ; seconds on Shopify's clock, calls, and how many of them were throttled."""
    shop = Shop(folder / "shop.sqlite")
    shop.stock((str(10_000 + number), "700", 1) for number in range(items))
    with serving(shop, Behaviour(restore_rate=POINTS_A_SECOND, start=0.0, speed=SPEED)) as endpoint:
        oms = FourOfEverything(Outbox(folder / "outbox"), items)
        started = time.perf_counter()
        done = publisher(folder, endpoint, oms).full(lambda _plan: None)
        seconds = (time.perf_counter() - started) * SPEED
        floor = sum(one.cost for one in endpoint.requests if not one.throttled) / POINTS_A_SECOND
        throttled = sum(one.throttled for one in endpoint.requests)
        calls = len(endpoint.requests)
    shop.close()
    return {
        "items": items,
        "items_sent": done.sent.rows,
        "drifting": done.drifting.height,
        "shopify_seconds": round(seconds, 1),
        "floor_seconds": round(floor, 1),
        "times_floor": round(seconds / floor, 3),
        "calls": calls,
        "throttled_share": round(throttled / calls, 5),
    }
