"""Each guard bites: a failing case and a passing one, and the numbers that an analyst reads."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from rpsync_assets.core import guards, publication_guards
from rpsync_assets.core.guards import Verdict
from rpsync_assets.core.reset import Accounting

T0 = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rows", "kind", "passed"), [(1, "full", True), (0, "full", False), (0, "delta", True), (1, "delta", True)]
)
def test_a_full_file_with_a_header_only_is_refused_and_a_delta_is_not(rows: int, kind: str, passed: bool) -> None:
    verdict = guards.raw_row_count(rows, file_name="reset_US.csv", file_kind=kind)
    assert (verdict.passed, verdict.observed, verdict.releasable) == (passed, rows, False)
    assert f"reset_US.csv has {rows} rows" in verdict.found


@pytest.mark.parametrize(
    ("lines", "read", "kept", "inactive", "rejected", "passed"),
    [
        (10, 10, 3, 5, {"blank_upc": 1, "duplicate": 1}, True),
        (0, 0, 0, 0, {}, True),
        (11, 10, 3, 5, {"blank_upc": 2}, False),  # a line that arrived was not read
        (10, 10, 3, 5, {"blank_upc": 1}, False),  # a row that was read has no fate
        (10, 9, 3, 5, {"blank_upc": 2}, False),  # more fates than rows
    ],
)
def test_every_row_must_be_accounted_for(
    lines: int, read: int, kept: int, inactive: int, rejected: dict[str, int], passed: bool
) -> None:
    verdict = guards.rows_accounted_for(Accounting(read, kept, inactive, rejected), lines=lines)
    assert verdict.passed is passed
    assert verdict.observed == kept + inactive + sum(rejected.values())
    assert verdict.details == {"kept": kept, "inactive": inactive, "rejected": sum(rejected.values()), **rejected}


def test_a_gap_in_the_accounting_is_named_with_its_size() -> None:
    verdict = guards.rows_accounted_for(Accounting(10, 3, 5, {"blank_upc": 1}), lines=10)
    assert verdict.found == "10 lines = 3 kept + 5 inactive + 1 rejected, a gap of 1"
    assert verdict.threshold == "exactly 10, the lines counted on arrival"


@pytest.mark.parametrize(("rows", "passed"), [(1, True), (0, False)])
def test_an_empty_filtered_reset_is_held_and_a_person_may_release_it(rows: int, passed: bool) -> None:
    verdict = guards.filtered_row_count(rows, accounting=Accounting(1000, rows, 7, {"unknown_facility": 993 - rows}))
    assert (verdict.passed, verdict.releasable, verdict.threshold) == (passed, True, "at least 1")
    # Nothing left of a thousand rows is no holiday: what became of most of them is said.
    assert passed or verdict.found.endswith("993 are unknown_facility")


@pytest.mark.parametrize(("rows", "passed"), [(1, True), (0, False)])
def test_an_empty_list_of_active_products_is_refused_and_nobody_may_release_it(rows: int, passed: bool) -> None:
    verdict = guards.active_row_count(rows, excluded=7)
    assert (verdict.passed, verdict.releasable) == (passed, False)
    assert "7 published products are left out" in verdict.found


@pytest.mark.parametrize(
    ("upcas", "invalid", "failing"),
    [
        (["2050000163913", "8720116122558"], 0, 0),
        (["30065245099", "2050000163913"], 0, 1),
        (["2.05E+12", "2050000163913"], 1, 0),
        ([None, "", "ABC"], 3, 0),
        ([], 0, 0),
    ],
)
def test_a_upca_that_cannot_be_matched_is_refused_and_a_failing_check_digit_only_told(
    upcas: list[str | None], invalid: int, failing: int
) -> None:
    verdict = guards.upca_valid(pl.DataFrame({"upca": upcas}, schema={"upca": pl.String}), name="filtered_upca_valid")
    assert (verdict.name, verdict.passed, verdict.observed) == ("filtered_upca_valid", invalid == 0, invalid)
    assert verdict.details == {"failing check digit": failing}


@pytest.mark.parametrize(
    ("keys", "twins"),
    [
        ([("F1", "1"), ("F1", "2"), ("F2", "1")], 0),
        ([("F1", "1"), ("F1", "1")], 1),
        ([("F1", "1")] * 4, 3),
        ([], 0),
    ],
)
def test_a_key_that_stands_there_twice_is_refused(keys: list[tuple[str, str]], twins: int) -> None:
    frame = pl.DataFrame(keys, schema={"facility_id": pl.String, "upca": pl.String}, orient="row")
    verdict = guards.unique(frame, ["facility_id", "upca"], name="keys", what="a facility and UPCA")
    assert (verdict.passed, verdict.observed) == (twins == 0, twins)


@pytest.mark.parametrize(
    ("parts", "rows", "passed"),
    [
        ([], 0, True),
        ([1], 1, True),
        ([200_000], 200_000, True),
        ([100_001, 100_000], 200_001, True),
        ([200_001], 200_001, False),  # above the limit
        ([200_000, 1], 200_001, False),  # not balanced
        ([100_000, 100_000], 200_001, False),  # a row is lost
        ([100_001, 100_001], 200_001, False),  # a row stands in both
        ([], 5, False),
    ],
)
def test_parts_that_lose_rows_are_unbalanced_or_too_large_are_refused(
    parts: list[int], rows: int, passed: bool
) -> None:
    assert guards.part_row_counts(parts, rows=rows).passed is passed


@pytest.mark.parametrize(
    ("delivered", "reported", "failed", "passed"),
    [
        (1000, 1000, 0, True),
        (1000, 1000, 10, True),  # exactly one in a hundred
        (1000, 1000, 11, False),
        (1000, 999, 0, False),  # finished, but with fewer rows than we wrote
        (1000, 1001, 0, False),
        (0, 0, 0, True),
        (0, 3, 0, False),
    ],
)
def test_an_import_is_complete_only_when_the_oms_reports_what_we_wrote(
    delivered: int, reported: int, failed: int, passed: bool
) -> None:
    """An import that is finished may still carry failed records, or be another file's (domain.md 1.5)."""
    verdict = guards.import_complete(
        delivered=delivered, reported=reported, failed=failed, max_failed_share=0.01, reasons={}
    )
    assert verdict.passed is passed
    # Rows that went missing are nobody's to release.
    assert verdict.releasable is (delivered == reported)
    assert verdict.details == {"failed": failed}


