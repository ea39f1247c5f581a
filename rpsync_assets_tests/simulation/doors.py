"""What the product speaks with, but for Shopify: each call is a point at which the power may fail or the world move on.

Belongs here: an SFTP server that is a folder, tables that are kept in memory, Dagster's memory of materializations, and
the points. Does not: what happens at a point (``play`` decides), or the order of assets (``product``).
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Engine, event

from rpsync_assets.core.errors import NotYetError, UnreachableError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.sftp_session import RemoteFile, Sink
from rpsync_assets.resources.tables import Tables
from rpsync_assets_tests.simulation.clock import Clock


class PowerCutError(BaseException):
    """The machine stops here; nothing of ours handles it."""


@dataclass
class Points:
    """Counts the points of a run; at some of them something happens, once.

    Attributes:
        happens: by the number of the point; called with its name.
        lose: the next effect that a remote call has is not heard of.
        fired: how often which fault really happened.
    """

    clock: Clock
    happens: dict[int, Callable[[str], None]] = field(default_factory=dict)
    lose: bool = False
    number: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    asleep: bool = False

    def begin(self, happens: Mapping[int, Callable[[str], None]]) -> None:
        """A run begins."""
        self.happens, self.number, self.lose = dict(happens), 0, False

    def here(self, name: str) -> None:
        """A point."""
        if self.asleep:
            return
        self.number += 1
        self.clock.pass_by(0.25)
        what = self.happens.pop(self.number, None)
        if what is not None:
            what(name)

    def lost(self) -> bool:
        """Whether the answer to what was just done gets lost."""
        lose, self.lose = self.lose, False
        if lose:
            self.fired["connection lost after the effect"] += 1
        return lose

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Nothing happens within."""
        before, self.asleep = self.asleep, True
        try:
            yield
        finally:
            self.asleep = before


class Watched:
    """Something of the product's, real, with a point before and after each of its calls."""

    def __init__(self, it: object, points: Points, *, name: str | None = None) -> None:
        self._it, self._points, self._name = it, points, name or type(it).__name__

    def __getattr__(self, attribute: str) -> object:
        found = getattr(self._it, attribute)
        if not callable(found):
            return found

        def call(*given: object, **named: object) -> object:
            self._points.here(f"before {self._name}.{attribute}")
            result = found(*given, **named)
            self._points.here(f"after {self._name}.{attribute}")
            return result

        return call


def watch_commits(engine: Engine, points: Points) -> None:
    """Points before and after each transaction of an OMS: an import may die between two of its batches."""
    event.listen(engine, "commit", lambda _connection: points.here("OMS commit"))
    event.listen(engine, "begin", lambda _connection: points.here("OMS begin"))


# The SFTP server ------------------------------------------------------------------------------------------------------
@dataclass
class FolderSftp:
    """The server's folders on our own disk, and every upload that it ever took."""

    root: Path
    points: Points
    incoming: str = "retailpro/incoming"
    reset_inventory: str = "hotwax/reset-inventory"
    inventory_variance: str = "hotwax/inventory-variance"
    settle_seconds: float = 0.0
    uploads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for folder in (self.incoming, self.reset_inventory, self.inventory_variance):
            (self.root / folder).mkdir(parents=True)

    @contextmanager
    def session(self) -> Iterator["FolderSftp"]:
        """A session; a lost connection ends it."""
        self.points.here("SFTP connect")
        yield self

    def list(self, folder: str) -> list[RemoteFile]:
        """What lies there under its final name."""
        self.points.here(f"SFTP list {folder}")
        found = (self.root / folder).iterdir()
        return [self._file(path, folder) for path in sorted(found) if path.is_file() and path.suffix != ".part"]

    def look(self, path: str) -> RemoteFile | None:
        """One file, or None."""
        self.points.here(f"SFTP look {path}")
        found = self.root / path
        return self._file(found, str(Path(path).parent)) if found.is_file() else None

    def upload(self, folder: str, name: str, content: bytes) -> RemoteFile:
        """Under a temporary name, then renamed; the answer may get lost."""
        self.points.here(f"SFTP upload {name}")
        temporary, final = self.root / folder / f"{name}.part", self.root / folder / name
        temporary.write_bytes(content)
        self.points.here(f"SFTP rename {name}")
        temporary.replace(final)
        now = self.points.clock.now.timestamp()
        os.utime(final, (now, now))
        self.uploads.append(name)
        if self.points.lost():
            raise UnreachableError("The connection was lost", "Rerun")
        file = self._file(final, folder)
        self.points.here(f"SFTP uploaded {name}")
        return file

    def download(self, file: RemoteFile, sink: Sink, on_bytes: Callable[[int, int], None]) -> None:
        """The whole file."""
        self.points.here(f"SFTP download {file.name}")
        content = (self.root / file.path).read_bytes()
        sink.write(content)
        on_bytes(len(content), len(content))

    @staticmethod
    def _file(path: Path, folder: str) -> RemoteFile:
        about = path.stat()
        return RemoteFile(folder, path.name, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC))


# Dagster --------------------------------------------------------------------------------------------------------------
class MemoryTables(Tables):
    """The tables between assets, kept in memory: what is stored is stored, whatever dies afterwards."""

    def __init__(self, folder: Path, points: Points) -> None:
        super().__init__(folder)
        object.__setattr__(self, "kept", {})
        object.__setattr__(self, "points", points)

    kept: dict[tuple[str, str], pl.DataFrame]
    points: Points

    def write(self, table: str, partition: str, frame: pl.DataFrame) -> Path:
        """Replace a partition."""
        self.points.here(f"before table {table}")
        self.kept[table, partition] = frame
        self.points.here(f"after table {table}")
        return self.path(table, partition)

    def read(self, table: str, slot: Slot) -> pl.DataFrame:
        """A partition's rows."""
        found = self.kept.get((table, str(slot.key)))
        if found is None:
            raise NotYetError(f"There is no {table} for {slot.store} on {slot.day} yet", "Materialize it first")
        return found


@dataclass
class _Value:
    value: object


@dataclass
class _Materialization:
    metadata: dict[str, _Value]


@dataclass
class _Record:
    asset_materialization: _Materialization


@dataclass
class _Records:
    records: list[_Record]


@dataclass
class Memory:
    """What an instance of Dagster remembers: the metadata of each asset's latest materialization."""

    latest: dict[tuple[str, str], _Materialization] = field(default_factory=dict)

    def remember(self, asset: str, partition: str, metadata: Mapping[str, Any]) -> None:
        """An asset was materialized."""
        plain = {name: _Value(getattr(value, "value", value)) for name, value in metadata.items()}
        self.latest[asset, partition] = _Materialization(plain)

    def fetch_materializations(self, records_filter: Any, limit: int) -> _Records:
        """The latest one of an asset's partition."""
        asset, (partition,) = records_filter.asset_key.path[-1], records_filter.asset_partitions
        found = self.latest.get((asset, partition))
        return _Records([] if found is None else [_Record(found)][:limit])


@dataclass(frozen=True)
class _Run:
    run_id: str


@dataclass(frozen=True)
class Context:
    """What our assets use of Dagster's context."""

    partition_key: str
    instance: Memory
    run: _Run

    @classmethod
    def of(cls, partition: str, memory: Memory, run_id: str) -> "Context":
        return cls(partition, memory, _Run(run_id))
