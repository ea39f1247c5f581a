"""``rpsync explain``: the whole life of one number, for a key in every state that a day can leave it in."""

import gzip
import json
import os
import resource
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from rpsync_assets.core.reset import REASONS
from rpsync_assets.explain.explain import explain
from rpsync_assets.explain.sources import opened
from rpsync_assets.explain.trace import Trace
from rpsync_assets.oms import tables
from rpsync_assets_tests.graph.online import Online, fine
from rpsync_assets_tests.graph.test_guards_bite_alone import UNTIL_DELIVERY
from rpsync_assets_tests.graph.tiny_oms import NEW_YORK, UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, HEADER, Rows, TinyWorld

A, B, C, Z = (UPCA[product] for product in "ABCZ")


def traced(world: TinyWorld, facility: str, upc: str, day: date = DAY) -> Trace:
    with opened(world.settings(), "US", day) as sources:
        return explain(sources, facility, upc)


def told(trace: Trace, title: str) -> str:
    """What one step says."""
    return "\n".join(next(step.lines for step in trace.steps if step.title.startswith(title)))


@pytest.fixture
def day(example: TinyWorld, counts: Rows) -> TinyWorld:
    """New York and Nashville's whole day, after which a customer buys one A in New York."""
    example.file([*counts, ("999", A, 3), ("101", A, 10)])
    assert example.run().failures == {}
    example.oms.sell_in_store("NY", "A", 1, "2026-03-10 12:00")
    return example


def test_a_key_that_was_kept_reset_varied_and_sold_since(day: TinyWorld) -> None:
    """Retail Pro counted 10 and was not told of 2; one was sold at noon: 7."""
    trace = traced(day, "NY", A)
    assert trace.states[:6] == ("kept", "rejected", "duplicate", "delivered", "accepted", "unreported")
    assert {"varied", "sold_since", "agrees"} <= set(trace.states)
    assert f"Line 2: 101,{A},ALU,Shoe,10" in told(trace, "Its line")
    assert f"Line 10: 101,{A},ALU,Shoe,10" in told(trace, "Its line")
    assert "reset_US_20260310_g1_1of1.csv" in told(trace, "Delivered")
    assert "counted 10: QOH 8 +2 = 10" in told(trace, "The OMS's receipt")
    assert "Order #1001 (line A, ORDER_APPROVED): 2 pieces" in told(trace, "Shipped")
    assert "Asked for: -2 (-2 for 1 unreported order(s))" in told(trace, "The variance")
    assert "applied it" in told(trace, "The variance")
    assert "variance_US_20260310_g1.csv" in told(trace, "The variance")
    assert "sold in store, QOH -1, ATP -1" in told(trace, "Sold and moved")
    assert "Counted 10, less 2 unreported, -1 moved since = 7 should lie there." in told(trace, "Does it add up?")
    assert "The OMS has 7: the systems agree." in told(trace, "Does it add up?")
    assert "NY: QOH 8, ATP 8, safety stock 0 leaves 8, counts 8" in told(trace, "What may be sold")
    assert "Online: 18 from 2 facilities, less threshold 0" in told(trace, "What may be sold")
    assert "raw_reset_file, active_products, filtered_reset" in told(trace, "Runs")


def test_what_was_typed_may_be_a_store_code_and_a_upc_with_or_without_zeros(day: TinyWorld) -> None:
    usual = traced(day, "NY", A)
    for facility, upc in (("101", A), (" ny ", A), ("NY", f"00{A}"), ("NY", A.lstrip("0"))):
        assert traced(day, facility, upc).steps[1:] == usual.steps[1:]


def test_a_key_without_anything_to_take_back_says_why_there_is_no_variance(day: TinyWorld) -> None:
    trace = traced(day, "NASH", C)
    assert {"kept", "delivered", "accepted", "agrees"} <= set(trace.states)
    assert told(trace, "The variance") == "None: nothing of it is unreported."
    assert "QOH 0 +5 = 5" in told(trace, "The OMS's receipt")


def test_an_inactive_product_shows_its_line_and_what_the_oms_knows_of_it(day: TinyWorld) -> None:
    trace = traced(day, "NY", Z)
    assert trace.states == ("inactive", "no_stock_record", "not_mapped")
    assert f"Line 8: 101,{Z},ALU,Shoe,99" in told(trace, "Its line")
    assert "Inactive: not a product that is sold online" in told(trace, "Its line")
    assert f"product Z (SKU-Z), UPCA {Z}; not published on the Shopify of US." in told(trace, "The key")
    assert "Not this key" in told(trace, "Delivered")
    assert "(1 line of it at other store codes)" in told(traced(day, "NASH", Z), "Its line")
    assert traced(day, "NASH", Z).states[0] == "no_line"


