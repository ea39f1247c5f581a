"""What a delta of today does not hold and the OMS still lacks goes along, as of its own moment, exactly once."""

import os
from datetime import date, datetime

import pytest

from rpsync_assets.resources.oms import EmbeddedOms
from rpsync_assets_tests.graph.test_guards_bite_alone import UNTIL_DELIVERY
from rpsync_assets_tests.graph.tiny_oms import NEW_YORK, UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, Rows, TinyWorld

FIRST, SECOND, THIRD = date(2026, 3, 9), DAY, date(2026, 3, 11)
FOURTH = date(2026, 3, 12)
AT = {one: f"{one:%Y%m%d}T070000" for one in (FIRST, SECOND, THIRD, FOURTH)}


def day(world: TinyWorld, of: date, rows: Rows, *only: str) -> Ran:
    """A morning: its file, and what is run of it."""
    world.file(rows, AT[of])
    return world.run(*only, day=of)


def owed(world: TinyWorld, of: date) -> list[tuple]:
    return world.table("owed_keys", of).select("facility_id", "upca", "quantity", "file_name", "why").rows()


def agrees(ran: Ran) -> None:
    assert (ran.failures, ran.red) == ({}, [])
    assert ran.checks["variance_import.oms_matches_retail_pro"].metadata["observed"].value == 0


def test_a_day_that_was_not_delivered_goes_with_the_next_as_of_its_own_moment(example: TinyWorld):
    """Two sales of A: one after the first count, one after the second, which does not hold A."""
    day(example, FIRST, [("101", UPCA["A"], 10)], "raw_reset_file", "active_products", "filtered_reset")
    example.oms.sell_in_store("NY", "A", 1, "2026-03-09 12:00")
    ran = day(example, SECOND, [("102", UPCA["C"], 5)])
    agrees(ran)
    assert owed(example, SECOND) == [("NY", UPCA["A"], 10, "reset_US_20260309T070000.csv", "day_not_delivered")]
    # 10 counted, 1 sold since; the order of 09:00 was shipped after that count, so the ledger takes it out.
    assert example.oms.on_hand() == {"A": (7, 10), "B": (8, 10), "C": (0, 5)}
    assert example.content("reset-inventory", "archive/reset_US_20260310_g1_1of1.csv")[1:] == [
        f"NASH,TLTLTLLL01,UPCA,{UPCA['C']},5,Retail Pro snapshot 2026-03-10T11:00:00Z",
        f"NY,TLTLTLLL01,UPCA,{UPCA['A']},10,Retail Pro snapshot 2026-03-09T11:00:00Z",
    ]


def test_an_owed_key_gets_the_variance_of_its_own_moment(example: TinyWorld):
    """Counted at 10:00 of the 9th, after the order was shipped and before it is complete: two units too many."""
    example.file([("101", UPCA["A"], 10)], "20260309T100000")
    example.run("raw_reset_file", "active_products", "filtered_reset", day=FIRST)
    example.oms.complete("1001", "2026-03-09 18:00")
    ran = day(example, SECOND, [("102", UPCA["C"], 5)])
    agrees(ran)
    variance = example.table("variance_file", SECOND).select("facility_id", "upca", "available_delta").rows()
    assert variance == [("NY", UPCA["A"], -2)]
    assert example.oms.on_hand()["A"] == (8, 10)
    shipped = example.table("unreported_shipments_of_owed_keys", SECOND)
    assert shipped.select("order_id", "quantity").rows() == [("1001", 2)]


def test_a_second_click_is_the_same_generation_with_the_same_owed_keys(example: TinyWorld):
    day(example, FIRST, [("101", UPCA["A"], 10)], "raw_reset_file", "active_products", "filtered_reset")
    day(example, SECOND, [("102", UPCA["C"], 5)])
    before = (example.sent, example.oms.ledger(), owed(example, SECOND))
    ran = example.run(day=SECOND)
    agrees(ran)
    assert ran.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"
    assert (example.sent, example.oms.ledger(), owed(example, SECOND)) == before


def test_a_look_at_an_old_day_finds_what_went_out_whatever_was_counted_since(example: TinyWorld):
    day(example, FIRST, [("101", UPCA["A"], 10)], "raw_reset_file", "active_products", "filtered_reset")
    agrees(day(example, SECOND, [("102", UPCA["C"], 5)]))
    agrees(day(example, THIRD, [("101", UPCA["A"], 9)]))
    before = (example.sent, example.oms.ledger())
    ran = example.run(*UNTIL_DELIVERY, day=SECOND)
    assert ran.failures == {}
    assert ran.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"
    assert example.table("filtered_reset", SECOND)["upca"].to_list() == [UPCA["C"], UPCA["A"]]
    assert (example.sent, example.oms.ledger()) == before


