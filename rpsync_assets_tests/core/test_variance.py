"""Which keys get a variance and how much; and the acceptance test of the product, key by key."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from rpsync_assets.core.variance import (
    UNREPORTED_SCHEMA,
    VARIANCE_SCHEMA,
    compare_with_retail_pro,
    to_csv,
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
    assert due.rows() == [("NY", "A", "2050000163913", -2, 1, T0, 1)]
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
def compared(on_hand: int, moved: int, units: int, counted: int) -> int:
    stock = pl.DataFrame(
        [("NY", "A", "1", T0, counted, on_hand, moved)],
        schema={
            "facility_id": pl.String,
            "product_id": pl.String,
            "upca": pl.String,
            "snapshot_at": pl.Datetime("us", "UTC"),
            "retail_pro_quantity": pl.Int64,
            "quantity_on_hand": pl.Int64,
            "moved_since_snapshot": pl.Int64,
        },
        orient="row",
    )
    shipped = unreported(("NY", "A", units, "O1")) if units else unreported(("NY", "B", 9, "O1"))
    return compare_with_retail_pro(stock, shipped)["difference"].item()


@pytest.mark.parametrize(
    ("on_hand", "moved", "units", "counted", "difference"),
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
    on_hand: int, moved: int, units: int, counted: int, difference: int
) -> None:
    assert compared(on_hand, moved, units, counted) == difference


def test_shipments_as_of_another_moment_do_not_explain_a_difference() -> None:
    stock = pl.DataFrame(
        {"facility_id": ["NY"], "product_id": ["A"], "upca": ["1"], "retail_pro_quantity": [10]}
        | {"quantity_on_hand": [8], "moved_since_snapshot": [0], "snapshot_at": [T0]},
        schema_overrides={"snapshot_at": pl.Datetime("us", "UTC")},
    )
    found = compare_with_retail_pro(stock, unreported(("NY", "A", 2, "O1"), at=EARLIER))
    assert found.select("unreported", "difference").rows() == [(0, -2)]
