"""A line is found by its number, and numbered by its place, as if the file had been read from its start."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpsync_assets.core import lines
from rpsync_assets.core.encoding import Packing
from rpsync_assets.resources import line_marks
from rpsync_assets.resources.landing import Arrival, Landing, raw_lines

TEXT = st.lists(st.sampled_from([b"a", b"\n", b'"', b'""', b"\r\n", b'"b\nc"', b"d,e\n"]), max_size=60).map(b"".join)


def records_of(content: bytes) -> list[tuple[int, bytes]]:
    """Byte by byte: where each record begins, and its text; a last one that never ends loses its line feed, too."""
    found, begins, inside = [], 0, False
    for place, byte in enumerate(content):
        inside ^= byte == ord('"')
        if byte == ord("\n") and not inside:
            found.append((begins, content[begins:place]))
            begins = place + 1
    return [*found, (begins, content[begins:].removesuffix(b"\n"))] if begins < len(content) else found


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark after every few bytes."""
    for room in (lines, line_marks):
        monkeypatch.setattr(room, "MARK_EVERY_BYTES", 7)


def land(path: Path, content: bytes, piece: int = 5) -> Arrival:
    """Receive a file in small pieces."""
    with Landing(path.parent).receive(path) as arrival:
        for start in range(0, len(content), piece):
            arrival.write(content[start : start + piece])
        arrival.finish()
    return arrival


@pytest.mark.usefixtures("often")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=TEXT, piece=st.integers(1, 20), wanted=st.lists(st.integers(1, 70)), kept=st.booleans())
def test_any_line_is_found_and_numbered_wherever_a_mark_stands(
    tmp_path: Path, content: bytes, piece: int, wanted: list[int], kept: bool
) -> None:
    path = tmp_path / "reset.csv"
    line_marks.marked.cache_clear()
    path.write_bytes(content)
    count = lines.LineCount()
    for start in range(0, len(content), piece):
        count.add(content[start : start + piece])
    if kept:
        line_marks.keep(path, content.hex(), count.marks)
    file = line_marks.marked(path, content.hex())
    records = records_of(content)
    assert file.lines(wanted) == {
        number: records[number - 1][1] for number in sorted(set(wanted)) if number <= len(records)
    }
    assert [file.number_at(begins) for begins, _ in records] == list(range(1, len(records) + 1))


@pytest.mark.usefixtures("often")
def test_marks_are_of_a_content_and_not_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "reset.csv"
    first = land(path, b"store,upc,qty\n" + b"a,1,1\n" * 300)
    beside = next(tmp_path.glob("*.lines"))
    assert pl.read_parquet(beside).height > 5
    assert beside.stat().st_mode & 0o077 == 0
    old = beside.read_bytes()
    second = land(path, b"store,upc,qty\n" + b"bbbbbbb,2,2\n" * 300)
    # The process died before the marks of the second content were kept.
    beside.write_bytes(old)
    line_marks.marked.cache_clear()
    assert raw_lines(path, Packing(), second.sha256, [215, 999]) == {215: "bbbbbbb,2,2"}
    assert first.sha256 != second.sha256


@pytest.mark.usefixtures("often")
def test_a_packed_file_has_no_marks_and_its_lines_are_found_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "reset.csv.gz"
    arrival = land(path, gzip.compress(b"store,upc,qty\n" + b"".join(b"a,%d,1\r\n" % number for number in range(50))))
    assert not list(tmp_path.glob("*.lines"))
    assert raw_lines(path, arrival.packing, arrival.sha256, [51, 3, 3]) == {3: "a,1,1", 51: "a,49,1"}


def test_a_file_that_is_quickly_read_has_no_marks(tmp_path: Path) -> None:
    arrival = land(tmp_path / "reset.csv", b"store,upc,qty\na,1,1\n")
    assert [path.name for path in tmp_path.iterdir()] == ["reset.csv"]
    assert raw_lines(tmp_path / "reset.csv", arrival.packing, arrival.sha256, [2]) == {2: "a,1,1"}
