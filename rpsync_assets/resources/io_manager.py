"""Dagster's side of the tables: what an asset returns is stored, what the next one asks for is loaded.

Belongs here: the IO manager. Does not: paths, files (``resources/tables``).
"""

from pathlib import Path

import dagster as dg
import polars as pl
from upath import UPath

from rpsync_assets.core.errors import NotYetError
from rpsync_assets.failures import failure
from rpsync_assets.resources.tables import Tables


class ParquetIOManager(dg.UPathIOManager):
    """Frames in Parquet partitions."""

    extension = ".parquet"

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        super().__init__(base_path=UPath(tables.folder))

    def get_path_for_partition(self, context: dg.InputContext | dg.OutputContext, path: UPath, partition: str) -> UPath:
        """The partition's file, without its extension."""
        return UPath(self._tables.path(path.name, partition).with_suffix(""))

    def dump_to_path(self, context: dg.OutputContext, obj: pl.DataFrame, path: UPath) -> None:
        """Store a frame."""
        table, partition = context.asset_key.path[-1], str(context.asset_partition_key)
        self._tables.write(table, partition, obj, run_id=context.run_id)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pl.DataFrame:
        """Load a frame."""
        local = Path(str(path))
        if not local.exists():
            missing = NotYetError(
                f"There is no {context.asset_key.path[-1]} for {context.asset_partition_key} yet",
                f"Materialize {context.asset_key.path[-1]} of this partition first",
            )
            raise failure(missing) from missing
        return pl.read_parquet(local, hive_partitioning=False)

    def make_directory(self, path: UPath) -> None:
        """Folders are made when a file is written, private from the first one down."""
