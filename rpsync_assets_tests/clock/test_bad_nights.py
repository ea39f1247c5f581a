"""Nights in which servers, runs or memories break: the day goes on by itself, or says what a person must do.

Belongs here: one fault each, on one store's night. Does not: which gate opens when (``test_gates``), whole weeks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.test_utils import create_run_for_test

from rpsync_assets.clock.progress import STEP
from rpsync_assets.clock.steps import Gates, list_key
from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.resources.oms import EmbeddedOms
from rpsync_assets.resources.oms_reader import OmsReader
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import SftpSession
from rpsync_assets_tests.clock.simulated import Simulated, simulated
from rpsync_assets_tests.clock.test_gates import DAY, MINUTE, NEW_YORK, ny
from rpsync_assets_tests.graph.tiny_world import Rows, TinyWorld

EVERYTHING = ("day_US", "active_products_US", "reset_day_US")
PARTITION = str(DAY.key)


@dataclass
class Weather:
    """What the servers do; a test may change it at any time."""

    sftp: Exception | None = None
    oms: Exception | None = None


@dataclass(frozen=True)
class WeatheredSftp(Sftp):
    weather: Weather = field(default_factory=Weather)

    @contextmanager
    def session(self) -> Iterator[SftpSession]:
        if self.weather.sftp is not None:
            raise self.weather.sftp
        with super().session() as session:
            yield session


@dataclass(frozen=True)
class WeatheredOms(EmbeddedOms):
    weather: Weather = field(default_factory=Weather)

    @contextmanager
    def read(self) -> Iterator[OmsReader]:
        if self.weather.oms is not None:
            raise self.weather.oms
        with super().read() as reader:
            yield reader


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
def night(example: TinyWorld, weather: Weather, tmp_path: Path) -> Iterator[Simulated]:
    """Half an hour after midnight; everything is on, and looks every five minutes."""
    real = example.defs().resources
    assert real is not None
    sftp = WeatheredSftp(**{one.name: getattr(real["sftp"], one.name) for one in fields(Sftp)}, weather=weather)
    oms = WeatheredOms(**{one.name: getattr(real["oms"], one.name) for one in fields(EmbeddedOms)}, weather=weather)
    with simulated(example.settings(), ny("00:30"), tmp_path / "home", sftp=sftp, oms=oms) as dagster:
        dagster.switch_on(*EVERYTHING)
        dagster.look()
        yield dagster


def jobs(night: Simulated) -> list[tuple[str, str, str]]:
    """Time, job, how it ended."""
    return [(when[6:], job, status) for when, job, _, status in night.runs(zone=NEW_YORK)]


def until(night: Simulated, clock: str, every: timedelta = 5 * MINUTE) -> None:
    night.watch(ny(clock), every)


def set_cursor(night: Simulated, cursor: str | None) -> None:
    """As somebody does on the sensor's page."""
    (state,) = [
        one
        for one in night.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        if one.instigator_name == "day_US"
    ]
    data = state.instigator_data
    assert isinstance(data, SensorInstigatorData)
    changed = SensorInstigatorData(
        last_tick_timestamp=data.last_tick_timestamp,
        min_interval=data.min_interval,
        cursor=cursor,
        last_sensor_start_timestamp=data.last_sensor_start_timestamp,
        sensor_type=data.sensor_type,
    )
    night.instance.update_instigator_state(state.with_data(changed))


# Servers --------------------------------------------------------------------------------------------------------------
def test_a_list_that_failed_at_one_is_tried_again_by_the_sensor(
    night: Simulated, example: TinyWorld, counts: Rows, weather: Weather
) -> None:
    """The replica restarts at one o'clock, every night."""
    example.file(counts, "20260309T234500")
    until(night, "00:55")
    weather.oms = UnreachableError("The OMS database does not answer", "Look at it")
    until(night, "01:02", 2 * MINUTE)
    assert "The OMS database does not answer. Look at it. A rerun may help: try 2 from 01:06 on" in night.says("day_US")
    until(night, "01:10")
    weather.oms = None
    until(night, "01:30")
    assert [one for one in jobs(night) if one[1] == "active_products_list"] == [
        ("01:01", "active_products_list", "FAILURE"),
        ("01:07", "active_products_list", "FAILURE"),
        ("01:20", "active_products_list", "SUCCESS"),
    ]
    assert jobs(night)[-1] == ("01:25", "reset_day", "SUCCESS")


def test_a_list_that_only_a_person_can_mend_is_tried_once_and_said(night: Simulated, weather: Weather) -> None:
    weather.oms = SetupError("The OMS database refuses us", "GRANT SELECT")
    until(night, "03:00", 30 * MINUTE)
    assert jobs(night) == [("01:00", "active_products_list", "FAILURE")]
    assert "The OMS database refuses us. GRANT SELECT. A rerun does not help" in night.says("day_US")
    assert "No reset file of US" in night.says("day_US")


