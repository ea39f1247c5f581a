"""What a day would change at the OMS, before it changes anything.

Belongs here: the count after reset and variance, key by key, from what is there now. Does not: reading it, Shopify
(``core/publication`` plans that from these numbers).

The arithmetic is that of the day itself (design.md section 5): the reset puts a number in place, and the variance
brings that to ``F - U0 + L``, taking never more than there is. The embedded OMS's reset puts ``F + L`` in place;
HotWax's puts ``F``, or on the ATP basis ``F`` and what is reserved. After the day it says: unchanged.
"""

from typing import Literal

import polars as pl

from rpsync_assets.core.keys import KEY, RESET_ROW
from rpsync_assets.core.undo import after
from rpsync_assets.core.variance import moved_since

Basis = Literal["snapshot", "qoh", "atp"]
"""What an import of a reset compares with: the count as of its snapshot (embedded), or QOH or ATP when it runs."""

PREVIEW_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "counted": pl.Int64,
    "moved_since_snapshot": pl.Int64,
    "unreported": pl.Int64,
    "quantity_on_hand": pl.Int64,
    "would_be": pl.Int64,
    "difference": pl.Int64,
    "effect": pl.String,
    "crossing": pl.String,
}

EFFECTS = {
    "up": "the OMS would have more than now",
    "down": "the OMS would have less than now",
    "unchanged": "it agrees already",
    "superseded": "a newer count of the key was accepted: this one would change nothing",
}
TO_ZERO, BACK = "to_zero", "back_from_zero"


def preview(
    kept: pl.DataFrame,
    counts: pl.DataFrame,
    movements: pl.DataFrame,
    unreported: pl.DataFrame,
    accepted: pl.DataFrame,
    *,
    basis: Basis = "snapshot",
) -> pl.DataFrame:
    """What reset and variance would do to each kept row.

    Args:
        kept: ``core.reset.KEPT_SCHEMA``.
        counts: ``facility_id``, ``product_id``, ``quantity_on_hand``, ``available_to_promise``, as of now.
        movements: as ``core.variance.moved_since`` takes them, as of now.
        unreported: ``core.variance.UNREPORTED_SCHEMA``.
        accepted: ``facility_id``, ``product_id``, ``accepted_at_snapshot`` (T0 of the newest accepted row).
        basis: what the OMS's import of a reset compares with.

    Returns:
        ``PREVIEW_SCHEMA``, the largest changes first.
    """
    units = unreported.group_by(RESET_ROW).agg(unreported=pl.col("quantity").sum())
    target = pl.col("counted") + pl.col("moved_since_snapshot") - pl.col("unreported")
    reserved = pl.col("quantity_on_hand") - pl.col("available_to_promise")
    put_in_place = {
        "snapshot": pl.col("counted") + pl.col("moved_since_snapshot"),
        "qoh": pl.col("counted"),
        "atp": pl.col("counted") + reserved,
    }[basis]
    newer = (pl.col("accepted_at_snapshot") > pl.col("snapshot_at")).fill_null(value=False)
    found = (
        kept.select(*KEY, "upca", "snapshot_at", counted="quantity")
        .join(counts.select(*KEY, "quantity_on_hand", "available_to_promise"), on=KEY, how="left")
        .join(moved_since(kept, movements), on=RESET_ROW, how="left")
        .join(units, on=RESET_ROW, how="left")
        .join(accepted, on=KEY, how="left")
        .with_columns(
            pl.col("quantity_on_hand", "available_to_promise", "moved_since_snapshot", "unreported").fill_null(0)
        )
        .with_columns(after_reset=put_in_place)
        .with_columns(after_variance=after(pl.col("after_reset"), target - pl.col("after_reset")))
        .with_columns(would_be=pl.when(newer).then("quantity_on_hand").otherwise("after_variance"))
        .with_columns(difference=pl.col("would_be") - pl.col("quantity_on_hand"))
    )
    change, now, then = pl.col("difference"), pl.col("quantity_on_hand"), pl.col("would_be")
    effect = pl.when(newer).then(pl.lit("superseded")).when(change > 0).then(pl.lit("up"))
    crossing = pl.when((now > 0) & (then <= 0)).then(pl.lit(TO_ZERO)).when((now <= 0) & (then > 0)).then(pl.lit(BACK))
    return (
        found.with_columns(
            effect=effect.when(change < 0).then(pl.lit("down")).otherwise(pl.lit("unchanged")), crossing=crossing
        )
        .sort(change.abs(), *KEY, descending=[True, False, False])
        .select(pl.col(name).cast(kind) for name, kind in PREVIEW_SCHEMA.items())
    )


def summed(changes: pl.DataFrame, effect: str = "effect") -> dict[str, int]:
    """Rows by effect, and units up and down.

    Args:
        changes: ``difference`` and a column with the effect.
        effect: that column's name.
    """
    rows = dict(changes.group_by(effect).len().sort(effect).iter_rows())
    moved = changes.filter(pl.col(effect).is_in(["up", "down"]))["difference"]
    return {
        **{name: int(rows.get(name, 0)) for name in ("up", "down", "unchanged")},
        **{name: int(number) for name, number in rows.items() if name not in {"up", "down", "unchanged"}},
        "units up": int(moved.filter(moved > 0).sum()),
        "units down": int(-moved.filter(moved < 0).sum()),
    }
