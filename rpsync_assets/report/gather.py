"""What the page says, from tables, state and Dagster's record.

Belongs here: choosing and counting. Does not: drawing, words of the page (``page.html.j2``).

Whatever is missing is told as missing: a page of a day that stands still is the page that somebody needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from rpsync_assets.core.reset import REASONS
from rpsync_assets.explain.explain import explain
from rpsync_assets.explain.shop_steps import nothing_read
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.trace import Trace
from rpsync_assets.report.history import CheckHistory

MOST = 10
TRACES = 4
"""Keys of each kind whose whole life stands in the page; a command explains any other."""

_MOVED = pl.col("outcome").is_in(["up", "down"])


@dataclass(frozen=True)
class Key:
    """A key that a row of the page is about."""

    facility: str
    upc: str


@dataclass
class Day:
    """Everything on the page."""

    store: str
    day: str
    heading: str
    sentences: list[str]
    funnel: list[tuple[str, int]]
    rejected: list[tuple[str, int, str]]
    rejected_rows: list[dict[str, Any]]
    variances: list[dict[str, Any]]
    movers: list[dict[str, Any]]
    published: list[dict[str, Any]]
    stops: list[dict[str, Any]]
    missing: list[str]
    traces: dict[Key, Trace] = field(default_factory=dict[Key, Trace])


def gather(sources: Sources, assets: Sequence[str], checks: Sequence[CheckHistory]) -> Day:
    """The day of a store.

    Args:
        sources: store and day.
        assets: names of the day's assets, in order.
        checks: the day's checks.
    """
    stops = sources.table("stops")
    day = Day(
        store=sources.store,
        day=str(sources.day),
        heading=_heading(checks, [] if stops is None else stops.to_dicts()),
        sentences=_sentences(sources),
        funnel=_funnel(sources),
        rejected=_rejected(sources),
        rejected_rows=_rows(sources, "rejected_reset_rows", MOST),
        variances=_variances(sources),
        movers=_movers(sources),
        published=_published(sources),
        stops=[] if stops is None else stops.to_dicts(),
        missing=[name for name in assets if sources.table(name) is None],
    )
    for key in _worth_explaining(day):
        day.traces[key] = explain(sources, key.facility, key.upc)
    return day


def _heading(checks: Sequence[CheckHistory], stops: Sequence[Mapping[str, Any]]) -> str:
    if stops:
        return f"The day stands still at {stops[0]['asset']}"
    red = [check.name for check in checks if check.passed is False and check.severity == "ERROR"]
    seen = [check for check in checks if check.passed is not None]
    if not seen:
        return "Nothing has happened yet"
    return f"{len(red)} of {len(seen)} checks did not pass" if red else f"All {len(seen)} checks passed"


def _sentences(sources: Sources) -> list[str]:
    """The day in a few sentences: the file, the reset, the variance after it, Shopify."""
    told: list[str] = []
    if (raw := sources.raw) is not None:
        told.append(f"Retail Pro's file {raw['file_name']} was counted at {sources.at(raw['snapshot_at'])}.")
    imported, varied = sources.table("reset_import"), sources.table("variance_import")
    at = None if imported is None or imported.is_empty() else imported["imported_at"].max()
    if at is not None and imported is not None:
        logs = ", ".join(imported["log_id"].unique().sort().to_list())
        told.append(f"The OMS imported the reset at {sources.at(at)} (import log {logs}).")  # type: ignore[arg-type]
    if varied is not None and varied.height:
        logs = ", ".join(varied["log_id"].unique().sort().to_list())
        after = varied["imported_at"].min()
        told.append(
            f"The variance went after it, at {sources.at(after)} (import log {logs}): {varied.height} keys,"  # type: ignore[arg-type]
            f" {int(varied['applied'].sum()):+d} units."
        )
    elif varied is not None:
        told.append("No variance was needed: Retail Pro had been told of every shipment of these keys.")
    plan = sources.table("shopify_full_reset")
    if plan is not None and nothing_read(sources, plan):
        told.append("Publishing to Shopify is off for this store: nothing was read there and nothing was sent.")
    elif plan is not None:
        moved = plan.filter(_MOVED)
        sent = _sent(sources)
        up, down = (moved.filter(pl.col("outcome") == way).height for way in ("up", "down"))
        what = f"{plan.height} items were compared with Shopify: {up} up, {down} down"
        told.append(
            f"{what}; {sent} were sent." if sent or not moved.height else f"{what}; nothing was sent (dry run)."
        )
    return told


def _sent(sources: Sources) -> int:
    publications, run = sources.publications, sources.run_id("shopify_full_reset")
    return 0 if publications is None or run is None else publications.applied_by(run)


def _funnel(sources: Sources) -> list[tuple[str, int]]:
    """From the file to Shopify, as far as the day went."""
    steps: list[tuple[str, int | None]] = []
    raw, fates = sources.raw, dict(_pairs(sources.table("reset_row_accounting")))
    steps += [("rows of the file", None if raw is None else raw["rows"])]
    steps += [("of products sold online, or unreadable", _less(fates, "lines", "inactive"))]
    steps += [("kept", fates.get("kept"))]
    steps += [("to deliver, owed ones included", _height(sources.table("filtered_reset")))]
    parts = sources.table("filtered_reset_parts")
    steps += [("delivered to the OMS", None if parts is None else int(parts["rows"].sum()))]
    imported = sources.table("reset_import")
    accepted = None if imported is None else imported.filter(pl.col("status").is_in(["applied", "unchanged"])).height
    steps += [("accepted by the OMS", accepted)]
    varied = sources.table("variance_import")
    steps += [("corrected by a variance", _height(varied))]
    plan = sources.table("shopify_full_reset")
    plan = None if plan is None or nothing_read(sources, plan) else plan
    steps += [("items compared with Shopify", _height(plan))]
    steps += [("items that differed there", None if plan is None else plan.filter(_MOVED).height)]
    return [(name, number) for name, number in steps if number is not None]


def _rejected(sources: Sources) -> list[tuple[str, int, str]]:
    fates = dict(_pairs(sources.table("reset_row_accounting")))
    found = [(reason, fates.get(f"rejected: {reason}", 0), why) for reason, why in REASONS.items()]
    return sorted([one for one in found if one[1]], key=lambda one: -one[1])


def _variances(sources: Sources) -> list[dict[str, Any]]:
    """The largest, each with its orders and what the OMS did."""
    asked, done = sources.table("variance_file"), sources.table("variance_import")
    shipped = sources.table("unreported_shipments")
    if asked is None or shipped is None:
        return []
    key = ["facility_id", "product_id"]
    orders = shipped.group_by(*key, "snapshot_at").agg(
        order_names=pl.coalesce("order_name", "order_id").unique().sort().head(5).str.join(", ")
    )
    worst = asked.sort(pl.col("available_delta").abs(), descending=True).head(MOST)
    found = worst.join(orders, on=[*key, "snapshot_at"], how="left", maintain_order="left")
    if done is not None:
        last = done.unique(key, keep="last").select(*key, "status", "applied")
        found = found.join(last, on=key, how="left", maintain_order="left")
    return found.to_dicts()


def _movers(sources: Sources) -> list[dict[str, Any]]:
    imported = sources.table("reset_import")
    if imported is None:
        return []
    moved = imported.filter(pl.col("difference").fill_null(0) != 0)
    return moved.sort(pl.col("difference").abs(), descending=True).head(MOST).to_dicts()


def _published(sources: Sources) -> list[dict[str, Any]]:
    plan = sources.table("shopify_full_reset")
    if plan is None:
        return []
    moved = plan.filter(_MOVED).sort(pl.col("difference").abs(), descending=True).head(MOST)
    names = sources.table("active_products")
    if names is not None:
        moved = moved.join(
            names.select("product_id", "sku", "upca"), on="product_id", how="left", maintain_order="left"
        )
    return moved.to_dicts()


def _worth_explaining(day: Day) -> list[Key]:
    of_oms = [
        Key(row["facility_id"], row["upca"])
        for rows in (day.movers, day.variances)
        for row in rows[:TRACES]
        if row["upca"]
    ]
    of_file = [Key(row["store_code"], row["upc_text"]) for row in day.rejected_rows[:TRACES] if row["upc_text"].strip()]
    return list(dict.fromkeys([*of_oms, *of_file]))


def _rows(sources: Sources, name: str, most: int) -> list[dict[str, Any]]:
    """Some rows of every reason, not the first ones of one."""
    table = sources.table(name)
    if table is None or table.is_empty():
        return []
    each = table.group_by("reason", maintain_order=True).head(max(1, most // table["reason"].n_unique()))
    return each.sort("reason", "line_number").head(2 * most).to_dicts()


def _pairs(table: pl.DataFrame | None) -> list[tuple[str, int]]:
    return [] if table is None else [(str(fate), int(rows)) for fate, rows in table.iter_rows()]


def _height(table: pl.DataFrame | None) -> int | None:
    return None if table is None else table.height


def _less(fates: Mapping[str, int], whole: str, part: str) -> int | None:
    return fates[whole] - fates[part] if whole in fates and part in fates else None
