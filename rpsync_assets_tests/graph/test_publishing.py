"""Publishing to a shop that sells by itself: nothing sold comes back on sale, nothing is sent twice or for nothing.

The OMS may sell 20 of A (9A at Shopify), 20 of B and none of C, at the online location 700.
"""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest

from rpsync_assets.assets import publisher, sending
from rpsync_assets.core import publication_guards
from rpsync_assets.resources.shopify import ShopSession
from rpsync_assets_tests.graph.online import NOW, Online, fine
from rpsync_assets_tests.graph.tiny_oms import UPCA


def buys_before_each_call(online: Online, *orders: dict[str, int]) -> None:
    """Somebody places these orders, one before each call that changes counts."""
    left = iter(orders)

    def buy() -> None:
        if lines := next(left, None):
            online.shop.place_order(lines, "700")

    online.endpoint.behaviour.before_mutation = buy


def test_a_delta_beats_a_reset(online: Online) -> None:
    """Both show 5; Shopify sells 4, the store sells 1: Shopify ends at 0, where an absolute 4 would oversell."""
    online.world.oms.sell_in_store("NY", "A", 8, NOW)
    online.world.oms.sell_in_store("NASH", "A", 7, NOW)
    fine(online.full())
    assert online.shown()[0] == 5
    online.shop.place_order({"9A": 4}, "700")
    online.world.oms.sell_in_store("NY", "A", 1, NOW)
    fine(online.delta())
    assert online.shown()[0] == 0
    online.world.oms.import_from_shopify("5001", NOW, {"A": ("NASH", 3)})
    fine(online.full())
    assert online.shown()[0] == 0


def test_only_what_differs_is_sent_and_a_second_click_sends_nothing(online: Online) -> None:
    online.shop.stock([("9A", "700", 17)])
    assert fine(online.full())["items sent"] == 1
    assert [(one.item, one.delta) for one in online.published()] == [("9A", 3)]
    assert fine(online.full())["items sent"] == 0
    assert fine(online.delta())["items sent"] == 0
    assert len(online.published()) == 1


def test_the_first_delta_compares_everything_and_the_next_one_reads_no_counts(online: Online) -> None:
    online.shop.stock([("9B", "700", 1)])
    assert fine(online.delta())["compared"] == "everything with Shopify"
    assert online.shown() == (20, 20, 0)
    asked = len(online.endpoint.requests)
    online.world.oms.sell_in_store("NY", "B", 2, NOW)
    assert fine(online.delta())["compared"] == "with what was published before"
    assert [one.operation for one in online.endpoint.requests[asked:]] == ["orders", "inventoryAdjustQuantities"]
    assert online.shown() == (20, 18, 0)


def test_baselines_that_are_too_old_turn_a_delta_into_a_full_comparison(online: Online) -> None:
    fine(online.full())
    state = online.world.defs().resources["publications"]  # type: ignore[index]
    state.compared("US", datetime.now(UTC) - timedelta(hours=27))
    online.shop.stock([("9A", "700", 3)])
    assert fine(online.delta())["compared"] == "everything with Shopify"
    assert online.shown()[0] == 20


def test_a_feed_of_hours_ago_is_never_sent(online: Online) -> None:
    world = online.world
    assert world.run("online_atp", "shopify_feed", day=online.today).failures == {}
    world.oms.sell_in_store("NY", "A", 6, NOW)
    online.shop.place_order({"9A": 5}, "700")
    fine(online.full())
    assert online.shown()[0] == 20 - 6 - 5


def test_the_past_is_not_published(online: Online) -> None:
    ran = online.world.run("shopify_full_reset", day=online.today - timedelta(days=1))
    assert "the past is never published" in ran.failure
    assert online.endpoint.requests == []


