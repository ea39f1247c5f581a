"""Events leave the ledger rows that HotWax's inventory log shows for them (domain.md 3.3 i)."""

from datetime import UTC, datetime, timedelta

import pytest

from rpsync_assets_tests.hotwax.world import HotWaxWorld

NOON = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.fixture
def world(oms: HotWaxWorld) -> HotWaxWorld:
    """Ten of A in New York."""
    oms.stock("NY", "A", 10)
    return oms


def newest(world: HotWaxWorld) -> tuple[object, ...]:
    return world.ask(
        "SELECT QUANTITY_ON_HAND_DIFF, AVAILABLE_TO_PROMISE_DIFF, REASON_ENUM_ID, EFFECTIVE_DATE, CREATED_STAMP"
        " FROM INVENTORY_ITEM_DETAIL ORDER BY INVENTORY_ITEM_DETAIL_SEQ_ID DESC LIMIT 1"
    )[0]


def stamped(event: int, arrived: int | None = None) -> tuple[datetime, datetime]:
    return at(event).replace(tzinfo=None), at(event if arrived is None else arrived).replace(tzinfo=None)


def test_a_sale_a_return_and_goods_received_move_both_counts(world: HotWaxWorld) -> None:
    world.sell_in_store("NY", "A", 2, at(0), arrived=at(45))
    assert newest(world) == (-2, -2, "POS_SALE", *stamped(0, 45))
    world.sell_in_store("NY", "A", -1, at(1))
    assert newest(world) == (1, 1, "POS_SALE", *stamped(1))
    world.receive("NY", "A", 5, at(2))
    assert newest(world) == (5, 5, None, *stamped(2))
    assert world.totals("NY", "A") == (14, 14)


def test_promises_move_one_count_and_a_correction_both(world: HotWaxWorld) -> None:
    world.reserve("NY", "A", 3, at(0))
    assert newest(world) == (0, -3, None, *stamped(0))
    world.reserve("NY", "A", -1, at(1))
    assert world.totals("NY", "A") == (10, 8)
    world.correct_by_hand("NY", "A", -4, at(2))
    assert newest(world) == (-4, -4, "VAR_MANUAL", *stamped(2))
    assert world.totals("NY", "A") == (6, 4)


def test_a_line_ships_in_parts_and_is_completed_with_its_last_unit(world: HotWaxWorld) -> None:
    world.order("1001", at(0), {"A": ("NY", 3)})
    assert world.totals("NY", "A") == (10, 7)
    world.ship("1001", "A", "NY", 1, at(10), arrived=at(20))
    assert newest(world) == (-1, 0, None, *stamped(10, 20))
    assert world.ask("SELECT STATUS_ID FROM ORDER_STATUS") == []
    world.ship("1001", "A", "NASH", 2, at(30))
    assert world.ask("SELECT STATUS_ID, STATUS_DATETIME FROM ORDER_STATUS") == [("ITEM_COMPLETED", stamped(30)[0])]
    assert (world.totals("NY", "A"), world.totals("NASH", "A")) == ((9, 7), (-2, 0))
    world.complete("1001", at(40))
    assert world.ask("SELECT STATUS_ID FROM ORDER_HEADER") == [("ORDER_COMPLETED",)]


def test_an_issuance_that_is_taken_back_lies_on_the_shelf_again(world: HotWaxWorld) -> None:
    world.order("1001", at(0), {"A": ("NY", 3)})
    issuance = world.ship("1001", "A", "NY", 3, at(10))
    for minutes in (20, 30):
        world.take_back(issuance, 1, at(minutes))
    assert world.totals("NY", "A") == (9, 9)
    row = world.ask("SELECT QUANTITY, CANCEL_QUANTITY, CANCELLED_DATE_TIME FROM ITEM_ISSUANCE")
    assert row == [(3, 2, stamped(30)[0])]


def test_what_happens_where_nothing_ever_was_makes_its_item_and_the_books_agree(world: HotWaxWorld) -> None:
    world.sell_in_store("NASH", "C", 1, at(0))
    assert world.totals("NASH", "C") == (-1, -1)
    assert world.totals("NASH", "B") == (0, 0)
    assert world.totals_off_the_ledger() == []
