"""Texts of quantities -> exact whole numbers, whatever mark a country puts before its decimals.

Belongs here: signs, decimal and grouping marks. Does not: what happens to a row that has none (``core/reset``).

``1.234`` is one shoe and a bit, or one thousand two hundred thirty-four. A single text cannot tell; the file's others
do: ``7.0`` and ``1,234.0000`` show a point before decimals, ``7,5`` and ``1.234,0`` a comma. Where none does, what two
people would read differently is not read.
"""

from typing import Literal

import polars as pl

from rpsync_assets.core import cells

LARGEST_QUANTITY = 999_999
"""A UPC in the quantity column must not become stock; Retail Pro's quantity is Float(10,4) (domain.md 4)."""

Mark = Literal[".", ","]
ENOUGH = 20
"""So many quantities, all with three digits behind a mark, are decimals and not thousands."""

UNTOLD = r"^[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}$"
"""Three digits behind one mark: decimals or a grouping."""


def decimal_mark(texts: pl.Series) -> Mark | None:
    """The mark before decimals that a file's quantities show; None where they show none, or both.

    Args:
        texts: quantities as they stand in the file.
    """
    marked = _tidy(pl.col("text"))
    seen = (
        pl.DataFrame({"text": texts})
        .lazy()
        .select(text=marked)
        .select(
            *(_shows(mark).any().alias(mark) for mark in (".", ",")),
            whole=pl.col("text").str.contains(r"^[+-]?[0-9]+$").any(),
            point=pl.col("text").str.contains(r"^[+-]?[0-9]{1,3}\.[0-9]{3}$").sum(),
            comma=pl.col("text").str.contains(r"^[+-]?[0-9]{1,3},[0-9]{3}$").sum(),
        )
        .collect()
        .row(0, named=True)
    )
    if seen["."] != seen[","]:
        return "." if seen["."] else ","
    one_mark = not (seen["point"] and seen["comma"]) and seen["point"] + seen["comma"] >= ENOUGH
    if seen["."] or seen["whole"] or not one_mark:
        return None
    # Every quantity has the mark, as if all shelves held thousands: it stands before decimals.
    return "." if seen["point"] else ","


def whole_number(column: str, mark: Mark | None = ".") -> pl.Expr:
    """The exact whole number of a text such as ``7``, ``-3.0000``, ``+2``, ``3-`` or ``1,234.0``; null for others.

    Args:
        column: the texts.
        mark: what stands before decimals; the other one groups thousands. None: a text that can be read both ways is
            not read, and grouped thousands are not either.
    """
    text = _tidy(pl.col(column))
    point, comma = _plain(text, "."), _plain(text, ",")
    if mark is None:
        digits = pl.when(~text.str.contains(UNTOLD)).then(pl.coalesce(point, comma))
    else:
        digits = point if mark == "." else comma
    number = digits.cast(pl.Int64, strict=False)
    return pl.when(number.abs() <= LARGEST_QUANTITY).then(number)


def is_fraction(column: str, mark: Mark | None = ".") -> pl.Expr:
    """Whether a text is a number with a part of a shoe in it, such as ``0.5`` or ``-.25``."""
    marks = {".": r"\.", ",": ",", None: "[.,]"}[mark]
    text = _tidy(pl.col(column))
    grouping = {".": ",", ",": r"\."}.get(mark or "", "")
    part = text.str.contains(rf"^[+-]?[0-9{grouping}]*{marks}[0-9]*[1-9][0-9]*$")
    return part if mark is not None else part & ~text.str.contains(UNTOLD)


def _tidy(text: pl.Expr) -> pl.Expr:
    """The minus that a keyboard has, in front; a digit before the decimals; thousands not grouped by spaces.

    A space between groups of three digits is read alike by everybody, a point or a comma is not.
    """
    plain = cells.value(text).str.replace("^\u2212", "-").str.replace(r"^([^+-].*)-$", "-$1")
    spaced = plain.str.contains(r"^[+-]?[0-9]{1,3}(?:[ \u{a0}\u{2009}\u{202f}][0-9]{3})+(?:[.,][0-9]*)?$")
    closed = pl.when(spaced).then(plain.str.replace_all(r"[^0-9.,+-]", "")).otherwise(plain)
    return closed.str.replace(r"^([+-]?)([.,]0+)$", "${1}0$2")


def _shows(mark: Mark) -> pl.Expr:
    """Whether a text can only be read with this mark before its decimals."""
    this, other = (r"\.", ",") if mark == "." else (",", r"\.")
    grouped = rf"^[+-]?[0-9]{{1,3}}(?:{other}[0-9]{{3}})+{this}[0-9]+$"
    twice_grouped = rf"^[+-]?[0-9]{{1,3}}(?:{other}[0-9]{{3}}){{2,}}$"
    odd_length = rf"^[+-]?[0-9]*{this}(?:[0-9]{{0,2}}|[0-9]{{4,}})$"
    long_or_zero = rf"^[+-]?(?:[0-9]{{4,}}|0[0-9]*){this}[0-9]{{3}}$"
    return pl.col("text").str.contains(f"{grouped}|{twice_grouped}|{odd_length}|{long_or_zero}")


def _plain(text: pl.Expr, mark: Mark) -> pl.Expr:
    """The digits of a whole number whose decimals, if any, are zeros; null for others."""
    this, other = (r"\.", ",") if mark == "." else (",", r"\.")
    pattern = rf"^([+-]?(?:[0-9]+|[0-9]{{1,3}}(?:{other}[0-9]{{3}})+))(?:{this}0*)?$"
    return text.str.extract(pattern).str.replace_all(other, "")
