"""The day of a store, the real process, killed with SIGKILL 48 times and run again: it ends as the undisturbed one.

Six days are killed at six boundaries each, in the order of the work, so that each death finds what the one before left;
two days are killed at random moments. Each death is followed by the same command once more, as a person would do.
"""

import hashlib
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

DEMO = Path(__file__).with_name("demo_that_dies.py")
KILLED = -9
NEW_YORK = ZoneInfo("America/New_York")

Death = tuple[str, str, str]

DELIVERY: list[Death] = [
    ("upload", "before", "reset_US"),
    ("rename", "before", "reset_US"),
    ("rename", "after", "reset_US"),
    ("begin import", "after", "reset_US"),
    ("end import", "before", "reset_US"),
    ("archive", "before", "reset_US"),
]
MEMORY: list[Death] = [
    ("take", "before", "'reset'"),
    ("take", "after", "'reset'"),
    ("mark", "before", "'reset'"),
    ("end import", "after", "reset_US"),
    ("accept", "before", ""),
    ("accept", "after", ""),
]
VARIANCE: list[Death] = [
    ("mark", "after", "'reset'"),
    ("archive", "after", "reset_US"),
    ("table", "before", "variance_file"),
    ("take", "after", "'variance'"),
    ("upload", "before", "variance_US"),
    ("rename", "before", "variance_US"),
]
RECEIPTS: list[Death] = [
    ("rename", "after", "variance_US"),
    # The next run lets the OMS import what lies there before it looks whether it was delivered.
    ("begin import", "after", "variance_US"),
    ("end import", "before", "variance_US"),
    ("archive", "before", "variance_US"),
    ("mark", "before", "'variance'"),
    ("settle", "before", ""),
]
PUBLICATION: list[Death] = [
    ("mark", "after", "'variance'"),
    ("end import", "after", "variance_US"),
    ("settle", "after", ""),
    ("write down", "before", ""),
    ("write down", "after", ""),
    ("publish", "before", ""),
]
SHOP: list[Death] = [
    ("publish", "after", ""),
    ("settle publication", "before", ""),
    ("settle publication", "after", ""),
    ("baselines", "before", ""),
    ("compared", "before", ""),
    ("compared", "after", ""),
]


def command(folder: Path, day: str, death: Death = ("-", "", "")) -> list[str]:
    arguments = ["--size", "tiny", "--stores", "US", "--date", day, "--data-dir", str(folder)]
    return [sys.executable, str(DEMO), *death, "demo", *arguments]


def run(folder: Path, day: str, death: Death = ("-", "", "")) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(folder, day, death), capture_output=True, text=True, check=False, timeout=900)
    # The SFTP server that the dead process had started ends when it notices.
    time.sleep(1)
    return done


def finish(folder: Path, day: str) -> None:
    done = run(folder, day)
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]


def ask(path: Path, question: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def end_state(folder: Path) -> dict[str, object]:
    """What must be the same, however often the power failed: no moments, no ids that count attempts."""
    oms, shop, state = (folder / name for name in ("sandbox/oms.sqlite", "sandbox/shopify.sqlite", "state.sqlite"))
    delivered = [
        (path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted((folder / "sandbox/sftp/hotwax").rglob("*.csv"))
    ]
    return {
        "counts": ask(
            oms,
            "SELECT FACILITY_ID, PRODUCT_ID, SUM(QUANTITY_ON_HAND_TOTAL), SUM(AVAILABLE_TO_PROMISE_TOTAL)"
            " FROM INVENTORY_ITEM GROUP BY 1, 2 ORDER BY 1, 2",
        ),
        "ledger": ask(
            oms,
            "SELECT FACILITY_ID, PRODUCT_ID, REASON_ENUM_ID, QUANTITY_ON_HAND_DIFF, AVAILABLE_TO_PROMISE_DIFF, COUNT(*)"
            " FROM INVENTORY_ITEM_DETAIL JOIN INVENTORY_ITEM USING (INVENTORY_ITEM_ID)"
            " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        ),
        "reset rows": ask(
            oms,
            "SELECT FACILITY_ID, PRODUCT_ID, EXTERNAL_QOH, QUANTITY_ON_HAND_DIFF, ROW_STATUS"
            " FROM EXTERNAL_INVENTORY_RESET ORDER BY 1, 2, 3",
        ),
        "variance rows": ask(
            oms,
            "SELECT FACILITY_ID, PRODUCT_ID, REQUESTED_VAR, QUANTITY_ON_HAND_VAR, ROW_STATUS"
            " FROM INVENTORY_ITEM_VARIANCE ORDER BY 1, 2, 3",
        ),
        "imports": ask(oms, "SELECT REMOTE_FILE_PATH, STATUS_ID FROM DATA_MANAGER_LOG ORDER BY 1, 2"),
        "deliveries": ask(
            state,
            "SELECT kind, generation, part, parts, digest, file_name, rows, delivered_at IS NOT NULL"
            " FROM deliveries ORDER BY 1, 2, 3",
        ),
        "accepted": ask(
            state,
            "SELECT facility_id, product_id, quantity, snapshot_at, generation, settled_at IS NOT NULL"
            " FROM accepted_rows ORDER BY 1, 2",
        ),
        "on the server": delivered,
        "shown at Shopify": ask(shop, "SELECT item, location, available FROM level ORDER BY 1, 2"),
    }


@pytest.fixture(scope="module")
def day() -> str:
    """The store's date; only today's is published."""
    return datetime.now(UTC).astimezone(NEW_YORK).date().isoformat()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, day: str) -> tuple[dict[str, object], float]:
    """How it ends when nothing happens, and how long that takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    finish(folder, day)
    return end_state(folder), time.monotonic() - began


def compare(folder: Path, undisturbed: dict[str, object]) -> None:
    found = end_state(folder)
    for what, expected in undisturbed.items():
        assert found[what] == expected, what
    names = [name for name, _ in found["on the server"]]  # type: ignore[attr-defined]
    assert len(names) == len(set(names)), "each file was delivered once"
    moved = Counter(
        ask(folder / "sandbox/shopify.sqlite", "SELECT item, location FROM applied WHERE operation = 'set'")
    )
    assert set(moved.values()) <= {1}, "no item was set twice"


@pytest.mark.proof
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    "deaths",
    [DELIVERY, MEMORY, VARIANCE, RECEIPTS, PUBLICATION, SHOP],
    ids=["delivery", "memory", "variance", "receipts", "publication", "shop"],
)
def test_a_day_killed_at_six_boundaries_ends_like_the_undisturbed_one(
    tmp_path: Path, day: str, undisturbed: tuple[dict[str, object], float], deaths: list[Death]
) -> None:
    for death in deaths:
        done = run(tmp_path, day, death)
        assert done.returncode == KILLED, f"{death} was never reached:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}"
    finish(tmp_path, day)
    compare(tmp_path, undisturbed[0])


@pytest.mark.proof
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_killed_at_six_random_moments_ends_like_the_undisturbed_one(
    tmp_path: Path, day: str, undisturbed: tuple[dict[str, object], float], seed: int
) -> None:
    end, seconds = undisturbed
    chance = Random(seed)  # noqa: S311  a story that repeats
    for _ in range(6):
        with subprocess.Popen(command(tmp_path, day), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                # From where Python has started to where it would have ended.
                process.wait(timeout=seconds * chance.uniform(0.25, 0.95))
            except subprocess.TimeoutExpired:
                process.kill()
        time.sleep(1)
    finish(tmp_path, day)
    compare(tmp_path, end)
