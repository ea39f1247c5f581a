"""A publication killed with SIGKILL, then run again: every item ends right, and none is changed twice.

The witness is the emulator's own log, which outlives whoever publishes.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from rpsync_assets.sandbox.emulator.server import Behaviour, serving
from rpsync_assets.sandbox.emulator.shop import Shop

ITEMS = 3_000
PUBLISHER = Path(__file__).with_name("publish_by_itself.py")


def publish_until_it_is_done(folder: Path, seed: int, kills: int) -> None:
    shop, chance = Shop(folder / "shop.sqlite"), Random(seed)  # noqa: S311  a story that repeats
    shop.stock((str(10_000 + number), "700", chance.randrange(9)) for number in range(ITEMS))
    before = shop.counts()
    behaviour = Behaviour(latency_seconds=0.01, restore_rate=100_000, maximum=100_000, start=100_000)
    with serving(shop, behaviour) as endpoint:
        environment = {**os.environ, "SHOP_URL": endpoint.url, "SHOP_TOKEN": endpoint.token}
        command = [sys.executable, str(PUBLISHER), str(folder), str(ITEMS)]
        for number in range(kills + 1):
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "begins\n"
                if number < kills:
                    time.sleep(chance.uniform(0, 0.6))
                    process.send_signal(signal.SIGKILL)
                else:
                    assert process.wait(timeout=120) == 0
    wanted = dict.fromkeys(before, 4)
    assert shop.counts() == wanted
    moved = [(one.item, one.location) for one in shop.log]
    assert len(moved) == len(set(moved)), "no item was changed twice"
    assert set(moved) == {key for key, count in before.items() if count != 4}
    shop.close()


def test_a_publication_that_is_killed_again_and_again_changes_every_item_once(tmp_path: Path) -> None:
    publish_until_it_is_done(tmp_path, seed=1, kills=5)


@pytest.mark.proof
def test_fifty_kills_at_random_points_change_every_item_once(tmp_path: Path) -> None:
    for seed in range(10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        publish_until_it_is_done(folder, seed, kills=5)
