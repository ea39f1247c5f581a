"""The main job, run in the sandbox through a real Dagster instance: what ``rpsync demo`` does.

Belongs here: launching the day of each store and collecting what came of it. Does not: printing (``screen``).
"""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from rpsync_assets import assets
from rpsync_assets.definitions import build_defs
from rpsync_assets.partitions import Slot
from rpsync_assets.sandbox.memory import peak_memory_mb
from rpsync_assets.settings import load_settings

if TYPE_CHECKING:
    # It brings the servers of the sandbox along, which a process that only runs the day does not need.
    from rpsync_assets.sandbox.environment import Environment

_log = logging.getLogger(__name__)

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_ASSETS = {blueprint.function.__name__ for blueprint in assets.ALL}
_RUN = ("job", "partition", "run_id", "success", "seconds")
_RECEIPTS = ("reset_import", "variance_import", "shopify_full_reset", "shopify_delta")
_TIMED = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE)


@dataclass
class Run:
    """One run of one job for one store, in plain values that go into JSON."""

    job: str
    partition: str
    run_id: str = ""
    success: bool = False
    seconds: float = 0.0
    assets: dict[str, dict[str, object]] = field(default_factory=dict)
    checks: list[dict[str, object]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Everything held: the run succeeded and no check is red."""
        return self.success and all(check["passed"] for check in self.checks)


@dataclass
class Summary:
    """What the demo did."""

    stores: dict[str, list[Run]] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory_mb: float = 0.0

    @property
    def held(self) -> bool:
        """Everything held, everywhere."""
        return bool(self.stores) and all(run.held for runs in self.stores.values() for run in runs)

    def as_json(self, environment: "Environment") -> dict[str, object]:
        """The summary in the shape that ``--json`` writes."""
        world = environment.world
        return {
            "size": world.size.name,
            "seed": world.seed,
            "held": self.held,
            "seconds": self.seconds,
            "peak_memory_mb": self.peak_memory_mb,
            "stores": {
                store: {
                    "business_date": environment.mornings[store].business_date.isoformat(),
                    "file_name": environment.mornings[store].file_name,
                    "held": all(run.held for run in runs),
                    "runs": [{name: getattr(run, name) for name in _RUN} for run in runs],
                    "assets": {name: said for run in runs for name, said in run.assets.items()},
                    "checks": [check for run in runs for check in run.checks],
                    "failures": {name: said for run in runs for name, said in run.failures.items()},
                    "receipts": {name: said for run in runs for name, said in run.assets.items() if name in _RECEIPTS},
                }
                for store, runs in self.stores.items()
            },
        }


def run_day(environment: "Environment", stores: Sequence[str], on_step: Callable[[str, str, str], None]) -> Summary:
    """Run the day, then a delta, for each store.

    Args:
        environment: a running sandbox.
        stores: store ids.
        on_step: told of each step: store, asset, and ``start``, ``done`` or ``failed``.
    """
    started = time.monotonic()
    settings = load_settings(environment.variables, Path.cwd())
    defs = build_defs(settings)
    summary = Summary()
    with dg.DagsterInstance.from_config(environment.variables["DAGSTER_HOME"]) as instance:
        for store in stores:
            day = Slot(environment.mornings[store].business_date, store)
            runs = [_launch(defs, instance, "reset_day", str(day.key), store, on_step)]
            if runs[0].success:
                runs.append(_launch(defs, instance, "shopify_deltas", store, store, on_step))
            summary.stores[store] = runs
    summary.seconds = round(time.monotonic() - started, 3)
    summary.peak_memory_mb = peak_memory_mb()
    return summary


def _launch(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    partition: str,
    store: str,
    on_step: Callable[[str, str, str], None],
) -> Run:
    run_id = str(uuid.uuid4())
    states = {
        dg.DagsterEventType.STEP_START: "start",
        dg.DagsterEventType.STEP_SUCCESS: "done",
        dg.DagsterEventType.STEP_FAILURE: "failed",
    }

    def tell(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.event_type in states and event.step_key:
            on_step(store, event.step_key, states[event.event_type])

    instance.add_event_listener(run_id, tell)
    started = time.monotonic()
    result = defs.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=partition, run_id=run_id, run_config=QUIET, raise_on_error=False
    )
    run = Run(job, partition, run_id, result.success, round(time.monotonic() - started, 3))
    _collect(run, result)
    return run


def _collect(run: Run, result: dg.ExecuteInProcessResult) -> None:
    seconds = {
        str(event.step_key): round(getattr(event.event_specific_data, "duration_ms", 0.0) / 1000, 3)
        for event in result.all_events
        if event.event_type in _TIMED
    }
    run.assets = {name: {"seconds": taken} for name, taken in seconds.items() if name in _ASSETS}
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        entry = run.assets.setdefault(materialization.asset_key.path[-1], {})
        entry.update({name: _plain(value) for name, value in materialization.metadata.items() if name != "preview"})
    for evaluation in result.get_asset_check_evaluations():
        run.checks.append(
            {
                "asset": evaluation.asset_key.path[-1],
                "check": evaluation.check_name,
                "passed": evaluation.passed,
                "description": evaluation.description,
                "seconds": seconds.get(f"{evaluation.asset_key.path[-1]}_{evaluation.check_name}"),
                **{name: _plain(value) for name, value in evaluation.metadata.items()},
            }
        )
    for event in result.get_step_failure_events():
        data = event.step_failure_data
        said = data.user_failure_data.description if data.user_failure_data else None
        error = data.error.cause or data.error if data.error else None
        run.failures[str(event.step_key)] = said or (error.message.strip() if error else "failed")


def _plain(value: dg.MetadataValue[Any]) -> object:
    plain = value.value
    return plain if isinstance(plain, int | float | str | bool) else str(plain)
