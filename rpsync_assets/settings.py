"""rpsync.toml + secrets from the environment -> one frozen, validated object.

Belongs here: every setting, its default and the reason of the default; a product store's are in ``store_settings``.
Does not: anything that opens, connects or decides. A secret is only ever read from the environment and never printed.

Where the settings come from: the file named by ``RPSYNC_CONFIG``, else ``rpsync.toml`` in the working folder, else the
sandbox's (``sandbox/rpsync.toml`` in this package), so that the code location loads on a bare clone.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator

from rpsync_assets.core.errors import SetupError
from rpsync_assets.store_settings import Section, StoreSettings

CONFIG_VARIABLE = "RPSYNC_CONFIG"
DATA_DIR_VARIABLE = "RPSYNC_DATA_DIR"
REPORTS_VARIABLE = "RPSYNC_REPORTS_URL"
TOKEN_PREFIX = "RPSYNC_SHOPIFY_TOKEN_"  # noqa: S105  the name of a variable
SHORTEST_SECRET = 4
"""Shorter ones are words of any text."""
SANDBOX_CONFIG = Path(__file__).parent / "sandbox" / "rpsync.toml"


class SftpSettings(Section):
    """The SFTP server that Retail Pro writes to and HotWax reads from."""

    host: str
    port: int = 22
    username: str
    known_hosts: Path
    incoming: str = "retailpro/incoming"
    reset_inventory: str = "hotwax/reset-inventory"
    inventory_variance: str = "hotwax/inventory-variance"
    # A file whose size and time stand still for this long is taken to be whole.
    settle_seconds: float = Field(default=5.0, ge=0)
    timeout_seconds: float = Field(default=30.0, gt=0)


class OmsSettings(Section):
    """The OMS.

    ``embedded`` is our own on SQLite, reading its inbox from the folder that the SFTP server shows. ``hotwax`` is
    HotWax Commerce: a replica of its MySQL or MariaDB database, named by RPSYNC_OMS_DATABASE_URL, that is only read.
    """

    kind: Literal["embedded", "hotwax"] = "embedded"
    database: Path = Path("oms.sqlite")
    sftp_root: Path = Path("sftp")
    # HotWax: whether the replica holds INVENTORY_ITEM_DETAIL and DATA_MANAGER_LOG, and the count that its reset job
    # compares with. Without the ledger, in-store sales between count and import cannot be brought back.
    ledger: bool = True
    import_log: bool = True
    reset_basis: Literal["qoh", "atp"] = "qoh"


class RetrySettings(Section):
    """How often a step that met a server that was away, or somebody at work, is tried again inside its run."""

    times: int = Field(default=3, ge=0, le=10)
    # 20, 40, 80 seconds: a restart of a server passes; what lasts longer is the sensors' to try again.
    first_wait_seconds: float = Field(default=20.0, ge=0)


class AlertSettings(Section):
    """Who is told what went wrong; nobody unless ``email_to`` or RPSYNC_ALERT_WEBHOOK_URL is set."""

    email_to: list[str] = Field(default=[])
    # Whom the mail is from; the first receiver if left out.
    email_from: str = ""
    smtp_host: str = "localhost"
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str = ""
    # Where people reach Dagster's UI: messages link to the run.
    ui_url: str = "http://127.0.0.1:3000"


class Secrets(Section):
    """What only the environment may hold."""

    sftp_password: SecretStr | None = None
    sftp_key_file: Path | None = None
    oms_database_url: SecretStr | None = None
    state_database_url: SecretStr | None = None
    api_tokens: SecretStr | None = Field(default=None, description="name:sha256 pairs, made by rpsync oms token")
    smtp_password: SecretStr | None = None
    alert_webhook_url: SecretStr | None = None
    shopify_tokens: dict[str, SecretStr] = Field(default={}, description="by product store")

    def hide(self, text: str) -> str:
        """A text in which no secret stands: what leaves this machine may quote a stranger's exception."""
        told = [one for one in vars(self).values() if isinstance(one, SecretStr)]
        whole = {one.get_secret_value() for one in (*told, *self.shopify_tokens.values())}
        within = {urlsplit(one).password or "" for one in whole if "://" in one}
        for secret in sorted({*whole, *within, *map(unquote, within)}, key=len, reverse=True):
            if len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text