@pytest.mark.parametrize("reserves", ["Y", "N"])
@pytest.mark.parametrize("how", ["full", "delta"])
def test_a_shopify_order_is_counted_once_from_its_placing_to_its_shipping(
    online: Online, reserves: str, how: str
) -> None:
    """Placed, imported, shipped, completed: 17 at every step, also where the store reserves nothing."""
    oms = online.world.oms
    oms.do("UPDATE PRODUCT_STORE SET RESERVE_INVENTORY = :flag", flag=reserves)
    fine(online.full())
    order = online.shop.place_order({"9A": 3}, "700")
    publish = getattr(online, how)
    fine(publish())
    assert online.shown()[0] == 17
    if reserves == "Y":
        oms.import_from_shopify(order, NOW, {"A": ("NY", 3)})
    else:
        oms.import_from_shopify(order, NOW, {"A": ("NY", 3)})
        oms._move(oms.item("NY", "A"), datetime(2026, 1, 2), 0, 3)  # noqa: DTZ001  nothing is reserved there
    fine(publish())
    assert online.shown()[0] == 17
    oms.ship(order, "A", "NY", 3, NOW)
    if reserves == "N":
        oms._move(oms.item("NY", "A"), datetime(2026, 1, 3), 0, -3)  # noqa: DTZ001  it leaves without a promise
    oms.complete(order, NOW)
    fine(publish())
    assert online.shown()[0] == 17


@pytest.mark.parametrize("restock", [True, False])
def test_an_order_that_is_cancelled_at_shopify_comes_back_only_if_it_is_restocked(
    online: Online, restock: bool
) -> None:
    oms = online.world.oms
    order = online.shop.place_order({"9A": 3}, "700")
    oms.import_from_shopify(order, NOW, {"A": ("NY", 3)})
    fine(online.full())
    online.shop.cancel(order, restock=restock)
    fine(online.full())
    assert online.shown()[0] == (20 if restock else 17)
    oms.cancel(order, "A", NOW)
    fine(online.full())
    assert online.shown()[0] == (20 if restock else 17)


def test_an_edited_order_takes_more_and_gives_back(online: Online) -> None:
    order = online.shop.place_order({"9A": 3}, "700")
    online.shop.add_to_order(order, "9A", 2)
    online.shop.add_to_order(order, "9B", 1)
    online.shop.refund(order, "9A", 1, restock=True)
    said = fine(online.full())
    assert said["items sent"] == 0
    assert online.shown() == (16, 19, 0)


def test_somebody_buys_between_reading_and_setting(online: Online) -> None:
    """The count that was read is no longer true: the call is refused, read again and decided again."""
    online.shop.stock([("9A", "700", 10), ("9B", "700", 10)])
    buys_before_each_call(online, {"9A": 2}, {"9A": 1})
    fine(online.full())
    assert online.shown() == (17, 20, 0)
    # Nothing was set on a count that was not true any more, not even for a moment.
    assert [one.delta for one in online.published() if one.item == "9A"] == [10]


