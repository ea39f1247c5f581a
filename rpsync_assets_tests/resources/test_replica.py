"""A replica of HotWax's database: only read, in one snapshot, and its troubles told in plain words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.resources.databases import open_replica
from rpsync_assets.resources.oms import EmbeddedOms
from rpsync_assets_tests.oms.books import Books

SECRET = "geheim"  # noqa: S105


def oms_at(url: str) -> EmbeddedOms:
    """The door whose ``read`` every OMS shares."""
    return EmbeddedOms(url, Path("reset"), Path("variance"))


def url_of(engine: Engine, **changed: object) -> str:
    return engine.url.set(**changed).render_as_string(hide_password=False)  # type: ignore[arg-type]


def ask(url: str) -> None:
    with oms_at(url).read() as reader:
        reader.facilities("US")


def test_a_replica_can_be_asked_and_not_written(mariadb: Engine) -> None:
    replica = open_replica(url_of(mariadb))
    with replica.begin() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM PRODUCT_STORE")) == 0
    for statement in ("INSERT INTO PRODUCT_STORE (PRODUCT_STORE_ID) VALUES ('US')", "DELETE FROM PRODUCT_STORE"):
        with replica.begin() as connection, pytest.raises(DBAPIError, match="READ ONLY"):
            connection.execute(text(statement))
    replica.dispose()


def test_a_replica_answers_from_one_snapshot_even_where_the_server_would_not(mariadb: Engine) -> None:
    books = Books(mariadb)
    item = books.stock("F1", "A", 10)
    lenient = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
    replica = open_replica(url_of(mariadb, query={"init_command": lenient}))
    with replica.begin() as connection:
        question = text("SELECT SUM(QUANTITY_ON_HAND_TOTAL) FROM INVENTORY_ITEM")
        assert connection.scalar(question) == 10
        books.move(item, -3, datetime(2026, 3, 10, tzinfo=UTC))
        assert connection.scalar(question) == 10
    replica.dispose()


@pytest.mark.parametrize("driver", ["mysql", "mariadb", "mysql+mysqldb", "mariadb+mariadbconnector"])
def test_whatever_driver_a_url_names_ours_is_taken(mariadb: Engine, driver: str) -> None:
    Books(mariadb)
    ask(url_of(mariadb, drivername=driver))


def test_a_server_that_is_away_is_unreachable(mariadb: Engine) -> None:
    with pytest.raises(UnreachableError, match="does not answer") as told:
        ask(url_of(mariadb, port=1, password=SECRET))
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("wrong", [{"username": "nobody", "password": SECRET}, {"database": "rpsync_test_none"}])
def test_a_login_or_database_that_is_wrong_is_a_matter_of_setup(mariadb: Engine, wrong: dict[str, str]) -> None:
    with pytest.raises(SetupError, match="cannot answer") as told:
        ask(url_of(mariadb, **wrong))
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("RENAME TABLE FACILITY TO FACILITY_2", "RENAME TABLE FACILITY_2 TO FACILITY"),
        (
            "ALTER TABLE FACILITY RENAME COLUMN EXTERNAL_ID TO X",
            "ALTER TABLE FACILITY RENAME COLUMN X TO EXTERNAL_ID",
        ),
    ],
)
def test_a_table_or_column_that_is_not_there_is_named(mariadb: Engine, change: str, back: str) -> None:
    with mariadb.connect() as connection:
        connection.execute(text(change))
    try:
        with pytest.raises(SetupError, match=r"FACILITY'|EXTERNAL_ID'") as told:
            ask(url_of(mariadb))
        assert "PRODUCT_STORE_FACILITY" not in str(told.value), "the SQL stays out"
    finally:
        with mariadb.connect() as connection:
            connection.execute(text(back))
