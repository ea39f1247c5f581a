"""Private files, and Retail Pro's bytes on our disk: counted, checksummed, promoted whole, read back in blocks."""

import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsync_assets.core.errors import BadFileError, NotYetError
from rpsync_assets.resources import landing
from rpsync_assets.resources.landing import Arrival, Landing, blocks, checksum, first_line
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.private import private_file, private_folder, promoted


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """The umask of most machines, which lets everybody read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Private --------------------------------------------------------------------------------------------------------------
def test_files_and_every_folder_made_for_them_are_their_owners_only(tmp_path: Path) -> None:
    """``mkdir -p`` with a mode guards the last folder only."""
    with promoted(tmp_path / "a" / "b" / "c.csv") as handle:
        handle.write(b"x")
    private_file(tmp_path / "d" / "e" / "state.sqlite")
    private_folder(tmp_path / "f" / "g")
    folders = ("a", "a/b", "d", "d/e", "f", "f/g")
    assert {mode(tmp_path / folder) for folder in folders} == {0o700}
    assert {mode(tmp_path / file) for file in ("a/b/c.csv", "d/e/state.sqlite")} == {0o600}


def test_a_file_is_private_while_it_is_being_written_too(tmp_path: Path) -> None:
    with promoted(tmp_path / "c.csv") as handle:
        handle.write(b"x")
        handle.flush()
        assert mode(Path(handle.name)) == 0o600


def test_a_file_that_is_there_keeps_its_content(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"data")
    assert private_file(path).read_bytes() == b"data"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_content_and_no_temporary_file(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"old")

    def half() -> None:
        with promoted(path) as handle:
            handle.write(b"half")
            handle.flush()
            raise failure

    with pytest.raises(failure):
        half()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"c.csv": b"old"}


def test_the_new_content_is_there_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"old")
    with promoted(path) as handle:
        handle.write(b"new")
        handle.flush()
        assert path.read_bytes() == b"old"
        assert not list(tmp_path.glob("*.csv"))[1:]
    assert path.read_bytes() == b"new"


def test_what_a_killed_process_left_is_cleared_away_but_not_what_another_is_writing(tmp_path: Path) -> None:
    abandoned, fresh = tmp_path / "c.csv.dead.part", tmp_path / "c.csv.live.part"
    for file in (abandoned, fresh):
        file.write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    with promoted(tmp_path / "c.csv") as handle:
        handle.write(b"new")
    assert {file.name for file in tmp_path.iterdir()} == {"c.csv", fresh.name}
    assert (tmp_path / "c.csv").read_bytes() == b"new"


def test_a_copy_of_a_delivery_is_kept_as_sent(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.keep(date(2026, 3, 10), "US", "a.csv", b"as sent")
    assert (tmp_path / "outbox/2026-03-10/US/a.csv").read_bytes() == b"as sent"
    assert mode(outbox.path(date(2026, 3, 10), "US", "a.csv")) == 0o600


# Arrival --------------------------------------------------------------------------------------------------------------
def arrived(tmp_path: Path, *pieces: bytes) -> Arrival:
    with Landing(tmp_path).receive(tmp_path / "landed.csv") as arrival:
        for piece in pieces:
            assert arrival.write(piece) == len(piece)
        arrival.finish()
    return arrival


@pytest.mark.parametrize(
    ("pieces", "lines", "last"),
    [
        ([b"head\n", b"a\n"], 2, b"\n"),
        ([b"head\na"], 2, b"a"),
        ([b"he", b"ad", b"\r", b"\n", b"a\r\n"], 2, b"\n"),
        ([b'head\n"a\n', b'b"\nc\n'], 3, b"\n"),
        ([b'head\n"a', b'""\n"', b"\nc\n"], 3, b"\n"),
        ([b"head\n", b"", b"a\n", b""], 2, b"\n"),
        ([], 0, b""),
    ],
)
def test_what_arrives_is_counted_and_checksummed(tmp_path: Path, pieces: list[bytes], lines: int, last: bytes) -> None:
    arrival = arrived(tmp_path, *pieces)
    content = b"".join(pieces)
    assert (arrival.lines, arrival.size, arrival.last_byte) == (lines, len(content), last)
    assert arrival.sha256 == hashlib.sha256(content).hexdigest() == checksum(tmp_path / "landed.csv")
    assert (tmp_path / "landed.csv").read_bytes() == content


def test_a_file_that_is_not_believed_does_not_land(tmp_path: Path) -> None:
    place = Landing(tmp_path / "landing")
    path = place.path(date(2026, 3, 10), "US", "a.csv")

    def refuse() -> None:
        with place.receive(path) as arrival:
            arrival.write(b"cut")
            raise BadFileError("It is cut", "Ask again")

    with pytest.raises(BadFileError):
        refuse()
    assert list(path.parent.iterdir()) == []
    assert checksum(path) is None


@pytest.mark.parametrize("name", ["a.csv", "/etc/a.csv", "../../a.csv"])
def test_a_landed_file_lies_in_its_own_days_folder_whatever_the_server_called_it(tmp_path: Path, name: str) -> None:
    assert Landing(tmp_path).path(date(2026, 3, 10), "US", name) == tmp_path / "2026-03-10" / "US" / "a.csv"


# Blocks ---------------------------------------------------------------------------------------------------------------
def in_blocks(tmp_path: Path, content: bytes, size: int, start: int = 0) -> list[bytes]:
    path = tmp_path / "blocks.csv"
    path.write_bytes(content)
    return [block.data for block in blocks(path, start=start, size=size)]


@pytest.mark.parametrize(
    ("content", "size", "cut"),
    [
        (b"", 8, []),
        (b"aa\nbb\n", 100, [b"aa\nbb\n"]),
        (b"aa\nbb\ncc\n", 7, [b"aa\nbb\n", b"cc\n"]),
        (b"aa\nbb\ncc\n", 6, [b"aa\nbb\n", b"cc\n"]),
        (b"aa\nbb\ncc\n", 3, [b"aa\n", b"bb\n", b"cc\n"]),
        (b"aa\nbb\ncc", 7, [b"aa\nbb\n", b"cc\n"]),  # no final line end: it gets one
        (b"aa", 7, [b"aa\n"]),
        (b'a\n"b\nb"\nc\n', 7, [b"a\n", b'"b\nb"\n', b"c\n"]),  # never cut inside quotes
        (b'a\n"b\nb"\nc\n', 9, [b'a\n"b\nb"\n', b"c\n"]),
    ],
)
def test_a_file_is_read_in_blocks_of_whole_lines(tmp_path: Path, content: bytes, size: int, cut: list[bytes]) -> None:
    assert in_blocks(tmp_path, content, size) == cut


def test_reading_starts_below_the_header(tmp_path: Path) -> None:
    assert in_blocks(tmp_path, b"head\naa\nbb\n", 100, start=5) == [b"aa\nbb\n"]
    assert in_blocks(tmp_path, b"head\n", 100, start=5) == []


@pytest.mark.parametrize("content", [b"x" * 50 + b"\n", b'a\n"' + b"x\n" * 50])
def test_a_line_longer_than_a_block_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadFileError, match="no line end within 16 bytes from byte"):
        in_blocks(tmp_path, content, 16)


@given(lines=st.lists(st.text(alphabet="ab,;", max_size=9), max_size=30), size=st.integers(11, 60))
@settings(max_examples=60, deadline=None)
def test_blocks_put_together_are_the_file(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    cut = in_blocks(tmp_path_factory.getbasetemp(), content, size)
    assert b"".join(cut) == content
    assert all(block.endswith(b"\n") and len(block) <= size for block in cut)


def test_the_first_line_comes_with_its_line_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"store,upc\r\na,b\r\n")
    assert first_line(path) == b"store,upc\r\n"
    monkeypatch.setattr(landing, "BLOCK_BYTES", 5)
    with pytest.raises(BadFileError, match=r"a\.csv has no line end in its first 5 bytes"):
        first_line(path)


def test_one_process_delivers_for_a_store_at_a_time_and_a_killed_one_does_not_hold_the_door(tmp_path: Path) -> None:
    """A run that was killed stays "started" for Dagster for ever; the system knows better."""
    holds = (
        "import sys, time; from pathlib import Path; from rpsync_assets.resources.outbox import Outbox\n"
        "with Outbox(Path(sys.argv[1])).alone('US'): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", holds, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        outbox = Outbox(tmp_path)
        with pytest.raises(NotYetError, match="Another run is delivering for US"), outbox.alone("US"):
            pass
        with outbox.alone("SV"):
            pass
        process.kill()
    with outbox.alone("US"):
        pass
