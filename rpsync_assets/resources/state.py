"""Our own small memory: what we delivered, and which reset rows the OMS accepted.

Belongs here: the rows that make deliveries exactly-once. Does not: the OMS's data, or tables an analyst reads.

Exactly-once is a unique row taken before anything is sent: (store, day, kind, generation, part). Queue limits and run
keys of Dagster are tidiness only, an impatient second click goes past them (dagster.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Literal

import polars as pl
from sqlalchemy import (
    DDL,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    and_,
    insert,
    inspect,
    or_,
    select,
    update,
)

from rpsync_assets.core.keys import MOMENT
from rpsync_assets.resources.databases import insert_or_update, make_tables, naive, open_engine

Kind = Literal["reset", "variance"]

_metadata = MetaData()

_deliveries = Table(
    "deliveries",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("product_store", String(40), nullable=False),
    Column("business_date", Date, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("file_name", String(255), nullable=False),
    Column("folder", String(255), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("snapshot_at", DateTime, nullable=False),
    Column("taken_at", DateTime, nullable=False),
    Column("delivered_at", DateTime),
    Column("run_id", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    UniqueConstraint("product_store", "business_date", "kind", "generation", "part"),
)

_accepted = Table(
    "accepted_rows",
    _metadata,
    Column("product_store", String(40), primary_key=True),
    Column("facility_id", String(40), primary_key=True),
    Column("product_id", String(40), primary_key=True),
    Column("upca", String(60), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("snapshot_at", DateTime, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("log_id", String(40), nullable=False),
    # When its variance went out, or none was needed; empty while one is due.
    Column("settled_at", DateTime),
    # When the OMS imported it, and when we learnt of that (or, later, that it owes a variance once more).
    Column("imported_at", DateTime),
    Column("accepted_at", DateTime),
)


_TABLES = (_deliveries, _accepted)

ACCEPTED_SCHEMA = {
    "facility_id": pl.String,
    "product_id": pl.String,
    "upca": pl.String,
    "quantity": pl.Int64,
    "snapshot_at": MOMENT,
    "generation": pl.Int64,
    "log_id": pl.String,
    "imported_at": MOMENT,
}


@dataclass(frozen=True)
class Delivery:
    """One file sent, or about to be sent."""

    product_store: str
    business_date: date
    kind: Kind
    generation: int
    part: int
    parts: int
    digest: str
    file_name: str
    folder: str
    rows: int
    bytes: int
    snapshot_at: datetime
    run_id: str
    host: str
    taken_at: datetime
    delivered_at: datetime | None = None

    @property
    def remote_path(self) -> str:
        """Where the file went on the server."""
        return f"{self.folder}/{self.file_name}"


@dataclass(frozen=True)
class State:
    """The state database."""

    url: str = field(repr=False)

    @cached_property
    def engine(self) -> Engine:
        """The open database; file and tables are made on first use, not when the code location loads."""
        engine = open_engine(self.url, create=True)
        make_tables(engine, _metadata)
        _add_new_columns(engine)
        return engine

    def generation_of(self, store: str, day: date, digest: str) -> int:
        """The generation of a reset's content: the newest one if it is the same again, else the next of the day."""
        with self.engine.connect() as connection:
            ours = and_(
                _deliveries.c.product_store == store,
                _deliveries.c.business_date == day,
                _deliveries.c.kind == "reset",
            )
            newest = connection.execute(
                select(_deliveries.c.generation, _deliveries.c.digest)
                .where(ours)
                .order_by(_deliveries.c.generation.desc())
                .limit(1)
            ).first()
        if newest is None:
            return 1
        # Only the newest: A, then B, then A again is a third delivery, or the OMS would keep B.
        return int(newest.generation) + (0 if newest.digest == digest else 1)

    def deliveries(self, store: str, day: date, kind: Kind, generation: int | None = None) -> list[Delivery]:
        """What was taken for delivery, by generation and part."""
        query = select(_deliveries).where(
            _deliveries.c.product_store == store, _deliveries.c.business_date == day, _deliveries.c.kind == kind
        )
        if generation is not None:
            query = query.where(_deliveries.c.generation == generation)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(_deliveries.c.generation, _deliveries.c.part)).mappings().all()
        return [_delivery(dict(row)) for row in rows]

    def went_out(self, store: str, day: date, kind: Kind) -> list[Delivery]:
        """What is known to have been delivered for a business date, of any generation, by generation and part."""
        return [one for one in self.deliveries(store, day, kind) if one.delivered_at is not None]

    def newest_reset(self, store: str) -> Delivery | None:
        """The delivered reset with the newest snapshot."""
        query = (
            select(_deliveries)
            .where(
                _deliveries.c.product_store == store,
                _deliveries.c.kind == "reset",
                _deliveries.c.delivered_at.is_not(None),
            )
            .order_by(_deliveries.c.snapshot_at.desc(), _deliveries.c.generation.desc())
            .limit(1)
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _delivery(dict(row))

    def deliveries_since(self, store: str, day: date) -> list[Delivery]:
        """What was taken for a business date and the ones after it, of either kind, in the order of taking.

        One that is not marked as delivered may have gone out all the same: the run died, or the answer got lost.
        """
        query = (
            select(_deliveries)
            .where(_deliveries.c.product_store == store, _deliveries.c.business_date >= day)
            .order_by(_deliveries.c.id)
        )
        with self.engine.connect() as connection:
            return [_delivery(dict(row)) for row in connection.execute(query).mappings().all()]

    def take(self, deliveries: Sequence[Delivery]) -> None:
        """Write down what will be sent, all or nothing; a twin that was first makes this fail.

        Raises:
            sqlalchemy.exc.IntegrityError: somebody else took one of them.
        """
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(
                insert(_deliveries),
                [
                    {
                        **{name: getattr(delivery, name) for name in Delivery.__dataclass_fields__},
                        "snapshot_at": naive(delivery.snapshot_at),
                        "taken_at": naive(delivery.taken_at),
                        "delivered_at": naive(delivery.delivered_at) if delivery.delivered_at else None,
                    }
                    for delivery in deliveries
                ],
            )

    def mark_delivered(self, delivery: Delivery, at: datetime) -> None:
        """The file lies under its final name on the server."""
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(
                update(_deliveries)
                .where(
                    _deliveries.c.product_store == delivery.product_store,
                    _deliveries.c.business_date == delivery.business_date,
                    _deliveries.c.kind == delivery.kind,
                    _deliveries.c.generation == delivery.generation,
                    _deliveries.c.part == delivery.part,
                )
                .values(delivered_at=naive(at))
            )

    def newest_variance(self, store: str) -> Delivery | None:
        """The variance file of a store that went out last."""
        query = (
            select(_deliveries)
            .where(
                _deliveries.c.product_store == store,
                _deliveries.c.kind == "variance",
                _deliveries.c.delivered_at.is_not(None),
            )
            .order_by(_deliveries.c.delivered_at.desc(), _deliveries.c.id.desc())
            .limit(1)
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _delivery(dict(row))

    def accept(self, store: str, day: date, rows: pl.DataFrame) -> None:
        """Remember accepted reset rows.

        A row replaces one of an older snapshot, of an older generation of it, or of an earlier import of the same file:
        a reset that is imported again (by a person at HotWax) has put back what its variance took out. Generations
        count within a day: of a count that a later day brought along as owed, the later import stands at the OMS. A row
        that replaces another owes a variance.

        Args:
            store: the product store.
            day: the business date of the receipt.
            rows: ``facility_id``, ``product_id``, ``upca``, ``quantity``, ``snapshot_at``, ``generation``, ``log_id``,
                ``imported_at``.
        """
        if rows.is_empty():
            return
        statement = insert_or_update(self.engine, _accepted)
        new = statement.excluded
        same_snapshot = new.snapshot_at == _accepted.c.snapshot_at
        same_day = new.business_date == _accepted.c.business_date
        same_moment = new.imported_at == _accepted.c.imported_at
        newer = or_(
            new.snapshot_at > _accepted.c.snapshot_at,
            and_(same_snapshot, same_day, new.generation > _accepted.c.generation),
            and_(same_snapshot, same_day, new.generation == _accepted.c.generation, new.log_id != _accepted.c.log_id),
            and_(same_snapshot, ~same_day, new.imported_at > _accepted.c.imported_at),
            and_(same_snapshot, same_moment, new.business_date > _accepted.c.business_date),
        )
        changed = {column.name: new[column.name] for column in _accepted.c if not column.primary_key}
        statement = statement.on_conflict_do_update(
            index_elements=[column.name for column in _accepted.primary_key], set_=changed, where=newer
        )
        values = rows.select(
            pl.lit(store).alias("product_store"),
            "facility_id",
            "product_id",
            "upca",
            "quantity",
            pl.col("snapshot_at").dt.replace_time_zone(None),
            "generation",
            pl.lit(day).alias("business_date"),
            "log_id",
            pl.lit(None, dtype=pl.Datetime).alias("settled_at"),
            pl.col("imported_at").dt.replace_time_zone(None),
            pl.lit(naive(datetime.now(UTC)), dtype=pl.Datetime).alias("accepted_at"),
        ).to_dicts()
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(statement, values)

    def accepted(self, store: str, log_ids: Sequence[str]) -> pl.DataFrame:
        """The accepted rows of these imports that no newer count has replaced: ``ACCEPTED_SCHEMA``."""
        return self._accepted_where(_accepted.c.product_store == store, _accepted.c.log_id.in_(log_ids))

    def accepted_without_variance(self, store: str, day: date) -> pl.DataFrame:
        """The accepted rows of a day, of any generation, whose variance is still due: ``ACCEPTED_SCHEMA``.

        A newer reset of a key has replaced its row here, so an older pending variance is void by construction.
        """
        return self._accepted_where(
            _accepted.c.product_store == store, _accepted.c.business_date == day, _accepted.c.settled_at.is_(None)
        )

    def accepted_row(self, store: str, facility: str, product: str) -> dict[str, Any] | None:
        """The newest accepted row of one key, as it is stored, moments with their zone; None if there is none."""
        query = select(_accepted).where(
            _accepted.c.product_store == store, _accepted.c.facility_id == facility, _accepted.c.product_id == product
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        return {n: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for n, v in row.items()}

    def accepted_of_day(self, store: str, day: date) -> pl.DataFrame:
        """The keys whose newest accepted row is of a business date: ``ACCEPTED_SCHEMA``."""
        return self._accepted_where(_accepted.c.product_store == store, _accepted.c.business_date == day)

    def accepted_since(self, store: str, day: date) -> pl.DataFrame:
        """``facility_id`` and ``product_id`` of rows that were accepted for a later business date."""
        query = select(_accepted.c.facility_id, _accepted.c.product_id).where(
            _accepted.c.product_store == store, _accepted.c.business_date > day
        )
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query).all()]
        return pl.DataFrame(rows, orient="row", schema={"facility_id": pl.String, "product_id": pl.String})

    def newest_accepted(self, store: str) -> pl.DataFrame:
        """The newest accepted count of every key of a store, for whatever day: ``ACCEPTED_SCHEMA``."""
        return self._accepted_where(_accepted.c.product_store == store)

    def delivered_days(self, store: str, *, since: date, before: date) -> list[date]:
        """The business dates in a range whose reset went out."""
        query = (
            select(_deliveries.c.business_date)
            .distinct()
            .where(
                _deliveries.c.product_store == store,
                _deliveries.c.kind == "reset",
                _deliveries.c.business_date >= since,
                _deliveries.c.business_date < before,
                _deliveries.c.delivered_at.is_not(None),
            )
        )
        with self.engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def variance_due(self, store: str) -> pl.DataFrame:
        """The accepted rows of a store, of any day, whose variance is still due: ``ACCEPTED_SCHEMA``."""
        return self._accepted_where(_accepted.c.product_store == store, _accepted.c.settled_at.is_(None))

    def _accepted_where(self, *conditions: ColumnElement[bool]) -> pl.DataFrame:
        query = select(*(_accepted.c[name] for name in ACCEPTED_SCHEMA)).where(*conditions)
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query).all()]
        moments = [name for name, kind in ACCEPTED_SCHEMA.items() if kind == MOMENT]
        schema = {**ACCEPTED_SCHEMA, **dict.fromkeys(moments, pl.Datetime("us"))}
        return pl.DataFrame(rows, orient="row", schema=schema).with_columns(pl.col(moments).dt.replace_time_zone("UTC"))

    def settle(self, store: str, day: date, generation: int, *, taken_at: datetime) -> None:
        """The variance of a reset went out, or none was due: its rows and older ones of the day owe nothing more.

        Args:
            store: the product store.
            day: the business date.
            generation: the generation of the reset.
            taken_at: when the variance was made; a row that came to owe one after that is not in it.
        """
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(
                update(_accepted)
                .where(
                    _accepted.c.product_store == store,
                    _accepted.c.business_date == day,
                    _accepted.c.generation <= generation,
                    _accepted.c.settled_at.is_(None),
                    or_(_accepted.c.accepted_at.is_(None), _accepted.c.accepted_at <= naive(taken_at)),
                )
                .values(settled_at=naive(datetime.now(UTC)))
            )

    def owe_again(self, store: str, day: date, keys: Sequence[tuple[str, str]]) -> None:
        """The OMS refused the variance of these keys (facility and product): they owe it still."""
        now = naive(datetime.now(UTC))
        with self.engine.execution_options(writes=True).begin() as connection:
            for facility_id, product_id in keys:
                connection.execute(
                    update(_accepted)
                    .where(
                        _accepted.c.product_store == store,
                        _accepted.c.business_date == day,
                        _accepted.c.facility_id == facility_id,
                        _accepted.c.product_id == product_id,
                        _accepted.c.settled_at.is_not(None),
                    )
                    .values(settled_at=None, accepted_at=now)
                )


def _add_new_columns(engine: Engine) -> None:
    """A state database of an earlier version gets the columns that were added since; they are nullable."""
    there = {table.name: {column["name"] for column in inspect(engine).get_columns(table.name)} for table in _TABLES}
    missing = [(table, column) for table in _TABLES for column in table.c if column.name not in there[table.name]]
    if missing:
        with engine.execution_options(writes=True).begin() as connection:
            for table, column in missing:
                kind = column.type.compile(engine.dialect)
                # Of two processes that look at one moment the second finds it done.
                unless = "IF NOT EXISTS " if engine.dialect.name == "postgresql" else ""
                connection.execute(DDL(f"ALTER TABLE {table.name} ADD COLUMN {unless}{column.name} {kind}"))


def _delivery(row: dict[str, object]) -> Delivery:
    values = {name: row[name] for name in Delivery.__dataclass_fields__}
    for name in ("snapshot_at", "taken_at", "delivered_at"):
        moment = values[name]
        if isinstance(moment, datetime):
            values[name] = moment.replace(tzinfo=UTC)
    return Delivery(**values)  # type: ignore[arg-type]
