"""The Update Inventory API beside a bare handler: requests a second, and how long the slowest hundredth takes.

Belongs here: starting both servers as they are served in earnest, and the load. Does not: the peer (``bare_api``).

The load comes from a process of its own, over connections that stay open, each with one request on its way at a time.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from rpsync_assets.oms.tokens import new_token
from rpsync_assets_tests.bench.imports import FACILITIES, books, upca

KEYS = 20_000
TILLS = 16
REQUESTS = 4_000
SETTINGS = """
[sftp]
host = "127.0.0.1"
username = "nobody"
known_hosts = "known_hosts"
[stores.US]
time_zone = "America/New_York"
channel = "US_ONLINE"
"""


def measure(folder: Path, rounds: int) -> dict[str, object]:
    """Both servers by turns, each on its own copy of the same books.

    Returns:
        Medians of requests a second and of the 50th and 99th percentile in milliseconds, and the ratio.
    """
    token, pair = new_token("till")
    (folder / "rpsync.toml").write_text(SETTINGS)
    path = {tool: folder / f"{tool}.sqlite" for tool in ("ours", "bare")}
    for place in path.values():
        books(place, KEYS).dispose()
    port = {tool: _free_port() for tool in path}
    environment = {
        "ours": {
            "RPSYNC_CONFIG": str(folder / "rpsync.toml"),
            "RPSYNC_API_TOKENS": pair,
            "RPSYNC_OMS_DATABASE_URL": f"sqlite:///{path['ours']}",
        },
        "bare": {"BENCH_DATABASE": str(path["bare"])},
    }
    command = {
        "ours": [str(Path(sys.executable).parent / "rpsync"), "oms", "serve", "--port", str(port["ours"])],
        "bare": [
            *(sys.executable, "-m", "uvicorn", "rpsync_assets_tests.bench.bare_api:app", "--port", str(port["bare"])),
            *("--no-access-log", "--log-level", "warning", "--no-server-header"),
        ],
    }
    found: dict[str, list[dict[str, float]]] = {tool: [] for tool in path}
    with (
        _served(command["ours"], environment["ours"], port["ours"]),
        _served(command["bare"], environment["bare"], port["bare"]),
    ):
        for number in range(rounds + 1):
            for tool in path:
                load = [sys.executable, "-m", "rpsync_assets_tests.bench.api", str(port[tool]), token, str(number)]
                said = json.loads(subprocess.run(load, check=True, capture_output=True, text=True).stdout)
                if number:  # the first one warms up
                    found[tool].append(said)
    median = {
        tool: {name: round(statistics.median(one[name] for one in rows), 2) for name in rows[0]}
        for tool, rows in found.items()
    }
    ratio = round(median["ours"]["requests_per_second"] / median["bare"]["requests_per_second"], 2)
    return {"tills": TILLS, "requests": REQUESTS, "median": median, "times_bare_handler": ratio}


@contextmanager
def _served(command: list[str], environment: dict[str, str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                with suppress(httpx2.TransportError):
                    if httpx2.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                        break
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command} does not come up")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def _till(port: int, token: str, keys: Iterator[int], number: str, waits: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for key in keys:
        body = json.dumps(
            {
                "facilityId": f"F{key % FACILITIES}",
                "availableDelta": -1,
                "idType": "UPCA",
                "idValue": upca(key * 7919 % (KEYS // FACILITIES)),
                "locationSeqId": "TLTLTLLL01",
                "varianceReasonId": "POS_SALE",
            }
        ).encode()
        head = (
            f"POST /api/service/updateInventoryByIdentification HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\nIdempotency-Key: {number}-{key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        started = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        waits.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()


async def _load(port: int, token: str, number: str) -> dict[str, float]:
    keys, waits = iter(range(REQUESTS)), list[float]()
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tills:
        for _ in range(TILLS):
            tills.create_task(_till(port, token, keys, number, waits))
    seconds = time.perf_counter() - started
    cuts = statistics.quantiles(waits, n=100)
    return {"requests_per_second": len(waits) / seconds, "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_load(int(sys.argv[1]), sys.argv[2], sys.argv[3]))))  # noqa: T201  told to measure()
