"""The tables between assets: one Parquet file per partition, private, replaced all at once.

Belongs here: paths, writing, reading. Does not: what is in a table, or DuckDB's view of it (``resources/warehouse``).

Layout: ``<folder>/<table>/business_date=2026-03-10/product_store=US/part.parquet``, or without the date for tables that
have none. Beside the assets' own tables there are side tables, such as the rejected rows of a filter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
from upath import UPath

from rpsync_assets.core.errors import NotYetError
from rpsync_assets.failures import failure
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.private import promoted


@dataclass(frozen=True)
class Tables:
    """The folder of tables."""

    folder: Path
    on_new_table: Callable[[str], None] = lambda _table: None

    def path(self, table: str, partition: str) -> Path:
        """Where a partition lies; ``partition`` is Dagster's ``2026-03-10/US``, ``2026-03-10|US`` or ``US``."""
        *day, store = partition.replace("|", "/").split("/")
        place = self.folder / table
        if day:
            place /= f"business_date={day[0]}"
        return place / f"product_store={store}" / "part.parquet"

    def write(self, table: str, partition: str, frame: pl.DataFrame) -> Path:
        """Replace a partition."""
        path = self.path(table, partition)
        with promoted(path) as handle:
            frame.write_parquet(handle)
        self.on_new_table(table)
        return path

    def read(self, table: str, slot: Slot) -> pl.DataFrame:
        """A partition's rows.

        Raises:
            NotYetError: it was never written.
        """
        path = self.path(table, str(slot.key))
        if not path.exists():
            raise NotYetError(
                f"There is no {table} for {slot.store} on {slot.day} yet", "Materialize the assets before it first"
            )
        return pl.read_parquet(path, hive_partitioning=False)


class ParquetIOManager(dg.UPathIOManager):
    """Dagster's side of ``Tables``: what an asset returns is stored, what the next one asks for is loaded."""

    extension = ".parquet"

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        super().__init__(base_path=UPath(tables.folder))

    def get_path_for_partition(self, context: dg.InputContext | dg.OutputContext, path: UPath, partition: str) -> UPath:
        """The partition's file, without its extension."""
        return UPath(self._tables.path(path.name, partition).with_suffix(""))

    def dump_to_path(self, context: dg.OutputContext, obj: pl.DataFrame, path: UPath) -> None:
        """Store a frame."""
        self._tables.write(context.asset_key.path[-1], str(context.asset_partition_key), obj)

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
