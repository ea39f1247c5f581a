"""In-store sales as they happen: one ledger row each, exactly once, and right whatever arrives first."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsync_assets.oms import tables
from rpsync_assets.oms.imports import import_reset
from rpsync_assets.oms.ledger import stored, verify
from rpsync_assets.oms.point_of_sale import REASONS, RefusedError, Taken, read_update, update_inventory, whole_delta
from rpsync_assets_tests.oms.books import NOW, T0, Books, at, reset_csv

LATER = NOW + timedelta(hours=1)
SALE = {
    "facilityId": "F1",
    "availableDelta": -1,
    "idType": "UPCA",
    "idValue": "111",
    "locationSeqId": "TLTLTLLL01",
    "varianceReasonId": "POS_SALE",
}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """Whatever a test does: every count is what the ledger sums to."""
    books = Books(tmp_path)
    books.stock("F1", "A", 10, 5)
    yield books
    assert disagreements(books) == []


def disagreements(books: Books) -> list[Any]:
    # The stock of a test has no COMPUTED_LAST_INVENTORY_COUNT until something moves.
    with books.engine.begin() as connection:
        return [found for found in verify(connection).disagreements if found.stands is not None]


def take(
    books: Books, now: datetime = NOW, *, client: str = "till-7", key: str | None = None, **changes: object
) -> Taken:
    update = read_update({**SALE, **changes}, key)
    with books.engine.execution_options(writes=True).begin() as connection:
        return update_inventory(connection, update, client, now)


def refused(books: Books, **changes: Any) -> str:
    before = books.ask("SELECT * FROM INVENTORY_ITEM"), ledger(books), books.ask("SELECT * FROM INVENTORY_UPDATE")
    with pytest.raises(RefusedError) as error:
        take(books, **changes)
    assert (books.ask("SELECT * FROM INVENTORY_ITEM"), ledger(books)) == before[:2]
    assert books.ask("SELECT * FROM INVENTORY_UPDATE") == before[2]
    return error.value.code


def ledger(books: Books) -> list[tuple[Any, ...]]:
    """What was taken in: units on hand, units promised, event, arrival."""
    return books.ask(
        "SELECT QUANTITY_ON_HAND_DIFF, AVAILABLE_TO_PROMISE_DIFF, EFFECTIVE_DATE, CREATED_STAMP"
        " FROM INVENTORY_ITEM_DETAIL WHERE DESCRIPTION LIKE 'Update Inventory API%' ORDER BY rowid"
    )


def descriptions(books: Books) -> list[str]:
    return [text for (text,) in books.ask("SELECT DESCRIPTION FROM INVENTORY_ITEM_DETAIL ORDER BY rowid") if text]


def requests(books: Books) -> list[str]:
    return [text for (text,) in books.ask("SELECT INVENTORY_UPDATE_ID FROM INVENTORY_UPDATE ORDER BY rowid")]


# What a sale does -----------------------------------------------------------------------------------------------------
def test_a_sale_is_one_ledger_row_and_moves_every_count_by_it(books: Books) -> None:
    """HotWax's example: 10 with -2 is 8."""
    taken = take(books, availableDelta=-2)
    assert (taken.facility, taken.matched, taken.effect, taken.replayed) == ("F1", "internal", "applied", False)
    assert books.totals("F1", "A") == (8, 3)
    assert books.ask("SELECT LAST_INVENTORY_COUNT, COMPUTED_LAST_INVENTORY_COUNT FROM PRODUCT_FACILITY") == [(3, 3)]
    assert ledger(books) == [(-2, -2, stored(NOW), stored(NOW))]
    (request,) = requests(books)
    assert descriptions(books) == [f"Update Inventory API request {request} of till-7"]
    kept = books.ask(
        "SELECT U.CLIENT, U.FACILITY_ID, U.PRODUCT_ID, U.QUANTITY, D.REASON_ENUM_ID FROM INVENTORY_UPDATE U"
        " JOIN INVENTORY_ITEM_DETAIL D ON D.INVENTORY_ITEM_ID = U.INVENTORY_ITEM_ID"
        " AND D.INVENTORY_ITEM_DETAIL_SEQ_ID = U.INVENTORY_ITEM_DETAIL_SEQ_ID"
    )
    assert kept == [("till-7", "F1", "A", -2, "POS_SALE")]


def test_a_return_brings_units_back(books: Books) -> None:
    take(books, availableDelta=3)
    assert books.totals("F1", "A") == (13, 8)


