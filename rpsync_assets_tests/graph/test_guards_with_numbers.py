"""A day unlike the days before is held with its numbers, until a person releases it; nothing of it slips out later."""

from datetime import timedelta

import polars as pl
import pytest

from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, Rows, TinyWorld

MANY = 40
WHY = "the whole chain counted its shelves"


def upca(number: int) -> str:
    return f"7612345{number:05d}"


def products(facility: str = "101", quantity: int = 5, *, numbers: range = range(MANY)) -> Rows:
    return [(facility, upca(number), quantity) for number in numbers]


def day(world: TinyWorld, back: int, rows: Rows, **run: object) -> Ran:
    """A morning so many days before the last one."""
    of = DAY - timedelta(days=back)
    world.file(rows, f"{of:%Y%m%d}T070000")
    return world.run(day=of, **run)  # type: ignore[arg-type]


@pytest.fixture
def many(world: TinyWorld) -> TinyWorld:
    """Forty products with stock in New York."""
    for number in range(MANY):
        world.oms.product(f"P{number}", upca(number))
        world.oms.stock("NY", f"P{number}", 5)
    return world


def held(world: TinyWorld, ran: Ran, guard: str, *words: str) -> None:
    """Held by that guard alone, with the words; shown at both assets; nothing went out."""
    assert ran.red == [f"filtered_reset.{guard}", f"filtered_reset_parts.{guard}"]
    assert set(ran.failures) == {"filtered_reset_parts"}
    for word in (*words, "observed", "needed", 'materialize filtered_reset_parts with the config {"release"'):
        assert word in ran.failure, ran.failure
    assert world.deliveries() == []


def test_a_file_that_empties_the_shop_is_held(many: TinyWorld):
    many.file([*products(quantity=0, numbers=range(30)), *products(numbers=range(30, MANY))])
    held(many, many.run(), "zeroed_share", "30 of 44 keys with stock fall to zero", "0.6818", "0.1")
    assert many.oms.on_hand()["P0"] == (5,)


def test_a_few_that_sold_out_are_an_ordinary_night(many: TinyWorld):
    many.file([*products(quantity=0, numbers=range(19)), *products(numbers=range(19, MANY))])
    assert (many.run().red, many.oms.on_hand()["P0"]) == ([], (0,))


@pytest.mark.parametrize(
    ("bad", "guard", "words"),
    [
        ([("101", upca(n), "2.5") for n in range(20)], "rejected_share", "20 rows (50.0%) are rejected: fractional_q"),
        ([("101", upca(n), "") for n in range(20)], "rejected_share", "rejected: blank_quantity"),
        ([("101", upca(n), "many") for n in range(20)], "rejected_share", "rejected: invalid_quantity"),
        ([("999", upca(n), "5") for n in range(20)], "rejected_share", "unknown store codes: 999"),
        ([("101", "2.05E+12", "5")] * 20, "rejected_share", "rejected: exponent_upc"),
        ([("101", "", "5")] * 20, "rejected_share", "rejected: blank_upc"),
    ],
)
def test_a_file_of_bad_rows_is_held_by_its_worst_reason(many: TinyWorld, bad: Rows, guard: str, words: str):
    many.file([*products(numbers=range(20, MANY)), *bad])
    held(many, many.run(), guard, words)


def test_two_counts_of_one_key_are_held_sooner_than_others(many: TinyWorld):
    numbers = range(500, 1500)
    for number in numbers:
        many.oms.product(f"P{number}", upca(number))
    twice = [("101", upca(number), quantity) for number in range(500, 510) for quantity in (1, 2)]
    many.file([*products(numbers=range(510, 1500)), *twice])
    held(many, many.run(), "rejected_share", "20 rows (2.0%) are rejected: conflicting_duplicate", "0.01")


def test_a_stores_settings_may_allow_more(many: TinyWorld):
    many.store["guards"] = {"max_zeroed_share": 1.0, "max_rejected_share_of": {"unknown_facility": 0.6}}
    many.file([*products(quantity=0), *[("999", upca(n), 5) for n in range(20)]])
    assert (many.run().failures, many.oms.on_hand()["P0"]) == ({}, (0,))


def test_a_full_file_without_a_part_of_the_range_is_held(many: TinyWorld):
    many.store["file_kind"] = "full"
    day(many, 1, products())
    sent = many.sent
    many.file(products(numbers=range(15)))
    ran = many.run()
    assert ran.red == ["filtered_reset.missing_share", "filtered_reset_parts.missing_share"]
    assert "25 of 40 known keys are not in the full file" in ran.failure
    assert many.sent == sent
    many.file(products(numbers=range(35)))
    assert many.run().failures == {}


