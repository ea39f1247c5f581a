"""HotWax imports on its own clock: each part of the day starts when the import before it is finished, and not before.

While it is waited for no run is at work.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from rpsync_assets.partitions import Slot
from rpsync_assets_tests.clock.simulated import Simulated, simulated
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.hotwax.conftest import day
from rpsync_assets_tests.hotwax.day import HotWaxDay

__all__ = ["day"]

NEW_YORK = ZoneInfo("America/New_York")
DAY = Slot(date(2026, 3, 10), "US")
QUARTER = timedelta(minutes=15)
COUNTS = [
    (code, UPCA[product], units) for product, units in (("A", 10), ("B", 10), ("C", 5)) for code in ("101", "102")
]
FIRST = ["raw_file_landing", "active_products_list", "reset_delivery"]


def ny(clock: str, on: int = 10) -> datetime:
    return datetime.fromisoformat(f"2026-03-{on:02d}T{clock}").replace(tzinfo=NEW_YORK)


def jobs(night: Simulated) -> list[str]:
    assert {run[3] for run in night.runs()} <= {"SUCCESS", "FAILURE"}
    return [run[1] for run in night.runs()]


@pytest.fixture
def night(day: HotWaxDay, tmp_path: Path) -> Iterator[Simulated]:
    """Retail Pro counts at 00:10; the reset lies in HotWax's folder at 01:15."""
    day.store["import_patience_minutes"] = 120
    with simulated(day.settings(), ny("00:15"), tmp_path / "home") as dagster:
        day.file(COUNTS, "20260310T001000")
        dagster.switch_on("day_US", "active_products_US")
        dagster.look()
        dagster.watch(ny("01:15"), QUARTER)
        assert jobs(dagster) == FIRST
        yield dagster


def test_each_part_waits_for_hotwax_and_then_goes_on(night: Simulated, day: HotWaxDay) -> None:
    night.watch(ny("02:00"), QUARTER)
    assert "The OMS has not imported reset_US_20260310_g1_1of1.csv yet" in night.says("day_US")
    assert jobs(night) == FIRST
    day.hotwax_imports(night.now)
    night.watch(ny("02:30"), QUARTER)
    assert jobs(night) == [*FIRST, "variance_delivery"]
    assert "The OMS has not imported variance_US_20260310_g1.csv yet" in night.says("day_US")
    day.hotwax_imports(night.now)
    night.watch(ny("03:00"), QUARTER)
    assert jobs(night) == [*FIRST, "variance_delivery", "shopify_reset"]
    assert night.says("day_US") == "2026-03-10 is done"
    assert (night.check("variance_import", "oms_matches_retail_pro", DAY) or ("",))[0] == "passed"
    assert day.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}


def test_an_import_that_takes_too_long_is_told_once_and_then_goes_on(night: Simulated, day: HotWaxDay) -> None:
    day.hotwax.pick_up(night.now)
    night.watch(ny("03:50"), timedelta(minutes=50))
    assert jobs(night) == [*FIRST, "day_is_late"]
    said = night.failure("day_is_late", "2026-03-10|US")
    assert "waits for the OMS's import longer than 120 minutes" in said
    assert "SERVICE_PENDING" in said
    assert "Wait for the OMS's import job" in said
    night.watch(ny("06:00"), timedelta(minutes=65))
    assert jobs(night) == [*FIRST, "day_is_late", "day_is_late"]
    assert "is not done at 05:00" in night.failure("day_is_late", "2026-03-10|US")
    assert (night.check("shopify_full_reset", "day_on_time", DAY) or ("",))[0] == "ERROR"
    assert night.check("raw_reset_file", "file_on_time", DAY) == ("passed", "done on time")
    day.hotwax.run_queue(night.now)
    night.watch(ny("06:15"), QUARTER)
    assert jobs(night)[5:] == ["variance_delivery"]


