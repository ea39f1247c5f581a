"""What Dagster remembers of a store's last days: checks, and how long each asset took.

Belongs here: asking Dagster's instance. Does not: today's tables (``gather``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg

from rpsync_assets.partitions import unplaced

DAYS = 30


@dataclass(frozen=True)
class CheckHistory:
    """One check over the days.

    Attributes:
        outcomes: by business date, oldest first: whether it passed; None for a day without one.
        observed: by business date: the number that was seen; None where it is none.
        found: what the newest one of the day itself says.
    """

    asset: str
    name: str
    outcomes: tuple[bool | None, ...]
    observed: tuple[float | None, ...]
    passed: bool | None
    severity: str
    number: str
    threshold: str
    found: str


def days_until(day: date) -> list[date]:
    """The last days, oldest first, the day itself included."""
    return [day - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]


def checks(instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey], store: str, day: date) -> list[CheckHistory]:
    """Every check of the store's last days."""
    return [_check(instance, key, store, day) for key in keys]


def _check(instance: dg.DagsterInstance, key: dg.AssetCheckKey, store: str, day: date) -> CheckHistory:
    by_day: dict[str, Any] = {}
    # Newest first; enough for a month of all stores, several clicks a day included.
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=2000):
        event = record.event.dagster_event if record.event else None
        if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            # Planned, and its asset was stopped before it came to that.
            continue
        evaluation = event.asset_check_evaluation_data
        partition = evaluation.partition
        if partition is None or not str(partition).endswith(f"|{store}"):
            continue
        by_day.setdefault(str(partition).split("|")[0], evaluation)
    found = [by_day.get(one.isoformat()) for one in days_until(day)]
    today = found[-1]
    return CheckHistory(
        asset=key.asset_key.to_user_string(),
        name=key.name,
        outcomes=tuple(None if one is None else bool(one.passed) for one in found),
        observed=tuple(None if one is None else _number(one, "observed") for one in found),
        passed=None if today is None else bool(today.passed),
        severity="" if today is None else today.severity.value,
        number="" if today is None else _text(today, "observed"),
        threshold="" if today is None else _text(today, "threshold"),
        found="" if today is None else unplaced(today.description or "", f"{day}|{store}"),
    )


def seconds(
    instance: dg.DagsterInstance, assets: Sequence[str], store: str, day: date
) -> dict[str, list[float | None]]:
    """How long each asset took on each of the last days, oldest first; None for a day without a materialization."""
    return {name: _seconds(instance, name, store, day) for name in assets}


def _seconds(instance: dg.DagsterInstance, asset: str, store: str, day: date) -> list[float | None]:
    keys = [f"{one.isoformat()}|{store}" for one in days_until(day)]
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=keys), limit=500
    ).records
    newest: dict[str, float | None] = {}
    for record in records:
        materialization = record.asset_materialization
        if materialization is not None and materialization.partition is not None:
            newest.setdefault(str(materialization.partition), _number(materialization, "seconds"))
    return [newest.get(key) for key in keys]


def _number(told: Any, entry: str) -> float | None:
    value = told.metadata.get(entry)
    number = None if value is None else value.value
    return float(number) if isinstance(number, int | float) else None


def _text(told: Any, entry: str) -> str:
    value = told.metadata.get(entry)
    number = None if value is None else value.value
    return "" if number is None else f"{number:,}" if isinstance(number, int) else str(number)
