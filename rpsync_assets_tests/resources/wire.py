"""A wire to a server that a test can cut or make slow: a TCP proxy on loopback.

Belongs here: bytes between two sockets. Does not: SSH, which it does not understand.
"""

import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rpsync_assets_tests.resources.conftest import HOST, Server

Way = Literal["up", "down"]
"""From the client to the server, and back."""


@dataclass
class Wire:
    """What becomes of connections over it.

    Attributes:
        port: where clients connect.
        cuts: the next connections are cut after so many bytes that way; those after them live.
        bytes_a_second: no more than so many are carried each way; 0 for all that come.
    """

    port: int
    way: Way = "down"
    cuts: deque[int] = field(default_factory=deque)
    bytes_a_second: int = 0
    connections: int = 0
    carried: Counter[str] = field(default_factory=Counter)


@contextmanager
def wire(server: Server, folder: Path) -> Iterator[tuple[Wire, Server]]:
    """A wire to a server, and that server as it looks from the wire's other end."""
    known = folder / "known_hosts_of_the_wire"
    with socket.create_server((HOST, 0)) as listener:
        it = Wire(listener.getsockname()[1])
        known.write_text(f"[{HOST}]:{it.port} {server.known_hosts.read_text().split(' ', 1)[1]}")
        accepting = threading.Thread(target=_accept, args=(it, listener, server.port))
        accepting.start()
        try:
            yield it, server._replace(port=it.port, known_hosts=known)
        finally:
            # Only this wakes a thread that waits for the next connection.
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(it: Wire, listener: socket.socket, port: int) -> None:
    pumps: list[threading.Thread] = []
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection((HOST, port))
            it.connections += 1
            cut = it.cuts.popleft() if it.cuts else None
            ways: tuple[tuple[Way, socket.socket, socket.socket], ...] = (
                ("up", client, server),
                ("down", server, client),
            )
            for way, source, target in ways:
                pumps.append(
                    threading.Thread(target=_pump, args=(it, way, source, target, cut if way == it.way else None))
                )
                pumps[-1].start()
    for pump in pumps:
        pump.join()


def _pump(it: Wire, way: Way, source: socket.socket, target: socket.socket, left: int | None) -> None:
    with suppress(OSError):
        while left is None or left > 0:
            data = source.recv(min(left or 65536, it.bytes_a_second // 10 or 65536))
            if not data:
                break
            target.sendall(data)
            it.carried[way] += len(data)
            left = None if left is None else left - len(data)
            if it.bytes_a_second:
                time.sleep(len(data) / it.bytes_a_second)
    # Both ends and both ways: whichever pump ends first ends the other.
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()
