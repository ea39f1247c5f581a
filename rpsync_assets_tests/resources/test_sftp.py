"""The door to SFTP against a real server: what it lists, fetches and delivers, and how it says no."""

import hashlib
import io
import os
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest

from rpsync_assets.core.errors import NotYetError, RpsyncError, SetupError, UnreachableError
from rpsync_assets.resources.sftp_session import RemoteFile
from rpsync_assets_tests.resources.conftest import HOST, ON_THE_LIBRARY, MakeSftp, Server

INCOMING = "retailpro/incoming"
RESET = "hotwax/reset-inventory"
WRITTEN = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)


def drop(folder: Path, name: str, content: bytes, at: datetime = WRITTEN) -> Path:
    """A file as Retail Pro leaves it, with its modification time."""
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def told_nothing(_done: int, _total: int) -> None:
    """A download that nobody watches."""


# Looking --------------------------------------------------------------------------------------------------------------
def test_a_folder_is_listed_oldest_first_with_sizes_times_and_without_folders(root: Path, make_sftp: MakeSftp) -> None:
    drop(root / INCOMING, "b.csv", b"12345", datetime(2026, 3, 10, 6, 0, tzinfo=UTC))
    drop(root / INCOMING, "a.csv", b"", datetime(2026, 3, 10, 7, 0, tzinfo=UTC))
    drop(root / RESET, "elsewhere.csv", b"x")
    (root / RESET / "archive").mkdir()
    try:
        with make_sftp().session() as session:
            assert session.list(INCOMING) == [
                RemoteFile(INCOMING, "b.csv", 5, datetime(2026, 3, 10, 6, 0, tzinfo=UTC)),
                RemoteFile(INCOMING, "a.csv", 0, datetime(2026, 3, 10, 7, 0, tzinfo=UTC)),
            ]
            assert [file.name for file in session.list(RESET)] == ["elsewhere.csv"]
            assert session.list("hotwax/inventory-variance") == []
    finally:
        (root / RESET / "archive").rmdir()


def test_a_file_is_looked_at_or_said_not_to_be_there(root: Path, make_sftp: MakeSftp) -> None:
    drop(root / INCOMING, "a.csv", b"12345")
    with make_sftp().session() as session:
        assert session.look(f"{INCOMING}/a.csv") == RemoteFile(INCOMING, "a.csv", 5, WRITTEN)
        assert session.look(f"{INCOMING}/none.csv") is None


def test_a_missing_folder_is_named(make_sftp: MakeSftp) -> None:
    with make_sftp().session() as session:
        with pytest.raises(SetupError, match="The SFTP server has no folder 'retailpro/outgoing'"):
            session.list("retailpro/outgoing")
        with pytest.raises(SetupError, match="has no folder 'retailpro/outgoing'"):
            session.upload("retailpro/outgoing", "a.csv", b"x")


# Fetching -------------------------------------------------------------------------------------------------------------
def test_a_file_arrives_byte_for_byte_and_its_progress_is_told(root: Path, make_sftp: MakeSftp) -> None:
    content = os.urandom(3_000_000)
    drop(root / INCOMING, "big.csv", content)
    told: list[tuple[int, int]] = []
    sink = io.BytesIO()
    with make_sftp().session() as session:
        session.download(session.list(INCOMING)[0], sink, lambda done, total: told.append((done, total)))
    assert hashlib.sha256(sink.getvalue()).digest() == hashlib.sha256(content).digest()
    assert told[-1] == (3_000_000, 3_000_000)


@pytest.mark.parametrize(
    ("content", "at"),
    [
        (b"store_code,upc,qty\nS1,2050000163913,10\n", WRITTEN),
        (b"0" * 18, datetime(2026, 3, 10, 6, 0, 1, tzinfo=UTC)),
    ],
)
def test_a_file_that_changes_after_it_was_listed_is_still_being_written(
    root: Path, make_sftp: MakeSftp, content: bytes, at: datetime
) -> None:
    drop(root / INCOMING, "a.csv", b"1" * 18)
    sink = io.BytesIO()
    with make_sftp().session() as session:
        listed = session.list(INCOMING)[0]
        drop(root / INCOMING, "a.csv", content, at)
        with pytest.raises(NotYetError, match=r"a\.csv is still being written"):
            session.download(listed, sink, told_nothing)
    assert sink.getvalue() == b""


