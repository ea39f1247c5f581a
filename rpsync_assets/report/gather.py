"""What the page says, from tables, state and Dagster's record.

Belongs here: putting a day's page together, and its first sentences. Does not: counting (``figures``, ``pieces``),
rows (``changes``), drawing, words of the page (``page.html.j2``).

Whatever is missing is told as missing: a page of a day that stands still is the page that somebody needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from rpsync_assets.core.reset import REASONS
from rpsync_assets.core.taken_back import ASKED, LEFT
from rpsync_assets.explain.explain import explain
from rpsync_assets.explain.shop_steps import nothing_read
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.trace import Trace, counted
from rpsync_assets.report import changes, figures, lists, pieces
from rpsync_assets.report.changes import MOVED
from rpsync_assets.report.figures import Figures
from rpsync_assets.report.history import CheckHistory

MOST = 10
MOST_OF_A_REASON = 20
TRACES = 3
"""Keys of each kind whose whole life stands in the page; a command explains any other."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Key:
    """A key that a row of the page is about."""

    facility: str
    upc: str


@dataclass(frozen=True)
class Reason:
    """Why rows were dropped, and the first of them."""

    name: str
    meaning: str
    count: int
    rows: Rows


@dataclass
class Day:
    """Everything on the page."""

    store: str
    day: str
    made_at: str
    heading: str
    sentences: list[str]
    way: list[Figures]
    upcas: list[tuple[str, int, int]]
    bridges: list[Figures]
    shopify_bridges: list[Figures]
    inactive: int
    reasons: list[Reason]
    left: Rows
    variances: Rows
    movers: Rows
    published: list[tuple[str, Rows]]
    deltas: tuple[str, Rows]
    stops: Rows
    missing: list[str]
    traces: dict[Key, Trace]
    files: dict[str, tuple[str, bytes]]


def gather(sources: Sources, assets: Sequence[str], checks: Sequence[CheckHistory]) -> Day:
    """The day of a store.

    Args:
        sources: store and day.
        assets: names of the day's assets, in order.
        checks: the day's checks.
    """
    stops = sources.table("stops")
    stopped = [] if stops is None else stops.to_dicts()
    dropped, shipped = changes.dropped(sources), pieces.shipments(sources)
    reset, variance, plan = changes.by_reset(sources), changes.by_variance(sources), changes.published(sources)
    deltas = changes.published_since(sources)
    tables = {
        "dropped_rows": dropped,
        "unreported_shipments": shipped,
        "changes_at_the_oms": reset,
        "variances": variance,
        "changes_at_shopify": None if plan is None else plan.filter(pl.col("outcome") != "unchanged"),
        "deltas": deltas,
    }
    movers, variances, published = _top(reset), _top(variance), _published(sources, plan)
    reasons = _reasons(dropped)
    bridges = [pieces.from_shipped_to_taken_back(sources, shipped), pieces.at_oms(sources)]
    return Day(
        store=sources.store,
        day=str(sources.day),
        made_at=sources.at(datetime.now(UTC)),
        heading=_heading(checks, stopped),
        sentences=_sentences(sources, shipped),
        way=figures.way(sources),
        upcas=figures.upcas(sources),
        bridges=[one for one in bridges if one is not None],
        shopify_bridges=pieces.at_shopify(plan),
        inactive=figures.fates(sources).get("inactive", 0),
        reasons=reasons,
        left=_left(shipped),
        variances=variances,
        movers=movers,
        published=published,
        deltas=_deltas(sources, deltas),
        stops=stopped,
        missing=[name for name in assets if sources.table(name) is None],
        traces={
            key: explain(sources, key.facility, key.upc)
            for key in _worth_explaining([movers, variances, *(rows for _, rows in published)], reasons)
        },
        files=lists.as_files(sources.store, tables),
    )


def _heading(checks: Sequence[CheckHistory], stops: Sequence[Mapping[str, Any]]) -> str:
    if stops:
        return f"The day stands still at {stops[0]['asset']}"
    red = [check.name for check in checks if check.passed is False and check.severity == "ERROR"]
    seen = [check for check in checks if check.passed is not None]
    if not seen:
        return "Nothing has happened yet"
    return f"{len(red)} of {len(seen)} checks did not pass" if red else f"All {len(seen)} checks passed"


