"""A shop behind the emulator, and a session with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from rpsync_assets.resources.shopify import Shopify, ShopSession, ShopSettings
from rpsync_assets.sandbox.emulator.server import Endpoint, serving
from rpsync_assets.sandbox.emulator.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """600 items at location 700, 5 of each."""
    made = Shop(tmp_path / "shop.sqlite")
    made.stock((str(1000 + number), "700", 5) for number in range(600))
    yield made
    made.close()


@pytest.fixture
def endpoint(shop: Shop) -> Iterator[Endpoint]:
    with serving(shop) as served:
        yield served


@pytest.fixture
def session(endpoint: Endpoint) -> Iterator[ShopSession]:
    """A session that waits without sleeping."""
    with Shopify({"US": ShopSettings(endpoint.url, SecretStr(endpoint.token))}).session("US") as opened:
        opened.api.bucket.sleep = lambda _seconds: None
        yield opened
