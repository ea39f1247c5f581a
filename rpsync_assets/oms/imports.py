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
from rpsync_assets.core.ledger import PHYSICAL_MOVEMENT, RESET
from rpsync_assets.core.names import DeliveredName, read_delivered_name
from rpsync_assets.core.parts import LOCATION, snapshot_in

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
        _run(connection, _MAKE_ITEMS + _JUDGE_RESET + _APPLY_RESET, values)
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
        _run(connection, _JUDGE_VARIANCE + _APPLY_VARIANCE, {"log": log_id, "now": now})
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
    facilities = _frame(connection, _FACILITIES, {}, {**texts, "virtual": pl.Int64})
    products = _frame(
        connection, _UPCAS, {"at": now}, {"idvalue": pl.String, "product_id": pl.String, "products": pl.Int64}
    )
    external = (
        facilities.filter(pl.col("external_id") != "")
        .group_by("external_id")
        .agg(pl.col("facility_id").min().alias("by_external"), pl.len().alias("claims"))
    )
    whole = pl.col("amount").str.strip_chars().str.extract(r"^([+-]?\d+)(?:\.0*)?$").cast(pl.Int64, strict=False)
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
        .with_columns(amount=whole)
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
    _run(connection, ["DROP TABLE IF EXISTS INCOMING", "DROP TABLE IF EXISTS RESET_LOG", _INCOMING], {})
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
    _run(connection, _OPEN_LOG, {**values, "store": name.store if name else None})
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


_OPEN_LOG = [
    "INSERT INTO DATA_MANAGER_LOG (LOG_ID, CONFIG_ID, UPLOAD_FILE_CONTENT_ID, CREATED_DATE, START_DATE_TIME, STATUS_ID,"
    " PRODUCT_STORE_ID, REMOTE_FILE_PATH) VALUES (:log, :config, :log, :now, :now, 'SERVICE_RUNNING', :store, :name)",
    "INSERT INTO DATA_MANAGER_CONTENT (LOG_CONTENT_ID, LOG_ID, FILE_NAME, FILE_SIZE, LOG_CONTENT_TYPE_ENUM_ID,"
    " CONTENT_DATE) VALUES (:log, :log, :name, :size, 'DmcntImported', :now)",
]

_FACILITIES = """
SELECT F.FACILITY_ID, F.EXTERNAL_ID, CASE WHEN FT.PARENT_TYPE_ID = 'VIRTUAL_FACILITY' THEN 1 ELSE 0 END
FROM FACILITY F LEFT JOIN FACILITY_TYPE FT ON FT.FACILITY_TYPE_ID = F.FACILITY_TYPE_ID
"""

_UPCAS = """
SELECT ID_VALUE, MIN(PRODUCT_ID), COUNT(DISTINCT PRODUCT_ID) FROM GOOD_IDENTIFICATION
WHERE GOOD_IDENTIFICATION_TYPE_ID = 'UPCA' AND FROM_DATE <= :at AND (THRU_DATE IS NULL OR THRU_DATE > :at)
GROUP BY ID_VALUE
"""

_INCOMING = """
CREATE TEMP TABLE INCOMING (
  LINE_NUMBER INTEGER PRIMARY KEY, FILE_FACILITY TEXT, ID_VALUE TEXT, FACILITY_ID TEXT, PRODUCT_ID TEXT, AMOUNT INTEGER,
  SNAPSHOT_DATE TEXT, REASON TEXT, COMMENTS TEXT,
  INVENTORY_ITEM_ID TEXT, QOH INTEGER, ATP INTEGER, MOVED INTEGER, ROW_STATUS TEXT)
"""

_FIND_ITEMS = """
UPDATE INCOMING SET (INVENTORY_ITEM_ID, QOH, ATP) = (
  SELECT II.INVENTORY_ITEM_ID, COALESCE(II.QUANTITY_ON_HAND_TOTAL, 0), COALESCE(II.AVAILABLE_TO_PROMISE_TOTAL, 0)
  FROM INVENTORY_ITEM II
  WHERE II.FACILITY_ID = INCOMING.FACILITY_ID AND II.PRODUCT_ID = INCOMING.PRODUCT_ID
  ORDER BY II.INVENTORY_ITEM_ID LIMIT 1)
WHERE REASON IS NULL
"""

