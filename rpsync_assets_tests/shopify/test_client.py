"""The client: pages, retries under one key, the bucket, and what it makes of refusals."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pydantic import SecretStr

from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.resources.publications import Change, Operation, Publications
from rpsync_assets.resources.shopify import RowError, Shopify, ShopSession, ShopSettings
from rpsync_assets.resources.shopify_api import ATTEMPTS, Bucket, TooDearError
from rpsync_assets.sandbox.emulator import server
from rpsync_assets.sandbox.emulator.server import Endpoint
from rpsync_assets.sandbox.emulator.shop import Shop

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def publications(tmp_path: Path) -> Publications:
    return Publications(f"sqlite:///{tmp_path / 'state.sqlite'}")


def setting(publications: Publications, *rows: tuple[str, int, int]) -> Operation:
    changes = [Change(item, "700", target, count, target, 0) for item, target, count in rows]
    return publications.write("US", "set", "gid://rpsync-assets/Run/1", changes, "run")


def test_a_short_last_page_is_not_dropped(session: ShopSession, endpoint: Endpoint) -> None:
    counts = session.available(["700"]).rows
    assert (counts.height, counts["available"].sum()) == (600, 3000)
    assert [one.operation for one in endpoint.requests] == ["location"] * 3


def test_what_orders_took_is_net_of_what_was_restocked(session: ShopSession, shop: Shop) -> None:
    kept = shop.place_order({"1001": 3, "1002": 1}, "700")
    shop.refund(kept, "1001", 1, restock=True)
    shop.refund(kept, "1002", 1, restock=False)
    gone = shop.place_order({"1003": 2}, "700")
    shop.cancel(gone, restock=True)
    shop.place_order({"1004": 2}, "700", datetime.now(UTC) - timedelta(days=30))
    taken = session.taken(YESTERDAY, "700").rows.group_by("shopify_inventory_item_id").agg(pl.col("units").sum())
    assert sorted(taken.rows()) == [("1001", 2), ("1002", 1), ("1003", 0)]


def test_more_orders_than_a_page_and_an_order_longer_than_its_page_are_read_whole(
    session: ShopSession, shop: Shop
) -> None:
    for number in range(30):
        shop.place_order({str(1000 + number): 1}, "700")
    long = shop.place_order({str(1100 + number): 1 for number in range(60)}, "700")
    for number in range(7):
        shop.refund(long, str(1100 + number), 1, restock=True)
    assert session.taken(YESTERDAY, "700").rows["units"].sum() == 30 + 60 - 7


def test_a_page_of_orders_that_is_too_dear_is_asked_for_in_smaller_ones(
    session: ShopSession, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        shop.place_order({str(1000 + number): 1}, "700")
    monkeypatch.setattr(server, "HIGHEST_COST", 12)
    assert session.taken(YESTERDAY, "700").rows["units"].sum() == 30
    monkeypatch.setattr(server, "HIGHEST_COST", 1)
    with pytest.raises(TooDearError):
        session.taken(YESTERDAY, "700")


def test_trouble_on_the_way_is_asked_through(session: ShopSession, endpoint: Endpoint) -> None:
    endpoint.behaviour.fail = ATTEMPTS - 1
    assert session.available(["700"]).rows.height == 600


def test_a_request_that_was_lost_on_its_way_is_sent_again(
    session: ShopSession, shop: Shop, endpoint: Endpoint, publications: Publications
) -> None:
    endpoint.behaviour.lose = 2
    assert session.send(setting(publications, ("1000", 7, 5))) == []
    assert [one.delta for one in shop.log] == [2]


def test_an_earlier_try_that_is_still_at_work_is_waited_for(
    session: ShopSession, shop: Shop, endpoint: Endpoint, publications: Publications
) -> None:
    endpoint.behaviour.say = ["IDEMPOTENCY_CONCURRENT_REQUEST"] * (ATTEMPTS - 1)
    assert session.send(setting(publications, ("1000", 7, 5))) == []
    assert [one.delta for one in shop.log] == [2]
    endpoint.behaviour.say = ["IDEMPOTENCY_CONCURRENT_REQUEST"] * ATTEMPTS
    with pytest.raises(UnreachableError, match="still at work"):
        session.send(setting(publications, ("1001", 7, 5)))


def test_counts_of_some_items_are_read_by_their_ids(session: ShopSession, endpoint: Endpoint) -> None:
    asked = pl.DataFrame(
        [*((str(1000 + number), "700") for number in range(300)), ("1001", "999"), ("5", "700")],
        orient="row",
        schema=["shopify_inventory_item_id", "shopify_location_id"],
    )
    found = session.available_of(asked)
    assert (found.height, found["available"].sum()) == (300, 1500)
    assert [one.operation for one in endpoint.requests] == ["nodes"] * 3


def test_orders_that_changed_are_read_without_the_others(session: ShopSession, shop: Shop) -> None:
    lately = datetime.now(UTC) - timedelta(minutes=5)
    old = shop.place_order({"1001": 3}, "700", lately - timedelta(hours=1))
    shop.place_order({"1002": 3}, "700", lately - timedelta(hours=1))
    assert session.taken(YESTERDAY, "700", changed_since=lately).rows.is_empty()
    shop.refund(old, "1001", 1, restock=True)
    new = shop.place_order({"1003": 1}, "700")
    changed = session.taken(YESTERDAY, "700", changed_since=lately)
    assert set(changed.rows["order_id"]) == {old, new}
    assert changed.rows["units"].sum() == 3
    assert changed.changed_at is not None
    assert changed.changed_at >= lately


def test_a_shop_that_does_not_answer_is_unreachable_and_the_token_is_not_shown(
    session: ShopSession, endpoint: Endpoint
) -> None:
    endpoint.behaviour.fail = 100
    with pytest.raises(UnreachableError, match="HTTP 502, 6 attempts") as told:
        session.available(["700"])
    assert endpoint.token not in str(told.value)
    assert endpoint.token not in repr(session)


def test_a_wrong_token_is_a_matter_of_setup(endpoint: Endpoint) -> None:
    wrong = Shopify({"US": ShopSettings(endpoint.url, SecretStr("wrong"))})
    with wrong.session("US") as opened, pytest.raises(SetupError, match="RPSYNC_SHOPIFY_TOKEN_US"):
        opened.available(["700"])


def test_a_missing_token_is_named_before_anything_is_asked(endpoint: Endpoint) -> None:
    with (
        pytest.raises(SetupError, match="RPSYNC_SHOPIFY_TOKEN_US"),
        Shopify({"US": ShopSettings(endpoint.url, None)}).session("US"),
    ):
        pass
    assert endpoint.requests == []


def test_a_location_that_is_not_there_is_told_and_the_others_are_read(session: ShopSession) -> None:
    counts = session.available(["999", "700"])
    assert (counts.rows.height, counts.missing) == (600, ["999"])


def test_bad_rows_are_named_by_their_place_and_nothing_of_the_call_is_applied(
    session: ShopSession, shop: Shop, publications: Publications
) -> None:
    shop.bundle("1001")
    shop.delete("1002")
    errors = session.send(setting(publications, ("1000", 7, 5), ("1001", 7, 5), ("1002", 7, 5), ("1003", 7, 4)))
    assert [(error.row, error.code) for error in errors] == [
        (1, "NON_MUTABLE_INVENTORY_ITEM"), (2, "INVALID_INVENTORY_ITEM"), (3, "CHANGE_FROM_QUANTITY_STALE")
    ]  # fmt: skip
    assert shop.log == []


def test_the_same_operation_again_is_answered_and_applied_once(
    session: ShopSession, shop: Shop, endpoint: Endpoint, publications: Publications
) -> None:
    operation = setting(publications, ("1000", 7, 5))
    endpoint.behaviour.drop = 2
    assert session.send(operation) == []
    assert session.send(operation) == []
    assert [(one.item, one.delta, one.idempotency_key) for one in shop.log] == [("1000", 2, operation.id)]


def test_a_reference_names_our_run(session: ShopSession, shop: Shop, publications: Publications) -> None:
    session.send(setting(publications, ("1000", 7, 5)))
    assert shop.log[0].reference == "gid://rpsync-assets/Run/1"


def test_an_error_without_a_place_is_an_error_of_the_call(
    session: ShopSession, shop: Shop, endpoint: Endpoint, publications: Publications
) -> None:
    endpoint.behaviour.indexes = False
    shop.bundle("1001")
    found = session.send(setting(publications, ("1000", 7, 5), ("1001", 7, 5)))
    assert found == [RowError(None, "NON_MUTABLE_INVENTORY_ITEM", "Non mutable inventory item")]


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_the_bucket_is_waited_for_as_long_as_it_takes_to_fill_and_no_longer() -> None:
    clock = Clock()
    bucket = Bucket(clock=lambda: clock.now, sleep=clock.sleep)
    bucket.wait_for(10)
    bucket.heard({"maximumAvailable": 2000, "currentlyAvailable": 4, "restoreRate": 100})
    bucket.wait_for(10)
    assert clock.slept == [pytest.approx(0.06)]
    bucket.heard({"maximumAvailable": 2000, "currentlyAvailable": 500, "restoreRate": 100})
    bucket.wait_for(10)
    assert len(clock.slept) == 1


def test_being_throttled_is_waited_out_however_often(session: ShopSession, endpoint: Endpoint) -> None:
    """More often than trouble is: the limit is no trouble, and somebody else may use the bucket, too."""
    endpoint.behaviour.throttle = ATTEMPTS + 1
    assert session.available(["700"]).rows.height == 600
    assert session.bucket.throttled == ATTEMPTS + 1


def test_an_empty_bucket_throttles_once_and_is_then_known(shop: Shop, endpoint: Endpoint, session: ShopSession) -> None:
    """The first request cannot know; after its answer every one waits for what it costs."""
    endpoint.behaviour.restore_rate = 4000.0
    endpoint.behaviour.maximum = 50.0
    session.api.bucket = Bucket()  # really waits
    session.available(["700"])
    before = len(endpoint.requests)
    session.available(["700"])
    session.available(["700"])
    assert [one.throttled for one in endpoint.requests[before:]] == [False] * 6
    assert session.bucket.waited_seconds > 0
