"""A fresh tiny world for each test, below the one SFTP server."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from rpsync_assets.sandbox.emulator.server import Behaviour, serving
from rpsync_assets.sandbox.emulator.shop import Shop
from rpsync_assets.sandbox.sftp_server import SftpEndpoint
from rpsync_assets_tests.graph.online import Online
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import Rows, TinyWorld


@pytest.fixture
def world(
    sftp_server: tuple[Path, SftpEndpoint], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[TinyWorld]:
    """Stock A 10/10, B 10/10, C 0/0 in New York/Nashville; nothing has happened yet."""
    shown = getattr(request.module, "SHOWN", False)
    root, endpoint = sftp_server
    with dg.DagsterInstance.ephemeral() as instance:
        tiny = TinyWorld(tmp_path, root, tmp_path.name, endpoint, instance, shown=shown)
        for facility in ("NY", "NASH"):
            for product, units in (("A", 10), ("B", 10), ("C", 0)):
                tiny.oms.stock(facility, product, units)
        yield tiny
        tiny.close()


@pytest.fixture
def example(world: TinyWorld) -> TinyWorld:
    """The day before of domain.md 3.3 a: A2 B2 C2 ordered at 08:30, A and B shipped from New York at 09:00."""
    lines = dict.fromkeys(("A", "B", "C"), ("NY", 2))
    world.oms.order("1001", "2026-03-09 08:30", lines)
    for product in ("A", "B"):
        world.oms.ship("1001", product, "NY", 2, "2026-03-09 09:00")
    assert world.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (0, 0)}
    return world


@pytest.fixture
def counts() -> Rows:
    """What Retail Pro counts at 07:00: A 10/10, B 10/10, C 5/5, and Z, which is not sold online."""
    return [
        ("101", UPCA["A"], 10),
        ("102", UPCA["A"], 10),
        ("101", UPCA["B"], 10),
        ("102", UPCA["B"], 10),
        ("101", UPCA["C"], 5),
        ("102", UPCA["C"], 5),
        ("101", UPCA["Z"], 99),
    ]


@pytest.fixture
def online(world: TinyWorld, tmp_path: Path) -> Iterator[Online]:
    shop = Shop(tmp_path / "shop.sqlite")
    shop.stock([("9A", "700", 20), ("9B", "700", 20), ("9C", "700", 0)])
    with serving(shop, Behaviour()) as endpoint:
        world.store["shopify"] = {"url": endpoint.url, "publish": "on"}
        world.tokens["US"] = endpoint.token
        yield Online(world, shop, endpoint)
    shop.close()
