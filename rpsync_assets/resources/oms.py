"""The door to the OMS: SQL reads in one snapshot, and what it says about our deliveries.

Belongs here: running the questions of ``oms_sql`` and giving typed frames back. Does not: rules (``core/``), writing:
only the OMS writes to its database. ``EmbeddedOms`` is asked to poll its inbox; HotWax does that by itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl
from sqlalchemy import Connection, DateTime, Engine, bindparam, text

from rpsync_assets.core.errors import NotYetError, PermanentError, SetupError
from rpsync_assets.core.variance import UNREPORTED_SCHEMA
from rpsync_assets.oms.inbox import Inbox
from rpsync_assets.resources import oms_sql
from rpsync_assets.resources.databases import open_engine

MOMENT = pl.Datetime("us", "UTC")

RESET_ROW_SCHEMA = {
    "line_number": pl.Int64,
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "quantity": pl.Int64,
    "snapshot_at": MOMENT,
    "generation": pl.Int64,
    "log_id": pl.String,
    "imported_at": MOMENT,
    "status": pl.String,
    "quantity_on_hand_before": pl.Int64,
    "moved_since_snapshot": pl.Int64,
    "difference": pl.Int64,
    "reason": pl.String,
}
VARIANCE_ROW_SCHEMA = {
    "line_number": pl.Int64,
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "log_id": pl.String,
    "imported_at": MOMENT,
    "status": pl.String,
    "requested": pl.Int64,
    "applied": pl.Int64,
    "quantity_on_hand_before": pl.Int64,
    "reason": pl.String,
}
POS_SALE_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "quantity": pl.Int64,
    "event_at": MOMENT,
    "arrived_at": MOMENT,
    "ledger_entry": pl.String,
}
STATUS_FINISHED = "SERVICE_FINISHED"
STATUS_FAILED = {"SERVICE_FAILED", "SERVICE_CRASHED", "SERVICE_CANCELLED"}


@dataclass(frozen=True)
class ImportLog:
    """What the OMS's import log says of one file."""

    log_id: str
    status: str
    total_rows: int
    failed_rows: int


@dataclass(frozen=True)
class Stock:
    """What ``core.atp`` needs, read in one snapshot."""

    stock: pl.DataFrame
    channel_rules: pl.DataFrame
    queue_demand: pl.DataFrame
    reserves: bool


