"""A HotWax of its own for each test: a database on MariaDB, two folders, and the importer between them."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine

from rpsync_assets.sandbox.sftp_server import SftpEndpoint
from rpsync_assets_tests.hotwax.day import HotWaxDay
from rpsync_assets_tests.hotwax.stand_in import StandIn
from rpsync_assets_tests.hotwax.world import HotWaxWorld


@pytest.fixture
def oms(mariadb: Engine) -> HotWaxWorld:
    """New York and Nashville, products A, B, C and Z, no stock yet."""
    return HotWaxWorld(mariadb)


@pytest.fixture
def hotwax(oms: HotWaxWorld, tmp_path: Path) -> StandIn:
    """Its importer, set to exact QOH."""
    folders = tmp_path / "reset-inventory", tmp_path / "inventory-variance"
    for folder in folders:
        folder.mkdir()
    return StandIn(oms.engine, *folders)


@pytest.fixture
def day(mariadb: Engine, sftp_server: tuple[Path, SftpEndpoint], tmp_path: Path) -> Iterator[HotWaxDay]:
    """The day before of domain.md 3.3 a: A2 B2 C2 ordered at 08:30, A and B shipped from New York at 09:00."""
    root, endpoint = sftp_server
    with dg.DagsterInstance.ephemeral() as instance:
        day = HotWaxDay(tmp_path, root, tmp_path.name, endpoint, instance, replica=mariadb)
        for facility in ("NY", "NASH"):
            for product, units in (("A", 10), ("B", 10), ("C", 0)):
                day.oms.stock(facility, product, units)
        day.oms.order("1001", "2026-03-09 08:30", dict.fromkeys(("A", "B", "C"), ("NY", 2)))
        for product in ("A", "B"):
            day.oms.ship("1001", product, "NY", 2, "2026-03-09 09:00")
        yield day
        day.close()
