"""The sandbox's folder: where everything lies, making it, extending it, and refusing to mix two worlds in one.

Belongs here: paths, the manifest, preparing stores. Does not: what happens on a business date (``morning``).

The manifest is written last, so a crash in the middle leaves a folder that the next ``prepare`` completes: a store that
is not in the manifest is written again in one transaction.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from rpsync_assets.core.errors import SetupError
from rpsync_assets.oms.tables import metadata
from rpsync_assets.sandbox import book, master_data
from rpsync_assets.sandbox.sizes import Size
from rpsync_assets.sandbox.stores import SandboxStore

INCOMING = "retailpro/incoming"
RESET = "hotwax/reset-inventory"
VARIANCE = "hotwax/inventory-variance"
SFTP_FOLDERS = (
    INCOMING,
    *(f"{folder}{beside}" for folder in (RESET, VARIANCE) for beside in ("", "/archive", "/error")),
)
FORMAT = 3
"""Raised when worlds made before can no longer be read."""


@dataclass(frozen=True)
class World:
    """One sandbox world in one folder."""

    folder: Path
    size: Size
    seed: int

    @property
    def sftp_root(self) -> Path:
        """What the SFTP server shows as ``/``."""
        return self.folder / "sftp"

    @property
    def incoming(self) -> Path:
        """Where Retail Pro drops its files."""
        return self.sftp_root / INCOMING

    @property
    def database_path(self) -> Path:
        """The OMS database."""
        return self.folder / "oms.sqlite"

    @property
    def database_url(self) -> str:
        """The OMS database as SQLAlchemy spells it."""
        return f"sqlite:///{self.database_path}"

    @property
    def shopify_counts(self) -> Path:
        """``inventory_item_id,location_id,available`` that Shopify's emulator begins with."""
        return self.folder / "shopify_available.csv"

    @property
    def shopify_path(self) -> Path:
        """The emulator's shop."""
        return self.folder / "shopify.sqlite"

    @property
    def book_path(self) -> Path:
        """The sandbox's own truth, which the product never sees."""
        return self.folder / "truth.sqlite"


def prepare(folder: Path, size: Size, seed: int, stores: Sequence[SandboxStore]) -> World:
    """Make a world, or add stores to one; stores that are there already stay untouched.

    Args:
        folder: the world's own folder; made when missing.
        size: how big; must be the same for the folder's whole life.
        seed: likewise.
        stores: product stores that must be there afterwards.

    Returns:
        The world.

    Raises:
        SetupError: the folder holds a world of another size or seed.
    """
    world = World(folder.resolve(), size, seed)
    private_folder(world.folder)
    manifest = _read_manifest(world)
    for name in SFTP_FOLDERS:
        private_folder(world.sftp_root / name)
    missing = [store for store in dict.fromkeys(stores) if store.store_id not in manifest["stores"]]
    for path in (world.database_path, world.book_path):
        path.touch(mode=0o600)
    book.create(world.book_path)
    with opened(world) as connection:
        metadata.create_all(connection)
    if missing or not manifest["stores"]:
        with opened(world) as connection:
            master_data.write_shared(connection, size, seed)
            for store in missing:
                master_data.write_store(connection, store, size, seed)
        manifest["stores"] += [store.store_id for store in missing]
        write_private(world.folder / "manifest.json", (json.dumps(manifest, indent=2) + "\n").encode())
    return world


def open_world(folder: Path) -> World:
    """The world that a folder holds.

    Raises:
        SetupError: there is none.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except FileNotFoundError:
        raise SetupError(f"There is no sandbox in {folder}", "Prepare one first") from None
    return World(folder.resolve(), Size(**manifest["size"]), manifest["seed"])


def store_ids(world: World) -> list[str]:
    """The product stores that the world holds, in the order in which they were added."""
    return _read_manifest(world)["stores"]


def engine_of(world: World) -> Engine:
    """An engine for the OMS database: WAL mode, patient with other writers, no connection kept open."""
    engine = create_engine(world.database_url, poolclass=NullPool, connect_args={"timeout": 60})

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    return engine


@contextmanager
def opened(world: World) -> Iterator[Connection]:
    """One transaction on the OMS database."""
    engine = engine_of(world)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def private_folder(path: Path) -> None:
    """A folder, and those above it as far as they are missing, for their owner only."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """A file for its owner only, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)
    part.replace(path)


def _read_manifest(world: World) -> dict[str, list[str]]:
    """The manifest of the folder, or a new one; refuses a folder of another world."""
    mine = {"format": FORMAT, "size": asdict(world.size), "seed": world.seed}
    try:
        found = json.loads((world.folder / "manifest.json").read_text())
    except FileNotFoundError:
        return {**mine, "stores": []}  # pyright: ignore[reportReturnType]
    if {name: found.get(name) for name in mine} != mine:
        raise SetupError(
            f"The sandbox in {world.folder} has size '{found['size']['name']}' and seed {found['seed']},"
            f" not size '{world.size.name}' and seed {world.seed}",
            "Choose another folder, or the size and seed it was made with",
        )
    return found
