"""The sandbox's days through the graph, held against what the sandbox itself knows to be true."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from rpsync_assets.core.reset import REASONS
from rpsync_assets.sandbox import book
from rpsync_assets.sandbox.demo import Summary, run_day
from rpsync_assets.sandbox.environment import Environment, running
from rpsync_assets.sandbox.sizes import SIZES
from rpsync_assets.sandbox.stores import ROSTER

DAYS = (date(2026, 3, 10), date(2026, 3, 11))
STORES = ["US", "AU"]


class Played(NamedTuple):
    data: Path
    environment: Environment
    summary: Summary
    again: Summary | None
    on_hand: dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Played]:
    """Two business dates of two stores in two zones, the second run twice, under the usual umask of a server."""
    data = tmp_path_factory.mktemp("sandbox") / "data"
    played = []
    before = os.umask(0o022)
    try:
        for day in DAYS:
            with running(data, SIZES["tiny"], 7, ROSTER[:2], day) as environment:
                summary = run_day(environment, STORES, lambda *_: None)
                on_hand = _on_hand(environment)
                again = run_day(environment, STORES, lambda *_: None) if day == DAYS[1] else None
                assert _on_hand(environment) == on_hand
                played.append(Played(data, environment, summary, again, on_hand))
    finally:
        os.umask(before)
    return played


def _on_hand(environment: Environment) -> dict[tuple[str, str], int]:
    with closing(sqlite3.connect(environment.world.database_path)) as connection:
        rows = connection.execute("SELECT FACILITY_ID, PRODUCT_ID, QUANTITY_ON_HAND_TOTAL FROM INVENTORY_ITEM")
        return {(facility, product): int(units) for facility, product, units in rows}


@pytest.mark.parametrize("number", [0, 1], ids=["first day", "second day"])
def test_everything_holds_at_both_stores(days: list[Played], number: int):
    for store, runs in days[number].summary.stores.items():
        assert [run.failures for run in runs] == [{}, {}], store
        assert [check for run in runs for check in run.checks if not check["passed"]] == []
        assert "oms_matches_retail_pro" in {check["check"] for check in runs[0].checks}
    assert days[number].summary.held


@pytest.mark.parametrize("number", [0, 1], ids=["first day", "second day"])
def test_every_row_of_the_file_ends_where_the_sandbox_meant_it_to(days: list[Played], number: int):
    """The sandbox counts what it writes; our accounting must come to the same, reason by reason."""
    played = days[number]
    for store in STORES:
        morning, said = played.environment.mornings[store], played.summary.stores[store][0].assets["filtered_reset"]
        assert said["raw rows"] == morning.total_rows == 2000
        assert said["dagster/row_count"] == morning.kept_keys
        assert said["inactive"] == morning.inactive_rows
        assert {reason: said[f"rejected: {reason}"] for reason in REASONS} == {
            reason: morning.rejected.get(reason, 0) for reason in REASONS
        }


@pytest.mark.parametrize("number", [0, 1], ids=["first day", "second day"])
def test_the_oms_holds_what_lies_on_the_shelves(days: list[Played], number: int):
    """For every kept key: what lay there at the count, and what moved since; 300 keys per store."""
    played = days[number]
    for store in STORES:
        truth = book.truth(played.environment.world.book_path, store, DAYS[number])
        assert truth.height == played.environment.mornings[store].kept_keys > 250
        expected = {
            (row["facility_id"], row["product_id"]): row["shelf_at_snapshot"] + row["moved_since"]
            for row in truth.iter_rows(named=True)
        }
        assert {key: played.on_hand[key] for key in expected} == expected


def test_the_unreported_units_are_the_ones_taken_back(days: list[Played]):
    for played in days:
        for store in STORES:
            said = played.summary.stores[store][0].assets
            units = played.environment.mornings[store].unreported_units
            assert said["variance_file"]["units"] == said["variance_import"]["units taken back"] == units > 0


def test_running_twice_is_safe_and_says_what_was_not_needed(days: list[Played]):
    again = days[1].again
    assert again is not None
    assert again.held
    for store in STORES:
        said = again.stores[store][0].assets
        assert said["raw_reset_file"]["arrival"] == "lay here already: not fetched again"
        for asset in ("filtered_reset_parts", "variance_file"):
            assert said[asset]["outcome"] == "delivered before: not sent again"


def test_what_we_keep_is_private_whatever_the_umask(days: list[Played]):
    """A server's umask is 022: without our care everybody on the machine could read every count."""
    data = days[0].data
    kept = [*(data / folder for folder in ("landing", "tables", "outbox")), *data.glob("state*"), *data.glob("ware*")]
    places = [place for top in kept for place in (top, *top.rglob("*"))]
    assert len(places) > 100
    assert _open_to_others(places) == []
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def _open_to_others(places: list[Path]) -> list[str]:
    wrong = []
    for place in places:
        mode = stat.S_IMODE(place.lstat().st_mode)
        if not place.is_symlink() and mode != (0o700 if place.is_dir() else 0o600):
            wrong.append(f"{place} {mode:o}")
    return wrong


