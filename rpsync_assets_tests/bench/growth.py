"""How time and memory grow: the filter with the length of its file, the day with the number of stores.

Belongs here: 1x, 3x and 10x of a file, and 1, 5 and 20 stores. Does not: peers (``filters``, ``day``).
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from rpsync_assets.sandbox.environment import running
from rpsync_assets.sandbox.sizes import size_named
from rpsync_assets.sandbox.stores import choose
from rpsync_assets_tests.bench import day

LENGTHS = (1, 3, 10)
STORES = (1, 5, 20)


def of_length(file: Path, folder: Path, rounds: int) -> dict[str, object]:
    """The filter of a tenth, three tenths and all of a file: median seconds and peak memory."""
    seconds: dict[int, float] = {}
    memory: dict[int, float] = {}
    rows: dict[int, int] = {}
    for length in LENGTHS:
        part = folder / f"part-{length}.csv"
        rows[length] = _beginning(file, part, length / LENGTHS[-1])
        command = [sys.executable, "-m", "rpsync_assets_tests.bench.filters", "ours", str(part), str(folder)]
        said = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(rounds + 1)
        ]
        seconds[length] = statistics.median(one["seconds"] for one in said[1:])
        memory[length] = max(one["peak_memory_mb"] for one in said)
        part.unlink()
    least, most = LENGTHS[0], LENGTHS[-1]
    return {
        "rows": rows,
        "median_seconds": {length: round(second, 3) for length, second in seconds.items()},
        "peak_memory_mb": memory,
        "times_rows": round(rows[most] / rows[least], 2),
        "times_seconds": round(seconds[most] / seconds[least], 2),
        "times_memory": round(memory[most] / memory[least], 2),
    }


def of_stores(folder: Path) -> dict[str, object]:
    """A day of 1, 5 and 20 tiny stores, one after the other in one process: seconds a store, and peak memory."""
    seconds: dict[int, float] = {}
    memory: dict[int, float] = {}
    for number in STORES:
        stores = choose(str(number))
        with running(folder / f"stores-{number}", size_named("tiny"), 7, stores) as environment:
            said = day.run(environment, [store.store_id for store in stores], folder, environment.variables)
        assert said["held"], f"the day of {number} stores did not hold"
        seconds[number], memory[number] = said["wall_seconds"], said["peak_memory_mb"]
    return {
        "wall_seconds": seconds,
        "seconds_a_store": {number: round(second / number, 2) for number, second in seconds.items()},
        "peak_memory_mb": memory,
    }


def _beginning(file: Path, part: Path, share: float) -> int:
    """Write the first share of a file, whole lines, and count its rows."""
    left, rows = int(file.stat().st_size * share), -1
    with file.open("rb") as source, part.open("wb") as sink:
        while left > 0 and (data := source.read(min(left, 1 << 22))):
            left -= len(data)
            rows += data.count(b"\n")
            sink.write(data)
        rest = source.readline()
        rows += rest.count(b"\n")
        sink.write(rest)
    return rows
