"""A dry run tells what the day then does, and delivers nothing; an undo is written, and takes the day back out."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from rpsync_assets.core.errors import NotYetError, SetupError
from rpsync_assets.resources.sftp import SftpSession
from rpsync_assets.undo import prepare_undo
from rpsync_assets_tests.graph.online import Online
from rpsync_assets_tests.graph.test_guards_bite_alone import UNTIL_DELIVERY
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, Rows, TinyWorld

A, B, C = (UPCA[product] for product in "ABC")


def dry(world: TinyWorld) -> Ran:
    return world.run(job="dry_run_day")


def test_a_dry_run_says_what_the_day_then_does(example: TinyWorld, counts: Rows) -> None:
    example.oms.sell_in_store("NY", "B", 8, "2026-03-10 07:20")
    example.file([("101", A, 10), ("102", A, 7), ("101", B, 10), ("102", B, 0), ("101", C, 5)])
    ledger = example.oms.ledger()
    said = dry(example)
    assert (said.failures, said.red) == ({}, [])
    told = said.metadata["reset_preview"]
    assert (example.sent, example.deliveries() if (example.data / "state.sqlite").exists() else []) == ([], [])
    assert example.oms.ledger() == ledger
    changes = example.table("reset_preview")
    assert changes.select("facility_id", "product_id", "quantity_on_hand", "would_be", "effect", "crossing").rows() == [
        ("NASH", "B", 10, 0, "down", "to_zero"),
        ("NY", "C", 0, 5, "up", "back_from_zero"),
        ("NASH", "A", 10, 7, "down", None),
        ("NY", "A", 8, 8, "unchanged", None),
        ("NY", "B", 0, 0, "unchanged", None),
    ]
    numbers = {name: told[f"OMS {name}"] for name in ("up", "down", "unchanged", "units up", "units down", "to zero")}
    assert numbers == {"up": 1, "down": 2, "unchanged": 2, "units up": 5, "units down": 13, "to zero": 1}
    assert told["OMS back from zero"] == 1
    assert str(told["Shopify"]).startswith("OFF")
    assert example.run().failures == {}
    on_hand = {
        (place, one): units
        for one, both in example.oms.on_hand().items()
        for place, units in zip(("NY", "NASH"), both, strict=True)
    }
    assert {(row["facility_id"], row["product_id"]): row["would_be"] for row in changes.rows(named=True)} == {
        key: on_hand[key] for key in on_hand if key != ("NASH", "C")
    }
    dry(example)
    assert set(example.table("reset_preview")["effect"]) == {"unchanged"}


def test_a_dry_run_tells_what_shopify_would_be_sent_and_sends_nothing(online: Online, counts: Rows) -> None:
    """Switched on, and a reset of A that is not delivered: the shop's log stays empty."""
    world = online.world
    world.store["shopify"] = {"url": online.endpoint.url, "publish": "on", "max_zeroed_share": 0}
    world.file([("101", A, 4), ("102", A, 0), ("101", C, 6), ("101", B, 10), ("102", B, 10)])
    said = dry(world)
    assert (said.failures, online.published(), world.sent) == ({}, [], [])
    told = said.metadata["reset_preview"]
    assert {name: told[f"Shopify {name}"] for name in ("up", "down", "unchanged", "units up", "units down")} == {
        "up": 1,
        "down": 1,
        "unchanged": 1,
        "units up": 6,
        "units down": 16,
    }
    assert (told["Shopify to zero"], told["Shopify back from zero"]) == (0, 1)
    plan = world.table("shopify_preview").sort("product_id")
    assert plan.select("product_id", "shopify_available", "target", "outcome").rows() == [
        ("A", 20, 4, "down"),
        ("B", 20, 20, "unchanged"),
        ("C", 0, 6, "up"),
    ]


def test_on_top_of_a_day_whose_variance_is_still_due_nothing_is_counted_twice(online: Online, counts: Rows) -> None:
    """A reset that is imported and has no variance yet: the dry run shows the end of the day, deducted once."""
    world = online.world
    world.oms.order("1001", "2026-03-09 08:30", {"A": ("NY", 2)})
    world.oms.ship("1001", "A", "NY", 2, "2026-03-09 09:00")
    world.file(counts)
    world.run(*UNTIL_DELIVERY, "reset_import")
    assert dry(world).failures == {}
    assert world.table("shopify_preview").filter(pl.col("product_id") == "A")["quantity"].item() == 18


