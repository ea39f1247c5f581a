"""Questions to an OMS database, all answered as of one moment, as typed frames.

Belongs here: running the questions of ``oms_sql``. Does not: questions about one key (``oms_lookup``), which kind of
OMS answers (``resources/oms``, ``resources/hotwax_oms``), rules (``core/``), writing: only the OMS does that.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from sqlalchemy import Connection, DateTime, bindparam, text

from rpsync_assets.core.errors import SetupError
from rpsync_assets.core.keys import MOMENT
from rpsync_assets.core.variance import UNREPORTED_SCHEMA, Told
from rpsync_assets.resources import oms_sql

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
    "remark": pl.String,
}
MOVEMENT_SCHEMA = {"facility_id": pl.String, "product_id": pl.String, "event_at": MOMENT, "units": pl.Int64}
STATUS_FINISHED = "SERVICE_FINISHED"
STATUS_CRASHED = "SERVICE_CRASHED"
STATUS_FAILED = {"SERVICE_FAILED", STATUS_CRASHED, "SERVICE_CANCELLED"}


@dataclass(frozen=True)
class ImportLog:
    """What the OMS's import log says of one file."""

    log_id: str
    status: str
    total_rows: int
    failed_rows: int
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def refused(self) -> bool:
        """The OMS gave the whole file up."""
        return self.status in STATUS_FAILED

    @property
    def finished(self) -> bool:
        """Every row has its outcome."""
        return self.status == STATUS_FINISHED


