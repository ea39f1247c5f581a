"""The doors to the OMS: the same verbs for the embedded OMS and for a real HotWax.

Belongs here: what every OMS can be asked, and the embedded one. Does not: HotWax's (``resources/hotwax_oms``), the
questions themselves (``resources/oms_reader``), rules (``core/``).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl
from sqlalchemy import Engine

from rpsync_assets.core.errors import NotYetError, PermanentError
from rpsync_assets.core.preview import Basis
from rpsync_assets.core.variance import WINDOW_SCHEMA, Told
from rpsync_assets.oms.inbox import Inbox
from rpsync_assets.resources.databases import open_engine, told_plainly
from rpsync_assets.resources.oms_reader import MOVEMENT_SCHEMA, STATUS_CRASHED, ImportLog, OmsReader
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.state import Delivery

QUEUE_PATIENCE = timedelta(hours=24)
"""For so long a delivered file that no import log knows is taken to be on its way to the OMS."""


@dataclass(frozen=True)
class Sent:
    """A delivered file; its bytes are read from the outbox when they are asked for."""

    delivery: Delivery
    outbox: Outbox

    @property
    def content(self) -> bytes:
        """What was sent."""
        delivery = self.delivery
        return self.outbox.read(delivery.business_date, delivery.product_store, delivery.file_name)


class Oms(ABC):
    """An OMS: questions in one snapshot, and receipts for what was delivered to it.

    Attributes:
        ledger: whether INVENTORY_ITEM_DETAIL can be read.
    """

    ledger: bool = True

    @property
    def compares_with(self) -> Basis:
        """What its import of a reset compares with."""
        return "snapshot"

    @cached_property
    def engine(self) -> Engine:
        """The open database; opened on first use, not when the code location loads."""
        return self._open()

    @abstractmethod
    def _open(self) -> Engine:
        """Open the database."""

    @cached_property
    def hurried(self) -> "Oms":
        """The same OMS for a look that must end within seconds: a sensor's."""
        return self

    @contextmanager
    def read(self) -> Iterator[OmsReader]:
        """Ask questions; all answers are of one snapshot of the database.

        Raises:
            UnreachableError: the database does not answer.
            SetupError: it refuses us, or lacks a table or column.
        """
        with told_plainly("the OMS database"), self.engine.begin() as connection:
            yield OmsReader(connection, datetime.now(UTC))

    @abstractmethod
    def import_delivered(self) -> None:
        """Let the OMS take in what was delivered, if it is ours to say."""

    def import_of(self, reader: OmsReader, delivery: Delivery) -> ImportLog:
        """The finished import of a delivered file.

        Raises:
            NotYetError: the OMS has not finished it.
            PermanentError: the OMS refused the whole file.
        """
        logs = reader.import_logs(delivery.file_name)
        # An import of the file that is pending again is a person's, later; what was finished stays finished.
        log = next((log for log in logs if log.finished), logs[0] if logs else None)
        if log is None or not (log.finished or log.refused):
            raise NotYetError(
                f"The OMS has not imported {delivery.file_name} yet"
                f" ({log.status if log else 'no entry in its import log'})",
                "Wait for the OMS's import job; a rerun of this asset helps once the file is imported",
            )
        if log.refused:
            raise PermanentError(
                f"The OMS refused {delivery.file_name}: its import log {log.log_id} says {log.status}",
                "Look into the OMS's error folder and log; mend the cause before delivering again",
            )
        return log

    def knows_of(self, reader: OmsReader, delivery: Delivery) -> bool:
        """Whether the import log names a file, whatever became of it: then it was delivered."""
        return bool(reader.import_logs(delivery.file_name))

    def was_refused(self, reader: OmsReader, delivery: Delivery) -> bool:
        """Whether the OMS gave a whole file up."""
        try:
            self.import_of(reader, delivery)
        except NotYetError:
            return False
        except PermanentError:
            return True
        return False

    def died(self, reader: OmsReader, delivery: Delivery) -> ImportLog | None:
        """The import of a delivered file that ended before its last row, if its newest one did."""
        log = next(iter(reader.import_logs(delivery.file_name)), None)
        return log if log is not None and log.status == STATUS_CRASHED else None

    def is_on_its_way(self, reader: OmsReader, delivery: Delivery) -> bool:
        """Whether a delivered file may still be imported."""
        try:
            self.import_of(reader, delivery)
        except NotYetError:
            return self.knows_of(reader, delivery) or datetime.now(UTC) - delivery.taken_at < QUEUE_PATIENCE
        except PermanentError:
            return False
        return False

    @abstractmethod
    def reset_rows(self, reader: OmsReader, log: ImportLog, sent: Sent) -> pl.DataFrame:
        """``oms_reader.RESET_ROW_SCHEMA``: what became of each row of an imported reset."""

    @abstractmethod
    def variance_rows(self, reader: OmsReader, log: ImportLog, sent: Sent) -> pl.DataFrame:
        """``oms_reader.VARIANCE_ROW_SCHEMA``: what became of each row of an imported variance."""

    def moved_since_counts(self, reader: OmsReader, store: str, kept: pl.DataFrame, told: Told) -> pl.DataFrame:  # noqa: ARG002
        """``oms_reader.MOVEMENT_SCHEMA``: what moved since the oldest of these counts.

        Args:
            reader: one snapshot.
            store: the product store.
            kept: counts: ``snapshot_at``.
            told: how Retail Pro comes to know of shipments.
        """
        if kept.is_empty():
            return pl.DataFrame(schema=MOVEMENT_SCHEMA)
        return reader.movements(store, min(kept["snapshot_at"].to_list()))

    @abstractmethod
    def window(self, reader: OmsReader, store: str, accepted: pl.DataFrame, told: Told) -> pl.DataFrame:
        """What the imports of accepted rows overwrote of the movements since their snapshots.

        Args:
            reader: one snapshot, in which the imports are finished.
            store: the product store.
            accepted: accepted rows: ``facility_id``, ``product_id``, ``quantity``, ``snapshot_at``, ``imported_at``.
            told: how Retail Pro comes to know of shipments.

        Returns:
            ``core.variance.WINDOW_SCHEMA``; a key that is not in it was left right.
        """


@dataclass(frozen=True)
class EmbeddedOms(Oms):
    """Our own OMS: its database, and its inbox, which it polls when asked."""

    database_url: str = field(repr=False)
    reset_inventory: Path
    inventory_variance: Path

    def _open(self) -> Engine:
        return open_engine(self.database_url)

    def import_delivered(self) -> None:
        """Take in what lies in the folders. HotWax does this on its own clock; the embedded OMS now."""
        Inbox(self.engine, self.reset_inventory, self.inventory_variance).poll(datetime.now(UTC))

    def reset_rows(self, reader: OmsReader, log: ImportLog, sent: Sent) -> pl.DataFrame:  # noqa: ARG002
        """The embedded OMS writes each row's outcome down."""
        return reader.reset_rows(log.log_id)

    def variance_rows(self, reader: OmsReader, log: ImportLog, sent: Sent) -> pl.DataFrame:  # noqa: ARG002
        """The embedded OMS writes each row's outcome down."""
        return reader.variance_rows(log.log_id)

    def window(self, reader: OmsReader, store: str, accepted: pl.DataFrame, told: Told) -> pl.DataFrame:  # noqa: ARG002
        """Nothing: its import keeps what moved since the snapshot (design.md section 5)."""
        return pl.DataFrame(schema=WINDOW_SCHEMA)
