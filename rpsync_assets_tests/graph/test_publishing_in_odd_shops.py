"""Publishing to shops with several locations, long orders and bad luck; what a review by attack found, and more."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rpsync_assets.assets import publisher, sending
from rpsync_assets.core.errors import UnreachableError
from rpsync_assets.oms import tables
from rpsync_assets.resources.shopify import ShopSession
from rpsync_assets_tests.graph.online import NOW, Online, fine
from rpsync_assets_tests.graph.tiny_oms import UPCA


# Several locations ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("restock", [True, False])
@pytest.mark.parametrize("how", ["cancel", "refund"])
def test_what_was_taken_at_a_pickup_location_comes_back_there_or_nowhere(
    online: Online, restock: bool, how: str
) -> None:
    online.pickup("NY", "701")
    fine(online.full())
    order = online.shop.place_order({"9A": 3}, "701")
    if how == "cancel":
        online.shop.cancel(order, restock=restock)
    else:
        online.shop.refund(order, "9A", 3, restock=restock)
    fine(online.full())
    assert (online.shown()[0], online.shown_at("701")[0]) == (20, 10 if restock else 7)


@pytest.mark.parametrize("how", ["full", "delta"])
def test_an_order_that_shopify_took_from_another_location_than_the_oms_would_is_no_echo(
    online: Online, how: str
) -> None:
    """Sent to a customer from 701; the OMS sees no pickup, and knows no location of it but the online one."""
    online.pickup("NY", "701")
    fine(online.full())
    order = online.shop.place_order({"9A": 3}, "701")
    online.world.oms.import_from_shopify(order, NOW, {"A": ("NY", 3)})
    fine(getattr(online, how)())
    assert (online.shown()[0], online.shown_at("701")[0]) == (17, 7)


def test_a_shop_without_an_online_location_shows_its_pickup_locations(online: Online) -> None:
    online.world.oms.do("DELETE FROM SHOPIFY_SHOP_LOCATION")
    online.pickup("NY", "701")
    online.shop.stock([("9A", "701", 3)])
    fine(online.full())
    fine(online.delta())
    assert online.shown_at("701") == (10, 10, 0)


def test_a_shop_without_locations_publishes_nothing_and_does_not_break(online: Online) -> None:
    online.world.oms.do("DELETE FROM SHOPIFY_SHOP_LOCATION")
    assert online.full().failures == {}
    assert online.published() == []


def test_a_location_that_stands_for_two_facilities_is_a_matter_of_setup(online: Online) -> None:
    online.pickup("NY", "701")
    online.pickup("NASH", "701")
    assert "one role" in online.full().failure


# Products and items ---------------------------------------------------------------------------------------------------
def test_of_a_product_with_two_items_only_the_one_that_was_sold_has_gone_down_at_shopify(online: Online) -> None:
    shop_product = {"SHOP_ID": "SHOP", "SHOPIFY_PRODUCT_ID": "8A2", "PRODUCT_ID": "A"}
    online.world.oms.add(tables.shopify_shop_product, **shop_product, SHOPIFY_INVENTORY_ITEM_ID="9A2")
    online.shop.stock([("9A2", "700", 20)])
    fine(online.full())
    order = online.shop.place_order({"9A": 3}, "700")
    online.world.oms.import_from_shopify(order, NOW, {"A": ("NY", 3)})
    fine(online.delta())
    assert (online.shop.available("9A", "700"), online.shop.available("9A2", "700")) == (17, 17)


def test_two_products_with_one_item_are_held_by_the_feed_s_own_guard(online: Online) -> None:
    item = "UPDATE SHOPIFY_SHOP_PRODUCT SET SHOPIFY_INVENTORY_ITEM_ID = '9A' WHERE PRODUCT_ID = 'B'"
    fine(online.full())
    online.world.oms.do(item)
    for ran in (online.full(), online.delta()):
        assert "feed_unique" in " ".join(ran.red)
        assert ran.failures
    assert online.published() == []


def test_a_location_that_the_shop_does_not_have_is_a_red_check(online: Online) -> None:
    shop_location = tables.shopify_shop_location
    online.world.oms.add(shop_location, SHOP_ID="SHOP", FACILITY_ID="NY", SHOPIFY_LOCATION_ID="799")
    ran = online.full()
    assert (ran.failures, ran.red) == ({}, ["shopify_full_reset.shopify_takes"])
    assert "INVALID_LOCATION: 3" in str(ran.checks["shopify_full_reset.shopify_takes"].description)


# Orders ---------------------------------------------------------------------------------------------------------------
def test_an_order_of_600_lines_and_30_refunds_is_read_whole(online: Online) -> None:
    online.shop.stock([(f"X{number}", "700", 5) for number in range(600)])
    order = online.shop.place_order({"9A": 2, **{f"X{number}": 1 for number in range(600)}, "9B": 3}, "700")
    for number in range(30):
        online.shop.refund(order, f"X{number}", 1, restock=True)
    online.shop.refund(order, "9B", 1, restock=True)
    fine(online.full())
    assert online.shown() == (18, 18, 0)
    assert online.published() == []


def test_a_return_is_counted_once_where_the_oms_cannot_tell_of_returns(
    online: Online, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No ledger to read: what came back has raised the OMS's count and Shopify's, and not Shopify's twice."""
    oms = online.world.oms
    read = publisher.DesiredReader.read

    def without_ledger(*whose: object) -> object:
        desired = read(*whose)  # type: ignore[arg-type]
        return replace(desired, returns_known=False)  # type: ignore[type-var]

    monkeypatch.setattr(publisher.DesiredReader, "read", without_ledger)
    fine(online.full())
    order = online.shop.place_order({"9A": 3}, "700")
    oms.import_from_shopify(order, NOW, {"A": ("NY", 3)})
    oms.ship(order, "A", "NY", 3, NOW)
    oms.complete(order, NOW)
    fine(online.full())
    online.shop.refund(order, "9A", 1, restock=True)
    oms._move(oms.item("NY", "A"), datetime(2026, 1, 2), 1, 1)  # noqa: DTZ001
    for publish in (online.full, online.delta):
        fine(publish())
        assert online.shown()[0] == 18


