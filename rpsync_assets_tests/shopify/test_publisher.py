"""Publications of thousands of items: bad ones among them, and as fast as Shopify's limit allows."""

from pathlib import Path

import pytest

from rpsync_assets.assets.publisher import Published
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.sandbox.emulator.server import Behaviour, Endpoint, serving
from rpsync_assets.sandbox.emulator.shop import Shop
from rpsync_assets_tests.bench import __main__ as bench
from rpsync_assets_tests.bench import publication
from rpsync_assets_tests.bench.publication import publisher
from rpsync_assets_tests.shopify.publish_by_itself import FourOfEverything

FAST = {"restore_rate": 100_000.0, "maximum": 100_000.0, "start": 100_000.0}


def publish(folder: Path, endpoint: Endpoint, items: int, lost: int = 0) -> Published:
    oms = FourOfEverything(Outbox(folder / "outbox"), items, lost)
    return publisher(folder, endpoint, oms).full(lambda _plan: None)


@pytest.mark.parametrize("indexes", [True, False])
def test_of_5000_items_100_are_bad_each_is_named_and_all_others_go_out(tmp_path: Path, indexes: bool) -> None:
    """40 bundles, 40 deleted variants, 20 at a location that the shop does not have."""
    shop = Shop(tmp_path / "shop.sqlite")
    shop.stock((str(10_000 + number), "700", 1) for number in range(4_980))
    bundles = [str(10_000 + 120 * number) for number in range(40)]
    deleted = [str(10_060 + 120 * number) for number in range(40)]
    shop.bundle(*bundles)
    shop.delete(*deleted)
    with serving(shop, Behaviour(**FAST, indexes=indexes)) as endpoint:
        done = publish(tmp_path, endpoint, 4_980, lost=20)
    bad = dict(done.sent.bad_rows.select("shopify_inventory_item_id", "code").iter_rows())
    assert {item for item, code in bad.items() if code == "NON_MUTABLE_INVENTORY_ITEM"} == set(bundles)
    assert {item for item, code in bad.items() if code == "INVALID_INVENTORY_ITEM"} == set(deleted)
    assert list(bad.values()).count("INVALID_LOCATION") == 20
    assert done.sent.rows == 4_900
    assert done.drifting.is_empty()
    assert {item for (item, _), count in shop.counts().items() if count != 4} == {*bundles, *deleted}
    calls = [one for one in endpoint.requests if one.operation == "inventorySetQuantities"]
    if indexes:
        assert len(calls) <= 3 * -(-4_900 // 250)
    shop.close()


@pytest.mark.proof
def test_200_000_changes_take_hardly_longer_than_shopifys_limit_allows(tmp_path: Path) -> None:
    """A Standard plan's bucket, empty at first, its clock five times faster; reading before and after counted in."""
    took = publication.measure(tmp_path)
    assert (took["items_sent"], took["drifting"]) == (200_000, 0)
    assert took["times_floor"] <= bench.MOST_TIMES_FLOOR, took
    assert took["throttled_share"] < bench.MOST_THROTTLED, took


def test_what_is_unchanged_is_not_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop.sqlite")
    shop.stock((str(10_000 + number), "700", 4) for number in range(1_000))
    with serving(shop, Behaviour(**FAST)) as endpoint:
        done = publish(tmp_path, endpoint, 1_000)
    assert (done.sent.rows, shop.log) == (0, [])
    assert {one.operation for one in endpoint.requests} == {"location", "orders"}
    assert done.plan["outcome"].unique().to_list() == ["unchanged"]
    shop.close()
