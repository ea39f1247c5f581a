"""What passes within minutes is tried again inside the run; what is permanent is tried by nobody, and says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEventType, RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run

from rpsync_assets.core.errors import HeldError, PermanentError, SetupError, TransientError, UnreachableError
from rpsync_assets.failures import RERUN_HELPS
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import SftpSession
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, QUIET, Rows, TinyWorld

KEY = str(Slot(DAY, "US").key)


@dataclass(frozen=True)
class FailingSftp(Sftp):
    """Fails so many times with an error of ours, then is the real one."""

    times: int = 0
    error: Exception = field(default_factory=Exception)
    asked: list[datetime] = field(default_factory=list)

    @contextmanager
    def session(self) -> Iterator[SftpSession]:
        self.asked.append(datetime.now())  # noqa: DTZ005  only differences are looked at
        if len(self.asked) <= self.times:
            raise self.error
        with super().session() as session:
            yield session


def failing(world: TinyWorld, times: int, error: Exception) -> FailingSftp:
    real = world.defs().resources["sftp"]  # type: ignore[index]
    return FailingSftp(**{one.name: getattr(real, one.name) for one in fields(Sftp)}, times=times, error=error)


def patient(world: TinyWorld, times: int = 3, seconds: float = 0.0) -> Settings:
    told = world.settings().model_dump()
    told["retries"] = {"times": times, "first_wait_seconds": seconds}
    return Settings.model_validate(told)


def land(world: TinyWorld, sftp: Sftp, settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = world.defs(settings, sftp=sftp).resolve_job_def("raw_file_landing")
    return job.execute_in_process(instance=instance, partition_key=KEY, raise_on_error=False, run_config=QUIET)


def retried(world: TinyWorld, run_id: str) -> int:
    """How often a step of a run was tried again."""
    return len(world.instance.all_logs(run_id, DagsterEventType.STEP_UP_FOR_RETRY))


def test_a_server_that_comes_back_is_no_failure(world: TinyWorld, counts: Rows) -> None:
    world.file(counts)
    sftp = failing(world, 3, UnreachableError("The SFTP server hung up", "Try later"))
    ran = land(world, sftp, patient(world), world.instance)
    assert ran.success
    # Three in vain, the listing, the download.
    assert len(sftp.asked) == 5


def test_each_wait_is_about_twice_the_one_before(world: TinyWorld, counts: Rows) -> None:
    world.file(counts)
    sftp = failing(world, 2, UnreachableError("The SFTP server hung up", "Try later"))
    assert land(world, sftp, patient(world, seconds=0.4), world.instance).success
    first, second = (later - earlier for earlier, later in zip(sftp.asked, sftp.asked[1:3], strict=False))
    assert first >= timedelta(seconds=0.3)
    assert second >= timedelta(seconds=0.6)


def test_a_server_that_stays_away_is_a_failure_which_says_that_a_rerun_helps(world: TinyWorld) -> None:
    sftp = failing(world, 9, UnreachableError("The SFTP server hung up", "Try later"))
    ran = land(world, sftp, patient(world), world.instance)
    assert len(sftp.asked) == 4
    told = ran.failure_data_for_node("raw_reset_file").user_failure_data
    assert told.description == "The SFTP server hung up. Try later."
    assert told.metadata["a rerun helps"].value == "yes, later"
    assert world.instance.get_run_by_id(ran.run_id).tags[RERUN_HELPS] == "yes"


@pytest.mark.parametrize(
    "error",
    [
        SetupError("The host key of sftp.example.com is unknown", "Compare the fingerprint"),
        HeldError("80 of 100 keys fall to zero", "Look at the file"),
        PermanentError("It is over", "Nothing"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_permanent_is_tried_once_by_the_step_and_never_by_dagsters_run_retries(
    world: TinyWorld, error: PermanentError
) -> None:
    sftp = failing(world, 9, error)
    ran = land(world, sftp, patient(world), world.instance)
    assert len(sftp.asked) == 1
    told = ran.failure_data_for_node("raw_reset_file").user_failure_data
    assert told.metadata["a rerun helps"].value == "no, something must be mended first"
    run = world.instance.get_run_by_id(ran.run_id)
    assert run.tags[RERUN_HELPS] == "no"
    # Somebody may have switched run retries on for all failures of steps; a tag of the run goes before that.
    with dg.instance_for_test(overrides={"run_retries": {"enabled": True, "max_retries": 3}}) as willing:
        assert not auto_reexecution_should_retry_run(willing, run, RunFailureReason.STEP_FAILURE)


def test_a_run_that_was_killed_may_be_started_again_by_dagster(world: TinyWorld, counts: Rows) -> None:
    """Everything is safe to run twice, and a killed run could not say anything."""
    world.file(counts)
    with dg.instance_for_test(overrides={"run_retries": {"enabled": True, "max_retries": 3}}) as willing:
        ran = land(world, failing(world, 9, UnreachableError("It hung up", "Try")), patient(world, times=0), willing)
        run = willing.get_run_by_id(ran.run_id)
        assert auto_reexecution_should_retry_run(willing, run, RunFailureReason.RUN_EXCEPTION)


def test_what_a_file_or_an_import_waits_for_holds_no_run(world: TinyWorld) -> None:
    """A file that is not there is waited for by the sensor, not in a process."""
    sftp = failing(world, 0, UnreachableError("", ""))
    ran = land(world, sftp, patient(world), world.instance)
    assert not ran.success
    assert len(sftp.asked) == 1
    assert world.instance.get_run_by_id(ran.run_id).tags[RERUN_HELPS] == "yes"


def test_a_held_guard_is_tried_once(world: TinyWorld) -> None:
    world.file([("101", UPCA["Z"], 5)])
    ran = world.run(settings=patient(world))
    assert "filtered_reset_parts" in ran.failures
    events = world.instance.all_logs(ran.run_id)
    assert not [
        one for one in events if one.dagster_event and one.dagster_event.event_type_value == "STEP_UP_FOR_RETRY"
    ]
    assert world.instance.get_run_by_id(ran.run_id).tags[RERUN_HELPS] == "no"


def test_every_error_of_ours_is_either_transient_or_permanent() -> None:
    from rpsync_assets.core import errors  # noqa: PLC0415

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RpsyncError)]
    assert len(kinds) >= 9
    for kind in kinds:
        if kind is not errors.RpsyncError:
            assert issubclass(kind, TransientError) is not issubclass(kind, PermanentError), kind


def test_another_run_that_delivers_is_waited_for_a_moment(world: TinyWorld, counts: Rows, tmp_path: Path) -> None:
    world.file(counts)
    assert world.run("raw_reset_file", "active_products", "filtered_reset").failures == {}
    outbox = world.defs().resources["outbox"]  # type: ignore[index]
    with outbox.alone("US"):
        ran = world.run("filtered_reset_parts", settings=patient(world, times=2))
    assert ran.failure.startswith("Another run is delivering for US at this moment")
    assert retried(world, ran.run_id) == 2
