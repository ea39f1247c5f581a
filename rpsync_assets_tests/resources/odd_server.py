"""A library server in a thread, that refuses what a test wants refused.

Belongs here: refusals that OpenSSH is told by its configuration. Does not: the usual server (the sandbox's).
"""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import asyncssh

from rpsync_assets_tests.resources.conftest import HOST, Server


class Anybody(asyncssh.SSHServer):
    """Lets everybody in, and remembers whom."""

    def __init__(self, callers: list[asyncssh.SSHServerConnection]) -> None:
        self._callers = callers

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._callers.append(conn)

    def begin_auth(self, username: str) -> bool:
        return False


class ReadOnly(asyncssh.SFTPServer):
    """Files are looked at, not written."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        if pflags & asyncssh.FXF_WRITE:
            raise asyncssh.SFTPPermissionDenied("read-only")
        return super().open(path, pflags, attrs)

    def remove(self, path: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("read-only")


class NeverReplaces(asyncssh.SFTPServer):
    """Knows the plain rename only, which does not replace."""

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPOpUnsupported("posix-rename")


class NeverRenames(NeverReplaces):
    """Knows no rename at all."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPPermissionDenied("rename")


class Full(asyncssh.SFTPServer):
    """Its disk is full, and what it says of it tries to be a line of our log."""

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        raise asyncssh.SFTPFailure("No space left\n2026-03-10 ERROR on device")


class Forgetful(asyncssh.SFTPServer):
    """Loses a byte of everything it writes, and says that all is well."""

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        super().write(file_obj, offset, b"?" + data[1:])  # type: ignore[arg-type]
        return len(data)


class Stingy(asyncssh.SFTPServer):
    """Gives less than it is asked for."""

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        return super().read(file_obj, offset, min(size, 10_000))  # type: ignore[return-value]


@contextmanager
def serving(root: Path, work: Path, kind: type[asyncssh.SFTPServer]) -> Iterator[Server]:
    """Serve a folder by a server of that kind."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    started: Future[int] = Future()
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(root, kind, key, started, stop)))
    thread.start()
    try:
        port = started.result(10)
        known = work / "known_hosts_of_an_odd_one"
        known.write_text(f"[{HOST}]:{port} {key.export_public_key().decode()}")
        yield Server(port, "anybody", known, root, password="any")  # noqa: S106  it lets everybody in
    finally:
        stop.set()
        thread.join()


async def _serve(
    root: Path,
    kind: type[asyncssh.SFTPServer],
    key: asyncssh.SSHKey,
    started: "Future[int]",
    stop: threading.Event,
) -> None:
    callers: list[asyncssh.SSHServerConnection] = []
    async with await asyncssh.listen(
        HOST,
        0,
        server_factory=lambda: Anybody(callers),
        server_host_keys=[key],
        sftp_factory=lambda channel: kind(channel, chroot=str(root).encode()),
    ) as listener:
        started.set_result(listener.get_port())
        while not stop.is_set():
            await asyncio.sleep(0.01)
    for caller in callers:
        caller.abort()
        await caller.wait_closed()
