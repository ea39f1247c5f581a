"""Looks at every finished run once, and sends what it found through every channel, once.

Belongs here: which runs are looked at, again until every channel took the message. Does not: words (``findings``),
wires (``channels``).

Runs are asked for by time, with an overlap, not by a counting cursor: two processes that finish at one moment may
become visible in the other order. What was sent is remembered in our own database, so looking twice sends nothing.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus

from rpsync_assets.alerts.channels import Channel
from rpsync_assets.alerts.findings import Alert, alert_of
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.resources.sent_alerts import SentAlerts

OVERLAP = timedelta(minutes=10)
_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
_WILL_RETRY = "dagster/will_retry"


class UnsentError(Exception):
    """A channel did not take a message; the tick is red, and the next one tries again."""


def build_alerts_sensor(channels: list[Channel], sent: SentAlerts, ui_url: str) -> dg.SensorDefinition:
    """The sensor; on from the start, as it exists only where somebody configured a channel."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people, once, what a finished run found: failures, held guards, late days, drift at Shopify,"
        f" rows that failed at the OMS. Through: {', '.join(channel.name for channel in channels)}.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        # Its first look, before which it was nobody's news, and its newest.
        first, newest = map(datetime.fromisoformat, context.cursor.split()) if context.cursor else (now, now)
        told, failed = 0, []
        for alert in _alerts_since(context.instance, max(first, newest - OVERLAP), ui_url):
            for channel in channels:
                if sent.knows(alert.event, channel.name):
                    continue
                try:
                    channel.send(alert)
                except RpsyncError as error:
                    failed.append(str(error))
                else:
                    sent.remember(alert.event, channel.name)
                    told += 1
        if failed:
            # The cursor stays: the same runs are looked at again.
            raise UnsentError("; ".join(dict.fromkeys(failed)))
        return dg.SensorResult(
            skip_reason=f"{told} messages sent" if told else None, cursor=f"{first.isoformat()} {now.isoformat()}"
        )

    return alerts


def _alerts_since(instance: dg.DagsterInstance, since: datetime, ui_url: str) -> list[Alert]:
    records = instance.get_run_records(dg.RunsFilter(statuses=_FINISHED, updated_after=since), ascending=True)
    runs = [record.dagster_run for record in records]
    # A run that Dagster starts once more has not had its last word.
    alerts = [alert_of(instance, run, ui_url) for run in runs if run.tags.get(_WILL_RETRY) != "true"]
    return [alert for alert in alerts if alert is not None]
