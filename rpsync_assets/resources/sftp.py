"""The door to the SFTP server, by paramiko: where it is, who we are, and that it is the one it claims to be.

Belongs here: sessions, host keys, keys, and paramiko's many exceptions turned into our few. Does not: what is done in a
session (``resources/sftp_session``).

Host keys are always verified: an unknown or changed key is refused with its fingerprint.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.pkey import UnknownKeyType  # type: ignore[attr-defined]
from paramiko.ssh_exception import IncompatiblePeer

from rpsync_assets.core.errors import RpsyncError, SetupError, UnreachableError
from rpsync_assets.resources.sftp_requests import UNDER_WAY_BYTES
from rpsync_assets.resources.sftp_session import RemoteFile, SftpSession, Sink, one_line

KEEPALIVE_SECONDS = 15
HURRY_SECONDS = 10.0
"""For one answer, where somebody looks every minute: a tick of Dagster's that lasts longer than 60 s is lost."""
_NO_ANSWER_TO_LOGIN = ("saw EOF", "timeout")
"""How paramiko calls a login that was not refused but never answered."""

_log = logging.getLogger(__name__)


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
    def session(self) -> Iterator[SftpSession]:
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
                f"{server} and we have no way of encryption in common: {one_line(error)}",
                "Ask its owner for a server of this decade",
            ) from error
        except PermissionError as error:
            raise SetupError(
                f"{server} refuses: {one_line(error)}", "Ask its owner for the rights on the folders of [sftp]"
            ) from error
        except (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError, UnicodeDecodeError) as error:
            raise UnreachableError(
                f"SFTP server {server}: {one_line(error) or type(error).__name__}",
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
