"""Which keys get a variance and how much; and the acceptance test of the product, key by key."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from rpsync_assets.core.variance import (
    UNREPORTED_SCHEMA,
    VARIANCE_SCHEMA,
    compare_with_retail_pro,
    overwritten,
    overwritten_without_ledger,
    to_csv,
    unseen,
    variance_due,
)

T0 = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)
EARLIER = T0 - timedelta(hours=3)
ACCEPTED_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "snapshot_at": pl.Datetime("us", "UTC"),
    "generation": pl.Int64,
}


def unreported(*rows: tuple[str, str, int, str], at: datetime = T0) -> pl.DataFrame:
    """Facility, product, units, order."""
    return pl.DataFrame(
        [
            (facility, product, "1111111", units, order, order, "01", "ORDER_APPROVED", at, "issuance", 1, at)
            for facility, product, units, order in rows
        ],
        schema=UNREPORTED_SCHEMA,
        orient="row",
    )


def accepted(*rows: tuple[str, str, str], at: datetime = T0, generation: int = 1) -> pl.DataFrame:
    """Facility, product, UPCA."""
    return pl.DataFrame([(*row, at, generation) for row in rows], schema=ACCEPTED_SCHEMA, orient="row")


def test_only_items_of_the_accepted_reset_are_deducted() -> None:
    """S001: deltas for only those order items which are present in the reset file received that day."""
    due = variance_due(
        unreported(("NY", "A", 2, "O1"), ("NY", "B", 2, "O1"), ("NASHVILLE", "A", 1, "O2")),
        accepted(("NY", "A", "2050000163913"), ("NY", "C", "8720116122558")),
    )
    assert due.rows() == [("NY", "A", "2050000163913", -2, -2, 0, 1, T0, 1)]
    assert due.schema == VARIANCE_SCHEMA


def test_new_york_and_nashville() -> None:
    """HotWax's worked example: A and B shipped from New York, C not yet from Nashville."""
    due = variance_due(
        unreported(("NY", "A", 2, "O1"), ("NY", "B", 2, "O1")),
        accepted(("NY", "A", "1"), ("NY", "B", "2"), ("NASHVILLE", "A", "1"), ("NASHVILLE", "C", "3")),
    )
    assert due.select("facility_id", "product_id", "available_delta").rows() == [("NY", "A", -2), ("NY", "B", -2)]


def test_units_of_several_orders_and_lines_are_one_row_that_counts_the_orders() -> None:
    due = variance_due(
        unreported(("NY", "A", 2, "O1"), ("NY", "A", 1, "O1"), ("NY", "A", 4, "O2")), accepted(("NY", "A", "1111111"))
    )
    assert due.select("available_delta", "orders").rows() == [(-7, 2)]


def test_a_row_of_an_earlier_moment_is_deducted_as_of_that_moment() -> None:
    """Two files of one day: the first one's pending variance keeps its own moment."""
    both = pl.concat(
        [unreported(("NY", "A", 5, "O1"), ("NY", "B", 1, "O1")), unreported(("NY", "A", 3, "O1"), at=EARLIER)]
    )
    due = variance_due(
        both, pl.concat([accepted(("NY", "A", "1"), at=EARLIER), accepted(("NY", "B", "2"), generation=2)])
    )
    assert due.select("product_id", "available_delta", "snapshot_at", "generation").rows() == [
        ("A", -3, EARLIER, 1),
        ("B", -1, T0, 2),
    ]


@pytest.mark.parametrize("rows", [(), (("NY", "A", 0, "O1"),), (("BOSTON", "A", 2, "O1"),)])
def test_nothing_to_take_back_is_an_empty_variance(rows: tuple[tuple[str, str, int, str], ...]) -> None:
    due = variance_due(unreported(*rows), accepted(("NY", "A", "1111111")))
    assert due.height == 0
    assert due.schema == VARIANCE_SCHEMA


def test_without_accepted_rows_nothing_is_deducted() -> None:
    assert variance_due(unreported(("NY", "A", 2, "O1")), accepted()).height == 0


