"""What a file name says, how we spell ours, and which file is the day's."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rpsync_assets.core.arrival import FEW, chain, choose, counted_at, understood
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.names import (
    DEFAULT_FILE_PATTERN,
    DeliveredName,
    FileKind,
    ResetName,
    business_date,
    content_digest,
    read_delivered_name,
    read_reset_name,
    read_undo_name,
    reset_part_name,
    undo_name,
    variance_name,
)

NEW_YORK = ZoneInfo("America/New_York")
SALVADOR = ZoneInfo("America/El_Salvador")
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")
MODIFIED = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)
DAY = date(2026, 3, 10)


def read(
    name: str,
    zone: ZoneInfo = NEW_YORK,
    pattern: str = DEFAULT_FILE_PATTERN,
    export_minutes: int = 0,
    store: str = "US",
) -> ResetName | None:
    return read_reset_name(
        name, pattern=pattern, store=store, zone=zone, modified_at=MODIFIED, export_minutes=export_minutes
    )


@given(seconds=st.integers(0, 48 * 3600), took=st.timedeltas(timedelta(), timedelta(minutes=59)))
@example(seconds=5 * 3600 + 900, took=timedelta(minutes=10))  # 01:15, before the clocks go back
@example(seconds=6 * 3600 + 900, took=timedelta(minutes=10))  # 01:15 once more
def test_the_hour_that_comes_twice_is_told_apart_by_when_the_file_was_written(seconds: int, took: timedelta):
    moment = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    name = f"reset_US_{moment.astimezone(NEW_YORK):%Y%m%dT%H%M%S}.csv"
    found = read_reset_name(
        name, pattern=DEFAULT_FILE_PATTERN, store="US", zone=NEW_YORK, modified_at=moment + took, export_minutes=0
    )
    assert found is not None
    assert found.snapshot_at == moment


def test_the_hour_that_does_not_exist_is_the_one_after_it():
    found = read("reset_US_20260308T023000.csv")
    assert found is not None
    assert found.snapshot_at == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


# Business dates -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        (datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC), NEW_YORK, date(2026, 3, 10)),  # 19:59:59 there
        (datetime(2026, 3, 11, 0, 0, 0, tzinfo=UTC), NEW_YORK, date(2026, 3, 11)),  # 20:00:00 there, still the 10th
        (datetime(2026, 3, 11, 3, 59, tzinfo=UTC), NEW_YORK, date(2026, 3, 11)),  # 23:59 there
        (datetime(2026, 3, 11, 4, 0, tzinfo=UTC), NEW_YORK, date(2026, 3, 11)),  # midnight there
        (datetime(2026, 3, 10, 5, 30, tzinfo=UTC), SALVADOR, date(2026, 3, 10)),  # 23:30 on the 9th
        (datetime(2026, 3, 10, 6, 0, tzinfo=UTC), SALVADOR, date(2026, 3, 10)),
        (datetime(2026, 3, 9, 12, 0, tzinfo=UTC), KIRITIMATI, date(2026, 3, 10)),  # 02:00 on the 10th
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), ZoneInfo("UTC"), date(2027, 1, 1)),
    ],
)
def test_a_file_belongs_to_the_morning_it_serves(moment: datetime, zone: ZoneInfo, day: date) -> None:
    """Five countries and one UTC server: yesterday's file arrives after midnight, today's before it."""
    assert business_date(moment, zone) == day


# Retail Pro's names ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "zone", "snapshot_at"),
    [
        ("reset_US_20260310T003000.csv", NEW_YORK, datetime(2026, 3, 10, 4, 30, tzinfo=UTC)),
        ("reset_US_20260110T003000.csv", NEW_YORK, datetime(2026, 1, 10, 5, 30, tzinfo=UTC)),
        ("reset_US_20260310T003000.csv", SALVADOR, datetime(2026, 3, 10, 6, 30, tzinfo=UTC)),
        # 02:30 does not exist on 2026-03-08 in New York: the clock that was not put forward showed it, 3:30 EDT.
        ("reset_US_20260308T023000.csv", NEW_YORK, datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        # 01:30 happens twice on 2026-11-01: the first one, so that no sale after the count is taken for one before it.
        ("reset_US_20261101T013000.csv", NEW_YORK, datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    ],
)
def test_the_snapshot_in_a_name_is_local_to_the_store(name: str, zone: ZoneInfo, snapshot_at: datetime) -> None:
    found = read(name, zone)
    assert found is not None
    assert found.snapshot_at == snapshot_at


@pytest.mark.parametrize(
    "name",
    [
        "reset_US_20260231T000000.csv",  # no such day
        "reset_US_20260310T250000.csv",  # no such hour
        "reset_US_20260310T003000.csv.part",
        "xreset_US_20260310T003000.csv",
        "reset_US_20260310.csv",
        "reset_us_20260310T003000.csv",
        "reset_USA_20260310T003000.csv",
        "reset_SV_20260310T003000.csv",
        "",
    ],
)
def test_a_name_that_is_not_this_stores_or_no_moment_is_none_of_ours(name: str) -> None:
    assert read(name) is None


def test_a_store_id_is_text_and_no_pattern() -> None:
    assert read("reset_USxA_20260310T003000.csv", store="US.A") is None
    assert read("reset_US.A_20260310T003000.csv", store="US.A") is not None


def test_a_name_without_a_moment_is_dated_by_the_server_less_the_time_the_export_takes() -> None:
    found = read("inventory.csv", pattern=r"inventory\.csv", export_minutes=45)
    assert found == ResetName(datetime(2026, 3, 10, 6, 15, tzinfo=UTC), date(2026, 3, 10))


# Our names ------------------------------------------------------------------------------------------------------------
def test_our_names_are_spelled_as_the_contract_says() -> None:
    assert reset_part_name("SV", DAY, 3, 1, 2) == "reset_SV_20260310_g3_1of2.csv"
    assert variance_name("SV", DAY, 3) == "variance_SV_20260310_g3.csv"


STORE_ID = st.text(alphabet="ABCxyz019_-.", min_size=1, max_size=8)


@given(STORE_ID, st.dates(date(1900, 1, 1)), st.integers(0, 10**6), st.integers(1, 99), st.integers(1, 99))
@settings(max_examples=60, deadline=None)
def test_what_we_write_into_a_name_can_be_read_out_of_it(
    store: str, day: date, generation: int, part: int, parts: int
) -> None:
    reset = DeliveredName("reset", store, day, generation)
    variance = DeliveredName("variance", store, day, generation)
    assert read_delivered_name(reset_part_name(store, day, generation, part, parts)) == reset
    assert read_delivered_name(variance_name(store, day, generation)) == variance


@pytest.mark.parametrize(
    "name",
    [
        "reset_SV_20260310T003000.csv",
        "reset_SV_20260310_g1.csv.part",
        "reset_SV_20261399_g1_1of1.csv",  # looks like a date and is none
        "manual_SV_20260310_g1.csv",
        "reset__20260310.csv",
        "notes.txt",
    ],
)
def test_a_name_that_we_did_not_write_is_none_of_ours(name: str) -> None:
    assert read_delivered_name(name) is None


def test_the_same_bytes_are_the_same_generation_however_they_are_cut() -> None:
    assert content_digest([b"ab", b"c"]) == content_digest([b"abc"])
    assert content_digest([b"abc"]) != content_digest([b"abd"])
    # The well-known SHA-256 of "abc".
    assert content_digest([b"abc"]) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# The day's file -------------------------------------------------------------------------------------------------------
def chosen(*files: tuple[str, int]) -> tuple[str, list[str]]:
    """The day's file and its others; a file is its name and the minute of the morning it was written at."""
    candidates = understood(
        [(name, datetime(2026, 3, 10, 6, minute, tzinfo=UTC)) for name, minute in files],
        store="US",
        pattern=DEFAULT_FILE_PATTERN,
        zone=NEW_YORK,
        export_minutes=0,
    )
    choice = choose(candidates, store="US", day=DAY, folder="retailpro/incoming", listed=len(files))
    return choice.chosen.name, [other.name for other in choice.others]


