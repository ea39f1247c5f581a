"""The pages' server as a process or a thread: what ``rpsync reports serve`` and ``rpsync ui`` run.

Belongs here: the port, and how it ends. Does not: the pages (``report/server``).
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from rpsync_assets import links
from rpsync_assets.core.errors import SetupError
from rpsync_assets.report.server import build_pages
from rpsync_assets.settings import Settings


def serve(settings: Settings, port: int, tell: Callable[[str], None]) -> None:
    """Serve until told to end.

    Args:
        settings: whose pages.
        port: of this machine; 0 takes a free one.
        tell: is told the address.

    Raises:
        SetupError: the port is taken.
    """
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError as error:
            raise SetupError(
                f"Port {port} of 127.0.0.1 is taken ({error.strerror})",
                "Choose another with --port, or end what is served there: rpsync ui serves the reports, too",
            ) from error
        tell(_address(door))
        _server(settings).run(sockets=[door])


@contextmanager
def serving(settings: Settings, url: str | None) -> Iterator[str]:
    """Serve while the block runs, on the usual port or, if that is taken, on a free one.

    Args:
        settings: whose pages.
        url: the address that people use, where it is another than this machine's.

    Yields:
        the address to be told.
    """
    with socket.socket() as door:
        try:
            door.bind(("127.0.0.1", links.PORT))
        except OSError:
            door.bind(("127.0.0.1", 0))
        server = _server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
        thread.start()
        try:
            yield url or _address(door)
        finally:
            server.should_exit = True
            thread.join(10)


def _server(settings: Settings) -> uvicorn.Server:
    pages = build_pages(settings)
    return uvicorn.Server(uvicorn.Config(pages, access_log=False, log_level="warning", server_header=False))


def _address(door: socket.socket) -> str:
    return f"http://127.0.0.1:{door.getsockname()[1]}"
