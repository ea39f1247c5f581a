"""The robust reader beside a plain one on the same clean file: what looking for trouble costs.

Both take the file in as it comes over the wire, checksum it, count its lines, and read it as text in blocks that end
outside quotes, on as many threads, down to the rows of active products: what any reader has to do that must not lose a
row. The plain one believes the rest: UTF-8, the usual header, whole lines, UPCs and quantities that are digits. As a
program, ``python -m rpsync_assets_tests.bench.reader plain|robust FILE FOLDER`` reads once and prints its seconds.
"""

import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from rpsync_assets.core.header import ColumnMap, read_header
from rpsync_assets.core.lines import Block, count_lines
from rpsync_assets.core.stream import WORKERS, filter_blocks
from rpsync_assets.resources.landing import Landing, blocks, first_line

PACKET = 32 * 1024
READERS = ("plain", "robust")


def measure(file: Path, folder: Path, rounds: int) -> dict[str, object]:
    """Both take turns, each in a fresh process; the median counts."""
    seconds: dict[str, list[float]] = {reader: [] for reader in READERS}
    rows: dict[str, int] = {}
    for number in range(rounds + 1):
        for reader in READERS if number % 2 else reversed(READERS):
            command = [sys.executable, "-m", "rpsync_assets_tests.bench.reader", reader, str(file), str(folder)]
            said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rows[reader] = said["rows"]
            if number:
                seconds[reader].append(said["seconds"])
    median = {reader: statistics.median(taken) for reader, taken in seconds.items()}
    return {
        "rounds": rounds,
        "median_seconds": {reader: round(second, 3) for reader, second in median.items()},
        "all_seconds": {reader: [round(second, 3) for second in taken] for reader, taken in seconds.items()},
        "rows_left": rows,
        "times_plain": round(median["robust"] / median["plain"], 2),
    }


def _packets(file: Path) -> Iterator[bytes]:
    with file.open("rb") as handle:
        yield from iter(lambda: handle.read(PACKET), b"")


def robust(file: Path, folder: Path) -> int:
    """The product's own way."""
    path = folder / "landed.csv"
    with Landing(folder).receive(path) as arrival:
        for packet in _packets(file):
            arrival.write(packet)
        arrival.finish()
    line = first_line(path, arrival.packing)
    header = read_header(line, ColumnMap())
    outcome = filter_blocks(
        blocks(path, start=len(line), packing=arrival.packing),
        header=header,
        active=pl.read_parquet(folder / "active.parquet"),
        facilities=pl.read_parquet(folder / "facilities.parquet"),
        snapshot_at=datetime.now(UTC),
    )
    if outcome.accounting.accounted != arrival.lines - header.lines:
        raise AssertionError(outcome.accounting)
    return outcome.kept.height + outcome.rejected.height


def plain(file: Path, folder: Path) -> int:
    """What is left if everything is believed."""
    path, digest, lines, inside = folder / "landed.csv", hashlib.sha256(), 0, False
    with Landing(folder).receive(path) as arrival:
        for packet in _packets(file):
            arrival.handle.write(packet)
            digest.update(packet)
            ended, inside = count_lines(packet, inside_quotes=inside)
            lines += ended
    active = pl.read_parquet(folder / "active.parquet")["gtin"].implode()
    with path.open("rb") as handle:
        names = handle.readline().decode().strip().split(",")
        start = handle.tell()

    def rows_of(block: Block) -> tuple[int, pl.DataFrame]:
        frame = pl.read_csv(block.data, has_header=False, schema=dict.fromkeys(names, pl.String))
        number = pl.col("upc").cast(pl.Int64, strict=False)
        rest = frame.filter(number.is_in(active)).select("store_code", "upc", "qty")
        return frame.height, rest.with_columns(pl.col("qty").cast(pl.Int64, strict=False))

    rests: list[tuple[int, pl.DataFrame]] = []
    pending: deque[Future[tuple[int, pl.DataFrame]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        for block in blocks(path, start=start):
            pending.append(pool.submit(rows_of, block))
            if len(pending) > WORKERS:
                rests.append(pending.popleft().result())
        rests += [future.result() for future in pending]
    if sum(rows for rows, _ in rests) != lines - 1:
        raise AssertionError(lines)
    return pl.concat([rest for _, rest in rests]).height


def main() -> None:
    """Read once."""
    reader, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    started = time.perf_counter()
    rows = {"plain": plain, "robust": robust}[reader](file, folder)
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