def test_an_old_days_file_that_was_corrected_goes_with_the_next(example: TinyWorld):
    """The same name, another count, after a newer day went out: by itself it comes too late."""
    agrees(day(example, FIRST, [("101", UPCA["A"], 10)]))
    agrees(day(example, SECOND, [("102", UPCA["C"], 5)]))
    path = example.file([("101", UPCA["A"], 12)], AT[FIRST])
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 60))
    assert "newer counts are in place" in example.run(day=FIRST).failure
    agrees(day(example, THIRD, [("102", UPCA["C"], 4)]))
    assert owed(example, THIRD) == [("NY", UPCA["A"], 12, "reset_US_20260309T070000.csv", "not_accepted")]
    # Counted at 07:00 of the 9th, before the order's two went out.
    assert example.oms.on_hand()["A"] == (10, 10)
    agrees(day(example, FOURTH, [("102", UPCA["C"], 3)]))
    assert owed(example, FOURTH) == []


def test_what_was_taken_is_not_owed_again(example: TinyWorld, counts: Rows):
    day(example, FIRST, counts)
    day(example, SECOND, [("102", UPCA["C"], 4)])
    assert owed(example, SECOND) == []
    agrees(day(example, THIRD, [("102", UPCA["C"], 3)]))
    assert (owed(example, THIRD), example.oms.on_hand()["C"]) == ([], (5, 3))


def test_the_newest_count_is_the_owed_one(example: TinyWorld):
    first = ("raw_reset_file", "active_products", "filtered_reset")
    day(example, FIRST, [("101", UPCA["A"], 10), ("101", UPCA["B"], 10)], *first)
    day(example, SECOND, [("101", UPCA["A"], 6)], *first)
    agrees(day(example, THIRD, [("102", UPCA["C"], 5)]))
    assert owed(example, THIRD) == [
        ("NY", UPCA["A"], 6, "reset_US_20260310T070000.csv", "day_not_delivered"),
        ("NY", UPCA["B"], 10, "reset_US_20260309T070000.csv", "day_not_delivered"),
    ]


def test_a_facility_that_was_mapped_late_gets_the_counts_it_missed(example: TinyWorld):
    day(example, FIRST, [("101", UPCA["A"], 10), ("103", UPCA["A"], 4)])
    assert example.table("rejected_reset_rows", FIRST)["reason"].to_list() == ["unknown_facility"]
    example.oms.facility("BOSTON", "103")
    agrees(day(example, SECOND, [("102", UPCA["C"], 5)]))
    assert owed(example, SECOND) == [("BOSTON", UPCA["A"], 4, "reset_US_20260309T070000.csv", "late_listing")]
    assert example.oms.ask("SELECT QUANTITY_ON_HAND_TOTAL FROM INVENTORY_ITEM WHERE FACILITY_ID = 'BOSTON'") == [(4,)]


def test_a_product_that_was_published_late_gets_the_counts_it_missed(example: TinyWorld):
    day(example, FIRST, [("101", UPCA["Z"], 9), ("101", UPCA["A"], 10)])
    example.oms.publish("Z")
    agrees(day(example, SECOND, [("102", UPCA["C"], 5)]))
    assert owed(example, SECOND) == [("NY", UPCA["Z"], 9, "reset_US_20260309T070000.csv", "late_listing")]


def test_an_older_count_that_goes_does_not_hide_that_a_newer_one_is_held(example: TinyWorld):
    """Two files of which nothing was left held a day; then one of their products was published.

    Each release lets one file of the day go: its own, then the one before it.
    """
    day(example, FIRST, [("101", UPCA["Z"], 3), ("101", UPCA["A"], 10)])
    example.file([("101", UPCA["Z"], 7)], "20260310T060000")
    assert "filtered_reset_parts" in example.run(day=SECOND).failures
    assert "filtered_reset_parts" in day(example, SECOND, [("101", "4006381333948", 1)]).failures
    example.oms.publish("Z")
    agrees(day(example, THIRD, [("102", UPCA["C"], 5)]))
    assert owed(example, THIRD) == [
        ("NY", UPCA["Z"], 3, "reset_US_20260309T070000.csv", "late_listing"),
        ("NY", UPCA["Z"], 7, "reset_US_20260310T060000.csv", "day_held"),
    ]
    assert example.oms.on_hand()["Z"] == (3,)
    for _ in range(2):
        example.run(day=SECOND, release="nothing of it was sold online then")
    agrees(example.run(day=THIRD))
    assert ("NY", UPCA["Z"], 7) in [row[:3] for row in owed(example, THIRD)]
    assert example.oms.on_hand()["Z"] == (7,)


def test_a_row_that_the_oms_failed_is_sent_again_once_its_data_are_mended(example: TinyWorld):
    """B's UPCA was taken from the OMS between the list and the import: the row fails; tomorrow it is back."""
    example.store["max_failed_share"] = 1.0
    day(example, FIRST, [("101", UPCA["A"], 10), ("101", UPCA["B"], 7)], *UNTIL_DELIVERY)
    example.oms.do("UPDATE GOOD_IDENTIFICATION SET ID_VALUE = 'GONE' WHERE PRODUCT_ID = 'B'")
    example.run("reset_import", day=FIRST)
    assert example.table("reset_import", FIRST).filter(status="failed").height == 1
    example.oms.do("UPDATE GOOD_IDENTIFICATION SET ID_VALUE = :upca WHERE PRODUCT_ID = 'B'", upca=UPCA["B"])
    agrees(day(example, SECOND, [("102", UPCA["C"], 5)]))
    assert owed(example, SECOND) == [("NY", UPCA["B"], 7, "reset_US_20260309T070000.csv", "not_accepted")]
    # Counted 7 before the two of the order were shipped: 5 are left.
    assert example.oms.on_hand()["B"] == (5, 10)


