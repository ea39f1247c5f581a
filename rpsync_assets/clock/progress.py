"""How far a business date of a store is, from what Dagster has on record.

Belongs here: reading the event log. Does not: what is to be done next (``steps``), servers of others.

Data opens each gate, not the clock and not another run's end: an asset that somebody materialized by hand counts as
much as one that a sensor started.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus

from rpsync_assets.failures import RERUN_HELPS
from rpsync_assets.partitions import Slot

STEP = "rpsync/step"
"""The tag of a run that a sensor or schedule started: for which step of which day; every try of it has the same."""

_RUN_KEY = "dagster/run_key"
"""Dagster's own tag of a run that a sensor started."""

_AT_WORK = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_CONTENTS = 200
"""Landings of one day that are looked at; a file that is sent again more often than this is somebody's loop."""


@dataclass(frozen=True)
class Landed:
    """The content that lies here for a day.

    Attributes:
        number: the how-manieth content of the day; the same bytes again are the same content.
        sha256: of the bytes.
        file_name: as Retail Pro called it.
        at: when it was landed first, seconds since 1970.
    """

    number: int
    sha256: str
    file_name: str
    at: float


@dataclass(frozen=True)
class Tries:
    """The runs of one step that ended.

    Attributes:
        failed: how many failed.
        newest: the newest of them.
        cancelled: a person's word: that one is not tried again.
        hopeless: it failed, and a rerun does not help.
        ended_at: when it ended, seconds since 1970.
        said: why it failed, if it could say so.
    """

    failed: int = 0
    newest: str = ""
    cancelled: bool = False
    hopeless: bool = False
    ended_at: float = 0.0
    said: str = ""


@dataclass(frozen=True)
class Progress:
    """One business date of one product store, as of now."""

    instance: dg.DagsterInstance
    slot: Slot

    def materialized_at(self, asset: str) -> float:
        """When an asset of the day was materialized last, seconds since 1970; 0.0 if never."""
        newest = self._materializations(asset, 1)
        return newest[0].timestamp if newest else 0.0

    def first_materialized_at(self, asset: str) -> float | None:
        """When an asset of the day was materialized first, or None."""
        records = self._materializations(asset, 1, ascending=True)
        return records[0].timestamp if records else None

    def metadata(self, asset: str) -> Mapping[str, object]:
        """What the newest materialization of an asset of the day told; nothing if there is none."""
        newest = self._materializations(asset, 1)
        found = newest[0].asset_materialization if newest else None
        return {name: value.value for name, value in found.metadata.items()} if found else {}

    @property
    def landed(self) -> Landed | None:
        """The content that lies here now, or None."""
        contents: list[Landed] = []
        for record in reversed(self._materializations("raw_reset_file", _CONTENTS)):
            told = record.asset_materialization.metadata if record.asset_materialization else {}
            sha256, path = str(told["sha256"].value), str(told["remote path"].value)
            # A, then B, then A again: the OMS would keep B, so that is a third content.
            if not contents or contents[-1].sha256 != sha256:
                contents.append(Landed(len(contents) + 1, sha256, path.rpartition("/")[2], record.timestamp))
        return contents[-1] if contents else None

    def at_work(self) -> str | None:
        """A run that is at work on this day, or waits to be, or None."""
        return at_work(self.instance, str(self.slot.key))

    def started(self, run_key: str) -> str | None:
        """The run that a sensor started under a key, whatever became of it, or None: Dagster starts none twice."""
        runs = self.instance.get_runs(dg.RunsFilter(tags={_RUN_KEY: run_key}), limit=1)
        return runs[0].run_id if runs else None

    def tries(self, step: str) -> Tries:
        """What became of the runs that were started for a step."""
        ended = [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS]
        records = self.instance.get_run_records(dg.RunsFilter(tags={STEP: step}, statuses=ended))
        failed = [one for one in records if one.dagster_run.status is not DagsterRunStatus.SUCCESS]
        if not failed:
            return Tries()
        newest = failed[0].dagster_run
        # A run that was killed could not say whether a rerun helps, and everything is safe to run twice.
        return Tries(
            len(failed),
            newest.run_id,
            cancelled=newest.status is DagsterRunStatus.CANCELED,
            hopeless=newest.tags.get(RERUN_HELPS) == "no",
            ended_at=failed[0].end_time or 0.0,
            said=self._said(newest.run_id),
        )

    def _said(self, run_id: str) -> str:
        for entry in self.instance.all_logs(run_id, DagsterEventType.STEP_FAILURE):
            data = entry.dagster_event.step_failure_data if entry.dagster_event else None
            if data and data.user_failure_data and data.user_failure_data.description:
                return data.user_failure_data.description
        return ""

    def _materializations(self, asset: str, limit: int, *, ascending: bool = False) -> list[dg.EventLogRecord]:
        """The newest first, unless they ascend."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[str(self.slot.key)])
        return list(self.instance.fetch_materializations(wanted, limit=limit, ascending=ascending).records)


def at_work(instance: dg.DagsterInstance, partition: str, job: str | None = None) -> str | None:
    """A run that is at work on a partition, or waits to be, or None."""
    wanted = dg.RunsFilter(job_name=job, tags={"dagster/partition": partition}, statuses=_AT_WORK)
    runs = instance.get_runs(wanted, limit=1)
    return f"run {runs[0].run_id[:8]} ({runs[0].job_name})" if runs else None
