"""How people query the tables: ``warehouse.duckdb`` with a view per table.

Belongs here: views. Does not: data. A DuckDB file has one writing process, and an analyst who has it open must not
break the night's run; so it only holds views over the Parquet partitions, and is opened only when a table is new.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from dagster_duckdb import DuckDBResource

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

        Not dagster-duckdb's: that one tries a locked file for 100 s, and a view can wait for the next run.
        """
        private_folder(self.database.parent)
        connection = duckdb.connect(str(self.database))
        try:
            yield connection
        finally:
            connection.close()
            self.database.chmod(PRIVATE_FILE)

    def ask(self, question: str, **files: Path) -> list[tuple[Any, ...]]:
        """Answer an SQL question about Parquet files, in a database in memory: no lock, whoever has the warehouse open.

        Args:
            question: names each file as a table.
            files: table name -> file.
        """
        memory = DuckDBResource(database=":memory:")
        with memory.get_connection() as connection:
            try:
                for table, file in files.items():
                    connection.read_parquet(str(file)).create_view(table)
                return connection.execute(question).fetchall()
            finally:
                # dagster-duckdb leaves a connection open when its block raises.
                connection.close()

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
