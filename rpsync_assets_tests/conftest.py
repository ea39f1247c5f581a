"""Fixtures of every room: the services that a machine may lack (``services``)."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import URL, Engine

from rpsync_assets.oms.tables import metadata
from rpsync_assets.sandbox.sftp_server import SftpEndpoint, serving
from rpsync_assets_tests import services

# A busy machine is no failing property.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure() -> None:
    services.required()


def pytest_unconfigure() -> None:
    # A test may load DuckDB before the graph is loaded and frozen with it; DuckDB would complain.
    gc.unfreeze()


@pytest.fixture(scope="session")
def mariadb_tables() -> Iterator[Engine]:
    """A database on a real MariaDB or MySQL with HotWax's tables, once per test process."""
    with services.mysql_database(metadata) as engine:
        yield engine


@pytest.fixture
def mariadb(mariadb_tables: Engine) -> Engine:
    """The same, empty again for each test."""
    services.empty(mariadb_tables, metadata)
    return mariadb_tables


@pytest.fixture
def postgres() -> Iterator[URL]:
    """An empty database on a real PostgreSQL."""
    with services.postgres_database() as url:
        yield url


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, SftpEndpoint]]:
    """A real SFTP server and its folder, once per test process; each test has a folder of its own below it."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "sftp").mkdir()
    with serving(folder) as endpoint:
        yield folder / "sftp", endpoint
