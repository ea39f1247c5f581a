"""The door to a real HotWax: a replica of its database that we only read, and its folders on SFTP.

Belongs here: what HotWax's import log, ledger and error files say of our deliveries. Does not: the questions
(``resources/oms_reader``), rules (``core/``). Nothing is ever written to HotWax's database.

HotWax compares at import: ``difference = F - QOH(import)``, zero difference leaves no record (domain.md 0.1). So what
moved between the snapshot and the import is overwritten, and the variance must bring it back (``window``).
"""

import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal

import polars as pl
from sqlalchemy import Engine

from rpsync_assets.core.errors import HeldError, NotYetError, PermanentError
from rpsync_assets.core.keys import KEY, MOMENT
from rpsync_assets.core.ledger import RESET, VARIANCE
from rpsync_assets.core.names import error_name
from rpsync_assets.core.parts import snapshot_in
from rpsync_assets.core.preview import Basis
from rpsync_assets.core.sent import sent_rows
from rpsync_assets.core.variance import WINDOW_SCHEMA, Told, overwritten, overwritten_without_ledger
from rpsync_assets.resources.databases import open_replica
from rpsync_assets.resources.oms import Oms, Sent
from rpsync_assets.resources.oms_reader import (
    RESET_ROW_SCHEMA,
    STATUS_FINISHED,
    VARIANCE_ROW_SCHEMA,
    ImportLog,
    OmsReader,
)
from rpsync_assets.resources.sftp import HURRY_SECONDS, Sftp
from rpsync_assets.resources.state import Delivery