def _sentences(sources: Sources, shipped: pl.DataFrame | None) -> list[str]:
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
            f"The variance went after it, at {sources.at(after)} (import log {logs}): {counted(varied.height, 'key')},"  # type: ignore[arg-type]
            f" {int(varied['applied'].sum()):+d} pieces{_of_shipped(shipped)}."
        )
    elif varied is not None:
        told.append("No variance was needed: Retail Pro had been told of every shipment of these keys.")
    plan = sources.table("shopify_full_reset")
    if plan is not None and nothing_read(sources, plan):
        told.append("Publishing to Shopify is off for this store: nothing was read there and nothing was sent.")
    elif plan is not None:
        moved = plan.filter(MOVED)
        up, down = (moved.filter(pl.col("outcome") == way).height for way in ("up", "down"))
        items = plan["shopify_inventory_item_id"].n_unique()
        what = f"{plan.height:,} numbers of {items:,} items were compared with Shopify: {up:,} up, {down:,} down"
        sent = _sent(sources)
        told.append(
            f"{what}; {sent:,} were sent." if sent or not moved.height else f"{what}; nothing was sent (dry run)."
        )
    return told


def _of_shipped(shipped: pl.DataFrame | None) -> str:
    """How many pieces were shipped unreported, and how many of them stay."""
    if shipped is None or shipped.is_empty():
        return ""
    left = int(shipped.filter(pl.col("fate") != ASKED)["quantity"].sum())
    told = f", of {int(shipped['quantity'].sum())} shipped that Retail Pro was not told of"
    return f"{told}; {left} {'was' if left == 1 else 'were'} not asked back, see below why" if left else told


def _sent(sources: Sources) -> int:
    publications, run = sources.publications, sources.run_id("shopify_full_reset")
    return 0 if publications is None or run is None else publications.applied_by(run)


def _reasons(dropped: pl.DataFrame | None) -> list[Reason]:
    """The most frequent first, each with its first rows: of conflicting lines both."""
    if dropped is None:
        return []
    of_reason = {str(name): rows for (name,), rows in dropped.partition_by("reason", as_dict=True).items()}
    found = [
        Reason(name, REASONS.get(name, name), rows.height, rows.head(MOST_OF_A_REASON).to_dicts())
        for name, rows in of_reason.items()
    ]
    return sorted(found, key=lambda one: -one.count)


def _left(shipped: pl.DataFrame | None) -> Rows:
    if shipped is None:
        return []
    left = shipped.filter(pl.col("fate") != ASKED)
    return [{**row, "why": LEFT[row["fate"]]} for row in left.head(MOST_OF_A_REASON).to_dicts()]


def _top(table: pl.DataFrame | None) -> Rows:
    return [] if table is None else table.head(MOST).to_dicts()


def _published(sources: Sources, plan: pl.DataFrame | None) -> list[tuple[str, Rows]]:
    """The biggest ups and downs, online and for pick-up apart, each with the facility whose story tells most."""
    if plan is None:
        return []
    found: list[tuple[str, Rows]] = []
    for role, where in (("online", "online"), ("pickup", "for pick-up")):
        for way in ("down", "up"):
            rows = plan.filter(pl.col("role") == role, pl.col("outcome") == way).head(MOST)
            stories = zip(rows.to_dicts(), changes.story_places(sources, rows), strict=True)
            found.append((f"{way.capitalize()}, {where}", [{**row, "story": place} for row, place in stories]))
    return [one for one in found if one[1]]


def _deltas(sources: Sources, sent: pl.DataFrame | None) -> tuple[str, Rows]:
    if sent is None or sent.is_empty():
        return "Nothing was sent by another publication of this day until this page was made.", []
    runs = sent.group_by("run_id", maintain_order=True).agg(pl.col("written_at").first(), pl.len())
    when = ", ".join(f"{sources.at(at)}: {rows:,}" for _, at, rows in runs.tail(MOST).iter_rows())
    largest = sent.sort(pl.col("difference").abs(), descending=True, nulls_last=True).head(MOST).to_dicts()
    told = f"{counted(sent.height, 'change')} in {counted(runs.height, 'publication')}"
    said = f"{told} until this page was made ({when})."
    return said, [{**row, "at": sources.at(row["written_at"])} for row in largest]


def _worth_explaining(groups: Sequence[Rows], reasons: Sequence[Reason]) -> list[Key]:
    """The first rows of each table; ``story`` goes before ``facility_id`` where a row is about an online number."""
    found = [
        Key(row.get("story") or row["facility_id"], row["upca"])
        for rows in groups
        for row in rows[:TRACES]
        if row["upca"] and (row.get("story") or row["facility_id"])
    ]
    dropped = [
        Key(row["store_code"], row["upc_text"])
        for reason in reasons
        for row in reason.rows[:1]
        if row["upc_text"].strip()
    ]
    return list(dict.fromkeys([*found, *dropped]))
