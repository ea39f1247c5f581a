"""How people query the tables: ``warehouse.duckdb`` with a view per table.

Belongs here: views. Does not: data. A DuckDB file has one writing process, and an analyst who has it open must not
break the night's run; so it only holds views over the Parquet partitions, and is opened only when a table is new.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from rpsync_assets.resources.private import PRIVATE_FILE, private_folder

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Warehouse:
    """The DuckDB file and the folder of tables that its views show."""

    database: Path
    tables: Path

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An open connection, closed whatever happens.

        Not dagster-duckdb's: that one stays open after an exception, and tries a locked file ten times over 100 s.
        """
        private_folder(self.database.parent)
        connection = duckdb.connect(str(self.database))
        try:
            yield connection
        finally:
            connection.close()
            self.database.chmod(PRIVATE_FILE)

    def show(self, table: str) -> None:
        """Make the view of a table unless it is there; a database that somebody has open is left for the next time."""
        shown = self.tables / table / ".view"
        if shown.exists():
            return
        source = str(self.tables / table / "**" / "*.parquet").replace("'", "''")
        try:
            with self.connection() as connection:
                connection.execute(
                    f"CREATE OR REPLACE VIEW \"{table}\" AS SELECT * FROM read_parquet('{source}',"  # noqa: S608
                    " hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
                )
        except duckdb.IOException as error:
            _log.warning("the view of %s waits until %s is free: %s", table, self.database.name, error)
            return
        shown.touch(mode=PRIVATE_FILE)
