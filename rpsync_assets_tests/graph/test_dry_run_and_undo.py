"""A dry run tells what the day then does, and delivers nothing; an undo is written, and takes the day back out."""

import json
import random
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from rpsync_assets.core.errors import NotYetError, SetupError
from rpsync_assets.resources.sftp_session import SftpSession
from rpsync_assets.undo import Undone, prepare_undo
from rpsync_assets_tests.graph.online import Online
from rpsync_assets_tests.graph.test_guards_bite_alone import UNTIL_DELIVERY
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, Rows, TinyWorld

A, B, C = (UPCA[product] for product in "ABC")


DAY_OF_THE_OMS = (*UNTIL_DELIVERY, "reset_import", "unreported_shipments", "variance_file", "variance_import")


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


def test_a_day_that_its_own_guards_would_hold_is_told_by_the_dry_run(example: TinyWorld) -> None:
    """It said 'would be held: no', of Shopify alone."""
    example.file([("101", A, 10), *[("999", A, 3)] * 30])
    told = dry(example).metadata["reset_preview"]
    assert "30 rows (96.8%) are rejected: unknown_facility" in str(told["OMS would be held"])
    assert example.run("filtered_reset_parts").failures.keys() == {"filtered_reset_parts"}
    assert example.sent == []
    example.file([("101", A, 10)])
    told = dry(example).metadata["reset_preview"]
    assert (told["OMS would be held"], told["OMS delivery"]) == ("no", "generation 1")
    assert example.run().failures == {}
    again = dry(example).metadata["reset_preview"]
    assert again["OMS delivery"] == "generation 1 was delivered before: it would not be sent again"


def test_older_counts_than_went_out_are_told_by_the_dry_run(example: TinyWorld, counts: Rows) -> None:
    example.file(counts, "20260311T070000")
    assert example.run(day=DAY.replace(day=11)).failures == {}
    example.file([("101", A, 4)])
    told = dry(example).metadata["reset_preview"]
    assert "A reset of US as of 2026-03-11 11:00 UTC went out before" in str(told["OMS would be held"])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happened_the_dry_runs_numbers_are_those_of_the_day(online: Online, seed: int) -> None:
    """Counts, sales, shipments and completed orders at random; the OMS and the shop are asked, not our tables."""
    dice, world = random.Random(seed), online.world  # noqa: S311  a world, no secret
    keys = [(facility, product) for facility in ("NY", "NASH") for product in "ABC"]
    for number in range(4):
        facility, product = dice.choice(keys[:2] + keys[3:5])
        order, units = f"10{number:02}", dice.randint(1, 4)
        world.oms.order(order, "2026-03-09 08:30", {product: (facility, units)})
        world.oms.ship(order, product, facility, units, dice.choice(["2026-03-09 09:00", "2026-03-10 07:10"]))
        if dice.random() < 0.4:
            world.oms.complete(order, dice.choice(["2026-03-09 10:00", "2026-03-10 07:20"]))
    for _ in range(4):
        world.oms.sell_in_store(
            *dice.choice(keys[:2]), dice.randint(-2, 3), dice.choice(["2026-03-10 06:00", "2026-03-10 07:30"])
        )
    code = {"NY": "101", "NASH": "102"}
    world.file([(code[place], UPCA[one], dice.randint(0, 9)) for place, one in dice.sample(keys, dice.randint(2, 6))])
    ledger, shown = world.oms.ledger(), online.shown()
    said = dry(world)
    assert (said.failures, world.sent, online.published()) == ({}, [], [])
    assert (world.oms.ledger(), online.shown()) == (ledger, shown)
    changes, plan = world.table("reset_preview"), world.table("shopify_preview")
    before = world.oms.on_hand()
    assert {(row["facility_id"], row["product_id"]): row["quantity_on_hand"] for row in changes.to_dicts()} == {
        key: before[key[1]][key[0] == "NASH"] for key in changes.select("facility_id", "product_id").rows()
    }
    assert world.run(*DAY_OF_THE_OMS).failures == {}
    after = world.oms.on_hand()
    would_be = {(row["facility_id"], row["product_id"]): row["would_be"] for row in changes.to_dicts()}
    assert {key: after[key[1]][key[0] == "NASH"] for key in would_be} == would_be
    told = said.metadata["reset_preview"]
    gap = [after[one][at] - before[one][at] for one in "ABC" for at in (0, 1)]
    assert (told["OMS units up"], told["OMS units down"]) == (
        sum(u for u in gap if u > 0),
        -sum(u for u in gap if u < 0),
    )
    assert online.full("sure").failures == {}
    targets = {row["shopify_inventory_item_id"]: row["target"] for row in plan.to_dicts()}
    assert {f"9{one}": units for one, units in zip("ABC", online.shown(), strict=True)} == targets


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


