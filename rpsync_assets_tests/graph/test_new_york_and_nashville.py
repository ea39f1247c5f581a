"""The worked example of the documents (domain.md 3.3 a), through the graph, once and again."""

from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import VARIANCE_HEADER, Rows, TinyWorld, line

DAY_OF_A_AND_B = [VARIANCE_HEADER, line("NY", UPCA["A"], "-2.0"), line("NY", UPCA["B"], "-2.0")]
RESET = "archive/reset_US_20260310_g1_1of1.csv"
VARIANCE = "archive/variance_US_20260310_g1.csv"


def test_what_was_shipped_and_not_reported_is_taken_back_out(example: TinyWorld, counts: Rows):
    """Retail Pro still counts A and B as 10 in New York: the order they went out with is not complete."""
    example.file(counts)
    ran = example.run()
    assert ran.failures == {}
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    assert example.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B
    check = ran.checks["variance_import.oms_matches_retail_pro"]
    assert (check.passed, check.metadata["observed"].value, check.metadata["keys"].value) == (True, 0, 6)
    assert ran.red == []
    assert example.oms.totals_off_the_ledger() == []


def test_a_product_that_is_not_in_the_file_is_untouched(example: TinyWorld, counts: Rows):
    """S001's warning: its surplus never came in, so its shipment must not be deducted."""
    before = [row for row in example.oms.ledger() if row[0].endswith("-B")]
    example.file([row for row in counts if row[1] != UPCA["B"]])
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    assert [row for row in example.oms.ledger() if row[0].endswith("-B")] == before
    assert example.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B[:2]
    assert example.table("unreported_shipments")["upca"].to_list() == [UPCA["A"], UPCA["B"]]


def test_the_reset_file_is_hotwaxs_and_carries_the_moment_of_the_counts(example: TinyWorld, counts: Rows):
    """The columns of domain.md 1.1; 07:00 in New York is 11:00 UTC since the clocks went forward two days before."""
    example.file(counts)
    example.run()
    assert example.content("reset-inventory", RESET) == [
        "facilityId,locationSeqId,idType,idValue,availableQty,comments",
        *(
            f"{facility},TLTLTLLL01,UPCA,{UPCA[product]},{units},Retail Pro snapshot 2026-03-10T11:00:00Z"
            for facility in ("NASH", "NY")
            for product, units in (("A", 10), ("C", 5), ("B", 10))
        ),
    ]


def test_every_row_is_accounted_for_by_reason(example: TinyWorld, counts: Rows):
    """7 good rows, one of them inactive, and one of each kind that an analyst has to look at."""
    bad = [("101", "", 1), ("101", "12AB", 1), ("X98", UPCA["A"], 1), ("102", UPCA["A"], 10)]
    example.file([*counts, *bad])
    said = example.run().metadata["filtered_reset"]
    assert {name: said[name] for name in ("raw rows", "dagster/row_count", "inactive", "rejected")} == {
        "raw rows": 11,
        "dagster/row_count": 6,
        "inactive": 1,
        "rejected": 4,
    }
    reasons = ("blank_upc", "invalid_upc", "unknown_facility", "duplicate", "conflicting_duplicate")
    assert [said[f"rejected: {reason}"] for reason in reasons] == [1, 1, 1, 1, 0]
    rejected = example.table("rejected_reset_rows").select("line_number", "upc_text", "reason").rows()
    assert rejected == [
        (9, "", "blank_upc"),
        (10, "12AB", "invalid_upc"),
        (11, UPCA["A"], "unknown_facility"),
        (12, UPCA["A"], "duplicate"),
    ]


def test_the_whole_day_a_second_time_changes_nothing_and_sends_nothing(example: TinyWorld, counts: Rows):
    example.file(counts)
    example.run()
    before = (example.sent, example.oms.ledger(), example.deliveries(), example.oms.on_hand())
    again = example.run()
    assert (again.failures, again.red) == ({}, [])
    assert (example.sent, example.oms.ledger(), example.deliveries(), example.oms.on_hand()) == before
    assert example.sent == [RESET, VARIANCE]
    assert again.metadata["raw_reset_file"]["arrival"] == "lay here already: not fetched again"
    for asset in ("filtered_reset_parts", "variance_file"):
        assert again.metadata[asset]["outcome"] == "delivered before: not sent again"


def test_single_assets_again_change_nothing_and_send_nothing(example: TinyWorld, counts: Rows):
    """An analyst clicks here and there; every asset alone, in an order that nobody would choose."""
    example.file(counts)
    example.run()
    before = (example.sent, example.oms.ledger(), example.deliveries())
    for asset in (
        *("variance_import", "variance_file", "reset_import", "filtered_reset_parts", "filtered_reset"),
        *("unreported_shipments", "active_products", "raw_reset_file", "online_atp", "variance_file"),
    ):
        ran = example.run(asset)
        assert (ran.failures, ran.red) == ({}, []), asset
        assert (example.sent, example.oms.ledger(), example.deliveries()) == before, asset


def test_a_file_that_the_oms_takes_in_twice_changes_nothing(example: TinyWorld, counts: Rows):
    """Somebody puts the archived files back into the folders, as after a restored backup."""
    example.file(counts)
    example.run()
    before = (example.oms.ledger(), example.oms.on_hand())
    for kind, name in (("reset-inventory", RESET), ("inventory-variance", VARIANCE)):
        place = example.server / "hotwax" / kind
        (place / name).rename(place / name.removeprefix("archive/"))
    assert all("archive" not in name for name in example.sent)
    example.poll()
    assert example.sent == [RESET, VARIANCE]
    assert (example.oms.ledger(), example.oms.on_hand()) == before


def test_a_correction_computed_twice_changes_nothing(example: TinyWorld, counts: Rows):
    """The same counts under other names: every row is a difference of zero, and zero is not written."""
    example.file(counts)
    example.run()
    before = example.oms.on_hand()
    place = example.server / "hotwax/reset-inventory"
    (place / "reset_US_20260310_g2_1of1.csv").write_bytes((place / RESET).read_bytes())
    (place / "reset_US_20260310_g3_1of1.csv").write_bytes((place / RESET).read_bytes())
    ledger = len(example.oms.ledger())
    example.poll()
    # Generation 2 puts 10 back in New York (its own variance would follow); generation 3 finds 10 and writes nothing.
    assert len(example.oms.ledger()) == ledger + 2
    assert example.oms.on_hand() == {**before, "A": (10, 10), "B": (10, 10)}


def test_two_units_shipped_are_not_sold_again_online(example: TinyWorld, counts: Rows):
    """What may be sold: A 8+10, B 8+10; of C 10 less the 2 that the open order has reserved."""
    example.file(counts)
    example.run()
    feed = example.table("shopify_feed")
    assert feed.select("shopify_inventory_item_id", "shopify_location_id", "quantity").rows() == [
        ("9A", "700", 18),
        ("9B", "700", 18),
        ("9C", "700", 8),
    ]
    receipt = example.run("shopify_full_reset").metadata["shopify_full_reset"]
    assert "OFF" in str(receipt["receipt"])
    assert receipt["dagster/row_count"] == 3
