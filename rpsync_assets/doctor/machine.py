"""This machine: secrets, time zones, disk, our own database, Dagster's home, who is told.

Belongs here: looks that concern no partner's server. Does not: those. Nothing is opened for writing, nothing is sent.
"""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import make_url, text

from rpsync_assets.alerts.channels import Email, channels
from rpsync_assets.core.errors import SetupError
from rpsync_assets.doctor.checkup import PATIENCE_SECONDS, Checkup, Doubt
from rpsync_assets.resources.databases import open_engine, told_plainly
from rpsync_assets.resources.private import PRIVATE_FOLDER
from rpsync_assets.settings import Settings

GIGABYTE = 10**9
LEAST_FREE_BYTES = 5 * GIGABYTE
TIMES_LARGEST_FILE = 3
"""A file is landed, filtered to tables and written to an outbox."""


def look_at_secrets(checkup: Checkup, settings: Settings, stores: Iterable[str]) -> None:
    """Whether what only the environment may hold is there for what is configured."""
    checkup.look("secret: SFTP login", lambda: _sftp_secret(settings))
    checkup.look("secret: OMS database", lambda: make_url(settings.oms_database_url).render_as_string())
    for store in stores:
        if settings.store(store).shopify.mode != "off":
            checkup.look(f"secret: Shopify token of {store}", lambda store=store: _token(settings, store))


def _sftp_secret(settings: Settings) -> str:
    key = settings.secrets.sftp_key_file
    if key is None:
        if settings.secrets.sftp_password is None:
            raise SetupError("neither a password nor a key is set", "Set RPSYNC_SFTP_PASSWORD or RPSYNC_SFTP_KEY_FILE")
        return "password is set"
    try:
        with key.open("rb") as handle:
            handle.read(1)
    except OSError as error:
        raise SetupError(
            f"the key file {key} cannot be read: {error.strerror}", "Correct RPSYNC_SFTP_KEY_FILE or the file's rights"
        ) from error
    if stat.S_IMODE(key.stat().st_mode) & 0o077:
        raise SetupError(f"the key file {key} can be read by others", f"chmod 600 {key}")
    return f"key file {key}"


def _token(settings: Settings, store: str) -> str:
    if store not in settings.secrets.shopify_tokens:
        raise SetupError(
            f"the token of {store}'s shop is not set, and publish is {settings.store(store).shopify.mode}",
            f"Put the app's Admin API access token into RPSYNC_SHOPIFY_TOKEN_{store}",
        )
    return "is set"


def look_at_machine(checkup: Checkup, settings: Settings, stores: Iterable[str], environ: Mapping[str, str]) -> None:
    """Time zones, disk, our own database, Dagster's home, who is told."""
    for store in stores:
        checkup.look(f"time zone of {store}", lambda store=store: _zone(settings, store))
    checkup.look("data folder", lambda: _data_folder(settings.data_dir))
    checkup.look("disk", lambda: _disk(settings.data_dir))
    checkup.look("state database", lambda: _state(settings.state_database_url))
    checkup.look("Dagster", lambda: _dagster(environ))
    checkup.look("alerts", lambda: _alerts(settings))


