"""A small OMS on a real database, and short ways to fill and read it; shared by the tests of two rooms."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, insert, text

from rpsync_assets.oms import tables
from rpsync_assets.oms.imports import Imported, import_reset, import_variance
from rpsync_assets.resources.databases import open_engine, open_replica
from rpsync_assets.resources.oms_reader import OmsReader

T0 = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1)  # noqa: DTZ001  the OMS stores naive UTC
RESET = "reset_US_20260310_g1_1of1.csv"
VARIANCE = "variance_US_20260310_g1.csv"
RESET_HEADER = "facilityId,locationSeqId,idType,idValue,availableQty,comments\n"
VARIANCE_HEADER = "facilityId,idType,idValue,availableDelta,locationSeqId,varianceReasonId,comments\n"


def at(minutes: float) -> datetime:
    """A moment so many minutes after T0."""
    return T0 + timedelta(minutes=minutes)


def naive(moment: datetime) -> datetime:
    """As the OMS stores it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


@cache
def _replica(url: str) -> Engine:
    return open_replica(url)


class Books:
    """An OMS with facilities F1 (code S1), F2 (S2), a queue ``_NA_``, and products A, B, C with UPCAs 111, 222, 333."""

    def __init__(self, where: Path | Engine) -> None:
        """In a new SQLite file below a folder, or in a database whose tables stand empty (the fixture ``mariadb``)."""
        self.engine: Engine
        if isinstance(where, Path):
            self.engine = self.replica = open_engine(f"sqlite:///{where / 'oms.sqlite'}", create=True)
            tables.metadata.create_all(self.engine)
        else:
            self.engine = where
            # The graph reads HotWax's database in transactions that cannot write; so do the tests of its questions.
            self.replica = _replica(where.url.render_as_string(hide_password=False))
        self._numbers = iter(range(1, 10**6))
        self.add(
            tables.facility_type,
            {"FACILITY_TYPE_ID": "RETAIL_STORE", "PARENT_TYPE_ID": "PHYSICAL_STORE"},
            {"FACILITY_TYPE_ID": "NA", "PARENT_TYPE_ID": "VIRTUAL_FACILITY"},
            {"FACILITY_TYPE_ID": "CONFIGURATION", "PARENT_TYPE_ID": "VIRTUAL_FACILITY"},
        )
        self.add(
            tables.facility,
            {"FACILITY_ID": "F1", "FACILITY_TYPE_ID": "RETAIL_STORE", "EXTERNAL_ID": "S1"},
            {"FACILITY_ID": "F2", "FACILITY_TYPE_ID": "RETAIL_STORE", "EXTERNAL_ID": "S2"},
            {"FACILITY_ID": "_NA_", "FACILITY_TYPE_ID": "NA", "EXTERNAL_ID": None},
        )
        self.add(tables.product_type, {"PRODUCT_TYPE_ID": "FINISHED_GOOD", "IS_PHYSICAL": "Y"})
        self.add(tables.product_type, {"PRODUCT_TYPE_ID": "DIGITAL_GOOD", "IS_PHYSICAL": "N"})
        self.add(tables.product_store, {"PRODUCT_STORE_ID": "US", "RESERVE_INVENTORY": "Y"})
        self.add(tables.shopify_shop, {"SHOP_ID": "SHOP", "PRODUCT_STORE_ID": "US"})
        for facility in ("F1", "F2", "_NA_"):
            member = {"PRODUCT_STORE_ID": "US", "FACILITY_ID": facility, "FROM_DATE": LONG_AGO}
            self.add(tables.product_store_facility, member)
        for product, upca in (("A", "111"), ("B", "222"), ("C", "333")):
            self.product(product, upca)

    def add(self, table: Table, *rows: dict[str, Any]) -> None:
        """Write rows; moments with a zone become naive UTC."""
        with self.engine.begin() as connection:
            for row in rows:
                values = {
                    name: naive(value) if isinstance(value, datetime) and value.tzinfo else value
                    for name, value in row.items()
                }
                connection.execute(insert(table).values(**values))

    def number(self, prefix: str) -> str:
        """An id that no other row has."""
        return f"{prefix}{next(self._numbers)}"

    def product(self, product: str, upca: str | None, kind: str = "FINISHED_GOOD") -> None:
        """A published product."""
        self.add(tables.product, {"PRODUCT_ID": product, "PRODUCT_TYPE_ID": kind, "INTERNAL_NAME": f"SKU-{product}"})
        item = {"SHOP_ID": "SHOP", "SHOPIFY_PRODUCT_ID": f"V{product}", "PRODUCT_ID": product}
        self.add(tables.shopify_shop_product, {**item, "SHOPIFY_INVENTORY_ITEM_ID": f"I{product}"})
        if upca:
            self.upca(product, upca)

    def upca(self, product: str, upca: str, since: datetime = LONG_AGO, until: datetime | None = None) -> None:
        """An identification of a product."""
        row = {"GOOD_IDENTIFICATION_TYPE_ID": "UPCA", "PRODUCT_ID": product, "ID_VALUE": upca}
        self.add(tables.good_identification, {**row, "FROM_DATE": since, "THRU_DATE": until})

    def stock(self, facility: str, product: str, on_hand: float, promised: float | None = None, **rules: Any) -> str:
        """An inventory item with an opening ledger row that is no physical movement."""
        item = self.number("ITEM")
        promised = on_hand if promised is None else promised
        totals = {"QUANTITY_ON_HAND_TOTAL": on_hand, "AVAILABLE_TO_PROMISE_TOTAL": promised}
        key = {"PRODUCT_ID": product, "FACILITY_ID": facility}
        self.add(tables.inventory_item, {"INVENTORY_ITEM_ID": item, **key, **totals})
        counts = {"LAST_INVENTORY_COUNT": promised, "COMPUTED_LAST_INVENTORY_COUNT": None}
        self.add(tables.product_facility, {**key, **counts, "INVENTORY_ITEM_ID": item, **rules})
        self._detail(item, on_hand, promised, LONG_AGO, REASON_ENUM_ID="OPENING")
        return item

    def _detail(self, item: str, on_hand: float, promised: float, moment: datetime, **columns: Any) -> None:
        row = {"INVENTORY_ITEM_ID": item, "INVENTORY_ITEM_DETAIL_SEQ_ID": self.number("D"), "EFFECTIVE_DATE": moment}
        diffs = {"QUANTITY_ON_HAND_DIFF": on_hand, "AVAILABLE_TO_PROMISE_DIFF": promised}
        self.add(tables.inventory_item_detail, {**row, **diffs, "CREATED_STAMP": moment, **columns})

    def move(self, item: str, units: int, moment: datetime, **columns: Any) -> None:
        """A ledger row and the totals that follow it; by default an in-store sale."""
        self._detail(item, units, units, moment, **(columns or {"REASON_ENUM_ID": "POS_SALE"}))
        with self.engine.begin() as connection:
            connection.execute(
                text(
                    "UPDATE INVENTORY_ITEM SET QUANTITY_ON_HAND_TOTAL = QUANTITY_ON_HAND_TOTAL + :units,"
                    " AVAILABLE_TO_PROMISE_TOTAL = AVAILABLE_TO_PROMISE_TOTAL + :units"
                    " WHERE INVENTORY_ITEM_ID = :item"
                ),
                {"units": units, "item": item},
            )

    def join_channel(self, facility: str, until: datetime | None = None) -> None:
        """A facility becomes a member of the channel ``WEB``."""
        member = {"FACILITY_ID": facility, "FACILITY_GROUP_ID": "WEB", "FROM_DATE": LONG_AGO, "THRU_DATE": until}
        self.add(tables.facility_group_member, member)

    def ask(self, question: str, **values: object) -> list[tuple[Any, ...]]:
        """Rows of a plain question."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(question), values)]

    def do(self, statement: str, **values: object) -> None:
        """Plain SQL that changes something."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def totals(self, facility: str, product: str) -> tuple[int, int] | None:
        """Quantity on hand and available to promise of a key."""
        found = self.ask(
            "SELECT QUANTITY_ON_HAND_TOTAL, AVAILABLE_TO_PROMISE_TOTAL FROM INVENTORY_ITEM"
            " WHERE FACILITY_ID = :facility AND PRODUCT_ID = :product",
            facility=facility,
            product=product,
        )
        assert len(found) <= 1
        return (int(found[0][0]), int(found[0][1])) if found else None

    def ledger_disagreements(self) -> list[tuple[Any, ...]]:
        """Items whose totals are not the sum of their ledger."""
        return self.ask(
            "SELECT I.INVENTORY_ITEM_ID FROM INVENTORY_ITEM I LEFT JOIN INVENTORY_ITEM_DETAIL D"
            " ON D.INVENTORY_ITEM_ID = I.INVENTORY_ITEM_ID GROUP BY I.INVENTORY_ITEM_ID,"
            " I.QUANTITY_ON_HAND_TOTAL, I.AVAILABLE_TO_PROMISE_TOTAL"
            " HAVING I.QUANTITY_ON_HAND_TOTAL <> COALESCE(SUM(D.QUANTITY_ON_HAND_DIFF), 0)"
            " OR I.AVAILABLE_TO_PROMISE_TOTAL <> COALESCE(SUM(D.AVAILABLE_TO_PROMISE_DIFF), 0)"
        )

    @contextmanager
    def reader(self, now: datetime = NOW) -> Iterator[OmsReader]:
        """The questions of the graph, asked at a moment."""
        with self.replica.begin() as connection:
            yield OmsReader(connection, now)


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

    def issued(
        self,
        units: float,
        moment: datetime,
        facility: str = "F1",
        cancelled: float | None = None,
        cancelled_at: datetime | None = None,
        **columns: object,
    ) -> "Order":
        item = self.books.ask(
            "SELECT INVENTORY_ITEM_ID FROM INVENTORY_ITEM WHERE FACILITY_ID = :f AND PRODUCT_ID = :p",
            f=facility,
            p=self.product,
        )
        item_id = item[0][0] if item else self.books.stock(facility, self.product, 10)
        row = {"ITEM_ISSUANCE_ID": self.books.number("IS"), "ORDER_ID": self.order_id, "ORDER_ITEM_SEQ_ID": "01"}
        amount = {"ISSUED_DATE_TIME": moment, "QUANTITY": units, "CANCEL_QUANTITY": cancelled}
        row |= {"INVENTORY_ITEM_ID": item_id, "CANCELLED_DATE_TIME": cancelled_at}
        self.books.add(tables.item_issuance, {**row, **amount, **columns})
        return self

    def became(self, status: str, moment: datetime, line: str | None = None) -> "Order":
        row = {"ORDER_STATUS_ID": self.books.number("ST"), "STATUS_ID": status, "ORDER_ID": self.order_id}
        self.books.add(tables.order_status, {**row, "ORDER_ITEM_SEQ_ID": line, "STATUS_DATETIME": moment})
        return self


