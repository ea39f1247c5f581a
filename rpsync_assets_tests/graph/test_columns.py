"""Every column of every stored table is described once, and what Dagster and DuckDB show is that description."""

import re
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from rpsync_assets import assets
from rpsync_assets.columns import PARTITION, TABLES, described
from rpsync_assets.lineage import LINEAGE
from rpsync_assets_tests.graph.online import Online
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import Rows, TinyWorld

SHOWN = True
"""The days of these tests draw their report and make the warehouse's views."""

DUCKDB_TYPES = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.UInt32: "UINTEGER",
    pl.Boolean: "BOOLEAN",
    pl.Float64: "DOUBLE",
    pl.Date: "DATE",
    pl.Datetime("us", "UTC"): "TIMESTAMP WITH TIME ZONE",
    pl.List(pl.String): "VARCHAR[]",
}


@pytest.fixture
def played(example: TinyWorld, counts: Rows) -> TinyWorld:
    """An empty file, held and released, a whole day, a delta, a dry run, a day without a file: every table there is."""
    example.file([], "20260310T060000")
    assert "0 of 0 raw rows are left" in example.run().failure
    assert example.run(release="the shops were closed").failures == {}
    example.file(counts)
    assert example.run().failures == {}
    assert example.run(job="shopify_deltas", partition="US").failures == {}
    assert example.run(job="dry_run_day").failures == {}
    assert "No reset file" in example.run("raw_reset_file", day=date(2026, 3, 11)).failure
    example.file([("999", UPCA["A"], 3)], "20260312T070000")
    example.run(day=date(2026, 3, 12), release="the store is new")
    return example


def test_every_column_of_every_stored_table_is_described_with_its_type(played: TinyWorld) -> None:
    stored = {path.name: path for path in (played.data / "tables").iterdir() if path.is_dir()}
    assert set(stored) == set(TABLES)
    for name, folder in stored.items():
        frame = pl.read_parquet(next(folder.rglob("*.parquet")), hive_partitioning=False)
        kinds = {column: DUCKDB_TYPES[kind] for column, kind in frame.schema.items()}
        assert kinds == {column: one.kind for column, one in TABLES[name].columns.items() if column in kinds}, name
        assert set(kinds) == set(TABLES[name].columns), name


def test_every_sentence_says_something_and_ends_without_a_stop() -> None:
    for name, table in TABLES.items():
        assert table.sentence or name in {blueprint.name for blueprint in assets.ALL}, name
        for column, one in table.columns.items():
            assert len(one.sentence) > 8, (name, column)
            assert not one.sentence.endswith("."), (name, column)
        assert table.beside in {"", "every asset"} | {blueprint.name for blueprint in assets.ALL}


def test_the_warehouse_shows_each_table_with_its_comments_and_every_view_can_be_read(played: TinyWorld) -> None:
    with duckdb.connect(str(played.data / "warehouse.duckdb"), read_only=True) as warehouse:
        views = warehouse.execute("SELECT table_name, meaning FROM documentation ORDER BY 1").fetchall()
        assert [name for name, _ in views] == sorted(TABLES)
        assert all(meaning and meaning != "a table of rpsync-assets" for _, meaning in views)
        for name, _ in views:
            found = warehouse.execute(
                "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = ?"
                " ORDER BY column_index",
                [name],
            ).fetchall()
            assert found == [(column, one.kind, one.sentence) for column, one in described(name).items()]
            assert warehouse.table(name).count("*").fetchall()[0][0] >= 0
        days = warehouse.execute("SELECT DISTINCT business_date, product_store FROM filtered_reset").fetchall()
    assert [(str(day), store) for day, store in days] == [("2026-03-10", "US")]
    assert set(PARTITION) == {"business_date", "product_store"}


README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
QUERIES = [one.strip() for one in re.search(r"```sql\n(.*?)```", README, re.DOTALL)[1].split(";") if one.strip()]  # type: ignore[index]


def test_the_readmes_five_queries_answer(online: Online, counts: Rows) -> None:
    """As they stand there, on the day they name; the shop published that morning in a dry run."""
    world = online.world
    world.store["shopify"] = {"url": online.endpoint.url, "publish": "dry_run"}
    world.oms.order("1001", "2026-03-09 08:30", {"A": ("NY", 2)})
    world.oms.ship("1001", "A", "NY", 2, "2026-03-09 09:00")
    world.file([*counts, ("999", UPCA["A"], 3)])
    assert world.run().failures == {}
    with duckdb.connect(str(world.data / "warehouse.duckdb"), read_only=True) as warehouse:
        dropped, varied, online_number, published, sizes = (warehouse.execute(one).fetchall() for one in QUERIES)
    assert dropped == [("unknown_facility", 1, 9)]
    assert [(row[0], row[1], row[4], row[5]) for row in varied] == [("NY", UPCA["A"], -2, "applied")]
    assert varied[0][2] <= varied[0][3]
    assert [(row[0], row[1], row[7]) for row in online_number] == [
        ("channel", None, 18),
        ("facility", "NASH", 10),
        ("facility", "NY", 8),
    ]
    assert published[0] == ("SKU-C", "700", 0, 10, 10)
    assert sizes == [(date(2026, 3, 10), "US", 8, 6, 1)]


def test_dagster_shows_schema_lineage_and_seconds_of_each_asset(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    ran = example.run()
    for name, said in ran.metadata.items():
        schema = said["dagster/column_schema"]
        shown = {column.name: column.description for column in schema.columns}  # type: ignore[attr-defined]
        assert shown == {column: one.sentence for column, one in TABLES[name].columns.items()}, name
        assert isinstance(said["seconds"], float), name
        assert ("dagster/column_lineage" in said) == (name in LINEAGE), name


def test_lineage_names_columns_that_are_there() -> None:
    for table, columns in LINEAGE.items():
        for column, sources in columns.items():
            assert column in TABLES[table].columns, (table, column)
            for source in sources:
                assert source.split(".")[1] in TABLES[source.split(".")[0]].columns, source
