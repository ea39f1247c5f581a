"""What the OMS lists -> the active products, and why somebody is not among them."""

import polars as pl
import pytest

from rpsync_assets.core.active import EXCLUDED_REASONS, EXCLUDED_SCHEMA, SCHEMA, compile_active

Listed = tuple[str, str, str | None, str | None]


def listed(*rows: Listed) -> pl.DataFrame:
    names = ("product_id", "sku", "upca", "shopify_inventory_item_id")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def test_a_published_product_with_one_upca_is_active() -> None:
    found = compile_active(listed(("P1", "SKU1", "2050000163913", "I1")))
    assert found.active.rows() == [("P1", "SKU1", "2050000163913", 2050000163913, True, ["I1"])]
    assert found.active.schema == SCHEMA
    assert found.excluded.height == 0
    assert found.excluded.schema == EXCLUDED_SCHEMA


@pytest.mark.parametrize(
    ("rows", "excluded"),
    [
        ([("P1", "S", None, "I1")], [("P1", "no_upca")]),
        ([("P1", "S", "", "I1")], [("P1", "no_upca")]),
        ([("P1", "S", "   ", "I1")], [("P1", "no_upca")]),
        ([("P1", "S", "2.05E+12", "I1")], [("P1", "invalid_upca")]),
        ([("P1", "S", "123456", "I1")], [("P1", "invalid_upca")]),
        ([("P1", "S", "SHOE-9", "I1")], [("P1", "invalid_upca")]),
        (
            [("P1", "S", "2050000163913", "I1"), ("P1", "S", "8720116122558", "I1")],
            [("P1", "several_upcas"), ("P1", "several_upcas")],
        ),
        (
            [("P1", "S", "2050000163913", "I1"), ("P1", "S", "SHOE-9", "I1")],
            [("P1", "several_upcas"), ("P1", "several_upcas")],
        ),
        (
            [("P1", "S", "2050000163913", "I1"), ("P2", "S", "2050000163913", "I2")],
            [("P1", "shared_upca"), ("P2", "shared_upca")],
        ),
        (
            [("P1", "S", "012345678905", "I1"), ("P2", "S", "12345678905", "I2")],
            [("P1", "shared_upca"), ("P2", "shared_upca")],
        ),
    ],
)
def test_who_is_not_active_is_told_with_the_reason(rows: list[Listed], excluded: list[tuple[str, str]]) -> None:
    found = compile_active(listed(*rows))
    assert found.active.height == 0
    assert [(product, reason) for product, _sku, _upca, reason in found.excluded.rows()] == excluded
    assert set(found.excluded["reason"]) <= set(EXCLUDED_REASONS)


def test_a_zero_padded_twin_of_a_products_own_upca_is_not_a_second_upca() -> None:
    found = compile_active(listed(("P1", "S", "12345678905", "I1"), ("P1", "S", "012345678905", "I1")))
    assert found.active.select("product_id", "upca", "gtin").rows() == [("P1", "012345678905", 12345678905)]
    assert found.excluded.height == 0


def test_a_product_on_several_shopify_items_is_active_once_with_all_of_them() -> None:
    found = compile_active(
        listed(
            ("P1", "S", "2050000163913", "I2"),
            ("P1", "S", "2050000163913", "I1"),
            ("P1", "S", "2050000163913", None),
            ("P1", "S", "2050000163913", "I1"),
        )
    )
    assert found.active.select("product_id", "shopify_inventory_item_ids").rows() == [("P1", ["I1", "I2"])]


def test_a_product_without_a_shopify_item_yet_is_active_all_the_same() -> None:
    found = compile_active(listed(("P1", "S", "2050000163913", None)))
    assert found.active["shopify_inventory_item_ids"].to_list() == [[]]


def test_a_failing_check_digit_is_told_and_does_not_exclude() -> None:
    found = compile_active(listed(("P1", "S", "30065245099", "I1"), ("P2", "S", "8720116127799", "I2")))
    assert dict(found.active.select("product_id", "check_digit_valid").iter_rows()) == {"P1": False, "P2": True}


def test_a_product_with_two_upcas_takes_its_twin_off_the_list_too() -> None:
    """P1 may mean either number; what stands at 8720116122558 could be P2's count or P1's."""
    found = compile_active(
        listed(
            ("P1", "S", "2050000163913", "I1"), ("P1", "S", "8720116122558", "I1"), ("P2", "S", "8720116122558", "I2")
        )
    )
    assert found.active.height == 0
    assert sorted(found.excluded.select("product_id", "reason").rows()) == [
        ("P1", "several_upcas"),
        ("P1", "several_upcas"),
        ("P2", "shared_upca"),
    ]


def test_products_without_a_upca_do_not_share_it() -> None:
    found = compile_active(listed(("P1", "S", None, "I1"), ("P2", "S", None, "I2")))
    assert [row[3] for row in found.excluded.rows()] == ["no_upca", "no_upca"]


def test_an_empty_list_gives_empty_tables_of_the_right_shape() -> None:
    found = compile_active(listed())
    assert (found.active.schema, found.excluded.schema) == (SCHEMA, EXCLUDED_SCHEMA)
    assert (found.active.height, found.excluded.height) == (0, 0)


def test_the_list_is_sorted_so_that_the_same_products_make_the_same_table() -> None:
    rows: list[Listed] = [("P2", "S", "8720116122558", "I2"), ("P1", "S", "2050000163913", "I1")]
    assert compile_active(listed(*rows)).active.equals(compile_active(listed(*reversed(rows))).active)
