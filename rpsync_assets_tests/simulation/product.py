"""The product at work: the functions of its assets, called in the graph's order as Dagster calls them.

Belongs here: its resources over the simulated doors, and one run. Does not: when it runs, what goes wrong (``play``).
The functions are the product's own, undecorated; so are the state database, the publisher, the filter, the imports.
"""

import inspect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from rpsync_assets import assets
from rpsync_assets.assets.verdicts import GuardRefusedError
from rpsync_assets.checks import _differences
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.databases import open_engine
from rpsync_assets.resources.hotwax_oms import HotWaxOms
from rpsync_assets.resources.landing import Landing
from rpsync_assets.resources.oms import EmbeddedOms, Oms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.state import State
from rpsync_assets.settings import Settings
from rpsync_assets_tests.simulation.books import CHANNEL
from rpsync_assets_tests.simulation.doors import (
    Context,
    FolderSftp,
    Memory,
    MemoryTables,
    Points,
    Watched,
    watch_commits,
)
from rpsync_assets_tests.simulation.events import Story
from rpsync_assets_tests.simulation.shop import ShopDoor
from rpsync_assets_tests.simulation.world import ZONES

STORE = "US"
DAY = (
    "raw_reset_file",
    "active_products",
    "filtered_reset",
    "filtered_reset_parts",
    "reset_import",
    "unreported_shipments",
    "variance_file",
    "variance_import",
)
"""The morning's assets in the graph's order; what may be sold is read anew by every publication."""

SHIPMENTS_FIRST = (*DAY[:4], "unreported_shipments", "reset_import", *DAY[6:])
"""The same in another order that the graph allows."""

Said = Mapping[str, Mapping[str, str]]
"""What a person says in the run configuration, by asset."""

_FUNCTIONS = {blueprint.function.__name__: blueprint.function for blueprint in assets.ALL}


@dataclass
class Ran:
    """What a run did: assets that succeeded with what they said, and why it stopped."""

    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    red: list[str] = field(default_factory=list)
    stopped_at: str = ""
    why: Exception | None = None

    @property
    def success(self) -> bool:
        return self.why is None