def test_a_row_that_was_rejected_is_owed_by_its_older_good_count_only(example: TinyWorld):
    """Half a shoe is no count: the day before, held back then, is the newest that can be believed."""
    day(example, FIRST, [("101", UPCA["A"], 10)], "raw_reset_file", "active_products", "filtered_reset")
    example.raw_file(f"store_code,upc,alu,description,qty\n101,{UPCA['A']},x,x,2.5\n102,{UPCA['C']},x,x,5\n".encode())
    agrees(example.run(day=SECOND))
    assert [row[:3] for row in owed(example, SECOND)] == [("NY", UPCA["A"], 10)]


def test_a_day_whose_receipt_nobody_read_gets_its_variance_with_the_next(example: TinyWorld):
    """Counted at 09:30, after the order was shipped; the run ended at the delivery, and the OMS took the file in."""
    example.file([("101", UPCA["A"], 10)], "20260309T093000")
    example.run(*UNTIL_DELIVERY, day=FIRST)
    example.poll()
    assert example.oms.on_hand()["A"] == (10, 10)
    agrees(day(example, SECOND, [("102", UPCA["C"], 5)]))
    assert owed(example, SECOND) == [("NY", UPCA["A"], 10, "reset_US_20260309T093000.csv", "not_accepted")]
    assert example.oms.on_hand()["A"] == (8, 10)
    ledger = example.oms.ledger()
    agrees(example.run(day=SECOND))
    assert example.run("reset_import", "unreported_shipments", "variance_file", day=FIRST).failures == {}
    assert example.oms.ledger() == ledger


def test_a_day_that_went_out_after_the_next_ones_rows_were_made_is_taken_once(example: TinyWorld):
    example.file([("101", UPCA["A"], 10)], "20260309T093000")
    example.run("raw_reset_file", "active_products", "filtered_reset", day=FIRST)
    day(example, SECOND, [("102", UPCA["C"], 5)], "raw_reset_file", "active_products", "filtered_reset")
    agrees(example.run(day=FIRST))
    agrees(example.run(day=SECOND))
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (0, 5)}


def test_an_empty_delta_with_owed_keys_is_a_day_with_rows(example: TinyWorld):
    day(example, FIRST, [("101", UPCA["A"], 10)], "raw_reset_file", "active_products", "filtered_reset")
    ran = day(example, SECOND, [])
    agrees(ran)
    assert ran.metadata["filtered_reset"]["kept"] == 0
    assert ran.metadata["filtered_reset"]["owed: day_not_delivered"] == 1


def test_without_a_ledger_owed_keys_are_told_and_not_delivered(example: TinyWorld, monkeypatch: pytest.MonkeyPatch):
    """What moved since an old count could not be brought back."""
    day(example, FIRST, [("101", UPCA["A"], 10)], "raw_reset_file", "active_products", "filtered_reset")
    monkeypatch.setattr(EmbeddedOms, "ledger", False)
    example.file([("102", UPCA["C"], 5)], AT[SECOND])
    ran = example.run(*UNTIL_DELIVERY, day=SECOND)
    assert ran.failures == {}
    assert len(owed(example, SECOND)) == 1
    assert example.table("filtered_reset", SECOND)["upca"].to_list() == [UPCA["C"]]
    assert ran.metadata["filtered_reset"]["owed keys"] == "not delivered: [oms] ledger is off"


def test_counts_older_than_two_weeks_are_no_longer_owed(example: TinyWorld):
    example.file([("101", UPCA["A"], 10)], "20260220T070000")
    example.run("raw_reset_file", "active_products", "filtered_reset", day=date(2026, 2, 20))
    agrees(day(example, SECOND, [("102", UPCA["C"], 5)]))
    assert owed(example, SECOND) == []


def test_a_product_listed_after_one_oclock_is_not_dropped_on_its_first_day(example: TinyWorld):
    """Only for the store's today: yesterday's list is what it was."""
    today = datetime.now(NEW_YORK).date()
    rows = [("101", UPCA["Z"], 9), ("101", UPCA["A"], 10)]
    example.file(rows, f"{today:%Y%m%d}T000000")
    assert example.run("raw_reset_file", "active_products", day=today).failures == {}
    example.oms.publish("Z")
    ran = example.run("filtered_reset", day=today)
    assert ran.metadata["filtered_reset"]["products listed since the list was made"] == 1
    assert sorted(example.table("filtered_reset", today)["upca"]) == sorted([UPCA["A"], UPCA["Z"]])
