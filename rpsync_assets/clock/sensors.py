"""One sensor per store: it starts each step of the day when its data is there, and complains at the deadline.

Belongs here: starting runs, once per step, again after a failure that a rerun may cure. Does not: what is due
(``steps``).

Nothing waits in a process: what is not there is looked for again at the next tick, and the sensor's page says what is
waited for. Dagster makes up only the last missed tick, so every tick looks at the days before, too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from rpsync_assets.clock.jobs import LANDING, RESET_DAY, RESET_DELIVERY, SHOPIFY_RESET, VARIANCE_DELIVERY
from rpsync_assets.clock.lateness import LATE_JOB, late_day, late_import
from rpsync_assets.clock.progress import STEP, Progress
from rpsync_assets.clock.steps import Gates, Step, Waiting
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.sftp import RemoteFile, Sftp
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings

EVERY_SECONDS = 60
LOOK_BACK = timedelta(days=7)
"""So many days back a file that was missed is still landed, and an import still followed."""

OFF = "Off until somebody switches it on, here; until then nothing runs but what a person starts."
"""The end of every description, for whoever finds no tick."""

FIRST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=1)
"""Between tries of a step that failed; each pause is twice as long as the one before."""


def sensor_name(store: str) -> str:
    """The name of a store's sensor."""
    return f"day_{store}"


def build_sensors(settings: Settings, late_job: dg.JobDefinition) -> list[dg.SensorDefinition]:
    """One sensor per store; all are off until somebody switches them on."""
    parts = [RESET_DAY] if settings.oms.kind == "embedded" else [RESET_DELIVERY, VARIANCE_DELIVERY, SHOPIFY_RESET]
    return [_sensor(store, [LANDING, *parts, late_job]) for store in settings.stores]


def _sensor(store: str, jobs: list[Any]) -> dg.SensorDefinition:
    @dg.sensor(
        name=sensor_name(store),
        jobs=jobs,
        minimum_interval_seconds=EVERY_SECONDS,
        description=f"{store}: lands Retail Pro's file when it is whole, starts each part of the day when what it needs"
        f" is there, tries again what a rerun may cure, and says so at the deadline when the day is not done. {OFF}",
    )
    def day(
        context: dg.SensorEvaluationContext,
        settings: dg.ResourceParam[Settings],
        sftp: dg.ResourceParam[Sftp],
        oms: dg.ResourceParam[Oms],
        state: dg.ResourceParam[State],
        tables: dg.ResourceParam[Tables],
    ) -> dg.SensorResult:
        gates = Gates(store, settings, oms, state, tables)
        return Tick(context.instance, gates, datetime.now(UTC), Memory.read(context.cursor)).result(sftp)

    return day


@dataclass(frozen=True)
class Memory:
    """What a sensor remembers from tick to tick.

    Attributes:
        since: the first tick; what was due before is nobody's fault.
        seen: by business date, the file as the tick before saw it; a file that stands still is whole.
    """

    since: datetime | None = None
    seen: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None) -> "Memory":
        """From Dagster's cursor."""
        told = json.loads(cursor) if cursor else {}
        since = told.get("since")
        return cls(datetime.fromisoformat(since) if since else None, told.get("seen", {}))

    def write(self) -> str:
        """As Dagster's cursor."""
        return json.dumps({"since": self.since.isoformat() if self.since else None, "seen": self.seen})


