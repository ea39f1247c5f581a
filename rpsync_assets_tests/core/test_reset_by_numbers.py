"""Guards that hold a reset because its numbers are no ordinary day's, each just below and above its limit."""

from datetime import date

import polars as pl
import pytest

from rpsync_assets.core import guards, publication_guards, sale_guards
from rpsync_assets.core.names import error_name
from rpsync_assets.core.quantities import decimal_mark
from rpsync_assets.core.reset import Accounting
from rpsync_assets.core.reset_guards import (
    Limits,
    missing_share,
    older_files_usable,
    raw_is_new,
    rejected_share,
    rows_like_other_days,
    zeroed_share,
)

LIMITS = Limits(rejected_share_of={"conflicting_duplicate": 0.01})
DAY = date(2026, 3, 10)


@pytest.mark.parametrize(
    ("twin_of", "rows", "passed"), [(None, 100, True), (DAY, 100, True), (date(2026, 3, 9), 19, True),
                                    (date(2026, 3, 9), 20, False)]
)  # fmt: skip
def test_an_earlier_days_content_is_held(twin_of: date | None, rows: int, passed: bool) -> None:
    raw = {"file_name": "new.csv", "rows": rows, "same_content_as": "old.csv", "same_content_day": twin_of}
    verdict = raw_is_new(raw, day=DAY)
    assert verdict.passed is passed
    assert ("old.csv" in verdict.found) is (twin_of is not None)


def test_older_files_that_cannot_be_used_are_told() -> None:
    assert older_files_usable([]).passed
    assert older_files_usable(["a is cut."]).found == "a is cut."


@pytest.mark.parametrize(
    ("rows", "kind", "days", "limits", "passed"),
    [
        (90, "full", [100] * 3, LIMITS, True),
        (89, "full", [100] * 3, LIMITS, False),
        (151, "full", [100] * 3, LIMITS, False),
        (1, "full", [100] * 2, LIMITS, True),
        (1, "full", [19] * 7, LIMITS, True),
        (5, "delta", [100] * 3, LIMITS, True),
        (4, "delta", [100] * 3, LIMITS, False),
        (50, "full", [100] * 3, Limits(rows_share=(0.5, None)), True),
        (0, "delta", [0, 0, 0], LIMITS, True),
    ],
)
def test_a_file_of_unusual_length_is_held(rows: int, kind: str, days: list[int], limits: Limits, passed: bool) -> None:
    verdict = rows_like_other_days(rows, kind=kind, good_days=days, limits=limits, file_name="f")  # type: ignore[arg-type]
    assert verdict.passed is passed


def accounting(kept: int, inactive: int = 0, **rejected: int) -> Accounting:
    return Accounting(kept + inactive + sum(rejected.values()), kept, inactive, rejected)


@pytest.mark.parametrize(
    ("its", "passed"),
    [
        (accounting(100), True),
        (accounting(1_000, unknown_facility=50), True),
        (accounting(900, unknown_facility=60), False),
        (accounting(100, unknown_facility=19), True),
        (accounting(3_000, conflicting_duplicate=40), False),
        # A UPC that cannot be read is a share of all rows, active or not.
        (accounting(100, inactive=900, invalid_upc=40), True),
        (accounting(100, invalid_upc=40), False),
    ],
)
def test_a_reason_that_rejects_more_than_usual_is_held(its: Accounting, passed: bool) -> None:
    verdict = rejected_share(its, limits=LIMITS, unknown_codes=["999"] if its.rejected else [])
    assert verdict.passed is passed
    assert ("999" in verdict.found) is bool(its.rejected)


@pytest.mark.parametrize(
    ("falling", "stock", "passed"), [(19, 20, True), (20, 20, False), (20, 200, True), (21, 200, False), (0, 0, True)]
)
def test_a_shop_that_falls_to_zero_is_held(falling: int, stock: int, passed: bool) -> None:
    assert zeroed_share(falling, with_stock=stock, limits=LIMITS).passed is passed


@pytest.mark.parametrize(
    ("missing", "known", "passed"), [(19, 20, True), (20, 20, False), (20, 400, True), (21, 400, False), (0, 0, True)]
)
def test_a_full_file_that_lacks_keys_is_held(missing: int, known: int, passed: bool) -> None:
    assert missing_share(missing, known=known, limits=LIMITS).passed is passed


# Corners of their neighbours ------------------------------------------------------------------------------------------
def test_a_count_of_the_future_is_told_in_minutes() -> None:
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    now = datetime(2026, 3, 10, 9, tzinfo=UTC)
    ahead = [guards.raw_snapshot_past(now + timedelta(minutes=by), now=now, file_name="f") for by in (15, 16)]
    assert [(one.passed, one.observed) for one in ahead] == [(True, 15.0), (False, 16.0)]


def test_sales_over_the_counter_that_came_as_orders_are_named() -> None:
    orders = pl.DataFrame({"order_id": ["1", "2"], "order_name": [None, "#2"], "units": [1, 2]})
    verdict = sale_guards.pos_sales_are_no_orders(orders)
    assert (verdict.passed, verdict.observed) == (False, 2)
    assert verdict.found.endswith("took 3 units without a shipment: 1, #2")
    assert sale_guards.pos_sales_are_no_orders(orders.clear()).passed


def test_sales_that_look_alike_are_counted() -> None:
    sales = pl.DataFrame({"remark": [None, "x; looks like 7"]})
    assert sale_guards.no_look_alike_sales(sales).observed == 1


def test_what_shopify_does_not_take_is_a_share() -> None:
    verdict = publication_guards.shopify_takes(3, not_stocked=2, compared=100, codes={"INVALID_LOCATION": 3})
    assert verdict.passed
    assert "INVALID_LOCATION: 3" in verdict.found
    assert not publication_guards.shopify_takes(4, not_stocked=2, compared=100, codes={}).passed


def test_marks_that_only_a_whole_file_can_tell() -> None:
    assert decimal_mark(pl.Series(["1.000", "2,5"])) == ","
    assert decimal_mark(pl.Series(["7.0", "7,5"])) is None
    assert decimal_mark(pl.Series(["1.000"] * 25)) == "."
    assert decimal_mark(pl.Series(["1,000"] * 25)) == ","


def test_the_file_of_failed_rows_is_named_after_its_file() -> None:
    assert error_name("reset_US.csv") == "reset_US-Error.csv"
    assert error_name("reset_US") == "reset_US-Error"
