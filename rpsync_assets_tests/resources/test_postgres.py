"""PostgreSQL as Dagster's storage and as our own database: the same day, and exactly once with several processes."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml
from sqlalchemy import URL

from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.databases import open_engine, told_plainly
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.conftest import counts, example, online, world
from rpsync_assets_tests.graph.online import Online, fine
from rpsync_assets_tests.graph.tiny_world import DAY, QUIET, Rows, TinyWorld

__all__ = ["counts", "example", "online", "world"]

ROOT = Path(__file__).parents[2]

TAKER = """
import sys
from datetime import UTC, date, datetime
from sqlalchemy.exc import IntegrityError
from rpsync_assets.resources.state import Delivery, State
now = datetime(2026, 3, 10, 6, tzinfo=UTC)
state = State(sys.argv[1])
state.deliveries("US", date(2026, 3, 10), "reset")
print("ready", flush=True)
sys.stdin.readline()
won = 0
for generation in range(1, 51):
    one = Delivery("US", date(2026, 3, 10), "reset", generation, 1, 1, "d", "f.csv", "x", 1, 1, now, "run", "host", now)
    try:
        state.take([one])
        won += 1
    except IntegrityError:
        pass
print(won, flush=True)
"""


def plain(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def on_postgres(world: TinyWorld, url: URL) -> Settings:
    told = world.settings().model_dump()
    told["secrets"]["state_database_url"] = plain(url)
    return Settings.model_validate(told)


def test_of_processes_that_take_the_same_deliveries_at_once_one_gets_each(postgres: URL) -> None:
    """They begin on an empty database, so they also make its tables at once."""
    command = [sys.executable, "-c", TAKER, plain(postgres)]
    takers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)
    ]
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("go\n")
        taker.stdin.flush()
    won = [int(taker.communicate(timeout=60)[0]) for taker in takers]
    assert sum(won) == 50


def test_a_day_with_our_memory_on_postgres_is_delivered_once(example: TinyWorld, counts: Rows, postgres: URL) -> None:
    settings = on_postgres(example, postgres)
    example.file(counts)
    ran = example.run(settings=settings)
    assert (ran.failures, ran.red) == ({}, [])
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    sent = example.sent
    again = example.run(settings=settings)
    assert again.failures == {}
    assert again.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"
    assert example.sent == sent
    assert not (example.data / "state.sqlite").exists()


def test_publications_are_remembered_on_postgres(online: Online, postgres: URL) -> None:
    settings = on_postgres(online.world, postgres)
    online.shop.stock([("9A", "700", 17)])
    day = datetime.now(UTC).astimezone(settings.store("US").zone).date()
    first = online.world.run("shopify_full_reset", day=day, settings=settings)
    assert fine(first)["items sent"] == 1
    delta = online.world.run(job="shopify_deltas", partition="US", settings=settings)
    assert fine(delta)["compared"] == "with what was published before"
    assert fine(delta)["items sent"] == 0


def test_dagsters_own_memory_on_postgres_as_the_example_sets_it_up(
    example: TinyWorld, counts: Rows, postgres: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", plain(postgres))
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((ROOT / "deploy" / "dagster.postgres.yaml").read_bytes())
    example.file(counts)
    key = str(Slot(DAY, "US").key)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        done = (
            example.defs(on_postgres(example, postgres))
            .resolve_job_def("reset_day")
            .execute_in_process(instance=instance, partition_key=key, run_config=QUIET)
        )
    with dg.DagsterInstance.from_config(str(home)) as another:
        run = another.get_run_by_id(done.run_id)
        assert run is not None
        assert run.is_success
        assert another.get_materialized_partitions(dg.AssetKey("shopify_full_reset")) == {key}


def test_a_postgres_that_is_away_may_come_back_and_one_that_refuses_must_be_mended(postgres: URL) -> None:
    with pytest.raises(UnreachableError), told_plainly("The state database"):
        open_engine(plain(postgres.set(port=9))).connect()
    with pytest.raises(SetupError, match="does not exist"), told_plainly("The state database"):
        open_engine(plain(postgres.set(database="rpsync_nobody_made_this"))).connect()


def test_the_examples_say_the_same_as_what_the_sandbox_writes() -> None:
    from rpsync_assets.sandbox.environment import DAGSTER_YAML  # noqa: PLC0415

    sqlite, server = (
        yaml.safe_load((ROOT / "deploy" / f"dagster.{kind}.yaml").read_text()) for kind in ("sqlite", "postgres")
    )
    assert server.pop("storage") == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert sqlite == server == yaml.safe_load(DAGSTER_YAML)
