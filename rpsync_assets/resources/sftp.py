"""The door to the SFTP server, by paramiko: list, look, download, upload.

Belongs here: sessions, host keys, stage-then-rename, and paramiko's many exceptions turned into our few. Does not:
which file is the day's (``assets/retail_pro``) or whether it may be sent (``core/guards``).

Host keys are always verified: an unknown or changed key is refused with its fingerprint. Bytes travel by requests of
our own (``_Requests``), written with paramiko's packets: its ``getfo`` was measured 2.5 times slower, because it asks
for 32 KB at a time whatever the server offers; its ``putfo`` never looks at the answers to its last hundred writes.

What arrived is compared: an upload is read back before it gets its name. The extension ``check-file`` would spare that,
but OpenSSH does not have it, so it is not used.
"""

import hashlib
import logging
import socket
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from uuid import uuid4

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.pkey import UnknownKeyType  # type: ignore[attr-defined]
from paramiko.sftp import CMD_CLOSE, CMD_EXTENDED, CMD_OPENDIR, CMD_READ, CMD_READDIR, CMD_STATUS, CMD_WRITE, int64
from paramiko.ssh_exception import IncompatiblePeer

from rpsync_assets.core.errors import BusyError, RpsyncError, SetupError, UnreachableError

PARTIAL = ".part"
"""Temporary names end so; HotWax picks up ``*.csv`` only."""
SMALLEST_BLOCK = 32_768
"""Every server takes and answers requests of this size."""
LARGEST_BLOCK = 262_144
UNDER_WAY_BYTES = 64 * SMALLEST_BLOCK
"""Asked for and not answered yet, as much as OpenSSH's own client does; with more, some servers hang."""
KEEPALIVE_SECONDS = 15
HURRY_SECONDS = 10.0
"""For one answer, where somebody looks every minute: a tick of Dagster's that lasts longer than 60 s is lost."""
TELL_SECONDS = 2.0
_NO_ANSWER_TO_LOGIN = ("saw EOF", "timeout")
"""How paramiko calls a login that was not refused but never answered."""

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


class _Counting:
    """A sink that knows how much it has taken: there a broken download goes on."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.taken = 0

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        self.taken += len(data)
        return len(data)


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
    # A download whose connection breaks goes on after each of these, then gives up.
    pauses: tuple[float, ...] = (1, 5, 20)

    @property
    def hurried(self) -> "Sftp":
        """The same server for a look that must end within seconds: a sensor's."""
        return replace(self, timeout_seconds=min(self.timeout_seconds, HURRY_SECONDS))

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
                yield SftpSession(self._opened(self._connect(client)))
        finally:
            client.close()

    def download(self, file: RemoteFile, sink: Sink, on_bytes: Callable[[int, int], None]) -> None:
        """Stream a file into a sink; when the connection breaks, a new session goes on where it stopped.

        That is safe because each session looks before and after: size and time are those that were listed, so all
        bytes are of one file, and the sink has taken each once, in order.

        Args:
            file: as listed; its size is what must arrive.
            sink: takes the bytes.
            on_bytes: called with bytes so far and bytes in all.

        Raises:
            BusyError: the file on the server is not the one that was listed.
            UnreachableError: the connection broke once more than there are ``pauses``.
        """
        counting = _Counting(sink)
        for pause in (*self.pauses, None):
            try:
                with self.session() as session:
                    return session.download(file, counting, on_bytes, counting.taken)
            except UnreachableError as error:
                if pause is None:
                    raise
                _log.warning("%s It goes on at byte %d in %g s", error, counting.taken, pause)
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _opened(self, transport: paramiko.Transport) -> paramiko.SFTPClient:
        """What ``open_sftp`` does, but a server that lets one in and then says nothing (its disk hangs) is given up."""
        channel = transport.open_session(timeout=self.timeout_seconds)
        # For one answer, not for a file: it does not end a slow transfer while bytes flow.
        channel.settimeout(self.timeout_seconds)
        channel.invoke_subsystem("sftp")
        return paramiko.SFTPClient(channel)

    def _connect(self, client: paramiko.SSHClient) -> paramiko.Transport:
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
            pkey=_private_key(self.key_file) if self.key_file else None,
            look_for_keys=False,
            allow_agent=False,
            timeout=self.timeout_seconds,
            banner_timeout=self.timeout_seconds,
            auth_timeout=self.timeout_seconds,
            transport_factory=_transport,  # type: ignore[arg-type]
        )
        transport = client.get_transport()
        if transport is None:
            raise EOFError("the connection was lost after the login")
        transport.set_keepalive(KEEPALIVE_SECONDS)
        return transport

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
            if any(words in str(error) for words in _NO_ANSWER_TO_LOGIN):
                raise UnreachableError(
                    f"{server} did not answer the login of user '{self.username}'", "The same run again may pass"
                ) from error
            raise SetupError(
                f"{server} refused the login of user '{self.username}'",
                "Check RPSYNC_SFTP_PASSWORD or RPSYNC_SFTP_KEY_FILE",
            ) from error
        except IncompatiblePeer as error:
            raise SetupError(
                f"{server} and we have no way of encryption in common: {_one_line(error)}",
                "Ask its owner for a server of this decade",
            ) from error
        except PermissionError as error:
            raise SetupError(
                f"{server} refuses: {_one_line(error)}", "Ask its owner for the rights on the folders of [sftp]"
            ) from error
        except (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError, UnicodeDecodeError) as error:
            raise UnreachableError(
                f"SFTP server {server}: {_one_line(error) or type(error).__name__}",
                "Check that it is up and reachable from here; the same run again may pass",
            ) from error


