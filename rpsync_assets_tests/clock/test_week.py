"""A week of five stores in three zones, hour by hour as Dagster's own daemons see it, with all that a week brings.

Thursday    US sends late, at 03:40
Friday      UK sends nothing
Saturday    CA sends a repaired file at 06:00
Sunday      London's clocks go forward: 01:00 and 01:30 are the same moment
Monday      the daemon is down from 04:00 to 10:00 UTC, midnight to six in New York

``make proof`` plays the whole week; ``make test`` its end, from Saturday on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import pytest

from rpsync_assets.clock.progress import Progress
from rpsync_assets.partitions import Slot
from rpsync_assets.sandbox.sftp_server import SftpEndpoint
from rpsync_assets_tests.clock.five_stores import ZONES, FiveStores
from rpsync_assets_tests.clock.simulated import Simulated, simulated

WEDNESDAY = date(2026, 3, 25)
DAYS = [WEDNESDAY + timedelta(days=number) for number in range(7)]
THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY = DAYS[1:]
DOWN = (datetime(2026, 3, 30, 4, tzinfo=UTC), datetime(2026, 3, 30, 10, tzinfo=UTC))

Runs = list[tuple[str, str, str]]
LANDED, LIST, DAY, LATE = "raw_file_landing", "active_products_list", "reset_day", "day_is_late"
ORDINARY: Runs = [("00:30", LANDED, "SUCCESS"), ("01:00", LIST, "SUCCESS"), ("01:00", DAY, "SUCCESS")]
SLEPT: Runs = [
    ("06:00", LIST, "SUCCESS"),
    ("06:00", LATE, "FAILURE"),
    ("06:05", LANDED, "SUCCESS"),
    ("06:10", DAY, "SUCCESS"),
]
EXPECTED: dict[tuple[str, date], Runs] = {
    ("US", THURSDAY): [("01:00", LIST, "SUCCESS"), ("03:50", LANDED, "SUCCESS"), ("03:55", DAY, "SUCCESS")],
    ("UK", FRIDAY): [("01:00", LIST, "SUCCESS"), ("05:00", LATE, "FAILURE")],
    ("CA", SATURDAY): [*ORDINARY, ("06:10", LANDED, "SUCCESS"), ("06:15", DAY, "SUCCESS")],
    **{(store, SUNDAY): [ORDINARY[0], ("02:00", LIST, "SUCCESS"), ("02:00", DAY, "SUCCESS")] for store in ("UK", "IE")},
    **{(store, MONDAY): SLEPT for store in ("US", "CA")},
}


def local(store: str, day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), ZONES[store]).astimezone(UTC)


def arrivals(days: list[date]) -> dict[datetime, list[tuple[str, datetime, int]]]:
    """When which store's file comes, when it was counted, and how many of A it says there are."""
    found: dict[datetime, list[tuple[str, datetime, int]]] = {}
    for number, day in enumerate(DAYS):
        if day not in days:
            continue
        for store in ZONES:
            if (store, day) == ("UK", FRIDAY):
                continue
            late = (store, day) == ("US", THURSDAY)
            came, counted = (local(store, day, at) for at in (("03:40", "03:30") if late else ("00:20", "00:10")))
            found.setdefault(came, []).append((store, counted, 20 + number))
    # Both the end of the week and the whole of it have a Saturday.
    found.setdefault(local("CA", SATURDAY, "06:00"), []).append(("CA", local("CA", SATURDAY, "05:50"), 99))
    return found


def looks(days: list[date]) -> set[datetime]:
    """When the daemon looks: often where something is due, else never; it has no other way to know the time."""
    usual = {local(s, d, at) for s in ("US", "UK", "AU") for d in days for at in ("00:25", "00:30", "01:00", "05:00")}
    late = {local("US", THURSDAY, at) for at in ("03:45", "03:50", "03:55")}
    again = {local("CA", SATURDAY, at) for at in ("06:05", "06:10", "06:15")}
    back = {local("US", MONDAY, at) for at in ("06:00", "06:05", "06:10")}
    first, last = local("AU", days[0], "00:00"), local("US", days[-1], "23:59")
    return {at for at in usual | late | again | back if first <= at <= last and not DOWN[0] <= at < DOWN[1]}


