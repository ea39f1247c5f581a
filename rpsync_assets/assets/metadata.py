"""What every materialization tells the analyst: how many rows, what they look like, as of which snapshot.

Belongs here: building metadata values, and reading back what an earlier one said. Does not: deciding numbers.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from rpsync_assets.columns import TABLES, Column, Table
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.lineage import LINEAGE

PREVIEW_ROWS = 10
SNAPSHOT = "snapshot at"


def described(frame: pl.DataFrame, **more: object) -> dict[str, Any]:
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