def test_the_dry_runs_job_opens_no_way_to_upload(
    example: TinyWorld, counts: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    example.file(counts)
    monkeypatch.setattr(SftpSession, "upload", None)
    assert dry(example).failures == {}


# Undo -----------------------------------------------------------------------------------------------------------------
def undo(world: TinyWorld, folder: Path):
    return prepare_undo(world.settings(), "US", DAY, folder)


def test_the_undo_file_takes_the_day_back_out_and_leaves_what_was_sold(
    example: TinyWorld, counts: Rows, tmp_path: Path
) -> None:
    before = example.oms.on_hand()
    example.file(counts)
    example.run()
    example.oms.sell_in_store("NASH", "C", 1, "2026-03-10 12:00")
    after, sent = example.oms.on_hand(), example.sent
    undone = undo(example, tmp_path)
    assert (example.oms.on_hand(), example.sent) == (after, sent)
    assert undone.file == tmp_path / "undo_US_20260310.csv"
    assert undone.file.read_text().splitlines()[1:] == [
        f"NASH,UPCA,{C},-5.0,TLTLTLLL01,VAR_INTEGR,Undo of the reset and variance of US for 2026-03-10",
        f"NY,UPCA,{C},-5.0,TLTLTLLL01,VAR_INTEGR,Undo of the reset and variance of US for 2026-03-10",
    ]
    assert undone.lines[0] == "2 rows: 0 units up, 10 units down; 2 keys would go to zero."
    assert undone.lines[1].startswith("1 keys have less than would be taken out")
    from datetime import UTC, datetime  # noqa: PLC0415

    from rpsync_assets.oms.imports import import_variance  # noqa: PLC0415

    engine = example.defs().resources["oms"].engine  # type: ignore[index]
    import_variance(engine, undone.file.name, undone.file.read_bytes(), datetime.now(UTC))
    assert {one: units for one, units in example.oms.on_hand().items() if one != "C"} == {
        one: units for one, units in before.items() if one != "C"
    }
    # Nashville had 4 left of its 5, and a variance takes no more than there is.
    assert example.oms.on_hand()["C"] == (0, 0)
    again = import_variance(engine, undone.file.name, undone.file.read_bytes(), datetime.now(UTC))
    assert again.already
    assert example.oms.totals_off_the_ledger() == []


def test_keys_that_a_newer_file_counted_are_left_alone(example: TinyWorld, counts: Rows, tmp_path: Path) -> None:
    example.file(counts)
    example.run()
    example.file([("101", C, 9)], "20260311T070000")
    assert example.run(day=DAY.replace(day=11)).failures == {}
    undone = undo(example, tmp_path)
    assert undone.rows.select("facility_id", "product_id").rows() == [("NASH", "C")]
    assert undone.left_alone == 1


def test_a_day_whose_receipts_are_not_all_here_is_not_undone(example: TinyWorld, counts: Rows, tmp_path: Path) -> None:
    with pytest.raises(NotYetError, match="Materialize reset_import"):
        undo(example, tmp_path)
    example.file(counts)
    example.run(*UNTIL_DELIVERY, "reset_import", "unreported_shipments", "variance_file")
    with pytest.raises(NotYetError, match="the variance of US on 2026-03-10 is not known"):
        undo(example, tmp_path)
    assert list(tmp_path.glob("undo*")) == []


def test_a_day_that_changed_nothing_needs_no_undo(world: TinyWorld, tmp_path: Path) -> None:
    world.file([("101", A, 10)])
    world.run()
    with pytest.raises(SetupError, match="changed nothing"):
        undo(world, tmp_path)


def test_the_commands_say_the_numbers(tmp_path: Path) -> None:
    """On a sandbox, as a person types them."""
    data = tmp_path / "data"
    code = "from rpsync_assets.cli import main; main()"
    sandbox = ["sandbox", "--size", "tiny", "--stores", "1", "--date", "2026-03-10", "--data-dir", str(data)]
    day = ["--store", "US", "--date", "2026-03-10"]

    def say(*arguments: str) -> subprocess.CompletedProcess[str]:
        inner = [sys.executable, "-c", code, *arguments]
        return subprocess.run(
            [sys.executable, "-c", code, *sandbox, *inner], capture_output=True, text=True, check=False, timeout=200
        )

    done = say("dry-run", *day)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DRY RUN: nothing was delivered" in done.stdout
    assert "biggest movers at the OMS" in done.stdout
    assert list((data / "sandbox/sftp/hotwax").rglob("*.csv")) == []
    refused = say("undo", *day, "--into", str(tmp_path))
    assert (refused.returncode, "Materialize reset_import" in refused.stderr) == (1, True)
    machine = say("dry-run", *day, "--json")
    told = json.loads(machine.stdout[machine.stdout.index("{") :])
    assert told["OMS up"] + told["OMS down"] > 0
    unknown = say("dry-run", "--store", "XX", "--date", "2026-03-10")
    assert (unknown.returncode, "Product store 'XX' is not in the settings" in unknown.stderr) == (1, True)
