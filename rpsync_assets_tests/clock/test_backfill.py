"""A backfill of many days and stores by Dagster's own backfill daemon: each day's variance follows its own reset."""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._daemon.backfill import execute_backfill_iteration

from rpsync_assets.partitions import Slot
from rpsync_assets.sandbox.sftp_server import SftpEndpoint
from rpsync_assets_tests.clock.five_stores import ZONES, FiveStores, FiveStoresOms
from rpsync_assets_tests.clock.simulated import Simulated, simulated

FIRST = date(2026, 3, 1)


def backfill(dagster: Simulated, days: list[date]) -> None:
    """As the UI asks for it: all stores of all days, the days in their order."""
    (location,) = dagster.workspace.create_request_context().code_locations
    (repository,) = location.get_repositories().values()
    name = "replay_day_partition_set"
    asked = PartitionBackfill(
        backfill_id="a-month",
        partition_set_origin=repository.get_partition_set(name).get_remote_origin(),
        status=BulkActionStatus.REQUESTED,
        partition_names=[str(Slot(day, store).key) for day in days for store in ZONES],
        from_failure=False,
        reexecution_steps=None,
        tags={},
        backfill_timestamp=dagster.now.timestamp(),
    )
    dagster.instance.add_backfill(asked)
    for _ in range(20):
        list(execute_backfill_iteration(dagster.workspace, logging.getLogger("simulated")))
        found = dagster.instance.get_backfill("a-month")
        assert found is not None
        if found.status is not BulkActionStatus.REQUESTED:
            break
    assert found.status in {BulkActionStatus.COMPLETED, BulkActionStatus.COMPLETED_SUCCESS}


def backfill_of_assets(dagster: Simulated, days: list[date]) -> None:
    """As the page of the assets asks for it; the days stand there the newest first."""
    graph = dagster.workspace.create_request_context().asset_graph
    names = ("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts", "reset_import")
    more = ("unreported_shipments", "variance_file", "variance_import")
    asked = PartitionBackfill.from_asset_partitions(
        asset_graph=graph,
        backfill_id="a-month",
        tags={},
        backfill_timestamp=dagster.now.timestamp(),
        asset_selection=[dg.AssetKey(name) for name in (*names, *more)],
        partition_names=[str(Slot(day, store).key) for day in reversed(days) for store in ZONES],
        dynamic_partitions_store=dagster.instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    dagster.instance.add_backfill(asked)
    for _ in range(60):
        list(execute_backfill_iteration(dagster.workspace, logging.getLogger("simulated")))
        found = dagster.instance.get_backfill("a-month")
        assert found is not None
        if found.status is not BulkActionStatus.REQUESTED:
            break
    assert found.status is BulkActionStatus.COMPLETED_SUCCESS


# Dagster's own backfills of assets call what Dagster gave up, and leave a loop of theirs unfinished.
@pytest.mark.filterwarnings("ignore:Function .AssetSelection.sources. is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_a_backfill_from_the_page_of_the_assets_keeps_the_order_of_days_too(
    sftp_server: tuple[Path, SftpEndpoint], tmp_path: Path
) -> None:
    days = [FIRST + timedelta(days=one) for one in range(2)]
    made_up(days, backfill_of_assets, sftp_server, tmp_path)


@pytest.mark.parametrize("number", [3, pytest.param(30, marks=[pytest.mark.proof, pytest.mark.timeout(1800)])])
def test_days_of_five_stores_are_made_up_in_their_order(
    number: int, sftp_server: tuple[Path, SftpEndpoint], tmp_path: Path
) -> None:
    made_up([FIRST + timedelta(days=one) for one in range(number)], backfill, sftp_server, tmp_path)


def made_up(
    days: list[date],
    ask: Callable[[Simulated, list[date]], None],
    sftp_server: tuple[Path, SftpEndpoint],
    tmp_path: Path,
) -> None:
    root, endpoint = sftp_server
    with dg.DagsterInstance.ephemeral() as unused:
        world = FiveStores(tmp_path, root, tmp_path.name, endpoint, unused)
        assert isinstance(world.oms, FiveStoresOms)
        for store, zone in ZONES.items():
            world.oms.ship_a_part(store, datetime(2026, 2, 20, 12, tzinfo=UTC))
            for place, day in enumerate(days):
                world.counts(store, datetime(day.year, day.month, day.day, 0, 10, tzinfo=zone), 20 + place)
        with simulated(world.settings(), datetime(2026, 4, 2, 12, tzinfo=UTC), tmp_path / "home") as dagster:
            ask(dagster, days)
            assert {run[3] for run in dagster.runs()} == {"SUCCESS"}
            assert len(dagster.runs()) == len(days) * len(ZONES)
        world.close()
    # Each store's days in their order, each day's variance after its own reset.
    order = [(day, kind) for day in days for kind in ("reset", "variance")]
    for store in ZONES:
        assert [(date.fromisoformat(one[1]), one[2]) for one in taken(world) if one[0] == store] == order
    # One of A was shipped and never told: the last day's count less one.
    rows = world.oms.ask("SELECT FACILITY_ID, QUANTITY_ON_HAND_TOTAL FROM INVENTORY_ITEM WHERE PRODUCT_ID = 'A'")
    assert {int(units) for facility, units in rows if facility != "NASH"} == {20 + len(days) - 1 - 1}


def taken(world: FiveStores) -> list[tuple[str, str, str]]:
    """What was delivered, in the order in which it was taken: store, business date, kind."""
    import sqlite3  # noqa: PLC0415
    from contextlib import closing  # noqa: PLC0415

    with closing(sqlite3.connect(world.data / "state.sqlite")) as connection:
        return connection.execute(
            "SELECT product_store, business_date, kind FROM deliveries WHERE delivered_at IS NOT NULL ORDER BY id"
        ).fetchall()
