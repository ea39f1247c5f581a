"""A service that is away is a skip with a reason, or a failure where it is required: never a silent pass."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from rpsync_assets.oms import tables
from rpsync_assets_tests import services

ROOT = Path(__file__).parents[1]
NOWHERE = "mysql+pymysql://root:geheim@127.0.0.1:1/"


NEEDS_A_MARIADB = "def test_one(mariadb):\n    pass\n"
NEEDS_AN_SSHD = """
from rpsync_assets_tests import sshd
def test_one(tmp_path):
    with sshd.serving(tmp_path, tmp_path / "sshd"):
        pass
"""


def pytest_says(tmp_path: Path, test: str = NEEDS_A_MARIADB, **environment: str) -> tuple[int, str]:
    """The exit code and words of a pytest of its own with one test that needs a service."""
    (tmp_path / "test_one.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "rpsync_assets_tests.conftest", "-rs", "-q", str(tmp_path)]
    ran = subprocess.run(
        [*command, "-c", os.devnull, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300", services.REQUIRE: "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_a_server_that_is_away_is_a_skip_that_says_what_to_set(tmp_path: Path) -> None:
    code, said = pytest_says(tmp_path, RPSYNC_TEST_MYSQL_URL=NOWHERE)
    assert (code, "1 skipped" in said) == (0, True), said
    assert "MariaDB/MySQL is not reachable at mysql+pymysql://root:***@127.0.0.1:1/" in said
    assert "set RPSYNC_TEST_MYSQL_URL" in said
    assert "geheim" not in said


def test_a_required_server_that_is_away_is_a_failure(tmp_path: Path) -> None:
    code, said = pytest_says(tmp_path, RPSYNC_TEST_MYSQL_URL=NOWHERE, RPSYNC_TEST_REQUIRE="sshd, mysql")
    assert (code, "1 error" in said) == (1, True), said
    assert "RPSYNC_TEST_REQUIRE names mysql" in said
    assert "geheim" not in said


def test_an_sshd_that_is_not_installed_is_a_skip_or_where_it_is_required_a_failure(tmp_path: Path) -> None:
    code, said = pytest_says(tmp_path, NEEDS_AN_SSHD, RPSYNC_TEST_SSHD="no-such-sshd")
    assert (code, "1 skipped" in said) == (0, True), said
    assert "OpenSSH's server no-such-sshd is not here; apt-get install openssh-server openssh-client" in said
    code, said = pytest_says(tmp_path, NEEDS_AN_SSHD, RPSYNC_TEST_SSHD="no-such-sshd", RPSYNC_TEST_REQUIRE="mysql,sshd")
    assert (code, "1 failed" in said) == (1, True), said
    assert "RPSYNC_TEST_REQUIRE names sshd" in said


NEEDS_A_CHROMIUM = """
from rpsync_assets_tests.browser.conftest import chromium
def test_one(chromium):
    pass
"""


def test_a_chromium_that_is_not_installed_is_a_skip_or_where_it_is_required_a_failure(tmp_path: Path) -> None:
    code, said = pytest_says(tmp_path, NEEDS_A_CHROMIUM, RPSYNC_TEST_CHROMIUM="no-such-chromium")
    assert (code, "1 skipped" in said) == (0, True), said
    assert "Chromium is not here; apt-get install chromium, or set RPSYNC_TEST_CHROMIUM" in said
    required = {"RPSYNC_TEST_CHROMIUM": "no-such-chromium", "RPSYNC_TEST_REQUIRE": "chromium"}
    code, said = pytest_says(tmp_path, NEEDS_A_CHROMIUM, **required)
    assert (code, "1 error" in said) == (1, True), said
    assert "RPSYNC_TEST_REQUIRE names chromium" in said


def test_a_required_service_that_nobody_knows_stops_the_tests(tmp_path: Path) -> None:
    code, said = pytest_says(tmp_path, RPSYNC_TEST_REQUIRE="mysq")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "RPSYNC_TEST_REQUIRE names mysq; known are mysql" in said


def test_the_gate_requires_the_servers() -> None:
    assert "export RPSYNC_TEST_REQUIRE=mysql,postgres,sshd,chromium,systemd\n" in (ROOT / ".ci/run").read_text()


# The database of a test process ---------------------------------------------------------------------------------------
def databases() -> set[str]:
    server = create_engine(services.mysql_url())
    with server.connect() as connection:
        found = set(connection.scalars(text("SHOW DATABASES LIKE 'rpsync\\_test\\_%'")))
    server.dispose()
    return found


def test_a_process_has_a_database_of_its_own_that_goes_with_it(mariadb: Engine) -> None:
    assert mariadb.url.database is not None
    assert mariadb.url.database.startswith(f"rpsync_test_{os.getpid()}_")
    with services.mysql_database(tables.metadata) as engine:
        assert set(inspect(engine).get_table_names()) == set(tables.metadata.tables)
        assert {engine.url.database, mariadb.url.database} <= databases()
    assert engine.url.database not in databases()


def test_a_database_whose_process_was_killed_is_dropped_by_the_next(mariadb: Engine) -> None:
    with mariadb.connect() as connection:
        connection.execute(text("CREATE DATABASE rpsync_test_1_0123abcd"))
        connection.execute(text("CREATE DATABASE rpsync_test_by_hand"))
    with services.mysql_database(tables.metadata):
        left = databases()
    with mariadb.connect() as connection:
        connection.execute(text("DROP DATABASE rpsync_test_by_hand"))
    assert "rpsync_test_1_0123abcd" not in left
    assert {"rpsync_test_by_hand", mariadb.url.database} <= left


@pytest.mark.parametrize("turn", [1, 2])
def test_no_test_sees_the_rows_of_another(mariadb: Engine, turn: int) -> None:
    with mariadb.begin() as connection:
        connection.execute(tables.product_store.insert().values(PRODUCT_STORE_ID="US"))
        assert connection.scalar(text("SELECT COUNT(*) FROM PRODUCT_STORE")) == 1
