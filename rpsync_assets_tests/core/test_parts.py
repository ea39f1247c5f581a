"""Kept rows -> the delivered CSV parts: the limit, the balance, and what the other side reads."""

import csv
import io
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsync_assets.core.parts import MOST_RECORDS, snapshot_in, split, to_csv
from rpsync_assets.core.reset import KEPT_SCHEMA

T0 = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)


def kept(*rows: tuple[str, str, int], at: datetime = T0) -> pl.DataFrame:
    return pl.DataFrame(
        [(facility, upca, "P", quantity, at, 2, "S", upca) for facility, upca, quantity in rows],
        schema=KEPT_SCHEMA,
        orient="row",
    )


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (0, []),
        (1, [1]),
        (199_999, [199_999]),
        (200_000, [200_000]),
        (200_001, [100_001, 100_000]),
        (400_000, [200_000, 200_000]),
        (400_001, [133_334, 133_334, 133_333]),
    ],
)
def test_a_reset_is_split_above_two_hundred_thousand_records_into_balanced_parts(rows: int, sizes: list[int]) -> None:
    frame = pl.DataFrame({"row": pl.int_range(rows, eager=True)})
    parts = split(frame)
    assert [part.height for part in parts] == sizes
    assert [row for part in parts for row in part["row"].to_list()] == list(range(rows))


def test_the_limit_is_that_of_the_issue() -> None:
    assert MOST_RECORDS == 200_000


@given(rows=st.integers(0, 300), most=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_no_row_is_lost_or_doubled_whatever_the_limit(rows: int, most: int) -> None:
    parts = split(pl.DataFrame({"row": pl.int_range(rows, eager=True)}), most)
    sizes = [part.height for part in parts]
    assert [row for part in parts for row in part["row"]] == list(range(rows))
    assert all(1 <= size <= most for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert (len(sizes) - 1) * most < rows <= len(sizes) * most


def test_a_part_has_hotwaxs_columns_and_the_moment_of_the_counts() -> None:
    assert to_csv(kept(("FAC_21", "012345678905", -3))).decode() == (
        "facilityId,locationSeqId,idType,idValue,availableQty,comments\n"
        "FAC_21,TLTLTLLL01,UPCA,012345678905,-3,Retail Pro snapshot 2026-03-10T05:30:00Z\n"
    )


def test_each_row_carries_its_own_moment_in_utc() -> None:
    there = datetime(2026, 3, 9, 23, 0, tzinfo=timezone(timedelta(hours=-6)))
    content = to_csv(pl.concat([kept(("F", "1111111", 1)), kept(("F", "2222222", 2), at=there)])).decode()
    assert [row["comments"] for row in csv.DictReader(io.StringIO(content))] == [
        "Retail Pro snapshot 2026-03-10T05:30:00Z",
        "Retail Pro snapshot 2026-03-10T05:00:00Z",
    ]


FACILITY = st.text(alphabet='AB1_-, "é\n', min_size=1, max_size=8)


@given(st.lists(st.tuples(FACILITY, st.integers(10**6, 10**14 - 1).map("{:014}".format), st.integers(-999, 999))))
@settings(max_examples=60, deadline=None)
def test_what_is_shipped_parses_back_to_what_was_kept(rows: list[tuple[str, str, int]]) -> None:
    """A facility id may hold a comma or a quote; nobody forbids it in the OMS."""
    content = to_csv(kept(*rows)).decode()
    found = [
        (row["facilityId"], row["idValue"], int(row["availableQty"]))
        for row in csv.DictReader(io.StringIO(content, newline=""))
    ]
    assert found == rows


def test_the_moment_in_a_comment_is_read_back_and_other_comments_say_nothing() -> None:
    comments = [
        "Retail Pro snapshot 2026-03-10T05:30:00Z",
        "counted by hand",
        "",
        "Retail Pro snapshot yesterday",
        None,
    ]
    read = pl.DataFrame({"c": comments}).select(at=snapshot_in(pl.col("c")))["at"]
    assert read.to_list() == [datetime(2026, 3, 10, 5, 30), None, None, None, None]  # noqa: DTZ001  naive UTC
    assert read.dtype == pl.Datetime("us")