def test_an_unknown_facility_is_named_and_its_row_shown(day: TinyWorld) -> None:
    trace = traced(day, "999", A)
    assert trace.states[:2] == ("unknown_facility", "rejected")
    assert "'999' is not a physical, open facility of US" in told(trace, "The key")
    assert f"Line 9: 999,{A},ALU,Shoe,3" in told(trace, "Its line")
    assert "Rejected (unknown_facility)" in told(trace, "Its line")


def test_a_key_that_the_file_does_not_name(example: TinyWorld) -> None:
    example.file([("101", A, 10)])
    example.run()
    trace = traced(example, "NASH", B)
    assert "no_line" in trace.states
    assert "no line of it at this store code: Retail Pro sent no count of this key. A delta" in told(trace, "Its line")
    nobodys = traced(example, "NASH", "012345678912")
    assert "The OMS has no product with this UPCA, now or before." in told(nobodys, "The key")


REJECTED = {
    "blank_upc": ("", "3"),
    "invalid_upc": ("12AB", "3"),
    "exponent_upc": ("2.05E+12", "3"),
    "blank_quantity": (B, ""),
    "invalid_quantity": (C, "many"),
    "fractional_quantity": (A, "0.5"),
}


def test_each_reason_shows_the_line_as_sent_and_the_reason_in_words(example: TinyWorld) -> None:
    rows = [("101", A, "1"), ("101", A, "2"), ("102", A, "7.0")]
    lines = [f'101,{upc},ALU,"Shoe, 27"" long",{quantity}' for upc, quantity in REJECTED.values()]
    lines += [f"{code},{upc},ALU,Shoe,{quantity}" for code, upc, quantity in rows]
    example.raw_file("\n".join([HEADER, *lines, ""]).encode())
    example.run()
    for number, (reason, (upc, _)) in enumerate(REJECTED.items(), 2):
        trace = traced(example, "NY", upc)
        assert {"rejected", reason} <= set(trace.states), reason
        assert f"Line {number}: {lines[number - 2]}" in told(trace, "Its line")
        assert f"Rejected ({reason}): {REASONS[reason]}." in told(trace, "Its line")
    assert told(traced(example, "NY", A), "Its line").count("Rejected (conflicting_duplicate)") == 2


def test_a_deduction_that_was_clamped_says_what_is_left_over(example: TinyWorld) -> None:
    example.file([("101", A, 1), ("101", B, 10)])
    example.run()
    trace = traced(example, "NY", A)
    assert {"varied", "clamped", "differs"} <= set(trace.states)
    assert "The OMS clamped it" in told(trace, "The variance")
    assert "Counted 1, less 2 unreported, 0 moved since = -1 should lie there." in told(trace, "Does it add up?")
    assert "The OMS has 0: +1 off." in told(trace, "Does it add up?")


def test_a_kept_key_of_a_held_day_says_what_holds_it_and_the_mend(example: TinyWorld, counts: Rows) -> None:
    """The file of the 11th went out first; the one of the 10th came late and must not go over it."""
    example.file(counts, "20260311T070000")
    assert example.run(day=DAY.replace(day=11)).failures == {}
    example.file([("101", A, 4)])
    example.run()
    trace = traced(example, "NY", A)
    assert {"kept", "held"} <= set(trace.states)
    assert "delivered" not in trace.states
    assert "HELD: A reset of US as of 2026-03-11 11:00 UTC went out before" in told(trace, "Delivered")
    assert "newer counts are in place" in told(trace, "Delivered")


def test_a_held_guard_is_told_with_its_check_number_and_threshold(example: TinyWorld, counts: Rows) -> None:
    """A table that was filtered anew and cannot be delivered: its rows no longer agree with the accounting."""
    example.file(counts)
    example.run("raw_reset_file", "active_products", "filtered_reset")
    tables_of = example.defs().resources["tables"]  # type: ignore[index]
    accounting = example.table("reset_row_accounting")
    tables_of.write("reset_row_accounting", f"{DAY}|US", accounting.with_columns(pl.col("rows") + 1))
    example.run("filtered_reset_parts")
    trace = traced(example, "NY", A)
    assert {"kept", "held"} <= set(trace.states)
    assert "(check rows_accounted_for: observed " in told(trace, "Delivered")
    example.run("filtered_reset", "filtered_reset_parts")
    assert "held" not in traced(example, "NY", A).states


