"""The rejected rows as people get them: with the line as it stood in the file, as a table and as a spreadsheet.

Belongs here: the raw text and the reason's words beside the judgement. Does not: judging (``core/reset``), finding the
lines (``resources/landing``), or what makes a CSV safe to open (``core/spreadsheet``).
"""

from collections.abc import Mapping

import polars as pl

from rpsync_assets.core.reset import REASONS, REJECTED_SCHEMA
from rpsync_assets.core.spreadsheet import csv_of

SCHEMA = {**REJECTED_SCHEMA, "raw_text": pl.String}


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
    """A CSV for people: each reason in words, and nothing that a spreadsheet would run.

    Args:
        rejected: ``SCHEMA``, and whatever else is to stand in it.
    """
    words = pl.col("reason").replace_strict(REASONS, return_dtype=pl.String).alias("meaning")
    return csv_of(rejected.select("line_number", "reason", words, pl.exclude("line_number", "reason")))