@dataclass(frozen=True)
class Stock:
    """What ``core.atp`` needs, read in one snapshot."""

    stock: pl.DataFrame
    channel_rules: pl.DataFrame
    queue_demand: pl.DataFrame
    preorder_demand: pl.DataFrame
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

    def unreported_shipments(
        self,
        store: str,
        snapshots: Iterable[datetime],
        told: Told,
        issued_until: datetime | None = None,
    ) -> pl.DataFrame:
        """``core.variance.UNREPORTED_SCHEMA`` as of each of these snapshots.

        Args:
            store: the product store.
            snapshots: the moments Retail Pro counted.
            told: how the store's Retail Pro comes to know of shipments.
            issued_until: count what was issued until then, of orders not booked at the snapshot; the snapshot itself if
                left out.
        """
        asked = {name: kind for name, kind in UNREPORTED_SCHEMA.items() if name != "snapshot_at"}
        frames = [
            self._ask(
                oms_sql.UNREPORTED_SHIPMENTS[told.by],
                asked,
                store=store,
                at=self._at,
                issued_until=issued_until or snapshot_at,
                booked_until=snapshot_at - told.invoice_lag,
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
        preorders = self._ask(
            oms_sql.PREORDER_DEMAND, {"product_id": pl.String, "units": pl.Int64}, store=store, at=self._at
        )
        reserves = self._ask(oms_sql.RESERVES_INVENTORY, {"reserves": pl.String}, store=store)
        if reserves.is_empty():
            raise SetupError(
                f"The OMS has no product store '{store}'",
                "Name the store in rpsync.toml as PRODUCT_STORE.PRODUCT_STORE_ID does",
            )
        return Stock(stock, rules, demand, preorders, reserves=reserves.item() != "N")

    def shopify_items(self, store: str) -> pl.DataFrame:
        """``product_id``, ``shopify_inventory_item_id``."""
        columns = ("product_id", "shopify_inventory_item_id")
        return self._ask(oms_sql.SHOPIFY_ITEMS, dict.fromkeys(columns, pl.String), store=store).unique()

    def shopify_locations(self, store: str) -> pl.DataFrame:
        """``facility_id``, ``shopify_location_id``."""
        columns = ("facility_id", "shopify_location_id")
        return self._ask(oms_sql.SHOPIFY_LOCATIONS, dict.fromkeys(columns, pl.String), store=store)

    def reflected_orders(self, store: str, *, ledger: bool) -> pl.DataFrame:
        """``order_id`` (Shopify's), ``product_id``, ``facility_id`` (of a pick-up order, else null), ``units``."""
        schema = {"order_id": pl.String, "product_id": pl.String, "facility_id": pl.String, "units": pl.Int64}
        return self._ask(oms_sql.REFLECTED_ORDERS[ledger], schema, store=store)

    def pos_sales(self, store: str, start: datetime, end: datetime) -> pl.DataFrame:
        """``POS_SALE_SCHEMA``: in-store sales (below zero) and returns with an event time from start until end."""
        return self._ask(oms_sql.POS_SALES, POS_SALE_SCHEMA, store=store, day_start=start, day_end=end)

    def pos_orders(self, store: str, start: datetime, end: datetime) -> pl.DataFrame:
        """``order_id``, ``order_name``, ``issued_at``, ``units``: sales over the counter imported as orders."""
        schema = {"order_id": pl.String, "order_name": pl.String, "issued_at": MOMENT, "units": pl.Int64}
        return self._ask(oms_sql.POS_ORDERS, schema, store=store, day_start=start, day_end=end)

    def import_logs(self, file_name: str) -> list[ImportLog]:
        """What the OMS's import log says of a delivered file, newest import first."""
        schema = {
            "log_id": pl.String,
            "status": pl.String,
            "total_rows": pl.Int64,
            "failed_rows": pl.Int64,
            "started_at": MOMENT,
            "finished_at": MOMENT,
        }
        path_end = f"/{file_name}"
        found = self._ask(oms_sql.IMPORT_LOG, schema, file_name=file_name, path_end=path_end, path_length=len(path_end))
        return [ImportLog(**row) for row in found.rows(named=True)]

    def reset_rows(self, log_id: str) -> pl.DataFrame:
        """``RESET_ROW_SCHEMA``: what became of each row of an imported reset."""
        return self._ask(oms_sql.RESET_ROWS, RESET_ROW_SCHEMA, log_id=log_id)

    def variance_rows(self, log_id: str) -> pl.DataFrame:
        """``VARIANCE_ROW_SCHEMA``: what became of each row of an imported variance."""
        return self._ask(oms_sql.VARIANCE_ROWS, VARIANCE_ROW_SCHEMA, log_id=log_id)

    def products_of_upcas(self) -> pl.DataFrame:
        """``upca``, ``product_id`` of UPCAs that only one product has now."""
        return self._ask(oms_sql.PRODUCTS_OF_UPCAS, {"upca": pl.String, "product_id": pl.String}, at=self._at)

    def counts(self, store: str) -> pl.DataFrame:
        """``facility_id``, ``product_id``, ``quantity_on_hand``, ``available_to_promise`` of a store's keys."""
        counts = dict.fromkeys(("quantity_on_hand", "available_to_promise"), pl.Int64)
        return self._ask(oms_sql.COUNTS, {"facility_id": pl.String, "product_id": pl.String, **counts}, store=store)

    def movements(self, store: str, since: datetime) -> pl.DataFrame:
        """``MOVEMENT_SCHEMA``: goods that came to or left a store's shelves after a moment."""
        return self._ask(oms_sql.MOVEMENTS, MOVEMENT_SCHEMA, store=store, since=since)

    def corrections(self, store: str, reason: str, start: datetime, end: datetime) -> pl.DataFrame:
        """``facility_id``, ``product_id``, ``units``: what ledger rows of a reason changed from start to end."""
        schema = {"facility_id": pl.String, "product_id": pl.String, "units": pl.Int64}
        return self._ask(oms_sql.CORRECTIONS, schema, store=store, reason=reason, start_at=start, end_at=end)

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
    # As it is, if the database gave whole numbers as such: five times as fast.
    with suppress(TypeError):
        return pl.Series(name, values, dtype=kind, strict=True)
    if kind != pl.Int64:
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    broken = next((value for value in values if value is not None and value != int(value)), None)  # type: ignore[call-overload]
    if broken is not None:
        raise SetupError(
            f"The OMS holds the quantity {float(str(broken)):g} in {name}: a part of a piece",
            "Correct it in the OMS; shoes come whole",
        )
    return pl.Series(name, [None if value is None else int(value) for value in values], dtype=pl.Int64)  # type: ignore[call-overload]
