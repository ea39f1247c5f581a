"""The graph, thin: fetch through a resource, call core, write, return what the analyst sees.

Belongs here: assets. Does not: rules (``core/``), connections (``resources/``), jobs and schedules (``clock/``).

    retail_pro   raw_reset_file
    hotwax       active_products, reset_import, variance_import, online_atp, pos_sales
    reset        filtered_reset, filtered_reset_parts, reset_preview (a dry run)
    variance     unreported_shipments, variance_file
    report       daily_sync_report
    shopify      shopify_feed, shopify_full_reset, shopify_delta
"""

from rpsync_assets.assets.blueprint import Blueprint
from rpsync_assets.assets.hotwax import active_products, online_atp, pos_sales, reset_import, variance_import
from rpsync_assets.assets.preview import reset_preview
from rpsync_assets.assets.report import daily_sync_report
from rpsync_assets.assets.reset import filtered_reset
from rpsync_assets.assets.reset_parts import filtered_reset_parts
from rpsync_assets.assets.retail_pro import raw_reset_file
from rpsync_assets.assets.shopify import shopify_delta, shopify_feed, shopify_full_reset
from rpsync_assets.assets.variance import unreported_shipments, variance_file

ALL: tuple[Blueprint, ...] = (
    raw_reset_file,
    active_products,
    filtered_reset,
    filtered_reset_parts,
    reset_preview,
    reset_import,
    unreported_shipments,
    variance_file,
    variance_import,
    online_atp,
    shopify_feed,
    shopify_full_reset,
    pos_sales,
    daily_sync_report,
    shopify_delta,
)