def _zone(settings: Settings, store: str) -> str:
    now = datetime.now(UTC).astimezone(settings.store(store).zone)
    return f"{settings.store(store).time_zone}, where it is {now:%Y-%m-%d %H:%M %z}"


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _data_folder(folder: Path) -> str:
    there = _there(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SetupError(f"{there} is no folder that we may write to", "Correct data_dir, or the folder's rights")
    if there != folder:
        return f"{folder} will be made"
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode != PRIVATE_FOLDER:
        raise SetupError(f"{folder} has the rights {mode:04o}, not 0700: others may look in", f"chmod 700 {folder}")
    return f"{folder} is writable and private"


def _disk(folder: Path) -> str:
    free = shutil.disk_usage(_there(folder)).free
    largest = max((file.stat().st_size for file in (folder / "landing").rglob("*") if file.is_file()), default=0)
    needed = max(LEAST_FREE_BYTES, TIMES_LARGEST_FILE * largest)
    told = f"{free / GIGABYTE:.1f} GB free, {needed / GIGABYTE:.1f} GB needed"
    if free < needed:
        raise SetupError(told, f"Make room on the disk of {folder}")
    return told


def _state(url: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _state_server(url)
    path = Path(parsed.database or "")
    if not path.exists():
        return f"{path} will be made"
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise SetupError(f"{path} may not be written", "Give its owner's rights to the user that runs this")
    try:
        with closing(sqlite3.connect(read_only(path), uri=True)) as connection:
            (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'").fetchone()
    except sqlite3.Error as error:
        raise SetupError(f"{path} cannot be read: {error}", "Restore it from a copy; it knows what went out") from error
    return f"{path}, {tables} tables"


def _state_server(url: str) -> str:
    parsed = make_url(url).update_query_dict({"connect_timeout": str(PATIENCE_SECONDS)})
    engine = open_engine(parsed.render_as_string(hide_password=False))
    with told_plainly("the state database"), engine.connect() as connection:
        question = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
        if not connection.scalar(text(question)):
            raise SetupError("the state database's user may not make tables", "GRANT CREATE on its schema to the user")
    return f"{parsed.render_as_string()} answers"


def read_only(path: Path) -> str:
    """A SQLite address that changes nothing, not even by making a journal where nobody is at work."""
    alone = not path.with_name(f"{path.name}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"


def _dagster(environ: Mapping[str, str]) -> str | Doubt:
    home = environ.get("DAGSTER_HOME")
    if home is None:
        return Doubt("DAGSTER_HOME is not set", "Set it where Dagster's daemon runs, or runs are forgotten at its end")
    path = Path(home) / "dagster.yaml"
    try:
        told = yaml.safe_load(path.read_text("utf-8")) or {}
    except FileNotFoundError:
        return Doubt(f"{path} does not exist", "Take deploy/dagster.sqlite.yaml or deploy/dagster.postgres.yaml")
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SetupError(
            f"{path} cannot be read ({type(error).__name__})", "Correct it; Dagster does not start"
        ) from error
    if not isinstance(told, dict):
        raise SetupError(f"{path} holds no settings", "Take deploy/dagster.sqlite.yaml; Dagster does not start")
    _storage(path, told, environ)
    telemetry = told.get("telemetry")
    if not isinstance(telemetry, dict) or telemetry.get("enabled") is not False:
        return Doubt(f"telemetry is on in {path}", "Add 'telemetry: {enabled: false}'")
    if missing := [name for name in _NEEDED if name not in told]:
        return Doubt(f"{path} says nothing of {', '.join(missing)}", "Take them from deploy/dagster.sqlite.yaml")
    return f"{path}, telemetry off"


_NEEDED = ("run_monitoring", "concurrency", "sensors")
"""Without them a killed run holds its day for ever, a backfill loses the order of days, one silent server stops all."""


def _storage(path: Path, told: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Dagster does not start on a PostgreSQL whose driver its address does not name."""
    storage = told.get("storage")
    postgres = storage.get("postgres") if isinstance(storage, dict) else None
    url = postgres.get("postgres_url") if isinstance(postgres, dict) else None
    if isinstance(url, dict):
        name = str(url.get("env"))
        if name not in environ:
            raise SetupError(
                f"{path} takes Dagster's storage from {name}, which is not set", f"Set {name}; Dagster does not start"
            )
        url = environ[name]
    if isinstance(url, str) and not url.startswith("postgresql+psycopg2://"):
        raise SetupError(
            f"the address of Dagster's storage begins with {url.partition(':')[0]}://",
            "Let it begin with postgresql+psycopg2://; Dagster does not start",
        )


def _alerts(settings: Settings) -> str | Doubt:
    found = channels(settings)
    if not found:
        return Doubt("nobody is told when a day fails or is late", "Set [alerts] email_to, or RPSYNC_ALERT_WEBHOOK_URL")
    for channel in found:
        if isinstance(channel, Email):
            channel.log_in()
    return f"through {', '.join(channel.name for channel in found)}; nothing was sent"
