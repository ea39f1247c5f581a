"""Our memory of Shopify's own orders: what each took, and how far we have read.

Belongs here: what was read. Does not: reading (``resources/shopify_orders``), what is under way (``core/publication``),
operations and baselines (``resources/publications``).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    bindparam,
    delete,
    insert,
    select,
)

from rpsync_assets.core.publication import TAKEN_SCHEMA
from rpsync_assets.resources.databases import insert_or_update, naive

METADATA = MetaData()

_taken = Table(
    "shopify_taken",
    METADATA,
    Column("product_store", String(40), primary_key=True),
    Column("order_id", String(40), primary_key=True),
    Column("shopify_inventory_item_id", String(40), primary_key=True),
    Column("shopify_location_id", String(40), primary_key=True),
    Column("units", Integer, nullable=False),
)

_orders_changed = Table(
    "shopify_orders_changed",
    METADATA,
    Column("product_store", String(40), primary_key=True),
    Column("changed_at", DateTime, nullable=False),
)

_KEY = [name for name in TAKEN_SCHEMA if name != "units"]


@dataclass(frozen=True)
class ReadOrders:
    """The orders of all stores, in our own state database."""

    engine: Engine

    def took(self, store: str, taken: pl.DataFrame, changed_at: datetime | None) -> None:
        """Remember orders that were read at Shopify; an order that is known already is replaced.

        Args:
            store: the product store.
            taken: ``TAKEN_SCHEMA``.
            changed_at: the newest change among them, by Shopify's clock; None if no order was read.
        """
        rows = taken.group_by(*_KEY).agg(pl.col("units").sum()).with_columns(product_store=pl.lit(store)).to_dicts()
        orders = [{"order": order} for order in taken["order_id"].unique()]
        with self.engine.execution_options(writes=True).begin() as connection:
            if orders:
                known = and_(_taken.c.product_store == store, _taken.c.order_id == bindparam("order"))
                connection.execute(delete(_taken).where(known), orders)
                connection.execute(insert(_taken), rows)
            if changed_at is not None:
                newest = {"product_store": store, "changed_at": naive(changed_at)}
                change = insert_or_update(self.engine, _orders_changed).values(newest)
                connection.execute(change.on_conflict_do_update(index_elements=["product_store"], set_=newest))

    def taken(self, store: str) -> pl.DataFrame:
        """``TAKEN_SCHEMA`` of all orders that were ever read."""
        query = select(*(_taken.c[name] for name in TAKEN_SCHEMA)).where(_taken.c.product_store == store)
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query).all()]
        return pl.DataFrame(rows, orient="row", schema=TAKEN_SCHEMA)

    def changed_at(self, store: str) -> datetime | None:
        """The newest change of an order that was ever read, by Shopify's clock."""
        query = select(_orders_changed.c.changed_at).where(_orders_changed.c.product_store == store)
        with self.engine.connect() as connection:
            moment = connection.execute(query).scalar()
        return None if moment is None else moment.replace(tzinfo=UTC)
