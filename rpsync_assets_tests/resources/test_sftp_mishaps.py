"""What goes wrong on the way to a real server: cut wires, slow ones, refusals. Nothing is ever half there."""

import hashlib
import io
import logging
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import asyncssh
import pytest

from rpsync_assets import telling as telling_room
from rpsync_assets.core.errors import NotYetError, SetupError, UnreachableError
from rpsync_assets.resources.sftp_session import PARTIAL
from rpsync_assets.telling import telling
from rpsync_assets_tests import sshd
from rpsync_assets_tests.resources import odd_server
from rpsync_assets_tests.resources.conftest import HOST, ON_THE_LIBRARY, MakeSftp, Server, door, emptied
from rpsync_assets_tests.resources.test_sftp import INCOMING, RESET, drop, told_nothing
from rpsync_assets_tests.resources.wire import Way, Wire, wire

BIG = random.Random(7).randbytes(2_000_000)  # noqa: S311  the same cuts in the same bytes every time


@pytest.fixture
def cut(server: Server, root: Path, tmp_path: Path) -> Iterator[tuple[Wire, Server]]:
    """The server at the other end of a wire, its folders empty."""
    with wire(server, tmp_path) as both:
        yield both


def lying(folder: Path) -> dict[str, bytes]:
    """The files under final names."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith(PARTIAL)}


# Downloads that break -------------------------------------------------------------------------------------------------
def test_a_download_that_breaks_anywhere_goes_on_and_ends_like_an_undisturbed_one(
    cut: tuple[Wire, Server], root: Path
) -> None:
    """One connection breaks among the file's bytes, one at a login; the next takes the rest and nothing twice."""
    it, far = cut
    drop(root / INCOMING, "big.csv", BIG)
    with door(far).session() as session:
        file = session.list(INCOMING)[0]
    for seed in range(6):
        chance = random.Random(seed)  # noqa: S311
        it.cuts.extend([chance.randrange(1, len(BIG)), chance.randrange(1, 4000)])
        before, carried = it.connections, it.carried["down"]
        sink = io.BytesIO()
        told: list[int] = []
        door(far).download(file, sink, lambda done, _all, told=told: told.append(done))
        assert hashlib.sha256(sink.getvalue()).digest() == hashlib.sha256(BIG).digest(), seed
        assert it.connections - before == 3
        assert told == sorted(set(told))
        assert it.carried["down"] - carried < 2 * len(BIG), "it began from the start"


def test_a_download_that_breaks_again_and_again_is_given_up(cut: tuple[Wire, Server], root: Path) -> None:
    it, far = cut
    drop(root / INCOMING, "big.csv", BIG)
    with door(far).session() as session:
        file = session.list(INCOMING)[0]
    it.cuts.extend([50_000] * 9)
    before = it.connections
    with pytest.raises(UnreachableError, match=f"SFTP server {HOST}:{it.port}"):
        door(far).download(file, io.BytesIO(), told_nothing)
    assert it.connections - before == 4


def test_a_file_that_was_replaced_while_the_connection_was_away_is_not_put_together_from_two(
    cut: tuple[Wire, Server], root: Path
) -> None:
    it, far = cut
    path = drop(root / INCOMING, "big.csv", BIG)
    with door(far).session() as session:
        file = session.list(INCOMING)[0]
    it.cuts.append(500_000)

    class Replacing(io.BytesIO):
        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            path.write_bytes(BIG[::-1])
            return super().write(data)

    with pytest.raises(NotYetError, match="still being written"):
        door(far).download(file, Replacing(), told_nothing)


@pytest.mark.parametrize("wrong", ["host key", "login", "right"])
def test_what_a_person_must_mend_is_tried_once(
    cut: tuple[Wire, Server], root: Path, tmp_path: Path, wrong: str
) -> None:
    it, far = cut
    path = drop(root / INCOMING, "a.csv", b"12345")
    with door(far).session() as session:
        file = session.list(INCOMING)[0]
    changed: dict[str, object] = {}
    if wrong == "host key":
        (tmp_path / "none").touch()
        changed = {"known_hosts": tmp_path / "none"}
    elif wrong == "login":
        changed = {"username": "nobody-we-know"}
    else:
        path.rename(root / INCOMING / "b.csv")
    before = it.connections
    with pytest.raises(SetupError if changed else NotYetError):
        door(far, **changed).download(file, io.BytesIO(), told_nothing)
    assert it.connections - before == 1


