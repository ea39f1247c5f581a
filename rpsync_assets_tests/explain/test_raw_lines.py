"""Lines found in a mapped file are those that a plain look at each line finds, wherever a window of it ends."""

import gzip
import mmap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpsync_assets.core import lines as lines_room
from rpsync_assets.core.encoding import Packing
from rpsync_assets.core.header import Header
from rpsync_assets.explain import raw_lines
from rpsync_assets.explain.raw_lines import RawFile
from rpsync_assets.resources import line_marks

HEADER = Header(("store", "note", "upc", "qty"), ",", "store", "upc", "qty")
FIRST = "store,note,upc,qty\n"
UPCS = ("036000291452", "36000291452", "123456789012", "001234567890")


def note(text: str, two_lines: bool) -> str:
    """A field, which is one even if it is written over two lines in quotes."""
    return f'"{text}\n,"' if two_lines else text


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pages instead of 32 MB, and pieces in which lines are counted that end in the middle of pages."""
    monkeypatch.setattr(raw_lines, "_WINDOW", 2 * mmap.ALLOCATIONGRANULARITY)
    monkeypatch.setattr(raw_lines, "_CHUNK", 19_001)
    monkeypatch.setattr(line_marks, "MARK_EVERY_BYTES", 5_003)
    monkeypatch.setattr(lines_room, "MARK_EVERY_BYTES", 5_003)


@pytest.mark.usefixtures("small_windows")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    lines=st.lists(st.tuples(st.integers(0, 9_000), st.sampled_from(UPCS), st.booleans()), min_size=1, max_size=12),
    last_ends=st.booleans(),
)
def test_each_line_of_a_upc_is_found_with_its_number(
    tmp_path: Path, lines: list[tuple[int, str, bool]], last_ends: bool
) -> None:
    texts = [f"US1,{note('n' * length, two)},{upc},1" for length, upc, two in lines]
    path = tmp_path / "reset.csv"
    path.write_text(FIRST + "\n".join(texts) + "\n" * last_ends, "utf-8")
    file = RawFile(path, Packing(), HEADER, sha256=str(hash(path.read_bytes())))
    for digits in {upc.lstrip("0") for upc in UPCS}:
        wanted = [(number, text) for number, text in enumerate(texts, 2) if text.split(",")[-2].lstrip("0") == digits]
        found = [file.numbered(line) for line in file.holding(digits)]
        assert [(line.number, line.text) for line in found] == wanted
    assert file.numbers(range(2, len(texts) + 2)) == {number: text[:2_000] for number, text in enumerate(texts, 2)}


def test_a_packed_file_is_unpacked_once_for_many_lines_and_nothing_of_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = tmp_path / "reset.csv.gz"
    texts = [f"US1,,{UPCS[0]},{number}" for number in range(40)]
    path.write_bytes(gzip.compress((FIRST + "\r\n".join(texts)).encode("utf-16")))
    file = RawFile(path, Packing("gzip", "utf-16"), HEADER, sha256="packed")
    assert [file.numbered(line).number for line in file.holding("36000291452")] == list(range(2, 42))
    path.unlink()
    assert file.numbers([3, 41, 99]) == {3: texts[1], 41: texts[39]}
    assert len(list(scratch.iterdir())) == 1
    file.close()
    assert not list(scratch.iterdir())


def test_what_was_searched_does_not_stay_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "reset.csv"
    with path.open("w") as out:
        out.write(FIRST)
        for _ in range(20):
            out.write(f"US1,{'n' * 200},123456789012,1\n" * 40_000)
        out.write("US1,,036000291452,1\n")
    file = RawFile(path, Packing(), HEADER, sha256="of that file")
    before = resident_from_files()
    most = before

    def look(content: "mmap.mmap | bytes", start: int, end: int) -> None:
        nonlocal most
        let_go(content, start, end)
        most = max(most, resident_from_files())

    let_go = raw_lines._let_go
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_lines, "_let_go", look)
        (line,) = file.holding("36000291452")
        assert file.numbered(line).number == 800_002
    assert path.stat().st_size > 150_000_000
    assert most - before < 50_000_000


def resident_from_files() -> int:
    """Bytes of files that count as this process's memory."""
    told = Path("/proc/self/status")
    if not told.exists():
        pytest.skip("memory is told by /proc, which is Linux's")
    (line,) = (line for line in told.read_text().splitlines() if line.startswith("RssFile"))
    return int(line.split()[1]) * 1024
