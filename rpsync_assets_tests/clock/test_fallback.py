"""A day without a file: Shopify keeps the basis of the last full reset, and the deltas go on."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rpsync_assets_tests.clock.simulated import Simulated, simulated
from rpsync_assets_tests.graph.online import Online
from rpsync_assets_tests.graph.tiny_oms import NEW_YORK, UPCA

COUNTS = [(code, UPCA[product], 10) for product in ("A", "B") for code in ("101", "102")]
QUARTER = timedelta(minutes=15)
TODAY = datetime.now(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
"""The shop keeps its own time, which no test moves; so the days are those around now."""


def at(clock: str, day: int = 0) -> datetime:
    hour, minute = map(int, clock.split(":"))
    date = (TODAY + timedelta(days=day)).date()
    return datetime(date.year, date.month, date.day, hour, minute, tzinfo=NEW_YORK)


@pytest.fixture
def night(online: Online, tmp_path: Path) -> Iterator[Simulated]:
    """Yesterday was done and published; today no file comes."""
    world = online.world
    with simulated(world.settings(), at("00:15", -1), tmp_path / "home") as dagster:
        world.file(COUNTS, f"{at('00:10', -1):%Y%m%dT%H%M%S}")
        dagster.switch_on("day_US", "active_products_US", "reset_day_US", "shopify_delta_US")
        dagster.look()
        dagster.watch(at("01:30", -1), QUARTER)
        assert online.shown() == (20, 20, 0)
        dagster.go_to(at("00:05"))
        dagster.look()
        yield dagster


def test_a_missing_file_leaves_yesterdays_basis_and_sales_still_reach_the_shop(
    night: Simulated, online: Online
) -> None:
    night.watch(at("02:00"), QUARTER)
    online.world.oms.sell_in_store("NY", "A", 3, night.now)
    night.watch(at("05:30"), QUARTER)
    assert [run[1] for run in night.runs() if run[1] != "shopify_deltas"][-2:] == [
        "active_products_list",
        "day_is_late",
    ]
    said = night.failure("day_is_late", f"{TODAY:%Y-%m-%d}|US")
    assert "Until it is done Shopify keeps the basis of the last full reset, and the deltas go on" in said
    assert online.shown() == (17, 20, 0)
    # A sale of after the deadline, too; nothing else was touched, and nothing was published by the day itself.
    online.world.oms.sell_in_store("NASH", "B", 1, night.now)
    night.watch(at("06:00"), QUARTER)
    assert online.shown() == (17, 19, 0)
    assert {run[3] for run in night.runs() if run[1] == "shopify_deltas"} == {"SUCCESS"}
    assert not [run for run in night.runs() if run[1] == "reset_day" and run[2].startswith(f"{TODAY:%Y-%m-%d}")]