def test_a_file_that_grows_while_it_is_fetched_is_not_believed(root: Path, make_sftp: MakeSftp) -> None:
    """The classic: a truncated last line that still parses."""
    path = drop(root / INCOMING, "a.csv", b"1" * 500_000)

    def grow(_done: int, _total: int) -> None:
        if path.stat().st_size == 500_000:
            with path.open("ab") as handle:
                handle.write(b"2")

    with make_sftp().session() as session:
        listed = session.list(INCOMING)[0]
        with pytest.raises(NotYetError, match="500000 bytes a moment ago, 500001 bytes now"):
            session.download(listed, io.BytesIO(), grow)


def test_a_file_that_is_gone_is_not_there_yet(root: Path, make_sftp: MakeSftp) -> None:
    path = drop(root / INCOMING, "a.csv", b"1")
    with make_sftp().session() as session:
        listed = session.list(INCOMING)[0]
        path.unlink()
        with pytest.raises(NotYetError, match="1 bytes a moment ago, gone now"):
            session.download(listed, io.BytesIO(), told_nothing)


# Delivering -----------------------------------------------------------------------------------------------------------
def test_a_delivered_file_lies_under_its_name_and_nothing_else_does(root: Path, make_sftp: MakeSftp) -> None:
    with make_sftp().session() as session:
        delivered = session.upload(RESET, "reset_US_20260310_g1_1of1.csv", b"facilityId\nF1\n")
    assert (delivered.path, delivered.size) == (f"{RESET}/reset_US_20260310_g1_1of1.csv", 14)
    assert [file.name for file in (root / RESET).iterdir()] == ["reset_US_20260310_g1_1of1.csv"]
    assert (root / RESET / "reset_US_20260310_g1_1of1.csv").read_bytes() == b"facilityId\nF1\n"


def test_a_file_of_a_run_that_was_cut_off_is_written_over(root: Path, make_sftp: MakeSftp) -> None:
    drop(root / RESET, "a.csv.part", b"half of something longer than what comes now")
    drop(root / RESET, "a.csv", b"old")
    with make_sftp().session() as session:
        session.upload(RESET, "a.csv", b"new")
    assert {file.name: file.read_bytes() for file in (root / RESET).iterdir()} == {"a.csv": b"new"}


def test_nobody_ever_sees_half_a_file_under_its_final_name(root: Path, make_sftp: MakeSftp) -> None:
    """HotWax picks up ``*.csv`` on its own clock."""
    content = os.urandom(8_000_000)
    final = root / RESET / "a.csv"
    sizes: set[int] = set()
    partial: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if final.exists():
                sizes.add(final.stat().st_size)
            partial.update(file.name for file in (root / RESET).iterdir())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with make_sftp().session() as session:
            session.upload(RESET, "a.csv", content)
        sizes.add(final.stat().st_size)
    finally:
        done.set()
        watcher.join()
    assert sizes == {8_000_000}
    assert "a.csv.part" in partial
    assert partial <= {"a.csv.part", "a.csv"}


# Refusing and being refused -------------------------------------------------------------------------------------------
def fingerprint(server: Server) -> str:
    return asyncssh.import_public_key(server.known_hosts.read_text().split(" ", 1)[1]).get_fingerprint()


def never(door: object) -> str:
    """The message with which a session does not come about."""
    with pytest.raises(SetupError) as refused, door.session():  # type: ignore[attr-defined]
        pytest.fail("the session came about")
    return str(refused.value)


def test_an_unknown_host_key_is_refused_with_its_fingerprint(
    server: Server, make_sftp: MakeSftp, tmp_path: Path
) -> None:
    empty = tmp_path / "known_hosts"
    empty.touch()
    message = never(make_sftp(known_hosts=empty))
    assert "is unknown" in message
    assert fingerprint(server) in message
    assert empty.read_bytes() == b""


