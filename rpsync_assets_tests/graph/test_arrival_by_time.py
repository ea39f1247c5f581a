"""Exports whose name never changes: the file's time says when it was counted, and each day's is a file of its own."""

import os
from datetime import UTC, date, datetime, timedelta

import pytest

from rpsync_assets_tests.graph.test_owed_keys import agrees, owed
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Rows, TinyWorld

YESTERDAY = DAY - timedelta(days=1)
SEVEN = datetime(2026, 3, 10, 11, tzinfo=UTC)
"""07:00 in New York."""


@pytest.fixture
def timed(example: TinyWorld) -> TinyWorld:
    example.store["file_pattern"] = r"inventory_{store}\.csv"
    return example


def written(world: TinyWorld, rows: Rows, at: datetime) -> None:
    """Retail Pro writes its one file anew."""
    path = world.file(rows).rename(world.incoming / "inventory_US.csv")
    os.utime(path, (at.timestamp(), at.timestamp()))


def landed(world: TinyWorld, day: date = DAY) -> list[tuple]:
    return world.table("landed_files", day).select("snapshot_at", "rows").rows()


def test_a_held_days_keys_are_owed_although_its_name_was_written_over(timed: TinyWorld):
    written(timed, [("101", UPCA["A"], 10)], SEVEN - timedelta(days=1))
    assert timed.run("raw_reset_file", "active_products", "filtered_reset", day=YESTERDAY).failures == {}
    written(timed, [("102", UPCA["C"], 5)], SEVEN)
    agrees(timed.run())
    assert owed(timed, DAY) == [("NY", UPCA["A"], 10, "inventory_US.csv", "day_not_delivered")]
    again = timed.run("raw_reset_file", day=YESTERDAY)
    assert again.metadata["raw_reset_file"]["arrival"] == "lay here already: not fetched again"
    assert timed.table("raw_reset_file", YESTERDAY)["snapshot_at"].item() == SEVEN - timedelta(days=1)


def test_two_deltas_of_a_day_under_one_name_are_both_applied(timed: TinyWorld):
    written(timed, [("101", UPCA["A"], 10)], SEVEN - timedelta(hours=1))
    assert timed.run("raw_reset_file", "active_products", "filtered_reset").failures == {}
    written(timed, [("102", UPCA["C"], 5)], SEVEN)
    agrees(timed.run())
    assert landed(timed) == [(SEVEN - timedelta(hours=1), 1), (SEVEN, 1)]
    assert owed(timed, DAY) == [("NY", UPCA["A"], 10, "inventory_US.csv", "day_not_delivered")]
    before = (timed.sent, timed.oms.ledger())
    agrees(timed.run())
    assert (timed.sent, timed.oms.ledger()) == before


def test_the_same_bytes_written_later_are_no_younger_counts(timed: TinyWorld, counts: Rows):
    """A sale of 07:20 is in neither: taken for counts of 07:45, the file would bring the pair back."""
    written(timed, counts, SEVEN)
    agrees(timed.run())
    timed.oms.sell_in_store("NY", "A", 1, "2026-03-10 07:20")
    written(timed, counts, SEVEN + timedelta(minutes=45))
    ran = timed.run()
    agrees(ran)
    assert ran.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"
    assert timed.oms.on_hand()["A"] == (7, 10)


def test_an_export_that_stands_still_is_held(timed: TinyWorld):
    rows = [*[("101", UPCA["Z"], 10)] * 25, ("102", UPCA["C"], 5)]
    written(timed, rows, SEVEN - timedelta(days=1))
    agrees(timed.run(day=YESTERDAY))
    written(timed, rows, SEVEN)
    ran = timed.run()
    assert "inventory_US.csv has the content of inventory_US.csv, which served 2026-03-09" in ran.failure
