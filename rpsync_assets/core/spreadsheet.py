"""A table as a CSV that a person opens in a spreadsheet.

Belongs here: what makes that safe. Does not: which tables, or files that systems read (``core/parts``).
"""

import polars as pl

_FORMULA = r"(^|[;\t\r\n])(\s*[=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}])"


def csv_of(frame: pl.DataFrame) -> bytes:
    """The CSV, with no text in it that a spreadsheet would run as a formula.

    Text that begins like one (``=``, ``+``, ``-``, ``@``, also behind a ``;``, at which Excel splits in half of the
    world) gets an apostrophe before it; the tables of the warehouse have it untouched. Numbers stay numbers.
    """
    safe = frame.with_columns(pl.col(pl.String).str.replace_all(_FORMULA, "${1}'${2}"))
    return safe.write_csv(include_bom=True, quote_style="non_numeric").encode()
