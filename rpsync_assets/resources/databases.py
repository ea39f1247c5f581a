"""Opening a relational database so that transactions mean the same on every kind.

Belongs here: engines. Does not: tables or queries.

On SQLite, Python's driver begins transactions late and lets a read see two moments; here a transaction begins when it
is begun, so several reads in one are one snapshot, and a writer waits for the other instead of failing.
"""

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from rpsync_assets.core.errors import SetupError
from rpsync_assets.resources.private import private_file

WAIT_FOR_WRITER_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.002


def open_engine(url: str, *, create: bool = False) -> Engine:
    """An engine for a database.

    Args:
        url: an SQLAlchemy URL.
        create: whether a SQLite file may be made; otherwise a missing one is an error, not an empty database.

    Raises:
        SetupError: the SQLite file does not exist and may not be made.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
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
