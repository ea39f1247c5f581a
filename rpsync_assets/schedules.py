"""Jobs an analyst can launch by name, and the clock.

Belongs here: which assets belong to a job, when it runs, in whose time zone. Does not: what a job does.

The times are those of the source documents (S003): the list at 01:00, the reset at 01:30, deltas every 15 minutes, each
in the store's own zone. The 01:30 run compiles the list anew: in the night of a DST change both ticks can come at once,
and a product published in between must not be dropped.
"""

from zoneinfo import ZoneInfo

import dagster as dg

from rpsync_assets.partitions import Slot
from rpsync_assets.settings import Settings

_DELTA = dg.AssetSelection.assets("shopify_delta")
_PREVIEW = dg.AssetSelection.assets("reset_preview")

ACTIVE_PRODUCTS = dg.define_asset_job(
    "active_products_list",
    selection=dg.AssetSelection.assets("active_products"),
    description="Compile the list of products that a store sells online.",
    executor_def=dg.in_process_executor,
)
RESET_DAY = dg.define_asset_job(
    "reset_day",
    selection=dg.AssetSelection.all() - _DELTA - _PREVIEW,
    description="The whole day of one store: filter Retail Pro's file, reset the OMS, take the variance back out, and"
    " compute what Shopify should show.",
    executor_def=dg.in_process_executor,
)
SHOPIFY_DELTAS = dg.define_asset_job(
    "shopify_deltas",
    selection=_DELTA,
    description="What changed for Shopify since the last publication, for one store.",
    executor_def=dg.in_process_executor,
)
DRY_RUN_DAY = dg.define_asset_job(
    "dry_run_day",
    selection=_PREVIEW
    | dg.AssetSelection.assets("raw_reset_file", "active_products", "filtered_reset", "unreported_shipments"),
    description="What the day of one store would change at the OMS and at Shopify, by how much; delivers nothing.",
    executor_def=dg.in_process_executor,
)
JOBS = (ACTIVE_PRODUCTS, RESET_DAY, SHOPIFY_DELTAS, DRY_RUN_DAY)


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Three schedules per store, in its zone; all are off until somebody switches them on."""
    return [
        schedule
        for store, its in settings.stores.items()
        for schedule in (
            _daily(f"active_products_{store}", "0 1 * * *", ACTIVE_PRODUCTS, store, its.zone),
            _daily(f"reset_day_{store}", "30 1 * * *", RESET_DAY, store, its.zone),
            dg.ScheduleDefinition(
                name=f"shopify_delta_{store}",
                cron_schedule="*/15 * * * *",
                execution_timezone=its.time_zone,
                job=SHOPIFY_DELTAS,
                description=f"{store}, every 15 minutes.",
                execution_fn=lambda _context, store=store: dg.RunRequest(partition_key=store),
            ),
        )
    ]


def _daily(name: str, cron: str, job: object, store: str, zone: ZoneInfo) -> dg.ScheduleDefinition:
    def of_today(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        today = context.scheduled_execution_time.astimezone(zone).date()
        return dg.RunRequest(partition_key=Slot(today, store).key)

    return dg.ScheduleDefinition(
        name=name,
        cron_schedule=cron,
        execution_timezone=zone.key,
        job=job,  # type: ignore[arg-type]
        description=f"{store}, every day in its own time zone ({zone.key}).",
        execution_fn=of_today,
    )
