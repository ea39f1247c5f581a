"""What the graph asks the OMS: above all, what Retail Pro had not been told of at a snapshot.

Every question is asked of SQLite (the embedded OMS) and of MariaDB (a replica of HotWax's).
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rpsync_assets.core.errors import NotYetError, PermanentError, SetupError
from rpsync_assets.core.variance import UNREPORTED_SCHEMA
from rpsync_assets.oms import tables
from rpsync_assets.oms.import_log import ImportFile, log_refused
from rpsync_assets.oms.imports import RESET_CONFIG, import_reset
from rpsync_assets.resources.databases import open_engine
from rpsync_assets.resources.oms import EmbeddedOms
from rpsync_assets.resources.oms_reader import ImportLog, Told
from rpsync_assets.resources.state import Delivery
from rpsync_assets_tests.oms.books import LONG_AGO, NOW, T0, Books, Order, at, reset_csv

NO_LAG = Told("order_completed", timedelta(0))


@pytest.fixture(params=["sqlite", "mariadb"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Books:
    """On each kind of database."""
    return Books(tmp_path if request.param == "sqlite" else request.getfixturevalue("mariadb"))


@pytest.fixture
def embedded(tmp_path: Path) -> Books:
    """Where the embedded importer runs."""
    return Books(tmp_path)


Found = list[tuple[str, str, int, str]]


def unreported(books: Books, told: Told = NO_LAG, snapshot: datetime = T0) -> Found:
    """Facility, product, units, evidence."""
    with books.reader() as reader:
        found = reader.unreported_shipments("US", [snapshot], told)
    assert found.schema == UNREPORTED_SCHEMA
    return found.select("facility_id", "product_id", "quantity", "evidence").rows()


# U0 -------------------------------------------------------------------------------------------------------------------
def test_what_a_partially_shipped_order_has_shipped_is_not_reported(books: Books) -> None:
    Order(books).line("02", 1).issued(1, at(-60))
    assert unreported(books) == [("F1", "A", 1, "issuance")]


def test_a_line_of_three_of_which_one_left_counts_one(books: Books) -> None:
    """ITEM_COMPLETED misses it: the line is not complete."""
    Order(books, 3).issued(1, at(-60))
    assert unreported(books) == [("F1", "A", 1, "issuance")]


@pytest.mark.parametrize(("minutes", "counted"), [(-1, True), (0, True), (1, False)])
def test_only_what_left_at_or_before_the_snapshot_counts(books: Books, minutes: int, counted: bool) -> None:
    Order(books).issued(1, at(minutes))
    assert bool(unreported(books)) is counted


@pytest.mark.parametrize(("cancelled", "left"), [(None, 3), (0, 3), (1, 2), (3, None)])
def test_what_was_cancelled_of_an_issuance_came_back(books: Books, cancelled: float | None, left: int | None) -> None:
    Order(books, 3).issued(3, at(-60), cancelled=cancelled)
    assert unreported(books) == ([("F1", "A", left, "issuance")] if left else [])


@pytest.mark.parametrize(("cancelled_at", "left"), [(-30, 2), (0, 2), (1, 3)])
def test_what_was_cancelled_after_the_snapshot_had_left_then(books: Books, cancelled_at: int, left: int) -> None:
    Order(books, 3).issued(3, at(-60), cancelled=1, cancelled_at=at(cancelled_at))
    assert unreported(books) == [("F1", "A", left, "issuance")]


@pytest.mark.parametrize(
    ("line", "sent", "counted"), [("01", -30, False), (None, -30, False), ("02", -30, True), ("01", 1, True)]
)
def test_a_store_may_count_until_the_fulfillment_history_says_sent(
    books: Books, line: str | None, sent: int, counted: bool
) -> None:
    order = Order(books).issued(1, at(-60)).became("ORDER_COMPLETED", at(-50))
    row = {"FULFILLMENT_LOG_ID": "1", "ORDER_ID": order.order_id, "ORDER_ITEM_SEQ_ID": line, "CREATED_DATE": at(sent)}
    books.add(tables.order_fulfillment_history, row)
    assert bool(unreported(books, Told("fulfillment_history", timedelta(0)))) is counted


@pytest.mark.parametrize(
    ("sent", "left", "counted"), [("S1", "S1", False), ("S1", "S2", True), (None, "S2", False), ("S1", None, False)]
)
def test_of_a_line_in_two_parcels_only_the_parcel_that_was_told_of_is_booked(
    books: Books, sent: str | None, left: str | None, counted: bool
) -> None:
    order = Order(books, 2).issued(1, at(-60), SHIPMENT_ID=left)
    row = {"FULFILLMENT_LOG_ID": "1", "ORDER_ID": order.order_id, "SHIPMENT_ID": sent, "CREATED_DATE": at(-30)}
    books.add(tables.order_fulfillment_history, row)
    assert bool(unreported(books, Told("fulfillment_history", timedelta(0)))) is counted


def test_an_import_needs_what_left_until_it_of_orders_not_booked_at_the_snapshot(books: Books) -> None:
    Order(books).issued(1, at(-60)).became("ORDER_COMPLETED", at(10))
    Order(books).issued(2, at(30))
    Order(books).issued(4, at(61))
    with books.reader() as reader:
        found = reader.unreported_shipments("US", [T0], NO_LAG, issued_until=at(60))
    assert sorted(found["quantity"].to_list()) == [1, 2]


@pytest.mark.parametrize(
    ("completed", "lag", "counted"),
    [
        (-30, 0, False),  # Retail Pro had booked it
        (0, 0, False),
        (1, 0, True),  # completed between snapshot and query: the header says COMPLETED now
        (-30, 45, True),  # completed, but the invoice was still on its way
        (-45, 45, False),
        (-60, 45, False),
    ],
)
def test_an_order_counts_until_retail_pro_booked_it(books: Books, completed: int, lag: int, counted: bool) -> None:
    """Judged by the status history plus the invoice lag, never by the header of now."""
    Order(books, STATUS_ID="ORDER_COMPLETED").issued(1, at(-90)).became("ORDER_COMPLETED", at(completed))
    assert bool(unreported(books, Told("order_completed", timedelta(minutes=lag)))) is counted


def test_a_cancelled_header_does_not_unship_a_unit(books: Books) -> None:
    Order(books, STATUS_ID="ORDER_CANCELLED").issued(1, at(-60)).became("ORDER_CANCELLED", at(-30))
    assert unreported(books) == [("F1", "A", 1, "issuance")]


@pytest.mark.parametrize(
    "header", [{"SALES_CHANNEL_ENUM_ID": "POS_SALES_CHANNEL"}, {"ORDER_TYPE_ID": "TRANSFER_ORDER"}]
)
def test_send_sale_and_transfers_are_retail_pros_own(books: Books, header: dict[str, str]) -> None:
    Order(books, **header).issued(1, at(-60))
    assert unreported(books) == []


def test_an_order_without_a_channel_is_no_send_sale(books: Books) -> None:
    Order(books, SALES_CHANNEL_ENUM_ID=None).issued(1, at(-60))  # type: ignore[arg-type]
    assert unreported(books) == [("F1", "A", 1, "issuance")]


def test_a_digital_product_never_left_a_shelf(books: Books) -> None:
    books.product("GIFT", "999", kind="DIGITAL_GOOD")
    Order(books, product="GIFT").became("ITEM_COMPLETED", at(-60), "01")
    assert unreported(books) == []


def test_a_completed_line_without_an_issuance_counts_at_its_ship_group(books: Books) -> None:
    Order(books, 2, ship_from="F2").became("ITEM_COMPLETED", at(-60), "01").became("ITEM_COMPLETED", at(-50), "01")
    assert unreported(books) == [("F2", "A", 2, "item_completed")]


def test_a_completed_line_counts_less_what_was_cancelled_of_it(books: Books) -> None:
    order = Order(books)
    order.line("02", 3, cancelled=1).became("ITEM_COMPLETED", at(-60), "02")
    assert unreported(books) == [("F1", "A", 2, "item_completed")]


@pytest.mark.parametrize("issued", [-60, 30])
def test_a_line_with_an_issuance_is_never_counted_by_its_status_too(books: Books, issued: int) -> None:
    Order(books).issued(1, at(issued)).became("ITEM_COMPLETED", at(-50), "01")
    assert len(unreported(books)) == (1 if issued < 0 else 0)


def test_units_count_where_they_left_not_where_the_order_was_meant_to_ship_from(books: Books) -> None:
    Order(books, ship_from="F1").issued(1, at(-60), facility="F2")
    assert unreported(books) == [("F2", "A", 1, "issuance")]


def test_the_unit_that_left_counts_although_the_line_was_of_another_product(books: Books) -> None:
    other = books.stock("F1", "B", 10)
    Order(books, product="A").issued(1, at(-60), INVENTORY_ITEM_ID=other)
    assert unreported(books) == [("F1", "B", 1, "issuance")]


@pytest.mark.parametrize(("ship_group", "facility"), [("2", "F2"), (None, "F1")])
def test_a_unit_of_no_known_inventory_item_left_where_its_ship_group_is(
    books: Books, ship_group: str | None, facility: str
) -> None:
    order = Order(books, ship_from="F1")
    second = {"ORDER_ID": order.order_id, "SHIP_GROUP_SEQ_ID": "2", "FACILITY_ID": "F2"}
    books.add(tables.order_item_ship_group, second)
    order.issued(1, at(-60), INVENTORY_ITEM_ID="GONE", SHIP_GROUP_SEQ_ID=ship_group)
    assert unreported(books) == [(facility, "A", 1, "issuance")]


def test_an_issuance_of_one_line_says_nothing_of_another(books: Books) -> None:
    Order(books).line("02", 2).issued(1, at(-60)).became("ITEM_COMPLETED", at(-50), "02")
    assert sorted(unreported(books)) == [("F1", "A", 1, "issuance"), ("F1", "A", 2, "item_completed")]


@pytest.mark.parametrize(("minutes", "counted"), [(0, True), (1, False)])
def test_a_line_that_was_completed_at_the_snapshot_had_left(books: Books, minutes: int, counted: bool) -> None:
    Order(books).became("ITEM_COMPLETED", at(minutes), "01")
    assert bool(unreported(books)) is counted


def test_what_left_a_facility_that_left_the_store_is_counted_there_still(books: Books) -> None:
    books.do("UPDATE PRODUCT_STORE_FACILITY SET THRU_DATE = '2026-03-10 05:00:00' WHERE FACILITY_ID = 'F1'")
    Order(books).issued(1, at(-60))
    assert unreported(books) == [("F1", "A", 1, "issuance")]


def test_an_order_imported_twice_counts_twice_because_the_oms_issued_it_twice(books: Books) -> None:
    for _ in range(2):
        Order(books, ORDER_NAME="#1001").issued(1, at(-60))
    assert unreported(books) == [("F1", "A", 1, "issuance")] * 2
    with books.reader() as reader:
        assert reader.unreported_shipments("US", [T0], NO_LAG)["order_name"].to_list() == ["#1001", "#1001"]


@pytest.mark.parametrize(("second", "since", "told"), [("112", -900, 2), ("111", -900, 1), ("112", 60 * 48, 1)])
def test_a_second_current_upca_is_told_and_doubles_nothing(books: Books, second: str, since: int, told: int) -> None:
    books.upca("A", second, since=at(since))
    Order(books).issued(1, at(-60))
    assert unreported(books) == [("F1", "A", 1, "issuance")]
    with books.reader() as reader:
        found = reader.unreported_shipments("US", [T0], NO_LAG)
    assert found.select("upca", "current_upcas").rows() == [("111", told)]


def test_a_product_without_a_current_upca_is_counted_and_told(books: Books) -> None:
    books.product("D", None)
    Order(books, product="D").issued(1, at(-60))
    with books.reader() as reader:
        found = reader.unreported_shipments("US", [T0], NO_LAG)
    assert found.select("quantity", "upca", "current_upcas").rows() == [(1, None, 0)]


def test_another_stores_facility_is_another_stores_affair(books: Books) -> None:
    books.add(tables.facility, {"FACILITY_ID": "SV1", "FACILITY_TYPE_ID": "RETAIL_STORE"})
    Order(books).issued(1, at(-60), facility="SV1")
    assert unreported(books) == []


def test_several_snapshots_are_answered_each_as_of_its_own_moment(books: Books) -> None:
    Order(books).issued(1, at(-60))
    Order(books).issued(1, at(60))
    with books.reader() as reader:
        found = reader.unreported_shipments("US", [at(90), T0, T0], NO_LAG)
        nothing = reader.unreported_shipments("US", [], NO_LAG)
    assert found.group_by("snapshot_at").len().sort("snapshot_at").rows() == [(T0, 1), (at(90), 2)]
    assert (nothing.height, nothing.schema) == (0, UNREPORTED_SCHEMA)


def test_half_a_shoe_in_an_order_is_an_error_that_names_it(books: Books) -> None:
    Order(books).issued(0.5, at(-60))
    with pytest.raises(SetupError, match=r"The OMS holds the quantity 0\.5 in quantity"):
        unreported(books)


# Master data ----------------------------------------------------------------------------------------------------------
def test_the_facilities_of_a_store_are_its_physical_open_current_ones(books: Books) -> None:
    for facility, closed, until in (("OPEN", None, None), ("CLOSED", at(-60), None), ("LEFT", None, at(-60))):
        row = {"FACILITY_ID": facility, "FACILITY_TYPE_ID": "RETAIL_STORE", "CLOSED_DATE": closed}
        books.add(tables.facility, row)
        member = {"PRODUCT_STORE_ID": "US", "FACILITY_ID": facility, "FROM_DATE": LONG_AGO, "THRU_DATE": until}
        books.add(tables.product_store_facility, member)
    with books.reader() as reader:
        assert reader.facilities("US").rows() == [("F1", "S1"), ("F2", "S2"), ("OPEN", None)]
        assert reader.facilities("SV").height == 0


def test_published_products_are_listed_with_each_current_upca(books: Books) -> None:
    books.product("GIFT", "999", kind="DIGITAL_GOOD")
    books.product("D", None)
    books.upca("A", "110", since=at(-900), until=at(-60))
    with books.reader() as reader:
        listed = reader.listed_products("US")
    assert listed.select("product_id", "upca", "shopify_inventory_item_id").rows() == [
        ("A", "111", "IA"),
        ("B", "222", "IB"),
        ("C", "333", "IC"),
        ("D", None, "ID"),
    ]


@pytest.mark.parametrize(
    ("change", "listed"),
    [
        ("IS_VIRTUAL = 'Y'", False),
        ("IS_VIRTUAL = 'N'", True),
        ("SALES_DISCONTINUATION_DATE = '2026-01-01 00:00:00'", False),
        ("SALES_DISCONTINUATION_DATE = '2099-01-01 00:00:00'", True),
    ],
)
def test_a_virtual_or_discontinued_product_is_not_listed(books: Books, change: str, listed: bool) -> None:
    """A virtual product is the parent of its sizes: nothing of it lies on a shelf."""
    books.do(f"UPDATE PRODUCT SET {change} WHERE PRODUCT_ID = 'A'")  # noqa: S608  written above
    with books.reader() as reader:
        assert ("A" in reader.listed_products("US")["product_id"]) is listed


def test_a_upca_means_a_product_only_while_it_is_current_on_one_alone(books: Books) -> None:
    books.upca("A", "222", since=at(-900))
    books.upca("A", "333", since=at(-800), until=at(-60))
    with books.reader() as reader:
        assert sorted(reader.products_of_upcas().select("upca", "product_id").rows()) == [("111", "A"), ("333", "C")]


def test_items_and_locations_of_another_shop_are_not_this_stores(books: Books) -> None:
    books.add(tables.product_store, {"PRODUCT_STORE_ID": "SV"})
    books.add(tables.shopify_shop, {"SHOP_ID": "OTHER", "PRODUCT_STORE_ID": "SV"})
    item = {"SHOP_ID": "OTHER", "SHOPIFY_PRODUCT_ID": "V", "PRODUCT_ID": "A", "SHOPIFY_INVENTORY_ITEM_ID": "IX"}
    books.add(tables.shopify_shop_product, item)
    for shop, place in (("SHOP", "L1"), ("OTHER", "L2")):
        row = {"SHOP_ID": shop, "FACILITY_ID": "F1", "SHOPIFY_LOCATION_ID": place}
        books.add(tables.shopify_shop_location, row)
    books.do("UPDATE SHOPIFY_SHOP_PRODUCT SET SHOPIFY_INVENTORY_ITEM_ID = NULL WHERE PRODUCT_ID = 'C'")
    with books.reader() as reader:
        assert sorted(reader.shopify_items("US").rows()) == [("A", "IA"), ("B", "IB")]
        assert reader.shopify_items("SV").rows() == [("A", "IX")]
        assert reader.shopify_locations("US").rows() == [("F1", "L1")]


# Stock ----------------------------------------------------------------------------------------------------------------
def test_stock_comes_with_rules_and_with_facilities_that_left_the_channel(books: Books) -> None:
    """A facility that left must be seen, or its products keep yesterday's number at Shopify."""
    books.stock("F1", "A", 10, 7, MINIMUM_STOCK=2, ALLOW_BROKERING="N")
    books.stock("F2", "A", 4)
    books.stock("_NA_", "A", 99)
    books.join_channel("F1")
    books.join_channel("F2", until=at(-60))
    with books.reader() as reader:
        found = reader.stock("US", "WEB").stock.sort("facility_id")
    columns = ("facility_id", "quantity_on_hand", "available_to_promise", "minimum_stock", "allow_brokering")
    assert found.select(*columns, "in_channel").rows() == [("F1", 10, 7, 2, "N", True), ("F2", 4, 4, None, None, False)]


