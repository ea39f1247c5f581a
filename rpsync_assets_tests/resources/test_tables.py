"""The tables between assets as Parquet, DuckDB's view of them, and Shopify's counts."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from rpsync_assets.columns import TABLES, described
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.tables import Tables
from rpsync_assets.resources.warehouse import Warehouse

US = Slot(date(2026, 3, 10), "US")
FRAME = pl.DataFrame({"upca": ["012345678905", None], "quantity": [4, -1]})


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb", tmp_path / "tables", {"filtered_reset": "the rows to apply"})


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
    assert sorted(file.name for file in tables.folder.rglob("*") if file.is_file()) == ["part.parquet"] * 2


def test_the_file_notes_the_run_that_wrote_it(tables: Tables) -> None:
    tables.write("t", "2026-03-10|US", FRAME, run_id="run-1")
    tables.write("t", "2026-03-11|US", FRAME)
    asked_for = ("2026-03-10|US", "2026-03-11|US", "2026-03-12|US")
    assert [tables.run_id("t", partition) for partition in asked_for] == ["run-1", None, None]


def test_a_table_that_was_never_written_is_named(tables: Tables) -> None:
    with pytest.raises(NotYetError, match="There is no filtered_reset for US on 2026-03-10 yet"):
        tables.read("filtered_reset", US)


# DuckDB ---------------------------------------------------------------------------------------------------------------
def asked(warehouse: Warehouse, question: str) -> list[tuple[object, ...]]:
    with warehouse.connection() as connection:
        return connection.execute(question).fetchall()


def test_a_written_table_can_be_queried_with_its_date_as_a_date_and_its_store_as_text(
    tables: Tables, warehouse: Warehouse
) -> None:
    tables.write("filtered_reset", str(US.key), FRAME)
    tables.write("filtered_reset", "2026-03-11|007", FRAME)
    found = asked(
        warehouse,
        "SELECT business_date, product_store, typeof(business_date), typeof(product_store), sum(quantity)"
        " FROM filtered_reset GROUP BY ALL ORDER BY ALL",
    )
    assert found == [
        (date(2026, 3, 10), "US", "DATE", "VARCHAR", 3),
        (date(2026, 3, 11), "007", "DATE", "VARCHAR", 3),
    ]
    assert warehouse.database.stat().st_mode & 0o777 == 0o600


def test_a_view_has_every_described_column_typed_and_commented_even_where_old_files_lack_it(
    tables: Tables, warehouse: Warehouse
) -> None:
    tables.write("filtered_reset", str(US.key), FRAME)
    found = asked(
        warehouse,
        "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = 'filtered_reset'"
        " ORDER BY column_index",
    )
    assert found == [(name, column.kind, column.sentence) for name, column in described("filtered_reset").items()]
    assert asked(warehouse, "SELECT count(*), count(line_number) FROM filtered_reset") == [(2, 0)]


def test_the_documentation_has_one_row_for_each_view(tables: Tables, warehouse: Warehouse) -> None:
    tables.write("filtered_reset", str(US.key), FRAME)
    tables.write("rejected_reset_rows", str(US.key), FRAME)
    assert asked(warehouse, "SELECT table_name, meaning, written_by, columns FROM documentation ORDER BY 1") == [
        ("filtered_reset", "the rows to apply", "filtered_reset", len(described("filtered_reset"))),
        (
            "rejected_reset_rows",
            TABLES["rejected_reset_rows"].sentence,
            "filtered_reset",
            len(described("rejected_reset_rows")),
        ),
    ]
    assert asked(warehouse, "SELECT view_name, comment FROM duckdb_views() WHERE view_name LIKE 'filtered%'") == [
        ("filtered_reset", "the rows to apply")
    ]


def test_a_table_that_got_a_column_is_still_one_view(tables: Tables, warehouse: Warehouse) -> None:
    tables.write("t", "2026-03-10|US", FRAME)
    tables.write("t", "2026-03-11|US", FRAME.with_columns(note=pl.lit("new")))
    assert asked(warehouse, "SELECT count(*), count(note) FROM t") == [(4, 2)]


def test_a_connection_is_closed_whatever_happens(tables: Tables, warehouse: Warehouse) -> None:
    tables.write("t", str(US.key), FRAME)
    with pytest.raises(RuntimeError), warehouse.connection() as connection:
        raise RuntimeError
    with pytest.raises(Exception, match=r"[Cc]onnection.*closed"):
        connection.execute("SELECT 1")


HOLD = """
import duckdb, sys
held = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading")
print("held", flush=True)
sys.stdin.readline()
print(held.execute("SELECT count(*) FROM t").fetchone()[0], flush=True)
"""


@pytest.mark.timeout(30)
@pytest.mark.parametrize("how", ["reading", "writing"])
def test_an_analyst_and_the_night_do_not_get_in_each_others_way(tables: Tables, warehouse: Warehouse, how: str) -> None:
    """Somebody has it open, even for writing, while a run brings a new table: both go on, and the next sees it."""
    tables.write("t", str(US.key), FRAME)
    command = [sys.executable, "-c", HOLD, str(warehouse.database), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as analyst:
        assert analyst.stdout is not None
        assert analyst.stdin is not None
        assert analyst.stdout.readline() == "held\n"
        tables.write("t", "2026-03-11|US", FRAME)
        tables.write("new", str(US.key), FRAME)
        assert asked(warehouse, "SELECT count(*) FROM new") == [(2,)]
        analyst.stdin.write("go\n")
        analyst.stdin.flush()
        assert analyst.stdout.readline() == "4\n"
    assert asked(warehouse, "SELECT count(*) FROM t") == [(4,)]


def test_runs_that_bring_new_tables_at_the_same_time_show_them_all(tmp_path: Path, warehouse: Warehouse) -> None:
    bring = (
        "import sys, polars as pl; from pathlib import Path; from rpsync_assets.resources.tables import Tables;"
        " from rpsync_assets.resources.warehouse import Warehouse; root = Path(sys.argv[1]);"
        " tables = Tables(root / 'tables', Warehouse(root / 'warehouse.duckdb', root / 'tables').show);"
        " [tables.write(f't{sys.argv[2]}_{n}', '2026-03-10|US', pl.DataFrame({'a': [1]})) for n in range(8)]"
    )
    runs = [subprocess.Popen([sys.executable, "-c", bring, str(tmp_path), str(number)]) for number in range(3)]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    assert asked(warehouse, "SELECT count(*) FROM documentation") == [(24,)]