# HotWax makes an item of 0/0 for a key it has not had yet (domain.md 1.6).
_MAKE_ITEMS = [
    f"""
INSERT INTO INVENTORY_ITEM (INVENTORY_ITEM_ID, PRODUCT_ID, FACILITY_ID, LOCATION_SEQ_ID, INVENTORY_ITEM_TYPE_ID,
  QUANTITY_ON_HAND_TOTAL, AVAILABLE_TO_PROMISE_TOTAL)
SELECT 'R' || :log || '_' || I.LINE_NUMBER, I.PRODUCT_ID, I.FACILITY_ID, '{LOCATION}', 'NON_SERIAL_INV_ITEM', 0, 0
FROM INCOMING I WHERE I.REASON IS NULL AND NOT EXISTS (
  SELECT 1 FROM INVENTORY_ITEM II WHERE II.FACILITY_ID = I.FACILITY_ID AND II.PRODUCT_ID = I.PRODUCT_ID)
""",
    _FIND_ITEMS,
    """
INSERT INTO PRODUCT_FACILITY (PRODUCT_ID, FACILITY_ID, LAST_INVENTORY_COUNT, COMPUTED_LAST_INVENTORY_COUNT,
  INVENTORY_ITEM_ID)
SELECT I.PRODUCT_ID, I.FACILITY_ID, 0, 0, I.INVENTORY_ITEM_ID FROM INCOMING I
WHERE I.REASON IS NULL AND NOT EXISTS (
  SELECT 1 FROM PRODUCT_FACILITY PF WHERE PF.FACILITY_ID = I.FACILITY_ID AND PF.PRODUCT_ID = I.PRODUCT_ID)
""",
    """
UPDATE PRODUCT_FACILITY SET INVENTORY_ITEM_ID = I.INVENTORY_ITEM_ID
FROM INCOMING I
WHERE PRODUCT_FACILITY.INVENTORY_ITEM_ID IS NULL AND I.REASON IS NULL
  AND PRODUCT_FACILITY.FACILITY_ID = I.FACILITY_ID AND PRODUCT_FACILITY.PRODUCT_ID = I.PRODUCT_ID
""",
]

_JUDGE_RESET = [
    f"""
UPDATE INCOMING SET MOVED = COALESCE((
  SELECT SUM(D.QUANTITY_ON_HAND_DIFF) FROM INVENTORY_ITEM_DETAIL D
  WHERE D.INVENTORY_ITEM_ID = INCOMING.INVENTORY_ITEM_ID AND D.EFFECTIVE_DATE > INCOMING.SNAPSHOT_DATE
    AND D.EFFECTIVE_DATE <= :now AND {PHYSICAL_MOVEMENT.format(detail="D")}), 0)
WHERE REASON IS NULL
""",
    """
UPDATE INCOMING SET ROW_STATUS = CASE
  WHEN REASON IS NOT NULL THEN 'failed'
  WHEN EXISTS (
    SELECT 1 FROM EXTERNAL_INVENTORY_RESET R
    WHERE R.FACILITY_ID = INCOMING.FACILITY_ID AND R.PRODUCT_ID = INCOMING.PRODUCT_ID
      AND R.ROW_STATUS IN ('applied', 'unchanged')
      AND (R.SNAPSHOT_DATE > INCOMING.SNAPSHOT_DATE
           OR (R.SNAPSHOT_DATE = INCOMING.SNAPSHOT_DATE AND R.GENERATION >= :generation))) THEN 'superseded'
  WHEN AMOUNT + MOVED = QOH THEN 'unchanged'
  ELSE 'applied' END
""",
]

_LEDGER_COLUMNS = (
    "INVENTORY_ITEM_ID, INVENTORY_ITEM_DETAIL_SEQ_ID, EFFECTIVE_DATE, QUANTITY_ON_HAND_DIFF,"
    " AVAILABLE_TO_PROMISE_DIFF, PHYSICAL_INVENTORY_ID, REASON_ENUM_ID, DESCRIPTION, CREATED_STAMP"
)