def test_a_facility_that_left_the_store_sells_nothing_though_the_channel_names_it(books: Books) -> None:
    for facility in ("F1", "F2"):
        books.stock(facility, "A", 4, ALLOW_PICKUP="Y")
        books.join_channel(facility)
    books.do("UPDATE PRODUCT_STORE_FACILITY SET THRU_DATE = '2026-03-10 05:00:00' WHERE FACILITY_ID = 'F2'")
    with books.reader() as reader:
        found = reader.stock("US", "WEB").stock.sort("facility_id")
    assert found.select("facility_id", "allow_pickup", "in_channel").rows() == [("F1", "Y", True), ("F2", "N", False)]


def test_thresholds_come_from_the_channels_configuration_facilities(books: Books) -> None:
    books.add(tables.facility, {"FACILITY_ID": "CONF", "FACILITY_TYPE_ID": "CONFIGURATION"})
    row = {"PRODUCT_ID": "A", "FACILITY_ID": "CONF", "MINIMUM_STOCK": 3, "ALLOW_BROKERING": "N"}
    books.add(tables.product_facility, row)
    books.join_channel("CONF")
    # A shelf's own minimum is its safety stock, and a facility that left the channel has no say in it.
    books.stock("F1", "A", 4, MINIMUM_STOCK=1)
    books.join_channel("F1")
    books.add(tables.facility, {"FACILITY_ID": "PAST", "FACILITY_TYPE_ID": "CONFIGURATION"})
    books.add(tables.product_facility, {**row, "FACILITY_ID": "PAST"})
    books.join_channel("PAST", until=at(-60))
    with books.reader() as reader:
        assert reader.stock("US", "WEB").channel_rules.rows() == [("A", 3, "N")]
        assert reader.stock("US", "OTHER").channel_rules.height == 0


