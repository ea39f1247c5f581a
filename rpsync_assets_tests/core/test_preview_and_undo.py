"""What a day would change, and what takes it back out: held against what the embedded OMS's own arithmetic does."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from rpsync_assets.core.preview import PREVIEW_SCHEMA, Basis, preview, summed
from rpsync_assets.core.reset import KEPT_SCHEMA
from rpsync_assets.core.undo import UNDO_SCHEMA, undo
from rpsync_assets.core.variance import UNREPORTED_SCHEMA

T0 = datetime(2026, 3, 10, 12, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")
COUNTS = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "quantity_on_hand": pl.Int64,
    "available_to_promise": pl.Int64,
}
MOVED = {"facility_id": pl.String, "product_id": pl.String, "event_at": MOMENT, "units": pl.Int64}
ACCEPTED = {"facility_id": pl.String, "product_id": pl.String, "accepted_at_snapshot": MOMENT}

units = st.integers(-50, 50)
whole = st.integers(0, 50)


def kept(**counted: int) -> pl.DataFrame:
    rows = [
        {"facility_id": "NY", "upca": f"U{one}", "product_id": one, "quantity": number, "snapshot_at": T0}
        for one, number in counted.items()
    ]
    return pl.DataFrame(rows, schema=KEPT_SCHEMA)


def counts(reserved: int = 0, **on_hand: int) -> pl.DataFrame:
    rows = [("NY", one, number, number - reserved) for one, number in on_hand.items()]
    return pl.DataFrame(rows, schema=COUNTS, orient="row")


def moved(at: datetime = T0 + timedelta(minutes=5), **by: int) -> pl.DataFrame:
    return pl.DataFrame([("NY", one, at, number) for one, number in by.items()], schema=MOVED, orient="row")


def shipped(**by: int) -> pl.DataFrame:
    rows = [
        {"facility_id": "NY", "product_id": one, "quantity": number, "order_id": "1", "snapshot_at": T0}
        for one, number in by.items()
    ]
    return pl.DataFrame(rows, schema=UNREPORTED_SCHEMA)


def accepted(snapshot: datetime = T0, **who: int) -> pl.DataFrame:
    return pl.DataFrame([("NY", one, snapshot) for one in who], schema=ACCEPTED, orient="row")


@given(units, units, units, whole)
def test_the_preview_is_what_the_imports_do(count: int, now: int, moves: int, unreported: int) -> None:
    """Reset: QOH += F + L - QOH. Variance: QOH -= min(U0, max(0, QOH)). Then L, U0 and F say that all is well."""
    found = preview(kept(A=count), counts(A=now), moved(A=moves), shipped(A=unreported), accepted()).row(0, named=True)
    after_reset = now + (count + moves - now)
    after = after_reset - min(unreported, max(0, after_reset))
    assert found["would_be"] == after
    assert found["difference"] == after - now
    again = preview(kept(A=count), counts(A=after), moved(A=moves), shipped(A=unreported), accepted())
    assert again["effect"].item() == "unchanged"


@given(units, units, units, whole, whole, st.sampled_from(["qoh", "atp"]))
def test_the_preview_is_what_hotwaxs_imports_do(
    count: int, now: int, moves: int, unreported: int, reserved: int, basis: Basis
) -> None:
    """Reset: both counts += F - QOH (or ATP). Variance: -U0 + F + L - QOH, taking no more than there is."""
    before = counts(reserved, A=now)
    found = preview(kept(A=count), before, moved(A=moves), shipped(A=unreported), accepted(), basis=basis)
    after_reset = now + count - (now if basis == "qoh" else now - reserved)
    variance = -unreported + (count + moves - after_reset)
    after = after_reset + (variance if variance >= 0 else -min(-variance, max(0, after_reset)))
    assert found["would_be"].item() == after


def test_each_effect_and_each_crossing_of_zero_is_told_the_largest_first() -> None:
    found = preview(
        kept(A=9, B=1, C=4, D=0, E=7, F=5),
        counts(A=3, B=4, C=4, D=2, E=0, F=1),
        moved(B=0),
        shipped(C=0),
        pl.concat([accepted(A=1), accepted(T0 + timedelta(hours=1), F=1)]),
    )
    assert found.schema == PREVIEW_SCHEMA
    assert found.select("product_id", "effect", "difference", "crossing").rows() == [
        ("E", "up", 7, "back_from_zero"),
        ("A", "up", 6, None),
        ("B", "down", -3, None),
        ("D", "down", -2, "to_zero"),
        ("C", "unchanged", 0, None),
        ("F", "superseded", 0, None),
    ]
    assert summed(found) == {
        "up": 2,
        "down": 2,
        "unchanged": 1,
        "superseded": 1,
        "units up": 13,
        "units down": 5,
    }


def test_what_moved_before_the_count_is_in_the_count_and_a_key_without_stock_begins_at_zero() -> None:
    found = preview(kept(A=5), counts(), moved(T0, A=-3), shipped(), accepted()).row(0, named=True)
    assert (found["quantity_on_hand"], found["moved_since_snapshot"], found["would_be"]) == (0, 0, 5)


def test_a_day_without_rows_has_an_empty_preview() -> None:
    assert preview(kept(), counts(A=1), moved(), shipped(), accepted()).schema == PREVIEW_SCHEMA


def reset_rows(*rows: tuple[str, str, int | None]) -> pl.DataFrame:
    schema = {"facility_id": pl.String, "product_id": pl.String, "upca": pl.String, "status": pl.String}
    told = [("NY", one, f"U{one}", status, difference) for one, status, difference in rows]
    return pl.DataFrame(told, schema={**schema, "difference": pl.Int64}, orient="row")


def variance_rows(**applied: int) -> pl.DataFrame:
    schema = {"facility_id": pl.String, "product_id": pl.String, "applied": pl.Int64}
    return pl.DataFrame([("NY", one, number) for one, number in applied.items()], schema=schema, orient="row")


@given(whole, st.lists(units, min_size=1, max_size=3), units, units)
def test_undone_a_key_is_where_it_would_be_without_the_day(
    before: int, resets: list[int], variance: int, sold_since: int
) -> None:
    """Whatever the day's files did, and whatever was sold since: the day's part is gone, and only that."""
    now = before + sum(resets) + variance + sold_since
    reset = reset_rows(*(("A", "applied", change) for change in resets))
    found = undo(reset, variance_rows(A=variance), accepted(A=1), counts(A=now))
    if sum(resets) + variance == 0:
        assert found.is_empty()
        return
    row = found.row(0, named=True)
    without_the_day = before + sold_since
    assert now + row["available_delta"] == without_the_day
    # The OMS's variance stops at zero, and never makes a negative count worse.
    assert row["would_be"] == (max(without_the_day, min(now, 0)) if row["available_delta"] < 0 else without_the_day)


def test_a_key_with_a_newer_count_is_left_alone_and_a_failed_row_changed_nothing() -> None:
    reset = reset_rows(("A", "applied", 4), ("B", "applied", 2), ("C", "failed", None), ("D", "unchanged", 0))
    found = undo(reset, variance_rows(A=-1, D=-2), accepted(A=1, C=1, D=1), counts(A=9, B=9, C=9, D=9))
    assert found.schema == UNDO_SCHEMA
    assert found.select("product_id", "available_delta", "would_be").rows() == [("A", -3, 6), ("D", 2, 11)]