def test_a_server_that_is_away_is_waited_for_and_the_day_goes_on_when_it_is_back(
    night: Simulated, example: TinyWorld, counts: Rows, weather: Weather
) -> None:
    example.file(counts, "20260309T234500")
    weather.sftp = UnreachableError("SFTP server sftp.example.com does not answer", "Check that it is up")
    until(night, "02:00", 15 * MINUTE)
    assert "SFTP server sftp.example.com does not answer" in night.says("day_US")
    weather.sftp = None
    until(night, "02:20")
    assert jobs(night)[-2:] == [("02:10", "raw_file_landing", "SUCCESS"), ("02:15", "reset_day", "SUCCESS")]


def test_a_login_that_is_refused_is_a_red_run_at_once_and_only_one(
    night: Simulated, example: TinyWorld, counts: Rows, weather: Weather
) -> None:
    """Not first at the deadline: somebody has hours to mend it."""
    example.file(counts, "20260309T234500")
    weather.sftp = SetupError("The host key of sftp.example.com is unknown", "Compare the fingerprint")
    until(night, "02:00", 15 * MINUTE)
    assert jobs(night) == [("00:45", "raw_file_landing", "FAILURE"), ("01:00", "active_products_list", "SUCCESS")]
    assert "The host key of sftp.example.com is unknown" in night.says("day_US")
    weather.sftp = None
    until(night, "02:20")
    assert jobs(night)[-1] == ("02:15", "reset_day", "SUCCESS")


