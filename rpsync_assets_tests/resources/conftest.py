"""Two real SFTP servers, each with a folder: the library's, as the sandbox runs it, and OpenSSH's."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.sandbox import sftp_server
from rpsync_assets_tests import sshd

FOLDERS = ("retailpro/incoming", "hotwax/reset-inventory", "hotwax/inventory-variance")
HOST = "127.0.0.1"


class Server(NamedTuple):
    """Where it listens, how to log in, and what it shows as the folder one logs in to."""

    port: int
    username: str
    known_hosts: Path
    root: Path
    password: str | None = None
    key_file: Path | None = None


@pytest.fixture(scope="session", params=["library", "sshd"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("world")
    root = folder / "sftp"
    root.mkdir()
    if request.param == "library":
        with sftp_server.serving(folder) as at:
            yield Server(at.port, at.username, at.known_hosts, root, password=at.password)
    else:
        with sshd.serving(root, folder / "sshd") as at:
            yield Server(at.port, at.username, at.known_hosts, root, key_file=at.key_file)


ON_THE_LIBRARY = pytest.mark.parametrize("server", ["library"], indirect=True)
"""For tests that need its password, or that are about our side only."""


def emptied(root: Path) -> Path:
    """The folders of a server, made if need be, without anything in them."""
    for folder in FOLDERS:
        place = root / folder
        place.mkdir(parents=True, exist_ok=True)
        for file in place.iterdir():
            file.unlink()
    return root


@pytest.fixture
def root(server: Server) -> Path:
    """The server's folders, empty again for each test."""
    return emptied(server.root)


def door(server: Server, **changed: object) -> Sftp:
    """The door to a server, which is not patient with a connection that breaks; a test may change what it knows."""
    usual = Sftp(
        HOST,
        server.port,
        server.username,
        server.known_hosts,
        *FOLDERS,
        settle_seconds=0,
        timeout_seconds=5,
        password=server.password,
        key_file=server.key_file,
        pauses=(0, 0, 0),
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


MakeSftp = Callable[..., Sftp]


@pytest.fixture
def make_sftp(server: Server, root: Path) -> MakeSftp:
    """The door to that server."""
    return lambda **changed: door(server, **changed)
