"""Rows of text -> kept, inactive, or rejected with a reason. Every row of the file ends in exactly one of the three.

Belongs here: the order of judgement and what each reason means. Does not: reading the file (``core/reader``) or
refusing to deliver (``core/guards``).

The order: can the UPC be read at all; is its product active; only then the store code, the quantity and duplicates.
So a row of a product that is not sold online is ``inactive`` whatever else is wrong with it (millions are), and every
rejected row is one that a person may have to look at: an active product's, or one whose product cannot be told.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl

from rpsync_assets.core import cells, gtin
from rpsync_assets.core.keys import KEY, MOMENT
from rpsync_assets.core.quantities import UNTOLD, Mark, decimal_mark, is_fraction, whole_number

REASONS = {
    "blank_upc": "no UPC on the line",
    "invalid_upc": "the UPC is not 7 to 14 digits",
    "exponent_upc": "the UPC was cut to an exponent by a spreadsheet: its last digits are lost",
    "failing_check_digit": "the UPC's check digit is wrong, and the store's settings ask for a right one",
    "unknown_facility": "the store code is not a facility of this product store in the OMS",
    "blank_quantity": "no quantity on the line; blank is not zero",
    "invalid_quantity": "the quantity is not a number below one million",
    "ambiguous_quantity": "the quantity can be read two ways (1.234), and no other one of the file tells which",
    "fractional_quantity": "the quantity is not a whole number",
    "conflicting_duplicate": "the same facility and UPC again with another quantity: none of them is believed",
    "duplicate": "the same facility, UPC and quantity again: the first line counts",
}
"""Why an active product's row, or a row whose product cannot be told, is not delivered."""

KEPT_SCHEMA = {
    "facility_id": pl.String,
    "upca": pl.String,
    "product_id": pl.String,
    "quantity": pl.Int64,
    "snapshot_at": MOMENT,
    "line_number": pl.UInt32,
    "store_code": pl.String,
    "upc_text": pl.String,
}
REJECTED_SCHEMA = {
    "line_number": pl.UInt32,
    "store_code": pl.String,
    "upc_text": pl.String,
    "quantity_text": pl.String,
    "reason": pl.String,
}


FEW_UNCLEAR = 100
"""A close look at UPCs that are not plain digits takes milliseconds, however few they are: so few of a block are left
to ``judge``, which looks at those of the whole file at once."""


@dataclass(frozen=True)
class Accounting:
    """Where the rows of a file went. ``read`` is counted apart from the three others."""

    read: int
    kept: int
    inactive: int
    rejected: dict[str, int]

    @property
    def accounted(self) -> int:
        """Rows with a fate; equal to the rows of the file, or something is lost."""
        return self.kept + self.inactive + sum(self.rejected.values())


@dataclass(frozen=True)
class FilteredReset:
    """The outcome for one file; ``decimal_mark`` is what its quantities show or the settings say."""

    kept: pl.DataFrame
    rejected: pl.DataFrame
    decimal_mark: Mark | None
    accounting: Accounting


@dataclass(frozen=True)
class Rules:
    """What a store's settings say of its rows."""

    decimal_mark: Mark | Literal["auto"] = "auto"
    check_digit: Literal["warn", "reject"] = "warn"


def plainly_inactive(rows: pl.DataFrame, active_gtins: pl.Series, *, plus_signs: bool = True) -> pl.Series:
    """Which rows surely are of products that are not active: a readable UPC that is not on the list.

    The fast path over millions of rows: no text is trimmed or copied, but of those whose UPC is not plain digits, if
    they are more than ``FEW_UNCLEAR``. What is unclear here is False and is judged by ``judge``.

    Args:
        rows: as ``core.reader.read_block`` gives them.
        active_gtins: Int64 keys of the active products.
        plus_signs: whether a plus may stand anywhere in these rows; a number with one is no UPC.

    Returns:
        Boolean, one per row, no nulls.
    """
    number = rows["upc"].cast(pl.Int64, strict=False)
    readable = number.is_between(gtin.SMALLEST, gtin.LARGEST)
    if plus_signs:
        readable &= ~rows["upc"].str.starts_with("+")
    surely = (readable & ~number.is_in(active_gtins.implode())).fill_null(value=False)
    unclear = number.is_null()
    if unclear.sum() > FEW_UNCLEAR:
        # A whole export may have its UPCs in quotes of its own, or with ".0" behind.
        keys = rows.filter(unclear).select(key=gtin.key(pl.col("upc")))["key"]
        inactive = (~keys.is_in(active_gtins.implode())).fill_null(value=False)
        surely = surely.scatter(unclear.arg_true(), inactive)
    return surely


