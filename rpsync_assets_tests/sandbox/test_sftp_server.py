import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from rpsync_assets.core.errors import SetupError
from rpsync_assets.sandbox.sftp_server import MODULE, SftpEndpoint, endpoint, serving
from rpsync_assets.sandbox.world import World
from rpsync_assets_tests.sandbox.conftest import Played


@contextmanager
def connected(at: SftpEndpoint, password: str | None = None) -> Iterator[paramiko.SFTPClient]:
    client = paramiko.SSHClient()
    client.load_host_keys(str(at.known_hosts))
    try:
        client.connect(
            *(at.host, at.port, at.username, password or at.password), allow_agent=False, look_for_keys=False
        )
        with client.open_sftp() as sftp:
            yield sftp
    finally:
        client.close()


@pytest.fixture(scope="module")
def served(played: Played) -> Iterator[SftpEndpoint]:
    with serving(played.world.folder) as at:
        yield at


def test_a_client_that_knows_the_host_key_fetches_the_file(served: SftpEndpoint, played: Played):
    with connected(served) as sftp:
        assert played.one.file_name in sftp.listdir("retailpro/incoming")
        content = io.BytesIO()
        sftp.getfo(played.one.remote_path, content)
    assert content.getvalue() == (played.world.incoming / played.one.file_name).read_bytes()


def test_a_file_is_staged_and_then_promoted_over_an_older_one(served: SftpEndpoint):
    with connected(served) as sftp:
        for content in (b"old", b"new"):
            sftp.putfo(io.BytesIO(content), "hotwax/reset-inventory/a.csv.part")
            sftp.posix_rename("hotwax/reset-inventory/a.csv.part", "hotwax/reset-inventory/a.csv")
        with sftp.open("hotwax/reset-inventory/a.csv") as handle:
            assert handle.read() == b"new"
        sftp.remove("hotwax/reset-inventory/a.csv")
        assert sorted(sftp.listdir("hotwax/reset-inventory")) == ["archive", "error"]


def test_a_wrong_password_is_refused(served: SftpEndpoint):
    with pytest.raises(paramiko.AuthenticationException), connected(served, password="guessed"):  # noqa: S106
        pass


def test_nothing_outside_the_folders_can_be_seen(served: SftpEndpoint):
    with connected(served) as sftp:
        assert sorted(sftp.listdir("/../..")) == ["hotwax", "retailpro"]
        with pytest.raises(OSError, match="No such file"):
            sftp.stat("/../oms.sqlite")


def test_the_password_stays_out_of_the_representation(served: SftpEndpoint):
    assert served.password not in repr(served)


def test_a_live_server_is_reused_and_a_stopped_one_leaves_no_port(tiny: World):
    with serving(tiny.folder) as first:
        with serving(tiny.folder) as second:
            assert second.port == first.port
        with connected(first) as sftp:
            assert sftp.listdir(".")
    assert endpoint(tiny.folder) is None
    with serving(tiny.folder) as third:
        assert third.password == first.password


def test_a_stale_port_of_a_killed_server_does_not_mislead(tiny: World, served: SftpEndpoint):
    """The port of a server that was killed may belong to another world's server by now."""
    with serving(tiny.folder):
        pass
    (tiny.folder / "sftp_port").write_text(f"{served.port}\n")
    with serving(tiny.folder) as at, connected(at) as sftp:
        assert at.port != served.port
        assert sftp.listdir("retailpro/incoming") == []


def test_the_server_ends_when_the_one_who_started_it_is_killed(tiny: World):
    starter = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys, time, pathlib; from rpsync_assets.sandbox.sftp_server import serving\n"
            "with serving(pathlib.Path(sys.argv[1])): print('up', flush=True); time.sleep(60)",
            str(tiny.folder),
        ],
        stdout=subprocess.PIPE,
    )
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"up\n"
        os.kill(starter.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while endpoint(tiny.folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert endpoint(tiny.folder) is None


def test_a_folder_without_a_world_cannot_be_served(tmp_path: Path):
    with pytest.raises(SetupError, match="no sandbox"), serving(tmp_path):
        pass


def test_the_server_imports_nothing_heavy():
    code = f"import sys, {MODULE}; print([m for m in ('polars', 'dagster', 'sqlalchemy') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"[]"
