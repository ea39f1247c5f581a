"""What every materialization tells the analyst: how many rows, and what they look like.

Belongs here: building metadata values. Does not: deciding numbers.
"""

from collections.abc import Mapping
from datetime import datetime

import dagster as dg
import polars as pl

PREVIEW_ROWS = 10


def described(frame: pl.DataFrame, **more: object) -> dict[str, object]:
    """Row count, a ten-row preview, and further numbers; moments are shown as moments."""
    return {
        "dagster/row_count": frame.height,
        "preview": dg.MetadataValue.md(as_markdown(frame.head(PREVIEW_ROWS))),
        **{
            name.replace("_", " "): dg.MetadataValue.timestamp(value) if isinstance(value, datetime) else value
            for name, value in more.items()
            if value is not None
        },
    }


def counted(prefix: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by reason, one metadata entry each, so that the UI plots them over the days."""
    return {f"{prefix}_{reason}": number for reason, number in counts.items()}


def as_markdown(frame: pl.DataFrame) -> str:
    """A small table in markdown."""
    with pl.Config(
        tbl_formatting="MARKDOWN",
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_rows=-1,
        tbl_cols=-1,
        fmt_str_lengths=80,
        tbl_width_chars=10_000,
    ):
        return str(frame)
