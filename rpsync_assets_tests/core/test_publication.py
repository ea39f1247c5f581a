"""The arithmetic of publications: nothing sold comes back on sale, and Shopify's own sales are never sent back."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpsync_assets.core.feed import FEED_SCHEMA
from rpsync_assets.core.publication import (
    AVAILABLE_SCHEMA,
    BASELINE_SCHEMA,
    REFLECTED_SCHEMA,
    TAKEN_SCHEMA,
    UNITS_SCHEMA,
    drift,
    lacks_baseline,
    plan_delta,
    plan_full,
    reflected_at,
    under_way,
    without_returns,
)

NOTHING = pl.DataFrame(schema=UNITS_SCHEMA)
NOBODY = pl.DataFrame(schema={"product_id": pl.String, "facility_id": pl.String})


def feed(*rows: tuple[str, int]) -> pl.DataFrame:
    """Item and what may be sold, at the online location."""
    whole = [(item, "700", "online", f"P{item}", None, quantity) for item, quantity in rows]
    return pl.DataFrame(whole, orient="row", schema=FEED_SCHEMA)


def units(schema: dict[str, object], *rows: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame([(item, "700", number) for item, number in rows], orient="row", schema=schema)


def baselines(*rows: tuple[str, int | None, int]) -> pl.DataFrame:
    return pl.DataFrame([(item, "700", b, k) for item, b, k in rows], orient="row", schema=BASELINE_SCHEMA)


def taken(*rows: tuple[str, str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, orient="row", schema=TAKEN_SCHEMA)


def reflected(*rows: tuple[str, str, int], guess: str = "700") -> pl.DataFrame:
    whole = [(order, item, guess, number) for order, item, number in rows]
    return pl.DataFrame(whole, orient="row", schema=REFLECTED_SCHEMA)


def in_flight(z: list[tuple[str, str, str, int]], k: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    return sorted(under_way(taken(*z), reflected(*k)).rows())


@pytest.mark.parametrize(
    ("z", "k", "expected"),
    [
        ([("1", "9", "700", 2)], [], [("9", "700", 2)]),  # not imported yet
        ([("1", "9", "700", 2)], [("1", "9", 2)], []),  # imported
        ([("1", "9", "700", 2)], [("1", "9", 1)], [("9", "700", 1)]),  # one cancelled at the OMS, not restocked there
        ([("1", "9", "700", 2), ("1", "9", "700", -2)], [("1", "9", 2)], [("9", "700", -2)]),  # restocked first there
        ([], [("1", "9", 2)], []),  # too old to be read: settled
        ([("1", "9", "700", 1), ("2", "9", "700", 3)], [("2", "9", 3)], [("9", "700", 1)]),
        ([("1", "9", "700", 1), ("1", "9", "701", 2)], [("1", "9", 2)], [("9", "701", 1)]),  # two locations, in turn
        (  # three, of which the first is all that is known
            [("1", "9", "700", 2), ("1", "9", "701", 2), ("1", "9", "702", 2)],
            [("1", "9", 2)],
            [("9", "701", 2), ("9", "702", 2)],
        ),
        ([("1", "9", "700", 1), ("1", "9", "701", 1)], [], [("9", "700", 1), ("9", "701", 1)]),
        ([("1", "9", "700", 5), ("1", "9", "701", 3)], [("1", "9", 2)], [("9", "700", 3), ("9", "701", 3)]),
        ([("1", "9", "700", -3), ("1", "9", "701", 3)], [("1", "9", 3)], [("9", "700", -3)]),  # restocked elsewhere
    ],
)
def test_what_is_under_way_is_taken_less_reflected(
    z: list[tuple[str, str, str, int]], k: list[tuple[str, str, int]], expected: list[tuple[str, str, int]]
) -> None:
    assert in_flight(z, k) == expected


ORDERS = st.lists(st.tuples(st.sampled_from("12"), st.sampled_from("89"), st.sampled_from("abc"), st.integers(-5, 9)))
IMPORTED = st.lists(st.tuples(st.sampled_from("123"), st.sampled_from("89"), st.integers(0, 9)))


@given(ORDERS, IMPORTED)
def test_nothing_of_an_order_gets_lost_between_its_locations(
    z: list[tuple[str, str, str, int]], k: list[tuple[str, str, int]]
) -> None:
    """Z - K, and K, of each item summed over locations; an order that was not read is reflected, and not under way."""
    read = {(order, item) for order, item, _, _ in z}
    orders = {order for order, _ in read}
    for item in "89":
        placed = sum(number for _, one, _, number in z if one == item)
        known = sum(number for order, one, number in k if one == item and (order, one) in read)
        elsewhere = sum(number for order, one, number in k if one == item and order not in orders)
        assert sum(row[2] for row in in_flight(z, k) if row[0] == item) == placed - known
        everywhere = reflected_at(reflected(*k), taken(*z)).filter(pl.col("shopify_inventory_item_id") == item)
        assert everywhere["units"].sum() == known + elsewhere


def test_an_order_is_reflected_where_shopify_took_it_from_and_for_the_item_that_it_took() -> None:
    """The OMS knows one product; Shopify has two items of it, and took the order from its second location."""
    known = reflected(("1", "9", 3), ("1", "99", 3), ("2", "9", 1))
    assert sorted(reflected_at(known, taken(("1", "9", "701", 3))).rows()) == [("9", "700", 1), ("9", "701", 3)]


@pytest.mark.parametrize(("net", "kept"), [(3, 3), (2, 2), (0, 0), (-1, 0)])
def test_where_returns_cannot_be_read_an_order_is_reflected_as_far_as_shopify_counts_it(net: int, kept: int) -> None:
    known = reflected(("1", "9", 3), ("2", "9", 3))
    assert without_returns(known, taken(("1", "9", "700", net)))["units"].to_list() == [kept, 3]


@pytest.mark.parametrize(
    ("desired", "shown", "on_its_way", "target", "outcome", "baseline"),
    [
        (5, 5, 0, 5, "unchanged", 5),
        (5, 3, 0, 5, "up", 5),
        (5, 3, 2, 3, "unchanged", 5),  # the two that are missing were sold at Shopify itself
        (5, 5, 2, 3, "down", 5),
        (1, 2, 4, 0, "down", 4),  # never below zero; the baseline remembers what is still to be imported
        (4, 5, -1, 5, "unchanged", 4),  # restocked at Shopify, not yet at the OMS
    ],
)
def test_a_full_reset_sets_what_may_be_sold_less_what_is_under_way(
    desired: int, shown: int, on_its_way: int, target: int, outcome: str, baseline: int
) -> None:
    flight = units(UNITS_SCHEMA, ("9", on_its_way))
    plan = plan_full(feed(("9", desired)), units(AVAILABLE_SCHEMA, ("9", shown)), flight, NOTHING, NOBODY)
    assert plan.select("target", "outcome", "baseline", "difference").row(0) == (
        target, outcome, baseline, target - shown
    )  # fmt: skip


def test_an_item_that_is_not_stocked_at_the_location_is_told_and_has_no_baseline() -> None:
    plan = plan_full(feed(("9", 5)), pl.DataFrame(schema=AVAILABLE_SCHEMA), NOTHING, NOTHING, NOBODY)
    assert plan.select("outcome", "baseline", "difference").row(0) == ("not_stocked", None, None)


@pytest.mark.parametrize(
    ("desired", "before", "known", "outcome", "difference"),
    [
        (5, 5, 0, "unchanged", 0),
        (4, 5, 0, "down", -1),  # "delta beats reset": one sold in store, whatever Shopify sold
        (1, 5, 4, "unchanged", 0),  # Shopify's own four were imported: never an echo
        (0, 5, 4, "down", -1),
        (7, 5, 0, "up", 2),
    ],
)
def test_a_delta_is_what_changed_besides_shopifys_own_orders(
    desired: int, before: int, known: int, outcome: str, difference: int
) -> None:
    plan = plan_delta(feed(("9", desired)), baselines(("9", before, 0)), units(UNITS_SCHEMA, ("9", known)), NOBODY)
    assert plan.select("outcome", "difference", "baseline", "reflected").row(0) == (outcome, difference, desired, known)


def test_no_increase_goes_out_for_a_key_whose_variance_is_due_and_its_baseline_stays_true() -> None:
    """The reset has put 3 unreported units on top; a sale of one product elsewhere still goes out."""
    pending = pl.DataFrame({"product_id": ["P9", "P8"], "facility_id": ["NY", "NY"]})
    before = baselines(("9", 5, 0), ("8", 5, 0))
    plan = plan_delta(feed(("9", 8), ("8", 4)), before, units(UNITS_SCHEMA, ("9", 1)), pending)
    assert plan.select("outcome", "difference", "baseline", "reflected").rows() == [
        ("held", 4, 4, 1),
        ("down", -1, 4, 0),
    ]
    full = plan_full(feed(("9", 8)), units(AVAILABLE_SCHEMA, ("9", 5)), NOTHING, NOTHING, pending)
    assert full.select("outcome", "baseline").row(0) == ("held", 5)


def test_a_pickup_location_waits_for_its_own_facility_only() -> None:
    rows = [("9", place, "pickup", "P9", facility, 8) for place, facility in (("701", "NY"), ("702", "NASH"))]
    pending = pl.DataFrame({"product_id": ["P9"], "facility_id": ["NY"]})
    shown = pl.DataFrame([("9", "701", 5), ("9", "702", 5)], orient="row", schema=AVAILABLE_SCHEMA)
    plan = plan_full(pl.DataFrame(rows, orient="row", schema=FEED_SCHEMA), shown, NOTHING, NOTHING, pending)
    assert plan["outcome"].to_list() == ["held", "up"]


def test_a_delta_knows_which_items_it_cannot_be_computed_for() -> None:
    lacking = lacks_baseline(feed(("9", 5), ("8", 5)), baselines(("8", None, 0)))
    assert lacking["shopify_inventory_item_id"].to_list() == ["9"]


def test_drift_is_what_a_reread_shows_and_what_is_held_is_no_drift() -> None:
    pending = pl.DataFrame({"product_id": ["P7"], "facility_id": ["NY"]})
    shown = units(AVAILABLE_SCHEMA, ("9", 6), ("8", 5), ("7", 1))
    plan = plan_full(feed(("9", 5), ("8", 5), ("7", 5)), shown, NOTHING, NOTHING, pending)
    assert drift(plan).select("shopify_inventory_item_id", "drift").rows() == [("9", 1)]


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("shopify_sells"), st.integers(1, 3)),
        st.tuples(st.just("import"), st.just(0)),
        st.tuples(st.just("store_sells"), st.integers(1, 3)),
        st.tuples(st.just("goods_come"), st.integers(1, 5)),
        st.tuples(st.just("full"), st.just(0)),
        st.tuples(st.just("delta"), st.just(0)),
    ),
    max_size=40,
)


@given(HAPPENINGS)
def test_whatever_happens_in_whatever_order_shopify_ends_at_the_truth(happenings: list[tuple[str, int]]) -> None:
    """A shelf of many, sold from both sides: once all orders are imported and a delta went out, both are equal."""
    shelf, shown, sold, imported = 200, 200, 0, 0
    known = baselines(("9", 200, 0))
    for what, number in [*happenings, ("import", 0), ("delta", 0)]:
        if what == "shopify_sells":
            shown, sold = shown - number, sold + number
        elif what == "import":
            shelf, imported = shelf - (sold - imported), sold
        elif what == "store_sells":
            shelf -= number
        elif what == "goods_come":
            shelf += number
        else:
            total = units(UNITS_SCHEMA, ("9", imported))
            if what == "full":
                flight = units(UNITS_SCHEMA, ("9", sold - imported))
                plan = plan_full(feed(("9", shelf)), units(AVAILABLE_SCHEMA, ("9", shown)), flight, total, NOBODY)
            else:
                plan = plan_delta(feed(("9", shelf)), known, total, NOBODY)
            shown += plan["difference"].item()
            known = plan.select(*BASELINE_SCHEMA)
            assert shown == shelf - (sold - imported)
    assert shown == shelf
