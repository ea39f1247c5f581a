"""Sales, shipments and completions just before and after Retail Pro counts at 07:00, through the whole day."""

from rpsync_assets_tests.graph.test_new_york_and_nashville import DAY_OF_A_AND_B, VARIANCE
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import VARIANCE_HEADER, Rows, TinyWorld, line


def test_a_sale_between_the_count_and_the_import_survives(example: TinyWorld, counts: Rows):
    """One A sold in New York at 07:20: the count of 07:00 does not know it, and must not bring it back."""
    example.oms.sell_in_store("NY", "A", 1, "2026-03-10 07:20")
    example.file(counts)
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert example.oms.on_hand() == {"A": (7, 10), "B": (8, 10), "C": (5, 5)}
    assert ran.metadata["pos_sales"]["units sold"] == 1


def test_a_sale_before_the_count_is_in_the_count(example: TinyWorld, counts: Rows):
    """One A sold at 06:20: Retail Pro counts 9, less the two it was not told of."""
    example.oms.sell_in_store("NY", "A", 1, "2026-03-10 06:20")
    example.file([("101", UPCA["A"], 9), *counts[1:]])
    assert example.run().red == []
    assert example.oms.on_hand() == {"A": (7, 10), "B": (8, 10), "C": (5, 5)}


def test_an_order_that_completes_between_the_count_and_the_run_was_unreported_at_the_count(
    example: TinyWorld, counts: Rows
):
    """C leaves at 07:09, the order completes at 07:10: the header says completed, the file of 07:00 knows nothing."""
    example.oms.ship("1001", "C", "NY", 2, "2026-03-10 07:09")
    example.oms.complete("1001", "2026-03-10 07:10")
    example.file(counts)
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert example.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (3, 5)}


def test_an_order_completed_before_the_count_needs_no_variance(example: TinyWorld):
    """Retail Pro booked it at 06:30 and counts without it: nothing to take back, no file, a receipt that says so."""
    example.oms.ship("1001", "C", "NY", 2, "2026-03-10 06:20")
    example.oms.complete("1001", "2026-03-10 06:30")
    example.file([("101", UPCA["A"], 8), ("101", UPCA["B"], 8), ("101", UPCA["C"], 3)])
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert ran.metadata["variance_file"]["outcome"] == "nothing to take back: no file was sent"
    assert example.folder("inventory-variance") == []
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (3, 0)}


def test_within_the_invoice_lag_an_order_is_not_booked_yet(example: TinyWorld, counts: Rows):
    """The store books invoices an hour after completion: completed at 06:30 is unknown at 07:00."""
    example.store["invoice_lag_minutes"] = 60
    example.oms.ship("1001", "C", "NY", 2, "2026-03-10 06:20")
    example.oms.complete("1001", "2026-03-10 06:30")
    example.file(counts)
    assert example.run().red == []
    assert example.content("inventory-variance", VARIANCE) == [
        VARIANCE_HEADER,
        *(line("NY", UPCA[product], "-2.0") for product in ("A", "C", "B")),
    ]
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (3, 5)}


def test_a_variance_takes_no_more_than_there_is_and_says_so(example: TinyWorld):
    """Retail Pro's count is too low already (invoiced elsewhere, repaired by slips): 1, and 2 were shipped."""
    example.file([("101", UPCA["A"], 1), ("101", UPCA["B"], 10)])
    ran = example.run()
    assert ran.failures == {}
    assert example.oms.on_hand() == {"A": (0, 10), "B": (8, 10), "C": (0, 0)}
    said = ran.metadata["variance_import"]
    assert (said["applied"], said["clamped"], said["units taken back"]) == (1, 1, 3)
    clamped = example.table("variance_import").row(0, named=True)
    assert (clamped["requested"], clamped["applied"], clamped["status"]) == (-2, -1, "clamped")
    # The shelf cannot hold -1: the two systems differ by one unit, and the check says at which key.
    check = ran.checks["variance_import.oms_matches_retail_pro"]
    assert (check.passed, check.metadata["observed"].value) == (False, 1)
    assert UPCA["A"] in str(check.metadata["worst"].value)


def test_what_retail_pro_invoiced_itself_and_what_never_lay_on_a_shelf_is_not_deducted(
    example: TinyWorld, counts: Rows
):
    """A Send-Sale of three A in Nashville (Retail Pro counts 7), and a gift card beside an open line."""
    example.oms.order("2001", "2026-03-09 10:00", {"A": ("NASH", 3)}, channel="POS_SALES_CHANNEL")
    example.oms.ship("2001", "A", "NASH", 3, "2026-03-09 11:00")
    example.oms.order("2002", "2026-03-09 10:00", {"GIFT": ("NASH", 1), "B": ("NASH", 1)})
    example.oms.complete_digital("2002", "2026-03-09 10:01")
    example.file([counts[0], ("102", UPCA["A"], 7), *counts[2:]])
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert example.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B
    assert example.oms.on_hand() == {"A": (8, 7), "B": (8, 10), "C": (5, 5)}


def test_a_sale_over_the_counter_that_came_in_as_an_order_is_told(example: TinyWorld, counts: Rows):
    """S001: POS orders are not imported; the API has deducted the sale already. A Send-Sale is shipped, and is none."""
    for order, shipment in (("3001", None), ("3002", "S-1")):
        example.oms.order(order, "2026-03-10 06:00", {"A": ("NASH", 1)}, channel="POS_SALES_CHANNEL")
        example.oms.ship(order, "A", "NASH", 1, "2026-03-10 06:10")
        example.oms.do("UPDATE ITEM_ISSUANCE SET SHIPMENT_ID = :s WHERE ORDER_ID = :o", s=shipment, o=order)
    example.file(counts)
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, ["pos_sales.pos_sales_are_no_orders"])
    check = ran.checks["pos_sales.pos_sales_are_no_orders"]
    assert check.description.startswith("1 point-of-sale orders took 1 units without a shipment: #3001 (observed 1")


def test_a_sale_that_may_have_been_sent_twice_is_a_warning(example: TinyWorld, counts: Rows):
    for _ in range(2):
        example.oms.sell_in_store("NY", "A", 1, "2026-03-10 07:20")
    example.oms.do(
        "UPDATE INVENTORY_ITEM_DETAIL SET DESCRIPTION = 'request 2 of till-1; looks like 1' WHERE"
        " INVENTORY_ITEM_DETAIL_SEQ_ID = (SELECT MAX(INVENTORY_ITEM_DETAIL_SEQ_ID) FROM INVENTORY_ITEM_DETAIL"
        " WHERE REASON_ENUM_ID = 'POS_SALE')"
    )
    example.file(counts)
    check = example.run().checks["pos_sales.no_look_alike_sales"]
    assert (check.passed, check.severity.value, check.metadata["observed"].value) == (False, "WARN", 1)
