"""The 300 MB file in little memory, and memory that does not grow with the file."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rpsync_assets.sandbox.sizes import Size, scaled, size_named

MOST_MEMORY_MB = 700
MOST_GROWTH = 1.2

DAY = """
import json, os, sys
from pathlib import Path
from rpsync_assets.sandbox.demo import run_day
from rpsync_assets.sandbox.environment import running
from rpsync_assets.sandbox.sizes import Size
from rpsync_assets.sandbox.stores import choose

with running(Path(sys.argv[1]), Size(**json.loads(sys.argv[2])), 7, choose("US")) as environment:
    summary = run_day(environment, ["US"], lambda *_: None)
    print(json.dumps(summary.as_json(environment)))
"""


def day_of(folder: Path, size: Size) -> dict[str, object]:
    """A day of one store in a process of its own, whose peak memory is that of the whole job, sandbox included."""
    command = [sys.executable, "-c", DAY, str(folder), json.dumps(vars(size))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def file_bytes(summary: dict[str, object]) -> int:
    return summary["stores"]["US"]["assets"]["raw_reset_file"]["bytes"]  # type: ignore[index]


def test_a_file_three_times_as_long_takes_hardly_more_memory(tmp_path: Path) -> None:
    """Blocks are parsed and dropped; only rows that may matter are kept until the end of the file."""
    size = replace(size_named("full"), name="long", file_rows=1_000_000)
    once, thrice = (day_of(tmp_path / str(factor), scaled(size, factor)) for factor in (1, 3))
    assert once["held"]
    assert thrice["held"]
    assert file_bytes(thrice) > 2.9 * file_bytes(once)
    assert thrice["peak_memory_mb"] <= MOST_GROWTH * once["peak_memory_mb"]  # type: ignore[operator]


@pytest.mark.proof
def test_the_300_mb_file_goes_through_under_700_mb_and_three_of_it_too(tmp_path: Path) -> None:
    once, thrice = (day_of(tmp_path / str(factor), scaled(size_named("full"), factor)) for factor in (1, 3))
    assert file_bytes(once) >= 300_000_000
    assert once["held"]
    assert thrice["held"]
    assert once["peak_memory_mb"] < MOST_MEMORY_MB  # type: ignore[operator]
    assert thrice["peak_memory_mb"] <= MOST_GROWTH * once["peak_memory_mb"]  # type: ignore[operator]


@pytest.mark.proof
def test_the_season_file_is_split_into_two_balanced_parts(tmp_path: Path) -> None:
    summary = day_of(tmp_path, size_named("season"))
    assert summary["held"]
    parts = summary["stores"]["US"]["assets"]["filtered_reset_parts"]  # type: ignore[index]
    assert parts["parts"] == 2
    assert parts["dagster/row_count"] == size_named("season").kept_rows
