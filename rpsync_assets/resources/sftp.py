"""The door to the SFTP server, by paramiko: list, look, download, upload.

Belongs here: sessions, host keys, stage-then-rename, and paramiko's many exceptions turned into our few. Does not:
which file is the day's (``assets/retail_pro``) or whether it may be sent (``core/guards``).

Host keys are always verified: an unknown or changed key is refused with its fingerprint. Downloads use paramiko's own
pipelined ``getfo`` with its default number of requests under way; a larger number was measured to be many times slower.
"""

import io
import logging
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Protocol
from uuid import uuid4

import paramiko

from rpsync_assets.core.errors import NotYetError, RpsyncError, SetupError, UnreachableError

PARTIAL = ".part"
"""Temporary names end so; HotWax picks up ``*.csv`` only."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """A file on the server, as listed."""

    folder: str
    name: str
    size: int
    modified_at: datetime

    @property
    def path(self) -> str:
        """Its whole path on the server."""
        return f"{self.folder}/{self.name}"


class Sink(Protocol):
    """What a download is written to."""

    def write(self, data: bytes, /) -> int:
        """Take the next bytes."""
        ...


@dataclass(frozen=True)
class Sftp:
    """How to reach the server, and which folders are whose."""

    host: str
    port: int
    username: str
    known_hosts: Path
    incoming: str
    reset_inventory: str
    inventory_variance: str
    settle_seconds: float
    timeout_seconds: float
    password: str | None = field(default=None, repr=False)
    key_file: Path | None = None

    @contextmanager
    def session(self) -> Iterator["SftpSession"]:
        """An open session; it is closed whatever happens.

        Raises:
            SetupError: host key, credentials or settings are wrong.
            UnreachableError: the server does not answer, or the connection was lost on the way.
        """
        client = paramiko.SSHClient()
        try:
            with self._told_plainly():
                self._connect(client)
                sftp = client.open_sftp()
                channel = sftp.get_channel()
                if channel is not None:
                    channel.settimeout(self.timeout_seconds)
                yield SftpSession(sftp)
        finally:
            client.close()

    def _connect(self, client: paramiko.SSHClient) -> None:
        if self.password is None and self.key_file is None:
            raise SetupError(
                f"There is neither a password nor a key to log in to {self.host}:{self.port} as '{self.username}'",
                "Set RPSYNC_SFTP_PASSWORD or RPSYNC_SFTP_KEY_FILE",
            )
        try:
            client.load_host_keys(str(self.known_hosts))
        except FileNotFoundError as error:
            raise SetupError(
                f"The file of known host keys {self.known_hosts} does not exist",
                f"Make it with 'ssh-keyscan -p {self.port} {self.host}', compare the fingerprint with the server's"
                " owner, and set [sftp] known_hosts",
            ) from error
        client.set_missing_host_key_policy(_RefuseUnknownKey())
        client.connect(
            self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            key_filename=str(self.key_file) if self.key_file else None,
            look_for_keys=False,
            allow_agent=False,
            timeout=self.timeout_seconds,
            banner_timeout=self.timeout_seconds,
            auth_timeout=self.timeout_seconds,
        )
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(15)

    @contextmanager
    def _told_plainly(self) -> Iterator[None]:
        """Turn paramiko's and the socket's exceptions into ours, in words that name server and mend."""
        server = f"{self.host}:{self.port}"
        try:
            yield
        except RpsyncError:
            raise
        except paramiko.BadHostKeyException as error:
            raise SetupError(
                f"The host key of {server} has changed: it now shows {error.key.fingerprint}",
                "Do not go on before the server's owner confirms the new fingerprint; then replace its line in"
                f" {self.known_hosts.name}",
            ) from error
        except paramiko.AuthenticationException as error:
            raise SetupError(
                f"{server} refused the login of user '{self.username}'",
                "Check RPSYNC_SFTP_PASSWORD or RPSYNC_SFTP_KEY_FILE",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise UnreachableError(
                f"SFTP server {server}: {error or type(error).__name__}",
                "Check that it is up and reachable from here; the same run again may pass",
            ) from error


class _RefuseUnknownKey(paramiko.MissingHostKeyPolicy):
    """Refuse, and say which key was shown."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        raise SetupError(
            f"The host key of {hostname} is unknown: it shows {key.get_name()} {key.fingerprint}",
            "Compare the fingerprint with the server's owner, then add the key to the file of [sftp] known_hosts",
        )


class _UpTo:
    """A sink that stops a download which brings more than was listed: a file that grows would never end."""

    def __init__(self, file: RemoteFile, sink: Sink) -> None:
        self._file = file
        self._sink = sink
        self._left = file.size

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise NotYetError(
                f"{self._file.path} is still being written: more than the {self._file.size} bytes of a moment ago came",
                "Wait until Retail Pro has finished; a rerun helps then",
            )
        return self._sink.write(data)


