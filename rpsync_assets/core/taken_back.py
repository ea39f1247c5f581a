"""Which unreported shipments the day's variance takes back, and why it leaves the others.

Belongs here: one word per shipped line. Does not: the variance itself (``core/variance``).

A piece is taken back only where the day's reset brought it in: a count that never reached the OMS has raised nothing.
"""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from rpsync_assets.core import gtin
from rpsync_assets.core.keys import KEY, RESET_ROW
from rpsync_assets.core.reset import REASONS, facility_key

ASKED = "asked"
"""The variance file asks for it."""

_NOT_YET = "its reset was accepted and the variance file has no row of it: still to come, or made up for by movements \
that the import overwrote"
LEFT = {
    "not_listed": "the product is not on the day's list of products sold online, so no count of it was delivered",
    "failed": "the OMS refused the key's reset row and keeps its old number",
    "superseded": "the OMS had a newer count of the key and left this one",
    "accepted": _NOT_YET,
    "kept": "the key's count was kept, and the OMS has not imported it",
    **{reason: f"its line in the file was dropped: {why}" for reason, why in REASONS.items()},
    "no_line": "the file has no line of this key, so its number at the OMS was not raised",
}
"""Why a shipped line is not taken back: nothing of it was brought in, or not yet."""


def fates(
    shipped: pl.DataFrame, asked: pl.DataFrame, counted_at: datetime, day: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """The shipped lines that the day is about, each with its ``fate``: ``ASKED`` or one of ``LEFT``.

    Args:
        shipped: ``core.variance.UNREPORTED_SCHEMA``, of one or several snapshots.
        asked: ``core.variance.VARIANCE_SCHEMA``.
        counted_at: T0 of the day's file.
        day: ``active_products``, ``filtered_reset``, ``rejected_reset_rows``, ``reset_import``, as far as there are.

    Returns:
        ``shipped`` and ``fate``. A line of a key that is asked for counts as of that key's count, another one as of the
        day's file.
    """
    taken = shipped.join(asked, on=RESET_ROW, how="semi").with_columns(fate=pl.lit(ASKED))
    left = shipped.filter(pl.col("snapshot_at") == counted_at).join(asked, on=KEY, how="anti")
    listed, kept, imported = (day.get(name) for name in ("active_products", "filtered_reset", "reset_import"))
    rejected = _rejected_keys(day)
    found: list[pl.Expr] = []
    if listed is not None:
        found.append(pl.when(~pl.col("product_id").is_in(listed["product_id"].implode())).then(pl.lit("not_listed")))
    for name, rows in (("status", imported), ("kept", kept), ("reason", rejected)):
        if rows is None:
            continue
        word = pl.lit(name) if name == "kept" else pl.col(name)
        last = rows.select(*KEY, word.alias(f"_{name}")).unique(KEY, keep="last", maintain_order=True)
        left = left.join(last, on=KEY, how="left", maintain_order="left")
        found.append(pl.col(f"_{name}").replace(["applied", "unchanged"], "accepted"))
    left = left.with_columns(fate=pl.coalesce(*found, pl.lit("no_line")))
    return pl.concat([taken, left.select(taken.columns)])


def _rejected_keys(day: Mapping[str, pl.DataFrame]) -> pl.DataFrame | None:
    """``KEY`` and ``reason`` of rejected lines whose facility and product can be told."""
    rejected, listed, kept = (day.get(name) for name in ("rejected_reset_rows", "active_products", "filtered_reset"))
    if rejected is None or listed is None or kept is None:
        return None
    places = kept.select("facility_id", code=facility_key("store_code")).unique()
    return (
        rejected.with_columns(gtin=gtin.key(pl.col("upc_text")), code=facility_key("store_code"))
        .join(listed.select("gtin", "product_id"), on="gtin", how="inner", maintain_order="left")
        .join(places, on="code", how="inner", maintain_order="left")
        .select(*KEY, "reason")
    )
