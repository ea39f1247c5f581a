"""What the graph asks the OMS: above all, what Retail Pro had not been told of at a snapshot."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from rpsync_assets.core.errors import NotYetError, PermanentError, SetupError
from rpsync_assets.core.variance import UNREPORTED_SCHEMA
from rpsync_assets.oms import tables
from rpsync_assets.oms.import_log import ImportFile, log_refused
from rpsync_assets.oms.imports import RESET_CONFIG, import_reset
from rpsync_assets.resources.databases import open_engine
from rpsync_assets_tests.oms.books import LONG_AGO, NOW, T0, Books, at, reset_csv

NO_LAG = timedelta(0)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


class Order:
    """A web order of one line, of which more is said step by step."""

    def __init__(self, books: Books, units: float = 1, *, product: str = "A", ship_from: str = "F1", **header: str):
        self.books, self.product, self.order_id = books, product, books.number("O")
        usual = {"ORDER_TYPE_ID": "SALES_ORDER", "SALES_CHANNEL_ENUM_ID": "WEB_SALES_CHANNEL"}
        about = {"ORDER_NAME": f"#{self.order_id}", "STATUS_ID": "ORDER_APPROVED", "PRODUCT_STORE_ID": "US"}
        books.add(tables.order_header, {"ORDER_ID": self.order_id, **usual, **about, **header})
        place = {"ORDER_ID": self.order_id, "SHIP_GROUP_SEQ_ID": "1"}
        books.add(tables.order_item_ship_group, {**place, "FACILITY_ID": ship_from})
        self.line("01", units)

    def line(self, number: str, units: float, cancelled: float | None = None, status: str = "ITEM_APPROVED") -> "Order":
        line = {"ORDER_ID": self.order_id, "ORDER_ITEM_SEQ_ID": number, "PRODUCT_ID": self.product}
        counts = {"QUANTITY": units, "CANCEL_QUANTITY": cancelled, "STATUS_ID": status, "SHIP_GROUP_SEQ_ID": "1"}
        self.books.add(tables.order_item, {**line, **counts})
        return self

    def issued(self, units: float, moment: datetime, facility: str = "F1", cancelled: float | None = None) -> "Order":
        item = self.books.ask(
            "SELECT INVENTORY_ITEM_ID FROM INVENTORY_ITEM WHERE FACILITY_ID = :f AND PRODUCT_ID = :p",
            f=facility,
            p=self.product,
        )
        item_id = item[0][0] if item else self.books.stock(facility, self.product, 10)
        row = {"ITEM_ISSUANCE_ID": self.books.number("IS"), "ORDER_ID": self.order_id, "ORDER_ITEM_SEQ_ID": "01"}
        amount = {"ISSUED_DATE_TIME": moment, "QUANTITY": units, "CANCEL_QUANTITY": cancelled}
        self.books.add(tables.item_issuance, {**row, "INVENTORY_ITEM_ID": item_id, **amount})
        return self

    def became(self, status: str, moment: datetime, line: str | None = None) -> "Order":
        row = {"ORDER_STATUS_ID": self.books.number("ST"), "STATUS_ID": status, "ORDER_ID": self.order_id}
        self.books.add(tables.order_status, {**row, "ORDER_ITEM_SEQ_ID": line, "STATUS_DATETIME": moment})
        return self


Found = list[tuple[str, str, int, str]]


def unreported(books: Books, lag: timedelta = NO_LAG, snapshot: datetime = T0) -> Found:
    """Facility, product, units, evidence."""
    with books.reader() as reader:
        found = reader.unreported_shipments("US", [snapshot], lag)
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
    assert bool(unreported(books, timedelta(minutes=lag))) is counted


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


# Stock ----------------------------------------------------------------------------------------------------------------
def join_channel(books: Books, facility: str, until: datetime | None = None) -> None:
    member = {"FACILITY_ID": facility, "FACILITY_GROUP_ID": "WEB", "FROM_DATE": LONG_AGO, "THRU_DATE": until}
    books.add(tables.facility_group_member, member)


def test_stock_comes_with_rules_and_with_facilities_that_left_the_channel(books: Books) -> None:
    """A facility that left must be seen, or its products keep yesterday's number at Shopify."""
    books.stock("F1", "A", 10, 7, MINIMUM_STOCK=2, ALLOW_BROKERING="N")
    books.stock("F2", "A", 4)
    books.stock("_NA_", "A", 99)
    join_channel(books, "F1")
    join_channel(books, "F2", until=at(-60))
    with books.reader() as reader:
        found = reader.stock("US", "WEB").stock.sort("facility_id")
    columns = ("facility_id", "quantity_on_hand", "available_to_promise", "minimum_stock", "allow_brokering")
    assert found.select(*columns, "in_channel").rows() == [("F1", 10, 7, 2, "N", True), ("F2", 4, 4, None, None, False)]