# Trouble --------------------------------------------------------------------------------------------------------------
def dying(send: object) -> object:
    def after(*what: object) -> None:
        send(*what)  # type: ignore[operator]
        raise KeyboardInterrupt

    return after


def test_an_operation_that_was_given_up_is_not_sent_anew_when_the_comparison_after_it_fails(
    online: Online, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine(online.full())
    online.world.oms.sell_in_store("NY", "A", 4, NOW)
    with monkeypatch.context() as mortal:
        mortal.setattr(ShopSession, "send", dying(ShopSession.send))
        assert not online.delta().success
    with monkeypatch.context() as late:
        late.setattr(sending, "KEY_MEMORY", timedelta(0))
        late.setattr(ShopSession, "available", lambda *_: (_ for _ in ()).throw(UnreachableError("gone", "Rerun")))
        assert "gone" in online.delta().failure
    assert fine(online.delta())["compared"] == "everything with Shopify"
    assert online.shown()[0] == 16
    assert [one.delta for one in online.published()] == [-4]


@pytest.mark.parametrize("code", ["SERVICE_UNAVAILABLE", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"])
def test_a_service_that_is_down_is_nobodys_bad_item(online: Online, code: str) -> None:
    fine(online.full())
    online.world.oms.sell_in_store("NY", "A", 4, NOW)
    online.world.oms.sell_in_store("NY", "B", 4, NOW)
    online.endpoint.behaviour.say = [code]
    assert code in online.delta().failure
    assert fine(online.delta())["items refused by Shopify"] == 0
    assert online.shown() == (16, 16, 0)


def test_a_call_that_shopify_refuses_for_what_it_is_is_told_and_not_sent_for_ever(online: Online) -> None:
    fine(online.full())
    online.world.oms.sell_in_store("NY", "A", 4, NOW)
    online.endpoint.behaviour.say = ["INVALID_REASON"]
    ran = online.delta()
    assert "INVALID_REASON" in ran.failure
    assert fine(online.delta())["operations of a run that died, sent again"] == 0
    assert online.shown()[0] == 16


def test_the_guard_watches_every_round(online: Online) -> None:
    """The channel is closed while the first call is on its way: the second round would empty the shop."""
    for number in range(30):
        product = f"P{number}"
        online.world.oms.product(product, f"{10**11 + number}")
        for facility in ("NY", "NASH"):
            online.world.oms.stock(facility, product, 5)
        online.shop.stock([(f"9{product}", "700", 10)])
    fine(online.full())
    online.shop.stock([("9A", "700", 3)])
    once: Iterator[int] = iter([1])

    def close_the_channel() -> None:
        if next(once, None):
            closed = "UPDATE FACILITY_GROUP_MEMBER SET THRU_DATE = '2026-01-01 00:00:00.000000'"
            online.world.oms.do(closed)

    online.endpoint.behaviour.before_mutation = close_the_channel
    assert "take to zero 32 of 33 items" in online.full().failure
    assert sum(count == 0 for count in online.shop.counts().values()) == 1


def test_what_never_stood_still_is_looked_at_anew_by_the_next_delta(online: Online) -> None:
    fine(online.full())
    online.shop.stock([("9A", "700", 10)])
    online.endpoint.behaviour.before_mutation = lambda: online.shop.place_order({"9A": 1}, "700") and None
    assert online.full().red == ["shopify_full_reset.shopify_matches"]
    online.endpoint.behaviour.before_mutation = lambda: None
    fine(online.delta())
    sold = sum(one.delta for one in online.shop.log if one.operation == "order")
    assert online.shown()[0] == 20 + sold


def test_a_variance_that_is_imported_a_day_late_still_counts(online: Online) -> None:
    world = online.world
    world.oms.order("1001", "2026-03-09 08:30", {"A": ("NY", 2)})
    world.oms.ship("1001", "A", "NY", 2, "2026-03-09 09:00")
    fine(online.full())
    assert online.shown()[0] == 18
    world.file([("101", UPCA["A"], 10), ("102", UPCA["A"], 10)], f"{online.today:%Y%m%d}T000001")
    steps = ("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts")
    assert world.run(*steps, day=online.today).failures == {}
    world.poll()
    assert world.run("reset_import", "unreported_shipments", "variance_file", day=online.today).failures == {}
    state = world.defs().resources["state"]  # type: ignore[index]
    with state.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET taken_at = datetime(taken_at, '-25 hours') || '.000000'")
    fine(online.full())
    assert online.shown()[0] == 18


def test_a_shop_that_does_nothing_but_throttle_is_given_up(online: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpsync_assets.resources.shopify_api.pause", lambda _attempt: 0.0)
    online.endpoint.behaviour.throttle = 100_000
    assert "throttled" in online.full().failure
