"""One page per store and day, for whoever reviews it.

Belongs here: daily_sync_report. Does not: what is on the page (``report/``).
"""

import warnings
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from rpsync_assets import links
from rpsync_assets.assets.blueprint import asset
from rpsync_assets.core.keys import MOMENT
from rpsync_assets.explain.sources import opened
from rpsync_assets.partitions import Slot, build_partitions
from rpsync_assets.report.gather import gather
from rpsync_assets.report.history import checks, seconds
from rpsync_assets.report.page import render
from rpsync_assets.resources.private import promoted
from rpsync_assets.settings import Settings

ASSETS = (
    "raw_reset_file",
    "active_products",
    "filtered_reset",
    "filtered_reset_parts",
    "reset_import",
    "unreported_shipments",
    "variance_file",
    "variance_import",
    "online_atp",
    "shopify_feed",
    "shopify_full_reset",
    "pos_sales",
)
SCHEMA = {
    "file_name": pl.String,
    "bytes": pl.Int64,
    "checks_passed": pl.Int64,
    "checks_not_passed": pl.Int64,
    "verdict": pl.String,
    "made_at": MOMENT,
}


@asset(group="report", kinds={"html"}, deps=("shopify_full_reset", "pos_sales"), last=True)
def daily_sync_report(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[pl.DataFrame]:
    """One page to review the day: from the file to Shopify, checks with history, what was dropped, varied and changed.

    A single HTML file that needs no network and prints well; the complete lists lie beside it as CSV files. It shows
    whatever there is, also of a day that stands still, and says what is missing: materialize it alone for such a day.
    """
    slot = Slot.of(context)
    history = checks(context.instance, _check_keys(settings), slot.store, slot.day)
    with opened(settings, slot.store, slot.day) as sources:
        day = gather(sources, ASSETS, history)
    url = settings.reports_url
    page = render(
        day,
        history,
        seconds(context.instance, ASSETS, slot.store, slot.day),
        pages_url=url,
    )
    path = settings.data_dir / "reports" / slot.day.isoformat() / f"{slot.store}.html"
    # The lists first: the page links them.
    for name, content in [*day.files.values(), (path.name, page.encode())]:
        with promoted(path.parent / name) as handle:
            handle.write(content)
    passed = [check.passed for check in history if check.passed is not None]
    table = pl.DataFrame(
        [
            {
                "file_name": str(path),
                "bytes": len(page.encode()),
                "checks_passed": sum(passed),
                "checks_not_passed": len(passed) - sum(passed),
                "verdict": day.heading,
                "made_at": datetime.now(UTC),
            }
        ],
        schema=SCHEMA,
    )
    link = links.report(settings, slot.day, slot.store)
    return dg.MaterializeResult(
        value=table,
        metadata={
            "dagster/row_count": table.height,
            "verdict": day.heading,
            "bytes": len(page.encode()),
            "checks passed": sum(passed),
            "checks not passed": len(passed) - sum(passed),
            # What opens with a click, if anybody serves it; else where it lies.
            "report": dg.MetadataValue.path(str(path)) if link is None else dg.MetadataValue.url(link),
            **({} if link is None else {"report file": dg.MetadataValue.path(str(path))}),
        },
    )


def _check_keys(settings: Settings) -> list[dg.AssetCheckKey]:
    """The checks of the day's assets, in their order; a run of this asset alone does not know the others' checks."""
    # These assemble the graph that this asset is part of.
    from rpsync_assets.assets import ALL  # noqa: PLC0415
    from rpsync_assets.checks import build_checks  # noqa: PLC0415
    from rpsync_assets.clock.lateness import build_lateness_checks  # noqa: PLC0415

    partitions = build_partitions(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        stored = [*build_checks(partitions, settings.retries), *build_lateness_checks(partitions)]
    keys = [dg.AssetCheckKey(dg.AssetKey(one.name), check) for one in ALL for check in one.checks]
    keys += [key for definition in stored for key in definition.check_keys]
    order = {name: number for number, name in enumerate(ASSETS)}
    return sorted(
        (key for key in keys if key.asset_key.to_user_string() in order),
        key=lambda key: (order[key.asset_key.to_user_string()], key.name),
    )
