"""Opening a relational database so that transactions mean the same on every kind.

Belongs here: engines, and what differs between databases. Does not: tables or queries.

On SQLite, Python's driver begins transactions late and lets a read see two moments; here a transaction begins when it
is begun, so several reads in one are one snapshot, and a writer waits for the other instead of failing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, MetaData, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.resources.private import private_file

WAIT_FOR_WRITER_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.002

_SERVER_OPTIONS = {"pool_pre_ping": True, "pool_recycle": 1800}


_MAKING_TABLES = 7_215_093_641
"""PostgreSQL's advisory lock of those who make our tables; any number that nobody else uses."""


def make_tables(engine: Engine, metadata: MetaData) -> None:
    """Make the tables that are not there; of processes that begin at one moment the others wait for the first."""
    if engine.dialect.name != "postgresql":
        metadata.create_all(engine)
        return
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MAKING_TABLES})
        metadata.create_all(connection)


def insert_or_update(engine: Engine, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that may say what happens where the row is there already."""
    return (sqlite if engine.dialect.name == "sqlite" else postgresql).insert(table)


def naive(moment: datetime) -> datetime:
    """A moment as our databases store it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


@contextmanager
def told_plainly(database: str) -> Iterator[None]:
    """Turn the exceptions of a database that is away, or not as we need it, into ours; SQL and secrets stay out.

    Args:
        database: which one, as a person would say it.

    Raises:
        UnreachableError: it does not answer, or hung up.
        SetupError: it refuses the login, or lacks a table, a column or a right.
    """
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig).replace("\n", " ")[:200]
        number = error.orig.args[0] if error.orig is not None and error.orig.args else None
        lost = error.connection_invalidated or number in _GONE or "locked" in said or _postgres_is_away(error)
        if isinstance(error, ProgrammingError) or not lost or number in _REFUSED:
            raise SetupError(
                f"{database} cannot answer: {said}",
                "Check its URL, login and rights, and that it holds HotWax's tables and columns",
            ) from error
        raise UnreachableError(
            f"{database} does not answer: {said}", "Check that it is up and reachable; the same run again may pass"
        ) from error


def _postgres_is_away(error: DBAPIError) -> bool:
    """No connection, shut down, a lock: SQLSTATE's classes 08, 40, 53, 55 and 57; a failed connect has none."""
    if not isinstance(error, OperationalError) or not hasattr(error.orig, "pgcode"):
        return False
    code = getattr(error.orig, "pgcode", None)
    if code is None:
        return not any(refusal in str(error.orig) for refusal in _POSTGRES_REFUSES)
    return str(code)[:2] in {"08", "40", "53", "55", "57"}


_POSTGRES_REFUSES = ("password authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")

_GONE = {2002, 2003, 2006, 2013, 1040, 1205, 1213}
"""MySQL: no connection, connection lost, too many connections, lock wait, deadlock."""

_REFUSED = {1044, 1045, 1049, 1142, 1143, 1146, 1054}
"""MySQL: no right to the database, wrong login, no such database, no right to table or column, no such one."""


def open_engine(url: str, *, create: bool = False, patience_seconds: int = 600) -> Engine:
    """An engine for a database.

    Args:
        url: an SQLAlchemy URL.
        create: whether a SQLite file may be made; otherwise a missing one is an error, not an empty database.
        patience_seconds: how long an answer of MySQL or MariaDB may take.

    Raises:
        SetupError: the SQLite file does not exist and may not be made.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() in {"mysql", "mariadb"}:
        # One driver, whatever the URL says: it is pure Python and installs everywhere.
        waits = {"connect_timeout": 15, "read_timeout": patience_seconds}
        return create_engine(parsed.set(drivername="mysql+pymysql"), **_SERVER_OPTIONS, connect_args=waits)
    if parsed.get_backend_name() != "sqlite":
        return _postgres(parsed)
    path = Path(parsed.database or "")
    if create:
        private_file(path)
    elif not path.exists():
        raise SetupError(
            f"The OMS database {path} does not exist",
            "Set RPSYNC_OMS_DATABASE_URL or [oms] database; for a world to play in, run 'rpsync sandbox'",
        )
    # No pool: a file is opened in no time, and a connection that nobody closes would hold it until the process ends.
    engine = create_engine(parsed, poolclass=NullPool, connect_args={"timeout": WAIT_FOR_WRITER_SECONDS})
    event.listen(engine, "connect", _begin_by_ourselves)
    event.listen(engine, "begin", _begin)
    return engine


def _postgres(url: URL) -> Engine:
    """The driver that Dagster's own storage on PostgreSQL brings, whatever the URL says."""
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg2"), **_SERVER_OPTIONS, connect_args={"connect_timeout": 15}
        )
    except ModuleNotFoundError as error:
        raise SetupError(
            "The state database is on PostgreSQL, and its driver is not installed",
            "pip install 'rpsync-assets[postgres]'",
        ) from error


def open_replica(url: str, *, patience_seconds: int = 600) -> Engine:
    """An engine for a database that we may only read: every transaction is read-only and of one snapshot.

    Args:
        url: an SQLAlchemy URL.
        patience_seconds: how long an answer may take.
    """
    engine = open_engine(url, patience_seconds=patience_seconds)
    if engine.dialect.name == "mysql":
        event.listen(engine, "connect", _only_read)
    return engine


def _only_read(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute("SET SESSION TRANSACTION READ ONLY")
    cursor.close()


def _begin_by_ourselves(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  sqlite3.Connection
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql("BEGIN")
        return
    # SQLite's own waiting sleeps longer and longer, up to 100 ms, and so misses the moment in which a long import
    # gives way; ours looks often.
    deadline = time.monotonic() + WAIT_FOR_WRITER_SECONDS
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as error:
                if "locked" not in str(error.orig) or time.monotonic() > deadline:
                    raise
            time.sleep(LOOK_AGAIN_SECONDS)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {WAIT_FOR_WRITER_SECONDS * 1000}")