def test_orders_waiting_in_queues_are_demand_and_others_are_not(books: Books) -> None:
    Order(books, 2, ship_from="_NA_")
    Order(books, 3, ship_from="_NA_").line("02", 4, status="ITEM_CANCELLED").line("03", 5, status="ITEM_COMPLETED")
    Order(books, 7, ship_from="F1")
    Order(books, 9, ship_from="_NA_", PRODUCT_STORE_ID="SV")
    Order(books, 9, ship_from="_NA_", ORDER_TYPE_ID="PURCHASE_ORDER")
    Order(books, 0, ship_from="_NA_").line("02", 9, status="ITEM_REJECTED")
    with books.reader() as reader:
        assert reader.stock("US", "WEB").queue_demand.rows() == [("A", 5)]


@pytest.mark.parametrize("kind", ["PRE_ORDER", "BACKORDER"])
@pytest.mark.parametrize(
    ("value", "until", "held"), [("Y", None, 3), ("y", None, 3), ("true", None, 3), ("N", None, 0), ("Y", -1, 0)]
)
def test_pre_and_back_orders_are_told_to_a_store_that_holds_its_stock_for_them(
    books: Books, value: str, until: int | None, held: int, kind: str
) -> None:
    books.add(tables.facility, {"FACILITY_ID": "PRE", "FACILITY_TYPE_ID": kind})
    setting = {"PRODUCT_STORE_ID": "US", "SETTING_TYPE_ENUM_ID": "HOLD_PRORD_PHYCL_INV", "FROM_DATE": LONG_AGO}
    thru = None if until is None else at(until)
    books.add(tables.product_store_setting, {**setting, "SETTING_VALUE": value, "THRU_DATE": thru})
    books.add(tables.product_store_setting, {**setting, "PRODUCT_STORE_ID": "SV", "SETTING_VALUE": "Y"})
    Order(books, 3, ship_from="PRE").line("02", 4, status="ITEM_COMPLETED").line("03", 8, status="ITEM_REJECTED")
    Order(books, 5, ship_from="F1")
    Order(books, 9, ship_from="PRE", ORDER_TYPE_ID="PURCHASE_ORDER")
    Order(books, 9, ship_from="PRE", PRODUCT_STORE_ID="SV")
    with books.reader() as reader:
        assert reader.stock("US", "WEB").preorder_demand.rows() == ([("A", held)] if held else [])