def test_a_shelf_that_sells_more_than_we_knew_of_goes_below_zero(books: Books) -> None:
    """Unlike a variance, a sale really happened; what is wrong is the count."""
    take(books, availableDelta=-12)
    assert books.totals("F1", "A") == (-2, -7)
    assert books.ask("SELECT LAST_INVENTORY_COUNT, COMPUTED_LAST_INVENTORY_COUNT FROM PRODUCT_FACILITY") == [(-7, 0)]


def test_a_product_the_facility_never_had_gets_its_item(books: Books) -> None:
    take(books, facilityId="F2", idValue="222")
    assert books.totals("F2", "B") == (-1, -1)


def test_the_answer_is_the_request_as_it_came_and_whose_it_was(books: Books) -> None:
    taken = take(books, facilityId="S1", availableDelta="-1.0", idType="Upca", idValue="000111")
    echo = {**SALE, "facilityId": "S1", "availableDelta": "-1.0", "idType": "Upca", "idValue": "000111"}
    assert taken.answer == {**echo, "webSiteId": "API"}
    assert (taken.facility, taken.matched) == ("F1", "external")


def test_the_own_id_of_a_facility_goes_before_another_ones_external_id(books: Books) -> None:
    row = {"FACILITY_ID": "F3", "FACILITY_TYPE_ID": "RETAIL_STORE", "EXTERNAL_ID": "F1"}
    books.add(tables.facility, row)
    assert take(books).facility == "F1"
    assert books.totals("F3", "A") is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"facilityId": "F9"}, "unknown_facility"),
        ({"facilityId": "  "}, "unknown_facility"),
        ({"facilityId": "TWICE"}, "ambiguous_facility"),
        ({"facilityId": "_NA_"}, "virtual_facility"),
        ({"idType": "COLOUR"}, "unknown_id_type"),
        ({"idValue": "999"}, "unknown_product"),
        ({"idValue": "000"}, "unknown_product"),
        ({"idValue": "444"}, "unknown_product"),
        ({"idValue": "222"}, "ambiguous_identification"),
    ],
)
def test_whoever_is_not_known_for_sure_is_refused_and_nothing_changes(
    books: Books, changes: dict[str, str], code: str
) -> None:
    """HotWax takes the first match in silence."""
    for facility in ("F4", "F5"):
        row = {"FACILITY_ID": facility, "FACILITY_TYPE_ID": "RETAIL_STORE", "EXTERNAL_ID": "TWICE"}
        books.add(tables.facility, row)
    books.upca("C", "222", since=at(-600))
    books.product("D", None)
    books.upca("D", "444", until=at(-60))
    assert refused(books, **changes) == code


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_of_hotwax_is_taken(books: Books, reason: str) -> None:
    take(books, varianceReasonId=reason)
    assert books.ask("SELECT REASON_ENUM_ID FROM INVENTORY_ITEM_DETAIL ORDER BY rowid DESC LIMIT 1") == [(reason,)]


@pytest.mark.parametrize("reason", ["", "pos_sale", "SALE", None, 7, ["POS_SALE"]])
def test_another_reason_is_refused(books: Books, reason: object) -> None:
    assert refused(books, varianceReasonId=reason) == "unknown_reason"


@pytest.mark.parametrize(
    ("value", "units"),
    [(4, 4), (-1, -1), (-1.0, -1), ("4", 4), ("-1.0", -1), ("+2", 2), (" 3 ", 3), ("7.", 7), (999999, 999999)],
)
def test_a_whole_number_may_be_a_number_or_a_text(value: object, units: int) -> None:
    assert whole_delta(value) == units


NO_NUMBERS = [0, 0.0, "0", "-0.0", 0.5, "0.5", float("nan"), float("inf"), float("-inf"), True, False, None]
NO_TEXTS = ["", "many", "1,5", "1e3", "--1", "१", "NaN", "9" * 400, 10**400, 1000000, -1000000, "1000000", [], {}, [1]]


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NO_TEXTS])
def test_anything_else_is_no_quantity(books: Books, value: object) -> None:
    assert refused(books, availableDelta=value) == "bad_quantity"


# When it was sold -----------------------------------------------------------------------------------------------------
def test_a_sale_stands_in_the_ledger_at_the_moment_it_was_sold(books: Books) -> None:
    take(books, eventDateTime="2026-03-10T02:15:30.5-05:00")
    assert ledger(books) == [(-1, -1, "2026-03-10 07:15:30.500000", stored(NOW))]


def test_a_fast_clock_at_the_till_does_not_sell_in_the_future(books: Books) -> None:
    """It would be newer than tomorrow's count, and deducted from that one, too."""
    take(books, eventDateTime=(NOW + timedelta(days=1)).isoformat())
    assert ledger(books) == [(-1, -1, stored(NOW), stored(NOW))]