def keys(*rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={"facility_id": pl.String, "upca": pl.String}, orient="row")


@pytest.mark.parametrize(
    ("variance", "strangers"),
    [
        ([], 0),
        ([("F1", "1")], 0),
        ([("F1", "1"), ("F2", "9")], 0),  # the second reset holds it
        ([("F1", "2")], 1),
        ([("F2", "1")], 1),  # the same UPCA at another facility
    ],
)
def test_a_variance_for_a_key_outside_the_days_reset_is_refused(
    variance: list[tuple[str, str]], strangers: int
) -> None:
    """The S001 warning: deducting without the surplus having come in."""
    verdict = guards.variance_keys_within_reset(keys(*variance), keys(("F1", "1")), keys(("F2", "9")))
    assert (verdict.passed, verdict.observed) == (strangers == 0, strangers)


def test_a_variance_of_another_snapshot_than_the_days_file_is_refused_by_name() -> None:
    found = {"unreported_shipments": T0, "filtered_reset": T0 - timedelta(days=1), "reset_import": T0}
    verdict = guards.variance_reset_same_day(partition="US 2026-03-10", expected=T0, found=found)
    assert (verdict.passed, verdict.observed) == (False, 1)
    assert "but filtered_reset is as of 2026-03-09 05:30:00 UTC" in verdict.found
    same = guards.variance_reset_same_day(partition="US", expected=T0, found=dict.fromkeys(found, T0))
    assert (same.passed, same.observed) == (True, 0)


@pytest.mark.parametrize(
    ("values", "passed", "below"), [([0, 5], True, 0), ([-1, 5], False, 1), ([None, 5], False, 0), ([], True, 0)]
)
def test_less_than_nothing_or_nothing_at_all_is_not_offered(values: list[int | None], passed: bool, below: int) -> None:
    frame = pl.DataFrame({"sellable": values}, schema={"sellable": pl.Int64})
    verdict = guards.not_negative(frame, "sellable", name="online_atp_not_negative")
    assert (verdict.name, verdict.passed, verdict.observed) == ("online_atp_not_negative", passed, below)