@pytest.mark.parametrize(("flag", "reserves"), [("Y", True), ("N", False), (None, True)])
def test_a_store_reserves_unless_it_says_no(books: Books, flag: str | None, reserves: bool) -> None:
    books.add(tables.product_store, {"PRODUCT_STORE_ID": "SV", "RESERVE_INVENTORY": flag})
    with books.reader() as reader:
        assert reader.stock("SV", "WEB").reserves is reserves


def test_a_store_that_the_oms_does_not_know_is_named(books: Books) -> None:
    with books.reader() as reader, pytest.raises(SetupError, match="The OMS has no product store 'XX'"):
        reader.stock("XX", "WEB")


def test_half_a_shoe_in_stock_is_an_error_that_names_it(books: Books) -> None:
    books.stock("F1", "A", 2.5)
    with books.reader() as reader, pytest.raises(SetupError, match=r"the quantity 2\.5 in quantity_on_hand"):
        reader.stock("US", "WEB")


def test_sales_of_a_day_are_those_with_an_event_time_in_it(books: Books) -> None:
    item = books.stock("F1", "A", 10)
    for minutes, units in ((-1, -1), (0, -2), (59, 1), (60, -4)):
        books.move(item, units, at(minutes))
    books.move(item, -9, at(30), REASON_ENUM_ID="VAR_INTEGR")
    with books.reader() as reader:
        sales = reader.pos_sales("US", T0, at(60))
    assert sales.select("facility_id", "quantity", "event_at").rows() == [("F1", -2, T0), ("F1", 1, at(59))]


