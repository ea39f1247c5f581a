"""How people query the tables: ``warehouse.duckdb`` with a typed, commented view per table.

Belongs here: views, and the one about them. Does not: data, or what columns mean (``columns``).

A DuckDB file has one writing process, and an analyst who has it open must not break the night's run, nor the other way
round. So it only holds views over the Parquet partitions, and is never written where it lies: when a table is new, a
whole new file is made beside it and put in its place. Whoever has the old one open keeps it.
"""

import fcntl
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpsync_assets.columns import TABLES, Column, Table, described
from rpsync_assets.resources.private import PRIVATE_FILE, private_file, private_folder

if TYPE_CHECKING:
    # Loaded where it is used: most processes never ask, and what is loaded with the graph is frozen for good
    # (``definitions``), which DuckDB would complain of at the end.
    import duckdb

DOCUMENTATION = "documentation"
_DOCUMENTATION_COLUMNS = {
    "table_name": "the view",
    "meaning": "what it is",
    "written_by": "the asset that writes it",
    "columns": "how many columns it has; DESCRIBE and duckdb_columns() tell each one's meaning",
}


@dataclass(frozen=True)
class Warehouse:
    """The DuckDB file and the folder of tables that its views show.

    Attributes:
        database: the file.
        tables: the folder.
        meanings: what each asset is, by name; of other tables ``columns`` tells.
    """

    database: Path
    tables: Path
    meanings: Mapping[str, str] = field(default_factory=dict[str, str])

    @contextmanager
    def connection(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """An open connection to read from, closed whatever happens."""
        import duckdb  # noqa: PLC0415

        connection = duckdb.connect(str(self.database), read_only=True)
        try:
            yield connection
        finally:
            connection.close()

    def ask(self, question: str, **files: Path) -> list[tuple[Any, ...]]:
        """Answer an SQL question about Parquet files, in a database in memory: no lock, whoever has the warehouse open.

        Args:
            question: names each file as a table.
            files: table name -> file.
        """
        from dagster_duckdb import DuckDBResource  # noqa: PLC0415

        memory = DuckDBResource(database=":memory:")
        with memory.get_connection() as connection:
            try:
                for table, file in files.items():
                    connection.read_parquet(str(file)).create_view(table)
                return connection.execute(question).fetchall()
            finally:
                # dagster-duckdb leaves a connection open when its block raises.
                connection.close()

    def show(self, _table: str) -> None:
        """See to it that there is a view of every table, as it is described now; mostly there is nothing to do."""
        statements = self._statements()
        digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()
        stamp = private_file(self.database.with_name(f".{self.database.stem}"))
        with stamp.open("r+", encoding="utf-8") as lock:
            if lock.read() == digest and self.database.exists():
                return
            # Two runs that bring a new table each: the second waits, and shows both.
            fcntl.flock(lock, fcntl.LOCK_EX)
            statements = self._statements()
            self._replace(statements)
            lock.seek(0)
            lock.truncate()
            lock.write(hashlib.sha256("\n".join(statements).encode()).hexdigest())

    def _replace(self, statements: list[str]) -> None:
        import duckdb  # noqa: PLC0415

        private_folder(self.database.parent)
        fresh = self.database.with_name(f"{self.database.name}.part")
        fresh.unlink(missing_ok=True)
        connection = duckdb.connect(str(fresh))
        try:
            # One transaction, and one call: hundreds of comments would each wait for the disk.
            connection.execute(";\n".join(["BEGIN", *statements, "COMMIT"]))
        finally:
            connection.close()
        fresh.chmod(PRIVATE_FILE)
        # What somebody wrote into the old file and did not finish belongs to the old file.
        self.database.with_name(f"{self.database.name}.wal").unlink(missing_ok=True)
        fresh.replace(self.database)

    def _statements(self) -> list[str]:
        there = sorted(place.name for place in self.tables.iterdir() if any(place.rglob("*.parquet")))
        shown = [statement for name in there for statement in self._view(name)]
        return [*shown, *self._documentation(there)]

    def _view(self, name: str) -> list[str]:
        source = (
            f"SELECT * FROM read_parquet({_text(self.tables / name / '**' / '*.parquet')}, hive_partitioning = true,"  # noqa: S608
            " hive_types_autocast = false, union_by_name = true)"
        )
        columns = described(name)
        if columns:
            # Files of an earlier version lack columns that came since; the row that is never there brings them.
            typed = ", ".join(f'NULL::{column.kind} AS "{one}"' for one, column in columns.items())
            casts = ", ".join(f'"{one}"::{column.kind} AS "{one}"' for one, column in columns.items())
            source = f"SELECT {casts} FROM (SELECT {typed} WHERE false UNION ALL BY NAME {source})"  # noqa: S608
        return [
            f'CREATE VIEW "{name}" AS {source}',
            f'COMMENT ON VIEW "{name}" IS {_text(self._meaning(name))}',
            *(_comment(name, one, column) for one, column in columns.items()),
        ]

    def _documentation(self, there: list[str]) -> list[str]:
        rows = [
            f"({_text(name)}, {_text(self._meaning(name))}, {_text(TABLES.get(name, Table()).beside or name)},"
            f" {len(described(name))})"
            for name in there
        ]
        names = ", ".join(_DOCUMENTATION_COLUMNS)
        values = f"SELECT * FROM (VALUES {', '.join(rows)}) AS told({names})"  # noqa: S608
        return [
            f"CREATE VIEW {DOCUMENTATION} AS {values}",
            f"COMMENT ON VIEW {DOCUMENTATION} IS 'What each view is: one row of documentation each.'",
            *(_comment(DOCUMENTATION, name, Column("", what)) for name, what in _DOCUMENTATION_COLUMNS.items()),
        ]

    def _meaning(self, name: str) -> str:
        return self.meanings.get(name) or TABLES.get(name, Table()).sentence or "a table of rpsync-assets"


def _comment(table: str, name: str, column: Column) -> str:
    return f'COMMENT ON COLUMN "{table}"."{name}" IS {_text(column.sentence)}'


def _text(value: object) -> str:
    """A text as SQL writes it."""
    return "'" + str(value).replace("'", "''") + "'"