def _private_key(path: Path) -> paramiko.PKey:
    """The key to log in with."""
    name = f"The key file {path} of RPSYNC_SFTP_KEY_FILE"
    try:
        return paramiko.PKey.from_path(path)
    except OSError as error:
        raise SetupError(f"{name} cannot be read: {error.strerror}", "Correct the path, or its rights") from error
    except TypeError as error:
        raise SetupError(
            f"{name} has a passphrase, and nobody is here to type it",
            "Use a key of its own for this login, without one ('ssh-keygen -p' takes it off) and readable by us only",
        ) from error
    except (ValueError, paramiko.SSHException, UnknownKeyType, UnsupportedAlgorithm) as error:
        raise SetupError(
            f"{name} is no private key that we can read", "Make one with 'ssh-keygen -t ed25519'"
        ) from error


def _transport(sock: socket.socket, **options: object) -> paramiko.Transport:
    """paramiko's, but with AES-GCM first, one pass over the bytes instead of two, and requests that leave at once."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(sock, default_window_size=2 * UNDER_WAY_BYTES, **options)  # type: ignore[arg-type]
    offered = transport.get_security_options()
    offered.ciphers = sorted(offered.ciphers, key=lambda name: "-gcm@" not in name)  # type: ignore[assignment]
    return transport


class _RefuseUnknownKey(paramiko.MissingHostKeyPolicy):
    """Refuse, and say which key was shown."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        raise SetupError(
            f"The host key of {hostname} is unknown: it shows {key.get_name()} {key.fingerprint}",
            "Compare the fingerprint with the server's owner, then add the key to the file of [sftp] known_hosts",
        )


class _Requests:
    """Requests with many under way, whose answers are taken in any order.

    The private names are paramiko's; ``constraints.txt`` and the tests on real servers hold them still.
    """

    def __init__(self, sftp: paramiko.SFTPClient) -> None:
        self._sftp: Any = sftp
        self._arrived: dict[int, tuple[int, paramiko.Message]] = {}

    def ask(self, kind: int, *values: object) -> int:
        """Send a request; its number is what the answer is asked for by."""
        return self._sftp._async_request(self, kind, *values)  # noqa: SLF001

    def answer(self, number: int) -> paramiko.Message:
        """Wait for the answer; a refusal is raised as paramiko does, the end of the file as ``EOFError``."""
        while number not in self._arrived:
            self._sftp._read_response()  # noqa: SLF001
        kind, message = self._arrived.pop(number)
        if kind == CMD_STATUS:
            self._sftp._convert_status(message)  # noqa: SLF001
        return message

    def limits(self) -> tuple[int, int]:
        """How much the server gives, and takes, at a time, if it says so as OpenSSH does."""
        try:
            answer = self.answer(self.ask(CMD_EXTENDED, "limits@openssh.com"))
        except OSError:
            return SMALLEST_BLOCK, SMALLEST_BLOCK
        _packet, read, write = answer.get_int64(), answer.get_int64(), answer.get_int64()
        # Zero: it has none, or does not tell.
        return min(read or SMALLEST_BLOCK, LARGEST_BLOCK), min(write or SMALLEST_BLOCK, LARGEST_BLOCK)

    def _async_response(self, kind: int, message: paramiko.Message, number: int) -> None:
        """Called by paramiko for each answer that arrives."""
        self._arrived[number] = (kind, message)


def _attributes(message: paramiko.Message) -> paramiko.SFTPAttributes:
    return paramiko.SFTPAttributes._from_msg(message)  # type: ignore[attr-defined]  # noqa: SLF001