def test_a_point_of_sale_order_takes_stock_and_a_send_sale_is_shipped(books: Books) -> None:
    """Sales over the counter that were imported as orders: named, for Retail Pro's own count has them too."""
    over_the_counter = {"SALES_CHANNEL_ENUM_ID": "POS_SALES_CHANNEL", "ORDER_NAME": "#1"}
    Order(books, 5, **over_the_counter).issued(2, T0).issued(3, at(10), cancelled=1)
    Order(books, **over_the_counter).issued(1, at(5), SHIPMENT_ID="S1")
    Order(books, **over_the_counter).issued(1, at(-1))
    Order(books, **over_the_counter).issued(1, at(60))
    Order(books, **{**over_the_counter, "PRODUCT_STORE_ID": "SV"}).issued(1, at(5))
    Order(books, **{**over_the_counter, "ORDER_TYPE_ID": "PURCHASE_ORDER"}).issued(1, at(5))
    Order(books).issued(1, at(5))
    with books.reader() as reader:
        found = reader.pos_orders("US", T0, at(60))
    assert found.select("order_name", "issued_at", "units").rows() == [("#1", T0, 4)]


# The ledger ----------------------------------------------------------------------------------------------------------
def test_counts_of_a_key_are_summed_over_its_inventory_items(books: Books) -> None:
    books.stock("F1", "A", 10, 7)
    second = {"INVENTORY_ITEM_ID": "SECOND", "FACILITY_ID": "F1", "PRODUCT_ID": "A"}
    books.add(tables.inventory_item, {**second, "QUANTITY_ON_HAND_TOTAL": 2, "AVAILABLE_TO_PROMISE_TOTAL": None})
    with books.reader() as reader:
        assert reader.counts("US").rows() == [("F1", "A", 12, 7)]
        assert reader.counts("SV").height == 0


