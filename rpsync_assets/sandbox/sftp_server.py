"""A real SFTP server on loopback, as a process of its own: Retail Pro's and HotWax's folders for the sandbox.

Belongs here: serving one world's folder, and starting and stopping that process. Does not: files, or the product's
client (``resources/sftp``).

Run as ``python -m rpsync_assets.sandbox.sftp_server --folder WORLD``. Nothing heavy is imported, so that it answers
within a second. The process writes ``known_hosts`` and, last, ``sftp_port`` into the world's folder. It ends on SIGTERM
and, with ``--until-stdin-ends``, when the process that started it is gone: that one holds the other end of the pipe.
One server serves a folder: a second one finds it locked and leaves.
"""

import argparse
import asyncio
import contextlib
import fcntl
import hmac
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from rpsync_assets.core.errors import SetupError, UnreachableError

USERNAME = "rpsync"
HOST = "127.0.0.1"
MODULE = "rpsync_assets.sandbox.sftp_server"
UNSENT_BYTES = 4_000_000
LOCKED = 3
"""Exit code of a server that found another one serving the folder."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SftpEndpoint:
    """Where and how to log in. The password stays out of the representation, and so out of logs."""

    host: str
    port: int
    username: str
    password: str
    known_hosts: Path

    def __repr__(self) -> str:
        return f"SftpEndpoint({self.username}@{self.host}:{self.port})"


class _Login(asyncssh.SSHServer):
    """One user, one password, nothing else."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002  asyncssh's signature
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return hmac.compare_digest(password.encode(), self._password) and username == USERNAME


class _Folder(asyncssh.SFTPServer):
    """The world's folder as ``/``, read no faster than the client takes it.

    A client that prefetches asks for a whole file at once, and asyncssh would read it all into its send buffer: a file
    of 300 MB took 340 MB of memory.
    """

    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", root: bytes) -> None:
        super().__init__(channel, chroot=root)
        self._turn = asyncio.Lock()

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        async with self._turn:
            while self.channel.get_write_buffer_size() > UNSENT_BYTES:
                await asyncio.sleep(0.002)
            data = super().read(file_obj, offset, size)
            return data if isinstance(data, bytes) else await data


@contextmanager
def serving(world_folder: Path, startup_seconds: float = 20) -> Iterator[SftpEndpoint]:
    """The world's SFTP server, running while the block does.

    A server of the same folder that answers already is used and left running; one started here is stopped.

    Raises:
        SetupError: the folder is no world.
        UnreachableError: the server did not come up.
    """
    folder = world_folder.resolve()
    if not (folder / "sftp").is_dir():
        raise SetupError(f"There is no sandbox in {folder}", "Prepare one first")
    running = _live(folder)
    if running:
        yield running
        return
    (folder / "sftp_port").unlink(missing_ok=True)
    process = subprocess.Popen(  # noqa: S603  our own module
        [sys.executable, "-m", MODULE, "--folder", str(folder), "--until-stdin-ends"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield _wait_until_live(folder, process, startup_seconds)
    finally:
        with process:  # closes the pipe and waits
            process.terminate()


def endpoint(world_folder: Path) -> SftpEndpoint | None:
    """The endpoint that the folder's server wrote down, or None; it may have ended since."""
    try:
        return SftpEndpoint(
            HOST,
            int((world_folder / "sftp_port").read_text()),
            USERNAME,
            (world_folder / "sftp_password").read_text().strip(),
            world_folder / "known_hosts",
        )
    except (FileNotFoundError, ValueError):
        return None


def _live(folder: Path) -> SftpEndpoint | None:
    """The endpoint, if it answers with this folder's own host key: the port may be another program's by now."""
    found = endpoint(folder)
    if found is None:
        return None
    try:
        key = asyncio.run(asyncio.wait_for(asyncssh.get_server_host_key(found.host, found.port), 5))
    except (OSError, asyncssh.Error, TimeoutError):
        return None
    written = found.known_hosts.read_text().split()[1:3]
    return found if key and key.export_public_key().decode().split()[:2] == written else None


def _wait_until_live(folder: Path, process: "subprocess.Popen[bytes]", seconds: float) -> SftpEndpoint:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() not in {None, LOCKED}:
            raise UnreachableError(
                f"The sandbox's SFTP server ended at once with code {process.returncode}",
                f"Run {sys.executable} -m {MODULE} --folder {folder} to see why",
            )
        found = _live(folder)
        if found:
            return found
        time.sleep(0.02)
    raise UnreachableError(f"The sandbox's SFTP server did not answer within {seconds:g} s", "Try again")


async def _serve(folder: Path, port: int, *, until_stdin_ends: bool) -> None:
    """Serve until SIGTERM, SIGINT, or the end of standard input."""
    key = _host_key(folder)
    password = _password(folder)
    root = str(folder / "sftp").encode()
    server = await asyncssh.listen(
        HOST,
        port,
        server_factory=lambda: _Login(password),
        server_host_keys=[key],
        sftp_factory=lambda channel: _Folder(channel, root),
        allow_scp=False,
        # Loopback carries nothing that compression would help, and it costs seconds on 300 MB.
        compression_algs=None,
        encryption_algs=["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr"],
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if until_stdin_ends:
        loop.add_reader(0, lambda: None if os.read(0, 64) else stop.set())
    actual = server.get_port()
    public = " ".join(key.export_public_key().decode().split()[:2])
    _write(folder / "known_hosts", f"[{HOST}]:{actual} {public}\n")
    _write(folder / "sftp_port", f"{actual}\n")
    _log.info("serving %s on %s:%s", folder, HOST, actual)
    await stop.wait()
    loop.remove_reader(0)
    server.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 2)
    (folder / "sftp_port").unlink(missing_ok=True)


def _host_key(folder: Path) -> asyncssh.SSHKey:
    """The world's own host key; made once, so that a client's known_hosts stays true."""
    path = folder / "sftp_host_key"
    if not path.exists():
        _write(path, asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode())
    return asyncssh.read_private_key(path)


def _password(folder: Path) -> str:
    path = folder / "sftp_password"
    if not path.exists():
        _write(path, secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()


def _write(path: Path, text: str) -> None:
    """A file for its owner only, whole or not at all.

    ``world.write_private`` does the same, but comes with a database driver that this process need not load.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    part.replace(path)


def main() -> None:
    """The process: arguments, quiet logs, serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="the world's folder")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--until-stdin-ends", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    asyncssh.set_log_level(logging.ERROR)
    os.umask(0o077)
    folder = options.folder.resolve()
    with (folder / "sftp_lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _log.warning("another server serves %s already", folder)
            sys.exit(LOCKED)
        asyncio.run(_serve(folder, options.port, until_stdin_ends=options.until_stdin_ends))


if __name__ == "__main__":
    main()