NO_ZONE = ["2026-03-10T14:05:00", "2026-03-10 14:05", "2026-03-10"]
NO_MOMENT = ["", "now", "2026-02-30T10:00:00Z", "2026-03-10T25:00:00Z", "14:05Z", None, 1773151500, ["2026-03-10"]]
NO_CLOCK = ["1970-01-01T00:00:00Z", "2000-01-01T00:03:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]


@pytest.mark.parametrize("moment", [*NO_ZONE, *NO_MOMENT, *NO_CLOCK])
def test_a_moment_that_leaves_anything_open_is_refused(books: Books, moment: object) -> None:
    """A till that lost its clock's battery would have each of its sales taken for counted already."""
    assert refused(books, eventDateTime=moment) == "bad_event_time"


@pytest.mark.parametrize(("minutes", "left"), [(-1, 20), (0, 20), (1, 19)])
def test_a_late_sale_from_before_the_count_is_written_down_and_moves_nothing(
    books: Books, minutes: int, left: int
) -> None:
    """The till was offline over the count: the boundary itself belongs to the count."""
    import_reset(books.engine, "reset.csv", reset_csv(("F1", "111", 20)), NOW)
    taken = take(books, LATER, eventDateTime=at(minutes).isoformat())
    assert books.totals("F1", "A") == (left, left - 5)
    assert len(ledger(books)) == 1
    counted = left == 20
    assert taken.effect == ("already-counted" if counted else "applied")
    assert ("the count of that moment already had it" in descriptions(books)[-1]) is counted
    assert books.ask("SELECT QUANTITY FROM INVENTORY_UPDATE") == [(-1,)]


def test_without_a_moment_a_sale_is_of_now_whatever_was_counted(books: Books) -> None:
    import_reset(books.engine, "reset.csv", reset_csv(("F1", "111", 20), snapshot=LATER), NOW)
    assert take(books, LATER).effect == "applied"


def test_a_correction_is_no_movement_of_goods_so_no_count_has_it(books: Books) -> None:
    import_reset(books.engine, "reset.csv", reset_csv(("F1", "111", 20)), NOW)
    taken = take(books, LATER, varianceReasonId="VAR_DAMAGED", eventDateTime=at(-60).isoformat())
    assert (taken.effect, books.totals("F1", "A")) == ("applied", (19, 14))


def test_only_an_accepted_count_of_the_same_key_has_the_sale(books: Books) -> None:
    """Refused rows, other facilities and other products say nothing of this shelf."""
    import_reset(books.engine, "reset.csv", reset_csv(("F2", "111", 1), ("F1", "222", 1)), NOW)
    failed = {"RESET_ITEM_ID": "X", "FACILITY_ID": "F1", "PRODUCT_ID": "A", "SNAPSHOT_DATE": NOW}
    books.add(tables.external_inventory_reset, {**failed, "ROW_STATUS": "failed"})
    assert take(books, LATER, eventDateTime=at(-1).isoformat()).effect == "applied"


def test_a_count_that_changed_nothing_has_the_sale_all_the_same(books: Books) -> None:
    import_reset(books.engine, "reset.csv", reset_csv(("F1", "111", 10)), NOW)
    assert books.ask("SELECT ROW_STATUS FROM EXTERNAL_INVENTORY_RESET") == [("unchanged",)]
    assert take(books, LATER, eventDateTime=at(-1).isoformat()).effect == "already-counted"


Happening = tuple[str, int, int]
HAPPENINGS = st.one_of(
    st.tuples(st.just("count"), st.integers(0, 6), st.integers(0, 50)),
    st.tuples(st.just("sale"), st.integers(0, 6), st.sampled_from((-3, -2, -1, 1, 2))),
)


@settings(max_examples=60, derandomize=True)
@given(st.lists(HAPPENINGS, max_size=8))
def test_in_whatever_order_counts_and_sales_arrive_the_shelf_is_right(happenings: list[Happening]) -> None:
    """target(t) = F + L(T0,t] (design.md section 5), each arriving later than all of it happened, in any order."""
    with TemporaryDirectory() as folder:
        books = Books(Path(folder))
        books.stock("F1", "A", 10)
        for number, (kind, hour, units) in enumerate(happenings):
            moment, arrival = T0 + timedelta(hours=hour), NOW + timedelta(days=1, minutes=number)
            if kind == "sale":
                take(books, arrival, availableDelta=units, eventDateTime=moment.isoformat())
            else:
                content = reset_csv(("F1", "111", units), snapshot=moment)
                import_reset(books.engine, f"count{number}.csv", content, arrival)
        # Of two counts of one moment the first stays: it is the same generation.
        counts = [(hour, -number, units) for number, (kind, hour, units) in enumerate(happenings) if kind == "count"]
        hour, _, counted = max(counts, default=(-1, 0, 10))
        sold = sum(units for kind, when, units in happenings if kind == "sale" and when > hour)
        assert books.totals("F1", "A") == (counted + sold,) * 2
        assert disagreements(books) == []


# Once -----------------------------------------------------------------------------------------------------------------
def test_a_till_that_asks_again_gets_the_same_answer_and_deducts_nothing(books: Books) -> None:
    first = take(books, key="sale-1")
    again = take(books, LATER, key="sale-1")
    assert again == Taken(first.answer, first.facility, first.matched, first.effect, replayed=True)
    assert books.totals("F1", "A") == (9, 4)
    assert len(ledger(books)) == len(requests(books)) == 1


def test_the_same_request_in_another_spelling_is_the_same(books: Books) -> None:
    first = take(books, key="sale-1", eventDateTime="2026-03-10T08:00:00Z")
    spelled = {"availableDelta": "-1.0", "idType": "Upca", "eventDateTime": "2026-03-10T03:00:00-05:00"}
    again = take(books, key="sale-1", **spelled)
    assert (again.replayed, again.answer) == (True, first.answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"availableDelta": -2},
        {"facilityId": "S1"},
        {"idValue": "222"},
        {"varianceReasonId": "VAR_LOST"},
        {"locationSeqId": "OTHER"},
        {"eventDateTime": "2026-03-10T08:00:00Z"},
    ],
)
def test_a_key_that_is_used_for_another_request_is_refused(books: Books, changes: dict[str, object]) -> None:
    """A till that counts its keys from 1 again after a restart would lose its sales."""
    take(books, key="sale-1")
    assert refused(books, key="sale-1", **changes) == "idempotency_key_reused"


