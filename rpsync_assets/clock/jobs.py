"""Jobs that an analyst can launch by name.

Belongs here: which assets belong to a job. Does not: when it runs (``schedules``, ``sensors``), what it does.

With the embedded OMS a day is one run, as it imports at once. HotWax imports on its own clock, and no process waits
for it: there a day is three runs, each of which ends with a file that HotWax has to take in.
"""

import dagster as dg

_DELTA = dg.AssetSelection.assets("shopify_delta")
_PREVIEW = dg.AssetSelection.assets("reset_preview")
RAW = "raw_reset_file"
AHEAD = {"dagster/priority": "10"}
"""The tag of what the clock and the sensors start: in the queue it goes before a backfill of many days."""


def _job(name: str, selection: dg.AssetSelection, description: str):
    return dg.define_asset_job(name, selection=selection, description=description, executor_def=dg.in_process_executor)


LANDING = _job(
    "raw_file_landing",
    dg.AssetSelection.assets(RAW),
    "Fetch a store's file from Retail Pro and keep it as received. Nothing is delivered.",
)
ACTIVE_PRODUCTS = _job(
    "active_products_list",
    dg.AssetSelection.assets("active_products"),
    "Compile the list of products that a store sells online.",
)
RESET_DAY = _job(
    "reset_day",
    dg.AssetSelection.all() - _DELTA - _PREVIEW,
    "The whole day of one store: filter Retail Pro's file, reset the OMS, take the variance back out, and bring"
    " Shopify to what may be sold. Where HotWax is the OMS it stops at the import that is not finished: use the three"
    " jobs reset_delivery, variance_delivery and shopify_reset.",
)
RESET_DELIVERY = _job(
    "reset_delivery",
    dg.AssetSelection.assets("filtered_reset_parts").upstream(),
    "The day's first part where HotWax is the OMS: filter Retail Pro's file and deliver the reset.",
)
VARIANCE_DELIVERY = _job(
    "variance_delivery",
    dg.AssetSelection.assets("reset_import", "unreported_shipments", "variance_file"),
    "The day's second part, once HotWax has imported the reset: deliver the variance of what it accepted.",
)
SHOPIFY_RESET = _job(
    "shopify_reset",
    dg.AssetSelection.assets(
        *("variance_import", "online_atp", "shopify_feed", "shopify_full_reset", "pos_sales", "daily_sync_report")
    ),
    "The day's third part, once HotWax has imported the variance: compare all of Shopify with what may be sold.",
)
SHOPIFY_DELTAS = _job(
    "shopify_deltas",
    _DELTA,
    "What changed for Shopify since the last publication, for one store.",
)
REPLAY = _job(
    "replay_day",
    dg.AssetSelection.assets("variance_import").upstream(),
    "A past day again, from the kept file to the OMS's receipt for the variance; Shopify is left alone. The same rows"
    " are not sent again; other rows of a day that was delivered go out only if filtered_reset_parts and variance_file"
    " are told why in the run's configuration (replay).",
)
DRY_RUN_DAY = _job(
    "dry_run_day",
    _PREVIEW | dg.AssetSelection.assets(RAW, "active_products", "filtered_reset", "unreported_shipments"),
    "What the day of one store would change at the OMS and at Shopify, by how much; delivers nothing.",
)
INITIAL_LOAD = dg.define_asset_job(
    "initial_load",
    selection=dg.AssetSelection.assets("filtered_reset_parts").upstream(),
    config={"ops": {"filtered_reset_parts": {"config": {"initial_load": True}}}},
    description="The first import of a store that has no history: a full file, all keys. Refused for a store that has"
    " some. The rest of the day follows by the store's sensor, or materialize it once the OMS has imported.",
    executor_def=dg.in_process_executor,
)
JOBS = (
    LANDING,
    ACTIVE_PRODUCTS,
    RESET_DAY,
    RESET_DELIVERY,
    VARIANCE_DELIVERY,
    SHOPIFY_RESET,
    SHOPIFY_DELTAS,
    REPLAY,
    DRY_RUN_DAY,
    INITIAL_LOAD,
)