def judge(
    rows: pl.DataFrame,
    *,
    plainly_inactive_rows: int,
    active: pl.DataFrame,
    facilities: pl.DataFrame,
    snapshot_at: datetime,
    rules: Rules = Rules(),
) -> FilteredReset:
    """Give every row that is not plainly inactive its fate.

    Args:
        rows: ``line_number``, ``store_code``, ``upc``, ``quantity`` (text) of the rows left by ``plainly_inactive``.
        plainly_inactive_rows: how many rows that was true for.
        active: ``core.active.SCHEMA``; unique by ``gtin``.
        facilities: ``store_code`` (as Retail Pro writes it, trimmed, unique ignoring case) and ``facility_id``.
        snapshot_at: T0, the moment of the file's counts.
        rules: what the store's settings say of quantities and check digits.

    Returns:
        ``kept`` with ``KEPT_SCHEMA`` sorted by facility and UPCA, ``rejected`` with ``REJECTED_SCHEMA`` sorted by line,
        and the accounting.
    """
    judged = (
        rows.lazy()
        .with_columns(gtin=gtin.key(pl.col("upc")), facility_key=facility_key("store_code"))
        .join(active.lazy().select("gtin", "product_id", "upca"), on="gtin", how="left")
        .join(
            facilities.lazy().select("facility_id", facility_key=facility_key("store_code")),
            on="facility_key",
            how="left",
        )
        .sort("line_number")
        .collect()
    )
    of_active = judged.filter(pl.col("product_id").is_not_null())["quantity"]
    mark = decimal_mark(of_active) if rules.decimal_mark == "auto" else rules.decimal_mark
    judged = judged.with_columns(
        whole=whole_number("quantity", mark), fraction=is_fraction("quantity", mark)
    ).with_columns(fate=_own_fate(rules, mark))
    good = judged.filter(pl.col("fate") == "kept").with_columns(
        fate=pl.when(pl.col("whole").n_unique().over(KEY) > 1)
        .then(pl.lit("conflicting_duplicate"))
        .when(pl.col("line_number") != pl.col("line_number").min().over(KEY))
        .then(pl.lit("duplicate"))
        .otherwise(pl.lit("kept"))
    )
    others = judged.filter(pl.col("fate") != "kept")
    kept = good.filter(pl.col("fate") == "kept").select(
        "facility_id",
        "upca",
        "product_id",
        pl.col("whole").alias("quantity"),
        pl.lit(snapshot_at, dtype=MOMENT).alias("snapshot_at"),
        "line_number",
        "store_code",
        pl.col("upc").alias("upc_text"),
    )
    rejected = pl.concat(
        [
            frame.filter(~pl.col("fate").is_in(["kept", "inactive"])).select(
                "line_number",
                "store_code",
                pl.col("upc").alias("upc_text"),
                pl.col("quantity").alias("quantity_text"),
                pl.col("fate").alias("reason"),
            )
            for frame in (good, others)
        ]
    ).sort("line_number")
    counted = dict(rejected.group_by("reason").len().sort("reason").iter_rows())
    return FilteredReset(
        kept=kept.sort("facility_id", "upca"),
        rejected=rejected,
        decimal_mark=mark,
        accounting=Accounting(
            read=plainly_inactive_rows + rows.height,
            kept=kept.height,
            inactive=plainly_inactive_rows + others.filter(pl.col("fate") == "inactive").height,
            rejected={reason: int(counted[reason]) for reason in REASONS if reason in counted},
        ),
    )


def known_facilities(listed: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Which Retail Pro store code means which facility; codes that mean two are named, not guessed.

    Args:
        listed: ``facility_id`` and ``external_id`` (null where the OMS has none) of the store's physical facilities.

    Returns:
        ``store_code`` and ``facility_id``, one row per code, where a facility is known by its external id or, where no
        other facility claims that text, by its own id (domain.md 8, "facilityId in update API"); and the codes that
        two facilities share.
    """
    # A blank external id is none: otherwise a row without a store code would become that facility's count.
    by_external = listed.filter(pl.col("external_id").str.strip_chars() != "").select(
        "facility_id", store_code=pl.col("external_id").str.strip_chars()
    )
    by_own_id = listed.select("facility_id", store_code=pl.col("facility_id"))
    codes = (
        pl.concat([by_external, by_own_id])
        .with_columns(facility_key=facility_key("store_code"))
        .unique(["facility_key", "facility_id"], maintain_order=True)
        .with_columns(claims=pl.len().over("facility_key"))
    )
    shared = codes.filter(pl.col("claims") > 1)["store_code"].unique().sort().to_list()
    return codes.filter(pl.col("claims") == 1).select("store_code", "facility_id").sort("store_code"), shared


def facility_key(column: str) -> pl.Expr:
    """A column of store codes in the form in which they are compared: trimmed, whatever the case."""
    return cells.value(pl.col(column)).str.to_uppercase()


def _own_fate(rules: Rules, mark: Mark | None) -> pl.Expr:
    """The fate of a row by its own values; duplicates need the others and come after."""
    quantity = cells.value(pl.col("quantity"))
    judgements = (
        ("blank_upc", cells.value(pl.col("upc")) == ""),
        ("exponent_upc", pl.col("gtin").is_null() & gtin.lost_digits(pl.col("upc"))),
        ("invalid_upc", pl.col("gtin").is_null()),
        ("inactive", pl.col("product_id").is_null()),
        ("failing_check_digit", ~gtin.has_valid_check_digit(pl.col("gtin")) & (rules.check_digit == "reject")),
        ("unknown_facility", pl.col("facility_id").is_null()),
        ("blank_quantity", quantity == ""),
        ("fractional_quantity", pl.col("fraction")),
        ("ambiguous_quantity", pl.lit(mark is None) & quantity.str.contains(UNTOLD)),
        ("invalid_quantity", pl.col("whole").is_null()),
    )
    return pl.coalesce(*[pl.when(broken).then(pl.lit(name)) for name, broken in judgements], pl.lit("kept"))
