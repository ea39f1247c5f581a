"""Services that some tests need and a machine may lack: skipped without them, unless they are required.

Belongs here: what a missing service means for a test, and how each service is reached. Does not: fixtures
(``conftest``), small servers that we bring ourselves (the sandbox's SFTP server).

``RPSYNC_TEST_REQUIRE=mysql,...`` names the services without which a test fails; the gate sets it, so that a server that
went away there is never a green skip.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import URL, Connection, Engine, MetaData, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

REQUIRE = "RPSYNC_TEST_REQUIRE"
KNOWN = ("mysql", "sshd", "postgres", "chromium", "systemd")
MYSQL_URL = "RPSYNC_TEST_MYSQL_URL"
MYSQL_DEFAULT = "mysql+pymysql://root@127.0.0.1:3306/"

POSTGRES_URL = "RPSYNC_TEST_POSTGRES_URL"
POSTGRES_DEFAULT = "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres"

_OURS = re.compile(r"rpsync_test_\d+_[0-9a-f]{8}")


def required() -> set[str]:
    """The services without which a test fails.

    Raises:
        pytest.UsageError: one that nobody knows: a typing error would make the gate lenient.
    """
    names = {name.strip() for name in os.environ.get(REQUIRE, "").split(",") if name.strip()}
    if unknown := sorted(names.difference(KNOWN)):
        raise pytest.UsageError(f"{REQUIRE} names {', '.join(unknown)}; known are {', '.join(KNOWN)}")
    return names


def missing(service: str, why: str) -> NoReturn:
    """End a test whose service is away: a failure where it is required, else a skip."""
    if service in required():
        pytest.fail(f"{why} ({REQUIRE} names {service})", pytrace=False)
    pytest.skip(why)


def mysql_url() -> URL:
    """The server that may be used; every process makes a database of its own on it."""
    return make_url(os.environ.get(MYSQL_URL) or MYSQL_DEFAULT)


@contextmanager
def mysql_database(metadata: MetaData) -> Iterator[Engine]:
    """A database of this process alone, with these tables; gone at the end."""
    name = f"rpsync_test_{os.getpid()}_{secrets.token_hex(4)}"
    server = create_engine(mysql_url(), poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        owner = server.connect().execution_options(isolation_level="AUTOCOMMIT")
    except DBAPIError as error:
        where = mysql_url().render_as_string(hide_password=True)
        missing("mysql", f"MariaDB/MySQL is not reachable at {where} ({_said(error)}); set {MYSQL_URL}")
    with owner:
        # A test that left a transaction open must not make the end of the session wait for a day.
        owner.execute(text("SET SESSION lock_wait_timeout = 10"))
        _drop_abandoned(owner)
        # The lock is the server's word that this process lives: another one drops databases that have none.
        owner.execute(text("SELECT GET_LOCK(:name, 0)"), {"name": name})
        owner.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"))
        engine = create_engine(mysql_url().set(database=name), pool_pre_ping=True)
        try:
            metadata.create_all(engine)
            yield engine
        finally:
            engine.dispose()
            owner.execute(text(f"DROP DATABASE {name}"))


@contextmanager
def postgres_database() -> Iterator[URL]:
    """An empty database of this process alone on a real PostgreSQL; gone at the end."""
    url = make_url(os.environ.get(POSTGRES_URL) or POSTGRES_DEFAULT).set(drivername="postgresql+psycopg2")
    name = f"rpsync_test_{os.getpid()}_{secrets.token_hex(4)}"
    server = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        owner = server.connect().execution_options(isolation_level="AUTOCOMMIT")
    except DBAPIError as error:
        where = url.render_as_string(hide_password=True)
        missing("postgres", f"PostgreSQL is not reachable at {where} ({_said(error)}); set {POSTGRES_URL}")
    with owner:
        for (left,) in owner.execute(
            text("SELECT datname FROM pg_database WHERE datname LIKE 'rpsync!_test!_%' ESCAPE '!'")
        ).all():
            # The process that made it is gone, and nobody is connected.
            if _OURS.fullmatch(left) and not Path(f"/proc/{left.split('_')[2]}").exists():
                owner.execute(text(f"DROP DATABASE IF EXISTS {left} WITH (FORCE)"))
        owner.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name)
        finally:
            owner.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def _drop_abandoned(owner: Connection) -> None:
    """Databases of test processes that were killed before they could clean up."""
    for (name,) in owner.execute(text("SHOW DATABASES LIKE 'rpsync\\_test\\_%'")).all():
        if _OURS.fullmatch(name) and owner.scalar(text("SELECT IS_FREE_LOCK(:name)"), {"name": name}):
            owner.execute(text(f"DROP DATABASE IF EXISTS {name}"))


def _said(error: DBAPIError) -> str:
    return str(error.orig.args[-1] if error.orig is not None and error.orig.args else error.orig)


def empty(engine: Engine, metadata: MetaData) -> None:
    """Delete all rows; tables that have none, most of them, are not touched."""
    one = "SELECT '{0}' FROM DUAL WHERE EXISTS (SELECT 1 FROM {0})"
    asked = " UNION ALL ".join(one.format(name) for name in metadata.tables)
    with engine.begin() as connection:
        for (name,) in connection.execute(text(asked)).all():
            connection.execute(metadata.tables[name].delete())
