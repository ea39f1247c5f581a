"""One sensor per store: it starts each step of the day when its data is there, and complains at the deadline.

Belongs here: starting runs, once per step, again after a failure that a rerun may cure. Does not: what is due
(``steps``).

Nothing waits in a process: what is not there is looked for again at the next tick, and the sensor's page says what is
waited for. Dagster makes up only the last missed tick, so every tick looks at the days before, too.

A tick must end within a minute, whatever the servers do: Dagster gives up one that does not, and nobody would be told
at the deadline. So servers are asked in a hurry (``hurried``), and a look that breaks still lets a late day be told.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from rpsync_assets.clock.jobs import (
    ACTIVE_PRODUCTS,
    AHEAD,
    LANDING,
    RESET_DAY,
    RESET_DELIVERY,
    SHOPIFY_RESET,
    VARIANCE_DELIVERY,
)
from rpsync_assets.clock.lateness import LATE_JOB, late_day, late_import
from rpsync_assets.clock.progress import STEP, Progress
from rpsync_assets.clock.steps import Gates, Step, Waiting, step_key
from rpsync_assets.core.errors import PermanentError, RpsyncError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import RemoteFile
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
    return [_sensor(store, [LANDING, ACTIVE_PRODUCTS, *parts, late_job]) for store in settings.stores]


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
        gates = Gates(store, settings, oms.hurried, state, tables)
        memory = Memory.read(context.cursor, switched_on=context.last_sensor_start_time)
        return Tick(context.instance, gates, datetime.now(UTC), memory).result(sftp.hurried)

    return day


@dataclass(frozen=True)
class Memory:
    """What a sensor remembers from tick to tick.

    Attributes:
        since: the first tick; what was due before is nobody's fault. None if it is not known.
        seen: by business date, the file as the tick before saw it; a file that stands still is whole.
    """

    since: datetime | None = None
    seen: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None, *, switched_on: float | None = None) -> "Memory":
        """From Dagster's cursor; one that was lost, or typed over, is as old as the sensor's being switched on."""
        try:
            told = json.loads(cursor or "")
            return cls(datetime.fromisoformat(told["since"]), dict(told["seen"]))
        except (ValueError, KeyError, TypeError):
            return cls(datetime.fromtimestamp(switched_on, UTC) if switched_on else None)

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
        listed = _listing(sftp)
        requests: list[dg.RunRequest] = []
        told: list[str] = []
        seen: dict[str, str] = {}
        broken: list[Exception] = []
        *past, today = self._days()
        for day in (*past, today):
            progress = Progress(self.instance, Slot(day, self.gates.store))
            try:
                found = self._day(progress, listed, seen, is_past=day != today)
            except Exception as error:  # noqa: BLE001  whatever it is, a late day must be told
                broken.append(error)
                found = Waiting(f"the look at it breaks ({type(error).__name__}); the sensor's page shows where")
            if isinstance(found, dg.RunRequest):
                requests.append(found)
            elif found is None:
                told += [f"{day} is done"] if day == today else []
            elif day == today or found.overdue:
                told.append(f"{day}: {found.what}")
            requests += self._late(progress, found)
        if broken and not requests:
            raise broken[0]
        memory = Memory(self.memory.since or self.now, seen)
        reason = None if requests else dg.SkipReason(" | ".join(told))
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=memory.write())

    def _day(
        self, progress: Progress, listed: list[RemoteFile] | RpsyncError, seen: dict[str, str], *, is_past: bool
    ) -> dg.RunRequest | Waiting | None:
        landing = self._landing(progress, listed, seen, is_past=is_past)
        if busy := progress.at_work():
            return Waiting(f"{busy} is at work on it")
        file = self._request(progress, landing) if isinstance(landing, Step) else landing
        if isinstance(file, dg.RunRequest):
            return file
        step = self._past_step(progress) if is_past else self.gates.next_step(progress, self.now)
        if file is not None and isinstance(step, Step) and step.begins:
            # The day begins with the newest file. What was delivered before goes on, whatever becomes of that one.
            return file
        rest = self._request(progress, step) if isinstance(step, Step) else step
        if file is not None and isinstance(rest, Waiting):
            return file.besides(rest)
        return rest or file

    def _past_step(self, progress: Progress) -> Step | Waiting | None:
        """Of a past day only what HotWax was sent is followed."""
        delivered = self.gates.settings.oms.kind == "hotwax" and progress.materialized_at("filtered_reset_parts")
        step = self.gates.after_delivery(progress, self.now, is_past=True) if delivered else None
        if step is None and not progress.materialized_at("shopify_full_reset"):
            return Waiting("its date is over; what it did not bring, the next day does")
        return step

    def _landing(
        self, progress: Progress, listed: list[RemoteFile] | RpsyncError, seen: dict[str, str], *, is_past: bool
    ) -> Step | Waiting | None:
        """Whether the day's file is to be fetched: it is new, and stood still since the tick before."""
        if isinstance(listed, RpsyncError):
            if progress.landed is not None:
                return None
            refused = isinstance(listed, PermanentError) and not is_past
            # What only a person can mend a run says, red, where everybody looks; what passes is waited for.
            return (
                Step(step_key(progress.slot, f"SFTP: {listed.culprit}"), LANDING.name)
                if refused
                else Waiting(str(listed))
            )
        file = self.gates.to_land(progress, listed)
        if not isinstance(file, RemoteFile):
            return file
        day = progress.slot.day.isoformat()
        seen[day] = f"{file.name} of {file.size} bytes, written {file.modified_at:%Y-%m-%d %H:%M:%S} UTC"
        if not self._its.done_marker and self.memory.seen.get(day) != seen[day]:
            return Waiting(f"{seen[day]} was seen first now; it is fetched if it stands still until the next look")
        return Step(step_key(progress.slot, f"file {seen[day]}"), LANDING.name)

    def _request(self, progress: Progress, step: Step) -> dg.RunRequest | Waiting:
        """Start a step; not while a failure of it is fresh, and not if only a person can mend it."""
        tries = progress.tries(step.key)
        run = f"run {tries.newest[:8]} ({step.job})"
        why = f": {tries.said.rstrip('. ')}." if tries.said else "."
        if tries.cancelled:
            return Waiting(f"{run} was cancelled; nobody starts it again, so materialize by hand")
        if tries.hopeless:
            return Waiting(f"{run} failed{why} A rerun does not help before that is mended; then materialize by hand")
        again_at = datetime.fromtimestamp(tries.ended_at, UTC) + _pause(tries.failed)
        if tries.failed and self.now < again_at:
            return Waiting(
                f"{run} failed{why} A rerun may help: try {tries.failed + 1} from"
                f" {again_at.astimezone(self._its.zone):%H:%M} on"
            )
        run_key = f"{step.key} try {tries.failed + 1}"
        if started := progress.started(run_key):
            return Waiting(
                f"run {started[:8]} ({step.job}) went through, and what it made is not on record any more; materialize"
                " by hand"
            )
        return dg.RunRequest(
            run_key=run_key,
            job_name=step.job,
            partition_key=progress.slot.key,
            tags={STEP: step.key, **AHEAD},
            run_config={"ops": {name: {"config": config} for name, config in step.config.items()}},
            asset_selection=[dg.AssetKey(name) for name in step.only] or None,
        )

    def _late(self, progress: Progress, found: dg.RunRequest | Waiting | None) -> Iterator[dg.RunRequest]:
        """The runs that say, red and once, that a day is not done by its deadline, or that an import is overdue."""
        if found is None:
            return
        day, late = progress.slot.day, []
        waits_for = found.what if isinstance(found, Waiting) else "it starts only now"
        deadline = self._its.deadline_of(day)
        if (self.memory.since or self.now) <= deadline <= self.now:
            done_at = progress.first_materialized_at("shopify_full_reset")
            # One that was done in time, and begins anew as a file was sent again, is not late.
            if done_at is None or done_at > deadline.timestamp():
                late.append(late_day(self._its, day, waits_for))
        if isinstance(found, Waiting) and found.overdue:
            late.append(late_import(self._its, found.overdue, self.now, waits_for))
        for one in late:
            run_key = f"{progress.slot.key} {one.what} is late"
            # Asked for again, it would be no second run, but the tick would not say what is waited for.
            if not progress.started(run_key):
                yield dg.RunRequest(
                    run_key=run_key,
                    job_name=LATE_JOB,
                    partition_key=progress.slot.key,
                    tags=AHEAD,
                    run_config=one.run_config(),
                )


def _listing(sftp: Sftp) -> list[RemoteFile] | RpsyncError:
    """What lies in Retail Pro's folder, or why that cannot be told."""
    try:
        with sftp.session() as session:
            return session.list(sftp.incoming)
    except RpsyncError as error:
        return error


def _pause(failed: int) -> timedelta:
    return min(FIRST_PAUSE * 2 ** min(failed - 1, 10), LONGEST_PAUSE) if failed else timedelta(0)
