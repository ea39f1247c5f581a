"""Target quantities per Shopify item and location, and how far Shopify is from them."""

import polars as pl
import pytest

from rpsync_assets.core.atp import SCHEMA as ATP_SCHEMA
from rpsync_assets.core.feed import DIFFERENCE_SCHEMA, FEED_SCHEMA, OUTCOMES, difference, shopify_feed


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


@pytest.mark.parametrize(
    ("shown", "outcome", "gap"),
    [(12, "unchanged", 0), (10, "up", 2), (15, "down", -3), (-1, "up", 13), (None, "count_unknown", None)],
)
def test_the_difference_says_what_would_be_done(shown: int | None, outcome: str, gap: int | None) -> None:
    feed = shopify_feed(SOLD, items(("P", "I1")), locations(("_NA_", "L0")))
    counts = pl.DataFrame(
        [("I1", "L0", shown), ("I1", "L9", 12), ("I9", "L0", 12)] if shown is not None else [("I1", "L9", 12)],
        schema={"shopify_inventory_item_id": pl.String, "shopify_location_id": pl.String, "available": pl.Int64},
        orient="row",
    )
    found = difference(feed, counts)
    assert found.select("shopify_available", "difference", "outcome").rows() == [(shown, gap, outcome)]
    assert found.schema == DIFFERENCE_SCHEMA
    assert outcome in OUTCOMES


def test_a_count_that_shopify_shows_twice_is_an_error_and_not_two_rows() -> None:
    feed = shopify_feed(SOLD, items(("P", "I1")), locations(("_NA_", "L0")))
    twice = pl.DataFrame(
        {"shopify_inventory_item_id": ["I1", "I1"], "shopify_location_id": ["L0", "L0"], "available": [1, 2]}
    )
    with pytest.raises(pl.exceptions.ComputeError):
        difference(feed, twice)