class SftpSession:
    """The verbs, on an open session."""

    def __init__(self, sftp: paramiko.SFTPClient) -> None:
        self._sftp = sftp
        self._read_block, self._write_block = _Requests(sftp).limits()

    def list(self, folder: str) -> list[RemoteFile]:
        """The plain files in a folder, oldest first.

        Raises:
            SetupError: the folder does not exist or may not be read.
        """
        with _folder_errors(folder):
            found = list(self._entries(folder))
        files = []
        for name, attributes in found:
            if not stat.S_ISREG(attributes.st_mode or 0):
                continue
            if _is_plain_name(name):
                files.append(_remote_file(folder, name, attributes))
            else:
                _log.warning("%s holds a file with an impossible name, which is left alone: %a", folder, name)
        return sorted(files, key=lambda file: (file.modified_at, file.name))

    def _entries(self, folder: str) -> Iterator[tuple[str, paramiko.SFTPAttributes]]:
        """Everything in a folder. paramiko's own listing fails as a whole on one name that is not UTF-8."""
        requests = _Requests(self._sftp)
        handle = requests.answer(requests.ask(CMD_OPENDIR, folder)).get_binary()
        try:
            while True:
                answer = requests.answer(requests.ask(CMD_READDIR, handle))
                for _ in range(answer.get_int()):
                    name, _long = answer.get_binary(), answer.get_binary()
                    yield name.decode("utf-8", "surrogateescape"), _attributes(answer)
        except EOFError:
            requests.answer(requests.ask(CMD_CLOSE, handle))

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
        for block in self._blocks(file.path, start, file.size):
            sink.write(block)
            done += len(block)
            on_bytes(done, file.size)
        self._refuse_change(file)
        if done != file.size:
            raise UnreachableError(
                f"The SFTP server gave {done} of {file.size} bytes of {file.path} and says that this is all",
                "The same run again may pass",
            )

    def _blocks(self, path: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes of a file in order, fewer if it ends earlier."""
        with self._sftp.open(path, "rb") as handle:
            requests = _Requests(self._sftp)
            under_way: deque[tuple[int, int, int]] = deque()

            def ask(offset: int, size: int) -> tuple[int, int, int]:
                return requests.ask(CMD_READ, handle.handle, int64(offset), size), offset, size

            asked = start
            while under_way or asked < end:
                while asked < end and len(under_way) * self._read_block < UNDER_WAY_BYTES:
                    under_way.append(ask(asked, min(self._read_block, end - asked)))
                    asked += under_way[-1][2]
                number, offset, size = under_way.popleft()
                try:
                    block = requests.answer(number).get_string()
                except EOFError:
                    return
                if not 0 < len(block) <= size:
                    raise paramiko.SFTPError(f"it answered a request for {size} bytes with {len(block)}")
                yield block
                if len(block) < size:
                    # The protocol lets a server give less than it was asked for.
                    under_way.appendleft(ask(offset + len(block), size - len(block)))

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
        with _folder_errors(folder):
            try:
                with self._storing(temporary):
                    self._write(temporary, content)
                arrived = self._compare(temporary, content)
                self._rename(temporary, final)
            except Exception:
                with suppress(paramiko.SSHException, OSError):
                    self._sftp.remove(temporary)
                raise
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
                f"The SFTP server could not store {path}: it says '{_one_line(error)}'. Most likely its disk, or our"
                " quota on it, is full",
                "Ask its owner for room; the same run again sends the file then",
            ) from error

    def _said(self, error: OSError) -> bool:
        """The server itself said no; otherwise no answer came, and nobody knows what it did."""
        channel = self._sftp.get_channel()
        return channel is not None and not channel.closed and not isinstance(error, TimeoutError)

    def _write(self, path: str, content: bytes) -> None:
        tell = telling(path)
        with self._sftp.open(path, "wb") as handle:
            requests = _Requests(self._sftp)
            under_way: deque[tuple[int, int]] = deque()
            asked = 0
            while under_way or asked < len(content):
                while asked < len(content) and len(under_way) * self._write_block < UNDER_WAY_BYTES:
                    block = content[asked : asked + self._write_block]
                    number = requests.ask(CMD_WRITE, handle.handle, int64(asked), block)
                    asked += len(block)
                    under_way.append((number, asked))
                number, done = under_way.popleft()
                requests.answer(number)
                tell(done, len(content))

    def _compare(self, path: str, content: bytes) -> paramiko.SFTPAttributes:
        """Read back what arrived."""
        arrived = self._sftp.stat(path)
        digest = hashlib.sha256()
        for block in self._blocks(path, 0, arrived.st_size or 0):
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
                f"The SFTP server does not let us rename {temporary} to {final}: it says '{_one_line(error)}'",
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


def telling(path: str) -> Callable[[int, int], None]:
    """Say how far a long transfer is, every ten percent or two seconds, whichever is rarer."""
    told_at, told_percent = time.monotonic(), 0

    def tell(done: int, total: int) -> None:
        nonlocal told_at, told_percent
        percent = 100 * done // total if total else 100
        now = time.monotonic()
        if percent >= told_percent + 10 and now - told_at >= TELL_SECONDS:
            told_at, told_percent = now, percent
            _log.info("%s: %d%% of %.0f MB", path, percent, total / 1e6)

    return tell


def _is_plain_name(name: str) -> bool:
    """A name that cannot lead out of its folder, on the server or here, nor break a line of a log."""
    return name not in {"", ".", ".."} and "/" not in name and "\\" not in name and name.isprintable()


def _one_line(error: BaseException) -> str:
    """What a server said, with nothing in it that could pass for another line of our log."""
    return "".join(sign if sign.isprintable() else " " for sign in str(error))[:300].strip()


def _remote_file(folder: str, name: str, attributes: paramiko.SFTPAttributes) -> RemoteFile:
    if attributes.st_mtime is None or attributes.st_size is None:
        raise SetupError(
            f"The SFTP server does not tell size and time of '{folder}/{name}'", "Both are needed to know a whole file"
        )
    return RemoteFile(folder, name, attributes.st_size, datetime.fromtimestamp(attributes.st_mtime, UTC))