class Command(NamedTuple):
    data: Path
    summary: dict
    code: int
    said: str
    complained: str


def _demo(data: Path, path: Path) -> subprocess.CompletedProcess[str]:
    options = ["--size", "tiny", "--stores", "2", "--date", "2026-03-10", "--data-dir", str(data), "--json", str(path)]
    return subprocess.run(
        [sys.executable, "-c", "from rpsync_assets.cli import main; main()", "demo", *options],
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
        timeout=120,
    )


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """``rpsync demo`` as a person types it."""
    folder = tmp_path_factory.mktemp("command")
    done = _demo(folder / "data", folder / "day.json")
    summary = json.loads((folder / "day.json").read_text())
    return Command(folder / "data", summary, done.returncode, done.stdout, done.stderr)


def test_the_command_ends_well_and_writes_assets_checks_and_receipts(command: Command):
    assert (command.code, command.summary["held"]) == (0, True)
    assert "everything held" in command.said
    assert command.complained == ""
    assert set(command.summary["stores"]) == {"US", "AU"}
    for store in command.summary["stores"].values():
        assert store["business_date"] == "2026-03-10"
        assert [run["job"] for run in store["runs"]] == ["reset_day", "shopify_deltas"]
        assert store["held"]
        assert len(store["assets"]) == 14
        assert all("dagster/row_count" in said and "seconds" in said for said in store["assets"].values())
        assert all(
            "bytes" in store["assets"][name] for name in ("raw_reset_file", "filtered_reset_parts", "variance_file")
        )
        assert all({"asset", "check", "passed", "observed", "threshold"} <= set(check) for check in store["checks"])
        assert len(store["checks"]) == 49
        assert set(store["receipts"]) == {"reset_import", "variance_import", "shopify_full_reset", "shopify_delta"}
        assert store["receipts"]["reset_import"]["import log"] != "nothing was delivered"
        assert "DRY RUN" in store["receipts"]["shopify_full_reset"]["receipt"]
        assert store["failures"] == {}


def test_every_file_and_folder_of_the_command_is_private(command: Command):
    places = [command.data, *command.data.rglob("*")]
    assert len(places) > 100
    assert _open_to_others(places) == []


def test_a_broken_world_ends_with_code_one_and_a_red_line(command: Command, tmp_path: Path):
    """The file is nowhere, not even among the kept ones: the command says so, and still tells the other store's day."""
    file = next((command.data / "sandbox/sftp/retailpro/incoming").glob("reset_AU_*.csv"))
    file.rename(tmp_path / file.name)
    for kept in (command.data / "tables/landed_files").rglob("product_store=AU"):
        shutil.rmtree(kept)
    done = _demo(command.data, tmp_path / "day.json")
    (tmp_path / file.name).rename(file)
    assert done.returncode == 1
    assert "✘ raw_reset_file: No reset file of AU for 2026-03-10" in " ".join(done.stdout.split())
    assert "not everything held" in done.stdout
    summary = json.loads((tmp_path / "day.json").read_text())
    assert summary["held"] is False
    assert [run["success"] for run in summary["stores"]["US"]["runs"]] == [True, True]


def test_a_day_of_today_is_published_to_the_emulator_and_a_second_one_finds_nothing_to_send(tmp_path: Path):
    options = ["--size", "tiny", "--stores", "1", "--data-dir", str(tmp_path / "data"), "--json"]
    sent = []
    for name in ("first.json", "second.json"):
        command = ["-c", "from rpsync_assets.cli import main; main()", "demo", *options, str(tmp_path / name)]
        subprocess.run([sys.executable, *command], capture_output=True, check=True, timeout=120)
        receipts = json.loads((tmp_path / name).read_text())["stores"]["US"]["receipts"]
        receipt = receipts["shopify_full_reset"]
        sent.append((receipt["receipt"].split(":")[0], receipt["items sent"] > 0))
    assert sent == [("PUBLISHED", True), ("NOTHING TO SEND", False)]
