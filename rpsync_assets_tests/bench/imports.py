"""A reset import of 200,000 rows, all of them different, beside a bare bulk insert of as many ledger rows.

Belongs here: the books it is measured on, both ways of writing, and how long a sale at a till waits meanwhile. Does
not: whether an import is right (``rpsync_assets_tests/oms``).

The bare insert writes into the same ledger table of the same database, with its indexes, in one transaction: what any
import has to do at the very least.
"""

import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from sqlalchemy import Engine

from rpsync_assets.core.parts import to_csv
from rpsync_assets.oms.imports import import_reset
from rpsync_assets.oms.point_of_sale import read_update, update_inventory
from rpsync_assets.oms.tables import metadata
from rpsync_assets.oms.writer import Writer
from rpsync_assets.resources.databases import open_engine

ROWS = 200_000
FACILITIES = 20
LONG_AGO = "2020-01-01 00:00:00.000000"
BEGIN = datetime(2026, 3, 1, 11, tzinfo=UTC)

_BARE = """
INSERT INTO INVENTORY_ITEM_DETAIL (INVENTORY_ITEM_ID, INVENTORY_ITEM_DETAIL_SEQ_ID, EFFECTIVE_DATE,
  QUANTITY_ON_HAND_DIFF, AVAILABLE_TO_PROMISE_DIFF, PHYSICAL_INVENTORY_ID, REASON_ENUM_ID, DESCRIPTION, CREATED_STAMP)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_BOOKS = {
    "FACILITY": "FACILITY_ID, FACILITY_TYPE_ID, EXTERNAL_ID",
    "PRODUCT": "PRODUCT_ID, PRODUCT_TYPE_ID, INTERNAL_NAME",
    "GOOD_IDENTIFICATION": "PRODUCT_ID, GOOD_IDENTIFICATION_TYPE_ID, FROM_DATE, ID_VALUE",
    "INVENTORY_ITEM": (
        "INVENTORY_ITEM_ID, PRODUCT_ID, FACILITY_ID, QUANTITY_ON_HAND_TOTAL, AVAILABLE_TO_PROMISE_TOTAL"
    ),
    "PRODUCT_FACILITY": (
        "PRODUCT_ID, FACILITY_ID, LAST_INVENTORY_COUNT, COMPUTED_LAST_INVENTORY_COUNT, INVENTORY_ITEM_ID"
    ),
    "INVENTORY_ITEM_DETAIL": (
        "INVENTORY_ITEM_ID, INVENTORY_ITEM_DETAIL_SEQ_ID, EFFECTIVE_DATE, QUANTITY_ON_HAND_DIFF,"
        " AVAILABLE_TO_PROMISE_DIFF, REASON_ENUM_ID, CREATED_STAMP"
    ),
}


def books(path: Path, rows: int) -> Engine:
    """An embedded OMS with so many keys, 10 pieces on every shelf.

    Item ids count up facility by facility, as they do where a first reset made the items.
    """
    engine = open_engine(f"sqlite:///{path}", create=True)
    metadata.create_all(engine)
    products = rows // FACILITIES
    keys = [(f"P{p}", f"F{f}", item_id(f, p, products)) for f in range(FACILITIES) for p in range(products)]
    content: dict[str, Iterator[tuple[object, ...]]] = {
        "FACILITY": ((f"F{f}", "RETAIL_STORE", f"S{f}") for f in range(FACILITIES)),
        "PRODUCT": ((f"P{p}", "FINISHED_GOOD", f"SKU{p}") for p in range(products)),
        "GOOD_IDENTIFICATION": ((f"P{p}", "UPCA", LONG_AGO, upca(p)) for p in range(products)),
        "INVENTORY_ITEM": ((item, product, place, 10, 10) for product, place, item in keys),
        "PRODUCT_FACILITY": ((product, place, 10, 10, item) for product, place, item in keys),
        "INVENTORY_ITEM_DETAIL": ((item, "1", LONG_AGO, 10, 10, "OPENING", LONG_AGO) for _, _, item in keys),
    }
    with engine.execution_options(writes=True).begin() as connection:
        for table, values in content.items():
            columns = _BOOKS[table]
            places = ", ".join("?" * len(columns.split(",")))
            connection.exec_driver_sql(f"INSERT INTO {table} ({columns}) VALUES ({places})", list(values))
    return engine


def upca(product: int) -> str:
    """A number of twelve digits."""
    return f"{100_000_000_000 + product}"


def item_id(facility: int, product: int, products: int) -> str:
    """The inventory item of a key."""
    return f"{10_000_000 + facility * products + product}"


def measure(folder: Path, rounds: int, rows: int = ROWS) -> dict[str, object]:
    """Both ways by turns; every round's counts differ from those before, so every row moves something.

    Returns:
        Medians, all seconds, their ratio, and the longest wait of a sale during one more import.
    """
    engine = books(folder / "import.sqlite", rows)
    ours: list[float] = []
    bare: list[float] = []
    for number in range(1, rounds + 1):
        ours.append(_import(engine, rows, number))
        bare.append(_insert(engine, rows, number))
    waits = _sales_during(engine, rows, rounds + 1)
    engine.dispose()
    median = {"ours": statistics.median(ours), "bare_insert": statistics.median(bare)}
    return {
        "rows": rows,
        "median_seconds": {name: round(seconds, 3) for name, seconds in median.items()},
        "all_seconds": {"ours": [round(s, 3) for s in ours], "bare_insert": [round(s, 3) for s in bare]},
        "times_bare_insert": round(median["ours"] / median["bare_insert"], 2),
        "sales_during_an_import": len(waits),
        "longest_wait_of_a_sale_seconds": round(max(waits), 3),
    }


def _file(rows: int, number: int) -> tuple[str, bytes, datetime]:
    snapshot = BEGIN + timedelta(days=number)
    products = rows // FACILITIES
    frame = pl.DataFrame({"place": range(FACILITIES)}).join(pl.DataFrame({"product": range(products)}), how="cross")
    table = frame.select(
        facility_id=pl.format("F{}", "place"),
        upca=(100_000_000_000 + pl.col("product")).cast(pl.String),
        quantity=pl.lit(20 + 2 * number, dtype=pl.Int64),
        snapshot_at=pl.lit(snapshot, dtype=pl.Datetime("us", "UTC")),
    )
    return f"reset_US_{snapshot:%Y%m%d}_g1_1of1.csv", to_csv(table), snapshot


def _import(engine: Engine, rows: int, number: int) -> float:
    name, content, snapshot = _file(rows, number)
    started = time.perf_counter()
    done = import_reset(engine, name, content, snapshot + timedelta(hours=2))
    seconds = time.perf_counter() - started
    assert (done.total, done.failed, done.already) == (rows, 0, False)
    with engine.connect() as connection:
        applied = connection.exec_driver_sql(
            "SELECT COUNT(*) FROM EXTERNAL_INVENTORY_RESET WHERE LOG_ID = ? AND ROW_STATUS = 'applied'", (done.log_id,)
        ).scalar()
    assert applied == rows, f"{applied} of {rows} rows were applied"
    return seconds


def _insert(engine: Engine, rows: int, number: int) -> float:
    products, moment = rows // FACILITIES, f"2019-01-{number:02d} 00:00:00.000000"
    values = [
        (item_id(f, p, products), f"bare{number}_{f}_{p}", moment, 0, 0, "bare", "BARE", "a bare row", moment)
        for f in range(FACILITIES)
        for p in range(products)
    ]
    started = time.perf_counter()
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql(_BARE, values)
    return time.perf_counter() - started


def _sales_during(engine: Engine, rows: int, number: int) -> list[float]:
    """How long sales through the API's own writer take while an import runs."""
    writer, over = Writer(engine), threading.Event()
    waits: list[float] = []

    def sell_one(number: int) -> None:
        body = {"facilityId": "F1", "availableDelta": -1, "idType": "UPCA", "locationSeqId": "TLTLTLLL01"}
        sale = {**body, "idValue": upca(number % (rows // FACILITIES)), "varianceReasonId": "POS_SALE"}
        update, now = read_update(sale, f"sale-{number}"), datetime.now(UTC)
        started = time.perf_counter()
        writer.submit(lambda connection: update_inventory(connection, update, "bench", now)).result()
        waits.append(time.perf_counter() - started)

    def sell() -> None:
        while not over.is_set():
            sell_one(len(waits))
            time.sleep(0.01)

    till = threading.Thread(target=sell)
    till.start()
    name, content, snapshot = _file(rows, number)
    import_reset(engine, name, content, snapshot + timedelta(hours=2))
    over.set()
    till.join()
    writer.close()
    return waits