def test_thresholds_come_from_the_channels_configuration_facilities(books: Books) -> None:
    books.add(tables.facility, {"FACILITY_ID": "CONF", "FACILITY_TYPE_ID": "CONFIGURATION"})
    row = {"PRODUCT_ID": "A", "FACILITY_ID": "CONF", "MINIMUM_STOCK": 3, "ALLOW_BROKERING": "N"}
    books.add(tables.product_facility, row)
    join_channel(books, "CONF")
    with books.reader() as reader:
        assert reader.stock("US", "WEB").channel_rules.rows() == [("A", 3, "N")]
        assert reader.stock("US", "OTHER").channel_rules.height == 0


def test_orders_waiting_in_queues_are_demand_and_others_are_not(books: Books) -> None:
    Order(books, 2, ship_from="_NA_")
    Order(books, 3, ship_from="_NA_").line("02", 4, status="ITEM_CANCELLED").line("03", 5, status="ITEM_COMPLETED")
    Order(books, 7, ship_from="F1")
    Order(books, 9, ship_from="_NA_", PRODUCT_STORE_ID="SV")
    with books.reader() as reader:
        assert reader.stock("US", "WEB").queue_demand.rows() == [("A", 5)]


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


# Receipts -------------------------------------------------------------------------------------------------------------
def test_an_import_that_is_not_there_or_was_refused_says_so(books: Books) -> None:
    with books.reader() as reader, pytest.raises(NotYetError, match="no entry in its import log"):
        reader.finished_import("a.csv")
    with books.engine.begin() as connection:
        log_refused(connection, ImportFile(RESET_CONFIG, "a.csv", b"x", NOW))
    with books.reader() as reader, pytest.raises(PermanentError, match="SERVICE_FAILED"):
        reader.finished_import("a.csv")
    import_reset(books.engine, "a.csv", reset_csv(("F1", "111", 4), ("F9", "111", 4)), NOW + timedelta(minutes=1))
    with books.reader() as reader:
        log = reader.finished_import("a.csv")
    assert (log.status, log.total_rows, log.failed_rows) == ("SERVICE_FINISHED", 2, 1)


def test_an_import_that_is_still_running_is_not_there_yet(books: Books) -> None:
    log = {"LOG_ID": "1", "UPLOAD_FILE_CONTENT_ID": "1", "STATUS_ID": "SERVICE_RUNNING", "CREATED_DATE": NOW}
    books.add(tables.data_manager_log, log)
    books.add(tables.data_manager_content, {"LOG_CONTENT_ID": "1", "LOG_ID": "1", "FILE_NAME": "a.csv"})
    with books.reader() as reader, pytest.raises(NotYetError, match="SERVICE_RUNNING"):
        reader.finished_import("a.csv")


def test_both_systems_counts_of_a_reset_come_with_what_moved_since(books: Books) -> None:
    item = books.stock("F1", "A", 12)
    books.move(item, -1, at(30))
    first = import_reset(books.engine, "reset_US_20260310_g1_1of1.csv", reset_csv(("F1", "111", 10)), NOW)
    books.move(item, -2, at(240))
    with books.reader() as reader:
        found = reader.stock_of_reset([first.log_id])
        assert reader.stock_of_reset([]).height == 0
    columns = ("retail_pro_quantity", "quantity_on_hand", "moved_since_snapshot", "snapshot_at")
    assert found.select(*columns).rows() == [(10, 7, -3, T0)]
    newer = reset_csv(("F1", "111", 7), snapshot=at(300))
    import_reset(books.engine, "reset_US_20260311_g1_1of1.csv", newer, at(360))
    with books.reader() as reader:
        assert reader.stock_of_reset([first.log_id]).height == 0


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