def test_a_clock_that_runs_ahead_hides_no_order(online: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is half an hour fast; the order that makes a count stale is the newest one, and must be read again."""

    class Fast(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(minutes=32)

    monkeypatch.setattr(publisher, "datetime", Fast)
    online.shop.stock([("9A", "700", 10)])
    buys_before_each_call(online, {"9A": 2})
    fine(online.full())
    assert online.shown() == (18, 20, 0)
    assert [one.delta for one in online.published() if one.item == "9A"] == [10]


def test_somebody_buys_between_the_reading_of_counts_and_of_orders(
    online: Online, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is seen and its count is not: nothing is wrong, and nothing is sent for it."""
    online.shop.stock([("9B", "700", 3)])
    available = ShopSession.available

    def bought_meanwhile(session: ShopSession, locations: list[str]) -> object:
        found = available(session, locations)
        if online.shop.available("9B", "700") == 20:
            online.shop.place_order({"9A": 2}, "700")
        return found

    monkeypatch.setattr(ShopSession, "available", bought_meanwhile)
    fine(online.full())
    assert online.shown() == (18, 20, 0)
    assert [one.item for one in online.published()] == ["9B"]
    assert "nodes" in [one.operation for one in online.endpoint.requests]


def test_somebody_buys_right_after_the_orders_were_read(online: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that has the sale beside orders that have not would put it on sale again: counts are the older ones."""
    online.shop.stock([("9B", "700", 3)])
    taken = ShopSession.taken

    def bought_meanwhile(session: ShopSession, *asked: Any, **named: Any) -> object:
        found = taken(session, *asked, **named)
        if online.shop.available("9B", "700") == 3 and online.shop.available("9A", "700") == 20:
            online.shop.place_order({"9A": 2}, "700")
        return found

    monkeypatch.setattr(ShopSession, "taken", bought_meanwhile)
    fine(online.full())
    assert online.shown() == (18, 20, 0)
    assert [one.item for one in online.published()] == ["9B"]


def test_a_shop_full_of_customers_is_never_set_wrong(online: Online) -> None:
    """They buy, cancel and send back while full resets and deltas go out; at the end every count is what is left."""
    online.endpoint.behaviour.customers = 0.06
    for _ in range(3):
        online.world.oms.sell_in_store("NY", "A", 1, NOW)
        fine(online.full())
        online.world.oms.sell_in_store("NASH", "B", 1, NOW)
        fine(online.delta())
    online.endpoint.behaviour.customers = 0.0
    time.sleep(0.1)
    fine(online.full())
    took = Counter[str]()
    for one in online.shop.log:
        took[one.item] -= one.delta if one.operation in {"order", "restock"} else 0
    assert took.total() > 0
    assert online.shown() == (max(0, 17 - took["9A"]), max(0, 17 - took["9B"]), 0)


def test_without_the_switch_nothing_is_sent_and_the_difference_is_told(online: Online) -> None:
    online.world.store["shopify"] = {"url": online.endpoint.url}
    online.shop.stock([("9A", "700", 17), ("9B", "700", 26)])
    for said in (fine(online.full()), fine(online.delta())):
        assert "DRY RUN" in str(said["receipt"])
        assert (said["up"], said["down"], said["units up"], said["units down"]) == (1, 1, 3, 6)
    assert online.published() == []


def test_switched_off_nothing_is_even_read(online: Online) -> None:
    online.world.store["shopify"] = {"url": online.endpoint.url, "publish": "off"}
    assert "OFF" in str(fine(online.full())["receipt"])
    assert "OFF" in str(fine(online.delta())["receipt"])
    assert online.endpoint.requests == []


def test_a_publication_that_empties_the_shop_is_held_until_somebody_is_sure(
    online: Online, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication_guards, "SMALL_SHOP", 1)
    online.world.oms.do("UPDATE FACILITY_GROUP_MEMBER SET THRU_DATE = '2026-01-01 00:00:00.000000'")
    ran = online.full()
    assert ran.red == [
        "shopify_full_reset.publication_changed_share", "shopify_full_reset.publication_zeroed_share"
    ]  # fmt: skip
    assert "take to zero 2 of 3 items" in ran.failure
    assert online.published() == []
    released = online.full(release="the channel is closed for good")
    assert released.failures == {}
    assert online.shown() == (0, 0, 0)


def test_bad_items_are_named_and_all_others_go_out(online: Online) -> None:
    online.shop.bundle("9A")
    online.shop.stock([("9A", "700", 1), ("9B", "700", 1), ("9C", "700", 4)])
    ran = online.full()
    assert ran.failures == {}
    said = ran.metadata["shopify_full_reset"]
    assert (said["items sent"], said["items refused by Shopify"]) == (2, 1)
    assert said["refused: NON_MUTABLE_INVENTORY_ITEM"] == 1
    assert online.shown() == (1, 20, 0)


def test_a_bad_item_does_not_make_every_delta_a_full_comparison(online: Online) -> None:
    online.shop.bundle("9A")
    online.shop.stock([("9A", "700", 1)])
    online.full()
    asked = len(online.endpoint.requests)
    online.world.oms.sell_in_store("NY", "B", 1, NOW)
    assert fine(online.delta())["compared"] == "with what was published before"
    assert [one.operation for one in online.endpoint.requests[asked:]] == ["orders", "inventoryAdjustQuantities"]
    assert online.shown() == (1, 19, 0)


@pytest.mark.parametrize("indexes", [True, False])
def test_a_bad_item_of_a_delta_does_not_keep_the_others_of_its_call(online: Online, *, indexes: bool) -> None:
    """A became a bundle since: nothing compares a delta with Shopify, so what is not sent now is not sent at all."""
    fine(online.full())
    online.endpoint.behaviour.indexes = indexes
    online.shop.bundle("9A")
    for product in ("A", "B"):
        online.world.oms.sell_in_store("NY", product, 1, NOW)
    online.delta()
    assert online.shown() == (20, 19, 0)


def test_bad_items_are_found_by_halving_where_shopify_does_not_say_which(online: Online) -> None:
    online.endpoint.behaviour.indexes = False
    online.shop.bundle("9B")
    online.shop.stock([("9A", "700", 1), ("9B", "700", 1), ("9C", "700", 4)])
    assert online.full().failures == {}
    assert online.shown() == (20, 1, 0)


@pytest.mark.parametrize("moment", ["before sending", "after sending"])
@pytest.mark.parametrize("how", ["full", "delta"])
def test_a_run_that_dies_around_a_call_leaves_it_to_the_next_one_which_applies_it_once(
    online: Online, monkeypatch: pytest.MonkeyPatch, moment: str, how: str
) -> None:
    fine(online.full())
    online.world.oms.sell_in_store("NY", "A", 4, NOW)
    send = ShopSession.send

    def dying(session: ShopSession, operation: object) -> object:
        if moment == "after sending":
            send(session, operation)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as mortal:
        mortal.setattr(ShopSession, "send", dying)
        assert not getattr(online, how)().success
    assert fine(getattr(online, how)())["operations of a run that died, sent again"] == 1
    assert online.shown()[0] == 16
    assert [one.delta for one in online.published()] == [-4]


def test_an_operation_too_old_to_be_sent_again_is_given_up_and_everything_is_compared(
    online: Online, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine(online.full())
    online.world.oms.sell_in_store("NY", "A", 4, NOW)
    with monkeypatch.context() as mortal:
        mortal.setattr(ShopSession, "send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        assert not online.delta().success
    monkeypatch.setattr(sending, "KEY_MEMORY", timedelta(0))
    assert fine(online.delta())["compared"] == "everything with Shopify"
    assert online.shown()[0] == 16


def test_an_answer_that_is_lost_is_asked_for_again_under_the_same_key(online: Online) -> None:
    online.shop.stock([("9A", "700", 3)])
    online.endpoint.behaviour.drop = 1
    fine(online.full())
    assert online.shown()[0] == 20
    assert [one.delta for one in online.published()] == [17]


def test_two_publications_to_one_shop_never_overlap(online: Online) -> None:
    outbox = online.world.defs().resources["outbox"]  # type: ignore[index]
    with outbox.alone("US", "publishing"):
        assert "Another run is publishing for US" in online.delta().failure
    fine(online.delta())


def test_between_reset_and_variance_no_increase_goes_out_and_no_inflated_number(online: Online) -> None:
    """2 of A were shipped on an open order: the reset puts them back on top until the variance takes them out."""
    world = online.world
    world.oms.order("1001", "2026-03-09 08:30", {"A": ("NY", 2), "C": ("NY", 2)})
    world.oms.ship("1001", "A", "NY", 2, "2026-03-09 09:00")
    fine(online.full())
    assert online.shown()[0] == 18
    today = f"{online.today:%Y%m%d}"
    world.file([("101", UPCA["A"], 10), ("102", UPCA["A"], 10), ("101", UPCA["C"], 9)], f"{today}T000001")
    steps = ("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts")
    assert world.run(*steps, day=online.today).failures == {}
    world.poll()
    assert world.oms.on_hand()["A"] == (10, 10)
    assert fine(online.delta())["held"] == 1  # C came in: it waits with A
    assert online.shown() == (18, 20, 0)
    assert fine(online.full())["held"] == 1
    assert online.shown() == (18, 20, 0)
    left = ("reset_import", "unreported_shipments", "variance_file", "variance_import")
    assert world.run(*left, day=online.today).failures == {}
    assert world.oms.on_hand()["A"] == (8, 10)
    fine(online.delta())
    assert online.shown() == (18, 20, 7)
