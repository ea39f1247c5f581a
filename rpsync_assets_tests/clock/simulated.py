"""A clock that a test moves, and Dagster's own daemons under it: five stores in three zones.

Belongs here: moving time, letting Dagster's scheduler and sensor loop look, and telling what came of it. Does not: what
is expected (the tests), Dagster's rules: which schedule or sensor is due is decided by Dagster itself.

Runs are started by Dagster's run launcher and end before the clock goes on.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import dagster as dg
import time_machine
from dagster._core.events import DagsterEventType
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.test_utils import create_test_daemon_workspace_context, instance_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from sqlalchemy import Engine, event

from rpsync_assets.definitions import build_defs
from rpsync_assets.partitions import Slot, unplaced
from rpsync_assets.settings import Settings

_LOADED: dict[str, dg.Definitions] = {}
_log = logging.getLogger("simulated")


def __getattr__(name: str) -> dg.Definitions:
    """Dagster loads a code location by module and attribute; every simulation has an attribute of its own."""
    if name in _LOADED:
        return _LOADED[name]
    raise AttributeError(name)


@dataclass
class Simulated:
    """Dagster under a clock of ours.

    Attributes:
        instance: a real one, with its storage in files.
        workspace: the code location as the daemons see it.
        clock: stands still unless moved.
    """

    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    clock: time_machine.Traveller
    _iterations: dict = field(default_factory=dict)

    @property
    def _repository(self) -> RemoteRepository:
        (location,) = self.workspace.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        return repository

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def look(self) -> None:
        """The daemon wakes up: schedules that are due, then sensors that are due."""
        list(launch_scheduled_runs(self.workspace, _log, self.now, self._iterations))
        list(execute_sensor_iteration(self.workspace, _log, None, None))

    def go_to(self, moment: datetime) -> None:
        """The daemon is not there meanwhile."""
        assert moment >= self.now, (moment, self.now)
        self.clock.move_to(moment.astimezone(UTC))

    def watch(self, until: datetime, every: timedelta) -> None:
        """The daemon is there, and looks every so often."""
        while self.now < until:
            self.go_to(min(self.now + every, until))
            self.look()

    def switch_on(self, *names: str) -> None:
        """Schedules and sensors, as somebody does in the UI."""
        repository = self._repository
        for name in names:
            if repository.has_sensor(name):
                self.instance.start_sensor(repository.get_sensor(name))
            else:
                self.instance.start_schedule(repository.get_schedule(name))

    def runs(self, *, store: str | None = None, zone: tzinfo = UTC) -> list[tuple[str, str, str, str]]:
        """Every run, the oldest first: when it started on the zone's wall clock, job, partition, how it ended."""
        records = sorted(self.instance.get_run_records(), key=lambda one: one.storage_id)
        return [
            (
                f"{one.create_timestamp.astimezone(zone):%m-%d %H:%M}",
                one.dagster_run.job_name,
                one.dagster_run.tags["dagster/partition"],
                one.dagster_run.status.value,
            )
            for one in records
            if store is None or one.dagster_run.tags["dagster/partition"].endswith(store)
        ]

    def says(self, name: str) -> str:
        """Why the newest tick of a sensor or schedule started nothing."""
        repository = self._repository
        one = repository.get_sensor(name) if repository.has_sensor(name) else repository.get_schedule(name)
        ticks = self.instance.get_ticks(one.get_remote_origin_id(), one.selector_id, limit=1)
        assert ticks, f"{name} never ticked"
        assert ticks[0].error is None, ticks[0].error
        return ticks[0].skip_reason or ""

    def failure(self, job: str, partition: str) -> str:
        """What the newest failed run of a job said."""
        failed = dg.RunsFilter(
            job_name=job, tags={"dagster/partition": partition}, statuses=[dg.DagsterRunStatus.FAILURE]
        )
        logs = self.instance.all_logs(self.instance.get_runs(failed, limit=1)[0].run_id, DagsterEventType.STEP_FAILURE)
        found = [entry.dagster_event.step_failure_data for entry in logs if entry.dagster_event]
        return "; ".join(
            (one.user_failure_data and one.user_failure_data.description)
            or (one.error.to_string() if one.error else "")
            for one in found
        )

    def check(self, asset: str, name: str, slot: Slot) -> tuple[str, str] | None:
        """The newest evaluation of a check of a partition: ``passed``, ``WARN`` or ``ERROR``, and what it says."""
        wanted = dg.AssetCheckKey(dg.AssetKey(asset), name)
        records = self.instance.event_log_storage.get_asset_check_execution_history(wanted, limit=500)
        for record in records:
            event = record.event.dagster_event if record.event else None
            evaluation = event.asset_check_evaluation_data if event and event.event_specific_data else None
            if evaluation is not None and str(evaluation.partition) == str(slot.key):
                found = unplaced(evaluation.description or "", str(evaluation.partition))
                return ("passed" if evaluation.passed else evaluation.severity.value, found)
        return None


def _careless(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@contextmanager
def simulated(settings: Settings, start: datetime, home: Path, **resources: object) -> Iterator[Simulated]:
    """Dagster with these settings at a moment; nothing is switched on."""
    name = f"defs_{len(_LOADED)}"
    _LOADED[name] = build_defs(settings, **resources)
    target = InProcessWorkspaceLoadTarget(
        InProcessCodeLocationOrigin(
            LoadableTargetOrigin(module_name=__name__, attribute=name, working_directory=os.getcwd()),  # noqa: PTH109
            location_name="rpsync_assets",
        )
    )
    quiet = {
        "python_logs": {"python_log_level": "CRITICAL"},
        # Capturing a run's output starts two processes for each run.
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
    }
    coordinator = {"run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}}
    home.mkdir()
    with ExitStack() as stack:
        # Nothing of a simulation must survive a power cut.
        if not event.contains(Engine, "connect", _careless):
            event.listen(Engine, "connect", _careless)
            stack.callback(event.remove, Engine, "connect", _careless)
        clock = stack.enter_context(time_machine.travel(start.astimezone(UTC), tick=False))
        instance = stack.enter_context(
            instance_for_test(
                {**quiet, **coordinator}, temp_dir=str(home), set_dagster_home=False, synchronous_run_launcher=True
            )
        )
        workspace = stack.enter_context(create_test_daemon_workspace_context(target, instance))
        yield Simulated(instance, workspace, clock)
