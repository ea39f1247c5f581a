"""Everything an explanation is read from, opened once.

Belongs here: tables, state, publications, the OMS and the landed file of one store and day. Does not: words.

Nothing is made or changed: what is not there is told as not there.
"""

from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from sqlalchemy import make_url

from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.explain.raw_lines import RawFile
from rpsync_assets.landed import header_of, packing_of
from rpsync_assets.resources.databases import open_engine, open_replica, told_plainly
from rpsync_assets.resources.oms_lookup import OmsLookup
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.state import Delivery, Kind, State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings
from rpsync_assets.store_settings import StoreSettings

Answer = TypeVar("Answer")


@dataclass
class Sources:
    """One store and day."""

    settings: Settings
    store: str
    day: date
    oms: OmsLookup | None
    oms_trouble: str = ""
    _read: dict[str, pl.DataFrame | None] = field(default_factory=dict[str, pl.DataFrame | None])
    _files: dict[Path, RawFile] = field(default_factory=dict[Path, RawFile])
    _reckoned: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any])

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

    @cached_property
    def state(self) -> State | None:
        """What was delivered and accepted; None where nothing ever was."""
        return State(self.settings.state_database_url) if self._has_state else None

    @cached_property
    def publications(self) -> Publications | None:
        """What was published; None where nothing ever was."""
        return Publications(self.settings.state_database_url) if self._has_state else None

    @property
    def _has_state(self) -> bool:
        url = make_url(self.settings.state_database_url)
        return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()

    def close(self) -> None:
        """Let go of the state database and of unpacked files, if they were opened."""
        for file in self._files.values():
            file.close()
        for one in (self.__dict__.get("state"), self.__dict__.get("publications")):
            if one is not None and "engine" in one.__dict__:
                one.engine.dispose()

    def ask(self, question: Callable[[OmsLookup], Answer]) -> Answer | None:
        """The OMS's answer; None where it has none to give, and ``oms_trouble`` says why."""
        if self.oms is None:
            return None
        try:
            with told_plainly("The OMS database"):
                return question(self.oms)
        except RpsyncError as error:
            self.oms_trouble = str(error)
            return None

    def table(self, name: str, *, dated: bool = True) -> pl.DataFrame | None:
        """A partition's rows, read once; None where it was never written."""
        if name not in self._read:
            path = self._path(name, dated=dated)
            self._read[name] = pl.read_parquet(path, hive_partitioning=False) if path.exists() else None
        return self._read[name]

    def once(self, what: Hashable, reckon: Callable[[], Answer]) -> Answer:
        """What is the same for every key of the day: a report explains dozens of them.

        Args:
            what: a name for it.
            reckon: gives it, the first time that it is asked for.
        """
        if what not in self._reckoned:
            self._reckoned[what] = reckon()
        return self._reckoned[what]

    def matching(
        self, name: str, column: str, as_key: Callable[[str], pl.Expr], wanted: Collection[object]
    ) -> pl.DataFrame | None:
        """The rows of a partition whose text in a column means one of some keys."""
        if (table := self.table(name)) is None:
            return None
        # Keys of hundreds of thousands of texts take longer than all else.
        keys = self.once(("keys", name, column), lambda: table.select(as_key(column)).to_series())
        return table.filter(keys.is_in(list(wanted)))

    def made_at(self, name: str, *, dated: bool = True) -> datetime | None:
        """When a partition was written."""
        path = self._path(name, dated=dated)
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else None

    def run_id(self, name: str, *, dated: bool = True) -> str | None:
        """The run that wrote a partition."""
        return self.once(("run", name, dated), lambda: self.tables.run_id(name, self._partition(dated=dated)))

    def _path(self, name: str, *, dated: bool) -> Path:
        return self.tables.path(name, self._partition(dated=dated))

    def _partition(self, *, dated: bool) -> str:
        return f"{self.day}|{self.store}" if dated else self.store

    def stopped(self, asset: str) -> list[str]:
        """What stopped an asset when it was run last, a sentence each."""
        return [f"{asset} was stopped: {stop['found']}. {stop['mend']}." for stop in self.stops(asset)]

    def stops(self, asset: str) -> list[dict[str, Any]]:
        """What stopped an asset when it was run last."""
        stops = self.table("stops")
        return [] if stops is None else stops.filter(pl.col("asset") == asset).to_dicts()

    def deliveries(self, kind: Kind) -> list[Delivery]:
        """What was taken for delivery for the day; one without ``delivered_at`` may have gone out all the same."""
        state = self.state
        return [] if state is None else self.once((kind, "taken"), lambda: state.deliveries(self.store, self.day, kind))

    def went_out(self, kind: Kind) -> list[Delivery]:
        """What is known to have been delivered for the day."""
        state = self.state
        return [] if state is None else self.once((kind, "out"), lambda: state.went_out(self.store, self.day, kind))

    @property
    def raw(self) -> dict[str, Any] | None:
        """The row about the day's file."""
        raw = self.table("raw_reset_file")
        return None if raw is None else raw.row(0, named=True)

    @property
    def landed(self) -> list[dict[str, Any]]:
        """The rows about every file that was landed for the day, in the order of landing."""
        landed = self.table("landed_files")
        return [] if landed is None else landed.to_dicts()

    def opened_file(self, raw: dict[str, Any] | None) -> RawFile | None:
        """A landed file by its row; None where it is gone, or the settings call its columns otherwise by now."""
        if raw is None or not Path(raw["landed_path"]).exists():
            return None
        path, packing = Path(raw["landed_path"]), packing_of(raw)
        if path not in self._files:
            try:
                header = header_of(path, packing, self.its)
            except RpsyncError:
                return None
            self._files[path] = RawFile(path, packing, header, raw["sha256"])
        return self._files[path]

    def older_file(self, day: date, name: str, snapshot_at: datetime) -> RawFile | None:
        """A landed file of an earlier day, which a count is owed from; None if it is gone.

        Of what was sent again under that name, as of the same moment, what came last was read.
        """
        path = self.tables.path("landed_files", f"{day}|{self.store}")
        if not path.exists():
            return None
        landed = pl.read_parquet(path, hive_partitioning=False)
        landed = landed.filter(pl.col("file_name") == name, pl.col("snapshot_at") == snapshot_at)
        return self.opened_file(landed.row(-1, named=True)) if landed.height else None

    def at(self, moment: datetime | None) -> str:
        """A moment on the store's wall clock."""
        if moment is None:
            return "an unknown moment"
        return f"{moment.astimezone(self.its.zone):%Y-%m-%d %H:%M:%S %Z}"


@contextmanager
def opened(settings: Settings, store: str, day: date) -> Iterator[Sources]:
    """Open what there is; an OMS that does not answer is told, and the rest is explained without it.

    Raises:
        SetupError: the settings do not know the store, or the state database cannot be read.
        UnreachableError: the state database does not answer.
    """
    settings.store(store)
    with told_plainly("The state database"), ExitStack() as stack:
        try:
            reader, trouble = stack.enter_context(_reading(settings)), ""
        except RpsyncError as error:
            reader, trouble = None, str(error)
        sources = Sources(settings, store, day, reader, trouble)
        stack.callback(sources.close)
        yield sources


@contextmanager
def _reading(settings: Settings) -> Iterator[OmsLookup]:
    url = settings.oms_database_url
    engine = open_replica(url) if settings.oms.kind == "hotwax" else open_engine(url)
    try:
        with told_plainly("The OMS database"):
            connection = engine.connect()
        with connection:
            # Only read from, and let go of at the end: a database that went away meanwhile cannot spoil the answer.
            connection.begin()
            yield OmsLookup(connection, datetime.now(UTC))
    finally:
        engine.dispose()
