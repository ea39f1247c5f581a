"""Taking a day's reset and variance back out: the compensating variance.

Belongs here: which keys, by how much. Does not: writing the file, and never delivering it: a person decides that.

What an import changed is known to the piece, so taking it back is minus that. What was sold or received meanwhile is
not touched, because the correction is a change and not a count.
"""

import polars as pl

from rpsync_assets.core.keys import KEY

REMARK = "Undo of the reset and variance of"
"""What the comment of each row begins with; the OMS's ledger keeps it."""

UNDO_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "reset_changed": pl.Int64,
    "variance_changed": pl.Int64,
    "available_delta": pl.Int64,
    "quantity_on_hand": pl.Int64,
    "would_be": pl.Int64,
}
"""``available_delta`` takes both changes back out; ``would_be`` is QOH after it: a variance never takes it below 0."""


def undo(reset: pl.DataFrame, variance: pl.DataFrame, accepted: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """The compensating variance of one day.

    Args:
        reset: the day's receipts: key, ``upca``, ``difference`` (null counts as 0: the row failed); several per key if
            the day had several files.
        variance: the day's receipts, of its variances and of what was taken back before: key and ``applied``.
        accepted: keys whose newest accepted row is of that day; other keys have a newer count, and are left alone.
        counts: key and ``quantity_on_hand``, as of now.

    Returns:
        ``UNDO_SCHEMA``, one row per key that changes, sorted by facility and UPCA.
    """
    changed = (
        reset.join(accepted.select(KEY), on=KEY, how="semi")
        .group_by(KEY)
        .agg(upca=pl.col("upca").last(), reset_changed=pl.col("difference").fill_null(0).sum())
    )
    taken = variance.group_by(KEY).agg(variance_changed=pl.col("applied").fill_null(0).sum())
    return (
        changed.join(taken, on=KEY, how="left")
        .join(counts.select(*KEY, "quantity_on_hand"), on=KEY, how="left")
        .with_columns(pl.col("variance_changed", "quantity_on_hand").fill_null(0))
        .with_columns(available_delta=-(pl.col("reset_changed") + pl.col("variance_changed")))
        .filter(pl.col("available_delta") != 0)
        .with_columns(would_be=after(pl.col("quantity_on_hand"), pl.col("available_delta")))
        .select(pl.col(name).cast(kind) for name, kind in UNDO_SCHEMA.items())
        .sort("facility_id", "upca")
    )


def after(on_hand: pl.Expr, delta: pl.Expr) -> pl.Expr:
    """QOH after a variance: what is taken is never more than there is (design.md section 5, "Variance")."""
    taken = pl.max_horizontal(delta, -on_hand.clip(lower_bound=0))
    return on_hand + pl.when(delta < 0).then(taken).otherwise(delta)