class Product:
    """One installation; its memory outlives its runs, as disks do."""

    def __init__(self, story: Story, folder: Path, points: Points, shop: ShopDoor) -> None:
        self.points = points
        self.sftp = FolderSftp(folder / "server", points)
        self.tables = MemoryTables(folder / "tables", points)
        self.memory = Memory()
        self.settings = _settings(story)
        self.oms = _oms(story, folder, self.sftp)
        self.engine = open_engine(f"sqlite:///{folder / 'oms.sqlite'}")
        self.oms.__dict__["engine"] = self.engine
        watch_commits(self.engine, points)
        state_url = f"sqlite:///{folder / 'state.sqlite'}"
        self.state, self.publications = State(state_url), Publications(state_url)
        self.outbox = Outbox(folder / "outbox")
        self._resources: dict[str, object] = {
            "settings": self.settings,
            "sftp": self.sftp,
            "tables": self.tables,
            "shopify": shop,
            "landing": Landing(folder / "landing"),
            "oms": self.oms,
            "state": Watched(self.state, points),
            "publications": Watched(self.publications, points),
            "outbox": Watched(self.outbox, points),
            "rejections": Outbox(folder / "rejected"),
        }
        self.morning = SHIPMENTS_FIRST if story.seed % 2 else DAY
        self._runs = itertools.count(1)

    def close(self) -> None:
        """Let go of the databases."""
        for engine in (self.engine, self.state.engine, self.publications.engine):
            engine.dispose()

    def day(self, day: date, only: Sequence[str] = (), *, said: Said | None = None) -> Ran:
        """The morning's run, or some assets of it."""
        return self._run(str(Slot(day, STORE).key), only or self.morning, said or {})

    def full(self, day: date) -> Ran:
        """A full reset of the shop."""
        return self._run(str(Slot(day, STORE).key), ["shopify_full_reset"], {})

    def delta(self) -> Ran:
        """What changed."""
        return self._run(STORE, ["shopify_delta"], {})

    def _run(self, partition: str, names: Sequence[str], said: Said) -> Ran:
        ran, run_id = Ran(), f"run-{next(self._runs)}"
        for name in names:
            try:
                ran.done[name], red = self._asset(name, partition, run_id, said.get(name, {}))
            except (RpsyncError, GuardRefusedError) as error:
                ran.stopped_at, ran.why = name, error
                break
            ran.red += red
        return ran

    def _asset(
        self, name: str, partition: str, run_id: str, said: Mapping[str, str]
    ) -> tuple[dict[str, Any], list[str]]:
        function = _FUNCTIONS[name]
        given: dict[str, object] = {}
        for parameter, its in inspect.signature(function).parameters.items():
            if parameter == "context":
                given[parameter] = Context.of(partition, self.memory, run_id)
            elif parameter == "config":
                given[parameter] = its.annotation(**said)
            elif parameter in self._resources:
                given[parameter] = self._resources[parameter]
            elif parameter in _FUNCTIONS:
                given[parameter] = self.tables.read(parameter, _slot(partition))
            else:
                raise TypeError(f"{name} asks for {parameter}, which the simulation has not")
        self.points.here(f"begin {name}")
        result = function(**given)
        # Dagster stores what an asset returns, then writes down that it was materialized.
        self.tables.write(name, partition, result.value)
        self.points.here(f"materialized {name}")
        self.memory.remember(name, partition, result.metadata or {})
        red = [str(check.check_name) for check in result.check_results or () if not check.passed]
        return dict(result.metadata or {}), red

    def differences(self) -> pl.DataFrame:
        """The product's own acceptance test over every accepted row: where the systems differ."""
        its = self.settings.store(STORE)
        with self.points.quietly(), self.oms.read() as reader:
            accepted = self.state.accepted(STORE, self._logs())
            found = _differences(reader, accepted, STORE, its.told)
        return found.filter(pl.col("difference") != 0)

    def _logs(self) -> list[str]:
        with self.state.engine.connect() as connection:
            return [log for (log,) in connection.exec_driver_sql("SELECT DISTINCT log_id FROM accepted_rows")]

    def delivered(self) -> list[tuple[str, str, bool]]:
        """Name, kind, and whether it is marked as delivered, of every file that was ever taken."""
        with self.state.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT file_name, kind, delivered_at IS NOT NULL FROM deliveries")
            return [(name, kind, bool(there)) for name, kind, there in rows]


def _slot(partition: str) -> Slot:
    day, _, store = partition.partition("|")
    return Slot(date.fromisoformat(day), store)


def _settings(story: Story) -> Settings:
    return Settings.model_validate(
        {
            "stores": {
                STORE: {
                    "time_zone": ZONES[story.zone],
                    "channel": CHANNEL,
                    "file_kind": "full" if story.full else "delta",
                    "invoice_lag_minutes": story.lag,
                    "booked_by": "fulfillment_history" if story.booked_by_line else "order_completed",
                    "max_failed_share": 1.0,
                    # Six rows have no usual number.
                    "guards": {
                        "min_rows_share": 0.0,
                        "max_rows_share": 1e9,
                        "max_rejected_share": 1.0,
                        "max_rejected_share_of": {},
                        "max_zeroed_share": 1.0,
                        "max_missing_share": 1.0,
                    },
                    "shopify": {"url": "https://simulated.myshopify.com", "publish": "on"},
                }
            },
            "sftp": {"host": "simulated", "username": "nobody", "known_hosts": "none", "settle_seconds": 0},
        }
    )


def _oms(story: Story, folder: Path, sftp: FolderSftp) -> Oms:
    url = f"sqlite:///{folder / 'oms.sqlite'}"
    if story.hotwax:
        return HotWaxOms(url, sftp)  # type: ignore[arg-type]
    return EmbeddedOms(url, sftp.root / sftp.reset_inventory, sftp.root / sftp.inventory_variance)