def test_differing_keys_are_refused_with_the_largest_difference() -> None:
    differing = pl.DataFrame({"difference": [2, -7]})
    verdict = guards.oms_matches_retail_pro(differing, keys=100)
    assert (verdict.passed, verdict.observed) == (False, 2)
    assert verdict.found == "100 accepted keys compared, 2 differ, the largest by 7 units"
    agreeing = guards.oms_matches_retail_pro(differing.clear(), keys=100)
    assert (agreeing.passed, agreeing.found) == (True, "100 accepted keys compared, 0 differ")


REFUSED = [
    guards.raw_row_count(0, file_name="f.csv", file_kind="full"),
    guards.rows_accounted_for(Accounting(1, 0, 0, {}), lines=1),
    guards.filtered_row_count(0, accounting=Accounting(0, 0, 0, {})),
    guards.active_row_count(0, excluded=0),
    guards.upca_valid(pl.DataFrame({"upca": ["x"]}), name="n"),
    guards.unique(keys(("F", "1"), ("F", "1")), ["upca"], name="n", what="w"),
    guards.part_row_counts([1], rows=2),
    guards.import_complete(delivered=1, reported=0, failed=0, max_failed_share=0.01, reasons={}),
    guards.variance_keys_within_reset(keys(("F", "1")), keys()),
    guards.variance_reset_same_day(partition="US", expected=T0, found={"x": T0 + timedelta(1)}),
    guards.not_negative(pl.DataFrame({"q": [-1]}), "q", name="n"),
    guards.oms_matches_retail_pro(pl.DataFrame({"difference": [1]}), keys=1),
]


@pytest.mark.parametrize("verdict", REFUSED, ids=lambda verdict: verdict.name)
def test_a_refusal_names_a_number_a_threshold_and_a_mend(verdict: Verdict) -> None:
    assert not verdict.passed
    assert verdict.threshold
    assert verdict.found
    assert verdict.mend
    assert any(character.isdigit() for character in verdict.found)


@pytest.mark.parametrize(
    ("changed", "zeroed", "compared", "passed"),
    [
        (50, 10, 100, [True, True]),
        (51, 0, 100, [False, True]),
        (20, 11, 100, [True, False]),
        (19, 19, 19, [True, True]),  # a shop of 19 items: a share says nothing
        (0, 0, 0, [True, True]),
    ],
)
def test_a_publication_that_changes_or_empties_much_of_a_shop_is_held(
    changed: int, zeroed: int, compared: int, passed: list[bool]
) -> None:
    found = publication_guards.publication_changes(
        changed, zeroed=zeroed, compared=compared, max_changed_share=0.5, max_zeroed_share=0.1
    )
    assert [verdict.passed for verdict in found] == passed
    assert all(verdict.releasable and str(compared) in verdict.found for verdict in found)


def test_what_a_reread_shows_wrong_is_red_and_where_nothing_was_read_it_says_so() -> None:
    assert not publication_guards.shopify_matches(1, compared=9, units=3).passed
    assert publication_guards.shopify_matches(0, compared=9, units=0).passed
    assert "nothing was read again" in publication_guards.shopify_matches(0, compared=0, units=0).found


@pytest.mark.parametrize(("minutes", "passed"), [(-300, True), (15, True), (16, False)])
def test_a_count_of_the_future_is_refused_and_nobody_can_release_it(minutes: int, passed: bool) -> None:
    now = datetime(2026, 3, 10, 11, tzinfo=UTC)
    found = guards.raw_snapshot_past(now + timedelta(minutes=minutes), now=now, file_name="f.csv")
    assert (found.passed, found.observed, found.releasable) == (passed, minutes, False)


def test_a_file_says_how_long_before_it_was_counted_by_the_clock_of_its_store() -> None:
    now = datetime(2026, 11, 25, 14, 36, tzinfo=UTC)
    counted = datetime(2026, 11, 24, 23, 30, tzinfo=ZoneInfo("America/New_York"))
    found = guards.raw_snapshot_past(counted, now=now, file_name="f.csv").found
    assert found == "f.csv was counted at 2026-11-24 23:30:00 EST, 10 h 6 min before it was landed"
