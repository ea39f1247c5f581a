"""A late day is red before the shop opens, and somebody is told.

Belongs here: the run that says so, and the two checks that show it per date and store. Does not: when it is due
(``sensors``).

Dagster's freshness policies are blind to partitions: a backfill of an old day makes them healthy, and what was never
materialized is unknown, not late. So lateness is a check per partition. It turns red at the deadline, from outside, as
what did not happen cannot report itself; when the day is done after all, it says how late.

What a late day means at Shopify: nothing is sent by the day that did not run. Shopify keeps the basis of the last full
reset, and the deltas go on bringing in-store sales, orders and rules every 15 minutes.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter

from rpsync_assets.clock.progress import Progress
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.failures import RERUN_HELPS, RUN_RETRIES
from rpsync_assets.partitions import Partitions, Slot, placed
from rpsync_assets.settings import Settings
from rpsync_assets.store_settings import StoreSettings

LATE_JOB = "day_is_late"
_OP = "say_that_it_is_late"
FALLBACK = "Until it is done Shopify keeps the basis of the last full reset, and the deltas go on"

FILE_ON_TIME = "file_on_time"
DAY_ON_TIME = "day_on_time"
_SHOWN = {FILE_ON_TIME: "raw_reset_file", DAY_ON_TIME: "shopify_full_reset"}


class LateConfig(dg.Config):
    """What is late, since when, and what it waits for."""

    checks: list[str]
    limit: str
    deadline: str
    waits_for: str


@dataclass(frozen=True)
class Late:
    """What a store's sensor found to be late.

    Attributes:
        what: for the run key: it is told once.
        checks: which of ours are red because of it, if their asset is not there.
        limit: the end of a sentence that begins with the date and the store.
        deadline: when it should have been done.
        waits_for: in a sentence.
    """

    what: str
    checks: tuple[str, ...]
    limit: str
    deadline: datetime
    waits_for: str

    def run_config(self) -> dict[str, Any]:
        """For the run that says so."""
        told = {
            "checks": list(self.checks),
            "limit": self.limit,
            "deadline": self.deadline.isoformat(),
            "waits_for": self.waits_for,
        }
        return {"ops": {_OP: {"config": told}}}


def late_day(its: StoreSettings, day: date, waits_for: str) -> Late:
    """A day that is not done by its deadline."""
    limit = f"is not done at {its.deadline} ({its.time_zone})"
    return Late("day", (FILE_ON_TIME, DAY_ON_TIME), limit, its.deadline_of(day), waits_for)


def late_import(its: StoreSettings, file_name: str, now: datetime, waits_for: str) -> Late:
    """An import that the OMS has not finished in the time that it usually takes."""
    limit = f"waits for the OMS's import longer than {its.import_patience_minutes} minutes"
    return Late(f"import of {file_name}", (), limit, now, waits_for)


def build_late_job(partitions: Partitions) -> dg.JobDefinition:
    """The run that fails because a day is late: failure sensors, alerts and people hear of it like of any failure."""

    @dg.op(name=_OP)
    def say(context: dg.OpExecutionContext, config: LateConfig) -> None:
        slot = Slot.parse(context.partition_key)
        progress, deadline = Progress(context.instance, slot), datetime.fromisoformat(config.deadline)
        for check in config.checks:
            if not progress.materialized_at(_SHOWN[check]):
                verdict = _not_done(slot, check, config.waits_for, deadline, dg.AssetCheckSeverity.ERROR)
                context.log_event(verdict)  # type: ignore[arg-type]  taken, though its annotation does not say so
        context.instance.add_run_tags(context.run_id, {RERUN_HELPS: "no", RUN_RETRIES: "false"})
        raise dg.Failure(
            description=f"{slot.day} of {slot.store} {config.limit}. It waits: {config.waits_for.rstrip('. ')}."
            f" {FALLBACK}.",
            metadata={"a rerun helps": "no: the sensor goes on by itself once what it waits for is there"},
            allow_retries=False,
        )

    @dg.job(
        name=LATE_JOB,
        partitions_def=partitions.day_x_store,
        executor_def=dg.in_process_executor,
        # It needs none of our resources. Given them when it is assembled, it would make Dagster rebuild the sensors
        # that name it, and warn of a parameter of its own.
        resource_defs={"io_manager": dg.mem_io_manager},
        description="Started by a store's sensor when a day is late: it fails, and says what the day waits for.",
    )
    def job() -> None:
        say()

    return job


def warn(instance: dg.DagsterInstance, slot: Slot, waits_for: str, deadline: datetime) -> None:
    """Show on the day that it has not begun, unless something was said of it before.

    Dagster keeps one verdict per check and partition that no run gave.
    """
    key = dg.AssetCheckKey(dg.AssetKey(_SHOWN[DAY_ON_TIME]), DAY_ON_TIME)
    of_day = PartitionKeyFilter(key=str(slot.key))
    if not instance.event_log_storage.get_asset_check_execution_history(key, limit=1, partition_filter=of_day):
        instance.report_runless_asset_event(
            _not_done(slot, DAY_ON_TIME, waits_for, deadline, dg.AssetCheckSeverity.WARN)
        )


def _not_done(
    slot: Slot, check: str, waits_for: str, deadline: datetime, severity: dg.AssetCheckSeverity
) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(_SHOWN[check]),
        check_name=check,
        passed=False,
        severity=severity,
        description=placed(f"Not done: {waits_for.rstrip('. ')}. {FALLBACK}.", str(slot.key)),
        metadata={"observed": "not done", "threshold": f"done by {deadline:%Y-%m-%d %H:%M %Z}"},
        partition=str(slot.key),
    )


def build_lateness_checks(partitions: Partitions) -> list[dg.AssetChecksDefinition]:
    """When the day's file lay here, and when the day was done, against the deadline."""
    what = {
        FILE_ON_TIME: "Retail Pro's file lies here before the store's deadline; red from then on until it does.",
        DAY_ON_TIME: "The day is done, Shopify included, before the store's deadline; red from then on until it is.",
    }
    return [_check(name, _SHOWN[name], description, partitions) for name, description in what.items()]


def _check(name: str, asset: str, description: str, partitions: Partitions) -> dg.AssetChecksDefinition:
    @dg.asset_check(name=name, asset=asset, description=description, partitions_def=partitions.day_x_store)
    def on_time(context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        slot = Slot.of(context)
        deadline = settings.store(slot.store).deadline_of(slot.day)
        first = Progress(context.instance, slot).first_materialized_at(asset)
        if first is None:
            raise NotYetError(f"{asset} of {slot.key} was never materialized", "Materialize it")
        done_at = datetime.fromtimestamp(first, UTC).astimezone(deadline.tzinfo)
        late = (done_at - deadline).total_seconds() / 60
        return dg.AssetCheckResult(
            passed=True,
            description=placed(
                f"done {late:.0f} minutes after the deadline" if late > 0 else "done on time", str(slot.key)
            ),
            metadata={
                "observed": f"{done_at:%Y-%m-%d %H:%M %Z}",
                "threshold": f"{deadline:%Y-%m-%d %H:%M %Z}",
                "minutes late": max(0.0, round(late, 1)),
            },
        )

    return on_time