class OmsReader:
    """Questions to the OMS, all answered as of one moment."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self._connection = connection
        self._at = at

    def facilities(self, store: str) -> pl.DataFrame:
        """``facility_id``, ``external_id`` of the store's physical, open facilities."""
        return self._ask(
            oms_sql.FACILITIES, {"facility_id": pl.String, "external_id": pl.String}, store=store, at=self._at
        )

    def listed_products(self, store: str) -> pl.DataFrame:
        """Published products with each current UPCA and Shopify item, as ``core.active.compile_active`` takes them."""
        columns = ("product_id", "sku", "upca", "shopify_inventory_item_id")
        return self._ask(oms_sql.LISTED_PRODUCTS, dict.fromkeys(columns, pl.String), store=store, at=self._at)

    def unreported_shipments(self, store: str, snapshots: Iterable[datetime], invoice_lag: timedelta) -> pl.DataFrame:
        """``core.variance.UNREPORTED_SCHEMA`` as of each of these snapshots."""
        asked = {name: kind for name, kind in UNREPORTED_SCHEMA.items() if name != "snapshot_at"}
        frames = [
            self._ask(
                oms_sql.UNREPORTED_SHIPMENTS,
                asked,
                store=store,
                at=self._at,
                snapshot_at=snapshot_at,
                booked_until=snapshot_at - invoice_lag,
            ).with_columns(pl.lit(snapshot_at, dtype=MOMENT).alias("snapshot_at"))
            for snapshot_at in sorted(set(snapshots))
        ]
        return pl.concat(frames) if frames else pl.DataFrame(schema=UNREPORTED_SCHEMA)

    def stock(self, store: str, channel: str) -> Stock:
        """Stock, rule results and demand of the store's published products."""
        stock = self._ask(
            oms_sql.STOCK,
            {
                "product_id": pl.String,
                "facility_id": pl.String,
                "quantity_on_hand": pl.Int64,
                "available_to_promise": pl.Int64,
                "minimum_stock": pl.Int64,
                "after_safety_stock": pl.Int64,
                "allow_brokering": pl.String,
                "allow_pickup": pl.String,
                "in_channel": pl.Int64,
            },
            store=store,
            channel=channel,
            at=self._at,
        ).with_columns(pl.col("in_channel") == 1)
        rules = self._ask(
            oms_sql.CHANNEL_RULES,
            {"product_id": pl.String, "threshold": pl.Int64, "allow_brokering": pl.String},
            channel=channel,
            at=self._at,
        )
        demand = self._ask(oms_sql.QUEUE_DEMAND, {"product_id": pl.String, "units": pl.Int64}, store=store)
        reserves = self._ask(oms_sql.RESERVES_INVENTORY, {"reserves": pl.String}, store=store)
        if reserves.is_empty():
            raise SetupError(
                f"The OMS has no product store '{store}'",
                "Name the store in rpsync.toml as PRODUCT_STORE.PRODUCT_STORE_ID does",
            )
        return Stock(stock, rules, demand, reserves=reserves.item() != "N")

    def shopify_items(self, store: str) -> pl.DataFrame:
        """``product_id``, ``shopify_inventory_item_id``."""
        columns = ("product_id", "shopify_inventory_item_id")
        return self._ask(oms_sql.SHOPIFY_ITEMS, dict.fromkeys(columns, pl.String), store=store).unique()

    def shopify_locations(self, store: str) -> pl.DataFrame:
        """``facility_id``, ``shopify_location_id``."""
        columns = ("facility_id", "shopify_location_id")
        return self._ask(oms_sql.SHOPIFY_LOCATIONS, dict.fromkeys(columns, pl.String), store=store)

    def pos_sales(self, store: str, start: datetime, end: datetime) -> pl.DataFrame:
        """``POS_SALE_SCHEMA``: in-store sales (below zero) and returns with an event time from start until end."""
        return self._ask(oms_sql.POS_SALES, POS_SALE_SCHEMA, store=store, day_start=start, day_end=end)

    def import_log(self, file_name: str) -> ImportLog | None:
        """The newest import of a delivered file, or None while the OMS does not know it."""
        schema = {
            "log_id": pl.String,
            "status": pl.String,
            "finished_at": MOMENT,
            "total_rows": pl.Int64,
            "failed_rows": pl.Int64,
        }
        found = self._ask(oms_sql.IMPORT_LOG, schema, file_name=file_name)
        if found.is_empty():
            return None
        row = found.row(0, named=True)
        return ImportLog(row["log_id"], row["status"], row["total_rows"], row["failed_rows"])

    def was_refused(self, file_name: str) -> bool:
        """Whether the OMS gave a whole file up."""
        log = self.import_log(file_name)
        return log is not None and log.status in STATUS_FAILED

    def finished_import(self, file_name: str) -> ImportLog:
        """The import of a delivered file.

        Raises:
            NotYetError: the OMS has not finished it.
            PermanentError: the OMS refused the whole file.
        """
        log = self.import_log(file_name)
        if log is None or log.status not in STATUS_FAILED | {STATUS_FINISHED}:
            raise NotYetError(
                f"The OMS has not imported {file_name} yet ({log.status if log else 'no entry in its import log'})",
                "Wait for the OMS's import job; a rerun of this asset helps once the file is imported",
            )
        if log.status in STATUS_FAILED:
            raise PermanentError(
                f"The OMS refused {file_name}: its import log {log.log_id} says {log.status}",
                "Look into the OMS's error folder and log; mend the cause before delivering again",
            )
        return log

    def reset_rows(self, log_id: str) -> pl.DataFrame:
        """``RESET_ROW_SCHEMA``: what became of each row of an imported reset."""
        return self._ask(oms_sql.RESET_ROWS, RESET_ROW_SCHEMA, log_id=log_id)

    def variance_rows(self, log_id: str) -> pl.DataFrame:
        """``VARIANCE_ROW_SCHEMA``: what became of each row of an imported variance."""
        return self._ask(oms_sql.VARIANCE_ROWS, VARIANCE_ROW_SCHEMA, log_id=log_id)

    def stock_of_reset(self, log_ids: Sequence[str]) -> pl.DataFrame:
        """Per key whose newest accepted reset row is of these imports: both systems' counts and what moved since."""
        schema = {
            "facility_id": pl.String,
            "product_id": pl.String,
            "upca": pl.String,
            "retail_pro_quantity": pl.Int64,
            "snapshot_at": MOMENT,
            "quantity_on_hand": pl.Int64,
            "moved_since_snapshot": pl.Int64,
        }
        frames = [self._ask(oms_sql.STOCK_OF_RESET, schema, log_id=log_id) for log_id in log_ids]
        return pl.concat(frames) if frames else pl.DataFrame(schema=schema)

    def _ask(
        self, question: str, schema: Mapping[str, pl.DataType | type[pl.DataType]], **values: object
    ) -> pl.DataFrame:
        moments = [bindparam(name, type_=DateTime()) for name, value in values.items() if isinstance(value, datetime)]
        statement = text(question).bindparams(*moments)
        result_moments = {name: DateTime() for name, kind in schema.items() if kind == MOMENT}
        naive = {
            name: value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
            for name, value in values.items()
        }
        answer = self._connection.execute(statement.columns(**result_moments) if result_moments else statement, naive)
        names, rows = list(answer.keys()), answer.all()
        columns: list[Sequence[object]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        found = dict(zip(names, columns, strict=True))
        return pl.DataFrame([_column(name, found[name], kind) for name, kind in schema.items()])


def _column(name: str, values: Sequence[object], kind: pl.DataType | type[pl.DataType]) -> pl.Series:
    """A typed column of database values; a count that is not a whole number is an error, never rounded."""
    if kind == MOMENT:
        return pl.Series(name, values, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC")
    if kind != pl.Int64:
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    broken = next((value for value in values if value is not None and value != int(value)), None)  # type: ignore[call-overload]
    if broken is not None:
        raise SetupError(
            f"The OMS holds the quantity {broken} in {name}: a part of a piece",
            "Correct it in the OMS; shoes come whole",
        )
    return pl.Series(name, [None if value is None else int(value) for value in values], dtype=pl.Int64)  # type: ignore[call-overload]


@dataclass(frozen=True)
class EmbeddedOms:
    """Our own OMS: its database, and its inbox, which it polls when asked."""

    database_url: str = field(repr=False)
    reset_inventory: Path
    inventory_variance: Path

    @cached_property
    def engine(self) -> Engine:
        """The open database; opened on first use, not when the code location loads."""
        return open_engine(self.database_url)

    @contextmanager
    def read(self) -> Iterator[OmsReader]:
        """Ask questions; all answers are of one snapshot of the database."""
        with self.engine.begin() as connection:
            yield OmsReader(connection, datetime.now(UTC))

    def import_delivered(self) -> None:
        """Let the OMS take in what lies in its folders. HotWax does this on its own clock; the embedded OMS now."""
        Inbox(self.engine, self.reset_inventory, self.inventory_variance).poll(datetime.now(UTC))