# What of Shopify's orders is reflected --------------------------------------------------------------------------------
def at_shopify(books: Books, order: Order, number: str = "S1") -> Order:
    """The order came from Shopify, where it has this number."""
    books.add(tables.shopify_shop_order, {"SHOP_ID": "SHOP", "ORDER_ID": order.order_id, "SHOPIFY_ORDER_ID": number})
    return order


def reflected(books: Books, *, ledger: bool = True) -> list[tuple[str, str, int]]:
    """Shopify's order, product, units; orders that nothing has gone down by are left out."""
    with books.reader() as reader:
        found = reader.reflected_orders("US", ledger=ledger)
    return sorted(row for row in found.select("order_id", "product_id", "units").rows() if row[2])


@pytest.mark.parametrize(
    ("status", "cancelled", "issued", "place", "reserving", "not_reserving"),
    [
        ("ITEM_APPROVED", None, 0, "F1", 3, 0),
        ("ITEM_APPROVED", 1, 0, "F1", 2, 0),
        ("ITEM_APPROVED", None, 2, "F1", 3, 2),
        ("ITEM_CREATED", None, 0, "_NA_", 3, 0),
        ("ITEM_CREATED", 1, 0, "_NA_", 3, 0),  # queue demand does not subtract what was cancelled either
        ("ITEM_COMPLETED", None, 3, "F1", 3, 3),
        ("ITEM_COMPLETED", 1, 0, "F1", 2, 2),
        ("ITEM_CANCELLED", 3, 0, "F1", 0, 0),
        ("ITEM_REJECTED", None, 0, "F1", 0, 0),
        ("ITEM_CANCELLED", 3, 1, "F1", 1, 1),  # one had left: cancelling does not bring it back
    ],
)
def test_an_order_is_reflected_by_what_may_be_sold_of_its_product(
    books: Books,
    status: str,
    cancelled: float | None,
    issued: int,
    place: str,
    reserving: int,
    not_reserving: int,
) -> None:
    order = Order(books, 1, ship_from=place)
    books.do("DELETE FROM ORDER_ITEM")
    order.line("01", 3, cancelled, status)
    if issued:
        order.issued(issued, at(-60))
    at_shopify(books, order)
    assert reflected(books) == ([("S1", "A", reserving)] if reserving else [])
    books.do("UPDATE PRODUCT_STORE SET RESERVE_INVENTORY = 'N'")
    assert reflected(books) == ([("S1", "A", not_reserving)] if not_reserving else [])


