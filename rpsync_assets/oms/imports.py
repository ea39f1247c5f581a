"""Importing a delivered file into the embedded OMS: one transaction per file, set-based SQL, every row with an outcome.

Belongs here: the reset and the variance import and their log rows. Does not: finding files (``oms/inbox``).

Reset (design.md section 5): ``difference = F + L(T0,now] - QOH(now)``, one difference on both QOH and ATP, so
reservations stay as they are and a sale between snapshot and import survives. A zero difference writes nothing to the
ledger. Inventory changes only by ledger rows; totals move by the same difference in the same transaction.
"""

import io
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from sqlalchemy import Connection, DateTime, Engine, TextClause, bindparam, text

from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.names import DeliveredName, read_delivered_name
from rpsync_assets.core.parts import snapshot_in
from rpsync_assets.core.reset import whole_number
from rpsync_assets.oms import import_sql

RESET_CONFIG = "RESET_INVENTORY"
VARIANCE_CONFIG = "MDM_INV_VARIANCE"


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    log_id: str
    total: int
    failed: int
    already: bool = False


def import_reset(engine: Engine, file_name: str, content: bytes, now: datetime) -> Imported:
    """Import a Reset Inventory CSV; a file of that name that was imported before is not imported again."""
    with engine.execution_options(writes=True).begin() as connection:
        if (known := _finished(connection, RESET_CONFIG, file_name)) is not None:
            return known
        name = read_delivered_name(file_name)
        rows = _read(content, ("facilityid", "idtype", "idvalue", "availableqty"), optional=("comments",))
        incoming = _resolve(connection, rows.with_columns(amount="availableqty"), now)
        # A reset without a snapshot (a person's file) counts as taken now: nothing can have moved since.
        as_of = pl.lit(now.astimezone(UTC).replace(tzinfo=None), dtype=pl.Datetime("us"))
        incoming = incoming.with_columns(snapshot_at=pl.coalesce(snapshot_in(pl.col("comments")), as_of))
        log_id = _open_log(connection, RESET_CONFIG, file_name, len(content), name, now)
        _load(connection, incoming)
        values = {"log": log_id, "now": now, "generation": name.generation if name else 1}
        _run(connection, import_sql.MAKE_ITEMS + import_sql.JUDGE_RESET + import_sql.APPLY_RESET, values)
        return _close_log(connection, log_id, "EXTERNAL_INVENTORY_RESET", now)


def import_variance(engine: Engine, file_name: str, content: bytes, now: datetime) -> Imported:
    """Import an Inventory Variance CSV, exactly once and never without its reset.

    Raises:
        BadFileError: the reset of the same store, day and generation was not imported.
    """
    with engine.execution_options(writes=True).begin() as connection:
        if (known := _finished(connection, VARIANCE_CONFIG, file_name)) is not None:
            return known
        name = read_delivered_name(file_name)
        reset_logs = _reset_logs(connection, name)
        if not reset_logs:
            raise BadFileError(
                f"{file_name} came without its reset: none of that store, day and generation was imported",
                "Import the reset first; deducting alone would take units that never came in",
            )
        rows = _read(content, ("facilityid", "idtype", "idvalue", "availabledelta"), optional=("comments",))
        incoming = _resolve(connection, rows.with_columns(amount="availabledelta"), now)
        log_id = _open_log(connection, VARIANCE_CONFIG, file_name, len(content), name, now)
        _load(connection, incoming.with_columns(snapshot_at=pl.lit(None, dtype=pl.Datetime("us"))))
        _run(connection, ["CREATE TEMP TABLE RESET_LOG (LOG_ID TEXT PRIMARY KEY)"], {})
        connection.execute(text("INSERT INTO RESET_LOG VALUES (:log)"), [{"log": log} for log in reset_logs])
        _run(connection, import_sql.JUDGE_VARIANCE + import_sql.APPLY_VARIANCE, {"log": log_id, "now": now})
        return _close_log(connection, log_id, "INVENTORY_ITEM_VARIANCE", now)


