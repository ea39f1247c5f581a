"""The download of a reset file beside OpenSSH's own client, from the same sshd over loopback.

Ours is what an asset does: the file lands with its checksum and its lines counted. OpenSSH's client writes it down.
"""

import statistics
import subprocess
import time
from pathlib import Path

from rpsync_assets.resources.landing import Landing
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets_tests import sshd

BYTES = 300_000_000


def measure(folder: Path, rounds: int, size: int = BYTES) -> dict[str, object]:
    """Both clients take turns; the median counts."""
    root = folder / "sshd-root"
    root.mkdir()
    _write(root / "reset.csv", size)
    seconds: dict[str, list[float]] = {"ours": [], "ours_connection_only": [], "openssh": []}
    with sshd.serving(root, folder / "sshd") as server:
        door = Sftp(
            sshd.HOST,
            server.port,
            server.username,
            server.known_hosts,
            *(".", ".", "."),
            settle_seconds=0,
            timeout_seconds=30,
            key_file=server.key_file,
        )
        for number in range(rounds + 1):
            took = {
                "ours": _timed(lambda: _land(door, folder)),
                "ours_connection_only": _timed(lambda: _list(door)),
                "openssh": _timed(lambda: fetch(server, "reset.csv", folder)),
            }
            for name, second in took.items() if number else ():
                seconds[name].append(second)
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    return {
        "bytes": size,
        "rounds": rounds,
        "median_seconds": {name: round(second, 3) for name, second in median.items()},
        "all_seconds": {name: [round(second, 3) for second in taken] for name, taken in seconds.items()},
        "megabytes_a_second": {name: round(size / 1e6 / median[name]) for name in ("ours", "openssh")},
        "times_openssh": round(median["ours"] / median["openssh"], 2),
    }


def _write(path: Path, size: int) -> None:
    lines = b"".join(b"%d,%012d,%d\n" % (number % 400, number * 7919, number % 90) for number in range(500_000))
    header = b"store_code,upc,qty\n"
    with path.open("wb") as file:
        file.write(header)
        for left in range(size - len(header), 0, -len(lines)):
            file.write(lines[:left])


def _timed(what: object) -> float:
    started = time.perf_counter()
    what()  # type: ignore[operator]
    return time.perf_counter() - started


def _list(door: Sftp) -> None:
    with door.session() as session:
        session.list(door.incoming)


def _land(door: Sftp, folder: Path) -> None:
    with door.session() as session:
        file = session.list(door.incoming)[0]
    with Landing(folder).receive(folder / "landed.csv") as arrival:
        door.download(file, arrival, lambda _done, _all: None)


def fetch(server: sshd.Sshd, path: str, folder: Path) -> None:
    """A file from the server, with OpenSSH's own client."""
    source = f"{_place(server)}:{path}"
    subprocess.run([*_client(server), source, str(folder / "fetched.csv")], check=True, capture_output=True)


def deliver(server: sshd.Sshd, file: Path) -> None:
    """A file to the server, with OpenSSH's own client."""
    command = [*_client(server), "-b", "-", _place(server)]
    put = f'put "{file}" "delivered-{file.name}"\n'
    subprocess.run(command, input=put.encode(), check=True, capture_output=True)


def _client(server: sshd.Sshd) -> list[str]:
    known = ("-o", f"UserKnownHostsFile={server.known_hosts}", "-o", "BatchMode=yes")
    return ["sftp", "-q", "-F", "none", "-i", str(server.key_file), *known, "-P", str(server.port)]


def _place(server: sshd.Sshd) -> str:
    return f"{server.username}@{sshd.HOST}"