def test_what_was_returned_to_a_shelf_is_not_reflected_any_more_and_needs_the_ledger(books: Books) -> None:
    order = at_shopify(books, Order(books, 3).issued(3, at(-60)))
    item = books.stock("F2", "A", 5)
    line = {"ORDER_ID": order.order_id, "ORDER_ITEM_SEQ_ID": "01"}
    books.move(item, 1, at(-30), RETURN_ID="R1", **line)
    assert reflected(books) == [("S1", "A", 2)]
    assert reflected(books, ledger=False) == [("S1", "A", 3)]


def test_each_line_of_an_order_is_reflected_by_what_happened_to_itself(books: Books) -> None:
    order = at_shopify(books, Order(books, 1).line("02", 5, status="ITEM_CANCELLED"))
    order.issued(1, at(-60)).issued(2, at(-50), cancelled=1, ORDER_ITEM_SEQ_ID="02")
    item = books.stock("F2", "A", 5)
    books.move(item, 1, at(-30), RETURN_ID="R1", ORDER_ID=order.order_id, ORDER_ITEM_SEQ_ID="01")
    assert reflected(books) == [("S1", "A", 1)]


@pytest.mark.parametrize(("method", "facility"), [("STOREPICKUP", "F2"), ("STANDARD", None)])
def test_only_a_pickup_is_of_the_facility_that_was_chosen_in_the_shop(
    books: Books, method: str, facility: str | None
) -> None:
    at_shopify(books, Order(books, ship_from="F2"))
    books.do("UPDATE ORDER_ITEM_SHIP_GROUP SET SHIPMENT_METHOD_TYPE_ID = :method", method=method)
    with books.reader() as reader:
        found = reader.reflected_orders("US", ledger=True)
    assert found.select("order_id", "facility_id", "units").rows() == [("S1", facility, 1)]


def test_an_order_from_elsewhere_is_no_order_of_shopifys(books: Books) -> None:
    Order(books, 3).issued(3, at(-60))
    assert reflected(books) == []


def test_movements_are_goods_that_came_or_went_after_the_moment(books: Books) -> None:
    item = books.stock("F1", "A", 10)
    for minutes, units in ((0, -9), (1, -2), (1, -1), (2, 4)):
        books.move(item, units, at(minutes))
    for number, column in enumerate(("ITEM_ISSUANCE_ID", "RECEIPT_ID", "RETURN_ID")):
        books.move(item, 1, at(10 + number), **{column: "X"})
    for reason in ("VAR_EXT_RESET", "VAR_INTEGR", "VAR_MANUAL"):
        books.move(item, -5, at(20), REASON_ENUM_ID=reason, PHYSICAL_INVENTORY_ID="X")
    with books.reader() as reader:
        found = reader.movements("US", T0).sort("event_at")
    expected = [(1, -3), (2, 4), (10, 1), (11, 1), (12, 1)]
    assert found.rows() == [("F1", "A", at(minutes), units) for minutes, units in expected]


def test_corrections_are_what_one_reason_changed_in_a_span_with_both_its_ends(books: Books) -> None:
    item = books.stock("F1", "A", 10)
    for minutes in (-1, 0, 5, 10, 11):
        books.move(item, -1, at(minutes), REASON_ENUM_ID="VAR_EXT_RESET")
    books.move(item, -9, at(5), REASON_ENUM_ID="VAR_MANUAL")
    with books.reader() as reader:
        assert reader.corrections("US", "VAR_EXT_RESET", T0, at(10)).rows() == [("F1", "A", -3)]


# Receipts -------------------------------------------------------------------------------------------------------------
def delivery(name: str = "a.csv") -> Delivery:
    slot = {"product_store": "US", "business_date": T0.date(), "kind": "reset", "generation": 1, "part": 1, "parts": 1}
    file = {"digest": "d", "file_name": name, "folder": "hotwax/reset-inventory", "rows": 2, "bytes": 9}
    return Delivery(**slot, **file, snapshot_at=T0, run_id="r", host="h", taken_at=T0)  # type: ignore[arg-type]


def oms_of(books: Books) -> EmbeddedOms:
    return EmbeddedOms(str(books.engine.url), Path("reset"), Path("variance"))


def log(books: Books, log_id: str, status: str, created: datetime = NOW, path: str | None = None, **more: Any) -> None:
    """An import log as HotWax writes it; the file's name stands in its content, or only in its path."""
    row = {"LOG_ID": log_id, "STATUS_ID": status, "CREATED_DATE": created, "REMOTE_FILE_PATH": path, **more}
    books.add(tables.data_manager_log, {**row, "UPLOAD_FILE_CONTENT_ID": None if path else f"C{log_id}"})
    if not path:
        content = {"LOG_CONTENT_ID": f"C{log_id}", "LOG_ID": log_id, "FILE_NAME": "a.csv"}
        books.add(tables.data_manager_content, content)