@dataclass(frozen=True)
class Tick:
    """One look at a store's days."""

    instance: dg.DagsterInstance
    gates: Gates
    now: datetime
    memory: Memory

    @property
    def _its(self) -> Any:
        return self.gates.settings.store(self.gates.store)

    def _days(self) -> Iterator[date]:
        """The days to look at, the oldest first; today is the last."""
        today = self.now.astimezone(self._its.zone).date()
        since = self.memory.since or self.now
        day = max(today - LOOK_BACK, since.astimezone(self._its.zone).date())
        while day <= today:
            yield day
            day += timedelta(days=1)

    def result(self, sftp: Sftp) -> dg.SensorResult:
        """What Dagster is asked to start, and what is waited for."""
        try:
            with sftp.session() as session:
                listed: list[RemoteFile] | Waiting = session.list(sftp.incoming)
        except RpsyncError as error:
            listed = Waiting(str(error))
        requests: list[dg.RunRequest] = []
        told: list[str] = []
        seen: dict[str, str] = {}
        *past, today = self._days()
        for day in (*past, today):
            slot = Slot(day, self.gates.store)
            found = self._day(Progress(self.instance, slot), listed, seen, is_past=day != today)
            late = self._late(slot, found)
            requests += [one for one in (found, late) if isinstance(one, dg.RunRequest)]
            if isinstance(found, Waiting) and (day == today or found.overdue):
                told.append(f"{day}: {found.what}")
            elif found is None and day == today:
                told.append(f"{day} is done")
        memory = Memory(self.memory.since or self.now, seen)
        reason = None if requests else dg.SkipReason(" | ".join(told))
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=memory.write())

    def _day(
        self, progress: Progress, listed: list[RemoteFile] | Waiting, seen: dict[str, str], *, is_past: bool
    ) -> dg.RunRequest | Waiting | None:
        busy = progress.at_work()
        landing = self._landing(progress, listed, seen)
        if busy:
            return Waiting(f"{busy} is at work on it")
        if isinstance(landing, Step):
            return self._request(progress, landing)
        if is_past:
            delivered = self.gates.settings.oms.kind == "hotwax" and progress.materialized_at("filtered_reset_parts")
            step = self.gates.after_delivery(progress, self.now, is_past=True) if delivered else None
        else:
            step = self.gates.next_step(progress, self.now)
        if step is not None and isinstance(landing, Waiting) and progress.landed is None:
            return landing
        return self._request(progress, step) if isinstance(step, Step) else step

    def _landing(
        self, progress: Progress, listed: list[RemoteFile] | Waiting, seen: dict[str, str]
    ) -> Step | Waiting | None:
        """Whether the day's file is to be fetched: it is new, and stood still since the tick before."""
        if isinstance(listed, Waiting):
            return listed
        file = self.gates.to_land(progress, listed)
        if not isinstance(file, RemoteFile):
            return file
        day = progress.slot.day.isoformat()
        seen[day] = f"{file.name} of {file.size} bytes, written {file.modified_at:%Y-%m-%d %H:%M:%S} UTC"
        if not self._its.done_marker and self.memory.seen.get(day) != seen[day]:
            return Waiting(f"{seen[day]} was seen first now; it is fetched if it stands still until the next look")
        return Step(f"{progress.slot.key} file {seen[day]}", LANDING.name)

    def _request(self, progress: Progress, step: Step) -> dg.RunRequest | Waiting:
        """Start a step; not while a failure of it is fresh, and not if only a person can mend it."""
        tries = progress.tries(step.key)
        if tries.hopeless:
            return Waiting(
                f"run {tries.run_id[:8]} ({step.job}) failed, and a rerun does not help before what it names is"
                " mended; then materialize by hand"
            )
        again_at = datetime.fromtimestamp(tries.ended_at, UTC) + _pause(tries.failed)
        if tries.failed and self.now < again_at:
            return Waiting(
                f"run {tries.run_id[:8]} ({step.job}) failed, and a rerun may help: try {tries.failed + 1} from"
                f" {again_at.astimezone(self._its.zone):%H:%M} on"
            )
        return dg.RunRequest(
            run_key=f"{step.key} try {tries.failed + 1}",
            job_name=step.job,
            partition_key=progress.slot.key,
            tags={STEP: step.key},
            run_config={"ops": {name: {"config": config} for name, config in step.config.items()}},
            asset_selection=[dg.AssetKey(name) for name in step.only] or None,
        )

    def _late(self, slot: Slot, found: dg.RunRequest | Waiting | None) -> dg.RunRequest | None:
        """The run that says, red and once, that a day is not done by its deadline, or an import overdue."""
        deadline = self._its.deadline_of(slot.day)
        if found is not None and (self.memory.since or self.now) <= deadline <= self.now:
            done_at = Progress(self.instance, slot).first_materialized_at("shopify_full_reset")
            if done_at is not None and done_at <= deadline.timestamp():
                # It was done in time; a file that was sent again begins it anew, and makes nobody late.
                return None
            waits_for = found.what if isinstance(found, Waiting) else "it starts only now"
            late = late_day(self._its, slot.day, waits_for)
        elif isinstance(found, Waiting) and found.overdue:
            late = late_import(self._its, self.now, found.what)
        else:
            return None
        return dg.RunRequest(
            run_key=f"{slot.key} {late.what} is late",
            job_name=LATE_JOB,
            partition_key=slot.key,
            run_config=late.run_config(),
        )


def _pause(failed: int) -> timedelta:
    return min(FIRST_PAUSE * 2 ** min(failed - 1, 10), LONGEST_PAUSE) if failed else timedelta(0)
