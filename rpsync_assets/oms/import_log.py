"""The embedded OMS's import log, on HotWax's shapes: DATA_MANAGER_LOG and DATA_MANAGER_CONTENT (domain.md 1.5).

Belongs here: which file was imported, when, how many rows, and where its failed rows lie. Does not: the rows.

A file is known by its name and content: the same name with other content is another file.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection

from rpsync_assets.core.names import DeliveredName, read_delivered_name
from rpsync_assets.oms.ledger import stored

_NEW_LOG = """
INSERT INTO DATA_MANAGER_LOG (LOG_ID, CONFIG_ID, UPLOAD_FILE_CONTENT_ID, CREATED_DATE, START_DATE_TIME, STATUS_ID,
  PRODUCT_STORE_ID, REMOTE_FILE_PATH) VALUES (:log, :config, :log, :now, :now, :status, :store, :name)
"""
_NEW_CONTENT = """
INSERT INTO DATA_MANAGER_CONTENT (LOG_CONTENT_ID, LOG_ID, FILE_NAME, FILE_SIZE, CONTENT_LOCATION,
  LOG_CONTENT_TYPE_ENUM_ID, CONTENT_DATE, CONTENT_HASH)
VALUES (:content, :log, :name, :size, :place, :kind, :now, :hash)
"""
_FINISH = """
UPDATE DATA_MANAGER_LOG SET STATUS_ID = :status, FINISH_DATE_TIME = :now, TOTAL_RECORD_COUNT = :total,
  FAILED_RECORD_COUNT = :failed, ERROR_RECORD_CONTENT_ID = :errors WHERE LOG_ID = :log
"""
_FIND = """
SELECT L.LOG_ID, L.TOTAL_RECORD_COUNT, L.FAILED_RECORD_COUNT FROM DATA_MANAGER_LOG L
JOIN DATA_MANAGER_CONTENT C ON C.LOG_CONTENT_ID = L.UPLOAD_FILE_CONTENT_ID
WHERE L.CONFIG_ID = :config AND L.REMOTE_FILE_PATH = :name AND L.STATUS_ID = :status AND C.CONTENT_HASH = :hash
"""


@dataclass(frozen=True)
class ImportFile:
    """A file on its way through the import log."""

    config: str
    name: str
    content: bytes
    now: datetime

    @cached_property
    def digest(self) -> str:
        """What tells a file from another of the same name."""
        return hashlib.sha256(self.content).hexdigest()

    def finished(self, connection: Connection) -> tuple[str, int, int] | None:
        """Log id, total and failed rows of its finished import, or None."""
        found = self._find(connection, "SERVICE_FINISHED")
        return None if found is None else (found[0], int(found[1]), int(found[2]))

    def running(self, connection: Connection) -> str | None:
        """The log id of an import of it that began and did not end: whoever ran it has died."""
        found = self._find(connection, "SERVICE_RUNNING")
        return None if found is None else found[0]

    def _find(self, connection: Connection, status: str) -> tuple[str, float, float] | None:
        values = {"config": self.config, "name": self.name, "status": status, "hash": self.digest}
        row = connection.exec_driver_sql(_FIND, values).first()
        return None if row is None else (row[0], row[1], row[2])


def open_log(connection: Connection, file: ImportFile, name: DeliveredName | None, table: str) -> tuple[str, int]:
    """The log id of an import that begins now or goes on, and the last line whose outcome stands in ``table``."""
    log_id = file.running(connection)
    if log_id is None:
        return _new_log(connection, file, name, "SERVICE_RUNNING"), 1
    done = connection.exec_driver_sql(
        f"SELECT COALESCE(MAX(LINE_NUMBER), 1) FROM {table} WHERE LOG_ID = ?",
        (log_id,),
    ).scalar_one()
    return log_id, int(done)


def failed_rows(connection: Connection, log_id: str, table: str) -> list[tuple[int, str]]:
    """Line and reason of each failed row."""
    rows = connection.exec_driver_sql(
        f"SELECT LINE_NUMBER, REASON FROM {table} WHERE LOG_ID = ? AND ROW_STATUS = 'failed' ORDER BY LINE_NUMBER",
        (log_id,),
    )
    return [(int(line), str(reason)) for line, reason in rows.all()]


def close_log(
    connection: Connection, file: ImportFile, log_id: str, *, total: int, failed: int, errors: Path | None
) -> None:
    """The import is finished: from here on the file counts as imported."""
    content = None
    if errors is not None:
        content = f"{log_id}-E"
        values = {"content": content, "log": log_id, "name": errors.name, "size": errors.stat().st_size}
        place = {"place": str(errors), "kind": "DmcntError", "now": stored(file.now), "hash": None}
        connection.exec_driver_sql(_NEW_CONTENT, {**values, **place})
    values = {"log": log_id, "status": "SERVICE_FINISHED", "total": total, "failed": failed, "errors": content}
    connection.exec_driver_sql(_FINISH, {**values, "now": stored(file.now)})


def log_refused(connection: Connection, file: ImportFile) -> None:
    """Write down that a whole file was refused."""
    log_id = _new_log(connection, file, read_delivered_name(file.name), "SERVICE_FAILED")
    values = {"log": log_id, "status": "SERVICE_FAILED", "total": None, "failed": None, "errors": None}
    connection.exec_driver_sql(_FINISH, {**values, "now": stored(file.now)})


def reset_logs(connection: Connection, config: str, name: DeliveredName | None) -> list[str]:
    """The imports of a variance's reset, and of older generations of the same day; none if its own never came."""
    if name is None:
        return []
    of_day = {
        log_id: reset.generation
        for log_id, reset in _finished_resets(connection, config, name.store)
        if reset.business_date == name.business_date
    }
    if name.kind == "undo":
        return list(of_day)
    if name.generation not in of_day.values():
        return []
    return [log_id for log_id, generation in of_day.items() if generation <= name.generation]


def logs_of_earlier_days(connection: Connection, config: str, name: DeliveredName | None) -> list[str]:
    """The imports of a store's resets of the business dates before a reset's own."""
    if name is None:
        return []
    resets = _finished_resets(connection, config, name.store)
    return [log_id for log_id, reset in resets if reset.business_date < name.business_date]


def _finished_resets(connection: Connection, config: str, store: str) -> list[tuple[str, DeliveredName]]:
    rows = connection.exec_driver_sql(
        "SELECT LOG_ID, REMOTE_FILE_PATH FROM DATA_MANAGER_LOG"
        " WHERE CONFIG_ID = ? AND STATUS_ID = 'SERVICE_FINISHED' AND PRODUCT_STORE_ID = ?",
        (config, store),
    ).all()
    return [(log_id, reset) for log_id, file_name in rows if (reset := read_delivered_name(file_name))]


def _new_log(connection: Connection, file: ImportFile, name: DeliveredName | None, status: str) -> str:
    newest = connection.exec_driver_sql("SELECT MAX(CAST(LOG_ID AS INTEGER)) FROM DATA_MANAGER_LOG").scalar()
    log_id = str(10000 if newest is None else int(newest) + 1)
    now = stored(file.now)
    values = {"log": log_id, "config": file.config, "status": status, "name": file.name, "now": now}
    connection.exec_driver_sql(_NEW_LOG, {**values, "store": name.store if name else None})
    values = {"content": log_id, "log": log_id, "name": file.name, "size": len(file.content), "place": None}
    connection.exec_driver_sql(_NEW_CONTENT, {**values, "kind": "DmcntImported", "now": now, "hash": file.digest})
    return log_id