def test_the_newest_snapshot_of_the_day_wins_whatever_came_last() -> None:
    """Two files for one day in either order: the counts are newer, not the upload."""
    assert chosen(("reset_US_20260310T013000.csv", 1), ("reset_US_20260310T003000.csv", 59)) == (
        "reset_US_20260310T013000.csv",
        ["reset_US_20260310T003000.csv"],
    )


def test_yesterdays_evening_serves_today_and_this_evening_does_not() -> None:
    assert chosen(
        ("reset_US_20260309T200000.csv", 1), ("reset_US_20260309T195959.csv", 2), ("reset_US_20260310T200000.csv", 3)
    ) == ("reset_US_20260309T200000.csv", [])


def test_other_stores_files_and_strange_names_are_left_alone() -> None:
    assert chosen(
        ("reset_SV_20260310T023000.csv", 1), ("reset_US_20260310T003000.csv", 2), ("reset_US_20260231T000000.csv", 3)
    ) == ("reset_US_20260310T003000.csv", [])


def test_without_a_file_for_the_day_the_newest_one_is_named() -> None:
    with pytest.raises(NotYetError) as missing:
        chosen(("reset_US_20260308T013000.csv", 5), ("reset_US_20260309T013000.csv", 1))
    assert "No reset file of US for 2026-03-10 in retailpro/incoming/" in str(missing.value)
    assert "the newest of US is reset_US_20260309T013000.csv, which serves 2026-03-09" in str(missing.value)


