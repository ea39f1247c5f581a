"""Looks at every finished run once, and sends what it found through every channel, once.

Belongs here: which runs are looked at, again until every channel took the message; what is no news. Does not: words
(``findings``), wires (``channels``).

Runs are asked for by time, with an overlap, not by a counting cursor: two processes that finish at one moment may
become visible in the other order. What was sent is remembered in our own database, so looking twice sends nothing.

What fails again and again in the same way is told when it begins: a server that is away all night is one message, not
one for every delta and every try. A person's own click is always answered.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus, RunRecord

from rpsync_assets.alerts.channels import Channel
from rpsync_assets.alerts.findings import Alert, alert_of
from rpsync_assets.clock.lateness import LATE_JOB
from rpsync_assets.core.errors import RpsyncError, UnreachableError
from rpsync_assets.resources.sent_alerts import SentAlerts

OVERLAP = timedelta(minutes=10)
_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
_WILL_RETRY = "dagster/will_retry"
_BACKFILL = "dagster/backfill"
_BY_ITSELF = ("dagster/schedule_name", "dagster/sensor_name", _BACKFILL)
"""Tags of runs that no person started one by one."""
_FEW = 5
"""Runs before one: the newest that Dagster did not start once more is among them."""


class UnsentError(Exception):
    """A channel did not take a message; the tick is red, and the next one tries again."""


def build_alerts_sensor(
    channels: list[Channel], sent: SentAlerts, ui_url: str, hide: Callable[[str], str]
) -> dg.SensorDefinition:
    """The sensor; on from the start, as it exists only where somebody configured a channel.

    Args:
        channels: where messages go.
        sent: which went where.
        ui_url: where Dagster's UI is, for links.
        hide: takes secrets out of a text.
    """
    # Runs with nothing more to tell, as far as this process knows: a channel that is down for days must not make each
    # look read all logs of those days.
    settled: set[str] = set()

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people, once, what a finished run found: failures, held guards, late days, drift at Shopify,"
        f" rows that failed at the OMS. Through: {', '.join(channel.name for channel in channels)}.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        first, newest = _moments(context.cursor, now)
        records = context.instance.get_run_records(
            dg.RunsFilter(statuses=_FINISHED, updated_after=max(first, newest - OVERLAP)), ascending=True
        )
        settled.intersection_update(record.dagster_run.run_id for record in records)
        post = _Post(channels, sent, hide)
        for record in records:
            run_id = record.dagster_run.run_id
            if run_id not in settled:
                alert = _news(context.instance, record, first, ui_url)
                if alert is None or post.has_taken(alert):
                    settled.add(run_id)
        if post.failed:
            # The cursor stays: the same runs are looked at again.
            raise UnsentError("; ".join(dict.fromkeys(post.failed)))
        return dg.SensorResult(
            skip_reason=f"{post.told} messages sent" if post.told else None,
            cursor=f"{first.isoformat()} {now.isoformat()}",
        )

    return alerts


@dataclass
class _Post:
    """The channels, during one look."""

    channels: list[Channel]
    sent: SentAlerts
    hide: Callable[[str], str]
    told: int = 0
    failed: list[str] = field(default_factory=list[str])
    _away: set[str] = field(default_factory=set[str])

    def has_taken(self, alert: Alert) -> bool:
        """Send a message through every channel that does not know it; whether all do now."""
        # Each is asked, also when one before it failed.
        taken = [self._has_taken(alert, channel) for channel in self.channels]
        return all(taken)

    def _has_taken(self, alert: Alert, channel: Channel) -> bool:
        if self.sent.knows(alert.event, channel.name):
            return True
        if channel.name in self._away:
            return False
        try:
            channel.send(replace(alert, subject=self.hide(alert.subject), text=self.hide(alert.text)))
        except RpsyncError as error:
            self.failed.append(str(error))
            if isinstance(error, UnreachableError):
                # Each try at a receiver that says nothing takes its seconds, and a look has a minute.
                self._away.add(channel.name)
            return False
        self.sent.remember(alert.event, channel.name)
        self.told += 1
        return True


def _moments(cursor: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Its first look, before which it was nobody's news, and its newest; a cursor that was lost begins anew."""
    try:
        first, newest = map(datetime.fromisoformat, (cursor or "").split())
    except ValueError:
        return now, now
    return first, newest


def _news(instance: dg.DagsterInstance, record: RunRecord, first: datetime, ui_url: str) -> Alert | None:
    """What a run has to tell, unless the run before it told the same."""
    run = record.dagster_run
    if run.tags.get(_WILL_RETRY) == "true":
        # A run that Dagster starts once more has not had its last word.
        return None
    alert = alert_of(instance, run, ui_url)
    if alert is None or run.job_name == LATE_JOB or not any(tag in run.tags for tag in _BY_ITSELF):
        return alert
    series = _BACKFILL if _BACKFILL in run.tags else "dagster/partition"
    before = instance.get_run_records(
        dg.RunsFilter(
            job_name=run.job_name,
            tags={series: run.tags.get(series, "")},
            statuses=_FINISHED,
            created_before=record.create_timestamp,
        ),
        limit=_FEW,
    )
    last = next((one for one in before if one.dagster_run.tags.get(_WILL_RETRY) != "true"), None)
    if last is None or last.update_timestamp < first:
        return alert
    earlier = alert_of(instance, last.dagster_run, ui_url)
    return None if earlier is not None and earlier.kinds == alert.kinds else alert
