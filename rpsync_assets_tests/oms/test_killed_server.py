"""The API's server killed with SIGKILL under load: every acknowledged sale is in the ledger exactly once.

Belongs here: the real ``rpsync oms serve`` and tills that ask again with the same key, as tills do. Does not: what an
answer says (``test_api``).
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx2

from rpsync_assets.oms.ledger import verify
from rpsync_assets.oms.tokens import new_token
from rpsync_assets_tests.oms.books import Books
from rpsync_assets_tests.oms.test_api import SALE, UPDATE

TILLS = 8
OPENING = 100_000
TOKEN, PAIR = new_token("till")
SETTINGS = """
[sftp]
host = "127.0.0.1"
username = "nobody"
known_hosts = "known_hosts"
[stores.US]
time_zone = "America/New_York"
channel = "US_ONLINE"
"""


@dataclass
class Till:
    """Sells one piece after the other, and asks again for what was never answered."""

    name: int
    sold: int = 0
    acknowledged: set[str] = field(default_factory=set)
    unanswered: list[str] = field(default_factory=list)
    interrupted: int = 0
    replays: int = 0

    def sell_until_the_line_breaks(self, url: str) -> None:
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10) as client:
            while True:
                key = self.unanswered.pop() if self.unanswered else self._next_key()
                try:
                    answer = client.post(UPDATE, json=SALE, headers={"Idempotency-Key": key})
                except httpx2.TransportError as error:
                    self.unanswered.append(key)
                    # One that came too late to connect was not interrupted.
                    self.interrupted += not isinstance(error, httpx2.ConnectError)
                    return
                assert answer.status_code == 200, answer.text
                self.acknowledged.add(key)
                self.replays += "Idempotent-Replayed" in answer.headers

    def _next_key(self) -> str:
        self.sold += 1
        return f"till-{self.name}-{self.sold}"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def served(books: Books, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The server as a user starts it, once it says that it is well."""
    port = free_port()
    known = {"RPSYNC_CONFIG": str(folder / "rpsync.toml"), "RPSYNC_API_TOKENS": PAIR}
    environment = {**os.environ, **known, "RPSYNC_OMS_DATABASE_URL": str(books.engine.url)}
    command = [str(Path(sys.executable).parent / "rpsync"), "oms", "serve", "--port", str(port)]
    with (folder / "server.log").open("ab") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 60
            while not _well(url):
                assert process.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < deadline, "the server does not come up"
                time.sleep(0.02)
            yield url, process
        finally:
            process.kill()


def _well(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


def kill_under_load(books: Books, folder: Path, times: int) -> None:
    (folder / "rpsync.toml").write_text(SETTINGS)
    item = books.stock("F1", "A", OPENING)
    tills, chance = [Till(number) for number in range(TILLS)], Random(times)  # noqa: S311  a story that repeats
    for _ in range(times):
        with served(books, folder) as (url, process):
            threads = [threading.Thread(target=till.sell_until_the_line_breaks, args=(url,)) for till in tills]
            already = sum(len(till.acknowledged) for till in tills)
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 30
            while sum(len(till.acknowledged) for till in tills) == already:
                assert time.monotonic() < deadline, "nobody is answered"
                time.sleep(0.005)
            time.sleep(chance.uniform(0.03, 0.25))
            process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join(timeout=30)
    assert sum(till.interrupted for till in tills) >= times, "the kills hit tills that waited for an answer"

    with served(books, folder) as (url, process):
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
            for till in tills:
                for key in till.unanswered:
                    assert client.post(UPDATE, json=SALE, headers={"Idempotency-Key": key}).status_code == 200
                    till.acknowledged.add(key)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)

    acknowledged = {key for till in tills for key in till.acknowledged}
    in_the_ledger = books.ask(
        "SELECT U.IDEMPOTENCY_KEY FROM INVENTORY_UPDATE U JOIN INVENTORY_ITEM_DETAIL D"
        " ON D.INVENTORY_ITEM_ID = U.INVENTORY_ITEM_ID"
        " AND D.INVENTORY_ITEM_DETAIL_SEQ_ID = U.INVENTORY_ITEM_DETAIL_SEQ_ID"
        " WHERE D.QUANTITY_ON_HAND_DIFF = -1"
    )
    assert sorted(key for (key,) in in_the_ledger) == sorted(acknowledged)
    assert books.ask("SELECT COUNT(*) FROM INVENTORY_ITEM_DETAIL WHERE INVENTORY_ITEM_ID = :item", item=item) == [
        (len(acknowledged) + 1,)
    ]
    assert books.totals("F1", "A") == (OPENING - len(acknowledged),) * 2
    with books.engine.begin() as connection:
        assert verify(connection).disagreements == []


def test_a_server_that_is_killed_twenty_times_under_load_loses_no_acknowledged_sale_and_doubles_none(
    tmp_path: Path,
) -> None:
    kill_under_load(Books(tmp_path), tmp_path, times=20)