@dataclass(frozen=True)
class HotWaxOms(Oms):
    """HotWax Commerce in production.

    Attributes:
        database_url: the replica.
        sftp: the server whose folders HotWax reads.
        ledger: INVENTORY_ITEM_DETAIL is readable on the replica.
        import_log: DATA_MANAGER_LOG is; else a file in ``archive/`` counts as imported.
        reset_basis: the count that HotWax's reset compares with.
        patience_seconds: how long an answer of the database may take.
    """

    database_url: str = field(repr=False)
    sftp: Sftp = field(repr=False)
    ledger: bool = True
    import_log: bool = True
    reset_basis: Literal["qoh", "atp"] = "qoh"
    patience_seconds: int = 600

    @property
    def compares_with(self) -> Basis:
        """HotWax compares when it imports."""
        return self.reset_basis

    @property
    def _tells_changes(self) -> bool:
        """By how much an import changed a count stands in the ledger, between its beginning and its end."""
        return self.ledger and self.import_log

    def _open(self) -> Engine:
        return open_replica(self.database_url, patience_seconds=self.patience_seconds)

    @cached_property
    def hurried(self) -> Oms:
        """A replica that hangs must not hang who looks every minute; its connections are its own."""
        return replace(self, sftp=self.sftp.hurried, patience_seconds=int(HURRY_SECONDS))

    def import_delivered(self) -> None:
        """HotWax imports on its own clock."""

    def import_of(self, reader: OmsReader, delivery: Delivery) -> ImportLog:
        """What the import log says, or, without one, what became of the file."""
        if self.import_log:
            return super().import_of(reader, delivery)
        return self._by_folders(delivery)

    def knows_of(self, reader: OmsReader, delivery: Delivery) -> bool:
        """What the import log says; without one the folders say all there is, and those are looked at anyway."""
        return self.import_log and super().knows_of(reader, delivery)

    def died(self, reader: OmsReader, delivery: Delivery) -> ImportLog | None:
        """What the import log says; without one nobody can tell."""
        return super().died(reader, delivery) if self.import_log else None

    def _by_folders(self, delivery: Delivery) -> ImportLog:
        with self.sftp.session() as session:
            archived = session.look(f"{delivery.folder}/archive/{delivery.file_name}")
            refused = session.look(f"{delivery.folder}/error/{delivery.file_name}")
        if refused:
            raise PermanentError(
                f"HotWax refused {delivery.file_name}: it lies in {delivery.folder}/error",
                "Look into HotWax's import log; mend the cause before delivering again",
            )
        if not archived:
            raise NotYetError(
                f"HotWax has not taken {delivery.file_name} out of {delivery.folder} yet",
                "Wait for HotWax's import job; a rerun of this asset helps once the file is in archive/",
            )
        failed = self._failed_lines(delivery)
        moment = archived.modified_at
        return ImportLog(f"archive/{delivery.file_name}", STATUS_FINISHED, delivery.rows, len(failed), moment, moment)

    def reset_rows(self, reader: OmsReader, log: ImportLog, sent: Sent) -> pl.DataFrame:
        """Applied, unchanged or failed, from the file itself, the ledger and the error file.

        Without ledger or import log nobody can tell a row that was applied from one that agreed already, nor by how
        much it changed the count.
        """
        delivery = sent.delivery
        rows = self._rows(reader, sent).with_columns(
            snapshot_at=snapshot_in(pl.col("comments")).dt.replace_time_zone("UTC")
        )
        rows = self._with_failures(rows, log, delivery).join(
            self._written(reader, log, delivery, RESET), on=KEY, how="left"
        )
        done = pl.col("units").fill_null(0) if self._tells_changes else pl.lit(None, dtype=pl.Int64)
        difference = pl.when(pl.col("reason").is_null()).then(done).otherwise(0)
        changed = (difference != 0).fill_null(value=True)
        before = pl.when(pl.lit(self.reset_basis == "qoh")).then(pl.col("amount") - difference)
        return rows.select(
            "line_number",
            "facility_id",
            "product_id",
            "upca",
            pl.col("amount").alias("quantity"),
            "snapshot_at",
            pl.lit(delivery.generation, dtype=pl.Int64).alias("generation"),
            pl.lit(log.log_id).alias("log_id"),
            pl.lit(log.finished_at, dtype=MOMENT).alias("imported_at"),
            pl.when(pl.col("reason").is_not_null())
            .then(pl.lit("failed"))
            .when(changed)
            .then(pl.lit("applied"))
            .otherwise(pl.lit("unchanged"))
            .alias("status"),
            before.alias("quantity_on_hand_before"),
            pl.lit(None, dtype=pl.Int64).alias("moved_since_snapshot"),
            difference.alias("difference"),
            "reason",
        ).select(pl.col(name).cast(kind) for name, kind in RESET_ROW_SCHEMA.items())

    def variance_rows(self, reader: OmsReader, log: ImportLog, sent: Sent) -> pl.DataFrame:
        """Applied, clamped or failed, from the file itself, the ledger and the error file.

        Without ledger or import log a row counts as applied in full.
        """
        delivery = sent.delivery
        rows = self._with_failures(self._rows(reader, sent), log, delivery)
        rows = rows.join(self._written(reader, log, delivery, VARIANCE), on=KEY, how="left")
        done = pl.col("units").fill_null(0) if self._tells_changes else pl.col("amount")
        applied = pl.when(pl.col("reason").is_null()).then(done).otherwise(0)
        clamped = pl.col("reason").is_null() & (applied != pl.col("amount"))
        return rows.select(
            "line_number",
            "facility_id",
            "product_id",
            "upca",
            pl.lit(log.log_id).alias("log_id"),
            pl.lit(log.finished_at, dtype=MOMENT).alias("imported_at"),
            pl.when(pl.col("reason").is_not_null())
            .then(pl.lit("failed"))
            .when(clamped)
            .then(pl.lit("clamped"))
            .otherwise(pl.lit("applied"))
            .alias("status"),
            pl.col("amount").alias("requested"),
            applied.alias("applied"),
            pl.lit(None, dtype=pl.Int64).alias("quantity_on_hand_before"),
            pl.when(clamped)
            .then(pl.lit("a variance cannot take more than there is"))
            .otherwise("reason")
            .alias("reason"),
        ).select(pl.col(name).cast(kind) for name, kind in VARIANCE_ROW_SCHEMA.items())

    def window(self, reader: OmsReader, store: str, accepted: pl.DataFrame, told: Told) -> pl.DataFrame:
        """``F + L(T0,t*] - QOH(t*)`` from one snapshot t*, or, without a ledger, what was issued until the import."""
        if accepted.is_empty():
            return pl.DataFrame(schema=WINDOW_SCHEMA)
        counts = reader.counts(store)
        if self.ledger:
            oldest = min(accepted["snapshot_at"].to_list())
            return overwritten(accepted, counts, reader.movements(store, oldest))
        shipped = [
            _shipped_since(reader, store, snapshot_at, told, issued_until).with_columns(
                imported_at=pl.lit(issued_until, dtype=MOMENT)
            )
            for snapshot_at, issued_until in accepted.select("snapshot_at", "imported_at").unique().rows()
        ]
        return overwritten_without_ledger(accepted, counts, pl.concat(shipped), reset_basis=self.reset_basis)

    def moved_since_counts(self, reader: OmsReader, store: str, kept: pl.DataFrame, told: Told) -> pl.DataFrame:
        """Without the ledger: what was shipped since then, of orders that Retail Pro had not booked."""
        if self.ledger or kept.is_empty():
            return super().moved_since_counts(reader, store, kept, told)
        shipped = [
            _shipped_since(reader, store, snapshot_at, told, datetime.now(UTC))
            for snapshot_at in kept["snapshot_at"].unique().to_list()
        ]
        return pl.concat(shipped).select("facility_id", "product_id", event_at="issued_at", units=-pl.col("quantity"))

    def _rows(self, reader: OmsReader, sent: Sent) -> pl.DataFrame:
        """The rows of a delivered file: ``line_number``, ``facility_id``, ``upca``, ``product_id``, ``amount``."""
        listed = reader.listed_products(sent.delivery.product_store).select("upca", "product_id").drop_nulls()
        # What we delivered was listed; a product that was taken off the list since is found by its UPCA alone.
        products = pl.concat([listed, reader.products_of_upcas()]).unique("upca", keep="first", maintain_order=True)
        return (
            sent_rows(sent.content)
            .rename({"units": "amount"})
            .join(products, on="upca", how="left", maintain_order="left")
        )

    def _written(self, reader: OmsReader, log: ImportLog, delivery: Delivery, reason: str) -> pl.DataFrame:
        """``facility_id``, ``product_id``, ``units`` that an import wrote to the ledger."""
        schema = {"facility_id": pl.String, "product_id": pl.String, "units": pl.Int64}
        if not self._tells_changes or log.started_at is None or log.finished_at is None:
            return pl.DataFrame(schema=schema)
        return reader.corrections(delivery.product_store, reason, log.started_at, log.finished_at)

    def _with_failures(self, rows: pl.DataFrame, log: ImportLog, delivery: Delivery) -> pl.DataFrame:
        """Add ``reason`` to the rows that failed.

        Raises:
            HeldError: HotWax counts failed rows, and which ones they are cannot be told.
        """
        failed = self._failed_lines(delivery) if log.failed_rows else pl.DataFrame(schema=_FAILED_SCHEMA)
        told = rows.join(failed, on=["facility_id", "upca"], how="left", maintain_order="left")
        found = told["reason"].is_not_null().sum()
        if found != log.failed_rows:
            raise HeldError(
                f"HotWax says that {log.failed_rows} rows of {delivery.file_name} failed (import log {log.log_id}), but"
                f" {delivery.folder}/error/{error_name(delivery.file_name)} names {found} of them",
                "Download the error records of that import from HotWax, put them there under that name, and rerun: a"
                " failed key must not be deducted",
            )
        return told

    def _failed_lines(self, delivery: Delivery) -> pl.DataFrame:
        """``facility_id``, ``upca``, ``reason`` of the rows in HotWax's error file (domain.md 1.4)."""
        path = f"{delivery.folder}/error/{error_name(delivery.file_name)}"
        sink = io.BytesIO()
        with self.sftp.session() as session:
            file = session.look(path)
        if file is None:
            return pl.DataFrame(schema=_FAILED_SCHEMA)
        self.sftp.download(file, sink, lambda _done, _all: None)
        frame = pl.read_csv(io.BytesIO(sink.getvalue()), infer_schema=False)
        names = {column.replace("_", "").replace(" ", "").casefold(): column for column in frame.columns}
        return frame.select(
            pl.col(names["facilityid"]).alias("facility_id"),
            pl.col(names["idvalue"]).alias("upca"),
            pl.col(frame.columns[-1]).fill_null("HotWax gave no reason").alias("reason"),
        ).unique(["facility_id", "upca"])


def _shipped_since(
    reader: OmsReader, store: str, snapshot_at: datetime, told: Told, issued_until: datetime
) -> pl.DataFrame:
    """``core.variance.UNREPORTED_SCHEMA``: issued after a count, of orders that Retail Pro had not booked at it."""
    shipped = reader.unreported_shipments(store, [snapshot_at], told, issued_until)
    return shipped.filter(pl.col("issued_at") > snapshot_at)


_FAILED_SCHEMA = {"facility_id": pl.String, "upca": pl.String, "reason": pl.String}
