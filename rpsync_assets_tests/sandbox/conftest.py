"""One tiny world with two mornings of one store, shared by the tests that only read it."""

from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from rpsync_assets.sandbox.morning import play_morning
from rpsync_assets.sandbox.played_mornings import Morning
from rpsync_assets.sandbox.sizes import SIZES
from rpsync_assets.sandbox.stores import ROSTER
from rpsync_assets.sandbox.world import World, prepare

DAY_ONE = date(2026, 3, 3)
DAY_TWO = date(2026, 3, 4)


class Played(NamedTuple):
    world: World
    one: Morning
    two: Morning


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    world = prepare(tmp_path_factory.mktemp("played") / "world", SIZES["tiny"], 7, ROSTER[:2])
    return Played(world, play_morning(world, ROSTER[0], DAY_ONE), play_morning(world, ROSTER[0], DAY_TWO))


@pytest.fixture
def tiny(tmp_path: Path) -> World:
    return prepare(tmp_path / "world", SIZES["tiny"], 7, ROSTER[:1])
