"""A healthy set-up: an SFTP server that can be told to refuse, a tiny OMS, a shop, a data folder."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from rpsync_assets.doctor.checkup import Checkup, Line
from rpsync_assets.doctor.examination import examine
from rpsync_assets.sandbox.emulator.server import Endpoint, serving
from rpsync_assets.sandbox.emulator.shop import Shop
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.tiny_oms import TinyOms

FOLDERS = {
    "incoming": "retailpro/incoming",
    "reset_inventory": "hotwax/reset-inventory",
    "inventory_variance": "hotwax/inventory-variance",
}
DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "a password of a test"  # noqa: S105


class _Login(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


@dataclass
class Server:
    """A real server; root may do everything on our disk, so it refuses by itself what it is told to."""

    folder: Path
    port: int = 0
    refuse: set[tuple[str, str]] = field(default_factory=set)
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))

    def refused(self, verb: str, path: bytes) -> None:
        for what, folder in self.refuse:
            if what == verb and path.decode().lstrip("/").startswith(folder):
                raise asyncssh.SFTPPermissionDenied("Permission denied")

    def known(self, key: asyncssh.SSHKey | None = None) -> str:
        public = " ".join((key or self.key).export_public_key().decode().split()[:2])
        return f"[127.0.0.1]:{self.port} {public}\n"


def _folder(server: Server) -> type[asyncssh.SFTPServer]:
    class Folder(asyncssh.SFTPServer):
        def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]") -> None:
            super().__init__(channel, chroot=str(server.folder).encode())

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            if pflags & asyncssh.FXF_WRITE:
                server.refused("write", path)
            return super().open(path, pflags, attrs)

        def rename(self, oldpath: bytes, newpath: bytes) -> None:
            server.refused("rename", oldpath)
            super().rename(oldpath, newpath)

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
            server.refused("rename", oldpath)
            super().posix_rename(oldpath, newpath)

        def scandir(self, path: bytes) -> object:
            server.refused("list", path)
            return super().scandir(path)

    return Folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "server")
    for folder in FOLDERS.values():
        (made.folder / folder).mkdir(parents=True)
    for folder in ("reset-inventory", "inventory-variance"):
        for beside in ("archive", "error"):
            (made.folder / "hotwax" / folder / beside).mkdir()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncssh.listen(
        "127.0.0.1", 0, server_factory=_Login, server_host_keys=[made.key], sftp_factory=_folder(made)
    )

    async def listen() -> asyncssh.SSHAcceptor:
        return await listening

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    made.port = acceptor.get_port()
    yield made

    async def close() -> None:
        acceptor.close()
        await acceptor.wait_closed()

    asyncio.run_coroutine_threadsafe(close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@dataclass
class Setup:
    """A set-up that a test may break."""

    root: Path
    server: Server
    oms: TinyOms
    shop: Shop
    endpoint: Endpoint
    store: dict[str, object] = field(default_factory=dict)
    sftp: dict[str, object] = field(default_factory=dict)
    oms_settings: dict[str, object] = field(default_factory=dict)
    secrets: dict[str, object] = field(default_factory=dict)
    alerts: dict[str, object] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    store_id: str = "US"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def known_hosts(self) -> Path:
        return self.root / "known_hosts"

    def settings(self) -> Settings:
        shopify = {"url": self.endpoint.url, "publish": "on"}
        store = {"time_zone": "America/New_York", "channel": "US_ONLINE", "shopify": shopify, **self.store}
        login = {"host": "127.0.0.1", "port": self.server.port, "username": "rpsync", "known_hosts": self.known_hosts}
        tokens = {self.store_id: self.endpoint.token}
        return Settings.model_validate(
            {
                "data_dir": self.data,
                "stores": {self.store_id: store},
                "sftp": {**login, **FOLDERS, **self.sftp},
                "oms": {"database": self.root / "oms.sqlite", "sftp_root": self.server.folder, **self.oms_settings},
                "alerts": self.alerts,
                "secrets": {
                    "sftp_password": PASSWORD,
                    "shopify_tokens": tokens,
                    "alert_webhook_url": "http://127.0.0.1:9/nobody-asks-it",
                    **self.secrets,
                },
            }
        )

    def lines(self) -> list[Line]:
        environ = {"DAGSTER_HOME": str(self.root / "dagster"), **self.environ}
        return examine(self.settings(), [self.store_id], environ, Checkup()).lines

    def bytes(self) -> dict[str, tuple[int, bytes]]:
        """Everything on disk, but the emulator's own file; folders, too."""
        return {
            str(path.relative_to(self.root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
            for path in sorted(self.root.rglob("*"))
            if not path.name.startswith("shop.")
        }


@pytest.fixture
def setup(tmp_path: Path, server: Server) -> Iterator[Setup]:
    shop = Shop(tmp_path / "shop.sqlite")
    shop.stock([("9A", "700", 5)])
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster/dagster.yaml").write_bytes((DEPLOY / "dagster.sqlite.yaml").read_bytes())
    (tmp_path / "known_hosts").write_text(server.known())
    with serving(shop) as endpoint:
        yield Setup(tmp_path, server, TinyOms(tmp_path / "oms.sqlite"), shop, endpoint)
    shop.close()
