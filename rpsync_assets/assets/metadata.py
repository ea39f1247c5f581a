"""What every materialization tells the analyst: how many rows, what they look like, as of which snapshot.

Belongs here: building metadata values, and reading back what an earlier one said. Does not: deciding numbers.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from rpsync_assets.columns import TABLES, Column, Table
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.lineage import LINEAGE

PREVIEW_ROWS = 10
FEWEST_ROWS = 3
SHOWN_AT_ONCE = 1000
"""Dagster's UI shows a markdown entry below so many characters as a table, a longer one behind a button."""

LONGEST_CELL = 80
SNAPSHOT = "snapshot at"
_MARKUP = re.compile(r"[\\`*\[\]<>|&]|\b_|_\b")
"""An underscore within a word is none: names and ids stay as they are."""


def described(frame: pl.DataFrame, *, first: Sequence[str] = (), **more: object) -> dict[str, Any]:
    """Row count, a preview of up to ten rows, and further numbers; moments are shown as moments.

    Args:
        frame: the table.
        first: the columns that a preview shows, the most useful first; all of them if left out.
        more: further entries. Names are words with spaces, here and wherever metadata is told.
    """
    shown = frame.select(first) if first else frame
    return {
        "dagster/row_count": frame.height,
        **({} if frame.is_empty() else {"preview": dg.MetadataValue.md(preview_of(shown))}),
        **{
            name.replace("_", " "): dg.MetadataValue.timestamp(value) if isinstance(value, datetime) else value
            for name, value in more.items()
            if value is not None
        },
    }


def counted(prefix: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by reason, one metadata entry each, so that the UI plots them over the days.

    A reason is a word of our tables and stands as it stands there: ``rejected: unknown_facility``.
    """
    return {f"{prefix}: {reason}": number for reason, number in counts.items()}


def preview_of(frame: pl.DataFrame) -> str:
    """The first rows, as many as the UI shows without another click, three at least."""
    for rows in range(min(PREVIEW_ROWS, frame.height), 0, -1):
        text = "\n".join(f"|{'|'.join(line)}|" for line in _lines(frame.head(rows)))
        if len(text) < SHOWN_AT_ONCE or rows <= FEWEST_ROWS:
            return text
    return as_markdown(frame)


def as_markdown(frame: pl.DataFrame) -> str:
    """A small table in markdown that reads well in a terminal, too; moments to the second, in UTC."""
    lines = _lines(frame)
    widths = [max(len(line[place]) for line in lines) for place in range(frame.width)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def _lines(frame: pl.DataFrame) -> list[list[str]]:
    return [frame.columns, ["---"] * frame.width, *([_cell(value) for value in row] for row in frame.iter_rows())]


def _cell(value: object) -> str:
    """Somebody else's text among it: it is no markup, and ends no cell."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        return ", ".join(map(str, value))  # type: ignore[arg-type]
    text = " ".join(str(value).split())
    return _MARKUP.sub(r"\\\g<0>", text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…")


def columns_of(table: str) -> dict[str, Any]:
    """The columns of a table as its definition shows them, before anything is materialized."""
    return {"dagster/column_schema": _schema(TABLES.get(table, Table()).columns)}


def shape_of(table: str, stored: object) -> dict[str, Any]:
    """What a materialization tells about its columns: type, meaning, and where they come from."""
    if not isinstance(stored, pl.DataFrame):
        return {}
    known = TABLES.get(table, Table()).columns
    named = {name: known.get(name, Column(str(kind), "")) for name, kind in stored.schema.items()}
    from_where = {
        column: [dg.TableColumnDep(dg.AssetKey(source.split(".")[0]), source.split(".")[1]) for source in sources]
        for column, sources in LINEAGE.get(table, {}).items()
    }
    lineage = {"dagster/column_lineage": dg.TableColumnLineage(from_where)} if from_where else {}
    return {"dagster/column_schema": _schema(named), **lineage}


def _schema(columns: Mapping[str, Column]) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(name, one.kind, one.sentence) for name, one in columns.items()])


def recorded_snapshot(context: dg.AssetExecutionContext, name: str) -> datetime:
    """As of which snapshot an asset of this partition was last materialized; a table without rows cannot tell.

    Raises:
        NotYetError: it was never materialized here.
    """
    found = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(name), asset_partitions=[str(context.partition_key)]), limit=1
    ).records
    materialization = found[0].asset_materialization if found else None
    if materialization is None or SNAPSHOT not in materialization.metadata:
        raise NotYetError(
            f"It is not on record as of which snapshot {name} of {context.partition_key} is",
            f"Materialize {name} of this partition again",
        )
    return datetime.fromtimestamp(float(materialization.metadata[SNAPSHOT].value), UTC)  # type: ignore[arg-type]