@dataclass
class Played:
    """A week, or its end, as it was played."""

    dagster: Simulated
    world: FiveStores
    days: list[date]


@pytest.fixture(
    scope="module",
    params=[DAYS[3:6], pytest.param(DAYS, marks=[pytest.mark.proof, pytest.mark.timeout(3600)])],
    ids=["Saturday to Monday", "the whole week"],
)
def week(
    request: pytest.FixtureRequest,
    sftp_server: tuple[Path, SftpEndpoint],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Played]:
    """Played once; the tests look at what came of it."""
    root, endpoint = sftp_server
    folder, days = tmp_path_factory.mktemp("week"), request.param
    with dg.DagsterInstance.ephemeral() as unused:
        world = FiveStores(folder, root, folder.name, endpoint, unused)
        with simulated(world.settings(), local("AU", days[0], "00:05"), folder / "home") as dagster:
            names = ("day", "active_products", "reset_day")
            dagster.switch_on(*(f"{name}_{store}" for store in ZONES for name in names))
            dagster.look()
            came, looked_at = arrivals(days), looks(days)
            for moment in sorted(set(came) | looked_at):
                dagster.go_to(moment)
                for store, counted, units in came.get(moment, ()):
                    world.counts(store, counted, units)
                if moment in looked_at:
                    dagster.look()
            yield Played(dagster, world, days)
        world.close()


@pytest.mark.parametrize("store", list(ZONES))
def test_each_run_started_when_its_data_was_there_and_once(week: Played, store: str) -> None:
    zone = ZONES[store]
    expected = [
        (f"{day:%m-%d} {clock}", job, f"{day}|{store}", status)
        for day in week.days
        for clock, job, status in EXPECTED.get((store, day), ORDINARY)
    ]
    ran = week.dagster.runs(store=store, zone=zone)
    assert ran == expected, {one: week.dagster.failure(one[1], one[2]) for one in ran if one[3] == "FAILURE"}


@pytest.mark.parametrize("store", list(ZONES))
def test_every_partition_is_done_or_says_why_not(week: Played, store: str) -> None:
    dagster = week.dagster
    for day in week.days:
        slot = Slot(day, store)
        verdict, says = dagster.check("shopify_full_reset", "day_on_time", slot) or ("", "")
        done = bool(Progress(dagster.instance, slot).materialized_at("shopify_full_reset"))
        if (store, day) == ("UK", FRIDAY):
            assert (done, verdict) == (False, "ERROR")
            assert "No reset file of UK for 2026-03-27" in says
            assert (dagster.check("raw_reset_file", "file_on_time", slot) or ("",))[0] == "ERROR"
        else:
            late = (store, day) in {("US", MONDAY), ("CA", MONDAY)}
            assert (done, verdict, says) == (
                True,
                "passed",
                "done 70 minutes after the deadline" if late else "done on time",
            )
        matches = dagster.check("variance_import", "oms_matches_retail_pro", slot)
        assert (matches or ("none",))[0] == ("passed" if done else "none")


def test_every_file_went_out_once_and_the_oms_has_the_newest_counts(week: Played) -> None:
    world = week.world
    resets = sorted(name.removeprefix("archive/") for name in world.folder("reset-inventory"))
    assert resets == sorted(
        f"reset_{store}_{day:%Y%m%d}_g{generation}_1of1.csv"
        for store in ZONES
        for day in week.days
        for generation in ((1, 2) if (store, day) == ("CA", SATURDAY) else (1,))
        if (store, day) != ("UK", FRIDAY)
    )
    rows = world.oms.ask("SELECT FACILITY_ID, QUANTITY_ON_HAND_TOTAL FROM INVENTORY_ITEM WHERE PRODUCT_ID = 'A'")
    assert {facility: int(units) for facility, units in rows} == dict.fromkeys(
        ("NY", "CA", "UK", "IE", "AU"), 20 + DAYS.index(week.days[-1])
    )
