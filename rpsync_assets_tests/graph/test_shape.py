"""The shape of the graph, pinned by hand: a change here is a change for everybody who works in the UI."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from rpsync_assets.definitions import build_defs
from rpsync_assets.settings import load_settings
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import Rows, TinyWorld

ROOT = Path(__file__).parents[2]

PUBLICATION = {
    *(
        "feed_not_negative",
        "feed_unique",
        "publication_changed_share",
        "publication_zeroed_share",
        "shopify_takes",
        "shopify_matches",
    ),
}
GRAPH = {
    "raw_reset_file": ("retail_pro", set()),
    "active_products": ("hotwax", set()),
    "filtered_reset": ("reset", {"raw_reset_file", "active_products"}),
    "filtered_reset_parts": ("reset", {"filtered_reset"}),
    "reset_preview": ("reset", {"filtered_reset", "unreported_shipments"}),
    "reset_import": ("hotwax", {"filtered_reset_parts"}),
    "unreported_shipments": ("variance", {"raw_reset_file"}),
    "variance_file": ("variance", {"unreported_shipments", "filtered_reset", "reset_import"}),
    "variance_import": ("hotwax", {"variance_file"}),
    "online_atp": ("hotwax", {"variance_import"}),
    "shopify_feed": ("shopify", {"online_atp"}),
    "shopify_full_reset": ("shopify", {"shopify_feed"}),
    "pos_sales": ("hotwax", set()),
    "daily_sync_report": ("report", {"shopify_full_reset", "pos_sales"}),
    "shopify_delta": ("shopify", {"pos_sales", "shopify_full_reset"}),
}
FILTER_CHECKS = {
    *("rows_accounted_for", "filtered_row_count", "filtered_upca_valid", "filtered_keys_unique"),
    *("rows_like_other_days", "rejected_share", "zeroed_share", "missing_share"),
}
CHECKS = {
    "raw_reset_file": {"file_on_time", "raw_row_count", "raw_snapshot_past", "raw_is_new", "older_files_usable"},
    "active_products": {"active_row_count", "active_upca_valid", "active_upca_unique"},
    "filtered_reset": {*FILTER_CHECKS, "stored_rows_match_accounting"},
    "filtered_reset_parts": {*FILTER_CHECKS, "raw_is_new", "part_row_counts"},
    "reset_import": {"import_complete"},
    "variance_file": {"variance_keys_within_reset", "variance_reset_same_day"},
    "variance_import": {"oms_matches_retail_pro"},
    "online_atp": {"online_atp_not_negative"},
    "pos_sales": {"no_look_alike_sales", "pos_sales_are_no_orders"},
    "shopify_feed": {"feed_not_negative", "feed_unique"},
    "shopify_full_reset": {*PUBLICATION, "day_on_time"},
    "shopify_delta": PUBLICATION,
}


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """As on a bare clone, no rpsync.toml, nothing in the environment; but with the dates that are asked for here."""
    bare = load_settings({}, tmp_path_factory.mktemp("bare"))
    return build_defs(bare.model_copy(update={"first_date": date(2026, 3, 1)}))


def test_the_assets_their_groups_and_what_they_depend_on(defs: dg.Definitions):
    nodes = defs.resolve_asset_graph().asset_nodes
    assert {
        node.key.to_user_string(): (node.group_name, {parent.to_user_string() for parent in node.parent_keys})
        for node in nodes
    } == GRAPH


def test_every_asset_says_what_it_is_and_whose(defs: dg.Definitions):
    for node in defs.resolve_asset_graph().asset_nodes:
        assert len((node.description or "").splitlines()[0]) > 20, node.key
        assert node.kinds, node.key
        assert node.owners == ["team:inventory-sync"], node.key


def test_every_asset_is_per_day_and_store_and_the_delta_per_store(defs: dg.Definitions):
    for node in defs.resolve_asset_graph().asset_nodes:
        definition = node.partitions_def
        if node.key.to_user_string() == "shopify_delta":
            assert definition.get_partition_keys() == ["US", "AU"]
        else:
            assert isinstance(definition, dg.MultiPartitionsDefinition)
            assert definition.partition_dimension_names == ["business_date", "product_store"]


def test_the_checks_of_each_asset(defs: dg.Definitions):
    found: dict[str, set[str]] = {}
    for key in defs.resolve_asset_graph().asset_check_keys:
        found.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert found == CHECKS


DELIVERY = {"raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts"}
VARIANCE = {"reset_import", "unreported_shipments", "variance_file"}
JOBS = {
    "raw_file_landing": {"raw_reset_file"},
    "active_products_list": {"active_products"},
    "reset_day": set(GRAPH) - {"shopify_delta", "reset_preview"},
    "dry_run_day": {"raw_reset_file", "active_products", "filtered_reset", "unreported_shipments", "reset_preview"},
    "reset_delivery": DELIVERY,
    "variance_delivery": VARIANCE,
    "shopify_reset": {
        *("variance_import", "online_atp", "shopify_feed", "shopify_full_reset", "pos_sales", "daily_sync_report")
    },
    "shopify_deltas": {"shopify_delta"},
    "replay_day": DELIVERY | VARIANCE | {"variance_import"},
    "initial_load": DELIVERY,
}


def test_the_jobs_and_what_they_run(defs: dg.Definitions):
    jobs = {name: defs.resolve_job_def(name) for name in JOBS}
    assert {
        name: {key.to_user_string() for key in job.asset_layer.executable_asset_keys} for name, job in jobs.items()
    } == JOBS
    assert {job.executor_def for job in jobs.values()} == {dg.in_process_executor}
    assert {job.name for job in defs.jobs or ()} == {*JOBS, "day_is_late"}
    assert all(len(job.description or "") > 40 for job in jobs.values())


def test_a_store_has_one_sensor_and_it_is_off(defs: dg.Definitions):
    assert {(one.name, one.default_status.value) for one in defs.sensors or ()} == {
        ("day_US", "STOPPED"),
        ("day_AU", "STOPPED"),
    }


def test_the_clock_of_each_store(defs: dg.Definitions):
    zones = {"US": "America/New_York", "AU": "Australia/Sydney"}
    assert {
        (one.name, one.cron_schedule, one.execution_timezone, one.job_name, one.default_status.value)
        for one in defs.schedules or ()
    } == {
        row
        for store, zone in zones.items()
        for row in (
            (f"active_products_{store}", "0 1 * * *", zone, "active_products_list", "STOPPED"),
            (f"reset_day_{store}", "30 1 * * *", zone, "reset_day", "STOPPED"),
            (f"shopify_delta_{store}", "*/15 * * * *", zone, "shopify_deltas", "STOPPED"),
        )
    }


@pytest.mark.parametrize(
    ("schedule", "moment", "partition"),
    [
        # 01:30 in Sydney on 11 March is still 10 March in London.
        ("reset_day_AU", datetime(2026, 3, 10, 14, 30, tzinfo=UTC), "2026-03-11|AU"),
        ("reset_day_US", datetime(2026, 3, 10, 5, 30, tzinfo=UTC), "2026-03-10|US"),
        ("active_products_AU", datetime(2026, 3, 10, 14, 0, tzinfo=UTC), "2026-03-11|AU"),
        ("shopify_delta_AU", datetime(2026, 3, 10, 14, 30, tzinfo=UTC), "AU"),
    ],
)
def test_a_schedule_asks_for_the_date_of_its_store(
    defs: dg.Definitions, schedule: str, moment: datetime, partition: str
):
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=moment, repository_def=defs.get_repository_def()
        )
        asked = defs.resolve_schedule_def(schedule).evaluate_tick(context).run_requests
    assert [str(one.partition_key) for one in asked or ()] == [partition]


def test_the_delta_runs_for_a_store_and_without_a_shop_sends_nothing(example: TinyWorld, counts: Rows):
    example.file(counts)
    example.run()
    ran = example.run(job="shopify_deltas", partition="US")
    assert (ran.failures, ran.red) == ({}, [])
    assert "OFF" in str(ran.metadata["shopify_delta"]["receipt"])
    assert ran.metadata["shopify_delta"]["dagster/row_count"] == 3
    assert UPCA["Z"] not in str(ran.metadata)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["dagster", "definitions", "validate", "-w", "workspace.yaml"], "All code locations passed validation"),
        (["dagster", "definitions", "validate"], "All code locations passed validation"),
        (["dg", "check", "defs"], "All definitions loaded successfully"),
        (["dg", "list", "defs", "--json"], '"filtered_reset_parts"'),
    ],
    ids=["workspace.yaml", "pyproject.toml", "dg check", "dg list"],
)
def test_the_server_loads_it_from_a_folder_without_settings(command: list[str], says: str, tmp_path: Path):
    """A bare clone: the code location must load before anybody has written an rpsync.toml."""
    for name in ("workspace.yaml", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "rpsync_assets").symlink_to(ROOT / "rpsync_assets")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RPSYNC_", "DAGSTER_"))}
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=tmp_path,
        env={
            **environment,
            "PYTHONPATH": str(tmp_path),
            "DAGSTER_HOME": "",
            "DG_TELEMETRY_ENABLED": "false",
            "DAGSTER_DG_CLI_CONFIG": str(tmp_path / "dg.toml"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    # Loading opens and makes nothing.
    assert not (tmp_path / "data").exists()


def test_what_was_loaded_is_not_searched_for_garbage(tmp_path: Path):
    """Hundreds of thousands of Dagster's objects; DuckDB would print a page of leaks if its own were frozen, too."""
    look = (
        "import gc, sys, rpsync_assets.definitions; print('duckdb' in sys.modules, gc.get_freeze_count());"
        "import duckdb; duckdb.connect().close()"
    )
    done = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded, frozen = done.stdout.split()
    assert loaded == "False"
    assert int(frozen) > 100_000
    assert "leaked" not in done.stderr
