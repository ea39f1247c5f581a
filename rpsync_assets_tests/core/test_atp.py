"""What may be sold: domain.md 3.1 step by step, with numbers worked out by hand."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsync_assets.core.atp import NOTES, SCHEMA, less_owed, online_atp

STOCK_SCHEMA = {
    "product_id": pl.String,
    "facility_id": pl.String,
    "quantity_on_hand": pl.Int64,
    "available_to_promise": pl.Int64,
    "minimum_stock": pl.Int64,
    "after_safety_stock": pl.Int64,
    "allow_brokering": pl.String,
    "allow_pickup": pl.String,
    "in_channel": pl.Boolean,
}
RULE_SCHEMA = {"product_id": pl.String, "threshold": pl.Int64, "allow_brokering": pl.String}
DEMAND_SCHEMA = {"product_id": pl.String, "units": pl.Int64}


def shelf(
    atp: int,
    safety: int | None = None,
    facility: str = "F1",
    *,
    computed: int | None = None,
    brokering: str | None = None,
    pickup: str | None = None,
    in_channel: bool = True,
    product: str = "P",
) -> tuple[Any, ...]:
    return product, facility, atp, atp, safety, computed, brokering, pickup, in_channel


def sold(
    *stock: tuple[Any, ...],
    rules: tuple[tuple[str, int | None, str | None], ...] = (),
    demand: tuple[tuple[str, int], ...] = (),
    reserves: bool = True,
    preorders: tuple[tuple[str, int], ...] = (),
) -> pl.DataFrame:
    found = online_atp(
        pl.DataFrame(list(stock), schema=STOCK_SCHEMA, orient="row"),
        pl.DataFrame(list(rules), schema=RULE_SCHEMA, orient="row"),
        pl.DataFrame(list(demand), schema=DEMAND_SCHEMA, orient="row"),
        reserves=reserves,
        preorder_demand=pl.DataFrame(list(preorders), schema=DEMAND_SCHEMA, orient="row") if preorders else None,
    )
    assert found.schema == SCHEMA
    return found


def channel(found: pl.DataFrame, product: str = "P") -> dict[str, Any]:
    return found.filter((pl.col("scope") == "channel") & (pl.col("product_id") == product)).row(0, named=True)


def at(found: pl.DataFrame, facility: str) -> dict[str, Any]:
    return found.filter(pl.col("facility_id") == facility).row(0, named=True)


def test_safety_stock_is_floored_per_facility_before_the_sum() -> None:
    """(2, safety 5) + (10, safety 5): the prose formula says 12 - 10 = 2, HotWax's code 0 + 5."""
    row = channel(sold(shelf(2, 5, "F1"), shelf(10, 5, "F2")))
    assert (row["sellable"], row["counted_in_channel"], row["facilities_counted"], row["note"]) == (5, 5, 2, None)


@pytest.mark.parametrize(
    ("stock", "safety", "left"), [(100, 10, 90), (30, 12, 18), (5, 5, 0), (4, 5, 0), (7, None, 7), (7, 0, 7)]
)
def test_safety_stock_is_kept_back(stock: int, safety: int | None, left: int) -> None:
    assert channel(sold(shelf(stock, safety)))["sellable"] == left


def test_hotwaxs_own_number_after_safety_stock_goes_before_ours() -> None:
    assert channel(sold(shelf(10, 3, computed=6)))["sellable"] == 6


@pytest.mark.parametrize(("brokering", "left"), [("Y", 14), (None, 14), ("N", 4)])
def test_a_facility_that_may_not_broker_is_not_counted_online(brokering: str | None, left: int) -> None:
    found = sold(shelf(4, facility="F1"), shelf(10, facility="F2", brokering=brokering))
    assert channel(found)["sellable"] == left
    assert at(found, "F2")["brokering_allowed"] is (brokering != "N")
    assert at(found, "F2")["sellable"] == 10


def test_a_facility_outside_the_channel_is_not_counted_but_still_sells_for_pickup() -> None:
    found = sold(shelf(4, facility="F1"), shelf(10, 2, facility="F2", in_channel=False))
    assert channel(found)["sellable"] == 4
    assert channel(found)["available_to_promise"] == 4
    assert at(found, "F2")["sellable"] == 8


@pytest.mark.parametrize(("pickup", "left"), [("Y", 8), (None, 8), ("N", 0)])
def test_a_facility_that_may_not_be_picked_up_at_offers_nothing_there(pickup: str | None, left: int) -> None:
    found = sold(shelf(10, 2, pickup=pickup))
    assert at(found, "F1")["sellable"] == left
    assert channel(found)["sellable"] == 8


def test_of_several_thresholds_the_largest_is_subtracted_once() -> None:
    row = channel(sold(shelf(10), shelf(10, facility="F2"), rules=(("P", 3, "Y"), ("P", 7, None), ("P", None, None))))
    assert (row["threshold"], row["sellable"]) == (7, 13)


@pytest.mark.parametrize(("reserves", "left", "told"), [(True, 5, 4), (False, 9, 0)])
def test_orders_waiting_in_queues_are_subtracted_where_the_store_reserves(reserves: bool, left: int, told: int) -> None:
    row = channel(sold(shelf(10), rules=(("P", 1, None),), demand=(("P", 4),), reserves=reserves))
    assert (row["sellable"], row["queue_demand"]) == (left, told)


def test_nothing_is_ever_offered_below_zero() -> None:
    assert channel(sold(shelf(3), rules=(("P", 2, None),), demand=(("P", 9),)))["sellable"] == 0
    found = sold(shelf(-3))
    assert at(found, "F1")["sellable"] == 0


