"""Why Shopify's number of the product changed: what the day corrected, shop by shop, and what was off before.

Belongs here: the change. Does not: the level (``explain/shop_steps``), the arithmetic (``core/change``).
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from rpsync_assets.core.atp import NOTES
from rpsync_assets.core.change import PARTS, corrections, explained, without
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject
from rpsync_assets.explain.trace import Step, signed, some


@dataclass(frozen=True)
class DayChange:
    """What the day changed, of every key.

    Attributes:
        corrected: ``core.change.corrections``.
        now: the day's ``online_atp``.
        before: the same without what was corrected.
        parts: the full reset's rows as ``core.change.explained`` gives them.
    """

    corrected: pl.DataFrame
    now: pl.DataFrame
    before: pl.DataFrame
    parts: pl.DataFrame


def day_change(sources: Sources) -> DayChange | None:
    """What the day changed; None while a table is missing that it takes to tell."""
    return sources.once("the day's change", lambda: _day_change(sources))


def _day_change(sources: Sources) -> DayChange | None:
    plan, atp, reset = (sources.table(name) for name in ("shopify_full_reset", "online_atp", "reset_import"))
    if plan is None or atp is None or reset is None:
        return None
    corrected = corrections(reset, sources.table("variance_import"))
    return DayChange(corrected, atp, without(atp, corrected), explained(plan, atp, corrected))


def change_step(sources: Sources, subject: Subject) -> Step:
    """The full reset's change in parts that add up to it, and which shops moved the online number."""
    title = "Why Shopify's number changed"
    change = day_change(sources)
    if change is None or subject.product_id is None:
        return Step(title, ("Cannot be told: it takes the day's reset_import, online_atp and shopify_full_reset.",))
    mine = pl.col("product_id") == subject.product_id
    rows = change.parts.filter(mine, pl.col("facility_id").is_in([ONLINE_FACILITY, subject.facility_id or ""]))
    compared = rows.filter(pl.col("difference").is_not_null()).to_dicts()
    if not compared:
        return Step(title, ("It was not compared with Shopify.",))
    lines = [_parts(row) for row in compared]
    corrected = change.corrected.filter(mine)
    if corrected.height:
        shops = _by_shop(change.now.filter(mine), change.before.filter(mine), corrected)
        lines += ["Shop by shop, what each counts online:", *some(shops, 16)]
    return Step(title, tuple(lines), {"changes": rows.select(*PARTS, "role", "difference", "note").to_dicts()})


def _parts(row: dict[str, Any]) -> str:
    where = "Online" if row["role"] == "online" else f"For pick-up at {row['facility_id']}"
    if not row["difference"]:
        return f"{where}: nothing differed."
    if row["by_counts"] is None:
        return f"{where}: {signed(row['difference'])}; the OMS had no stock record of it when online_atp was made."
    parts = [f"{signed(row[part])} {words}" for part, words in PARTS.items() if row[part]]
    rule = f". A rule makes it zero: {NOTES[row['note']]}" if row["note"] and row["role"] == "online" else ""
    return f"{where}: {signed(row['difference'])} = {', '.join(parts)}{rule}."


def _by_shop(now: pl.DataFrame, before: pl.DataFrame, changed: pl.DataFrame) -> list[str]:
    """Of each shop that the day corrected: what it counted without that, and now; the channel's sum last."""
    columns = ["facility_id", "counted_in_channel", "sellable"]
    shelves = now.filter(pl.col("scope") == "facility")
    shops = (
        changed.join(shelves.select(columns), on="facility_id", how="inner")
        .join(before.select(columns), on="facility_id", how="inner", suffix="_before")
        .sort(pl.col("units").abs(), "facility_id", descending=[True, False])
    )
    lines = [
        f"{row['facility_id']}: {row['counted_in_channel_before']} -> {row['counted_in_channel']}"
        f" ({signed(row['units'])} by reset and variance)"
        for row in shops.iter_rows(named=True)
    ]
    was, is_ = (table.filter(pl.col("scope") == "channel")["sellable"].sum() for table in (before, now))
    return [*lines, f"All shops of the channel, after threshold and queue: {was} -> {is_}"]