def test_the_file_is_spelled_as_the_sample_of_the_issue() -> None:
    """S001's sample row, but for the quotes around a comment that needs none."""
    due = variance_due(unreported(("SVC21", "A", 1, "O1")), accepted(("SVC21", "A", "2050000163913")))
    assert to_csv(due, "TLTLTLLL01").decode() == (
        "facilityId,idType,idValue,availableDelta,locationSeqId,varianceReasonId,comments\n"
        "SVC21,UPCA,2050000163913,-1.0,TLTLTLLL01,VAR_INTEGR,"
        "Inventory Variance sent as part of Reset Inventory deduction for partially completed orders\n"
    )


# QOH - L + U0 = F -----------------------------------------------------------------------------------------------------
def counts(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    """Facility, product, quantity on hand, available to promise."""
    schema = {"facility_id": pl.String, "product_id": pl.String}
    totals = {"quantity_on_hand": pl.Int64, "available_to_promise": pl.Int64}
    return pl.DataFrame(rows, schema={**schema, **totals}, orient="row")


def movements(*rows: tuple[str, str, datetime, int]) -> pl.DataFrame:
    """Facility, product, event, units."""
    schema = {"facility_id": pl.String, "product_id": pl.String, "event_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema={**schema, "units": pl.Int64}, orient="row")


def counted(quantity: int, at: datetime = T0) -> pl.DataFrame:
    """An accepted row of A in New York."""
    return accepted(("NY", "A", "1"), at=at).with_columns(
        quantity=pl.lit(quantity, dtype=pl.Int64),
        imported_at=pl.lit(T0 + timedelta(hours=4)).cast(pl.Datetime("us", "UTC")),
    )


def compared(on_hand: int, moved: int, units: int, quantity: int) -> int:
    shipped = unreported(("NY", "A", units, "O1")) if units else unreported(("NY", "B", 9, "O1"))
    # What moved before the count, or of another key, is no movement since the count.
    since = movements(("NY", "A", T0 + timedelta(hours=1), moved), ("NY", "A", T0, 50), ("NY", "B", T0, 70))
    return compare_with_retail_pro(counted(quantity), counts(("NY", "A", on_hand, 0)), since, shipped)[
        "difference"
    ].item()


@pytest.mark.parametrize(
    ("on_hand", "moved", "units", "quantity", "difference"),
    [
        (10, 0, 0, 10, 0),
        (8, 0, 2, 10, 0),  # two shipped and not reported: Retail Pro still counts them
        (7, -1, 2, 10, 0),  # and one sold in the store since
        (11, 3, 2, 10, 0),  # or a receipt of three
        (10, 0, 2, 10, 2),  # the variance did not go in
        (6, 0, 2, 10, -2),  # it went in twice
        (-1, 0, 0, -1, 0),
    ],
)
def test_the_systems_agree_when_what_moved_and_what_was_not_reported_explains_the_rest(
    on_hand: int, moved: int, units: int, quantity: int, difference: int
) -> None:
    assert compared(on_hand, moved, units, quantity) == difference


def test_shipments_as_of_another_moment_do_not_explain_a_difference() -> None:
    shipped = unreported(("NY", "A", 2, "O1"), at=EARLIER)
    found = compare_with_retail_pro(counted(10), counts(("NY", "A", 8, 8)), movements(), shipped)
    assert found.select("unreported", "difference").rows() == [(0, -2)]


def test_an_accepted_key_that_the_oms_does_not_have_counts_as_none() -> None:
    found = compare_with_retail_pro(counted(3), counts(), movements(), unreported())
    assert found["difference"].to_list() == [-3]


# The window of an OMS that compares at import -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("on_hand", "moved", "window"),
    [
        (10, 0, 0),  # nothing happened
        (10, -1, -1),  # one sold between count and import: the import put it back
        (9, -1, 0),  # one sold after the import: it is there already
        (10, 2, 2),  # a receipt of two was overwritten
        (13, -3, -6),  # compared on ATP, three reserved units came on top
    ],
)
def test_what_the_import_overwrote_is_brought_back(on_hand: int, moved: int, window: int) -> None:
    """F + L(T0,t*] - QOH(t*), with F = 10."""
    since = movements(("NY", "A", T0 + timedelta(hours=1), moved), ("NY", "A", T0, -50))
    found = overwritten(counted(10), counts(("NY", "A", on_hand, 0)), since)
    assert found["window_part"].to_list() == [window]


def test_an_accepted_count_of_which_the_oms_has_no_stock_record_is_all_missing() -> None:
    nothing = overwritten(counted(10), counts(("LA", "A", 4, 4)), movements(("LA", "A", T0 + timedelta(hours=1), 3)))
    assert nothing["window_part"].to_list() == [10]


@pytest.mark.parametrize("basis", ["qoh", "atp"])
def test_without_a_ledger_a_key_that_nothing_was_issued_of_keeps_its_count(basis: str) -> None:
    """Neither a shipment nor a stock record of it: nothing is taken out, and the row is there."""
    since = unreported(("LA", "A", 2, "O1")).with_columns(imported_at=pl.lit(T0, dtype=pl.Datetime("us", "UTC")))
    found = overwritten_without_ledger(counted(10), counts(("LA", "A", 14, 10)), since, reset_basis=basis)
    assert found["window_part"].to_list() == [0]


def test_both_parts_stand_in_one_row_and_a_key_whose_parts_cancel_out_is_left_alone() -> None:
    window = overwritten(counted(10), counts(("NY", "A", 10, 10)), movements(("NY", "A", T0 + timedelta(hours=1), 2)))
    due = variance_due(unreported(("NY", "A", 3, "O1")), counted(10), window)
    assert due.select("available_delta", "orders_part", "window_part").rows() == [(-1, -3, 2)]
    assert variance_due(unreported(("NY", "A", 2, "O1")), counted(10), window).is_empty()


@pytest.mark.parametrize(("basis", "window"), [("qoh", -2), ("atp", -6)])
def test_without_a_ledger_what_was_issued_until_the_import_is_taken_out(basis: str, window: int) -> None:
    imported = counted(10)
    shipped = unreported(("NY", "A", 2, "O1"), ("NY", "B", 5, "O1"))
    shipped = shipped.with_columns(imported_at=pl.lit(imported["imported_at"].item(), dtype=pl.Datetime("us", "UTC")))
    found = overwritten_without_ledger(imported, counts(("NY", "A", 14, 10)), shipped, reset_basis=basis)
    assert found["window_part"].to_list() == [window]


def imported(generation: int, log: str, *products: str, at: datetime = T0, hours: int = 4) -> pl.DataFrame:
    """Accepted rows of one import in New York, so many hours after the count of 05:30."""
    rows = accepted(*(("NY", product, "1111111") for product in products), at=at, generation=generation)
    return rows.with_columns(log_id=pl.lit(log), imported_at=pl.lit(T0 + timedelta(hours=hours)))


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        ((2, "10", T0), []),
        ((1, "11", T0 + timedelta(days=1)), []),
        ((1, "10", T0), ["A"]),
        ((2, "9", T0), ["A"]),
        ((3, "9", EARLIER), ["A"]),
    ],
)
def test_an_import_is_news_unless_something_as_new_of_the_key_is_known(
    known: tuple[int, str, datetime], seen: list[str]
) -> None:
    """A reset that newer counts have replaced owes nothing: else no increase is published for days."""
    generation, log, at = known
    news = unseen(imported(2, "10", "A", "B"), imported(generation, log, "A", at=at))
    assert news["product_id"].to_list() == [*seen, "B"]


@pytest.mark.parametrize(("hours", "seen"), [(28, ["A"]), (2, [])])
def test_of_one_count_in_the_files_of_two_days_the_later_import_is_what_stands_there(
    hours: int, seen: list[str]
) -> None:
    """Yesterday's second generation and today's first hold the same count of A: today's is no older for that."""
    yesterday, today = imported(2, "9", "A"), imported(1, "10", "A", hours=hours)
    assert unseen(today, yesterday)["product_id"].to_list() == seen
    assert unseen(yesterday, today)["product_id"].to_list() == ([] if seen else ["A"])
