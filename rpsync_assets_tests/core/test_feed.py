"""Target quantities per Shopify item and location, and how far Shopify is from them."""

import polars as pl

from rpsync_assets.core.atp import SCHEMA as ATP_SCHEMA
from rpsync_assets.core.feed import FEED_SCHEMA, shopify_feed


def atp(*rows: tuple[str, str, str | None, int]) -> pl.DataFrame:
    """Scope, product, facility, sellable."""
    names = ("scope", "product_id", "facility_id", "sellable")
    return pl.DataFrame(
        [dict(zip(names, row, strict=True)) | {"quantity_on_hand": 99} for row in rows], schema=ATP_SCHEMA
    )


def pairs(first: str, second: str, *rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={first: pl.String, second: pl.String}, orient="row")


def items(*rows: tuple[str, str]) -> pl.DataFrame:
    return pairs("product_id", "shopify_inventory_item_id", *rows)


def locations(*rows: tuple[str, str]) -> pl.DataFrame:
    return pairs("facility_id", "shopify_location_id", *rows)


SOLD = atp(("channel", "P", None, 12), ("facility", "P", "F1", 4), ("facility", "P", "F2", 0))


def test_the_online_location_gets_the_channels_number_and_a_pickup_location_its_facilitys() -> None:
    feed = shopify_feed(SOLD, items(("P", "I1")), locations(("_NA_", "L0"), ("F1", "L1"), ("F2", "L2")))
    assert feed.rows() == [
        ("I1", "L0", "online", "P", "_NA_", 12),
        ("I1", "L1", "pickup", "P", "F1", 4),
        ("I1", "L2", "pickup", "P", "F2", 0),
    ]
    assert feed.schema == FEED_SCHEMA


def test_a_facility_without_a_location_and_a_location_without_a_facility_get_nothing() -> None:
    feed = shopify_feed(SOLD, items(("P", "I1")), locations(("F1", "L1"), ("ELSEWHERE", "L9")))
    assert feed.select("shopify_location_id", "quantity").rows() == [("L1", 4)]


def test_a_product_without_an_item_and_an_item_without_stock_get_no_target() -> None:
    feed = shopify_feed(SOLD, items(("OTHER", "I9")), locations(("_NA_", "L0")))
    assert feed.height == 0
    assert feed.schema == FEED_SCHEMA


def test_every_item_of_a_product_gets_the_target() -> None:
    feed = shopify_feed(SOLD, items(("P", "I2"), ("P", "I1")), locations(("_NA_", "L0")))
    assert feed.select("shopify_inventory_item_id", "quantity").rows() == [("I1", 12), ("I2", 12)]


def test_an_empty_world_gives_an_empty_feed_of_the_right_shape() -> None:
    assert shopify_feed(atp(), items(), locations()).schema == FEED_SCHEMA
