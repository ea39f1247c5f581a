"""Our own small memory: generations, exactly-once, and which accepted rows still owe a variance."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.exc import IntegrityError

from rpsync_assets.resources.state import Delivery, State

DAY = date(2026, 3, 10)
T0 = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(f"sqlite:///{tmp_path / 'kept' / 'state.sqlite'}")


def delivery(generation: int = 1, part: int = 1, digest: str = "abc", **changed: object) -> Delivery:
    usual = Delivery(
        product_store="US",
        business_date=DAY,
        kind="reset",
        generation=generation,
        part=part,
        parts=2,
        digest=digest,
        file_name=f"reset_US_20260310_g{generation}_{part}of2.csv",
        folder="hotwax/reset-inventory",
        rows=5,
        bytes=100,
        snapshot_at=T0,
        run_id="run",
        host="here",
        taken_at=T0,
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


# Deliveries -----------------------------------------------------------------------------------------------------------
def test_the_same_content_is_the_same_generation_and_new_content_the_next(state: State) -> None:
    assert state.generation_of("US", DAY, "abc") == 1
    state.take([delivery(1, 1), delivery(1, 2)])
    assert state.generation_of("US", DAY, "abc") == 1
    assert state.generation_of("US", DAY, "def") == 2
    state.take([delivery(2, 1, digest="def")])
    # Back to the first content: the OMS holds the second by now, so this is a third delivery.
    assert state.generation_of("US", DAY, "abc") == 3
    assert state.generation_of("US", DAY, "def") == 2


def test_generations_count_per_store_and_day_and_for_resets_only(state: State) -> None:
    state.take([delivery(), delivery(4, digest="v", kind="variance")])
    assert state.generation_of("SV", DAY, "abc") == 1
    assert state.generation_of("US", DAY + timedelta(1), "abc") == 1
    assert state.generation_of("US", DAY, "v") == 2


def test_taking_the_same_delivery_twice_fails_and_takes_nothing(state: State) -> None:
    """An impatient second click goes past queue limits and run keys; the unique row stops it."""
    state.take([delivery(1, 2)])
    with pytest.raises(IntegrityError):
        state.take([delivery(1, 1), delivery(1, 2)])
    assert [taken.part for taken in state.deliveries("US", DAY, "reset")] == [2]


def test_a_delivery_is_remembered_as_taken_until_it_lies_on_the_server(state: State) -> None:
    state.take([delivery(1, 1), delivery(1, 2)])
    assert state.deliveries("US", DAY, "reset") == [delivery(1, 1), delivery(1, 2)]
    state.mark_delivered(delivery(1, 2), NOW)
    assert [taken.delivered_at for taken in state.deliveries("US", DAY, "reset", 1)] == [None, NOW]
    assert state.deliveries("US", DAY, "reset", 2) == []
    assert state.deliveries("US", DAY, "variance") == []
    assert delivery().remote_path == "hotwax/reset-inventory/reset_US_20260310_g1_1of2.csv"


def test_the_newest_reset_is_the_one_with_the_newest_counts(state: State) -> None:
    assert state.newest_reset("US") is None
    newest = delivery(1, business_date=DAY + timedelta(1), snapshot_at=T0 + timedelta(days=1))
    state.take([newest, delivery(2), delivery(1)])
    state.take([delivery(9, kind="variance", snapshot_at=T0 + timedelta(days=9))])
    assert state.newest_reset("US") is None, "taken is not delivered"
    for sent in (newest, delivery(2)):
        state.mark_delivered(sent, T0)
    assert state.newest_reset("US") == replace(newest, delivered_at=T0)


# Accepted rows --------------------------------------------------------------------------------------------------------
def rows(
    quantity: int = 10, at: datetime = T0, generation: int = 1, products: str = "A", log_id: str = "10000"
) -> pl.DataFrame:
    return pl.DataFrame(
        [("F1", product, f"upca-{product}", quantity, at, generation, log_id, at) for product in products],
        schema={
            "facility_id": pl.String,
            "product_id": pl.String,
            "upca": pl.String,
            "quantity": pl.Int64,
            "snapshot_at": pl.Datetime("us", "UTC"),
            "generation": pl.Int64,
            "log_id": pl.String,
            "imported_at": pl.Datetime("us", "UTC"),
        },
        orient="row",
    )


def pending(state: State, day: date = DAY) -> list[tuple[str, int, datetime, int]]:
    found = state.accepted_without_variance("US", day)
    return found.select("product_id", "quantity", "snapshot_at", "generation").sort("product_id").rows()


@pytest.mark.parametrize(
    ("minutes", "generation", "wins"),
    [(60, 1, True), (0, 2, True), (0, 1, False), (-60, 9, False), (60, 0, True), (0, 0, False)],
)
def test_a_row_is_accepted_only_over_older_counts(state: State, minutes: int, generation: int, wins: bool) -> None:
    state.accept("US", DAY, rows(10, generation=1))
    later = T0 + timedelta(minutes=minutes)
    state.accept("US", DAY, rows(99, at=later, generation=generation))
    assert pending(state) == ([("A", 99, later, generation)] if wins else [("A", 10, T0, 1)])


@pytest.mark.parametrize(("minutes", "wins"), [(60, True), (0, True), (-60, False)])
def test_of_one_count_in_the_files_of_two_days_the_later_import_stands(
    state: State, minutes: int, *, wins: bool
) -> None:
    """The next day brought it along as owed; yesterday's receipt is read before or after."""
    state.accept("US", DAY, rows(generation=2))
    state.settle("US", DAY, 2, taken_at=datetime.now(UTC))
    again = rows(log_id="10007").with_columns(imported_at=pl.col("imported_at") + timedelta(minutes=minutes))
    state.accept("US", DAY + timedelta(days=1), again)
    assert pending(state, DAY + timedelta(days=1)) == ([("A", 10, T0, 1)] if wins else [])
    state.accept("US", DAY, rows(generation=2))
    assert pending(state) == []


