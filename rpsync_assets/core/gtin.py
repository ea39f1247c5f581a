"""When a text is a UPC, and when two of them mean the same product.

Belongs here: the one normal form used for matching, and the check digit. Does not: deciding what happens to a row that
has none (``core/reset``) or to a product (``core/active``).

The normal form is the number itself: leading zeros carry no meaning in a GTIN, so 012345678905 (UPC-A),
0012345678905 (the same as EAN-13) and 12345678905 (what is left after a spreadsheet) are one key. Real "UPCA" values
are EAN-13s and 11-digit remains too, and some fail the check digit (domain.md 1.8): a failing check digit is a warning,
never a reason to drop a row.
"""

import polars as pl

SMALLEST = 10**6
LARGEST = 10**14 - 1
"""Keys have 7 to 14 significant digits: a GTIN-8 that lost a zero up to a full GTIN-14."""


def key(text: pl.Expr) -> pl.Expr:
    """The normal form of UPC texts.

    Args:
        text: text, possibly with spaces around it.

    Returns:
        Int64; null where the text is not a UPC (blank, letters, an exponent, too short or too long).
    """
    trimmed = text.str.strip_chars()
    number = trimmed.cast(pl.Int64, strict=False)
    return pl.when(number.is_between(SMALLEST, LARGEST) & ~trimmed.str.starts_with("+")).then(number).otherwise(None)


def has_valid_check_digit(number: pl.Expr) -> pl.Expr:
    """Whether the last digit of a key is the GS1 check digit of the others (modulo 10, weights 3 and 1)."""
    digits = [(number // 10**place) % 10 for place in range(14)]
    weighted = pl.sum_horizontal(*[digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)])
    return weighted % 10 == 0