def _move_totals(difference: str) -> list[str]:
    """Move INVENTORY_ITEM and PRODUCT_FACILITY by what the ledger just got, with the per-facility floor."""
    return [
        f"""
UPDATE INVENTORY_ITEM SET
  QUANTITY_ON_HAND_TOTAL = COALESCE(INVENTORY_ITEM.QUANTITY_ON_HAND_TOTAL, 0) + ({difference}),
  AVAILABLE_TO_PROMISE_TOTAL = COALESCE(INVENTORY_ITEM.AVAILABLE_TO_PROMISE_TOTAL, 0) + ({difference})
FROM INCOMING I WHERE I.INVENTORY_ITEM_ID = INVENTORY_ITEM.INVENTORY_ITEM_ID AND I.ROW_STATUS = 'applied'
""",
        """
UPDATE PRODUCT_FACILITY SET LAST_INVENTORY_COUNT = II.AVAILABLE_TO_PROMISE_TOTAL,
  COMPUTED_LAST_INVENTORY_COUNT = CASE
    WHEN II.AVAILABLE_TO_PROMISE_TOTAL >= COALESCE(PRODUCT_FACILITY.MINIMUM_STOCK, 0)
    THEN II.AVAILABLE_TO_PROMISE_TOTAL - COALESCE(PRODUCT_FACILITY.MINIMUM_STOCK, 0) ELSE 0 END
FROM INCOMING I JOIN INVENTORY_ITEM II ON II.INVENTORY_ITEM_ID = I.INVENTORY_ITEM_ID
WHERE I.ROW_STATUS = 'applied' AND PRODUCT_FACILITY.INVENTORY_ITEM_ID = I.INVENTORY_ITEM_ID
""",
    ]


_APPLY_RESET = [
    f"""
INSERT INTO INVENTORY_ITEM_DETAIL ({_LEDGER_COLUMNS})
SELECT I.INVENTORY_ITEM_ID, 'R' || :log || '_' || I.LINE_NUMBER, :now, I.AMOUNT + I.MOVED - I.QOH,
  I.AMOUNT + I.MOVED - I.QOH, NULL, '{RESET}', I.COMMENTS, :now
FROM INCOMING I WHERE I.ROW_STATUS = 'applied'
""",
    *_move_totals("I.AMOUNT + I.MOVED - I.QOH"),
    """
INSERT INTO EXTERNAL_INVENTORY_RESET (RESET_ITEM_ID, LOG_ID, LINE_NUMBER, FACILITY_ID, PRODUCT_ID, PRODUCT_IDENT_VALUE,
  EXTERNAL_FACILITY_ID, INVENTORY_ITEM_ID, SNAPSHOT_DATE, GENERATION, EXTERNAL_QOH, INVENTORY_ITEM_QOH,
  INVENTORY_ITEM_ATP, MOVED_SINCE, QUANTITY_ON_HAND_DIFF, ROW_STATUS, REASON, CREATED_DATE)
SELECT :log || '_' || I.LINE_NUMBER, :log, I.LINE_NUMBER, I.FACILITY_ID, I.PRODUCT_ID, I.ID_VALUE, I.FILE_FACILITY,
  I.INVENTORY_ITEM_ID, I.SNAPSHOT_DATE, :generation, I.AMOUNT, I.QOH, I.ATP, I.MOVED,
  CASE I.ROW_STATUS WHEN 'applied' THEN I.AMOUNT + I.MOVED - I.QOH ELSE 0 END, I.ROW_STATUS, I.REASON, :now
FROM INCOMING I
""",
]

