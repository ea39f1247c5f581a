"""A running sandbox: the world is made, the SFTP server answers, the settings are written.

Belongs here: what a command needs in its environment to work on the sandbox. Does not: running the graph (``demo``).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from rpsync_assets import links
from rpsync_assets.core.errors import SetupError
from rpsync_assets.resources.private import private_file, private_folder, promoted
from rpsync_assets.sandbox import shopify_counts
from rpsync_assets.sandbox.emulator import server as emulator
from rpsync_assets.sandbox.emulator.shop import Shop
from rpsync_assets.sandbox.morning import play_morning
from rpsync_assets.sandbox.played_mornings import Morning
from rpsync_assets.sandbox.sftp_server import SftpEndpoint, serving
from rpsync_assets.sandbox.sizes import Size
from rpsync_assets.sandbox.stores import ROSTER, SandboxStore
from rpsync_assets.sandbox.world import World, prepare, store_ids
from rpsync_assets.settings import CONFIG_VARIABLE, DATA_DIR_VARIABLE, TOKEN_PREFIX

DAGSTER_HOME = "DAGSTER_HOME"
DAYS_BEFORE = timedelta(weeks=3)
"""So far before the first morning that is played the UI's dates begin."""

MOST_CHANGED, MOST_ZEROED = 0.75, 0.2
"""Of a shop's items, by one publication. A first one changes up to 0.69 of them (the season's, whose file counts all)
and takes up to 0.07 to zero: measured over sizes, and over seeds and stores of the smallest, the most uneven."""

DAGSTER_YAML = """\
# Made by rpsync; yours to change. Nothing is reported to anybody, and runs start at once.
telemetry: {enabled: false}
nux: {enabled: false}
run_queue: {dequeue_interval_seconds: 1}
# A server that does not answer one store's sensor holds up no other store's, and no alert.
sensors: {use_threads: true, num_workers: 4}
schedules: {use_threads: true, num_workers: 4}
# A run that was killed together with its code server would be "started" for ever.
run_monitoring: {enabled: true, max_runtime_seconds: 7200}
# A run whose process died is started again; a step that failed is not: it says itself whether a rerun helps, and the
# sensors try again what a rerun may cure.
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
python_logs:
  managed_python_loggers: [rpsync_assets]
  python_log_level: INFO
concurrency:
  runs:
    max_concurrent_runs: 4
    tag_concurrency_limits:
      - {key: dagster/partition, value: {applyLimitPerUniqueValue: true}, limit: 1}
      # One run per store at a time, in the order in which they were asked for: a backfill keeps the order of days.
      - {key: dagster/partition/product_store, value: {applyLimitPerUniqueValue: true}, limit: 1}
"""


@dataclass(frozen=True)
class Environment:
    """What runs, and the environment variables with which a command finds it."""

    world: World
    variables: dict[str, str]
    mornings: dict[str, Morning]


@contextmanager
def running(
    data_dir: Path, size: Size, seed: int, stores: Sequence[SandboxStore], day: date | None = None
) -> Iterator[Environment]:
    """Make or extend the world in a data folder, play the morning of each store, and serve it while the block runs.

    Args:
        data_dir: the data folder.
        size: how large the world is.
        seed: what it is made from.
        stores: whose mornings to play.
        day: the business date; each store's own today if None.

    Raises:
        SetupError: the date has not begun at a store, or the folder holds another world.
    """
    private_folder(data_dir)
    days = {store.store_id: _begun(store, day) for store in stores}
    world = prepare(data_dir / "sandbox", size, seed, stores)
    mornings = {store.store_id: play_morning(world, store, days[store.store_id]) for store in stores}
    with serving(world.folder) as endpoint, _selling(world) as shop:
        config = _write_settings(world, endpoint, shop.url, {name: one.business_date for name, one in mornings.items()})
        variables = {
            CONFIG_VARIABLE: str(config),
            DATA_DIR_VARIABLE: str(data_dir.resolve()),
            "RPSYNC_SFTP_PASSWORD": endpoint.password,
            DAGSTER_HOME: str(dagster_home(data_dir)),
            **{f"{TOKEN_PREFIX}{store}": shop.token for store in store_ids(world)},
        }
        yield Environment(world, variables, mornings)


@contextmanager
def _selling(world: World) -> Iterator[emulator.Endpoint]:
    """Serve Shopify's emulator, with what it showed when it was left, and the counts of stores that are new."""
    shop = Shop(private_file(world.shopify_path))
    shop.begin_with(pl.read_csv(world.shopify_counts, schema=shopify_counts.SCHEMA).iter_rows())
    try:
        with emulator.serving(shop) as endpoint:
            yield endpoint
    finally:
        shop.close()


def dagster_home(data_dir: Path) -> Path:
    """Dagster's own folder in a data folder, with a ``dagster.yaml`` unless somebody wrote one."""
    home = private_folder(data_dir.resolve() / "dagster")
    if not (home / "dagster.yaml").exists():
        with promoted(home / "dagster.yaml") as handle:
            handle.write(DAGSTER_YAML.encode())
    return home


def _begun(store: SandboxStore, day: date | None) -> date:
    today = datetime.now(UTC).astimezone(store.zone).date()
    if day is not None and day > today:
        raise SetupError(f"{day} has not begun at {store.store_id}, where it is {today}", "Choose an earlier date")
    return day or today


def _write_settings(world: World, endpoint: SftpEndpoint, shop_url: str, played: Mapping[str, date]) -> Path:
    """Settings for all stores of the world, with the running servers' addresses.

    A store publishes to the emulator if what is played there is its today; the past is never published.
    """
    known = set(store_ids(world))
    stores = "".join(
        f'[stores.{store.store_id}]\ntime_zone = "{store.time_zone}"\nchannel = "{store.store_id}_ONLINE"\n'
        f'[stores.{store.store_id}.shopify]\nurl = "{shop_url}"\n'
        f'publish = "{"on" if played.get(store.store_id) == _begun(store, None) else "dry_run"}"\n'
        # A shop whose first publication this is: most of it changes, and nobody is there to say that it may.
        f"max_changed_share = {MOST_CHANGED}\nmax_zeroed_share = {MOST_ZEROED}\n\n"
        for store in ROSTER
        if store.store_id in known
    )
    text = f"""\
# Written by the sandbox at every start.
first_date = {min(played.values()) - DAYS_BEFORE}
reports_url = "{links.LOCAL}"

{stores}[sftp]
host = "{endpoint.host}"
port = {endpoint.port}
username = "{endpoint.username}"
known_hosts = "{endpoint.known_hosts.name}"
settle_seconds = 0.5

[oms]
kind = "embedded"
database = "{world.database_path.name}"
sftp_root = "{world.sftp_root.name}"
"""
    path = world.folder / "rpsync.toml"
    with promoted(path) as handle:
        handle.write(text.encode())
    return path
