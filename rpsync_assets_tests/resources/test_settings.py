"""rpsync.toml and the environment -> one frozen object that never shows a secret."""

from pathlib import Path

import pytest

from rpsync_assets.core.errors import SetupError
from rpsync_assets.settings import Settings, load_settings

STORE = '[stores.US]\ntime_zone = "America/New_York"\nchannel = "WEB"\n'
SFTP = '[sftp]\nhost = "sftp.example.com"\nusername = "rpsync"\nknown_hosts = "known_hosts"\n'


def loaded(folder: Path, toml: str = STORE + SFTP, **environ: str) -> Settings:
    (folder / "rpsync.toml").write_text(toml, "utf-8")
    return load_settings(environ, folder)


def refused(folder: Path, toml: str, **environ: str) -> str:
    with pytest.raises(SetupError) as error:
        loaded(folder, toml, **environ)
    return str(error.value)


def test_a_few_lines_are_enough_and_the_rest_has_its_defaults(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    store = settings.store("US")
    assert (store.file_kind, store.columns.quantity, store.max_failed_share) == ("delta", None, 0.01)
    assert store.zone.key == "America/New_York"
    assert (store.told.by, store.told.invoice_lag.total_seconds()) == ("order_completed", 0)
    assert (settings.sftp.port, settings.sftp.incoming) == (22, "retailpro/incoming")


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        (STORE + 'colour = "red"\n' + SFTP, "stores.US.colour: Extra inputs are not permitted"),
        ('speed = "high"\n' + STORE + SFTP, "speed: Extra inputs are not permitted"),
        (STORE + SFTP + 'pasword = "x"\n', "sftp.pasword: Extra inputs are not permitted"),
        (STORE.replace("America/New_York", "New York") + SFTP, "'New York' is not a time zone"),
        (STORE.replace("America/New_York", "") + SFTP, "is not a time zone"),
        (STORE.replace("America/New_York", "/etc/passwd") + SFTP, "is not a time zone"),
        (STORE.replace("stores.US", 'stores."U S"') + SFTP, "store id 'U S' must be without spaces"),
        (STORE.replace("stores.US", 'stores."U|S"') + SFTP, "store id 'U|S' must be without"),
        (STORE.replace("stores.US", 'stores."../US"') + SFTP, "store id '../US' must be without"),
        (STORE.replace("stores.US", 'stores.""') + SFTP, "store id '' must be without"),
        (SFTP + "[stores]\n", "at least one [stores.<id>] is needed"),
        (SFTP, "stores: Field required"),
        (STORE, "sftp: Field required"),
        (STORE + 'file_kind = "both"\n' + SFTP, "stores.US.file_kind"),
        (STORE + "export_minutes = -1\n" + SFTP, "stores.US.export_minutes"),
        (STORE + "max_failed_share = 1.5\n" + SFTP, "stores.US.max_failed_share"),
        (STORE + SFTP + 'port = "ssh"\n', "sftp.port"),
        ("stores = [\n", "rpsync.toml cannot be used"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, toml: str, named: str) -> None:
    message = refused(tmp_path, toml)
    assert named in message
    assert str(tmp_path / "rpsync.toml") in message


def test_a_store_that_is_not_set_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="Product store 'SV' is not in the settings, which know US"):
        loaded(tmp_path).store("SV")


SECRETS = {
    "RPSYNC_SFTP_PASSWORD": "s3cret-word",
    "RPSYNC_OMS_DATABASE_URL": "sqlite:////srv/s3cret-oms.sqlite",
    "RPSYNC_STATE_DATABASE_URL": "postgresql://us:s3cret-state@db/state",
    "RPSYNC_SHOPIFY_TOKEN_US": "s3cret-shop",
}


def test_secrets_come_from_the_environment_and_are_never_shown(tmp_path: Path) -> None:
    settings = loaded(tmp_path, STORE + SFTP, **SECRETS)
    shown = repr(settings) + str(settings) + settings.model_dump_json() + repr(settings.secrets)
    assert "s3cret" not in shown
    assert settings.secrets.sftp_password is not None
    assert settings.secrets.sftp_password.get_secret_value() == "s3cret-word"
    assert settings.oms_database_url == "sqlite:////srv/s3cret-oms.sqlite"
    assert settings.state_database_url == "postgresql://us:s3cret-state@db/state"
    assert settings.secrets.shopify_tokens["US"].get_secret_value() == "s3cret-shop"


def test_a_text_that_leaves_the_machine_is_without_secrets_and_the_passwords_in_addresses(tmp_path: Path) -> None:
    environ = {
        "RPSYNC_SFTP_PASSWORD": "hunter22",
        "RPSYNC_STATE_DATABASE_URL": "postgresql+psycopg2://rpsync:p%40ss%2Fword@127.0.0.1/rpsync",
        "RPSYNC_SHOPIFY_TOKEN_US": "shpat_0123",
        "RPSYNC_SMTP_PASSWORD": "x",
    }
    secrets = loaded(tmp_path, **environ).secrets
    quoted = "hunter22 shpat_0123 p@ss/word p%40ss%2Fword postgresql+psycopg2://rpsync:p%40ss%2Fword@127.0.0.1/rpsync"
    assert secrets.hide(quoted) == "*** *** *** *** ***"
    assert secrets.hide("an example of x") == "an example of x"


def test_a_mistake_in_the_file_does_not_show_a_secret(tmp_path: Path) -> None:
    assert "s3cret" not in refused(tmp_path, STORE + SFTP + "port = 1.5\n", **SECRETS)


def test_a_secret_in_the_file_is_refused_in_the_sections_and_not_repeated(tmp_path: Path) -> None:
    message = refused(tmp_path, STORE + SFTP + 'password = "s3cret-word"\n')
    assert "sftp.password: Extra inputs are not permitted" in message
    assert "s3cret" not in message


def test_paths_in_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'data_dir = "kept"\n' + STORE + SFTP + '[oms]\ndatabase = "/srv/oms.sqlite"\n')
    assert settings.data_dir == tmp_path / "kept"
    assert settings.sftp.known_hosts == tmp_path / "known_hosts"
    assert settings.oms.sftp_root == tmp_path / "sftp"
    assert settings.oms_database_url == "sqlite:////srv/oms.sqlite"
    assert settings.state_database_url == f"sqlite:///{tmp_path / 'kept' / 'state.sqlite'}"


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    elsewhere = tmp_path / "etc" / "shop.toml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(STORE + SFTP.replace("sftp.example.com", "other.example.com"), "utf-8")
    settings = loaded(tmp_path, STORE + SFTP, RPSYNC_CONFIG=str(elsewhere), RPSYNC_DATA_DIR="here")
    assert settings.sftp.host == "other.example.com"
    assert settings.sftp.known_hosts == tmp_path / "etc" / "known_hosts"
    assert settings.data_dir == tmp_path / "here"


def test_a_settings_file_that_is_named_but_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"RPSYNC_CONFIG names /nowhere/rpsync\.toml, which does not exist"):
        load_settings({"RPSYNC_CONFIG": "/nowhere/rpsync.toml"}, tmp_path)


def test_a_bare_clone_has_the_sandboxs_settings_in_its_data_folder(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert settings.stores
    assert settings.oms.database.is_relative_to(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        loaded(tmp_path).data_dir = tmp_path  # type: ignore[misc]
