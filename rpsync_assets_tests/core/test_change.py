"""Why Shopify's number changes: parts that add up, whatever the rules make of the counts."""

from typing import Any

import polars as pl
import pytest

from rpsync_assets.core.atp import online_atp
from rpsync_assets.core.change import PARTS, corrections, explained, without
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.core.publication import PLAN_SCHEMA

STOCK = {
    **dict.fromkeys(("product_id", "facility_id"), pl.String),
    **dict.fromkeys(("quantity_on_hand", "available_to_promise", "minimum_stock", "after_safety_stock"), pl.Int64),
    **dict.fromkeys(("allow_brokering", "allow_pickup"), pl.String),
    "in_channel": pl.Boolean,
}
RULES = {"product_id": pl.String, "threshold": pl.Int64, "allow_brokering": pl.String}
UNITS = {"product_id": pl.String, "units": pl.Int64}
KEY_UNITS = {"facility_id": pl.String, **UNITS}


def atp(*shelves: tuple[str, int, int | None], threshold: int = 0, channel: str = "Y") -> pl.DataFrame:
    """Facility, ATP, safety stock; of product P."""
    rows = [("P", facility, units, units, safety, None, "Y", "Y", True) for facility, units, safety in shelves]
    return online_atp(
        pl.DataFrame(rows, schema=STOCK, orient="row"),
        pl.DataFrame([("P", threshold, channel)], schema=RULES, orient="row"),
        pl.DataFrame([("P", 1)], schema=UNITS, orient="row"),
        reserves=True,
    )


def corrected(*rows: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame([(facility, "P", units) for facility, units in rows], schema=KEY_UNITS, orient="row")


def plan(facility: str, shown: int | None, sellable: int, under_way: int = 0) -> pl.DataFrame:
    target = sellable - under_way
    row: dict[str, Any] = dict.fromkeys(PLAN_SCHEMA) | {
        "product_id": "P",
        "facility_id": facility,
        "quantity": sellable,
        "shopify_available": shown,
        "under_way": under_way,
        "target": target,
        "difference": None if shown is None else target - shown,
    }
    return pl.DataFrame([row], schema=PLAN_SCHEMA)


def parts(rows: pl.DataFrame) -> tuple[int, ...]:
    assert rows.select(pl.sum_horizontal(*PARTS)).item() == rows["difference"].item()
    return rows.select(PARTS.keys()).row(0)


def test_what_the_day_corrected_is_told_from_what_shopify_had_not_been_told_before() -> None:
    """The shelf fell from 40 to 0; Shopify showed 3 more than the OMS already before that."""
    table = atp(("NY", 0, None), ("LA", 20, None), threshold=2)
    assert parts(explained(plan(ONLINE_FACILITY, 60, 17), table, corrected(("NY", -40)))) == (-40, -3, 0)


def test_a_correction_below_safety_stock_changes_nothing_online() -> None:
    table = atp(("NY", 2, 5), ("LA", 20, None))
    assert parts(explained(plan(ONLINE_FACILITY, 19, 19), table, corrected(("NY", -2)))) == (0, 0, 0)


def test_what_moved_between_the_day_s_numbers_and_the_publication_stands_apart() -> None:
    table = atp(("NY", 10, None))
    assert parts(explained(plan(ONLINE_FACILITY, 6, 8), table, corrected(("NY", 3)))) == (3, 0, -1)


def test_what_shopify_sold_itself_is_no_reason_for_a_change() -> None:
    """It has taken its own sale off: nothing differs, and no part of it does."""
    table = atp(("NY", 10, None))
    assert parts(explained(plan(ONLINE_FACILITY, 7, 9, under_way=2), table, corrected())) == (0, 0, 0)


def test_a_row_that_the_stored_numbers_do_not_name_stays_and_has_no_reason() -> None:
    """A product that was published after the day's numbers were made."""
    table = atp(("NY", 10, None)).with_columns(product_id=pl.lit("Q"))
    row = explained(plan(ONLINE_FACILITY, 6, 8), table, corrected()).row(0, named=True)
    assert (row["difference"], row["by_counts"], row["note"]) == (2, None, None)


def test_a_pickup_location_knows_its_own_shop_only() -> None:
    table = atp(("NY", 10, None), ("LA", 20, None))
    changed = corrected(("NY", 4), ("LA", -7))
    assert parts(explained(plan("NY", 6, 10), table, changed)) == (4, 0, 0)
    assert parts(explained(plan("LA", 27, 20), table, changed)) == (-7, 0, 0)


def test_a_product_that_is_switched_off_says_so() -> None:
    rows = explained(plan(ONLINE_FACILITY, 191, 0), atp(("NY", 191, None), channel="N"), corrected())
    assert (parts(rows), rows["note"].item()) == ((0, -191, 0), "channel_off")


def test_without_corrections_the_table_is_what_it_was() -> None:
    table = atp(("NY", 2, 5), ("LA", -20, None), threshold=2, channel="N")
    assert without(table, corrected()).equals(table)


@pytest.mark.parametrize(("varied", "units"), [(None, 3), (-2, 1), (-3, None)])
def test_reset_and_variance_of_a_key_are_one_correction(varied: int | None, units: int | None) -> None:
    reset = pl.DataFrame([("NY", "P", 3)], schema={**KEY_UNITS, "units": pl.Int64}, orient="row")
    variance = None if varied is None else corrected(("NY", varied)).rename({"units": "applied"})
    found = corrections(reset.rename({"units": "difference"}), variance)
    assert found.rows() == ([] if units is None else [("NY", "P", units)])
