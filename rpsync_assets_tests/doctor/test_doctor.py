"""What is broken is named by its own line; what hangs on it is not looked at; nothing is ever changed."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from rpsync_assets.cli import app
from rpsync_assets.doctor import machine, shopify
from rpsync_assets.doctor.oms import OmsLook
from rpsync_assets.oms import tables
from rpsync_assets.resources import oms_lookup_sql, oms_sql
from rpsync_assets_tests.doctor.conftest import Setup
from rpsync_assets_tests.graph.tiny_oms import TinyOms

RESET, VARIANCE = "hotwax/reset-inventory", "hotwax/inventory-variance"


def test_a_healthy_set_up_is_all_green_and_stays_as_it_is(setup: Setup) -> None:
    before = setup.bytes()
    lines = setup.lines()
    assert [line for line in lines if line.mark != "ok"] == []
    assert len(lines) > 20
    assert setup.bytes() == before


def unknown_key(setup: Setup) -> None:
    setup.known_hosts.write_text("")


def changed_key(setup: Setup) -> None:
    setup.known_hosts.write_text(setup.server.known(asyncssh.generate_private_key("ssh-ed25519")))


def no_key_file(setup: Setup) -> None:
    setup.secrets["sftp_key_file"] = setup.root / "none"


def open_key_file(setup: Setup) -> None:
    key = setup.root / "key"
    key.write_text("")
    key.chmod(0o644)
    setup.secrets["sftp_key_file"] = key


def refuse(verb: str, folder: str) -> Callable[[Setup], None]:
    return lambda setup: setup.server.refuse.add((verb, folder))


def no_variance_folder(setup: Setup) -> None:
    shutil.rmtree(setup.server.folder / VARIANCE)


def sql(statement: str) -> Callable[[Setup], None]:
    return lambda setup: setup.oms.do(statement)


def second_role(setup: Setup) -> None:
    setup.oms.add(tables.shopify_shop_location, SHOP_ID="SHOP", FACILITY_ID="NY", SHOPIFY_LOCATION_ID="700")


def broken_state(setup: Setup) -> None:
    (setup.data / "state.sqlite").write_bytes(b"no database at all, whatever it is called" * 30)


def changed(where: str, **values: object) -> Callable[[Setup], None]:
    return lambda setup: getattr(setup, where).update(values)


def dagster_yaml(text: str, **environ: str) -> Callable[[Setup], None]:
    def broken(setup: Setup) -> None:
        (setup.root / "dagster/dagster.yaml").write_text(text)
        setup.environ.update(environ)

    return broken


POSTGRES = "storage: {postgres: {postgres_url: {env: DAGSTER_POSTGRES_URL}}}\n"
MAIL = {"email_to": ["ops@example.com"], "smtp_host": "127.0.0.1", "smtp_port": 9}

BROKEN: dict[str, tuple[Callable[[Setup], object], str, str]] = {
    "unknown host key": (unknown_key, "SFTP server", "is unknown"),
    "changed host key": (changed_key, "SFTP server", "has changed"),
    "wrong password": (changed("secrets", sftp_password="wrong"), "SFTP server", "refused the login"),  # noqa: S106
    "no password": (changed("secrets", sftp_password=None), "secret: SFTP login", "neither a password nor a key"),
    "dead server": (changed("sftp", port=1), "SFTP server", "127.0.0.1:1"),
    "no key file": (no_key_file, "secret: SFTP login", "cannot be read"),
    "open key file": (open_key_file, "secret: SFTP login", "can be read by others"),
    "unreadable incoming": (refuse("list", "retailpro"), "SFTP incoming", "does not let us read"),
    "missing folder": (no_variance_folder, "SFTP inventory_variance", f"no folder '{VARIANCE}'"),
    "read-only folder": (refuse("write", RESET), "SFTP reset_inventory", "does not let us read or write"),
    "no rename right": (refuse("rename", VARIANCE), "SFTP inventory_variance", "does not let us rename"),
    "no OMS": (lambda setup: (setup.root / "oms.sqlite").unlink(), "OMS database", "does not exist"),
    "missing table": (sql("DROP TABLE ITEM_ISSUANCE"), "OMS tables and columns", "ITEM_ISSUANCE"),
    "missing column": (
        sql("ALTER TABLE PRODUCT_FACILITY RENAME COLUMN MINIMUM_STOCK TO X"),
        "OMS tables and columns",
        "MINIMUM_STOCK",
    ),
    "unknown store": (sql("DELETE FROM PRODUCT_STORE"), "OMS product store US", "no product store 'US'"),
    "nameless facility": (
        sql("UPDATE FACILITY SET EXTERNAL_ID = NULL WHERE FACILITY_ID = 'NASH'"),
        "OMS facilities of US",
        "NASH",
    ),
    "unknown channel": (changed("store", channel="NONE"), "OMS channel of US", "'NONE'"),
    "wrong token": (
        changed("secrets", shopify_tokens={"US": "wrong"}),
        "Shopify token of US",
        "refuses the token",
    ),
    "missing token": (changed("secrets", shopify_tokens={}), "secret: Shopify token of US", "is not set"),
    "missing scope": (
        lambda setup: setup.endpoint.behaviour.scopes.remove("read_orders"),
        "Shopify scopes of US",
        "lacks read_orders",
    ),
    "missing location": (
        sql("UPDATE SHOPIFY_SHOP_LOCATION SET SHOPIFY_LOCATION_ID = '701'"),
        "Shopify locations of US",
        "lacks 701",
    ),
    "unmapped location": (sql("DELETE FROM SHOPIFY_SHOP_LOCATION"), "Shopify locations of US", "has a location"),
    "closed location": (
        lambda setup: setup.endpoint.behaviour.inactive.add("700"),
        "Shopify locations of US",
        "closed: 700",
    ),
    "two roles": (second_role, "Shopify roles of US", "700 stands for NY, _NA_"),
    "open data folder": (lambda setup: setup.data.chmod(0o755), "data folder", "0755, not 0700"),
    "broken state database": (broken_state, "state database", "cannot be read"),
    "broken dagster.yaml": (dagster_yaml("telemetry: {"), "Dagster", "cannot be read"),
    "storage that is not named": (dagster_yaml(POSTGRES), "Dagster", "DAGSTER_POSTGRES_URL, which is not set"),
    "storage without its driver": (
        dagster_yaml(POSTGRES, DAGSTER_POSTGRES_URL="postgresql://rpsync:secret@127.0.0.1/dagster"),
        "Dagster",
        "begins with postgresql://",
    ),
    "dead mail server": (changed("alerts", **MAIL), "alerts", "127.0.0.1:9 does not take the message"),
}


@pytest.mark.parametrize(("broken", "name", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_is_named_by_its_line_alone(
    setup: Setup, broken: Callable[[Setup], object], name: str, said: str
) -> None:
    broken(setup)
    before = setup.bytes()
    lines = setup.lines()
    (failed,) = [line for line in lines if line.mark == "failed"]
    assert failed.name == name
    assert said in failed.seen
    assert failed.mend
    assert setup.bytes() == before


def test_an_api_version_that_shopify_gave_up_is_named(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shopify, "VERSION", "2019-04")
    (failed,) = [line for line in setup.lines() if line.mark == "failed"]
    assert (failed.name, failed.mend) == ("Shopify version of US", "Update rpsync")
    assert "does not support API version 2019-04" in failed.seen


def test_a_disk_that_is_too_small_is_named(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_FREE_BYTES", 10**18)
    (failed,) = [line for line in setup.lines() if line.mark == "failed"]
    assert failed.name == "disk"
    assert "GB free, 1000000000.0 GB needed" in failed.seen


def test_a_set_up_that_tells_nobody_is_a_warning(setup: Setup) -> None:
    setup.secrets["alert_webhook_url"] = None
    assert [(line.name, line.mark) for line in setup.lines() if line.mark != "ok"] == [("alerts", "warning")]


def test_a_dagster_yaml_of_an_earlier_version_is_a_warning_that_names_what_it_lacks(setup: Setup) -> None:
    (setup.root / "dagster/dagster.yaml").write_text("telemetry: {enabled: false}\nrun_monitoring: {enabled: true}\n")
    (line,) = [line for line in setup.lines() if line.mark == "warning"]
    assert (line.name, "says nothing of concurrency, sensors" in line.seen) == ("Dagster", True)


def test_the_address_of_dagsters_storage_is_not_shown(setup: Setup) -> None:
    dagster_yaml(POSTGRES, DAGSTER_POSTGRES_URL="postgresql://rpsync:secret@127.0.0.1/dagster")(setup)
    assert not any("secret@" in line.seen + line.mend for line in setup.lines())


def test_what_hangs_on_a_broken_thing_is_not_looked_at_and_the_rest_is(setup: Setup) -> None:
    unknown_key(setup)
    marks = {line.name: line for line in setup.lines()}
    assert marks["SFTP incoming"].seen == "not looked at, because 'SFTP server' is not well"
    assert marks["Shopify locations of US"].mark == marks["disk"].mark == "ok"


def test_every_question_of_the_graph_is_asked(setup: Setup) -> None:
    asked_in = {**vars(oms_sql), **vars(oms_lookup_sql)}
    told = {name: asked for name, asked in asked_in.items() if name.isupper() and name[0] != "_"}
    theirs = {name for name, asked in told.items() if isinstance(asked, str | dict)} - {"PHYSICAL_MOVEMENT"}
    assert {name.split(" ")[0] for name in OmsLook(setup.settings()).questions()} == theirs


def test_the_command_tells_by_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.root.manager, "disable", 0)  # the command silences libraries; it is put back here
    monkeypatch.setenv("RPSYNC_CONFIG", str(tmp_path / "none.toml"))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 2
    config = tmp_path / "rpsync.toml"
    config.write_text(
        '[stores.US]\ntime_zone = "America/New_York"\nchannel = "C"\n'
        '[sftp]\nhost = "127.0.0.1"\nport = 1\nusername = "x"\nknown_hosts = "k"\n'
    )
    monkeypatch.setenv("RPSYNC_CONFIG", str(config))
    ran = CliRunner().invoke(app, ["doctor", "--json", str(tmp_path / "lines.json")])
    assert ran.exit_code == 1
    assert ".rpsync-doctor-<uuid>.part" in ran.output
    assert {"name", "mark", "seen", "mend"} == set(json.loads((tmp_path / "lines.json").read_text())[0])
    assert CliRunner().invoke(app, ["doctor", "--store", "XX"]).exit_code == 2


# HotWax ---------------------------------------------------------------------------------------------------------------
def hotwax(setup: Setup, mariadb: Engine, **query: str) -> dict[str, tuple[str, str]]:
    """Marks and words with the OMS on MariaDB."""
    url = mariadb.url.update_query_dict(query).render_as_string(hide_password=False)
    setup.oms_settings["kind"] = "hotwax"
    setup.secrets["oms_database_url"] = url
    return {line.name: (line.mark, line.seen) for line in setup.lines()}


def test_a_healthy_hotwax_has_no_failure_and_a_warning_for_the_right_to_write(setup: Setup, mariadb: Engine) -> None:
    TinyOms(mariadb)
    marks = hotwax(setup, mariadb)
    odd = {name for name, (mark, _) in marks.items() if mark != "ok"}
    assert odd == {"OMS rights", "OMS receipts", "Shopify publisher of US"}
    assert {marks[name][0] for name in odd} == {"warning"}


def test_a_hotwax_whose_clock_is_off_is_named(setup: Setup, mariadb: Engine) -> None:
    TinyOms(mariadb)
    marks = hotwax(setup, mariadb, init_command="SET timestamp = UNIX_TIMESTAMP() - 120")
    assert [name for name, (mark, _) in marks.items() if mark == "failed"] == ["OMS clock"]


def test_a_hotwax_in_another_time_zone_is_a_warning(setup: Setup, mariadb: Engine) -> None:
    TinyOms(mariadb)
    assert hotwax(setup, mariadb, init_command="SET time_zone = '+02:00'")["OMS time zone"] == (
        "warning",
        "+02:00 / UTC, +120 minutes off UTC",
    )


def test_a_missing_archive_folder_is_named(setup: Setup, mariadb: Engine) -> None:
    TinyOms(mariadb)
    shutil.rmtree(setup.server.folder / RESET / "archive")
    marks = hotwax(setup, mariadb)
    assert [name for name, (mark, _) in marks.items() if mark == "failed"] == ["SFTP reset_inventory archive and error"]


def test_an_active_shopify_job_of_hotwax_is_named(setup: Setup, mariadb: Engine) -> None:
    oms = TinyOms(mariadb)
    oms.do("CREATE TABLE JOB_SANDBOX (JOB_NAME VARCHAR(99), SERVICE_NAME VARCHAR(99), STATUS_ID VARCHAR(40))")
    try:
        oms.do("INSERT INTO JOB_SANDBOX VALUES ('Upload', 'syncShopifyInventory', 'SERVICE_PENDING')")
        mark, seen = hotwax(setup, mariadb)["Shopify publisher of US"]
    finally:
        oms.do("DROP TABLE JOB_SANDBOX")
    assert mark == "failed"
    assert "syncShopifyInventory" in seen


def test_telemetry_that_is_on_is_a_warning(setup: Setup) -> None:
    (setup.root / "dagster/dagster.yaml").write_text("nux: {enabled: false}\n")
    assert [line.name for line in setup.lines() if line.mark == "warning"] == ["Dagster"]


def test_a_ledger_that_can_be_read_and_is_not_used_is_a_warning(setup: Setup, mariadb: Engine) -> None:
    TinyOms(mariadb)
    setup.oms_settings["ledger"] = False
    assert hotwax(setup, mariadb)["OMS ledger"][0] == "warning"


def test_a_hotwax_that_is_away_is_named(setup: Setup, mariadb: Engine) -> None:
    setup.oms_settings["kind"] = "hotwax"
    setup.secrets["oms_database_url"] = "mysql://reader:secret@127.0.0.1:1/x"
    lines = setup.lines()
    assert [line.name for line in lines if line.mark == "failed"] == ["OMS database"]
    assert not any("secret@" in line.seen for line in lines)
