import hashlib
import sqlite3
import stat
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from rpsync_assets.core.errors import SetupError
from rpsync_assets.sandbox import master_data
from rpsync_assets.sandbox.morning import play_morning
from rpsync_assets.sandbox.sizes import SIZES, scaled, size_named
from rpsync_assets.sandbox.stores import ROSTER, choose
from rpsync_assets.sandbox.world import World, open_world, prepare
from rpsync_assets_tests.sandbox.conftest import Played


def rows_of(world: World, store_id: str) -> str:
    """Everything in the OMS that belongs to a store, as one digest."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(world.database_path)) as connection:
        tables = [
            row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        ]
        for table in tables:
            rows = sorted(repr(row) for row in connection.execute(f"SELECT * FROM {table}"))  # noqa: S608
            digest.update("\n".join(row for row in rows if f"'{store_id}" in row).encode())
    return digest.hexdigest()


def test_there_are_twenty_stores_and_the_first_two_lie_far_apart():
    assert len({store.store_id for store in ROSTER}) == 20
    assert [store.time_zone for store in ROSTER[:2]] == ["America/New_York", "Australia/Sydney"]
    assert not any(set("|[], ") & set(store.store_id) for store in ROSTER)
    assert all(store.zone.key == store.time_zone for store in ROSTER)


def test_stores_are_chosen_by_count_or_by_id():
    assert [store.store_id for store in choose("3")] == ["US", "AU", "SV"]
    assert [store.store_id for store in choose("sv, US,SV")] == ["SV", "US"]


@pytest.mark.parametrize("spec", ["XX", "US,XX", "0", "21", ""])
def test_a_wrong_choice_says_what_there_is(spec: str):
    with pytest.raises(SetupError, match=r"sandbox stores asked for|is not known"):
        choose(spec)


def test_an_unknown_size_names_the_known_ones():
    with pytest.raises(SetupError, match="tiny, small, full, season"):
        size_named("huge")


def test_a_scaled_size_has_longer_files_and_the_same_kept_rows():
    size = scaled(SIZES["tiny"], 3)
    assert (size.name, size.file_rows, size.kept_rows) == ("tinyx3", 6_000, 300)


def test_preparing_again_changes_nothing_and_a_new_store_leaves_the_old_one_untouched(tiny: World):
    before = rows_of(tiny, "US")
    assert prepare(tiny.folder, tiny.size, tiny.seed, ROSTER[:1]) == tiny
    extended = prepare(tiny.folder, tiny.size, tiny.seed, ROSTER[:3])
    assert rows_of(extended, "US") == before
    assert rows_of(extended, "SV") != rows_of(extended, "JP")
    assert open_world(tiny.folder) == tiny


@pytest.mark.parametrize(("size", "seed"), [("small", 7), ("tiny", 8)])
def test_a_folder_of_another_world_is_refused_with_both_named(tiny: World, size: str, seed: int):
    with pytest.raises(SetupError, match=f"size 'tiny' and seed 7, not size '{size}' and seed {seed}.*another folder"):
        prepare(tiny.folder, SIZES[size], seed, ROSTER[:1])


def test_a_crash_while_preparing_is_mended_by_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def crash(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(master_data, "_stock", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            prepare(tmp_path / "a", SIZES["tiny"], 7, ROSTER[:1])
    mended = prepare(tmp_path / "a", SIZES["tiny"], 7, ROSTER[:1])
    straight = prepare(tmp_path / "b", SIZES["tiny"], 7, ROSTER[:1])
    assert rows_of(mended, "US") == rows_of(straight, "US")


def test_everything_is_readable_by_its_owner_only(played: Played):
    for path in [played.world.folder, *played.world.folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_store_that_is_not_in_the_world_cannot_be_played(tiny: World):
    with pytest.raises(SetupError, match=r"JP.*Prepare"):
        play_morning(tiny, choose("JP")[0], date(2026, 3, 3))


def test_the_database_has_the_dirt_that_real_catalogs_have(played: Played):
    with closing(sqlite3.connect(played.world.database_path)) as connection:

        def count(sql: str) -> int:
            return connection.execute(f"SELECT COUNT(*) FROM ({sql})").fetchone()[0]  # noqa: S608

        current = "GOOD_IDENTIFICATION WHERE GOOD_IDENTIFICATION_TYPE_ID = 'UPCA' AND THRU_DATE IS NULL"
        assert count(f"SELECT PRODUCT_ID FROM {current} GROUP BY 1 HAVING COUNT(*) > 1")  # noqa: S608
        assert count(f"SELECT ID_VALUE FROM {current} GROUP BY 1 HAVING COUNT(*) > 1")  # noqa: S608
        assert count(f"SELECT 1 FROM {current} AND ID_VALUE GLOB '*[A-Z]*'")  # noqa: S608
        assert count(f"SELECT 1 FROM {current} AND LENGTH(ID_VALUE) = 11")  # noqa: S608
        assert count(f"SELECT 1 FROM {current} AND ID_VALUE LIKE '0%' AND LENGTH(ID_VALUE) = 12")  # noqa: S608
        assert count("SELECT 1 FROM GOOD_IDENTIFICATION WHERE THRU_DATE < '2025-01-01'")
        published = "SELECT PRODUCT_ID FROM SHOPIFY_SHOP_PRODUCT WHERE SHOP_ID = 'US_SHOP'"
        assert count(f"{published} AND PRODUCT_ID NOT IN (SELECT PRODUCT_ID FROM {current})")  # noqa: S608
        assert count(f"SELECT 1 FROM PRODUCT WHERE PRODUCT_ID NOT IN ({published})")  # noqa: S608
        assert count("SELECT 1 FROM PRODUCT_FACILITY WHERE ALLOW_BROKERING = 'N' AND FACILITY_ID LIKE '%CFG'")
        assert count("SELECT 1 FROM PRODUCT_FACILITY WHERE MINIMUM_STOCK > 0 AND FACILITY_ID LIKE '%CFG'")
        assert count("SELECT 1 FROM FACILITY_GROUP_MEMBER WHERE THRU_DATE < '2025-01-01'") == 2
