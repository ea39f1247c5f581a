"""A stand-in for HotWax's importer: its pick-up job, its one queue, and the arithmetic of its two inventory imports.

Belongs here: what HotWax does with a delivered file (domain.md 1.1, 1.2, 1.4, 1.5). Does not: anything of
``rpsync_assets`` but the shape of the tables: the embedded OMS is a different machine, and whoever tests the product
against both must not test one piece of code twice.

Where it differs from the embedded OMS, on purpose: it compares at import, it knows no snapshot and no generation, it
forgets file names (the same file again is imported again), and a crash leaves behind what was applied until then.
"""

import csv
import io
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, insert, select, text, update

from rpsync_assets.oms.tables import data_manager_content, data_manager_log, inventory_item_variance
from rpsync_assets_tests.hotwax import ledger

RESET = "RESET_INVENTORY"
VARIANCE = "MDM_INV_VARIANCE"
ERROR_COLUMN = "_ERROR_MESSAGE_"
_NEEDED = {RESET: {"availableqty"}, VARIANCE: {"availabledelta"}}
_ID_TYPES = {"SHOPIFYPRODUCTID": "SHOPIFY_PROD_ID", "SHOPIFYPRODID": "SHOPIFY_PROD_ID", "ERPID": "ERP_ID"}


class RowError(Exception):
    """Why one row fails; the others are imported all the same."""


class FileError(Exception):
    """Why a whole file is refused."""


class _CrashError(Exception):
    """The instance that runs the import dies."""


@dataclass(frozen=True)
class _Waiting:
    log_id: str
    config: str
    name: str
    content: bytes
    folder: Path