def reset_csv(*rows: tuple[str, str, object], snapshot: datetime | None = T0, kind: str = "UPCA") -> bytes:
    """A delivered reset: facility, UPCA, quantity."""
    comment = f"Retail Pro snapshot {snapshot:%Y-%m-%dT%H:%M:%SZ}" if snapshot else "counted by hand"
    lines = [f"{facility},TLTLTLLL01,{kind},{upca},{quantity},{comment}\n" for facility, upca, quantity in rows]
    return (RESET_HEADER + "".join(lines)).encode()


def variance_csv(*rows: tuple[str, str, object]) -> bytes:
    """A delivered variance: facility, UPCA, delta."""
    lines = [f"{facility},UPCA,{upca},{delta},TLTLTLLL01,VAR_INTEGR,because\n" for facility, upca, delta in rows]
    return (VARIANCE_HEADER + "".join(lines)).encode()


def reset(books: Books, *rows: tuple[str, str, object], name: str = RESET, snapshot: datetime | None = T0) -> Imported:
    return import_reset(books.engine, name, reset_csv(*rows, snapshot=snapshot), NOW)


def outcomes(books: Books, log_id: str) -> list[tuple[str, int | None, int]]:
    """Status, units before, and difference of each row of a reset."""
    with books.reader() as reader:
        found = reader.reset_rows(log_id)
    return found.select("status", "quantity_on_hand_before", "difference").rows()


def vary(books: Books, *rows: tuple[str, str, object], name: str = VARIANCE) -> list[tuple[str, int, int]]:
    """Status, requested and applied of each row."""
    done = import_variance(books.engine, name, variance_csv(*rows), NOW)
    with books.reader() as reader:
        found = reader.variance_rows(done.log_id)
    return found.select("status", "requested", "applied").rows()