# Uploads that break ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["up", "down"])
def test_an_upload_that_breaks_anywhere_leaves_the_whole_file_or_none_and_passes_when_tried_again(
    cut: tuple[Wire, Server], root: Path, way: Way
) -> None:
    """Cut at random bytes, and at each of the last ones, where it is renamed: there nobody knows whether it was."""
    it, far = cut
    it.way = way
    folder, content = root / RESET, BIG[:1_000_000]
    with door(far).session() as session:
        session.upload(RESET, "a.csv", content)
    total = it.carried[way]
    chance = random.Random(3)  # noqa: S311
    cuts = [chance.randrange(1, total) for _ in range(4)] + [total - back for back in (1, 70, 140, 200, 260, 330)]
    left: set[str] = set()
    for bytes_carried in cuts:
        emptied(root)
        it.cuts.append(bytes_carried)
        # A cut among the very last bytes hits our taking leave only.
        with suppress(UnreachableError), door(far).session() as session:
            session.upload(RESET, "a.csv", content)
        assert lying(folder) in ({}, {"a.csv": content}), bytes_carried
        left.update(lying(folder) or {"nothing"})
        with door(far).session() as session:
            session.upload(RESET, "a.csv", content)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"a.csv": content}
    assert left == {"nothing", "a.csv"}


@ON_THE_LIBRARY
def test_a_file_that_does_not_read_back_as_it_was_sent_gets_no_name(server: Server, root: Path, tmp_path: Path) -> None:
    says = "does not read back as it was sent: 2000000 of 2000000 bytes"
    with odd_server.serving(root, tmp_path, odd_server.Forgetful) as odd, door(odd).session() as session:  # noqa: SIM117
        with pytest.raises(UnreachableError, match=says):
            session.upload(RESET, "a.csv", BIG)
    assert list((root / RESET).iterdir()) == []


# Slow wires -----------------------------------------------------------------------------------------------------------
def test_a_slow_transfer_is_not_cut_off_while_bytes_flow_and_says_how_far_it_is(
    cut: tuple[Wire, Server], root: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, far = cut
    content = BIG[:600_000]
    drop(root / INCOMING, "slow.csv", content)
    slow = door(far, timeout_seconds=1, pauses=())
    monkeypatch.setattr(telling_room, "SECONDS", 0.5)
    caplog.set_level(logging.INFO, "rpsync_assets")
    sink = io.BytesIO()
    with slow.session() as session:
        file = session.list(INCOMING)[0]
        it.bytes_a_second = 300_000
        session.download(file, sink, telling(file.name))
        session.upload(RESET, "slow.csv", content)
    assert sink.getvalue() == content
    assert lying(root / RESET) == {"slow.csv": content}
    assert "slow.csv: " in caplog.text
    assert f"{RESET}/slow.csv.part: " in caplog.text
    assert "% of 1 MB" in caplog.text


def test_a_server_that_falls_silent_is_given_up_after_the_timeout(server: Server, root: Path, tmp_path: Path) -> None:
    drop(root / INCOMING, "big.csv", BIG)
    with wire(server, tmp_path) as (it, far):
        with door(far).session() as session:
            file = session.list(INCOMING)[0]
        it.bytes_a_second = 2_000
        with pytest.raises(UnreachableError):
            door(far, timeout_seconds=0.5, pauses=()).download(file, io.BytesIO(), told_nothing)
        it.bytes_a_second = 0


def test_a_server_that_lets_one_in_and_then_says_nothing_is_given_up(tmp_path: Path) -> None:
    """Its disk hangs. Who waits for it without end holds a sensor's thread, and then all of them."""
    with sshd.serving(tmp_path, tmp_path / "sshd", subsystem="/bin/sleep 60") as there:
        far = Server(there.port, there.username, there.known_hosts, tmp_path, key_file=there.key_file)
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="TimeoutError"), door(far, timeout_seconds=2).session():
            pass
        assert time.monotonic() - began < 30


