"""The verbs on an open SFTP session: list, look, download, upload.

Belongs here: stage-then-rename, comparing, and what a folder refuses. Does not: logging in (``resources/sftp``),
packets (``resources/sftp_requests``), which file is the day's (``core/arrival``), whether it may be sent
(``core/guards``).

What arrived is compared: an upload is read back before it gets its name. The extension ``check-file`` would spare that,
but OpenSSH does not have it, so it is not used.
"""

import hashlib
import logging
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Protocol
from uuid import uuid4

import paramiko

from rpsync_assets.core.errors import BusyError, SetupError, UnreachableError
from rpsync_assets.resources.sftp_requests import block_sizes, entries, read_blocks, write_blocks
from rpsync_assets.telling import telling

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


class SftpSession:
    """The verbs, on an open session."""

    def __init__(self, sftp: paramiko.SFTPClient) -> None:
        self._sftp = sftp
        self._read_block, self._write_block = block_sizes(sftp)

    def list(self, folder: str) -> list[RemoteFile]:
        """The plain files in a folder, oldest first.

        Raises:
            SetupError: the folder does not exist or may not be read.
        """
        with _folder_errors(folder):
            found = list(entries(self._sftp, folder))
        files = []
        for name, attributes in found:
            if not stat.S_ISREG(attributes.st_mode or 0):
                continue
            if _is_plain_name(name):
                files.append(_remote_file(folder, name, attributes))
            else:
                _log.warning("%s holds a file with an impossible name, which is left alone: %a", folder, name)
        return sorted(files, key=lambda file: (file.modified_at, file.name))

    def look(self, path: str) -> RemoteFile | None:
        """A file's size and time now, or None when there is none."""
        try:
            attributes = self._sftp.stat(path)
        except FileNotFoundError:
            return None
        place = PurePosixPath(path)
        return _remote_file(str(place.parent), place.name, attributes)

    def download(self, file: RemoteFile, sink: Sink, on_bytes: Callable[[int, int], None], start: int = 0) -> None:
        """Stream a file into a sink; ``Sftp.download`` does so over as many sessions as it takes.

        Args:
            file: as listed; its size is what must arrive.
            sink: takes the bytes.
            on_bytes: called with bytes so far and bytes in all.
            start: the first byte that the sink has not taken.

        Raises:
            BusyError: the file on the server is not the one that was listed, neither before nor after.
        """
        self._refuse_change(file)
        done = start
        for block in read_blocks(self._sftp, file.path, start, file.size, self._read_block):
            sink.write(block)
            done += len(block)
            on_bytes(done, file.size)
        self._refuse_change(file)
        if done != file.size:
            raise UnreachableError(
                f"The SFTP server gave {done} of {file.size} bytes of {file.path} and says that this is all",
                "The same run again may pass",
            )

    def _refuse_change(self, file: RemoteFile) -> None:
        now = self.look(file.path)
        if now is None or (now.size, now.modified_at) != (file.size, file.modified_at):
            raise BusyError(
                f"{file.path} is still being written: {file.size} bytes a moment ago,"
                f" {now.size if now else 'gone'}{' bytes' if now else ''} now",
                "Wait until Retail Pro has finished; a rerun helps then",
            )

    def upload(self, folder: str, name: str, content: bytes) -> RemoteFile:
        """Put a file under its final name all at once: temporary name, read back and compare, rename.

        A temporary file of an earlier upload that broke off is written over. One that we leave is removed if the
        server still listens.

        Raises:
            SetupError: the folder does not exist or may not be written, the server has no room, or forbids to rename.
            UnreachableError: what arrived is not what was sent, or the connection was lost; if that happened while the
                file was renamed, it may lie under its final name.
        """
        final = f"{folder}/{name}"
        temporary = final + PARTIAL
        with _folder_errors(folder), ExitStack() as left:
            left.callback(self._remove_if_it_can, temporary)
            with self._storing(temporary):
                self._write(temporary, content)
            arrived = self._compare(temporary, content)
            self._rename(temporary, final)
            # It has its final name: nothing is left.
            left.pop_all()
        delivered = self.look(final)
        _log.info("delivered %s, %d bytes", final, len(content))
        # HotWax may have taken it already: then what we just renamed is what it took.
        return delivered or _remote_file(folder, name, arrived)

    def _remove_if_it_can(self, path: str) -> None:
        with suppress(paramiko.SSHException, OSError):
            self._sftp.remove(path)

    def rehearse(self, folder: str) -> datetime:
        """Write, rename and remove a file that nobody picks up; when the server says it was written.

        Raises:
            SetupError: one of them may not be done.
        """
        first = f"{folder}/.rpsync-doctor-{uuid4()}{PARTIAL}"
        second = first.removesuffix(PARTIAL) + f".renamed{PARTIAL}"
        try:
            with _folder_errors(folder), self._storing(first):
                self._write(first, b"rpsync doctor")
            self._rename(first, second)
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

    @contextmanager
    def _storing(self, path: str) -> Iterator[None]:
        """Say that there is no room: SFTP has no word for it, servers say "Failure"."""
        try:
            yield
        except (FileNotFoundError, PermissionError):
            raise
        except OSError as error:
            if not self._said(error):
                raise
            raise SetupError(
                f"The SFTP server could not store {path}: it says '{one_line(error)}'. Most likely its disk, or our"
                " quota on it, is full",
                "Ask its owner for room; the same run again sends the file then",
            ) from error

    def _said(self, error: OSError) -> bool:
        """The server itself said no; otherwise no answer came, and nobody knows what it did."""
        channel = self._sftp.get_channel()
        return channel is not None and not channel.closed and not isinstance(error, TimeoutError)

    def _write(self, path: str, content: bytes) -> None:
        write_blocks(self._sftp, path, content, self._write_block, telling(path))

    def _compare(self, path: str, content: bytes) -> paramiko.SFTPAttributes:
        """Read back what arrived."""
        arrived = self._sftp.stat(path)
        digest = hashlib.sha256()
        for block in read_blocks(self._sftp, path, 0, arrived.st_size or 0, self._read_block):
            digest.update(block)
        if digest.digest() != hashlib.sha256(content).digest():
            raise UnreachableError(
                f"{path} does not read back as it was sent: {arrived.st_size} of {len(content)} bytes,"
                f" SHA-256 {digest.hexdigest()}",
                "The same run again may pass; if it does not, ask the server's owner about its disk",
            )
        return arrived

    def _rename(self, temporary: str, final: str) -> None:
        """Rename, by whatever way the server permits; each of them shows the whole file or none."""
        try:
            return self._sftp.posix_rename(temporary, final)
        except OSError as error:
            # Not every server knows the extension, or permits it.
            if not self._said(error):
                raise
        try:
            self._rename_plainly(temporary, final)
        except OSError as error:
            if not self._said(error):
                raise
            raise SetupError(
                f"The SFTP server does not let us rename {temporary} to {final}: it says '{one_line(error)}'",
                "Ask its owner for the right to rename in that folder: a file must appear there whole, or not at all",
            ) from error

    def _rename_plainly(self, temporary: str, final: str) -> None:
        try:
            self._sftp.rename(temporary, final)
        except PermissionError:
            raise
        except OSError as error:
            if not self._said(error) or self.look(final) is None:
                raise
        else:
            return
        # It does not replace. What lies there is of an earlier run of ours: a name has one content only.
        with suppress(FileNotFoundError):
            self._sftp.remove(final)
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
    """A name that cannot lead out of its folder, on the server or here, nor break a line of a log."""
    return name not in {"", ".", ".."} and "/" not in name and "\\" not in name and name.isprintable()


def one_line(error: BaseException) -> str:
    """What a server said, with nothing in it that could pass for another line of our log."""
    return "".join(sign if sign.isprintable() else " " for sign in str(error))[:300].strip()


def _remote_file(folder: str, name: str, attributes: paramiko.SFTPAttributes) -> RemoteFile:
    if attributes.st_mtime is None or attributes.st_size is None:
        raise SetupError(
            f"The SFTP server does not tell size and time of '{folder}/{name}'", "Both are needed to know a whole file"
        )
    return RemoteFile(folder, name, attributes.st_size, datetime.fromtimestamp(attributes.st_mtime, UTC))
