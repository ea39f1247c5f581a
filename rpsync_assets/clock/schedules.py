"""The clock: what runs at which time, in whose time zone.

Belongs here: crons and zones. Does not: gates (``steps``), which are opened by data.

The times are those of the source documents (S003): the list at 01:00, the reset at 01:30, deltas every 15 minutes, each
in the store's own zone. In the night of a DST change 01:00 and 01:30 can come at once.
"""

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType

from rpsync_assets.clock.jobs import ACTIVE_PRODUCTS, AHEAD, RESET_DAY, RESET_DELIVERY, SHOPIFY_DELTAS
from rpsync_assets.clock.lateness import warn
from rpsync_assets.clock.progress import STEP, Progress, at_work
from rpsync_assets.clock.sensors import OFF, sensor_name
from rpsync_assets.clock.steps import list_key
from rpsync_assets.partitions import Slot
from rpsync_assets.settings import Settings


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Three schedules per store, in its zone; all are off until somebody switches them on."""
    return [
        schedule
        for store in settings.stores
        for schedule in (_list(settings, store), _day(settings, store), _delta(settings, store))
    ]


def _list(settings: Settings, store: str) -> dg.ScheduleDefinition:
    def compile_it(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        slot = _today(context, settings, store)
        return dg.RunRequest(partition_key=slot.key, tags={STEP: list_key(slot), **AHEAD})

    return dg.ScheduleDefinition(
        name=f"active_products_{store}",
        cron_schedule="0 1 * * *",
        execution_timezone=settings.store(store).time_zone,
        job=ACTIVE_PRODUCTS,
        description=f"{store}: compiles the day's list of active products. If that fails and a rerun may help, the"
        f" sensor {sensor_name(store)} tries it again. {OFF}",
        execution_fn=compile_it,
    )


def _day(settings: Settings, store: str) -> dg.ScheduleDefinition:
    def begin(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        slot = _today(context, settings, store)
        if context.instance_ref is None:
            # A preview: there is no record to look at.
            return dg.RunRequest(partition_key=slot.key, tags=AHEAD)
        progress = Progress(context.instance, slot)
        if busy := progress.at_work():
            return dg.SkipReason(f"{slot.key}: {busy} is at work on it")
        if progress.materialized_at("filtered_reset_parts"):
            return dg.SkipReason(f"{slot.key} has begun before")
        if not _is_running(context.instance, sensor_name(store)):
            return dg.RunRequest(partition_key=slot.key, tags=AHEAD)
        waits_for = _missing(progress, store)
        deadline = settings.store(store).deadline_of(slot.day)
        warn(context.instance, slot, waits_for, deadline)
        return dg.SkipReason(f"{slot.key} has not begun: {waits_for}. It is late from {deadline:%H:%M} on")

    return dg.ScheduleDefinition(
        name=f"reset_day_{store}",
        cron_schedule="30 1 * * *",
        execution_timezone=settings.store(store).time_zone,
        job=RESET_DAY if settings.oms.kind == "embedded" else RESET_DELIVERY,
        description=f"{store}: the day should have begun. The sensor {sensor_name(store)} begins it when its data is"
        f" there, and this says what is missing if it has not; without that sensor this begins it, ready or not. {OFF}",
        execution_fn=begin,
    )


def _delta(settings: Settings, store: str) -> dg.ScheduleDefinition:
    def bring(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # A delta compares states: the next one brings what this one would have.
        busy = at_work(context.instance, store, SHOPIFY_DELTAS.name) if context.instance_ref is not None else None
        return dg.SkipReason(f"{busy} is still at work") if busy else dg.RunRequest(partition_key=store, tags=AHEAD)

    return dg.ScheduleDefinition(
        name=f"shopify_delta_{store}",
        cron_schedule="*/15 * * * *",
        execution_timezone=settings.store(store).time_zone,
        job=SHOPIFY_DELTAS,
        description=f"{store}: brings to Shopify what changed since the last publication. {OFF}",
        execution_fn=bring,
    )


def _today(context: dg.ScheduleEvaluationContext, settings: Settings, store: str) -> Slot:
    """The business date of a tick: the store's own date when it was due, however late it is made up."""
    return Slot(context.scheduled_execution_time.astimezone(settings.store(store).zone).date(), store)


def _missing(progress: Progress, store: str) -> str:
    if progress.landed is None:
        return f"Retail Pro's file does not lie here; the page of the sensor {sensor_name(store)} says more"
    if not progress.materialized_at("active_products"):
        return "the list of active products is not compiled"
    return f"the sensor {sensor_name(store)} has not started it yet; its page says why"


def _is_running(instance: dg.DagsterInstance, sensor: str) -> bool:
    states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    return any(state.instigator_name == sensor and state.is_running for state in states)
