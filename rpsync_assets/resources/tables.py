"""The tables between assets: one Parquet file per partition, private, replaced all at once.

Belongs here: paths, writing, reading. Does not: what is in a table (``columns``), Dagster's side of it
(``resources/io_manager``), DuckDB's view of it (``resources/warehouse``). Reading needs no Dagster, so that ``rpsync
explain`` answers at once.

Layout: ``<folder>/<table>/business_date=2026-03-10/product_store=US/part.parquet``, or without the date for tables that
have none. Beside the assets' own tables there are side tables, such as the rejected rows of a filter.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import polars as pl

from rpsync_assets.core.errors import NotYetError
from rpsync_assets.resources.private import promoted

RUN_ID = "run_id"
"""The Parquet file's own note of the run that wrote it."""

_DATE = re.compile(r"business_date=(\d{4}-\d{2}-\d{2})")


class StoreDay(Protocol):
    """One business date of one product store."""

    @property
    def day(self) -> date:
        """The business date."""
        ...

    @property
    def store(self) -> str:
        """The product store."""
        ...


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

    def write(self, table: str, partition: str, frame: pl.DataFrame, *, run_id: str = "") -> Path:
        """Replace a partition; the file notes the run, if it is told."""
        path = self.path(table, partition)
        with promoted(path) as handle:
            frame.write_parquet(handle, metadata={RUN_ID: run_id} if run_id else None)
        self.on_new_table(table)
        return path

    def read(self, table: str, slot: StoreDay) -> pl.DataFrame:
        """A partition's rows.

        Raises:
            NotYetError: it was never written.
        """
        path = self.path(table, f"{slot.day}|{slot.store}")
        if not path.exists():
            raise NotYetError(
                f"There is no {table} for {slot.store} on {slot.day} yet", "Materialize the assets before it first"
            )
        return pl.read_parquet(path, hive_partitioning=False)

    def dates(self, store: str | None = None) -> set[date]:
        """The business dates of which anything is stored: of one product store, or of any."""
        dated = "*/business_date=*"
        places = self.folder.glob(dated) if store is None else self.folder.glob(f"{dated}/product_store={store}")
        found = {_DATE.fullmatch((place if store is None else place.parent).name) for place in places}
        return {date.fromisoformat(match[1]) for match in found if match}

    def run_id(self, table: str, partition: str) -> str | None:
        """The run that wrote a partition, or None where it is not written or not noted."""
        path = self.path(table, partition)
        return (pl.read_parquet_metadata(path).get(RUN_ID) or None) if path.exists() else None