def test_a_file_that_left_the_server_after_it_was_landed_is_still_the_days(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    path = example.file(counts, "20260309T234500")
    until(night, "00:45")
    path.unlink()
    until(night, "01:05")
    assert jobs(night)[-1] == ("01:00", "reset_day", "SUCCESS")


# Files at odd moments -------------------------------------------------------------------------------------------------
def test_a_file_a_minute_before_the_deadline_is_late_once_and_then_done(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    until(night, "04:58", 60 * MINUTE)
    example.file(counts, "20260310T045830")
    until(night, "05:05", MINUTE)
    assert jobs(night)[-3:] == [
        ("05:00", "raw_file_landing", "SUCCESS"),
        ("05:00", "day_is_late", "FAILURE"),
        ("05:01", "reset_day", "SUCCESS"),
    ]
    assert night.check("shopify_full_reset", "day_on_time", DAY) == ("passed", "done 1 minutes after the deadline")


def test_after_the_deadline_the_sensors_page_still_says_what_is_waited_for(night: Simulated) -> None:
    until(night, "05:40", 20 * MINUTE)
    assert [job for _, job, _ in jobs(night)] == ["active_products_list", "day_is_late"]
    assert "No reset file of US for 2026-03-10" in night.says("day_US")


def test_a_bad_second_file_holds_the_day_until_a_good_one_comes(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    """Before the day has begun: the newest file is the day's, and this one cannot be used."""
    example.file(counts, "20260309T234500")
    until(night, "00:45")
    example.raw_file(b"store_code,upc,alu,description,qty\n101,0756", "20260310T003000")
    until(night, "00:55")
    until(night, "02:00", 15 * MINUTE)
    assert [(job, status) for _, job, status in jobs(night)] == [
        ("raw_file_landing", "SUCCESS"),
        ("raw_file_landing", "FAILURE"),
        ("active_products_list", "SUCCESS"),
    ]
    assert "does not end with a line end" in night.says("day_US")
    example.file(counts, "20260310T015500")
    until(night, "02:20")
    assert jobs(night)[-1][1:] == ("reset_day", "SUCCESS")


# Runs -----------------------------------------------------------------------------------------------------------------
def test_a_run_that_was_killed_is_started_again_after_a_pause(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    """It could not say whether a rerun helps; everything is safe to run twice."""
    until(night, "00:55", 25 * MINUTE)
    killed = create_run_for_test(
        night.instance,
        job_name="active_products_list",
        tags={"dagster/partition": PARTITION, STEP: list_key(DAY)},
        status=dg.DagsterRunStatus.STARTED,
    )
    until(night, "01:02")
    assert f"run {killed.run_id[:8]} (active_products_list) is at work on it" in night.says("day_US")
    night.instance.report_run_failed(killed, "Exceeded maximum runtime of 7200 seconds.")
    example.file(counts, "20260309T234500")
    until(night, "01:30")
    assert ("reset_day", "SUCCESS") in [(job, status) for _, job, status in jobs(night)]


def test_a_run_that_a_person_cancelled_is_left_alone_and_said(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    cancelled = create_run_for_test(
        night.instance,
        job_name="active_products_list",
        tags={"dagster/partition": PARTITION, STEP: list_key(DAY)},
        status=dg.DagsterRunStatus.STARTED,
    )
    night.instance.report_run_canceled(cancelled)
    until(night, "00:45")
    said = night.says("day_US")
    assert f"run {cancelled.run_id[:8]} (active_products_list) was cancelled; nobody starts it again" in said
    assert jobs(night)[1:] == []


def test_a_record_that_was_wiped_is_said_and_not_looped_over(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    example.file(counts, "20260309T234500")
    until(night, "01:05")
    assert jobs(night)[-1][1:] == ("reset_day", "SUCCESS")
    night.instance.wipe_assets([dg.AssetKey("shopify_full_reset")])
    until(night, "01:20")
    assert "(reset_day) went through, and what it made is not on record any more" in night.says("day_US")
    assert [job for _, job, _ in jobs(night)].count("reset_day") == 1


def test_a_delta_is_not_started_beside_one_that_is_still_at_work(night: Simulated) -> None:
    night.switch_on("shopify_delta_US")
    slow = create_run_for_test(
        night.instance,
        job_name="shopify_deltas",
        tags={"dagster/partition": "US"},
        status=dg.DagsterRunStatus.STARTED,
    )
    until(night, "00:50")
    assert night.says("shopify_delta_US") == f"run {slow.run_id[:8]} (shopify_deltas) is still at work"
    night.instance.report_run_failed(slow)
    until(night, "01:00")
    assert [job for _, job, _ in jobs(night)].count("shopify_deltas") == 2


def test_what_the_clock_starts_goes_before_a_backfill(night: Simulated, example: TinyWorld, counts: Rows) -> None:
    example.file(counts, "20260309T234500")
    night.switch_on("shopify_delta_US")
    until(night, "01:05")
    runs = night.instance.get_runs()
    assert {run.job_name for run in runs} == {"raw_file_landing", "active_products_list", "reset_day", "shopify_deltas"}
    assert {run.tags.get("dagster/priority") for run in runs} == {"10"}


# Memories -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cursor", [None, "", "{garbage", "[]", '{"since": 7, "seen": 8}'])
def test_a_cursor_that_was_lost_is_as_old_as_the_sensors_being_switched_on(
    night: Simulated, cursor: str | None
) -> None:
    """So the day of which nobody was told yet is still told late, and once."""
    until(night, "04:00", 60 * MINUTE)
    night.go_to(ny("05:30"))
    set_cursor(night, cursor)
    until(night, "05:50")
    assert [job for _, job, _ in jobs(night)] == ["active_products_list", "day_is_late"]
    set_cursor(night, cursor)
    until(night, "06:10")
    assert [job for _, job, _ in jobs(night)] == ["active_products_list", "day_is_late"]


def test_a_look_that_breaks_is_red_and_still_lets_a_late_day_be_told(
    night: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Gates, "to_land", broken)
    until(night, "04:50", 60 * MINUTE)
    with pytest.raises(AssertionError, match="a fault of ours"):
        night.says("day_US")
    until(night, "05:20", 10 * MINUTE)
    assert [job for _, job, _ in jobs(night)] == ["active_products_list", "day_is_late"]
    assert "the look at it breaks (ZeroDivisionError)" in night.failure("day_is_late", PARTITION)


def test_a_day_that_nobody_was_there_for_and_whose_file_never_came_is_told_late(
    night: Simulated, example: TinyWorld, counts: Rows
) -> None:
    """The daemon was down over the deadline and past midnight."""
    night.go_to(ny("00:20", 11))
    night.watch(ny("00:40", 11), 10 * MINUTE)
    assert jobs(night)[-1][1:] == ("day_is_late", "FAILURE")
    assert "No reset file of US for 2026-03-10" in night.failure("day_is_late", PARTITION)
    assert [job for _, job, _ in jobs(night)].count("day_is_late") == 1


def test_a_sensor_that_is_switched_on_at_noon_starts_the_day_and_tells_nobody_off(
    example: TinyWorld, counts: Rows, tmp_path: Path
) -> None:
    example.file(counts, "20260309T234500")
    with simulated(example.settings(), ny("12:00"), tmp_path / "home") as dagster:
        dagster.switch_on(*EVERYTHING)
        dagster.look()
        dagster.watch(ny("12:10"), 5 * MINUTE)
        assert [job for _, job, _ in jobs(dagster)] == ["raw_file_landing"]
        assert "if it is off, switch it on and materialize active_products of 2026-03-10|US" in dagster.says("day_US")


# The clocks change ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("day", "at_one"),
    [("2026-11-01", "05:00"), ("2026-03-08", "05:00")],
    ids=["the hour from one to two comes twice", "the hour from two to three does not come"],
)
def test_in_the_night_of_a_clock_change_the_day_runs_once(
    example: TinyWorld, counts: Rows, tmp_path: Path, day: str, at_one: str
) -> None:
    start = datetime.fromisoformat(f"{day}T00:15").replace(tzinfo=NEW_YORK)
    example.file(counts, f"{day.replace('-', '')}T001000")
    with simulated(example.settings(), start, tmp_path / "home") as dagster:
        dagster.switch_on(*EVERYTHING, "shopify_delta_US")
        dagster.look()
        dagster.watch(datetime.fromisoformat(f"{day}T{at_one}").replace(tzinfo=NEW_YORK), 15 * MINUTE)
        ran = [job for _, job, status in jobs(dagster) if status == "SUCCESS"]
        assert sorted(job for job in ran if job != "shopify_deltas") == [
            "active_products_list",
            "raw_file_landing",
            "reset_day",
        ]
        elapsed = dagster.now - start
        assert ran.count("shopify_deltas") == elapsed / timedelta(minutes=15) + 1
        assert {run[2] for run in dagster.runs()} == {f"{day}|US", "US"}
