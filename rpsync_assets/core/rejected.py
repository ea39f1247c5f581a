"""The rejected rows as people get them: with the line as it stood in the file, as a table and as a spreadsheet.

Belongs here: the raw text beside the judgement, and a CSV that is safe to open. Does not: judging (``core/reset``), or
finding the lines (``resources/landing``).
"""

from collections.abc import Mapping

import polars as pl

from rpsync_assets.core.reset import REASONS, REJECTED_SCHEMA

SCHEMA = {**REJECTED_SCHEMA, "raw_text": pl.String}
_FORMULA = r"(^|[;\t\r\n])(\s*[=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}])"


def with_raw_text(rejected: pl.DataFrame, lines: Mapping[int, str]) -> pl.DataFrame:
    """The rejected rows with the line that each stands in.

    Args:
        rejected: ``core.reset.REJECTED_SCHEMA``.
        lines: line number -> text; where there is none, ``raw_text`` is null.

    Returns:
        ``SCHEMA``.
    """
    raw = pl.DataFrame(
        {"line_number": list(lines), "raw_text": list(lines.values())},
        schema={"line_number": pl.UInt32, "raw_text": pl.String},
    )
    return rejected.join(raw, on="line_number", how="left", maintain_order="left").select(*SCHEMA)


def to_spreadsheet(rejected: pl.DataFrame) -> bytes:
    """A CSV for people: each reason in words, and no cell that a spreadsheet would run as a formula.

    What came from outside and begins like a formula (``=``, ``+``, ``-``, ``@``, also behind a ``;``, at which Excel
    splits in half of the world) gets an apostrophe before it; the table of the warehouse has it untouched.

    Args:
        rejected: ``SCHEMA``.
    """
    words = pl.col("reason").replace_strict(REASONS, return_dtype=pl.String)
    outside = pl.col("store_code", "upc_text", "quantity_text", "raw_text").str.replace_all(_FORMULA, "${1}'${2}")
    return (
        rejected.with_columns(outside)
        .select("line_number", "reason", words.alias("meaning"), "store_code", "upc_text", "quantity_text", "raw_text")
        .write_csv(include_bom=True, quote_style="non_numeric")
        .encode()
    )