class SftpSession:
    """The verbs, on an open session."""

    def __init__(self, sftp: paramiko.SFTPClient) -> None:
        self._sftp = sftp

    def list(self, folder: str) -> list[RemoteFile]:
        """The plain files in a folder, oldest first.

        Raises:
            SetupError: the folder does not exist or may not be read.
        """
        with _folder_errors(folder):
            found = self._sftp.listdir_attr(folder)
        files = [
            _remote_file(folder, entry.filename, entry)
            for entry in found
            if stat.S_ISREG(entry.st_mode or 0) and _is_plain_name(entry.filename)
        ]
        return sorted(files, key=lambda file: (file.modified_at, file.name))

    def look(self, path: str) -> RemoteFile | None:
        """A file's size and time now, or None when there is none."""
        try:
            attributes = self._sftp.stat(path)
        except FileNotFoundError:
            return None
        place = PurePosixPath(path)
        return _remote_file(str(place.parent), place.name, attributes)

    def download(self, file: RemoteFile, sink: Sink, on_bytes: Callable[[int, int], None]) -> None:
        """Stream a file into a sink.

        Args:
            file: as listed; its size is what must arrive.
            sink: takes the bytes.
            on_bytes: called with bytes so far and bytes in all.

        Raises:
            NotYetError: the file on the server is not the one that was listed, neither before nor after.
        """
        self._refuse_change(file)
        self._sftp.getfo(file.path, _UpTo(file, sink), callback=on_bytes, max_concurrent_prefetch_requests=None)  # type: ignore[arg-type]
        self._refuse_change(file)

    def _refuse_change(self, file: RemoteFile) -> None:
        now = self.look(file.path)
        if now is None or (now.size, now.modified_at) != (file.size, file.modified_at):
            raise NotYetError(
                f"{file.path} is still being written: {file.size} bytes a moment ago,"
                f" {now.size if now else 'gone'}{' bytes' if now else ''} now",
                "Wait until Retail Pro has finished; a rerun helps then",
            )

    def upload(self, folder: str, name: str, content: bytes) -> RemoteFile:
        """Put a file under its final name all at once: temporary name, size check, rename.

        Raises:
            SetupError: the folder does not exist or may not be written.
            UnreachableError: what arrived is not as long as what was sent.
        """
        final = f"{folder}/{name}"
        temporary = final + PARTIAL
        with _folder_errors(folder):
            arrived = self._sftp.putfo(io.BytesIO(content), temporary, len(content))
            if arrived.st_size != len(content):
                raise UnreachableError(
                    f"{temporary} arrived with {arrived.st_size} of {len(content)} bytes", "The same run again may pass"
                )
            self._rename(temporary, final)
        delivered = self.look(final)
        _log.info("delivered %s, %d bytes", final, len(content))
        # HotWax may have taken it already: then what we just renamed is what it took.
        return delivered or _remote_file(folder, name, arrived)

    def rehearse(self, folder: str) -> datetime:
        """Write, rename and remove a file that nobody picks up; when the server says it was written.

        Raises:
            SetupError: one of them may not be done.
        """
        first = f"{folder}/.rpsync-doctor-{uuid4()}{PARTIAL}"
        second = first.removesuffix(PARTIAL) + f".renamed{PARTIAL}"
        try:
            with _folder_errors(folder):
                self._sftp.putfo(io.BytesIO(b"rpsync doctor"), first)
            try:
                self._rename(first, second)
            except OSError as error:
                raise SetupError(
                    f"The SFTP server does not let us rename in '{folder}'",
                    "Ask its owner for the right: a file gets its final name only when it is whole",
                ) from error
            written = self.look(second)
        finally:
            # Whatever failed, neither name stays.
            for name in (first, second):
                with suppress(FileNotFoundError, PermissionError):
                    self._sftp.remove(name)
        if any(self.look(name) for name in (first, second)):
            raise SetupError(
                f"The SFTP server does not let us remove files in '{folder}'",
                f"Ask its owner for the right, and to remove {first} or {second}",
            )
        return written.modified_at if written else datetime.now(UTC)

    def _rename(self, temporary: str, final: str) -> None:
        try:
            self._sftp.posix_rename(temporary, final)
        except OSError:
            # Not every server knows the extension; the plain rename never replaces, and our names never collide.
            self._sftp.rename(temporary, final)


@contextmanager
def _folder_errors(folder: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SetupError(
            f"The SFTP server has no folder '{folder}'", "Create it there, or correct [sftp] in rpsync.toml"
        ) from error
    except PermissionError as error:
        raise SetupError(
            f"The SFTP server does not let us read or write in '{folder}'", "Ask its owner for the rights"
        ) from error


def _is_plain_name(name: str) -> bool:
    """A name that cannot lead out of its folder, on the server or here."""
    return name not in {"", ".", ".."} and "/" not in name and "\\" not in name and "\0" not in name


def _remote_file(folder: str, name: str, attributes: paramiko.SFTPAttributes) -> RemoteFile:
    if attributes.st_mtime is None or attributes.st_size is None:
        raise SetupError(
            f"The SFTP server does not tell size and time of '{folder}/{name}'", "Both are needed to know a whole file"
        )
    return RemoteFile(folder, name, attributes.st_size, datetime.fromtimestamp(attributes.st_mtime, UTC))
