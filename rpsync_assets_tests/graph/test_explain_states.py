"""``rpsync explain`` of the states that a second file, a click in between or odd master data leave a key in.

Each was told wrongly once: by a line of another file, as agreed before its variance was asked for, or not at all.
"""

import os
from datetime import date, datetime, timedelta

import pytest

from rpsync_assets.explain.trace import Trace
from rpsync_assets.oms import tables
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.online import Online
from rpsync_assets_tests.graph.test_explain import told, traced
from rpsync_assets_tests.graph.test_guards_bite_alone import UNTIL_DELIVERY
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, HEADER, Rows, TinyWorld

A, B, C, Z = (UPCA[product] for product in "ABCZ")
LATER = "20260310T074500"
STRANGERS = [("999", A, 3)] * 30
"""More rows of an unknown facility than a day may have."""


def identify(world: TinyWorld, product: str, upca: str) -> None:
    world.oms.add(
        tables.good_identification,
        GOOD_IDENTIFICATION_TYPE_ID="UPCA",
        PRODUCT_ID=product,
        FROM_DATE=datetime(2026, 1, 1),  # noqa: DTZ001  naive UTC, as the OMS stores it
        ID_VALUE=upca,
    )


# Files ----------------------------------------------------------------------------------------------------------------
def test_a_key_of_the_days_first_file_alone_is_not_told_as_never_counted(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    example.run()
    example.file([("101", A, 11)], LATER)
    assert example.run().failures == {}
    trace = traced(example, "NY", B)
    assert {"several_files", "no_line", "delivered", "accepted", "varied", "agrees"} <= set(trace.states)
    assert "Also of this day: reset_US_20260310T070000.csv" in told(trace, "Retail Pro's file")
    assert f"reset_US_20260310T070000.csv of the same day has it: line 4: 101,{B}" in told(trace, "Its line")
    both = told(traced(example, "NY", A), "The OMS's receipt")
    assert "generation 1" in both
    assert "counted 11: QOH 8 +3 = 11" in both


def test_a_file_sent_again_and_not_yet_filtered_does_not_lend_its_line_to_the_count_before(
    example: TinyWorld, counts: Rows
) -> None:
    """'Line 2: ...,12' stood above 'Kept: Retail Pro counted 10'."""
    example.file(counts)
    example.run()
    again = example.file([("102", C, 5), ("101", A, 12)])
    os.utime(again, (1_773_140_000, 1_773_140_000))
    example.run("raw_reset_file")
    said = told(traced(example, "NY", A), "Its line")
    assert "What was filtered is reset_US_20260310T070000.csv as it was landed at" in said
    assert f"Line 2: 101,{A},ALU,Shoe,10" in said
    assert "Kept: Retail Pro counted 10" in said
    assert ",12" not in said


def test_a_newer_file_that_cannot_be_used_is_told_beside_the_one_that_was(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    example.run()
    example.raw_file(b"", LATER)
    example.run("raw_reset_file")
    said = told(traced(example, "NY", A), "Retail Pro's file")
    assert "reset_US_20260310T070000.csv, counted at" in said
    assert "raw_reset_file was stopped" in said
    assert "has zero bytes" in said


def test_an_owed_count_is_shown_by_its_own_file_though_the_name_was_used_again(example: TinyWorld) -> None:
    """Exports that keep one name for every day: the moment tells them apart."""
    example.store["file_pattern"] = r"reset_{store}\.csv"
    for day, content, only in (
        (9, f"{HEADER}\n101,{A},ALU,Shoe,10\n", ("raw_reset_file", "active_products", "filtered_reset")),
        (10, f"{HEADER}\n102,{C},ALU,Shoe,5\n101,{A},ALU,Shoe,\n", ()),
    ):
        path = example.incoming / "reset_US.csv"
        path.write_text(content)
        os.utime(path, (stamp := datetime(2026, 3, day, 11).timestamp(), stamp))  # noqa: DTZ001  any hour of the day
        example.run(*only, day=date(2026, 3, day))
    said = told(traced(example, "NY", A), "Its line")
    assert "Owed from reset_US.csv of 2026-03-09" in said
    assert f"Line 2: 101,{A},ALU,Shoe,10" in said


@pytest.mark.parametrize("place", ["before it", "within it"])
def test_the_line_of_an_inactive_product_is_found_though_quotes_hold_line_ends(example: TinyWorld, place: str) -> None:
    """It was told as not in the file."""
    shoe = {"before it": '"Shoe\nwith ""laces"""', "within it": f'"Shoe\nlike {Z},\nred"'}[place]
    rows = [HEADER, f"102,{A},ALU,{shoe},4", f"101,{Z},ALU,{shoe},99", f"102,{B},ALU,Shoe,4"]
    example.raw_file(("\n".join(rows) + "\n").encode())
    assert example.run().failures == {}
    trace = traced(example, "NY", Z)
    assert "inactive" in trace.states
    assert told(trace, "Its line").startswith(f"Line 3: 101,{Z},ALU,{shoe},99\n")


def test_decimals_and_invisible_marks_around_an_inactive_upc_do_not_hide_its_line(example: TinyWorld) -> None:
    rows = [HEADER.replace(",", ";"), f"101;{Z},0;ALU;Shoe;3", f"102;\u200b{Z};ALU;Shoe;4", f"102;{A};ALU;Shoe;4"]
    example.raw_file(("\n".join(rows) + "\n").encode())
    assert example.run().failures == {}
    assert "Line 2: " in told(traced(example, "NY", Z), "Its line")
    assert "Line 3: " in told(traced(example, "NASH", Z), "Its line")


def test_a_upc_that_was_cut_to_an_exponent_is_offered_to_whoever_asks_for_the_whole_one(example: TinyWorld) -> None:
    example.raw_file(f"{HEADER}\n101,4.01E+12,ALU,Shoe,3\n101,2.05E+12,ALU,Shoe,4\n102,{A},ALU,Shoe,3\n".encode())
    example.run()
    said = told(traced(example, "NY", B), "Its line")
    assert "Line 2 may be of it: its UPC was cut to 4.01E+12" in said
    assert "Line 3" not in said


def test_a_failing_check_digit_is_told_as_a_warning_or_as_the_reason(world: TinyWorld) -> None:
    world.oms.product("W", wrong := "012345678906")
    world.file([("101", wrong, 3), ("102", A, 1)])
    world.run()
    trace = traced(world, "NY", wrong)
    assert "kept" in trace.states
    assert "fails the check digit" in told(trace, "The key")
    world.store["check_digit"] = "reject"
    world.run("filtered_reset")
    trace = traced(world, "NY", wrong)
    assert {"rejected", "failing_check_digit"} <= set(trace.states)
    assert "kept" not in trace.states


def test_an_ambiguous_quantity_is_shown_as_sent(example: TinyWorld) -> None:
    example.raw_file(f'{HEADER}\n101,{A},ALU,Shoe,"1.234"\n'.encode())
    example.run()
    trace = traced(example, "NY", A)
    assert {"rejected", "ambiguous_quantity"} <= set(trace.states)
    assert f'Line 2: 101,{A},ALU,Shoe,"1.234"' in told(trace, "Its line")


# Who it is ------------------------------------------------------------------------------------------------------------
def test_a_product_may_be_asked_for_by_its_sku(example: TinyWorld, counts: Rows) -> None:
    """The question is: why is this SKU at 3 online?"""
    example.file(counts)
    example.run()
    assert traced(example, "101", "sku-a").steps[1:] == traced(example, "NY", A).steps[1:]
    assert "'sku-a' is its SKU or id." in told(traced(example, "NY", "sku-a"), "The key")
    assert f"UPCA {Z}; not published" in told(traced(example, "NY", "SKU-Z"), "The key")
    assert "Line 8: " in told(traced(example, "NY", "SKU-Z"), "Its line")
    assert "That is not a UPC (7 to 14 digits) or a SKU" in told(traced(example, "NY", "SKU-NOBODY"), "The key")


WHY_INACTIVE = {
    "discontinued": "its sale was discontinued at 2025-12-31 19:00:00 EST",
    "of another store": "not published on the Shopify of US, but on that of CA",
    "a gift card": "not a physical product",
    "virtual": "virtual: its variants are what is sold",
    "an old UPCA": "which it does not have now",
}


@pytest.mark.parametrize("why", WHY_INACTIVE)
def test_an_inactive_row_says_what_keeps_its_product_from_being_sold_online(example: TinyWorld, why: str) -> None:
    """'Published on Shopify now' was all that it said of a discontinued one."""
    oms, upca = example.oms, "4006381333955"
    oms.product("D", upca, published=why != "of another store")
    if why == "of another store":
        oms.add(tables.product_store, PRODUCT_STORE_ID="CA")
        oms.add(tables.shopify_shop, SHOP_ID="SHOPCA", PRODUCT_STORE_ID="CA")
        oms.add(tables.shopify_shop_product, SHOP_ID="SHOPCA", SHOPIFY_PRODUCT_ID="8D", PRODUCT_ID="D")
    oms.do(
        {
            "discontinued": "UPDATE PRODUCT SET SALES_DISCONTINUATION_DATE = '2026-01-01 00:00' WHERE PRODUCT_ID = 'D'",
            "a gift card": "UPDATE PRODUCT SET PRODUCT_TYPE_ID = 'DIGITAL_GOOD' WHERE PRODUCT_ID = 'D'",
            "virtual": "UPDATE PRODUCT SET IS_VIRTUAL = 'Y' WHERE PRODUCT_ID = 'D'",
            "an old UPCA": "UPDATE GOOD_IDENTIFICATION SET THRU_DATE = '2026-01-01 00:00:00' WHERE PRODUCT_ID = 'D'",
        }.get(why, "SELECT 1")
    )
    example.file([("101", upca, 3), ("102", A, 10)])
    example.run()
    trace = traced(example, "NY", upca)
    assert "inactive" in trace.states
    assert WHY_INACTIVE[why] in told(trace, "The key")
    assert f"Line 2: 101,{upca}" in told(trace, "Its line")


def test_a_upca_of_two_products_names_both_and_tells_no_number_of_one_of_them(example: TinyWorld, counts: Rows) -> None:
    """The stock of the first was shown as if it were meant."""
    identify(example, "C", B)
    example.file(counts)
    example.run()
    trace = traced(example, "NY", B)
    assert {"left_out", "shared_upca", "inactive"} <= set(trace.states)
    assert "Product B (SKU-B)" in told(trace, "The key")
    assert "Product C (SKU-C)" in told(trace, "The key")
    assert not [state for state in trace.states if state.startswith("sellable")]
    by_sku = traced(example, "NY", "SKU-C")
    assert f"Its UPCAs: {C}, {B}." in told(by_sku, "The key")
    assert "Now the OMS has 0 on hand" in told(by_sku, "Sold and moved")


def test_a_product_that_came_onto_the_list_after_it_was_made_is_told_so(
    example: TinyWorld, counts: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day's own filter looks for such products; afterwards the list is made anew without it."""
    monkeypatch.setattr("rpsync_assets.assets.reset.today_in", lambda _zone: DAY)
    example.oms.do("UPDATE PRODUCT SET IS_VIRTUAL = 'Y' WHERE PRODUCT_ID = 'C'")
    example.file(counts)
    example.run("raw_reset_file", "active_products")
    example.oms.do("UPDATE PRODUCT SET IS_VIRTUAL = 'N' WHERE PRODUCT_ID = 'C'")
    example.run(*(name for name in UNTIL_DELIVERY if name != "active_products"))
    trace = traced(example, "NY", C)
    assert {"listed_since", "kept", "delivered"} <= set(trace.states)
    assert "not on the day's list as it stands" in told(trace, "The key")


def test_a_row_that_was_dropped_before_its_product_was_listed_is_not_told_as_missing(
    example: TinyWorld, counts: Rows
) -> None:
    example.oms.do("UPDATE PRODUCT SET IS_VIRTUAL = 'Y' WHERE PRODUCT_ID = 'C'")
    example.file(counts)
    example.run()
    example.oms.do("UPDATE PRODUCT SET IS_VIRTUAL = 'N' WHERE PRODUCT_ID = 'C'")
    example.run("active_products")
    said = told(traced(example, "NY", C), "Its line")
    assert f"Line 6: 101,{C},ALU,Shoe,5" in said
    assert "Inactive when the file was filtered" in said


WHY_NO_FACILITY = {
    "closed": "facility SHUT: closed since 2025-12-31 19:00:00 EST",
    "of another store": "facility FAR: it is of CA, not of US",
    "claimed twice": "Two facilities claim that store code",
    "virtual": "virtual, it has no shelf",
}


@pytest.mark.parametrize("why", WHY_NO_FACILITY)
def test_an_unknown_facility_says_what_the_oms_knows_of_it(example: TinyWorld, why: str) -> None:
    oms, code = (
        example.oms,
        {"closed": "103", "of another store": "201", "claimed twice": "104", "virtual": "_NA_"}[why],
    )
    if why == "closed":
        oms.facility("SHUT", code)
        oms.do("UPDATE FACILITY SET CLOSED_DATE = '2026-01-01 00:00:00' WHERE FACILITY_ID = 'SHUT'")
    elif why == "of another store":
        oms.add(tables.product_store, PRODUCT_STORE_ID="CA")
        oms.facility("FAR", code)
        oms.do("UPDATE PRODUCT_STORE_FACILITY SET PRODUCT_STORE_ID = 'CA' WHERE FACILITY_ID = 'FAR'")
    elif why == "claimed twice":
        for one in ("ONE", "TWO"):
            oms.facility(one, code)
    example.file([(code, A, 3), ("102", A, 10)])
    example.run()
    trace = traced(example, code, A)
    assert {"unknown_facility", "rejected"} <= set(trace.states)
    assert WHY_NO_FACILITY[why] in told(trace, "The key")
    assert f"Line 2: {code},{A}" in told(trace, "Its line")


# How far it came ------------------------------------------------------------------------------------------------------
def test_a_held_count_and_a_persons_release_are_told(example: TinyWorld) -> None:
    example.file([("101", A, 10), *STRANGERS])
    example.run()
    assert {"held", "not_delivered"} <= set(traced(example, "NY", A).states)
    assert example.run(release="the store opens today").failures == {}
    trace = traced(example, "NY", A)
    assert {"released", "delivered", "accepted"} <= set(trace.states)
    assert "released the held file at" in told(trace, "Delivered")
    assert '"the store opens today"' in told(trace, "Delivered")


def test_a_count_that_waits_in_a_held_day_is_told_by_the_next_day(example: TinyWorld) -> None:
    """It said that nothing had changed there."""
    example.file([("101", C, 7), *STRANGERS])
    example.run()
    example.file([("101", A, 10)], "20260311T070000")
    assert example.run(day=DAY.replace(day=11)).failures == {}
    trace = traced(example, "NY", C, DAY.replace(day=11))
    assert {"no_line", "owed_and_waiting"} <= set(trace.states)
    said = told(trace, "Its line")
    assert "(day_held)" in said
    assert f"Line 2: 101,{C},ALU,Shoe,7" in said
    assert "it does not go with this day's reset" in said


def test_an_owed_count_is_not_told_as_agreed_before_its_shipments_were_asked_for(example: TinyWorld) -> None:
    """Counted after two pieces went out: 'nothing unreported', 'the systems agree', and two pieces too many."""
    example.file([("101", A, 10)], "20260309T100000")
    example.run("raw_reset_file", "active_products", "filtered_reset", day=date(2026, 3, 9))
    example.file([("102", C, 5)])
    example.run(*UNTIL_DELIVERY, "reset_import", "unreported_shipments")
    trace = traced(example, "NY", A)
    assert {"owed", "accepted", "variance_due"} <= set(trace.states)
    assert not {"agrees", "differs"} & set(trace.states)
    assert "Not asked yet as of 2026-03-09 10:00:00" in told(trace, "Shipped")
    assert example.run().failures == {}
    trace = traced(example, "NY", A)
    assert {"unreported", "varied", "agrees"} <= set(trace.states)


def test_a_delivered_second_file_without_its_receipt_is_told_as_waited_for(example: TinyWorld, counts: Rows) -> None:
    """'The day's imports have no row of this key', and no variance 'as its row was not accepted'."""
    example.file([("101", B, 10)])
    example.run()
    example.file(counts, LATER)
    example.run(*UNTIL_DELIVERY)
    trace = traced(example, "NY", C)
    assert {"delivered", "receipt_is_waited_for"} <= set(trace.states)
    assert "no receipt for reset_US_20260310_g2_1of1.csv yet; the OMS's import log does not" in told(trace, "The OMS's")
    assert told(trace, "The variance").startswith("Not made yet")
    example.poll()
    assert "import log 10002 says SERVICE_FINISHED at" in told(traced(example, "NY", C), "The OMS's")


def test_before_its_variance_a_key_is_off_by_it_and_the_trace_says_why(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    example.run(*UNTIL_DELIVERY, "reset_import", "unreported_shipments")
    trace = traced(example, "NY", A)
    assert {"variance_due", "differs"} <= set(trace.states)
    assert "The OMS has 10: +2 off.\nIts variance is not in the OMS yet." in told(trace, "Does it add up?")


def test_two_issuances_of_one_line_at_one_moment_are_two(world: TinyWorld) -> None:
    """They are alike in every column, and were told as one."""
    world.oms.order("1001", "2026-03-09 08:30", {"A": ("NY", 2)})
    world.oms.ship("1001", "A", "NY", 1, "2026-03-09 09:00")
    world.oms.do(
        "INSERT INTO ITEM_ISSUANCE (ITEM_ISSUANCE_ID, ORDER_ID, ORDER_ITEM_SEQ_ID, SHIP_GROUP_SEQ_ID,"
        " INVENTORY_ITEM_ID, ISSUED_DATE_TIME, QUANTITY) SELECT 'I2', ORDER_ID, ORDER_ITEM_SEQ_ID, SHIP_GROUP_SEQ_ID,"
        " INVENTORY_ITEM_ID, ISSUED_DATE_TIME, QUANTITY FROM ITEM_ISSUANCE"
    )
    world.file([("101", A, 10)])
    world.run()
    assert "Together 2 pieces" in told(traced(world, "NY", A), "Shipped")


def test_the_ledger_calls_orders_by_their_names_and_corrections_by_hand_explain_a_difference(
    example: TinyWorld, counts: Rows
) -> None:
    example.file(counts)
    example.run()
    example.oms.ship("1001", "C", "NY", 2, "2026-03-10 12:00")
    example.oms.do("UPDATE ORDER_HEADER SET ORDER_NAME = 'W-77' WHERE ORDER_ID = '1001'")
    example.oms._move("NY-C", datetime(2026, 3, 10, 18), 4, 4, reason="VAR_FOUND")  # noqa: DTZ001  naive UTC
    trace = traced(example, "NY", C)
    assert "order W-77 shipped, QOH -2, ATP 0" in told(trace, "Sold and moved")
    assert {"moved_since", "differs"} <= set(trace.states)
    assert "+4 since the count by corrections by hand." in told(trace, "Does it add up?")


def test_a_key_that_today_does_not_name_says_which_count_stands(example: TinyWorld, counts: Rows) -> None:
    example.file(counts, "20260309T070000")
    assert example.run(day=date(2026, 3, 9)).failures == {}
    example.oms.sell_in_store("NASH", "B", 1, "2026-03-09 15:00")
    example.file([("101", A, 10)])
    assert example.run().failures == {}
    trace = traced(example, "NASH", B)
    assert "OMS accepted last is 10, counted at 2026-03-09 07:00:00 EDT, of 2026-03-09" in told(
        trace, "The OMS's receipt"
    )
    assert "sold_since" in trace.states
    assert "Together -1 since the count." in told(trace, "Sold and moved")


# Shopify --------------------------------------------------------------------------------------------------------------
def explained(online: Online, facility: str, upc: str) -> Trace:
    return traced(online.world, facility, upc, online.today)


def test_an_increase_that_waits_for_the_variance_is_told_as_held_with_its_size(online: Online) -> None:
    online.world.file([("101", A, 14)], f"{online.today:%Y%m%d}T000001")
    online.world.run(*UNTIL_DELIVERY, "reset_import", day=online.today)
    online.world.run("online_atp", "shopify_feed", day=online.today)
    online.full("sure")
    trace = explained(online, "NY", A)
    assert {"variance_due", "increase_held"} <= set(trace.states)
    assert "showed 20, should show 24 (24 may be sold); held (+4): an increase that waits" in told(trace, "Shopify")
    assert "published" not in trace.states
    online.delta()
    assert "decided: item 9A at location 700 (online), held: 4 waits for the variance" in told(
        explained(online, "NY", A), "Shopify"
    )


def test_a_publication_that_was_stopped_says_by_what(online: Online) -> None:
    online.world.tokens["US"] = "another shop's"
    online.world.file([("101", A, 4)], f"{online.today:%Y%m%d}T000001")
    online.world.run(day=online.today)
    said = told(explained(online, "NY", A), "Shopify")
    assert "Not published for this day yet: shopify_full_reset." in said
    assert "shopify_full_reset was stopped: " in said


def test_an_item_that_shopify_refuses_is_told_with_its_code(online: Online) -> None:
    """'NOT sent (a dry run, or Shopify refused it)' left the reader to guess."""
    online.shop.bundle("9A")
    online.world.file([("101", A, 4), ("101", C, 3)], f"{online.today:%Y%m%d}T000001")
    online.world.run(day=online.today)
    said = told(explained(online, "NY", A), "Shopify")
    assert "NOT applied: refused" in said
    assert "NON_MUTABLE_INVENTORY_ITEM" in said
    assert "up by 3, sent" in told(explained(online, "NY", C), "Shopify")


def test_a_days_own_operations_are_listed_and_later_ones_counted(online: Online) -> None:
    """A past day listed every operation since, as if it had been its own."""
    online.world.file([("101", A, 4)], f"{online.today:%Y%m%d}T000001")
    online.world.run(day=online.today)
    ours = told(explained(online, "NY", A), "Shopify")
    assert "Sent at" in ours
    before = online.today - timedelta(days=1)
    online.world.run("online_atp", "shopify_feed", day=before)
    theirs = told(traced(online.world, "NY", A, before), "Shopify")
    assert "Sent at" not in theirs
    assert "On later days it was sent 1 more time." in theirs


def test_a_pickup_location_shows_its_own_facilitys_number(online: Online) -> None:
    online.pickup("NY", "701")
    online.world.file([("101", A, 4)], f"{online.today:%Y%m%d}T000001")
    assert online.world.run(day=online.today).failures == {}
    trace = explained(online, "NY", A)
    assert "at location 701 (pickup) showed 10, should show 4 (4 may be sold); down by 6, sent" in told(
        trace, "Shopify"
    )
    assert "NY: QOH 4, ATP 4, safety stock 0 leaves 4, counts 4; for pick-up 4" in told(trace, "What may be sold")
    assert "701" not in told(explained(online, "NASH", A), "Shopify")
    assert online.shown_at("701")[0] == 4


# What is off, or away -------------------------------------------------------------------------------------------------
def test_a_store_that_does_not_publish_is_not_told_that_its_items_are_not_stocked(
    example: TinyWorld, counts: Rows
) -> None:
    example.file(counts)
    example.run()
    said = told(traced(example, "NY", A), "Shopify")
    assert "publishing is off for this store" in said
    assert "not_stocked" not in said


def test_an_oms_that_lacks_a_table_does_not_silence_the_rest(example: TinyWorld, counts: Rows) -> None:
    """A replica may not show its ledger to us: the file, the receipts and the counts can be told all the same."""
    example.file(counts)
    example.run()
    example.oms.do("ALTER TABLE INVENTORY_ITEM_DETAIL RENAME TO HIDDEN")
    trace = traced(example, "NY", A)
    assert {"kept", "delivered", "accepted", "varied"} <= set(trace.states)
    assert "Movements cannot be told: The OMS database cannot answer" in told(trace, "Sold and moved")
    assert "Now the OMS has 8 on hand" in told(trace, "Sold and moved")


def test_an_answer_for_machines_holds_every_steps_states_and_facts(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    example.run()
    said = traced(example, "NY", A).as_json()
    steps = said["steps"]
    assert isinstance(steps, list)
    assert [state for step in steps for state in step["states"]] == said["states"]
    assert all(set(step) == {"title", "lines", "states", "facts"} for step in steps)


def test_settings_without_the_store_are_refused_by_name(example: TinyWorld) -> None:
    from rpsync_assets.core.errors import SetupError  # noqa: PLC0415
    from rpsync_assets.explain.sources import opened  # noqa: PLC0415

    settings: Settings = example.settings()
    with pytest.raises(SetupError, match="'XX' is not in the settings"), opened(settings, "XX", DAY):
        pass
