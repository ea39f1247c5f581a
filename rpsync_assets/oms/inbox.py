"""The embedded OMS's poll of its SFTP folders: take what lies there, import it, move it to ``archive/`` or ``error/``.

Belongs here: the life of a file in the inbox. Does not: what an import does (``oms/imports``).

Resets go before variances, as HotWax's jobs are ordered; within a kind the oldest day and generation go first.
"""

import fcntl
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.names import read_delivered_name
from rpsync_assets.oms.import_log import ImportFile, log_refused
from rpsync_assets.oms.imports import RESET_CONFIG, VARIANCE_CONFIG, import_reset, import_variance
from rpsync_assets.resources.private import private_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inbox:
    """The folders as the OMS's own machine sees them."""

    engine: Engine
    reset_inventory: Path
    inventory_variance: Path

    def poll(self, now: datetime) -> None:
        """Import everything that is there. One poll at a time: a second one waits, and finds the inbox empty."""
        with private_file(Path(f"{self.engine.url.database}.inbox_lock")).open("wb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for folder, reset in ((self.reset_inventory, True), (self.inventory_variance, False)):
                for file in sorted(folder.glob("*.csv"), key=_age):
                    self._take_in(file, reset, now)

    def _take_in(self, file: Path, reset: bool, now: datetime) -> None:  # noqa: FBT001
        content = file.read_bytes()
        importer = import_reset if reset else import_variance
        try:
            done = importer(self.engine, file.name, content, now, errors=file.parent / "error")
        except BadFileError as error:
            _log.warning("the OMS refused %s: %s", file.name, error)
            refused = ImportFile(RESET_CONFIG if reset else VARIANCE_CONFIG, file.name, content, now)
            with self.engine.execution_options(writes=True).begin() as connection:
                log_refused(connection, refused)
            _move(file, "error")
            return
        if not done.already:
            _log.info("the OMS imported %s: %d rows, %d failed", file.name, done.total, done.failed)
        _move(file, "archive")


def _age(file: Path) -> tuple[str, int, str]:
    """Oldest day first, then by generation as a number: g2 goes before g10."""
    name = read_delivered_name(file.name)
    return (name.business_date.isoformat(), name.generation, file.name) if name else ("", 0, file.name)


def _move(file: Path, to: str) -> None:
    place = file.parent / to
    place.mkdir(exist_ok=True, mode=0o700)
    file.replace(place / file.name)