def test_a_file_that_no_import_log_knows_is_not_there_yet(books: Books) -> None:
    with books.reader() as reader, pytest.raises(NotYetError, match="no entry in its import log"):
        oms_of(books).import_of(reader, delivery())


@pytest.mark.parametrize("status", ["SERVICE_PENDING", "SERVICE_QUEUED", "SERVICE_RUNNING"])
def test_an_import_that_waits_or_runs_is_not_there_yet(books: Books, status: str) -> None:
    log(books, "1", status)
    with books.reader() as reader, pytest.raises(NotYetError, match=status):
        oms_of(books).import_of(reader, delivery())


@pytest.mark.parametrize("status", ["SERVICE_FAILED", "SERVICE_CRASHED", "SERVICE_CANCELLED"])
def test_a_file_that_the_oms_gave_up_is_refused(books: Books, status: str) -> None:
    log(books, "1", status)
    with books.reader() as reader, pytest.raises(PermanentError, match=status):
        oms_of(books).import_of(reader, delivery())


@pytest.mark.parametrize("path", ["a.csv", "/home/x/hotwax/reset-inventory/a.csv"])
def test_an_import_is_found_by_the_path_alone_and_says_its_counts_and_times(books: Books, path: str) -> None:
    counts = {"TOTAL_RECORD_COUNT": 2, "FAILED_RECORD_COUNT": 1}
    log(books, "1", "SERVICE_FINISHED", path=path, START_DATE_TIME=at(1), FINISH_DATE_TIME=at(2), **counts)
    with books.reader() as reader:
        assert oms_of(books).import_of(reader, delivery()) == ImportLog("1", "SERVICE_FINISHED", 2, 1, at(1), at(2))


@pytest.mark.parametrize("other", ["/home/x/hotwax/reset-inventory/aa.csv", "xa.csv", "/home/a.csv/b.csv", "csv"])
def test_a_file_whose_name_only_ends_alike_is_another(books: Books, other: str) -> None:
    log(books, "1", "SERVICE_FINISHED", path=other)
    with books.reader() as reader:
        assert reader.import_logs("a.csv") == []


def test_imports_of_a_file_come_newest_first_and_a_finished_one_stays_finished(books: Books) -> None:
    for log_id, status, minutes in (
        ("1", "SERVICE_FINISHED", 0),
        ("2", "SERVICE_FAILED", 1),
        ("3", "SERVICE_PENDING", 1),
    ):
        log(books, log_id, status, at(minutes))
    with books.reader() as reader:
        assert [found.log_id for found in reader.import_logs("a.csv")] == ["3", "2", "1"]
        assert oms_of(books).import_of(reader, delivery()).log_id == "1"


def test_the_embedded_importer_writes_logs_that_read_the_same(embedded: Books) -> None:
    with embedded.engine.begin() as connection:
        log_refused(connection, ImportFile(RESET_CONFIG, "a.csv", b"x", NOW))
    with embedded.reader() as reader, pytest.raises(PermanentError, match="SERVICE_FAILED"):
        oms_of(embedded).import_of(reader, delivery())
    later = NOW + timedelta(minutes=1)
    import_reset(embedded.engine, "a.csv", reset_csv(("F1", "111", 4), ("F9", "111", 4)), later)
    with embedded.reader() as reader:
        done = oms_of(embedded).import_of(reader, delivery())
    assert (done.status, done.total_rows, done.failed_rows) == ("SERVICE_FINISHED", 2, 1)


# The database ---------------------------------------------------------------------------------------------------------
def test_an_oms_database_that_is_not_there_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not exist"):
        open_engine(f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert list(tmp_path.iterdir()) == []


def test_all_answers_are_of_one_moment(books: Books) -> None:
    """A sale between two questions would make the numbers of one run disagree."""
    item = books.stock("F1", "A", 10)
    with books.reader() as reader:
        before = reader.stock("US", "WEB").stock
        books.move(item, -3, at(30))
        assert reader.stock("US", "WEB").stock.equals(before)
    with books.reader() as reader:
        assert reader.stock("US", "WEB").stock["quantity_on_hand"].to_list() == [7]


def test_the_reader_gives_typed_empty_tables(books: Books) -> None:
    with books.reader() as reader:
        assert reader.shopify_locations("US").schema == {"facility_id": pl.String, "shopify_location_id": pl.String}
        assert reader.shopify_items("US").sort("product_id").rows() == [("A", "IA"), ("B", "IB"), ("C", "IC")]
