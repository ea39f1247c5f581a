"""A HotWax of its own for each test: a database on MariaDB, two folders, and the importer between them."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

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