def test_an_import_after_midnight_still_gets_its_variance_and_shopify_is_left_alone(
    night: Simulated, day: HotWaxDay
) -> None:
    night.go_to(ny("00:20", 11))
    day.hotwax_imports(night.now)
    night.watch(ny("00:40", 11), QUARTER)
    assert jobs(night)[3:] == ["variance_delivery", "day_is_late"]
    assert "It waits: it starts only now" in night.failure("day_is_late", "2026-03-10|US")
    day.hotwax_imports(night.now)
    night.watch(ny("01:00", 11), QUARTER)
    assert jobs(night)[5:] == ["shopify_reset", "active_products_list"]
    assert day.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    assert night.instance.get_latest_materialization_event(dg.AssetKey("shopify_full_reset")) is None


def test_a_reset_that_a_person_imports_again_gets_its_variance_again(night: Simulated, day: HotWaxDay) -> None:
    for until in ("01:45", "02:15"):
        day.hotwax_imports(night.now)
        night.watch(ny(until), QUARTER)
    done = jobs(night)
    assert done == [*FIRST, "variance_delivery", "shopify_reset"]
    day.hotwax.re_import("reset_US_20260310_g1_1of1.csv", night.now)
    assert day.oms.on_hand()["A"] == (10, 10)
    night.watch(ny("02:45"), QUARTER)
    day.hotwax_imports(night.now)
    night.watch(ny("03:15"), QUARTER)
    assert jobs(night)[len(done) :] == ["variance_delivery", "shopify_reset"]
    assert day.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}


def test_a_file_that_hotwax_refuses_is_a_red_run_and_is_not_tried_again(night: Simulated, day: HotWaxDay) -> None:
    day.hotwax.pick_up(night.now)
    day.hotwax.crash("reset_US_20260310_g1_1of1.csv", night.now)
    night.watch(ny("02:45"), QUARTER)
    assert jobs(night) == [*FIRST, "variance_delivery"]
    assert "SERVICE_CRASHED" in night.failure("variance_delivery", "2026-03-10|US")
    assert "A rerun does not help" in night.says("day_US")


def test_a_bad_second_file_does_not_keep_a_delivered_reset_from_its_variance(night: Simulated, day: HotWaxDay) -> None:
    """Without it the OMS would have too much all day."""
    day.raw_file(b"store_code,upc,alu,description,qty\n101,0756", "20260310T011500")
    night.watch(ny("02:00"), QUARTER)
    assert night.runs()[-1][1::2] == ("raw_file_landing", "FAILURE")
    assert "does not end with a line end" in night.says("day_US")
    assert "Besides, The OMS has not imported reset_US_20260310_g1_1of1.csv yet" in night.says("day_US")
    for until in ("02:30", "03:00"):
        day.hotwax_imports(night.now)
        night.watch(ny(until), QUARTER)
    assert jobs(night) == [*FIRST, "raw_file_landing", "variance_delivery", "shopify_reset"]
    assert day.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}


def test_each_import_that_takes_too_long_is_told_also_after_the_deadline(night: Simulated, day: HotWaxDay) -> None:
    day.hotwax.pick_up(night.now)
    night.watch(ny("03:50"), timedelta(minutes=50))
    day.hotwax.run_queue(night.now)
    night.watch(ny("08:30"), timedelta(minutes=40))
    assert jobs(night) == [*FIRST, "day_is_late", "variance_delivery", "day_is_late", "day_is_late"]
    said = night.failure("day_is_late", "2026-03-10|US")
    assert "waits for the OMS's import longer than 120 minutes" in said
    assert "variance_US_20260310_g1.csv" in said
    # What is told once is not asked for again, and the page goes on saying what is waited for.
    assert "The OMS has not imported variance_US_20260310_g1.csv yet" in night.says("day_US")


def test_the_sensor_asks_a_replica_in_a_hurry(day: HotWaxDay) -> None:
    """One that hangs for minutes must not take a tick, which Dagster gives up after one."""
    oms = day.defs().resources["oms"]  # type: ignore[index]
    assert (oms.patience_seconds, oms.hurried.patience_seconds) == (600, 10)
    assert oms.hurried is oms.hurried
    assert oms.hurried.engine is not oms.engine
    oms.hurried.engine.dispose()
