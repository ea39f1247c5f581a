"""A CSV that we delivered, read back from the copy that is kept.

Belongs here: what both kinds of file have in common. Does not: writing them (``core/parts``, ``core/variance``), files
that others wrote (``oms/delivered``).
"""

import io
from typing import Literal

import polars as pl

from rpsync_assets.core.parts import LOCATION


def sent_rows(content: bytes) -> pl.DataFrame:
    """The rows of a delivered file.

    Args:
        content: what ``core.parts.to_csv`` or ``core.variance.to_csv`` made.

    Returns:
        ``line_number`` (the header is line 1), ``facility_id``, ``upca``, ``units`` (of a reset the count, of a
        variance the change), ``comments``.
    """
    frame = pl.read_csv(io.BytesIO(content), infer_schema=False)
    units = "availableDelta" if "availableDelta" in frame.columns else "availableQty"
    return frame.with_row_index("line_number", offset=2).select(
        "line_number",
        pl.col("facilityId").alias("facility_id"),
        pl.col("idValue").alias("upca"),
        pl.col(units).cast(pl.Float64).cast(pl.Int64).alias("units"),
        "comments",
    )


def line_start(kind: Literal["reset", "variance"], facility_id: str, upca: str) -> bytes:
    """How the line of a key begins: enough to find it without reading all others."""
    columns = [facility_id, LOCATION, "UPCA", upca] if kind == "reset" else [facility_id, "UPCA", upca]
    return f"{','.join(columns)},".encode()
