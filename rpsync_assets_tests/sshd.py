"""A real OpenSSH server on loopback, with host key, login key and configuration of its own.

Belongs here: starting, stopping and reaching it. Does not: what is tested on it, the library's server (the sandbox's
``sftp_server``). It serves one folder as a login's home; the one who runs the tests logs in as themselves by key.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rpsync_assets_tests.services import missing

HOST = "127.0.0.1"
SSHD = "RPSYNC_TEST_SSHD"
"""The server's program, where it is not on the path."""


@dataclass(frozen=True)
class Sshd:
    """Where it listens, and what a client needs to log in."""

    port: int
    username: str
    known_hosts: Path
    key_file: Path


@contextmanager
def serving(root: Path, work: Path, options: str = "", subsystem: str = "") -> Iterator[Sshd]:
    """A server that shows ``root`` as the folder one logs in to, and keeps its own files in ``work``.

    Args:
        root: the folder.
        work: host key, login key and configuration go here.
        options: for ``internal-sftp``: ``-R`` is read-only, ``-P rename,posix-rename`` forbids these requests.
        subsystem: what answers in place of ``internal-sftp``.
    """
    program = _program()
    work.mkdir(parents=True, exist_ok=True)
    for name in ("host", "login"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(work / name))
    port, username = _free_port(), pwd.getpwuid(os.geteuid()).pw_name
    config = work / "sshd_config"
    config.write_text(
        f"ListenAddress {HOST}:{port}\n"
        f"HostKey {work / 'host'}\n"
        f"PidFile none\n"
        f"AuthorizedKeysFile {work / 'login.pub'}\n"
        "AuthenticationMethods publickey\n"
        "PermitRootLogin prohibit-password\n"
        # Temporary folders are everybody's; these keys open a loopback port for the length of a test.
        "StrictModes no\n"
        "UsePAM no\n"
        # A test opens many connections one after the other.
        "MaxStartups 100\n"
        "Subsystem sftp internal-sftp\n"
        f"ForceCommand {subsystem or f'internal-sftp -d {root} {options}'}\n"
    )
    public = " ".join((work / "host.pub").read_text().split()[:2])
    (work / "known_hosts").write_text(f"[{HOST}]:{port} {public}\n")
    log = (work / "log").open("wb")
    with log, subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=log) as server:
        try:
            _wait(server, port, work / "log")
            yield Sshd(port, username, work / "known_hosts", work / "login")
        finally:
            server.terminate()


def _program() -> str:
    """Its whole path, as it wants to be started, or the end of the test."""
    wanted = os.environ.get(SSHD) or "sshd"
    program = shutil.which(wanted, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None or shutil.which("ssh-keygen") is None:
        missing(
            "sshd",
            f"OpenSSH's server {wanted} is not here; apt-get install openssh-server openssh-client, or set {SSHD}",
        )
    if os.geteuid() == 0:
        # Its unprivileged half lives there; a service manager that never started it has not made it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return program


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        return taken.getsockname()[1]


def _wait(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection((HOST, port), 1) as greeted:
                if greeted.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"sshd did not come up: {log.read_text()}")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
