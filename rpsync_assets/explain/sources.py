"""Everything an explanation is read from, opened once.

Belongs here: tables, state, publications, the OMS and the landed file of one store and day. Does not: words.

Nothing is made or changed: what is not there is told as not there.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import make_url

from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.explain.raw_lines import RawFile
from rpsync_assets.landed import header_of, packing_of
from rpsync_assets.resources.databases import open_engine, open_replica, told_plainly
from rpsync_assets.resources.oms_reader import OmsReader
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings, StoreSettings


@dataclass
class Sources:
    """One store and day."""

    settings: Settings
    store: str
    day: date
    oms: OmsReader | None
    oms_trouble: str = ""
    _read: dict[str, pl.DataFrame | None] = field(default_factory=dict[str, pl.DataFrame | None])

    @property
    def its(self) -> StoreSettings:
        """The store's settings."""
        return self.settings.store(self.store)

    @property
    def tables(self) -> Tables:
        """The folder of tables."""
        return Tables(self.settings.data_dir / "tables")

    @property
    def outbox(self) -> Outbox:
        """Copies of what was sent."""
        return Outbox(self.settings.data_dir / "outbox")

    @property
    def state(self) -> State | None:
        """What was delivered and accepted; None where nothing ever was."""
        return State(self.settings.state_database_url) if self._has_state else None

    @property
    def publications(self) -> Publications | None:
        """What was published; None where nothing ever was."""
        return Publications(self.settings.state_database_url) if self._has_state else None

    @property
    def _has_state(self) -> bool:
        url = make_url(self.settings.state_database_url)
        return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()

    def table(self, name: str, *, dated: bool = True) -> pl.DataFrame | None:
        """A partition's rows, read once; None where it was never written."""
        if name not in self._read:
            path = self.tables.path(name, f"{self.day}|{self.store}" if dated else self.store)
            self._read[name] = pl.read_parquet(path, hive_partitioning=False) if path.exists() else None
        return self._read[name]

    def run_id(self, name: str, *, dated: bool = True) -> str | None:
        """The run that wrote a partition."""
        return self.tables.run_id(name, f"{self.day}|{self.store}" if dated else self.store)

    def stops(self, asset: str) -> list[dict[str, Any]]:
        """What stopped an asset when it was run last."""
        stops = self.table("stops")
        return [] if stops is None else stops.filter(pl.col("asset") == asset).to_dicts()

    @property
    def raw(self) -> dict[str, Any] | None:
        """The row about the day's file."""
        raw = self.table("raw_reset_file")
        return None if raw is None else raw.row(0, named=True)

    @property
    def raw_file(self) -> RawFile | None:
        """The landed file; None where it is gone."""
        return None if self.raw is None else self._file(self.raw)

    def older_file(self, day: date, name: str) -> RawFile | None:
        """A landed file of an earlier day, which a count is owed from; None if it is gone."""
        path = self.tables.path("landed_files", f"{day}|{self.store}")
        if not path.exists():
            return None
        landed = pl.read_parquet(path, hive_partitioning=False).filter(pl.col("file_name") == name)
        return self._file(landed.row(-1, named=True)) if landed.height else None

    def _file(self, raw: dict[str, Any]) -> RawFile | None:
        if not Path(raw["landed_path"]).exists():
            return None
        path, packing = Path(raw["landed_path"]), packing_of(raw)
        return RawFile(path, packing, header_of(path, packing, self.its))

    def at(self, moment: datetime | None) -> str:
        """A moment on the store's wall clock."""
        if moment is None:
            return "an unknown moment"
        return f"{moment.astimezone(self.its.zone):%Y-%m-%d %H:%M:%S %Z}"


@contextmanager
def opened(settings: Settings, store: str, day: date) -> Iterator[Sources]:
    """Open what there is; an OMS that does not answer is told, and the rest is explained without it.

    Raises:
        SetupError: the settings do not know the store.
    """
    settings.store(store)
    with ExitStack() as stack:
        try:
            reader, trouble = stack.enter_context(_reading(settings)), ""
        except RpsyncError as error:
            reader, trouble = None, str(error)
        yield Sources(settings, store, day, reader, trouble)


@contextmanager
def _reading(settings: Settings) -> Iterator[OmsReader]:
    url = settings.oms_database_url
    engine = open_replica(url) if settings.oms.kind == "hotwax" else open_engine(url)
    try:
        with told_plainly("the OMS database"), engine.begin() as connection:
            yield OmsReader(connection, datetime.now(UTC))
    finally:
        engine.dispose()