def apply(world: TinyWorld, undone: Undone) -> None:
    """A person uploads the file, and the OMS takes it in."""
    (world.server / "hotwax/inventory-variance" / undone.file.name).write_bytes(undone.file.read_bytes())
    world.poll()


def test_two_resets_of_a_day_and_what_was_sold_between_them_are_taken_back_to_the_piece(
    example: TinyWorld, counts: Rows, tmp_path: Path
) -> None:
    before = example.oms.on_hand()
    example.file(counts)
    assert example.run().failures == {}
    example.oms.sell_in_store("NASH", "A", 1, "2026-03-10 07:30")
    example.file([("101", A, 13), ("102", A, 7), ("101", C, 6)], "20260310T074500")
    assert example.run().failures == {}
    example.oms.sell_in_store("NY", "A", 2, "2026-03-10 12:00")
    apply(example, undo(example, tmp_path))
    (a_ny, a_nash), (b_ny, b_nash), (c_ny, c_nash) = (before[one] for one in "ABC")
    assert example.oms.on_hand() == {"A": (a_ny - 2, a_nash - 1), "B": (b_ny, b_nash), "C": (c_ny, c_nash)}
    assert example.oms.totals_off_the_ledger() == []


def test_what_was_taken_back_is_not_taken_back_again_but_a_later_reset_of_the_day_is(
    example: TinyWorld, counts: Rows, tmp_path: Path
) -> None:
    before = example.oms.on_hand()
    example.file(counts)
    example.run()
    apply(example, undo(example, tmp_path))
    assert example.oms.on_hand() == before
    with pytest.raises(SetupError, match=r"was taken back already: the OMS imported undo_US_20260310\.csv"):
        undo(example, tmp_path)
    example.file([("101", C, 8)], "20260310T074500")
    assert example.run().failures == {}
    assert example.oms.on_hand()["C"] == (8, 0)
    second = undo(example, tmp_path)
    assert second.file.name == "undo_US_20260310_r2.csv"
    assert second.rows.select("facility_id", "product_id", "available_delta").rows() == [("NY", "C", -8)]
    apply(example, second)
    assert example.oms.on_hand() == before


def test_a_row_that_failed_and_one_that_was_clamped_are_taken_back_as_far_as_they_went(
    example: TinyWorld, tmp_path: Path
) -> None:
    """B loses its UPCA before the import; of A there is 1 on the shelf, and its variance of 2 takes 1."""
    before = example.oms.on_hand()
    example.file([("101", A, 1), ("101", B, 3), ("102", C, 4)])
    example.run(*UNTIL_DELIVERY)
    example.oms.do("UPDATE GOOD_IDENTIFICATION SET THRU_DATE = '2026-03-10 00:00:00' WHERE PRODUCT_ID = 'B'")
    rest = ("reset_import", "unreported_shipments", "variance_file", "variance_import")
    assert example.run(*rest, release="known", released="reset_import").failures == {}
    assert example.oms.on_hand() == {"A": (0, 10), "B": (8, 10), "C": (0, 4)}
    apply(example, undo(example, tmp_path))
    assert example.oms.on_hand() == before


def test_a_file_that_the_oms_refused_does_not_keep_the_day_from_being_taken_back(
    example: TinyWorld, counts: Rows, tmp_path: Path
) -> None:
    """Its rows were waited for: 'materialize reset_import again', for ever."""
    before = example.oms.on_hand()
    example.file(counts)
    example.run(*UNTIL_DELIVERY)
    (sent,) = (example.server / "hotwax/reset-inventory").glob("*.csv")
    sent.write_text("what is this\n")
    example.poll()
    example.file([("101", A, 12), ("102", C, 4)], "20260310T074500")
    assert example.run().failures == {}
    apply(example, undo(example, tmp_path))
    assert example.oms.on_hand() == before


def test_an_undo_waits_for_a_variance_that_is_still_due(example: TinyWorld, counts: Rows, tmp_path: Path) -> None:
    example.file(counts)
    example.run(*UNTIL_DELIVERY, "reset_import")
    with pytest.raises(NotYetError, match="may still get a variance"):
        undo(example, tmp_path)


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
