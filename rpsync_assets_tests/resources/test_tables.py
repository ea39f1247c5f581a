"""The tables between assets as Parquet, DuckDB's view of them, and Shopify's counts."""

import logging
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from rpsync_assets.core.errors import NotYetError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.tables import Tables
from rpsync_assets.resources.warehouse import Warehouse

US = Slot(date(2026, 3, 10), "US")
FRAME = pl.DataFrame({"upca": ["012345678905", None], "quantity": [4, -1]})


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb", tmp_path / "tables")


@pytest.fixture
def tables(tmp_path: Path, warehouse: Warehouse) -> Tables:
    return Tables(tmp_path / "tables", on_new_table=warehouse.show)


# Parquet --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("partition", ["2026-03-10|US", "2026-03-10/US"])
def test_what_is_written_is_read_back(tables: Tables, partition: str) -> None:
    path = tables.write("filtered_reset", partition, FRAME)
    assert path == tables.folder / "filtered_reset/business_date=2026-03-10/product_store=US/part.parquet"
    assert tables.read("filtered_reset", US).equals(FRAME)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_table_without_a_date_lies_under_its_store(tables: Tables) -> None:
    assert tables.path("shopify_delta", "US") == tables.folder / "shopify_delta/product_store=US/part.parquet"


def test_a_partition_is_replaced_and_the_others_stay(tables: Tables) -> None:
    sv = Slot(US.day, "SV")
    tables.write("t", str(US.key), FRAME)
    tables.write("t", str(sv.key), FRAME)
    tables.write("t", str(US.key), FRAME.clear())
    assert tables.read("t", US).equals(FRAME.clear())
    assert tables.read("t", sv).equals(FRAME)
    assert sorted(file.name for file in tables.folder.rglob("*") if file.is_file()) == [
        ".view",
        "part.parquet",
        "part.parquet",
    ]


def test_a_table_that_was_never_written_is_named(tables: Tables) -> None:
    with pytest.raises(NotYetError, match="There is no filtered_reset for US on 2026-03-10 yet"):
        tables.read("filtered_reset", US)


# DuckDB ---------------------------------------------------------------------------------------------------------------
def asked(warehouse: Warehouse, question: str) -> list[tuple[object, ...]]:
    with warehouse.connection() as connection:
        return connection.execute(question).fetchall()


def test_a_written_table_can_be_queried_with_its_date_and_store_as_text(tables: Tables, warehouse: Warehouse) -> None:
    tables.write("filtered_reset", str(US.key), FRAME)
    tables.write("filtered_reset", "2026-03-11|007", FRAME)
    found = asked(
        warehouse,
        "SELECT business_date, product_store, typeof(business_date), typeof(product_store), sum(quantity)"
        " FROM filtered_reset GROUP BY ALL ORDER BY ALL",
    )
    assert found == [("2026-03-10", "US", "VARCHAR", "VARCHAR", 3), ("2026-03-11", "007", "VARCHAR", "VARCHAR", 3)]
    assert warehouse.database.stat().st_mode & 0o777 == 0o600


def test_a_table_that_got_a_column_is_still_one_view(tables: Tables, warehouse: Warehouse) -> None:
    tables.write("t", "2026-03-10|US", FRAME)
    tables.write("t", "2026-03-11|US", FRAME.with_columns(note=pl.lit("new")))
    assert asked(warehouse, "SELECT count(*), count(note) FROM t") == [(4, 2)]


def test_a_connection_is_closed_whatever_happens(warehouse: Warehouse) -> None:
    with pytest.raises(RuntimeError), warehouse.connection() as connection:
        raise RuntimeError
    with pytest.raises(Exception, match=r"[Cc]onnection.*closed"):
        connection.execute("SELECT 1")


HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@pytest.mark.timeout(30)
def test_an_analyst_who_has_the_warehouse_open_does_not_break_the_night(
    tables: Tables, warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """dagster-duckdb's own connection tried ten times, 102 s for each new table."""
    asked(warehouse, "SELECT 1")
    command = [sys.executable, "-c", HOLD, str(warehouse.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as analyst:
        assert analyst.stdout is not None
        assert analyst.stdout.readline() == b"held\n"
        with caplog.at_level(logging.WARNING):
            tables.write("t", str(US.key), FRAME)
        assert analyst.stdin is not None
        analyst.stdin.close()
        analyst.wait(10)
    assert "the view of t waits until warehouse.duckdb is free" in caplog.text
    assert tables.read("t", US).equals(FRAME)
    tables.write("t", str(US.key), FRAME)
    assert asked(warehouse, "SELECT count(*) FROM t") == [(2,)]