def test_who_looks_every_minute_does_not_wait_as_long_as_a_run(server: Server) -> None:
    assert door(server, timeout_seconds=30).hurried.timeout_seconds == 10
    assert door(server, timeout_seconds=2).hurried.timeout_seconds == 2


# Servers that refuse --------------------------------------------------------------------------------------------------
Odd = Callable[[type[asyncssh.SFTPServer], str], Server]


@pytest.fixture
def refusing(server: Server, tmp_path: Path) -> Iterator[Odd]:
    """A server of the same make that refuses something: the library's by its class, OpenSSH's by its options."""
    with ExitStack() as stack:

        def start(kind: type[asyncssh.SFTPServer], options: str) -> Server:
            root = tmp_path / "root"
            root.mkdir()
            emptied(root)
            if server.key_file is None:
                return stack.enter_context(odd_server.serving(root, tmp_path, kind))
            at = stack.enter_context(sshd.serving(root, tmp_path / "sshd", options))
            return Server(at.port, at.username, at.known_hosts, root, key_file=at.key_file)

        yield start


def test_a_server_that_only_shows_files_is_named(refusing: Odd) -> None:
    odd = refusing(odd_server.ReadOnly, "-R")
    drop(odd.root / INCOMING, "a.csv", b"12345")
    with door(odd).session() as session:
        assert [file.name for file in session.list(INCOMING)] == ["a.csv"]
        with pytest.raises(SetupError, match=f"does not let us read or write in '{RESET}'"):
            session.upload(RESET, "a.csv", b"x")
    assert list((odd.root / RESET).iterdir()) == []


@pytest.mark.parametrize("before", [{}, {"a.csv": b"old"}])
def test_without_the_right_to_rename_nothing_gets_a_final_name_and_nothing_is_left_or_lost(
    refusing: Odd, before: dict[str, bytes]
) -> None:
    odd = refusing(odd_server.NeverRenames, "-P rename,posix-rename")
    for name, content in before.items():
        drop(odd.root / RESET, name, content)
    says = rf"does not let us rename {RESET}/a\.csv\.part to {RESET}/a\.csv"
    with door(odd).session() as session, pytest.raises(SetupError, match=says):
        session.upload(RESET, "a.csv", b"x")
    assert {file.name: file.read_bytes() for file in (odd.root / RESET).iterdir()} == before


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_server_whose_rename_does_not_replace_gets_the_file_all_the_same(refusing: Odd, before: bytes | None) -> None:
    odd = refusing(odd_server.NeverReplaces, "-P posix-rename")
    if before:
        drop(odd.root / RESET, "a.csv", before)
    with door(odd).session() as session:
        session.upload(RESET, "a.csv", b"new")
    assert {file.name: file.read_bytes() for file in (odd.root / RESET).iterdir()} == {"a.csv": b"new"}


@ON_THE_LIBRARY
def test_a_full_server_is_said_to_be_full_in_one_line(refusing: Odd) -> None:
    odd = refusing(odd_server.Full, "")
    with door(odd).session() as session, pytest.raises(SetupError, match="Most likely its disk, or our quota") as full:
        session.upload(RESET, "a.csv", BIG)
    assert "could not store hotwax/reset-inventory/a.csv.part: it says 'No space left 2026-03-10 ERROR on d" in str(
        full.value
    )
    assert "\n" not in str(full.value)
    assert list((odd.root / RESET).iterdir()) == []


@contextmanager
def small_disk(at: Path) -> Iterator[None]:
    """A disk of one megabyte."""
    at.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(at)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a full disk needs the right to mount a small one: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)  # noqa: S607