class Settings(Section):
    """Everything the product can be told."""

    data_dir: Path = Path("data")
    # The first business date that Dagster offers. Left out: the first of last month. Days that the data folder holds
    # are offered in any case (``partitions.first_date``).
    first_date: date | None = None
    # Where "rpsync reports serve" is reached, for links in the UI; "rpsync ui" serves the same and says so itself.
    reports_url: str | None = None
    stores: dict[str, StoreSettings]
    sftp: SftpSettings
    oms: OmsSettings = OmsSettings()
    retries: RetrySettings = RetrySettings()
    alerts: AlertSettings = AlertSettings()
    secrets: Secrets = Secrets()

    @field_validator("reports_url")
    @classmethod
    def _an_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", url):
            raise ValueError(f"'{url}' is not an address such as https://reports.example.com")
        return url.rstrip("/")

    @field_validator("stores")
    @classmethod
    def _plain_ids(cls, stores: dict[str, StoreSettings]) -> dict[str, StoreSettings]:
        for store in stores:
            # Dagster's partition keys cannot hold these, and file names cannot hold a slash.
            if not store or set(store) & set("|,[]/\\ "):
                raise ValueError(f"store id '{store}' must be without spaces and | , [ ] / \\")
        if not stores:
            raise ValueError("at least one [stores.<id>] is needed")
        return stores

    def store(self, store: str) -> StoreSettings:
        """The settings of one product store."""
        if store not in self.stores:
            raise SetupError(
                f"Product store '{store}' is not in the settings, which know {', '.join(self.stores)}",
                f"Add [stores.{store}] to rpsync.toml",
            )
        return self.stores[store]

    @property
    def oms_database_url(self) -> str:
        """Where the OMS database is; the environment goes before the file."""
        given = self.secrets.oms_database_url.get_secret_value() if self.secrets.oms_database_url else None
        if self.oms.kind == "embedded":
            if given is not None and not given.startswith("sqlite:"):
                raise SetupError(
                    "RPSYNC_OMS_DATABASE_URL is not a SQLite database, but [oms] kind is embedded",
                    'The embedded OMS writes to its database: never point it at HotWax\'s own; set kind = "hotwax"',
                )
            return given or f"sqlite:///{self.oms.database}"
        if given is None:
            raise SetupError(
                "[oms] kind is hotwax, but RPSYNC_OMS_DATABASE_URL is not set",
                "Set it to the replica: mysql://reader:password@host:3306/database, with a user that may only read",
            )
        if not given.startswith(("mysql", "mariadb")):
            raise SetupError(
                "[oms] kind is hotwax, but RPSYNC_OMS_DATABASE_URL is not a MySQL or MariaDB database",
                "Set it to the replica: mysql://reader:password@host:3306/database",
            )
        return given

    @property
    def state_database_url(self) -> str:
        """Where our own small database is."""
        if self.secrets.state_database_url is not None:
            return self.secrets.state_database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'state.sqlite'}"


def load_settings(environ: Mapping[str, str], folder: Path) -> Settings:
    """Read the settings.

    Args:
        environ: the environment.
        folder: the working folder, for ``rpsync.toml`` and a relative data folder.

    Raises:
        SetupError: the file is missing, is not TOML, or has a value that cannot be.
    """
    named = environ.get(CONFIG_VARIABLE)
    usual = folder / "rpsync.toml"
    path = Path(named) if named else usual if usual.exists() else SANDBOX_CONFIG
    if not path.exists():
        raise SetupError(f"{CONFIG_VARIABLE} names {path}, which does not exist", "Copy rpsync.example.toml there")
    data_dir = environ.get(DATA_DIR_VARIABLE)
    # The packaged sandbox settings describe a world that lies in the data folder, not beside the package's code.
    base = path.resolve().parent if path != SANDBOX_CONFIG else (folder / (data_dir or "data") / "sandbox").resolve()
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        served = {"reports_url": environ[REPORTS_VARIABLE]} if environ.get(REPORTS_VARIABLE) else {}
        settings = Settings.model_validate({**raw, **served, "secrets": _secrets(environ)})
    except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError, OSError) as error:
        raise SetupError(f"{path.name} cannot be used: {_first_line(error)}", f"Correct {path}") from error
    return _with_absolute_paths(settings, base=base, data_dir=folder / data_dir if data_dir else None)


def _secrets(environ: Mapping[str, str]) -> dict[str, object]:
    names = (
        "sftp_password",
        "sftp_key_file",
        "oms_database_url",
        "state_database_url",
        "api_tokens",
        "smtp_password",
        "alert_webhook_url",
    )
    found: dict[str, object] = {
        name: environ[variable] for name in names if (variable := f"RPSYNC_{name.upper()}") in environ
    }
    tokens = {
        name.removeprefix(TOKEN_PREFIX): token for name, token in environ.items() if name.startswith(TOKEN_PREFIX)
    }
    return {**found, "shopify_tokens": tokens}


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        # Never the input: a secret could stand in it.
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)


def _with_absolute_paths(settings: Settings, *, base: Path, data_dir: Path | None) -> Settings:
    """Paths in the file are relative to the file; the data folder of the environment is relative to where we work."""
    return settings.model_copy(
        update={
            "data_dir": (data_dir or base / settings.data_dir).resolve(),
            "secrets": settings.secrets.model_copy(
                update={"sftp_key_file": settings.secrets.sftp_key_file and settings.secrets.sftp_key_file.expanduser()}
            ),
            "sftp": settings.sftp.model_copy(update={"known_hosts": base / settings.sftp.known_hosts}),
            "oms": settings.oms.model_copy(
                update={"database": base / settings.oms.database, "sftp_root": base / settings.oms.sftp_root}
            ),
        }
    )
