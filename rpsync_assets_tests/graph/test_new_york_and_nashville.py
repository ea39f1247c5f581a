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
