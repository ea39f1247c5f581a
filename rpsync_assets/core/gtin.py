"""When a text is a UPC, and when two of them mean the same product.

Belongs here: the one normal form used for matching, and the check digit. Does not: deciding what happens to a row that
has none (``core/reset``) or to a product (``core/active``).

The normal form is the number itself: leading zeros carry no meaning in a GTIN, so 012345678905 (UPC-A),
0012345678905 (the same as EAN-13) and 12345678905 (what is left after a spreadsheet) are one key. Real "UPCA" values
are EAN-13s and 11-digit remains too, and some fail the check digit (domain.md 1.8): a failing check digit is a warning,
and a reason to drop a row only where a store's settings say so.
"""

import polars as pl

from rpsync_assets.core import cells

SMALLEST = 10**6
LARGEST = 10**14 - 1
"""Keys have 7 to 14 significant digits: a GTIN-8 that lost a zero up to a full GTIN-14."""
_GAPS = r"[ \u{a0}\u{2009}\u{202f}\u{200b}-\u{200f}\u{2060}\u{feff}\u{2010}-\u{2013}-]"


def key(text: pl.Expr) -> pl.Expr:
    """The normal form of UPC texts, repaired where that is certain.

    Certain is: what ``core.cells`` removes around it, a trailing ``.0`` or ``,0``, an exponent that has kept every
    digit (``2.050000163913E+12``), and spaces, hyphens or invisible characters between the digits if the check digit
    holds.

    Args:
        text: text as it stands in a file.

    Returns:
        Int64; null where the text is not a UPC (blank, letters, an exponent that lost digits, too short or too long).
    """
    trimmed = cells.value(text)
    number = trimmed.cast(pl.Int64, strict=False)
    whole = trimmed.str.extract(r"^([0-9]{4,22})[.,]0+$").cast(pl.Int64, strict=False)
    found = pl.coalesce(number, whole, _with_all_digits(trimmed), _with_gaps(trimmed))
    return pl.when(found.is_between(SMALLEST, LARGEST) & ~trimmed.str.starts_with("+")).then(found).otherwise(None)


def number(text: str) -> int | None:
    """``key`` of one text: plain digits, as nearly all are, without polars, which takes milliseconds for it."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST)):
        return int(text) if int(text) >= SMALLEST else None
    return pl.select(key(pl.lit(text))).item()


def lost_digits(text: pl.Expr) -> pl.Expr:
    """Whether a text is a number that a spreadsheet has cut to an exponent, such as ``2.05E+12``."""
    return cells.value(text).str.contains(r"^[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+$")


def _with_all_digits(trimmed: pl.Expr) -> pl.Expr:
    """The number of an exponent whose mantissa has as many decimals as the exponent says."""
    parts = trimmed.str.extract_groups(r"^([0-9])[.,]([0-9]+)[eE]\+?([0-9]{1,2})$")
    decimals = parts.struct.field("2")
    whole = decimals.str.len_chars() == parts.struct.field("3").cast(pl.Int64, strict=False)
    return pl.when(whole).then((parts.struct.field("1") + decimals).cast(pl.Int64, strict=False))


def _with_gaps(trimmed: pl.Expr) -> pl.Expr:
    """Digits in groups, as they are printed below a bar code."""
    grouped = pl.when(trimmed.str.contains(rf"^[0-9]+(?:{_GAPS}+[0-9]+)+$")).then(trimmed.str.replace_all(_GAPS, ""))
    number = grouped.cast(pl.Int64, strict=False)
    return pl.when(has_valid_check_digit(number)).then(number)


def has_valid_check_digit(number: pl.Expr) -> pl.Expr:
    """Whether the last digit of a key is the GS1 check digit of the others (modulo 10, weights 3 and 1)."""
    digits = [(number // 10**place) % 10 for place in range(14)]
    weighted = pl.sum_horizontal(*[digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)])
    return weighted % 10 == 0
