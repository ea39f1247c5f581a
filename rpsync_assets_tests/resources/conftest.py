"""A world's folder behind a real SFTP server, one for all tests of this room."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.sandbox.sftp_server import SftpEndpoint, serving

FOLDERS = ("retailpro/incoming", "hotwax/reset-inventory", "hotwax/inventory-variance")


class Server(NamedTuple):
    endpoint: SftpEndpoint
    root: Path
    """What the server shows as ``/``, seen from its own machine."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("world")
    (folder / "sftp").mkdir()
    with serving(folder) as endpoint:
        yield Server(endpoint, folder / "sftp")


@pytest.fixture
def root(server: Server) -> Path:
    """The server's folders, empty again for each test."""
    for folder in FOLDERS:
        place = server.root / folder
        place.mkdir(parents=True, exist_ok=True)
        for file in place.iterdir():
            file.unlink()
    return server.root


MakeSftp = Callable[..., Sftp]


@pytest.fixture
def make_sftp(server: Server, root: Path) -> MakeSftp:
    """The door to that server; a test may change what it knows."""

    def make(**changed: object) -> Sftp:
        incoming, reset, variance = FOLDERS
        endpoint = server.endpoint
        door = Sftp(
            endpoint.host,
            endpoint.port,
            endpoint.username,
            endpoint.known_hosts,
            incoming,
            reset,
            variance,
            settle_seconds=0,
            timeout_seconds=5,
            password=endpoint.password,
        )
        return replace(door, **changed)  # type: ignore[arg-type]

    return make