def test_a_settled_row_owes_nothing_until_newer_counts_come(state: State) -> None:
    state.accept("US", DAY, rows())
    state.settle("US", DAY, 1, taken_at=datetime.now(UTC))
    assert pending(state) == []
    state.accept("US", DAY, rows())
    assert pending(state) == []
    state.accept("US", DAY, rows(8, generation=2))
    assert pending(state) == [("A", 8, T0, 2)]


def test_a_file_that_the_oms_imported_again_owes_its_variance_again(state: State) -> None:
    """HotWax has no memory of names: a person who uploads the reset again puts back what the variance took out."""
    state.accept("US", DAY, rows())
    state.settle("US", DAY, 1, taken_at=datetime.now(UTC))
    state.accept("US", DAY, rows(log_id="10007"))
    assert pending(state) == [("A", 10, T0, 1)]
    assert state.accepted("US", ["10000"]).is_empty()
    assert state.accepted("US", ["10007"])["log_id"].to_list() == ["10007"]


def test_a_variance_settles_only_the_rows_that_it_was_made_from(state: State) -> None:
    state.accept("US", DAY, rows(products="AB"))
    made_at = datetime.now(UTC)
    state.settle("US", DAY, 1, taken_at=made_at)
    state.owe_again("US", DAY, [("F1", "B")])
    state.settle("US", DAY, 1, taken_at=made_at)
    assert pending(state) == [("B", 10, T0, 1)]


def test_a_state_database_of_an_earlier_version_gets_the_new_columns(state: State, tmp_path: Path) -> None:
    state.accept("US", DAY, rows())
    with state.engine.begin() as connection:
        for column in ("accepted_at", "imported_at"):
            connection.exec_driver_sql(f"ALTER TABLE accepted_rows DROP COLUMN {column}")
    newer = State(state.url)
    assert pending(newer) == [("A", 10, T0, 1)]
    newer.settle("US", DAY, 1, taken_at=datetime.now(UTC))
    assert pending(newer) == []


def test_rows_of_two_generations_are_pending_together_and_settled_up_to_the_one_sent(state: State) -> None:
    state.accept("US", DAY, rows(products="AB"))
    state.accept("US", DAY, rows(5, at=T0 + timedelta(hours=1), generation=2, products="BC"))
    later = T0 + timedelta(hours=1)
    assert pending(state) == [("A", 10, T0, 1), ("B", 5, later, 2), ("C", 5, later, 2)]
    state.settle("US", DAY, 1, taken_at=datetime.now(UTC))
    assert pending(state) == [("B", 5, later, 2), ("C", 5, later, 2)]
    state.settle("US", DAY, 2, taken_at=datetime.now(UTC))
    assert pending(state) == []


def test_a_newer_days_reset_voids_what_the_older_day_still_owed(state: State) -> None:
    tomorrow = DAY + timedelta(1)
    state.accept("US", DAY, rows(products="AB"))
    state.accept("US", tomorrow, rows(7, at=T0 + timedelta(days=1)))
    assert pending(state) == [("B", 10, T0, 1)]
    assert pending(state, tomorrow) == [("A", 7, T0 + timedelta(days=1), 1)]
    state.settle("US", tomorrow, 1, taken_at=datetime.now(UTC))
    assert pending(state) == [("B", 10, T0, 1)]


def test_nothing_accepted_is_nothing_pending(state: State) -> None:
    state.accept("US", DAY, rows(products=""))
    assert pending(state) == []
    state.accept("SV", DAY, rows())
    assert pending(state) == []


def test_the_database_is_made_on_first_use_and_is_its_owners_only(state: State, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []
    state.newest_reset("US")
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "kept").iterdir()} == {0o600}