def naive(moment: datetime) -> datetime:
    """As HotWax stores it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def plain(word: str) -> str:
    """Headers and id types are compared without case, space and underscore (domain.md 1.1)."""
    return word.replace(" ", "").replace("_", "").casefold()


@dataclass
class StandIn:
    """HotWax's importer over a database and two folders of its SFTP server.

    Attributes:
        engine: the database, with HotWax's tables; the product reads a replica of it.
        reset_folder: ``hotwax/reset-inventory`` as the server's own disk sees it.
        variance_folder: ``hotwax/inventory-variance``.
        basis: the count that a reset compares with: quantity on hand, or available to promise.
        lasting: from an import's start to its finish; its rows spread evenly over it.
        pause: from one import's finish to the next one's start; nothing of it leaves several files in one second.
        between_rows: called before each row with its number from 0, for what happens in the middle of an import.
    """

    engine: Engine
    reset_folder: Path
    variance_folder: Path
    basis: Literal["qoh", "atp"] = "qoh"
    lasting: timedelta = timedelta(0)
    pause: timedelta = timedelta(seconds=1)
    between_rows: Callable[[int], None] = lambda _: None
    _queue: deque[_Waiting] = field(default_factory=deque)

    @property
    def queued(self) -> list[str]:
        """Names of the files that wait, in the order in which they will be imported."""
        return [waiting.name for waiting in self._queue]

    # The pick-up job --------------------------------------------------------------------------------------------------
    def pick_up(self, now: datetime) -> list[str]:
        """The job that reads the SFTP folders: every ``*.csv`` goes to ``archive/`` and into the queue.

        Returns:
            The import logs' ids. "Picked up" is all they say: nothing is imported yet.
        """
        logs = []
        for config, folder in ((RESET, self.reset_folder), (VARIANCE, self.variance_folder)):
            for path in sorted(folder.glob("*.csv")):
                content = path.read_bytes()
                (folder / "archive").mkdir(exist_ok=True)
                path.replace(folder / "archive" / path.name)
                remote = f"/home/x/hotwax/{folder.name}/{path.name}"
                logs.append(self._enqueue(config, folder, path.name, content, now, remote))
        return logs

    def upload_again(self, name: str, now: datetime) -> str:
        """A person takes a file out of ``archive/`` and uploads it on the import page; it joins the queue."""
        for config, folder in ((RESET, self.reset_folder), (VARIANCE, self.variance_folder)):
            path = folder / "archive" / name
            if path.exists():
                return self._enqueue(config, folder, name, path.read_bytes(), now, None)
        raise FileNotFoundError(name)

    def _enqueue(self, config: str, folder: Path, name: str, content: bytes, now: datetime, remote: str | None) -> str:
        log_id = ledger.new_id()
        with self.engine.begin() as connection:
            upload = _content_row(connection, log_id, name, content, now, "DmcntImported")
            connection.execute(
                insert(data_manager_log).values(
                    LOG_ID=log_id,
                    CONFIG_ID=config,
                    UPLOAD_FILE_CONTENT_ID=upload,
                    CREATED_DATE=naive(now),
                    STATUS_ID="SERVICE_PENDING",
                    REMOTE_FILE_PATH=remote,
                )
            )
        self._queue.append(_Waiting(log_id, config, name, content, folder))
        return log_id

    # The queue --------------------------------------------------------------------------------------------------------
    def run_queue(self, now: datetime, limit: int | None = None) -> list[str]:
        """The job that imports what waits, one file after the other, oldest first; ``limit`` files at most.

        Returns:
            The import logs' ids.
        """
        done = []
        moment = naive(now)
        while self._queue and (limit is None or len(done) < limit):
            waiting = self._queue.popleft()
            self._import(waiting, moment, None)
            done.append(waiting.log_id)
            moment += self.lasting + self.pause
        return done

    def re_import(self, name: str, now: datetime) -> str:
        """The same file once more, by hand, and everything that waits before it."""
        log_id = self.upload_again(name, now)
        self.run_queue(now)
        return log_id

    def crash(self, name: str, now: datetime | None = None, rows: int = 0) -> str:
        """The import of a waiting file dies after so many rows, which stay applied.

        Without a moment it dies as it was picked up.
        """
        waiting = next(waiting for waiting in self._queue if waiting.name == name)
        self._queue.remove(waiting)
        with self.engine.connect() as connection:
            created = connection.scalar(select(data_manager_log.c.CREATED_DATE).filter_by(LOG_ID=waiting.log_id))
        self._import(waiting, naive(now) if now else created, rows)
        return waiting.log_id

    def _import(self, waiting: _Waiting, start: datetime, crash_after: int | None) -> None:
        self._log(waiting, STATUS_ID="SERVICE_RUNNING", START_DATE_TIME=start)
        finish = start + self.lasting
        try:
            header, rows = _read(waiting)
            failed = self._rows(waiting.config, header, rows, start, crash_after)
        except FileError:
            (waiting.folder / "error").mkdir(exist_ok=True)
            (waiting.folder / "archive" / waiting.name).replace(waiting.folder / "error" / waiting.name)
            self._log(waiting, STATUS_ID="SERVICE_FAILED", FINISH_DATE_TIME=finish)
        except _CrashError:
            self._log(waiting, STATUS_ID="SERVICE_CRASHED")
        else:
            counts = {"TOTAL_RECORD_COUNT": len(rows), "FAILED_RECORD_COUNT": len(failed)}
            if failed:
                counts |= {"ERROR_RECORD_CONTENT_ID": self._error_file(waiting, header, failed, finish)}
            self._log(waiting, STATUS_ID="SERVICE_FINISHED", FINISH_DATE_TIME=finish, **counts)

    def _rows(
        self, config: str, header: list[str], rows: list[list[str]], start: datetime, crash_after: int | None
    ) -> list[list[str]]:
        """Each row in a transaction of its own: what was applied before a crash is not taken back."""
        apply = self._reset if config == RESET else self._vary
        columns = [plain(column) for column in header]
        failed = []
        for number, row in enumerate(rows):
            if number == crash_after:
                raise _CrashError
            self.between_rows(number)
            moment = start + self.lasting * number / len(rows)
            try:
                with self.engine.begin() as connection:
                    apply(connection, dict(zip(columns, row, strict=False)), moment)
            except RowError as error:
                failed.append([*row, str(error)])
        if crash_after is not None:
            raise _CrashError
        return failed

    def _log(self, waiting: _Waiting, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(data_manager_log).filter_by(LOG_ID=waiting.log_id).values(**values))

    def _error_file(self, waiting: _Waiting, header: list[str], failed: list[list[str]], moment: datetime) -> str:
        """The failed rows as they came, and why."""
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows([[*header, ERROR_COLUMN], *failed])
        content = lines.getvalue().encode()
        name = f"{Path(waiting.name).stem}-Error.csv"
        (waiting.folder / "error").mkdir(exist_ok=True)
        (waiting.folder / "error" / name).write_bytes(content)
        with self.engine.begin() as connection:
            return _content_row(connection, waiting.log_id, name, content, moment, "DmcntError")

    # The two imports --------------------------------------------------------------------------------------------------
    def _reset(self, connection: Connection, row: dict[str, str], moment: datetime) -> None:
        """One difference, of the basis as it stands at this moment, on both counts; none leaves no record."""
        wanted = _number(row, "availableqty")
        item = _item(connection, row, moment)
        on_hand, promised = ledger.totals(connection, item)
        difference = wanted - (on_hand if self.basis == "qoh" else promised)
        _correct(connection, item, difference, moment, "VAR_EXT_RESET", row)

    def _vary(self, connection: Connection, row: dict[str, str], moment: datetime) -> None:
        """The delta on both counts; a deduction takes no more than lies on the shelf."""
        delta = _number(row, "availabledelta")
        item = _item(connection, row, moment)
        on_hand, _ = ledger.totals(connection, item)
        applied = delta if delta > 0 else -min(-delta, max(0, on_hand))
        _correct(connection, item, applied, moment, row.get("variancereasonid") or "VAR_INTEGR", row)


def _correct(
    connection: Connection, item: str, difference: float, moment: datetime, reason: str, row: dict[str, str]
) -> None:
    if difference == 0:
        return
    physical, comments = ledger.new_id(), row.get("comments") or None
    connection.execute(
        insert(inventory_item_variance).values(
            INVENTORY_ITEM_ID=item,
            PHYSICAL_INVENTORY_ID=physical,
            VARIANCE_REASON_ID=reason,
            QUANTITY_ON_HAND_VAR=difference,
            AVAILABLE_TO_PROMISE_VAR=difference,
            COMMENTS=comments,
        )
    )
    about = {"PHYSICAL_INVENTORY_ID": physical, "REASON_ENUM_ID": reason, "DESCRIPTION": comments}
    ledger.post(connection, item, (difference, difference), moment, **about)


def _read(waiting: _Waiting) -> tuple[list[str], list[list[str]]]:
    try:
        lines = list(csv.reader(io.StringIO(waiting.content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(str(error)) from error
    if not lines or not _NEEDED[waiting.config] <= {plain(column) for column in lines[0]}:
        raise FileError("the header lacks a column")
    return lines[0], [line for line in lines[1:] if line]


def _content_row(connection: Connection, log_id: str, name: str, content: bytes, now: datetime, kind: str) -> str:
    content_id = ledger.new_id()
    connection.execute(
        insert(data_manager_content).values(
            LOG_CONTENT_ID=content_id,
            LOG_ID=log_id,
            FILE_NAME=name,
            FILE_SIZE=len(content),
            CONTENT_LOCATION=f"runtime/datamanager/{log_id}/{name}",
            LOG_CONTENT_TYPE_ENUM_ID=kind,
            CONTENT_DATE=naive(now),
        )
    )
    return content_id


def _number(row: dict[str, str], column: str) -> float:
    try:
        number = Decimal(row.get(column, "").strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise RowError(f"Quantity '{row.get(column, '')}' is not a number")
    return float(number)


def _item(connection: Connection, row: dict[str, str], moment: datetime) -> str:
    place = _facility(connection, row.get("facilityid", ""), row.get("externalfacilityid", ""))
    return ledger.item_of(connection, place, _product(connection, row, moment), row.get("locationseqid"))


def _facility(connection: Connection, internal: str, external: str) -> str:
    question = (
        "SELECT F.FACILITY_ID, T.PARENT_TYPE_ID FROM FACILITY F"
        " LEFT JOIN FACILITY_TYPE T ON T.FACILITY_TYPE_ID = F.FACILITY_TYPE_ID"
        " WHERE (:internal <> '' AND F.FACILITY_ID = :internal) OR (:internal = '' AND F.EXTERNAL_ID = :external)"
        " ORDER BY F.FACILITY_ID"
    )
    found = connection.execute(text(question), {"internal": internal, "external": external}).first()
    if found is None:
        raise RowError(f"Facility '{internal or external}' not found")
    if found[1] == "VIRTUAL_FACILITY":
        raise RowError(f"Facility '{internal or external}' is a virtual facility")
    return str(found[0])


def _product(connection: Connection, row: dict[str, str], moment: datetime) -> str:
    """The first product that has the identification now: a second one is never noticed (domain.md 1.6)."""
    if by_id := row.get("productid"):
        question, asked = "SELECT PRODUCT_ID FROM PRODUCT WHERE PRODUCT_ID = :value", {"value": by_id}
    else:
        kind = plain(row.get("idtype") or "shopifyProductId").upper()
        question = (
            "SELECT PRODUCT_ID FROM GOOD_IDENTIFICATION"
            " WHERE GOOD_IDENTIFICATION_TYPE_ID = :kind AND ID_VALUE = :value"
            " AND FROM_DATE <= :at AND (THRU_DATE IS NULL OR THRU_DATE > :at) ORDER BY PRODUCT_ID"
        )
        asked = {"kind": _ID_TYPES.get(kind, kind), "value": row.get("idvalue", ""), "at": moment}
    found = connection.scalar(text(question), asked)
    if found is None:
        raise RowError(f"Product not found for {row.get('idtype')} '{asked['value']}'")
    return str(found)
