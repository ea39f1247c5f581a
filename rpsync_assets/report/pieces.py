"""The day in pieces: what each system's numbers changed by, and why, to the piece.

Belongs here: sums that add up. Does not: single rows (``changes``), numbers of rows (``figures``).
"""

from dataclasses import replace

import polars as pl

from rpsync_assets.core import taken_back
from rpsync_assets.core.change import MEANINGS, PARTS
from rpsync_assets.core.keys import KEY
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.trace import counted
from rpsync_assets.report.figures import Figures, Line


def at_oms(sources: Sources) -> Figures | None:
    """By how much reset and variance changed the OMS."""
    reset, varied = sources.table("reset_import"), sources.table("variance_import")
    if reset is None:
        return None
    up, down = (reset.filter(way) for way in (pl.col("difference") > 0, pl.col("difference") < 0))
    lines = [
        Line("the reset raised", int(up["difference"].sum()), counted(up.height, "key")),
        Line("the reset lowered", int(down["difference"].sum()), counted(down.height, "key")),
    ]
    if varied is not None:
        lines.append(Line("the variance took back", int(varied["applied"].sum()), counted(varied.height, "key")))
    lines.append(Line("change at the OMS", sum(line.number for line in lines), total=True))
    moved = int(reset["moved_since_snapshot"].sum())
    kept = f"Sold, shipped or received between count and import: {moved:+,d} pieces. The reset has kept them; the sales"
    said = [f"{kept} of a day stand in pos_sales of the day on which they were sold."] if moved else []
    return Figures("At the OMS, in pieces", lines, said)


def shipments(sources: Sources) -> pl.DataFrame | None:
    """Every shipped line that Retail Pro was not told of, with its ``fate``; None where that cannot be told yet."""
    shipped, asked, raw = sources.table("unreported_shipments"), sources.table("variance_file"), sources.raw
    if shipped is None or asked is None or raw is None:
        return None
    older = sources.table("unreported_shipments_of_owed_keys")
    everything = shipped if older is None else pl.concat([shipped, older]).unique(maintain_order=True)
    names = ("active_products", "filtered_reset", "rejected_reset_rows", "reset_import")
    day = {name: table for name in names if (table := sources.table(name)) is not None}
    return taken_back.fates(everything, asked, raw["snapshot_at"], day)


def from_shipped_to_taken_back(sources: Sources, shipped: pl.DataFrame | None) -> Figures | None:
    """From the pieces that Retail Pro was not told of to those that the OMS took out."""
    asked, done = sources.table("variance_file"), sources.table("variance_import")
    if shipped is None or asked is None:
        return None
    units = dict(shipped.group_by("fate").agg(pl.col("quantity").sum()).iter_rows())
    orders = shipped["order_id"].n_unique()
    lines = [
        Line(
            "shipped, and Retail Pro was not told when it counted",
            sum(units.values()),
            f"{counted(shipped.height, 'line')} of {counted(orders, 'order')}",
            total=True,
        )
    ]
    lines += [Line("not asked back", -units[fate], why) for fate, why in taken_back.LEFT.items() if units.get(fate)]
    of_orders = -int(asked["orders_part"].sum())
    if of_orders != units.get(taken_back.ASKED, 0):
        rest = of_orders - units.get(taken_back.ASKED, 0)
        lines.append(Line("asked for an earlier count of the day", rest, "its shipments are not listed any more"))
    window = int(asked["window_part"].sum())
    if window:
        lines.append(Line("movements that the import overwrote", -window, "HotWax's import compares when it runs"))
    wanted = -int(asked["available_delta"].sum())
    lines.append(Line("the variance asks back", wanted, counted(asked.height, "key"), total=True))
    if done is not None:
        last = done.unique(KEY, keep="last").join(asked, on=KEY, how="semi")
        short = last.group_by("status").agg((pl.col("requested") - pl.col("applied").fill_null(0)).sum())
        lines += [
            Line(f"{status} by the OMS", int(left), "see the largest variances")
            for status, left in short.sort("status").iter_rows()
            if left
        ]
        waiting = asked.join(last, on=KEY, how="anti")
        if waiting.height:
            lines.append(
                Line("not imported yet", int(waiting["available_delta"].sum()), counted(waiting.height, "key"))
            )
        lines.append(Line("the OMS took out", -int(last["applied"].sum()), total=True))
    return Figures("Shipped and not told to Retail Pro, in pieces", lines)


def at_shopify(plan: pl.DataFrame | None) -> list[Figures]:
    """From what Shopify showed to what it should show, by role of the location: ``core.change.explained``."""
    if plan is None:
        return []
    of_roles = [
        _of_role(role, rows)
        for role in ("online", "pickup")
        if (rows := plan.filter(pl.col("role") == role, pl.col("difference").is_not_null())).height
    ]
    meanings = [f"{PARTS[part].capitalize()}: {meaning}." for part, meaning in MEANINGS.items()]
    return [*of_roles[:-1], *(replace(last, said=meanings) for last in of_roles[-1:])]


def _of_role(role: str, rows: pl.DataFrame) -> Figures:
    lines = [Line("Shopify showed", int(rows["shopify_available"].sum()), total=True)]
    if rows["by_counts"].null_count() == 0:
        lines += [Line(name, int(rows[part].sum())) for part, name in PARTS.items()]
    else:
        lines.append(Line("change", int(rows["difference"].sum()), "of some items the reason cannot be told"))
    lines.append(Line("Shopify should show", int(rows["target"].sum()), total=True))
    held = rows.filter(pl.col("outcome") == "held")
    if held.height:
        waits = f"{held.height} increases wait until the variance of the key's reset is in the OMS"
        lines.append(Line("held back", -int(held["difference"].sum()), waits))
    where = "the online location" if role == "online" else "the shops' own locations, for pick-up"
    return Figures(f"At Shopify, {where}, in pieces", lines)