def test_each_client_has_keys_of_its_own(books: Books) -> None:
    take(books, key="sale-1")
    assert not take(books, key="sale-1", client="till-8").replayed
    assert books.totals("F1", "A") == (8, 3)


def test_a_refusal_is_not_remembered_so_the_sale_can_be_sent_again_once_the_product_is_there(books: Books) -> None:
    assert refused(books, key="sale-1", idValue="999") == "unknown_product"
    books.upca("C", "999", since=at(-600))
    assert take(books, key="sale-1", idValue="999").effect == "applied"


def test_an_answer_stays_the_same_when_the_world_has_changed(books: Books) -> None:
    first = take(books, key="sale-1", eventDateTime=at(-60).isoformat())
    import_reset(books.engine, "reset.csv", reset_csv(("F1", "111", 20)), NOW)
    books.upca("C", "111", since=at(-600))
    again = take(books, LATER, key="sale-1", eventDateTime=at(-60).isoformat())
    assert (again.effect, again.replayed) == (first.effect, True) == ("applied", True)


def test_two_sales_alike_within_a_minute_both_count_and_are_reported(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a key nobody can tell a retry from a second customer; losing a sale is no better than taking it twice."""
    take(books)
    with caplog.at_level(logging.WARNING):
        take(books, NOW + timedelta(seconds=60))
    assert books.totals("F1", "A") == (8, 3)
    first, second = requests(books)
    assert books.ask("SELECT LOOKS_LIKE FROM INVENTORY_UPDATE ORDER BY rowid") == [(None,), (first,)]
    assert descriptions(books)[-1].endswith(f"looks like {first}")
    (record,) = caplog.records
    assert second in record.getMessage()
    assert first in record.getMessage()


def test_an_explicit_equal_moment_is_reported_and_no_more(books: Books) -> None:
    """Two of the same product on one receipt have one moment."""
    for _ in range(2):
        take(books, eventDateTime="2026-03-10T08:00:00Z")
    assert books.totals("F1", "A") == (8, 3)
    assert books.ask("SELECT COUNT(*) FROM INVENTORY_UPDATE WHERE LOOKS_LIKE IS NOT NULL") == [(1,)]


@pytest.mark.parametrize(
    ("seconds", "again"),
    [(61, {}), (5, {"client": "till-8"}), (5, {"availableDelta": -2}), (5, {"key": "sale-2"})],
)
def test_what_came_later_or_was_another_request_looks_like_nothing(
    books: Books, seconds: int, again: dict[str, Any]
) -> None:
    take(books)
    take(books, NOW + timedelta(seconds=seconds), **again)
    assert books.ask("SELECT COUNT(*) FROM INVENTORY_UPDATE WHERE LOOKS_LIKE IS NOT NULL") == [(0,)]
