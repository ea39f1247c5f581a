"""Data opens each gate: the file must be whole and the list compiled, whatever the clock says."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rpsync_assets.partitions import Slot
from rpsync_assets_tests.clock.simulated import Simulated, simulated
from rpsync_assets_tests.graph.tiny_world import Rows, TinyWorld

NEW_YORK = ZoneInfo("America/New_York")
DAY = Slot(date(2026, 3, 10), "US")
MINUTE = timedelta(minutes=1)


def ny(clock: str, day: int = 10) -> datetime:
    return datetime.fromisoformat(f"2026-03-{day:02d}T{clock}").replace(tzinfo=NEW_YORK)


@pytest.fixture
def night(example: TinyWorld, tmp_path: Path) -> Iterator[Simulated]:
    """The sensor and the schedules of a store are on, half an hour after midnight."""
    with simulated(example.settings(), ny("00:30"), tmp_path / "home") as dagster:
        dagster.switch_on("day_US", "active_products_US", "reset_day_US")
        dagster.look()
        yield dagster


def test_the_day_starts_when_the_file_is_whole_and_the_list_is_there(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    example.file(counts, "20260309T234500")
    night.watch(ny("00:33"), MINUTE)
    night.watch(ny("01:00"), 27 * MINUTE)
    night.watch(ny("01:01"), MINUTE)
    assert night.runs(zone=NEW_YORK) == [
        ("03-10 00:32", "raw_file_landing", "2026-03-10|US", "SUCCESS"),
        ("03-10 01:00", "active_products_list", "2026-03-10|US", "SUCCESS"),
        ("03-10 01:00", "reset_day", "2026-03-10|US", "SUCCESS"),
    ]


def test_a_file_that_grows_is_not_fetched_and_the_sensor_says_so(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    path = example.file(counts[:2], "20260310T003000")
    night.watch(ny("00:31"), MINUTE)
    for minute in (32, 33):
        with path.open("ab") as handle:
            handle.write(b"101,075678164125,ALU,Shoe,1\n")
        night.watch(ny(f"00:{minute}"), MINUTE)
        assert "was seen first now" in night.says("day_US")
    assert night.runs() == []
    night.watch(ny("00:34"), MINUTE)
    assert [job for _, job, _, _ in night.runs()] == ["raw_file_landing"]


def test_without_the_list_the_day_waits_and_says_for_what(night: Simulated, example: TinyWorld, counts: Rows) -> None:
    example.file(counts, "20260309T234500")
    night.watch(ny("00:45"), 5 * MINUTE)
    assert [job for _, job, _, _ in night.runs()] == ["raw_file_landing"]
    assert "the list of active products of 2026-03-10 is not compiled" in night.says("day_US")
    assert example.sent == []


def test_at_0130_a_day_that_has_not_begun_is_a_warning_on_its_date_and_store(night: Simulated) -> None:
    night.watch(ny("01:31"), 30 * MINUTE)
    verdict, says = night.check("shopify_full_reset", "day_on_time", DAY) or ("", "")
    assert verdict == "WARN"
    assert "Retail Pro's file does not lie here" in says
    assert "2026-03-10|US has not begun" in night.says("reset_day_US")
    assert [job for _, job, _, _ in night.runs()] == ["active_products_list"]


def test_without_the_sensor_the_schedule_begins_the_day_ready_or_not(
    example: TinyWorld, counts: Rows, tmp_path: Path
) -> None:
    with simulated(example.settings(), ny("01:29"), tmp_path / "home") as dagster:
        dagster.switch_on("reset_day_US")
        dagster.look()
        dagster.watch(ny("01:31"), MINUTE)
        assert dagster.runs(zone=NEW_YORK) == [("03-10 01:30", "reset_day", "2026-03-10|US", "FAILURE")]
        assert "No reset file of US for 2026-03-10" in dagster.failure("reset_day", "2026-03-10|US")
        example.file(counts, "20260310T013500")
        dagster.go_to(ny("01:29", 11))
        example.file(counts, "20260311T010000")
        dagster.watch(ny("01:31", 11), MINUTE)
        assert dagster.runs(zone=NEW_YORK)[-1] == ("03-11 01:30", "reset_day", "2026-03-11|US", "SUCCESS")


def test_a_file_that_never_comes_is_late_once_and_red_before_the_shop_opens(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    night.watch(ny("08:00"), 100 * MINUTE)
    late = [run for run in night.runs(zone=NEW_YORK) if run[1] == "day_is_late"]
    assert late == [("03-10 05:30", "day_is_late", "2026-03-10|US", "FAILURE")]
    said = night.failure("day_is_late", "2026-03-10|US")
    assert said.startswith("2026-03-10 of US is not done at 05:00 (America/New_York). It waits: No reset file of US")
    assert "Ask Retail Pro for it" in said
    assert "Shopify keeps the basis of the last full reset, and the deltas go on" in said
    for asset, check in (("raw_reset_file", "file_on_time"), ("shopify_full_reset", "day_on_time")):
        assert (night.check(asset, check, DAY) or ("",))[0] == "ERROR"
    # It comes after all: the day is done, and says how late it was.
    example.file(counts, "20260310T075000")
    night.watch(ny("08:30"), 10 * MINUTE)
    assert night.runs()[-1][1:] == ("reset_day", "2026-03-10|US", "SUCCESS")
    verdict, says = night.check("shopify_full_reset", "day_on_time", DAY) or ("", "")
    assert (verdict, says) == ("passed", "done 210 minutes after the deadline")
    assert len([run for run in night.runs() if run[1] == "day_is_late"]) == 1


def test_a_file_that_is_sent_again_starts_the_day_again_only_with_other_content(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    first = example.file(counts, "20260309T234500")
    night.watch(ny("01:20"), 10 * MINUTE)
    before = night.runs()
    # The same bytes under a newer name: landed, and known.
    first.rename(example.incoming / "reset_US_20260310T003000.csv")
    night.watch(ny("01:35"), 5 * MINUTE)
    assert [run[1] for run in night.runs()[len(before) :]] == ["raw_file_landing"]
    assert night.says("day_US") == "2026-03-10 is done"
    # A repaired file.
    example.file([*counts[:-1], ("102", counts[4][1], 7)], "20260310T011500")
    night.watch(ny("01:50"), 5 * MINUTE)
    assert [run[1] for run in night.runs()[len(before) + 1 :]] == ["raw_file_landing", "reset_day"]
    assert [name for name in example.sent if name.startswith("archive/reset")] == [
        "archive/reset_US_20260310_g1_1of1.csv",
        "archive/reset_US_20260310_g2_1of1.csv",
    ]


def test_a_day_that_somebody_ran_by_hand_is_not_run_again(night: Simulated, example: TinyWorld, counts: Rows) -> None:
    example.file(counts, "20260309T234500")
    ran = example.run(instance=night.instance)
    assert ran.failures == {}
    night.watch(ny("01:40"), 10 * MINUTE)
    assert [run[1] for run in night.runs()] == ["reset_day", "active_products_list"]
    assert night.says("day_US") == "2026-03-10 is done"
    assert night.says("reset_day_US") == "2026-03-10|US has begun before"


def test_a_daemon_that_was_down_for_six_hours_makes_up_the_day_once(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    night.go_to(ny("00:40"))
    example.file(counts, "20260310T003000")
    night.go_to(ny("06:40"))
    night.watch(ny("07:00"), 5 * MINUTE)
    assert [(run[1], run[3]) for run in night.runs()] == [
        ("active_products_list", "SUCCESS"),
        ("day_is_late", "FAILURE"),
        ("raw_file_landing", "SUCCESS"),
        ("reset_day", "SUCCESS"),
    ]
    assert example.sent.count("archive/reset_US_20260310_g1_1of1.csv") == 1


def test_days_that_nobody_was_there_for_are_landed_and_not_delivered(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    """Their rows are owed: what is delivered is today's file."""
    example.file(counts, "20260310T003000")
    example.file(counts, "20260311T003000")
    example.file(counts, "20260312T003000")
    night.go_to(ny("01:20", 12))
    night.watch(ny("01:40", 12), 5 * MINUTE)
    landed = [run[2] for run in night.runs() if run[1] == "raw_file_landing"]
    assert landed == ["2026-03-10|US", "2026-03-11|US", "2026-03-12|US"]
    assert [run[2] for run in night.runs() if run[1] == "reset_day"] == ["2026-03-12|US"]
    assert sorted(run[2] for run in night.runs() if run[1] == "day_is_late") == ["2026-03-10|US", "2026-03-11|US"]
    assert [name for name in example.sent if "reset" in name] == ["archive/reset_US_20260312_g1_1of1.csv"]


def test_two_daemons_that_know_nothing_of_each_other_deliver_once(
    example: TinyWorld, counts: Rows, tmp_path: Path
) -> None:
    """Two Dagsters on one data folder, each with every sensor on: twice the runs, one delivery."""
    example.file(counts, "20260309T234500")
    with (
        simulated(example.settings(), ny("00:50"), tmp_path / "one") as one,
        simulated(example.settings(), ny("00:50"), tmp_path / "two") as two,
    ):
        for dagster in (one, two):
            dagster.switch_on("day_US", "active_products_US")
            dagster.look()
        for minute in ("00:55", "01:05"):
            two.go_to(ny(minute))
            one.look()
            two.look()
        for dagster in (one, two):
            assert [(run[1], run[3]) for run in dagster.runs()] == [
                ("raw_file_landing", "SUCCESS"),
                ("active_products_list", "SUCCESS"),
                ("reset_day", "SUCCESS"),
            ]
    assert example.sent == ["archive/reset_US_20260310_g1_1of1.csv", "archive/variance_US_20260310_g1.csv"]
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
