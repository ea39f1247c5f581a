"""Guards that hold a day by its numbers: each speaks from enough rows on, with number, threshold and mend."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpsync_assets.core.reset import REASONS, Accounting
from rpsync_assets.core.reset_guards import (
    FEW,
    Limits,
    missing_share,
    older_files_usable,
    raw_is_new,
    rejected_share,
    rows_like_other_days,
    zeroed_share,
)

DAY = date(2026, 3, 10)
LIMITS = Limits()


def raw(rows: int, twin: date | None) -> dict[str, object]:
    return {"file_name": "today.csv", "rows": rows, "same_content_as": "then.csv", "same_content_day": twin}


@pytest.mark.parametrize(
    ("rows", "twin", "passed"),
    [
        (FEW, date(2026, 3, 9), False),
        (FEW - 1, date(2026, 3, 9), True),
        (FEW, DAY, True),  # sent again on the same day
        (FEW, None, True),
    ],
)
def test_an_earlier_days_content_is_no_news(rows: int, twin: date | None, *, passed: bool):
    assert raw_is_new(raw(rows, twin), day=DAY).passed is passed


def test_older_files_that_cannot_be_read_are_told_one_by_one():
    verdict = older_files_usable(["a.csv is cut.", "b.csv has zero bytes."])
    assert (verdict.passed, verdict.observed, verdict.found) == (False, 2, "a.csv is cut. b.csv has zero bytes.")
    assert older_files_usable([]).passed


def rows_verdict(rows: int, good: list[int], limits: Limits = LIMITS):
    return rows_like_other_days(rows, kind="full", good_days=good, limits=limits, file_name="f.csv")


def test_without_three_good_days_no_length_is_odd():
    assert rows_verdict(1, [1000, 1000]).passed
    assert not rows_verdict(1, [1000, 1000, 1000]).passed


def test_the_median_is_not_moved_by_one_odd_day():
    assert rows_verdict(1000, [1000, 1000, 10, 1000, 1000]).passed


def test_a_stores_own_shares_go_before_the_usual_ones():
    assert rows_verdict(500, [1000] * 3, Limits(rows_share=(0.5, None))).passed
    assert not rows_verdict(499, [1000] * 3, Limits(rows_share=(0.5, None))).passed
    assert not rows_verdict(1501, [1000] * 3, Limits(rows_share=(0.5, None))).passed


@given(rows=st.integers(0, FEW - 1), good=st.lists(st.integers(0, FEW - 1), max_size=9))
def test_short_files_are_never_held_for_their_length(rows: int, good: list[int]):
    assert rows_verdict(rows, good).passed


def accounting(kept: int, inactive: int = 0, **rejected: int) -> Accounting:
    return Accounting(kept + inactive + sum(rejected.values()), kept, inactive, rejected)


def test_a_row_without_a_product_is_a_share_of_all_rows_and_others_of_the_active_ones():
    """A million rows of old products have no UPC in the export; that is a small part of it."""
    many = accounting(100, inactive=10_000, blank_upc=400)
    assert rejected_share(many, limits=LIMITS, unknown_codes=[]).passed
    few = rejected_share(accounting(100, inactive=10_000, blank_quantity=400), limits=LIMITS, unknown_codes=[])
    assert (few.passed, few.observed) == (False, 0.8)


def test_every_reason_above_its_limit_is_named():
    verdict = rejected_share(
        accounting(100, blank_quantity=50, fractional_quantity=50, duplicate=1), limits=LIMITS, unknown_codes=["X", "Y"]
    )
    assert verdict.found == (
        "50 rows (24.9%) are rejected: blank_quantity; 50 rows (24.9%) are rejected: fractional_quantity;"
        " unknown store codes: X, Y"
    )


def test_a_day_that_passes_names_the_reason_that_is_nearest_to_its_own_limit():
    """Of 5 % allowed, 3 % are nearer than 9 % are of 30 %."""
    limits = Limits(rejected_share=0.05, rejected_share_of={"unknown_facility": 0.3})
    verdict = rejected_share(accounting(88, unknown_facility=9, duplicate=3), limits=limits, unknown_codes=[])
    assert (verdict.passed, verdict.observed, verdict.threshold) == (True, 0.03, "at most 0.05 for duplicate")
    assert verdict.found == (
        "12 rows are rejected, for no reason more than is usual;"
        " nearest to its limit: duplicate, 3 of 100 rows of products sold online"
    )


def test_nothing_rejected_is_fine_and_says_so():
    verdict = rejected_share(accounting(5), limits=LIMITS, unknown_codes=[])
    assert (verdict.passed, verdict.observed, verdict.threshold) == (True, 0.0, "at most 0.05 for a reason")


@given(
    kept=st.integers(0, 10**6),
    inactive=st.integers(0, 10**6),
    rejected=st.dictionaries(st.sampled_from(list(REASONS)), st.integers(0, 10**5)),
    limit=st.floats(0, 1),
)
def test_a_day_is_held_exactly_if_a_reason_of_enough_rows_is_above_its_share(
    kept: int, inactive: int, rejected: dict[str, int], limit: float
):
    counted = accounting(kept, inactive, **rejected)
    of_all = {"blank_upc", "invalid_upc", "exponent_upc"}
    of_active = kept + sum(rows for reason, rows in rejected.items() if reason not in of_all)
    odd = [
        reason
        for reason, rows in rejected.items()
        if rows >= FEW and rows / (counted.read if reason in of_all else of_active) > limit
    ]
    verdict = rejected_share(counted, limits=Limits(rejected_share=limit), unknown_codes=[])
    assert verdict.passed is (not odd)
    assert all(f"rejected: {reason}" in verdict.found for reason in odd)


@given(part=st.integers(0, 1000), more=st.integers(0, 1000), limit=st.floats(0, 1))
def test_mass_drops_and_missing_keys_are_shares_of_what_was_known(part: int, more: int, limit: float):
    whole = part + more
    fine = part < FEW or part / whole <= limit
    assert zeroed_share(part, with_stock=whole, limits=Limits(zeroed_share=limit)).passed is fine
    assert missing_share(part, known=whole, limits=Limits(missing_share=limit)).passed is fine