def test_a_day_that_stopped_at_the_door_says_what_is_missing(example: TinyWorld) -> None:
    example.run()
    trace = traced(example, "NY", A)
    assert trace.states[0] == "no_file"
    assert "No reset file of US for 2026-03-10" in told(trace, "Retail Pro's file")
    assert "Not computed for this day yet" in told(trace, "What may be sold")


def test_a_row_that_failed_at_the_import_keeps_its_old_number(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    example.run(*UNTIL_DELIVERY)
    example.oms.do("UPDATE GOOD_IDENTIFICATION SET THRU_DATE = '2026-03-10 00:00:00' WHERE PRODUCT_ID = 'A'")
    example.run("reset_import")
    assert "reset_import was stopped" in told(traced(example, "NY", A), "The OMS's receipt")
    rest = ("reset_import", "unreported_shipments", "variance_file", "variance_import", "online_atp", "shopify_feed")
    example.run(*rest, release="known", released="reset_import")
    trace = traced(example, "NY", A)
    assert {"kept", "delivered", "failed"} <= set(trace.states)
    assert "accepted" not in trace.states
    assert "FAILED" in told(trace, "The OMS's receipt")
    assert told(trace, "The variance") == "None: its reset row was not accepted, so it brought nothing in."


def test_a_count_that_came_too_late_is_superseded_by_the_newer_one(example: TinyWorld, counts: Rows) -> None:
    """Before this file was imported, the OMS took in a newer count of A in New York."""
    example.file(counts)
    example.run(*UNTIL_DELIVERY)
    content = (
        "facilityId,locationSeqId,idType,idValue,availableQty,comments\n"
        f"NY,TLTLTLLL01,UPCA,{A},6,Retail Pro snapshot 2026-03-10T15:00:00Z\n"
    )
    from rpsync_assets.oms.imports import import_reset  # noqa: PLC0415

    newer = datetime(2026, 3, 10, 11, 5, tzinfo=NEW_YORK)
    import_reset(example.defs().resources["oms"].engine, "by_hand.csv", content.encode(), newer)  # type: ignore[index]
    example.run("reset_import", "variance_file", "variance_import", "online_atp", "shopify_feed")
    trace = traced(example, "NY", A)
    assert {"kept", "delivered", "superseded"} <= set(trace.states)
    assert "Superseded" in told(trace, "The OMS's receipt")
    assert "It changed nothing" in told(trace, "The OMS's receipt")


def test_a_count_that_an_earlier_day_owes_shows_its_own_file_and_why_it_comes_now(
    example: TinyWorld, counts: Rows
) -> None:
    """The day before was never delivered, and today's delta does not name A."""
    example.file(counts, "20260309T070000")
    example.run("raw_reset_file", "active_products", "filtered_reset", day=DAY.replace(day=9))
    example.file([("101", B, 9)])
    assert example.run().failures == {}
    trace = traced(example, "NASH", A)
    assert {"owed", "kept", "delivered", "accepted", "agrees"} <= set(trace.states)
    said = told(trace, "Its line")
    assert "Owed from reset_US_20260309T070000.csv of 2026-03-09" in said
    assert "(day_not_delivered)" in said
    assert f"Line 3: 102,{A},ALU,Shoe,10" in said


def test_a_newer_days_count_is_pointed_at(day: TinyWorld) -> None:
    later = DAY.replace(day=11)
    day.file([("101", A, 7)], "20260311T070000")
    assert day.run(day=later).failures == {}
    assert "replaced" in traced(day, "NY", A).states
    assert "that of 2026-03-11. Ask for that day." in told(traced(day, "NY", A), "Does it add up?")


@pytest.mark.parametrize(
    ("reason", "why"), [("several_upcas", "two different current UPCAs"), ("shared_upca", "current on another product")]
)
def test_a_product_that_is_left_out_of_the_list_says_why(
    example: TinyWorld, counts: Rows, reason: str, why: str
) -> None:
    who, number = {"several_upcas": ("B", "4006381333948"), "shared_upca": ("C", B)}[reason]
    example.oms.add(
        tables.good_identification,
        GOOD_IDENTIFICATION_TYPE_ID="UPCA",
        PRODUCT_ID=who,
        FROM_DATE=datetime(2026, 1, 1),  # noqa: DTZ001  naive UTC, as the OMS stores it
        ID_VALUE=number,
    )
    example.file(counts)
    example.run()
    trace = traced(example, "NY", B)
    assert "inactive" in trace.states
    assert f"left out ({reason})" in told(trace, "The key")
    assert why in told(trace, "The key")


def test_shopify_before_and_after_with_the_operation_that_did_it(online: Online, counts: Rows) -> None:
    online.shop.stock([("9A", "700", 17)])
    today = f"{online.today:%Y%m%d}"
    online.world.file(counts, f"{today}T000001")
    ran = online.world.run(day=online.today)
    assert ran.failures == {}
    with opened(online.world.settings(), "US", online.today) as sources:
        trace = explain(sources, "NY", A)
    assert "showed 17, should show 20 (20 may be sold); up by 3, sent." in told(trace, "Shopify")
    assert f"set to 20 (it was 17) at location 700, applied (operation " in told(trace, "Shopify")  # noqa: F541
    assert ran.run_id in told(trace, "Shopify")
    online.world.oms.sell_in_store("NY", "A", 2, datetime.now(NEW_YORK))
    fine(online.delta())
    with opened(online.world.settings(), "US", online.today) as sources:
        after = told(explain(sources, "NY", A), "Shopify")
    assert "-2 at location 700, applied" in after


def test_a_dry_run_is_told_as_not_sent(online: Online, counts: Rows) -> None:
    online.world.store["shopify"] = {"url": online.endpoint.url, "publish": "dry_run"}
    online.shop.stock([("9A", "700", 17)])
    online.world.file(counts)
    online.world.run()
    assert "up by 3, NOT sent" in told(traced(online.world, "NY", A), "Shopify")


@pytest.mark.parametrize("packed", ["gzip", "utf-16", "quoted line ends", "cp1252"])
def test_lines_are_found_in_files_of_every_kind(example: TinyWorld, counts: Rows, packed: str) -> None:
    shoe = {"quoted line ends": '"Shoe\nwith ""laces"""', "cp1252": "Schuh für"}.get(packed, "Shoe")
    lines = [HEADER, *(f"{code},{upc},ALU,{shoe},{units}" for code, upc, units in counts)]
    text = "\n".join(lines) + "\n"
    content = text.encode({"utf-16": "utf-16", "cp1252": "cp1252"}.get(packed, "utf-8"))
    example.raw_file(gzip.compress(content) if packed == "gzip" else content)
    assert example.run().failures == {}
    kept = told(traced(example, "NASH", B), "Its line")
    assert kept.startswith("Line 5: ")
    assert kept.splitlines()[-1] == "Kept: Retail Pro counted 10 at facility NASH."
    assert B in kept or packed == "quoted line ends"
    if packed != "quoted line ends":
        assert "Line 8: " in told(traced(example, "NY", Z), "Its line")


def test_an_oms_that_is_away_is_told_and_the_rest_is_explained(day: TinyWorld) -> None:
    (day.root / "oms.sqlite").rename(day.root / "away.sqlite")
    trace = traced(day, "NY", A)
    assert "The OMS cannot be asked" in told(trace, "The key")
    assert {"kept", "delivered", "accepted", "varied"} <= set(trace.states)


# The command ----------------------------------------------------------------------------------------------------------
def test_the_command_needs_no_dagster_and_changes_nothing(day: TinyWorld) -> None:
    settings = day.settings()
    before = {path: path.stat().st_mtime_ns for path in day.data.rglob("*") if path.is_file()}
    code = (
        "import sys, json; from datetime import date\n"
        "from rpsync_assets.settings import Settings\n"
        "from rpsync_assets.cli import app\n"
        "from rpsync_assets.explain.explain import explain\n"
        "from rpsync_assets.explain.sources import opened\n"
        "with opened(Settings.model_validate_json(sys.stdin.read()), 'US', date(2026, 3, 10)) as sources:\n"
        f"    print(json.dumps(explain(sources, 'NY', '{A}').as_json()))\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('dagster', 'paramiko', 'duckdb')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=settings.model_dump_json(exclude={"secrets"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(json.dumps(traced(day, "NY", A).as_json()))
    changed = [path for path, at in before.items() if path.stat().st_mtime_ns != at and path.suffix != ".sqlite"]
    assert changed == []


@pytest.mark.proof
def test_a_full_size_day_is_explained_in_under_a_second(tmp_path: Path) -> None:
    """300 MB; seconds of the processor, as a machine that does other things would make the clock lie."""
    command = [sys.executable, "-c", "from rpsync_assets.cli import main; main()"]
    data = tmp_path / "data"
    subprocess.run(
        [*command, "demo", "--size", "full", "--stores", "1", "--date", "2026-03-10", "--data-dir", str(data)],
        check=True,
        timeout=280,
    )
    environment = {**os.environ, "RPSYNC_CONFIG": str(data / "sandbox/rpsync.toml"), "RPSYNC_DATA_DIR": str(data)}
    tables_of = data / "tables/{}/business_date=2026-03-10/product_store=US/part.parquet"
    kept = pl.read_parquet(str(tables_of).format("filtered_reset")).sort("line_number").row(-1, named=True)
    rejected = pl.read_parquet(str(tables_of).format("rejected_reset_rows")).row(0, named=True)
    keys = [
        (kept["facility_id"], kept["upca"]),
        (rejected["store_code"], rejected["upc_text"]),
        ("C32", "2051000072700"),
    ]
    for facility, upc in keys:
        asked = ["explain", "--store", "US", "--date", "2026-03-10", "--facility", facility, "--upc", upc]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run([*command, *asked], env=environment, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "Line " in said.stdout
        assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.0


def test_a_zero_that_the_file_lost_and_a_count_below_zero_are_no_riddles(example: TinyWorld, counts: Rows) -> None:
    example.file([("101", A.lstrip("0"), -3), *counts[1:]])
    assert example.run().failures == {}
    said = told(traced(example, "NY", A), "Its line")
    assert f"Retail Pro writes {A.lstrip('0')}, the OMS {A}: one number, zeros before it mean nothing." in said
    assert "Retail Pro counted -3 at facility NY, below zero: it sold what it did not know of." in said


def test_a_shipment_of_a_completed_or_cancelled_order_says_why_it_counts(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    example.oms.do("UPDATE ORDER_HEADER SET STATUS_ID = 'ORDER_CANCELLED'")
    assert example.run().failures == {}
    assert "what of it was shipped has left the shelf" in told(traced(example, "NY", A), "Shipped")
    example.oms.complete("1001", "2026-03-10 07:10")
    assert example.run("unreported_shipments").failures == {}
    said = told(traced(example, "NY", A), "Shipped")
    assert "ORDER_COMPLETED came later: Retail Pro hears of it when the order is entirely completed" in said


def test_what_is_reserved_is_told_beside_what_may_be_promised(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    example.oms.order("1002", "2026-03-10 08:30", {"A": ("NASH", 1)})
    assert example.run().failures == {}
    assert "NASH: QOH 10, ATP 9 (1 reserved for orders)" in told(traced(example, "NASH", A), "What may be sold")


def test_a_dropped_row_is_told_what_stands_instead(day: TinyWorld, counts: Rows) -> None:
    day.file([("101", A, 3), ("101", A, 4), *counts[1:]], "20260311T070000")
    assert day.run(day=DAY.replace(day=11)).failures == {}
    said = told(traced(day, "NY", A, DAY.replace(day=11)), "Does it add up?")
    assert "no count of the key was accepted, so the OMS keeps its own number" in said
    assert "The count that stands is 10, of 2026-03-10" in said


def test_a_change_at_shopify_is_told_shop_by_shop_and_adds_up(online: Online, counts: Rows) -> None:
    online.shop.stock([("9A", "700", 17)])
    online.world.file([("101", A, 12), ("102", A, 7), *counts[2:]], f"{online.today:%Y%m%d}T000001")
    assert online.world.run(day=online.today).failures == {}
    said = told(traced(online.world, "NY", A, online.today), "Why Shopify's number changed")
    assert said.splitlines() == [
        "Online: +2 = -1 by the day's reset and variance, +3 as Shopify was off before.",
        "Shop by shop, what each counts online:",
        "NASH: 10 -> 7 (-3 by reset and variance)",
        "NY: 10 -> 12 (+2 by reset and variance)",
        "All shops of the channel, after threshold and queue: 20 -> 19",
    ]