def log_failed_import(engine: Engine, file_name: str, content: bytes, now: datetime, *, reset: bool) -> None:
    """Write down that a whole file was refused."""
    with engine.execution_options(writes=True).begin() as connection:
        config = RESET_CONFIG if reset else VARIANCE_CONFIG
        log_id = _open_log(connection, config, file_name, len(content), read_delivered_name(file_name), now)
        _run(
            connection,
            ["UPDATE DATA_MANAGER_LOG SET STATUS_ID = 'SERVICE_FAILED', FINISH_DATE_TIME = :now WHERE LOG_ID = :log"],
            {"log": log_id, "now": now},
        )


def _read(content: bytes, needed: tuple[str, ...], optional: tuple[str, ...]) -> pl.DataFrame:
    """A delivered CSV as text; headers are compared without case, spaces and underscores (domain.md 1.1)."""
    try:
        frame = pl.read_csv(io.BytesIO(content), infer_schema=False, empty_string_is_null=False)
        frame = frame.rename(lambda column: column.replace("_", "").replace(" ", "").casefold())
    except pl.exceptions.PolarsError as error:  # also a column that stands there twice
        raise BadFileError(f"The file is not a CSV: {str(error).splitlines()[0]}", "Deliver it again") from error
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise BadFileError(f"The file lacks the column(s) {', '.join(missing)}", "Deliver it with these columns")
    return frame.with_columns(pl.lit("").alias(column) for column in optional if column not in frame.columns)


