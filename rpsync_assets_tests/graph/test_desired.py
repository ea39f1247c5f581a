"""What the OMS's counts still owe when Shopify's numbers are made, case by case, without running the graph.

The shelves of product A hold 10 pieces in each of two facilities, and two of F1's had left when Retail Pro counted:
20 is what the OMS says after a reset, 18 what may be sold.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rpsync_assets.assets.desired import Desired, DesiredReader
from rpsync_assets.core.names import reset_part_name, variance_name
from rpsync_assets.oms import tables
from rpsync_assets.oms.imports import import_reset, import_variance
from rpsync_assets.resources.oms import EmbeddedOms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.state import ACCEPTED_SCHEMA, Delivery, State
from rpsync_assets.store_settings import StoreSettings
from rpsync_assets_tests.oms.books import Books, Order, reset_csv, variance_csv

NOW = datetime.now(UTC).replace(microsecond=0)
COUNTED = NOW - timedelta(hours=6)
ITS = StoreSettings(channel="WEB", time_zone="UTC")


def today(days_ago: int = 0) -> date:
    return datetime.now(UTC).date() - timedelta(days=days_ago)


class Shop:
    """The OMS, our memory and the kept copies; a delivery is of today if nothing else is said."""

    def __init__(self, folder: Path) -> None:
        self.books = Books(folder)
        self.state = State(f"sqlite:///{folder / 'state.sqlite'}")
        self.outbox = Outbox(folder / "outbox")
        self.oms = EmbeddedOms(str(self.books.engine.url), folder / "reset", folder / "variance")
        for facility in ("F1", "F2"):
            self.books.stock(facility, "A", 10)
            self.books.join_channel(facility)
        self.place("_NA_", "ONLINE")
        Order(self.books, 3).issued(2, COUNTED - timedelta(hours=1))

    def place(self, facility: str, location: str) -> None:
        row = {"SHOP_ID": "SHOP", "FACILITY_ID": facility, "SHOPIFY_LOCATION_ID": location}
        self.books.add(tables.shopify_shop_location, row)

    def deliver(
        self,
        kind: str = "reset",
        rows: tuple[tuple[str, str, int], ...] = (("F1", "111", 10),),
        *,
        generation: int = 1,
        days_ago: int = 0,
        sent: bool = True,
        snapshot: datetime = COUNTED,
        taken: datetime = NOW,
    ) -> Delivery:
        day, reset = today(days_ago), kind == "reset"
        content = reset_csv(*rows, snapshot=snapshot) if reset else variance_csv(*rows)
        name = reset_part_name("US", day, generation, 1, 1) if reset else variance_name("US", day, generation)
        self.outbox.keep(day, "US", name, content)
        slot = {"product_store": "US", "business_date": day, "kind": kind, "generation": generation}
        file = {"part": 1, "parts": 1, "digest": "d", "file_name": name, "folder": "x", "rows": 1, "bytes": 9}
        made: dict[str, Any] = {"snapshot_at": snapshot, "run_id": "r", "host": "h", "taken_at": taken}
        delivery = Delivery(**slot, **file, **made, delivered_at=taken if sent else None)  # type: ignore[arg-type]
        self.state.take([delivery])
        return delivery

    def take_in(self, delivery: Delivery) -> str:
        """The OMS imports it; the id of its log."""
        content = self.outbox.read(delivery.business_date, "US", delivery.file_name)
        importer = import_reset if delivery.kind == "reset" else import_variance
        return importer(self.books.engine, delivery.file_name, content, NOW).log_id

    def refuse(self, delivery: Delivery, status: str = "SERVICE_FAILED") -> None:
        """The OMS gives it up; an import of it that there was before is what it gives up."""
        name = {"file": delivery.file_name}
        if self.books.ask("SELECT 1 FROM DATA_MANAGER_LOG WHERE REMOTE_FILE_PATH = :file", **name):
            change = "UPDATE DATA_MANAGER_LOG SET STATUS_ID = :status WHERE REMOTE_FILE_PATH = :file"
            self.books.do(change, status=status, **name)
        else:
            row = {"LOG_ID": self.books.number("L"), "STATUS_ID": status, "CREATED_DATE": NOW}
            self.books.add(tables.data_manager_log, {**row, "REMOTE_FILE_PATH": delivery.file_name})

    def know(self, delivery: Delivery, log_id: str) -> None:
        """The receipt of its import was looked at: we know which rows were accepted."""
        with self.oms.read() as reader:
            rows = reader.reset_rows(log_id).select(ACCEPTED_SCHEMA.keys())
        self.state.accept("US", delivery.business_date, rows)

    def count(self, **how: Any) -> Delivery:
        """A reset that was delivered, imported, and its receipt looked at."""
        delivery = self.deliver(**how)
        self.know(delivery, self.take_in(delivery))
        return delivery

    def settle(self, delivery: Delivery) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=1)
        self.state.settle("US", delivery.business_date, delivery.generation, taken_at=moment)

    def read(self, overlay: pl.DataFrame | None = None) -> Desired:
        return DesiredReader(self.oms, self.state, self.outbox, overlay).read("US", ITS)

    @property
    def sold(self) -> int:
        """What may be sold of product A."""
        return int(self.read().feed.filter(pl.col("product_id") == "A")["quantity"].item())

    @property
    def pending(self) -> list[tuple[str, str]]:
        """Keys of which no increase is published."""
        return sorted(self.read().pending.rows())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


KEY = [("F1", "A")]


def test_counts_that_owe_nothing_are_sold_as_they_are(shop: Shop) -> None:
    assert (shop.sold, shop.pending) == (20, [])


# A reset --------------------------------------------------------------------------------------------------------------
def test_a_reset_on_its_way_changes_no_number_and_lets_no_increase_through(shop: Shop) -> None:
    shop.deliver()
    assert (shop.sold, shop.pending) == (20, KEY)


@pytest.mark.parametrize(("hours", "waited_for"), [(12, True), (25, False)])
def test_a_reset_that_the_oms_never_heard_of_is_not_waited_for_for_ever(
    shop: Shop, hours: int, waited_for: bool
) -> None:
    shop.deliver(taken=NOW - timedelta(hours=hours))
    assert shop.pending == (KEY if waited_for else [])


def test_from_its_import_on_a_reset_owes_its_variance_whether_we_looked_or_not(shop: Shop) -> None:
    delivery = shop.deliver()
    log = shop.take_in(delivery)
    assert (shop.sold, shop.pending) == (18, KEY)
    shop.know(delivery, log)
    assert (shop.sold, shop.pending) == (18, KEY)
    shop.settle(delivery)
    assert (shop.sold, shop.pending) == (20, [])


def test_only_what_was_accepted_owes(shop: Shop) -> None:
    shop.take_in(shop.deliver(rows=(("F1", "no such product", 10),)))
    assert (shop.sold, shop.pending) == (20, [])


def test_of_two_counts_of_a_key_the_newer_one_owes(shop: Shop) -> None:
    """One more left between the two: the newer count has it still, the older one knew nothing of it."""
    older = COUNTED - timedelta(days=1)
    Order(shop.books).issued(2, older - timedelta(hours=1))
    shop.count(days_ago=1, snapshot=older)
    assert shop.sold == 18
    shop.take_in(shop.deliver())
    assert (shop.sold, shop.pending) == (16, KEY)


def test_an_older_import_of_a_key_that_nobody_looked_at_owes_nothing_any_more(shop: Shop) -> None:
    older = COUNTED - timedelta(days=1)
    Order(shop.books).issued(2, older - timedelta(hours=1))
    shop.take_in(shop.deliver(days_ago=1, snapshot=older))
    shop.settle(shop.count())
    assert (shop.sold, shop.pending) == (20, [])


def test_every_key_of_a_reset_waits_for_its_variance_although_there_is_nothing_to_take_off(shop: Shop) -> None:
    """Until the variance went out nobody has said so, and a movement may still come in late."""
    shop.count(rows=(("F2", "111", 10),))
    assert (shop.sold, shop.pending) == (20, [("F2", "A")])


def test_a_reset_of_which_nobody_knows_whether_it_went_out_holds_its_keys(shop: Shop) -> None:
    shop.deliver(sent=False)
    assert (shop.sold, shop.pending) == (20, KEY)


@pytest.mark.parametrize(("order", "held"), [((False, True), False), ((True, False), True), ((False, False), True)])
def test_once_a_newer_reset_went_out_an_older_one_that_did_not_is_out_of_the_way(
    shop: Shop, order: tuple[bool, bool], held: bool
) -> None:
    for number, sent in enumerate(order, 1):
        delivery = shop.deliver(rows=((f"F{number}", "111", 10),), generation=number, sent=sent)
        if sent:
            shop.know(delivery, shop.take_in(delivery))
            shop.settle(delivery)
    unsent = [(f"F{number}", "A") for number, sent in enumerate(order, 1) if not sent]
    assert shop.pending == (unsent if held else [])


@pytest.mark.parametrize(("days", "waited_for"), [(3, True), (4, False)])
def test_after_three_days_a_file_is_not_waited_for_any_more(shop: Shop, days: int, waited_for: bool) -> None:
    shop.deliver("variance", (("F1", "111", -2),), days_ago=days)
    assert (shop.sold, shop.pending) == ((18, KEY) if waited_for else (20, []))


# A variance -----------------------------------------------------------------------------------------------------------
def test_a_variance_on_its_way_is_off_already_and_is_taken_off_once(shop: Shop) -> None:
    shop.settle(shop.count())
    delivery = shop.deliver("variance", (("F1", "111", -2),))
    assert (shop.sold, shop.pending) == (18, KEY)
    shop.take_in(delivery)
    assert (shop.sold, shop.pending) == (18, [])


def test_a_variance_that_did_not_go_out_is_due_and_is_not_taken_off_twice(shop: Shop) -> None:
    shop.count()
    shop.deliver("variance", (("F1", "111", -2),), sent=False)
    assert (shop.sold, shop.pending) == (18, KEY)


def test_a_newer_count_of_a_key_takes_the_place_of_an_older_variance_on_its_way(shop: Shop) -> None:
    shop.deliver("variance", (("F1", "111", -2), ("F2", "111", -1)), days_ago=1)
    shop.settle(shop.count())
    assert (shop.sold, shop.pending) == (19, [("F2", "A")])


def test_a_variance_that_the_oms_refused_is_owed_still(shop: Shop) -> None:
    shop.settle(shop.count(rows=(("F1", "111", 10), ("F2", "111", 10))))
    shop.refuse(shop.deliver("variance", (("F1", "111", -2),)))
    assert (shop.sold, shop.pending) == (18, KEY)


@pytest.mark.parametrize(("later", "sold"), [(0, 18), (1, 20)])
def test_a_refused_variance_says_nothing_of_a_count_that_is_newer(shop: Shop, later: int, sold: int) -> None:
    shop.settle(shop.count(snapshot=COUNTED + timedelta(seconds=later)))
    shop.refuse(shop.deliver("variance", (("F1", "111", -2),)))
    assert shop.sold == sold


# An import that died --------------------------------------------------------------------------------------------------
def test_what_an_import_may_have_put_in_place_before_it_died_is_not_sold(shop: Shop) -> None:
    delivery = shop.deliver()
    shop.take_in(delivery)
    shop.refuse(delivery, "SERVICE_CRASHED")
    assert (shop.sold, shop.pending) == (18, KEY)


def test_of_a_file_that_was_refused_as_a_whole_nothing_is_in_place(shop: Shop) -> None:
    shop.refuse(shop.deliver())
    assert (shop.sold, shop.pending) == (20, [])


# A dry run, places, products ------------------------------------------------------------------------------------------
def test_what_is_only_thought_of_stands_for_what_is_due(shop: Shop) -> None:
    shop.count()
    thought = pl.DataFrame({"facility_id": ["F1"], "product_id": ["A"], "units": [-5]})
    read = shop.read(overlay=thought)
    assert read.feed["quantity"].to_list() == [15]
    assert read.pending.height == 0


@pytest.mark.parametrize(
    ("places", "standard", "pickup"),
    [
        ((("F1", "STORE"), ("_NA_", "ONLINE")), "ONLINE", "STORE"),
        ((("F1", "STORE"),), "STORE", "STORE"),
        ((("_NA_", "ONLINE"),), "ONLINE", "ONLINE"),
        ((), None, None),
    ],
)
def test_an_order_is_of_its_pickup_location_or_of_the_online_one(
    shop: Shop, places: tuple[tuple[str, str], ...], standard: str | None, pickup: str | None
) -> None:
    shop.books.do("DELETE FROM SHOPIFY_SHOP_LOCATION")
    for facility, location in places:
        shop.place(facility, location)
    for method in ("STANDARD", "STOREPICKUP"):
        order = Order(shop.books)
        row = {"SHOP_ID": "SHOP", "ORDER_ID": order.order_id, "SHOPIFY_ORDER_ID": method}
        shop.books.add(tables.shopify_shop_order, row)
        change = "UPDATE ORDER_ITEM_SHIP_GROUP SET SHIPMENT_METHOD_TYPE_ID = :method WHERE ORDER_ID = :order"
        shop.books.do(change, method=method, order=order.order_id)
    found = shop.read().reflected_orders.select("order_id", "shopify_location_id").rows()
    assert sorted(found) == [("STANDARD", standard), ("STOREPICKUP", pickup)]


def test_a_product_that_may_be_sold_and_that_shopify_does_not_know_is_counted(shop: Shop) -> None:
    shop.books.stock("F1", "B", 4)
    shop.books.stock("F1", "C", 0)
    shop.books.do("UPDATE SHOPIFY_SHOP_PRODUCT SET SHOPIFY_INVENTORY_ITEM_ID = NULL WHERE PRODUCT_ID IN ('B', 'C')")
    assert shop.read().unmapped == 1