def test_a_part_of_the_range_that_a_person_let_go_is_not_missed_again(many: TinyWorld):
    """A shop that was closed, and is still linked in the OMS: one release, not one each morning."""
    many.store["file_kind"] = "full"
    many.store["guards"] = {"min_rows_share": 0.0}
    day(many, 2, products())
    assert day(many, 1, products(numbers=range(15))).red != []
    assert day(many, 1, products(numbers=range(15)), release="closed for good").failures == {}
    assert day(many, 0, products(numbers=range(15), quantity=4)).failures == {}


def test_a_product_that_is_no_longer_sold_online_is_not_missed(many: TinyWorld):
    many.store["file_kind"] = "full"
    day(many, 1, products())
    many.oms.do("DELETE FROM SHOPIFY_SHOP_PRODUCT WHERE PRODUCT_ID LIKE 'P1_' OR PRODUCT_ID LIKE 'P2_'")
    many.file(products(numbers=range(10)) + products(numbers=range(30, MANY)))
    assert many.run().failures == {}


@pytest.mark.parametrize(
    ("kind", "usual", "rows", "fine"),
    [
        ("full", 40, 35, False),
        ("full", 40, 36, True),
        ("full", 40, 60, True),
        ("full", 40, 61, False),
        ("delta", 40, 2, True),
        ("delta", 40, 1, False),
        ("delta", 3, 60, True),
        ("delta", 3, 61, False),
    ],
)
def test_a_file_is_about_as_long_as_the_last_good_ones_of_its_kind(
    many: TinyWorld, kind: str, usual: int, rows: int, *, fine: bool
):
    many.store["file_kind"] = kind
    many.store["guards"] = {"max_missing_share": 1.0}
    for back in (3, 2, 1):
        # Lines of a product that is not sold online count for the length; each day's file is another one.
        padding = [("101", UPCA["Z"], back)] * (usual - 1)
        assert day(many, back, [*padding, ("101", upca(0), 10 + back)]).failures == {}
    ran = day(many, 0, [*[("101", UPCA["Z"], 1)] * (rows - 1), ("101", upca(0), 9)])
    assert (ran.failures == {}) is fine
    if not fine:
        assert ran.red == ["filtered_reset.rows_like_other_days", "filtered_reset_parts.rows_like_other_days"]
        assert f"has {rows} rows; the median of the last 3 good {kind} files is {usual}" in ran.failure


def test_a_release_is_recorded_and_a_second_click_needs_none(many: TinyWorld):
    many.file(products(quantity=0))
    many.run()
    ran = many.run(release=WHY)
    assert ran.failures == {}
    said = ran.checks["filtered_reset_parts.zeroed_share"]
    assert (said.passed, said.metadata["released because"].value) == (True, WHY)
    assert ran.metadata["filtered_reset_parts"]["released because"] == WHY
    record = many.table("released_days").row(0, named=True)
    assert (record["released_because"], record["run_id"]) == (WHY, ran.run_id)
    before = (many.sent, many.oms.ledger())
    again = many.run()
    assert again.failures == {}
    assert (many.sent, many.oms.ledger()) == before


def test_what_a_held_day_brought_does_not_slip_out_the_next_day(many: TinyWorld):
    """Yesterday's file empties the shop and was held; today's is an ordinary one without those keys."""
    day(many, 2, products(numbers=range(3)))
    assert day(many, 1, products(quantity=0)).red != []
    ran = day(many, 0, [("101", upca(0), 3)])
    assert ran.failures == {}
    assert many.table("owed_keys")["why"].unique().to_list() == ["day_held"]
    assert many.table("filtered_reset").height == 1
    assert many.oms.on_hand()["P1"] == (5,)


def test_a_held_day_that_is_released_too_late_goes_with_the_next(many: TinyWorld):
    day(many, 2, products(numbers=range(3)))
    day(many, 1, products(quantity=0))
    day(many, 0, [("101", upca(0), 3)])
    late = many.run("filtered_reset_parts", day=DAY - timedelta(days=1), release=WHY)
    assert "newer counts are in place" in late.failure
    ran = many.run("filtered_reset", "filtered_reset_parts", release=WHY)
    assert ran.failures == {}
    assert many.table("owed_keys")["why"].unique().to_list() == ["day_not_delivered"]
    assert many.run().failures == {}
    assert (many.oms.on_hand()["P0"], many.oms.on_hand()["P1"]) == ((3,), (0,))


def test_a_release_cannot_open_what_nobody_may_release(many: TinyWorld):
    """Rows that are unaccounted for stay a defect whatever a person says."""
    many.file(products())
    many.run("raw_reset_file", "active_products", "filtered_reset")
    place = many.data / "tables/reset_row_accounting" / f"business_date={DAY}" / "product_store=US" / "part.parquet"
    table = many.table("reset_row_accounting")
    table.with_columns(rows=pl.when(pl.col("fate") == "lines").then(41).otherwise("rows")).write_parquet(place)
    assert "a gap of 1" in many.run("filtered_reset_parts", release=WHY).failure
    assert many.deliveries() == []