def _resolve(connection: Connection, rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Find facility and product of each row; a row that is not sure of either fails with a reason, never a guess."""
    texts = {"facility_id": pl.String, "external_id": pl.String}
    facilities = _frame(connection, import_sql.FACILITIES, {}, {**texts, "virtual": pl.Int64})
    products = _frame(
        connection, import_sql.UPCAS, {"at": now}, {"idvalue": pl.String, "product_id": pl.String, "products": pl.Int64}
    )
    external = (
        facilities.filter(pl.col("external_id") != "")
        .group_by("external_id")
        .agg(pl.col("facility_id").min().alias("by_external"), pl.len().alias("claims"))
    )
    found = (
        rows.with_row_index("line_number", offset=2)
        .join(external, left_on="facilityid", right_on="external_id", how="left")
        .with_columns(
            facility_id=pl.when(pl.col("facilityid").is_in(facilities["facility_id"].implode()))
            .then(pl.col("facilityid"))
            .when(pl.col("claims") == 1)
            .then(pl.col("by_external"))
        )
        .join(facilities.select("facility_id", "virtual"), on="facility_id", how="left")
        .join(products, on="idvalue", how="left")
        .with_columns(amount=whole_number("amount"))
    )
    kind = pl.col("idtype").str.replace_all("[ _]", "").str.to_uppercase()
    first_of_key = pl.col("line_number").min().over("facility_id", "product_id")
    reasons = (
        (kind != "UPCA", "idType is not UPCA"),
        (pl.col("facility_id").is_null(), "unknown facility"),
        (pl.col("virtual") == 1, "virtual facility"),
        (pl.col("product_id").is_null(), "no product has this UPCA now"),
        (pl.col("products") > 1, "several products have this UPCA now"),
        (pl.col("amount").is_null(), "the quantity is not a whole number"),
        (pl.col("line_number") != first_of_key, "the same facility and product stand in an earlier line"),
    )
    return found.with_columns(reason=pl.coalesce(*[pl.when(broken).then(pl.lit(why)) for broken, why in reasons]))


def _load(connection: Connection, incoming: pl.DataFrame) -> None:
    _run(connection, ["DROP TABLE IF EXISTS INCOMING", "DROP TABLE IF EXISTS RESET_LOG", import_sql.INCOMING], {})
    names = ("line_number", "facilityid", "idvalue", "facility_id", "product_id", "amount", "snapshot_at", "reason")
    places = ", ".join(f":{name}" for name in (*names, "comments"))
    statement = text(f"INSERT INTO INCOMING VALUES ({places}, NULL, NULL, NULL, NULL, NULL)")
    statement = statement.bindparams(bindparam("snapshot_at", type_=DateTime()))
    rows = incoming.select(*names, "comments").to_dicts()
    if rows:
        connection.execute(statement, rows)


def _run(connection: Connection, statements: list[str], values: dict[str, object]) -> None:
    for statement in statements:
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(_moments(statement, used), _naive(used))


def _frame(
    connection: Connection, statement: str, values: dict[str, object], schema: dict[str, type[pl.DataType]]
) -> pl.DataFrame:
    rows = connection.execute(_moments(statement, values), _naive(values)).all()
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")


def _moments(statement: str, values: dict[str, object]) -> TextClause:
    times = [bindparam(name, type_=DateTime()) for name, value in values.items() if isinstance(value, datetime)]
    return text(statement).bindparams(*times)


def _naive(values: dict[str, object]) -> dict[str, object]:
    return {
        name: value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _finished(connection: Connection, config: str, file_name: str) -> Imported | None:
    row = connection.execute(
        text(
            "SELECT L.LOG_ID, L.TOTAL_RECORD_COUNT, L.FAILED_RECORD_COUNT FROM DATA_MANAGER_LOG L"
            " JOIN DATA_MANAGER_CONTENT C ON C.LOG_CONTENT_ID = L.UPLOAD_FILE_CONTENT_ID"
            " WHERE L.CONFIG_ID = :config AND C.FILE_NAME = :name AND L.STATUS_ID = 'SERVICE_FINISHED'"
        ),
        {"config": config, "name": file_name},
    ).first()
    return None if row is None else Imported(row[0], int(row[1]), int(row[2]), already=True)


def _reset_logs(connection: Connection, name: DeliveredName | None) -> list[str]:
    """The imports of a variance's reset, and of older generations of the same day; none if its own never came."""
    if name is None:
        return []
    rows = connection.execute(
        text(
            "SELECT L.LOG_ID, C.FILE_NAME FROM DATA_MANAGER_LOG L"
            " JOIN DATA_MANAGER_CONTENT C ON C.LOG_CONTENT_ID = L.UPLOAD_FILE_CONTENT_ID"
            " WHERE L.CONFIG_ID = :config AND L.STATUS_ID = 'SERVICE_FINISHED' AND L.PRODUCT_STORE_ID = :store"
        ),
        {"config": RESET_CONFIG, "store": name.store},
    ).all()
    of_day = {
        log_id: reset.generation
        for log_id, file_name in rows
        if (reset := read_delivered_name(file_name)) and reset.business_date == name.business_date
    }
    if name.generation not in of_day.values():
        return []
    return [log_id for log_id, generation in of_day.items() if generation <= name.generation]


def _open_log(
    connection: Connection, config: str, file_name: str, size: int, name: DeliveredName | None, now: datetime
) -> str:
    count = connection.execute(text("SELECT COUNT(*) FROM DATA_MANAGER_LOG")).scalar()
    log_id = str(10000 + int(count or 0))
    values = {"log": log_id, "config": config, "name": file_name, "size": size, "now": now}
    _run(connection, import_sql.OPEN_LOG, {**values, "store": name.store if name else None})
    return log_id


def _close_log(connection: Connection, log_id: str, table: str, now: datetime) -> Imported:
    total, failed = connection.execute(
        text(
            f"SELECT COUNT(*), COALESCE(SUM(CASE WHEN ROW_STATUS = 'failed' THEN 1 ELSE 0 END), 0) FROM {table}"
            " WHERE LOG_ID = :log"
        ),
        {"log": log_id},
    ).one()
    _run(
        connection,
        [
            "UPDATE DATA_MANAGER_LOG SET STATUS_ID = 'SERVICE_FINISHED', FINISH_DATE_TIME = :now,"
            " TOTAL_RECORD_COUNT = :total, FAILED_RECORD_COUNT = :failed WHERE LOG_ID = :log"
        ],
        {"now": now, "total": total, "failed": failed, "log": log_id},
    )
    return Imported(log_id, int(total), int(failed))