def test_a_changed_host_key_is_refused_with_the_new_fingerprint(
    server: Server, make_sftp: MakeSftp, tmp_path: Path
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known = tmp_path / "known_hosts"
    known.write_text(f"[{HOST}]:{server.port} {other}")
    message = never(make_sftp(known_hosts=known))
    assert "has changed" in message
    assert fingerprint(server) in message


@ON_THE_LIBRARY
def test_no_password_is_sent_to_a_server_that_is_not_known(tmp_path: Path, make_sftp: MakeSftp) -> None:
    """A server that only listens: it sees our banner and key exchange, never a login."""
    asked: list[str] = []
    callers: list[asyncssh.SSHServerConnection] = []

    class Listener(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            callers.append(conn)

        def begin_auth(self, username: str) -> bool:
            asked.append(username)
            return True

    import asyncio  # noqa: PLC0415  only this test has a loop of its own

    async def listen(ready: threading.Event, port: list[int], stop: threading.Event) -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        async with await asyncssh.listen("127.0.0.1", 0, server_factory=Listener, server_host_keys=[key]) as listener:
            port.append(listener.get_port())
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.01)
            for caller in callers:
                caller.abort()
                await caller.wait_closed()

    ready, stop, port = threading.Event(), threading.Event(), list[int]()
    thread = threading.Thread(target=lambda: asyncio.run(listen(ready, port, stop)))
    thread.start()
    try:
        assert ready.wait(10)
        empty = tmp_path / "known_hosts"
        empty.touch()
        assert "is unknown" in never(make_sftp(port=port[0], known_hosts=empty))
    finally:
        stop.set()
        thread.join()
    assert asked == []


@ON_THE_LIBRARY
def test_a_missing_file_of_host_keys_says_how_to_make_it(make_sftp: MakeSftp, tmp_path: Path) -> None:
    assert "ssh-keyscan -p " in never(make_sftp(known_hosts=tmp_path / "none"))


@ON_THE_LIBRARY
def test_without_a_password_or_key_nothing_is_tried_and_the_settings_are_named(make_sftp: MakeSftp) -> None:
    """It was taken for a server that is down, and tried again."""
    assert "RPSYNC_SFTP_PASSWORD or RPSYNC_SFTP_KEY_FILE" in never(make_sftp(password=None))


@ON_THE_LIBRARY
@pytest.mark.parametrize("wrong", [{"password": "guessed-wrong"}, {"username": "somebody"}])
def test_a_refused_login_names_the_user_and_the_setting_but_never_the_password(
    make_sftp: MakeSftp, wrong: dict[str, str]
) -> None:
    door = make_sftp(**wrong)
    message = never(door)
    assert f"refused the login of user '{door.username}'" in message
    assert "RPSYNC_SFTP_PASSWORD" in message
    assert "guessed-wrong" not in message


@ON_THE_LIBRARY
def test_a_server_that_is_down_is_worth_another_try(make_sftp: MakeSftp) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        door = make_sftp(port=port)
        with pytest.raises(UnreachableError, match=f"SFTP server 127.0.0.1:{port}"), door.session():
            pytest.fail("the session came about")


@ON_THE_LIBRARY
def test_the_password_stands_in_no_text_that_could_reach_a_log(server: Server, make_sftp: MakeSftp) -> None:
    secret = server.password
    assert secret
    door = make_sftp()
    assert secret not in repr(door) + str(door)
    messages = []
    for broken in (make_sftp(known_hosts=Path("/nowhere")), make_sftp(port=1), make_sftp(username="x")):
        with pytest.raises(RpsyncError) as refused, broken.session():
            pytest.fail("the session came about")
        messages.append(str(refused.value) + repr(refused.value.__cause__))
    assert not any(secret in message for message in messages)


@ON_THE_LIBRARY
def test_an_error_of_ours_inside_a_session_stays_what_it_is(make_sftp: MakeSftp) -> None:
    with pytest.raises(NotYetError, match=r"^It is not there\. Wait\.$"), make_sftp().session():
        raise NotYetError("It is not there", "Wait")


def test_a_name_that_leads_out_of_its_folder_is_not_listed(root: Path, make_sftp: MakeSftp) -> None:
    drop(root / INCOMING, "..\\..\\evil.csv", b"x")
    drop(root / INCOMING, "good.csv", b"x")
    with make_sftp().session() as session:
        assert [file.name for file in session.list(INCOMING)] == ["good.csv"]