def test_a_negative_plain_sum_is_zero_and_says_so() -> None:
    """HotWax leaves the product out of its answer; then Shopify would go on selling yesterday's number."""
    row = channel(sold(shelf(-8, facility="F1"), shelf(5, facility="F2")))
    assert (row["sellable"], row["note"], row["available_to_promise"], row["counted_in_channel"]) == (
        0,
        "negative_sum",
        -3,
        5,
    )


def test_a_plain_sum_of_zero_is_not_negative_so_the_floored_sum_is_sold() -> None:
    """HAVING SUM >= 0: -5 + 5 stays in HotWax's answer with 0 + 5."""
    row = channel(sold(shelf(-5, facility="F1"), shelf(5, facility="F2")))
    assert (row["sellable"], row["note"]) == (5, None)


def test_a_negative_facility_outside_the_channel_does_not_make_the_sum_negative() -> None:
    row = channel(sold(shelf(-8, facility="F1", in_channel=False), shelf(5, facility="F2")))
    assert (row["sellable"], row["note"]) == (5, None)


@pytest.mark.parametrize("left", [{"in_channel": False}, {"brokering": "N"}])
def test_a_product_that_left_the_channel_is_zero_and_says_so(left: dict[str, Any]) -> None:
    row = channel(sold(shelf(9, **left)))
    assert (row["sellable"], row["note"], row["facilities_counted"]) == (0, "left_channel", 0)


@pytest.mark.parametrize(
    ("rules", "sellable", "note"),
    [
        ((("P", 1, "N"),), 0, "channel_off"),
        ((("P", 1, "Y"), ("P", 0, "N")), 0, "channel_off"),
        ((("P", 1, None),), 8, None),
        ((("OTHER", 1, "N"),), 9, None),
    ],
)
def test_the_configuration_facility_can_switch_a_product_off(
    rules: tuple[tuple[str, int, str | None], ...], sellable: int, note: str | None
) -> None:
    row = channel(sold(shelf(9), rules=rules))
    assert (row["sellable"], row["note"]) == (sellable, note)


@pytest.mark.parametrize(("units", "left", "note"), [(0, 7, None), (1, 0, "held_for_preorders")])
def test_a_store_that_holds_its_stock_for_preorders_sells_nothing_online_while_there_are_any(
    units: int, left: int, note: str | None
) -> None:
    """Step 6 of HotWax's computation, HOLD_PRORD_PHYCL_INV; the shop itself still hands out what it has."""
    found = sold(shelf(7), preorders=(("P", units),))
    assert (channel(found)["sellable"], channel(found)["note"]) == (left, note)
    assert at(found, "F1")["sellable"] == 7


def test_rules_and_demand_of_products_without_stock_make_no_rows() -> None:
    """A key that the OMS never had is left untouched at Shopify."""
    found = sold(shelf(1), rules=(("NEVER", 1, None),), demand=(("NEVER", 2),))
    assert found.select("scope", "product_id").rows() == [("channel", "P"), ("facility", "P")]
    assert sold(rules=(("NEVER", 1, None),)).height == 0


def test_products_do_not_share_anything() -> None:
    found = sold(shelf(5, product="A"), shelf(7, product="B"), rules=(("A", 2, None),), demand=(("B", 3),))
    assert (channel(found, "A")["sellable"], channel(found, "B")["sellable"]) == (3, 4)


def test_every_note_is_explained() -> None:
    assert set(NOTES) == {"left_channel", "negative_sum", "channel_off", "held_for_preorders"}


SHELVES = st.lists(
    st.tuples(st.integers(-9, 20), st.none() | st.integers(0, 9), st.sampled_from(["Y", "N", None]), st.booleans()),
    min_size=1,
    max_size=4,
)


@given(SHELVES, st.lists(st.integers(0, 9), max_size=2), st.integers(0, 9), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_channels_number_agrees_with_the_steps_written_out(
    shelves: list[tuple[int, int | None, str | None, bool]], thresholds: list[int], demand: int, reserves: bool
) -> None:
    stock = [
        shelf(atp, safety, f"F{number}", brokering=brokering, in_channel=member)
        for number, (atp, safety, brokering, member) in enumerate(shelves)
    ]
    rules = tuple(("P", threshold, None) for threshold in thresholds)
    counted = [(atp, safety or 0) for atp, safety, brokering, member in shelves if member and brokering != "N"]
    plain = sum(atp for atp, _ in counted)
    left = sum(max(atp - safety, 0) for atp, safety in counted) - max(thresholds, default=0)
    wanted = max(left - (demand if reserves else 0), 0) if counted and plain >= 0 else 0
    assert channel(sold(*stock, rules=rules, demand=(("P", demand),), reserves=reserves))["sellable"] == wanted


def test_a_variance_that_is_due_comes_off_before_safety_stock_and_other_keys_stay() -> None:
    """10 counted, 3 of them owed, safety stock 5: 2 may be sold; the other facility's number is HotWax's own."""
    stock = pl.DataFrame(
        {
            "facility_id": ["NY", "NASH"],
            "product_id": ["A", "A"],
            "quantity_on_hand": [10, 10],
            "available_to_promise": [10, 10],
            "minimum_stock": [5, 5],
            "after_safety_stock": [5, 4],
        }
    )
    owed = pl.DataFrame({"facility_id": ["NY", "NY"], "product_id": ["A", "A"], "units": [-2, -1]})
    found = less_owed(stock, owed).sort("facility_id")
    assert found.select("facility_id", "available_to_promise", "after_safety_stock").rows() == [
        ("NASH", 10, 4),
        ("NY", 7, None),
    ]