def test_without_any_file_of_the_store_the_number_of_others_is_named() -> None:
    with pytest.raises(NotYetError, match="none of the 2 files there is named as a reset file of US"):
        chosen(("reset_SV_20260310T013000.csv", 5), ("notes.txt", 1))


def test_of_equal_snapshots_the_one_written_last_is_taken() -> None:
    """A store whose names carry no moment writes the same name; the server's time decides, then the name."""
    candidates = understood(
        [("inventory_a.csv", MODIFIED), ("inventory_b.csv", MODIFIED)],
        store="US",
        pattern=r"inventory_\w\.csv",
        zone=NEW_YORK,
        export_minutes=0,
    )
    choice = choose(candidates, store="US", day=DAY, folder="x", listed=2)
    assert choice.chosen.name == "inventory_b.csv"


# The chain of deltas --------------------------------------------------------------------------------------------------
BOTH_KINDS = r"(?P<kind>full|delta)_{store}_(?P<snapshot>\d{8}T\d{6})\.csv"


def chained(*names: str, usual: FileKind = "delta") -> list[str]:
    """The chain of the newest file."""
    candidates = understood(
        [(name, MODIFIED) for name in names], store="US", pattern=BOTH_KINDS, zone=NEW_YORK, export_minutes=0
    )
    return [older.name for older in chain(candidates, candidates[-1], usual)]


def test_a_chain_of_deltas_begins_at_the_newest_full_file() -> None:
    assert chained(
        "delta_US_20260306T010000.csv",
        "full_US_20260307T010000.csv",
        "delta_US_20260308T010000.csv",
        "full_US_20260308T020000.csv",
        "delta_US_20260309T010000.csv",
        "delta_US_20260310T010000.csv",
    ) == ["full_US_20260308T020000.csv", "delta_US_20260309T010000.csv"]


def test_after_a_full_file_there_is_no_chain() -> None:
    assert chained("delta_US_20260309T010000.csv", "full_US_20260310T010000.csv") == []


def test_a_chain_reaches_back_two_weeks() -> None:
    names = [f"delta_US_202602{day:02d}T010000.csv" for day in range(20, 29)]
    assert chained(*names, "delta_US_20260310T010000.csv") == names[4:]


# Undo files -----------------------------------------------------------------------------------------------------------
def test_an_undo_file_is_known_by_its_name() -> None:
    assert read_undo_name(undo_name("US", DAY)) == DeliveredName("undo", "US", DAY, 0)
    assert read_undo_name(undo_name("US", DAY, 2)) == DeliveredName("undo", "US", DAY, 0)
    assert read_undo_name("undo_US_20260310-Error.csv") == DeliveredName("undo", "US", DAY, 0)


@pytest.mark.parametrize("name", ["undo_US_20261399.csv", "variance_US_20260310_g1.csv", "undo_20260310.csv"])
def test_other_names_are_no_undo_files(name: str) -> None:
    assert read_undo_name(name) is None


# When a file was counted ----------------------------------------------------------------------------------------------
ONE, TWO, THREE = (datetime(2026, 3, 10, hour, tzinfo=UTC) for hour in (5, 6, 7))


@pytest.mark.parametrize(
    ("rows", "earlier", "counted"),
    [
        (100, [], THREE),
        (100, [(ONE, False), (TWO, False)], THREE),
        (100, [(ONE, True), (TWO, False)], ONE),  # the same export again, whatever came in between
        (100, [(ONE, True), (TWO, True)], ONE),
        (3, [(ONE, True)], ONE),
        (3, [(ONE, True), (TWO, True)], TWO),
        (FEW - 1, [(ONE, True), (TWO, False)], THREE),  # a count may well have gone back to what it was
        (FEW, [(ONE, True), (TWO, False)], ONE),
    ],
)
def test_content_that_was_sent_before_is_as_old_as_it_was_then(
    rows: int, earlier: list[tuple[datetime, bool]], counted: datetime
) -> None:
    assert counted_at(THREE, rows, earlier) == counted