# A variance belongs to the accepted reset row of its own day and is applied to it once: if a newer reset of the key
# came in between, or another variance since that row, it is void.
_JUDGE_VARIANCE = [
    _FIND_ITEMS,
    """
UPDATE INCOMING SET ROW_STATUS = CASE
  WHEN REASON IS NOT NULL THEN 'failed'
  WHEN NOT EXISTS (
    SELECT 1 FROM EXTERNAL_INVENTORY_RESET R JOIN RESET_LOG L ON L.LOG_ID = R.LOG_ID
    WHERE R.FACILITY_ID = INCOMING.FACILITY_ID AND R.PRODUCT_ID = INCOMING.PRODUCT_ID
      AND R.ROW_STATUS IN ('applied', 'unchanged')) THEN 'failed'
  WHEN (
    SELECT R.LOG_ID FROM EXTERNAL_INVENTORY_RESET R
    WHERE R.FACILITY_ID = INCOMING.FACILITY_ID AND R.PRODUCT_ID = INCOMING.PRODUCT_ID
      AND R.ROW_STATUS IN ('applied', 'unchanged')
    ORDER BY R.SNAPSHOT_DATE DESC, R.GENERATION DESC LIMIT 1) NOT IN (SELECT LOG_ID FROM RESET_LOG) THEN 'void'
  WHEN EXISTS (
    SELECT 1 FROM INVENTORY_ITEM_VARIANCE V
    WHERE V.FACILITY_ID = INCOMING.FACILITY_ID AND V.PRODUCT_ID = INCOMING.PRODUCT_ID
      AND V.ROW_STATUS IN ('applied', 'clamped')
      AND CAST(V.LOG_ID AS INTEGER) > (
        SELECT CAST(R.LOG_ID AS INTEGER) FROM EXTERNAL_INVENTORY_RESET R
        WHERE R.FACILITY_ID = INCOMING.FACILITY_ID AND R.PRODUCT_ID = INCOMING.PRODUCT_ID
          AND R.ROW_STATUS IN ('applied', 'unchanged')
        ORDER BY R.SNAPSHOT_DATE DESC, R.GENERATION DESC LIMIT 1)) THEN 'void'
  WHEN AMOUNT < 0 AND QOH < -AMOUNT THEN 'clamped'
  ELSE 'applied' END
""",
    """
UPDATE INCOMING SET REASON = CASE ROW_STATUS
  WHEN 'failed' THEN COALESCE(REASON, 'the reset of this day holds no accepted row for this key')
  WHEN 'void' THEN 'a newer reset of this key came in between, or this reset row has had its variance'
  WHEN 'clamped' THEN 'a variance cannot take more than there is' END
WHERE ROW_STATUS <> 'applied'
""",
    # What is really taken (domain.md 1.2): it "can set inventory to 0 but cannot make it negative".
    "UPDATE INCOMING SET MOVED = CASE ROW_STATUS WHEN 'applied' THEN AMOUNT"
    " WHEN 'clamped' THEN -MAX(QOH, 0) ELSE 0 END",
]

_APPLY_VARIANCE = [
    """
INSERT INTO INVENTORY_ITEM_VARIANCE (INVENTORY_ITEM_ID, PHYSICAL_INVENTORY_ID, LOG_ID, LINE_NUMBER, FACILITY_ID,
  PRODUCT_ID, PRODUCT_IDENT_VALUE, VARIANCE_REASON_ID, REQUESTED_VAR, QUANTITY_ON_HAND_VAR, AVAILABLE_TO_PROMISE_VAR,
  INVENTORY_ITEM_QOH, ROW_STATUS, REASON, COMMENTS, CREATED_DATE)
SELECT COALESCE(I.INVENTORY_ITEM_ID, 'NONE'), 'V' || :log || '_' || I.LINE_NUMBER, :log, I.LINE_NUMBER, I.FACILITY_ID,
  I.PRODUCT_ID, I.ID_VALUE, 'VAR_INTEGR', I.AMOUNT, I.MOVED, I.MOVED, I.QOH, I.ROW_STATUS, I.REASON, I.COMMENTS, :now
FROM INCOMING I
""",
    # From here on a clamped row is a row that is applied with less.
    "UPDATE INCOMING SET ROW_STATUS = 'applied' WHERE ROW_STATUS = 'clamped'",
    f"""
INSERT INTO INVENTORY_ITEM_DETAIL ({_LEDGER_COLUMNS})
SELECT I.INVENTORY_ITEM_ID, 'V' || :log || '_' || I.LINE_NUMBER, :now, I.MOVED, I.MOVED,
  'V' || :log || '_' || I.LINE_NUMBER, 'VAR_INTEGR', I.COMMENTS, :now
FROM INCOMING I WHERE I.ROW_STATUS = 'applied' AND I.MOVED <> 0
""",
    *_move_totals("I.MOVED"),
]
