"""What we published to Shopify: the outbox of operations, and the baseline of each item.

Belongs here: the rows that make a publication safe to kill and to click twice. Does not: what to publish
(``core/publication``), HTTP (``resources/shopify``), orders that were read (``resources/read_orders``).

Every operation is written down before it is sent, with its payload and its idempotency key (the row's id), and settled
after the answer, in one transaction with the baselines of what it changed. A crash at any point leaves an unsettled
operation: it is sent again with the same payload and key, and Shopify applies it once.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Literal
from uuid import uuid4

import polars as pl
from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from rpsync_assets.core.keys import MOMENT
from rpsync_assets.core.publication import BASELINE_SCHEMA
from rpsync_assets.resources import read_orders
from rpsync_assets.resources.databases import insert_or_update, make_tables, naive, open_engine
from rpsync_assets.resources.read_orders import ReadOrders

Verb = Literal["set", "adjust"]
CHANGES_SCHEMA = {
    **dict.fromkeys(("shopify_inventory_item_id", "shopify_location_id"), pl.String),
    **dict.fromkeys(("number", "change_from", "baseline"), pl.Int64),
    **dict.fromkeys(("verb", "run_id", "outcome"), pl.String),
    "written_at": MOMENT,
}

_metadata = MetaData()

_operations = Table(
    "shopify_operations",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("product_store", String(40), nullable=False, index=True),
    Column("verb", String(10), nullable=False),
    Column("reference", String(255), nullable=False),
    # The rows as they are sent, each with the baseline that holds once it is applied.
    Column("payload", Text, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("written_at", DateTime, nullable=False),
    Column("settled_at", DateTime),
    # "applied", "refused" (nothing of it was applied, and why) or "abandoned" (too old to be sent again).
    Column("outcome", String(20)),
    Column("errors", Text),
)

_baselines = Table(
    "shopify_baselines",
    _metadata,
    Column("product_store", String(40), primary_key=True),
    Column("shopify_inventory_item_id", String(40), primary_key=True),
    Column("shopify_location_id", String(40), primary_key=True),
    Column("baseline", Integer),
    Column("reflected", Integer, nullable=False),
)

_full_comparisons = Table(
    "shopify_full_comparisons",
    _metadata,
    Column("product_store", String(40), primary_key=True),
    Column("compared_at", DateTime, nullable=False),
)


@dataclass(frozen=True)
class Change:
    """One row of an operation.

    Attributes:
        item: Shopify's inventory item id.
        location: Shopify's location id.
        number: the quantity to set, or the delta to adjust by.
        change_from: the count that was read, for a set.
        baseline: B once this is applied.
        reflected: K of the same moment.
    """

    item: str
    location: str
    number: int
    change_from: int | None
    baseline: int
    reflected: int


@dataclass(frozen=True)
class Operation:
    """One call to Shopify, as it was written down."""

    id: str
    verb: Verb
    reference: str
    changes: tuple[Change, ...]
    written_at: datetime


@dataclass(frozen=True)
class Publications:
    """The outbox and the baselines, in our own state database."""

    url: str = field(repr=False)

    @cached_property
    def engine(self) -> Engine:
        """The open database; file and tables are made on first use."""
        engine = open_engine(self.url, create=True)
        make_tables(engine, _metadata)
        return engine

    @cached_property
    def orders(self) -> ReadOrders:
        """What Shopify's own orders took, as far as they were read."""
        make_tables(self.engine, read_orders.METADATA)
        return ReadOrders(self.engine)

    def write(self, store: str, verb: Verb, reference: str, changes: Sequence[Change], run_id: str) -> Operation:
        """Write an operation down before it is sent; its id is its idempotency key, never used for another."""
        operation = Operation(str(uuid4()), verb, reference, tuple(changes), datetime.now(UTC))
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(
                insert(_operations).values(
                    id=operation.id,
                    product_store=store,
                    verb=verb,
                    reference=reference,
                    payload=json.dumps([vars(change) for change in changes]),
                    run_id=run_id,
                    written_at=naive(operation.written_at),
                )
            )
        return operation

    def unsettled(self, store: str) -> list[Operation]:
        """What a run that died left behind, oldest first."""
        query = (
            select(_operations)
            .where(_operations.c.product_store == store, _operations.c.settled_at.is_(None))
            .order_by(_operations.c.written_at, _operations.c.id)
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Operation(
                row["id"],
                row["verb"],
                row["reference"],
                tuple(Change(**change) for change in json.loads(row["payload"])),
                row["written_at"].replace(tzinfo=UTC),
            )
            for row in rows
        ]

    def changes(self, store: str, start: datetime, end: datetime) -> pl.DataFrame:
        """``CHANGES_SCHEMA``: every row that was sent for a store from one moment until another, oldest first."""
        query = (
            select(_operations)
            .where(
                _operations.c.product_store == store,
                _operations.c.written_at >= naive(start),
                _operations.c.written_at < naive(end),
            )
            .order_by(_operations.c.written_at, _operations.c.id)
        )
        with self.engine.connect() as connection:
            sent = connection.execute(query).mappings().all()
        rows = [
            (
                *(change[name] for name in ("item", "location", "number", "change_from", "baseline")),
                *(operation[name] for name in ("verb", "run_id", "outcome")),
                operation["written_at"].replace(tzinfo=UTC),
            )
            for operation in sent
            for change in json.loads(operation["payload"])
        ]
        return pl.DataFrame(rows, orient="row", schema=CHANGES_SCHEMA)

    def applied_by(self, run_id: str) -> int:
        """How many rows of a run's operations Shopify has applied."""
        query = select(_operations.c.payload).where(_operations.c.run_id == run_id, _operations.c.outcome == "applied")
        with self.engine.connect() as connection:
            return sum(len(json.loads(payload)) for payload in connection.execute(query).scalars())

    def operations_of(self, store: str, item: str, since: date) -> list[dict[str, Any]]:
        """What was sent for one inventory item from a day on, oldest first: the change and its receipt."""
        query = (
            select(_operations)
            .where(
                _operations.c.product_store == store,
                # UTC's date begins up to 14 hours after the easternmost store's.
                _operations.c.written_at >= datetime.combine(since, time.min) - timedelta(hours=14),
                _operations.c.payload.contains(f'"item": {json.dumps(item)}', autoescape=True),
            )
            .order_by(_operations.c.written_at, _operations.c.id)
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            {
                **change,
                **{name: row[name] for name in ("id", "verb", "run_id", "outcome")},
                "errors": _errors_of(number, json.loads(row["errors"] or "[]")),
                "written_at": row["written_at"].replace(tzinfo=UTC),
                "settled_at": row["settled_at"] and row["settled_at"].replace(tzinfo=UTC),
            }
            for row in rows
            for number, change in enumerate(json.loads(row["payload"]))
            if change["item"] == item
        ]

    def settle(self, store: str, operation: Operation, outcome: str, errors: Sequence[str] = ()) -> None:
        """The answer is known; what was applied moves its baselines in the same transaction."""
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(
                update(_operations)
                .where(_operations.c.id == operation.id)
                .values(settled_at=naive(datetime.now(UTC)), outcome=outcome, errors=json.dumps(errors) or None)
            )
            if outcome == "abandoned":
                # Whether it was applied is not known, so neither is what its baselines stand for.
                connection.execute(delete(_full_comparisons).where(_full_comparisons.c.product_store == store))
            if outcome == "applied":
                connection.execute(
                    self._upsert(),
                    [
                        {
                            "product_store": store,
                            "shopify_inventory_item_id": change.item,
                            "shopify_location_id": change.location,
                            "baseline": change.baseline,
                            "reflected": change.reflected,
                        }
                        for change in operation.changes
                    ],
                )

    def move(self, store: str, baselines: pl.DataFrame) -> None:
        """Baselines of items that needed no operation: Shopify shows them right, or has no count of them.

        Args:
            store: the product store.
            baselines: ``BASELINE_SCHEMA``.
        """
        if baselines.is_empty():
            return
        rows = baselines.select(pl.lit(store).alias("product_store"), *BASELINE_SCHEMA).to_dicts()
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(self._upsert(), rows)

    def baselines(self, store: str) -> pl.DataFrame:
        """``BASELINE_SCHEMA``."""
        query = select(*(_baselines.c[name] for name in BASELINE_SCHEMA)).where(_baselines.c.product_store == store)
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query).all()]
        return pl.DataFrame(rows, orient="row", schema=BASELINE_SCHEMA)

    def forget(self, store: str, items: pl.DataFrame) -> None:
        """Baselines that are not true any more: item and location; the next publication looks at these anew."""
        if items.is_empty():
            return
        statement = delete(_baselines).where(
            _baselines.c.product_store == store,
            _baselines.c.shopify_inventory_item_id == bindparam("item"),
            _baselines.c.shopify_location_id == bindparam("location"),
        )
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(statement, [{"item": item, "location": place} for item, place in items.iter_rows()])

    def compared_at(self, store: str) -> datetime | None:
        """When all items of a store were last compared with Shopify."""
        query = select(_full_comparisons.c.compared_at).where(_full_comparisons.c.product_store == store)
        with self.engine.connect() as connection:
            moment = connection.execute(query).scalar()
        return None if moment is None else moment.replace(tzinfo=UTC)

    def compared(self, store: str, at: datetime) -> None:
        """All items of a store were compared with Shopify at this moment."""
        statement = insert_or_update(self.engine, _full_comparisons).values(product_store=store, compared_at=naive(at))
        statement = statement.on_conflict_do_update(
            index_elements=["product_store"], set_={"compared_at": statement.excluded.compared_at}
        )
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(statement)

    def _upsert(self):
        statement = insert_or_update(self.engine, _baselines)
        new = statement.excluded
        return statement.on_conflict_do_update(
            index_elements=[column.name for column in _baselines.primary_key],
            set_={"baseline": new.baseline, "reflected": new.reflected},
        )


def _errors_of(row: int, errors: Sequence[str]) -> list[str]:
    """What Shopify said of one row of an operation, or of all of it; written down as ``<row or None>: <code>``."""
    of_rows = [re.fullmatch(r"(\d+|None): (.*)", error, re.DOTALL) for error in errors]
    return [
        error if of is None else of[2]
        for error, of in zip(errors, of_rows, strict=True)
        if of is None or of[1] in {str(row), "None"}
    ]