@pytest.mark.parametrize("size", [1_100_000, 2_000_000])
def test_a_disk_that_is_full_is_named_and_nothing_is_left_on_it(
    server: Server, root: Path, make_sftp: MakeSftp, size: int
) -> None:
    """Also when only the last, pipelined requests find no room."""
    with small_disk(root / "hotwax/small"), make_sftp().session() as session:
        with pytest.raises(SetupError, match="Most likely its disk, or our quota on it, is full"):
            session.upload("hotwax/small", "a.csv", BIG[:size])
        assert list((root / "hotwax/small").iterdir()) == []
        session.upload("hotwax/small", "a.csv", BIG[:500_000])
        assert lying(root / "hotwax/small") == {"a.csv": BIG[:500_000]}


@ON_THE_LIBRARY
def test_a_server_that_gives_less_than_it_is_asked_for_is_asked_again(refusing: Odd) -> None:
    odd = refusing(odd_server.Stingy, "")
    drop(odd.root / INCOMING, "big.csv", BIG)
    sink = io.BytesIO()
    with door(odd).session() as session:
        session.download(session.list(INCOMING)[0], sink, told_nothing)
    assert sink.getvalue() == BIG


# Names that lie in wait -----------------------------------------------------------------------------------------------
def test_names_that_would_break_a_path_or_a_line_of_a_log_are_left_alone(
    root: Path, make_sftp: MakeSftp, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (b"a\n2026 ERROR.csv", b"\x1b[31mred.csv", b"caf\xe9.csv", b"..\\b.csv", "gpj\u202evsc.csv".encode()):
        (root / INCOMING / os.fsdecode(name)).write_bytes(b"x")
    drop(root / INCOMING, "für Österreich.csv", b"x")
    with make_sftp().session() as session:
        assert [file.name for file in session.list(INCOMING)] == ["für Österreich.csv"]
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 5
    assert all(line.isascii() and line.isprintable() for line in warned)
    assert any(r"'caf\udce9.csv'" in line for line in warned)


# Keys -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "says"),
    [("none", "cannot be read: No such file"), ("locked", "has a passphrase"), ("text", "is no private key")],
)
@ON_THE_LIBRARY
def test_a_key_file_that_cannot_be_used_is_named(make_sftp: MakeSftp, tmp_path: Path, kind: str, says: str) -> None:
    key = tmp_path / "key"
    if kind == "locked":
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(key, passphrase="geheim")  # noqa: S106
    elif kind == "text":
        key.write_text("ssh-ed25519 AAAA")
    with pytest.raises(SetupError) as refused, make_sftp(key_file=key, password=None).session():
        pytest.fail("the session came about")
    assert f"The key file {key} of RPSYNC_SFTP_KEY_FILE {says}" in str(refused.value)


# Somebody who looks all the time --------------------------------------------------------------------------------------
def test_somebody_who_reads_the_folder_all_the_time_never_sees_part_of_a_file(root: Path, make_sftp: MakeSftp) -> None:
    """As HotWax does: it takes what ends in .csv, reads it, and removes it."""
    folder = root / RESET
    content = {f"reset_{number}.csv": BIG[number : number + 150_000] for number in range(200)}
    taken: dict[str, bytes] = {}
    looks = 0
    done = threading.Event()

    def look() -> None:
        nonlocal looks
        while True:
            last = done.is_set()
            for name in os.listdir(folder):  # noqa: PTH208  as fast as it can
                if name.endswith(".csv"):
                    assert name not in taken
                    taken[name] = (folder / name).read_bytes()
                    (folder / name).unlink()
            looks += 1
            if last:
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        with make_sftp().session() as session:
            for name, sent in content.items():
                session.upload(RESET, name, sent)
    finally:
        done.set()
        watcher.join()
    assert [name for name, sent in content.items() if taken.get(name) != sent] == []
    assert looks > 200
    assert list(folder.iterdir()) == []


def test_the_cipher_is_the_fast_one_where_the_server_has_it(server: Server, make_sftp: MakeSftp) -> None:
    with make_sftp().session() as session:
        channel = session._sftp.get_channel()
        assert channel is not None
        assert channel.get_transport().remote_cipher == "aes128-gcm@openssh.com"
