"""What the page's tables of numbers are made of.

Belongs here: the shape, and counting into it. Does not: pieces and their reasons (``pieces``), single rows
(``changes``), how it is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from rpsync_assets.core import cells, gtin
from rpsync_assets.core.active import EXCLUDED_REASONS
from rpsync_assets.core.publication import OUTCOMES
from rpsync_assets.explain.shop_steps import nothing_read
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.trace import counted


@dataclass(frozen=True)
class Line:
    """One number.

    Attributes:
        what: in a few words.
        number: of what the table counts.
        why: a sentence, where the words are not enough.
        total: a sum, not a part of one.
    """

    what: str
    number: float
    why: str = ""
    total: bool = False


@dataclass(frozen=True)
class Figures:
    """Numbers of one kind: a whole and its parts, or from one total to the next."""

    title: str
    lines: Sequence[Line]
    said: Sequence[str] = field(default_factory=list[str])

    @property
    def most(self) -> float:
        """What a full bar stands for."""
        return max((abs(line.number) for line in self.lines), default=0) or 1


def way(sources: Sources) -> list[Figures]:
    """From the file to Shopify, as far as the day went: rows, then keys, then numbers at Shopify."""
    return [one for one in (_file(sources), _oms(sources), _shopify(sources)) if one is not None]


def fates(sources: Sources) -> dict[str, int]:
    """How many rows of the file have which fate; empty before the filter ran."""
    table = sources.table("reset_row_accounting")
    return {} if table is None else {str(fate): int(rows) for fate, rows in table.iter_rows()}


def _file(sources: Sources) -> Figures | None:
    raw, fate = sources.raw, fates(sources)
    if raw is None:
        return None
    lines = [Line("rows in the file", raw["rows"], total=True)]
    if fate:
        dropped = sum(rows for name, rows in fate.items() if name.startswith("rejected: "))
        lines += [
            Line("of products that are not sold online", fate["inactive"], "left alone: the OMS is not told of them"),
            Line("dropped", dropped, "of products sold online, or unreadable: see below"),
            Line("kept", fate["kept"], "one count of one product in one shop each"),
        ]
    return Figures("Retail Pro's file, in rows", lines)


def _oms(sources: Sources) -> Figures | None:
    kept, parts, imported = (sources.table(name) for name in ("filtered_reset", "filtered_reset_parts", "reset_import"))
    if kept is None:
        return None
    owed, below = int(kept["owed"].sum()), kept.filter(pl.col("quantity") < 0).height
    lines = [Line("kept, to deliver", kept.height, f"{owed:,} of them owed from earlier files" if owed else "")]
    if below:
        lines.append(Line("of these counted below zero", below, "taken over as they are: Retail Pro oversold them"))
    if parts is not None:
        lines.append(
            Line("delivered to the OMS", int(parts["rows"].sum()), f"in {counted(parts.height, 'file')}", total=True)
        )
    if imported is not None:
        by_status = _counts(imported, "status")
        lines += [
            Line(f"{status} by the OMS", by_status[status], why)
            for status, why in _STATUSES.items()
            if by_status.get(status)
        ]
    if (varied := sources.table("variance_import")) is not None:
        lines.append(Line("corrected by a variance after that", varied.height))
    return Figures("At the OMS, in keys (one product in one shop)", lines)


_STATUSES = {
    "applied": "its number was another one",
    "unchanged": "its number agreed already",
    "superseded": "it had a newer count: this one was left",
    "failed": "it keeps its old number",
}


def _shopify(sources: Sources) -> Figures | None:
    plan, listed = sources.table("shopify_full_reset"), sources.table("active_products")
    if plan is None or nothing_read(sources, plan):
        return None
    by_outcome = _counts(plan, "outcome")
    lines = [Line("compared with what Shopify showed", plan.height, total=True)]
    lines += [
        Line(outcome.replace("_", " "), by_outcome[outcome], why)
        for outcome, why in OUTCOMES.items()
        if by_outcome.get(outcome)
    ]
    items, places = plan["shopify_inventory_item_id"].n_unique(), plan["shopify_location_id"].n_unique()
    said = [f"{plan.height:,} numbers are {items:,} items at up to {places} locations (online, and shops for pick-up)."]
    excluded = sources.table("excluded_products")
    if listed is not None and excluded is not None:
        published = plan.select("product_id").unique()
        never = published.join(listed, on="product_id", how="anti")
        reasons = excluded.unique("product_id").join(never, on="product_id", how="semi")
        why = [
            f"{rows}: {EXCLUDED_REASONS.get(name, name)}" for name, rows in sorted(_counts(reasons, "reason").items())
        ]
        if never.height:
            said.append(
                f"{never.height} of these products are published but never reset, as Retail Pro's count cannot be told"
                f" to be theirs: {'; '.join(why) or 'they are not on the list of the day'}."
            )
    return Figures("At Shopify, in numbers shown (one item at one location)", lines, said)


def upcas(sources: Sources) -> list[tuple[str, int, int]]:
    """What was found, in how many kept rows of the file, on how many products of the list."""
    kept, listed = sources.table("filtered_reset"), sources.table("active_products")
    if kept is None or listed is None:
        return []
    sent = cells.value(pl.col("upc_text"))
    rows = kept.select(
        digits=sent.str.len_chars(),
        number=gtin.key(pl.col("upc_text")),
        plain=sent.str.contains(r"^[0-9]+$"),
        zeros=sent.str.contains(r"^[0-9]+$") & (sent != pl.col("upca")),
    )
    products = listed.select(digits=pl.col("upca").str.len_chars(), number="gtin")
    of_file, of_list = _counts(rows.filter("plain"), "digits"), _counts(products, "digits")
    found = [
        (f"{digits} digits", of_file.get(digits, 0), of_list.get(digits, 0)) for digits in sorted({*of_file, *of_list})
    ]
    wrong = ~gtin.has_valid_check_digit(pl.col("number"))
    zeros = rows.filter(pl.col("zeros")).height
    return [
        *found,
        ("with other signs than digits, repaired", rows.filter(~pl.col("plain")).height, 0),
        ("sent with other zeros in front than the OMS writes: the same number", zeros, 0),
        (
            "with a wrong check digit: a warning, they are matched as they are",
            rows.filter(wrong).height,
            products.filter(wrong).height,
        ),
    ]


def _counts(frame: pl.DataFrame, column: str) -> Mapping[Any, int]:
    return dict(frame.group_by(column).len().iter_rows())
