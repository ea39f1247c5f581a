"""Rows on their way into the embedded OMS, and whom they mean: the facility and product of each, or why not.

Belongs here: the temporary table of incoming rows and the one rule of resolving them, for a file of 200,000 rows and
for one sale at a till alike. Does not: what the rows then do (``oms/ledger``, ``oms/import_sql``).

HotWax takes the first match in silence (domain.md 1.6); here whatever is not sure of facility or product is refused
with a reason. A UPC is compared as a number: leading zeros carry no meaning in it, and Retail Pro loses them.
"""

from collections.abc import Mapping, Sequence

import polars as pl
from sqlalchemy import Connection

NAMES = {
    "line": pl.Int64,
    "facility": pl.String,
    "external": pl.Int64,
    "id_type": pl.String,
    "id_value": pl.String,
    "product": pl.String,
    "amount": pl.Int64,
    "snapshot": pl.String,
    "comments": pl.String,
}
"""What a file gives of each row. ``external`` is 1 for a facility's name that can only be its external id;
``product`` is a product id given instead of ``id_type`` and ``id_value``; ``amount`` is null when it is not a whole
number; ``snapshot`` as ``ledger.stored`` writes moments."""

REFUSALS: Mapping[str, str] = {
    "unknown_facility": "unknown facility",
    "ambiguous_facility": "several facilities have this external id",
    "virtual_facility": "virtual facility",
    "unknown_id_type": "the OMS does not know this idType",
    "unknown_product": "no product has this identification now",
    "ambiguous_identification": "several products have this identification now",
    "bad_quantity": "the quantity is not a whole number",
    "repeated_key": "the same facility and product stand in an earlier line",
    "future_snapshot": "the count is of a moment that has not come yet",
}
"""Why a row is refused: the code in INCOMING.REASON, and the sentence for people."""

DEFAULT_ID_TYPE = "SHOPIFY_PROD_ID"
_NUMBER_TYPES = ("UPCA", "UPCE", "EAN", "GTIN")
ID_TYPES: Mapping[str, str] = {
    **{kind: kind for kind in (*_NUMBER_TYPES, "SKU")},
    "ERPID": "ERP_ID",
    "SHOPIFYPRODID": DEFAULT_ID_TYPE,
    "SHOPIFYPRODUCTID": DEFAULT_ID_TYPE,
    "SHOPIFYPRODSKU": "SHOPIFY_PROD_SKU",
}
"""Spellings of an idType (without spaces and underscores, in capitals) -> GOOD_IDENTIFICATION_TYPE_ID."""

_COLUMNS = (
    *("LINE_NUMBER", "FILE_FACILITY", "ID_VALUE", "FACILITY_ID", "PRODUCT_ID", "REASON", "AMOUNT", "SNAPSHOT_DATE"),
    "COMMENTS",
)
_TABLES: Mapping[str, str] = {
    "INCOMING": """
CREATE TEMP TABLE IF NOT EXISTS INCOMING (
  LINE_NUMBER INTEGER PRIMARY KEY, FILE_FACILITY TEXT, ID_VALUE TEXT, FACILITY_ID TEXT, PRODUCT_ID TEXT, REASON TEXT,
  AMOUNT INTEGER, SNAPSHOT_DATE TEXT, COMMENTS TEXT,
  INVENTORY_ITEM_ID TEXT, ITEMS INTEGER, QOH INTEGER, ATP INTEGER, SINCE INTEGER, MOVED INTEGER, ROW_STATUS TEXT)
""",
    "NAMED_FACILITY": "CREATE TEMP TABLE IF NOT EXISTS NAMED_FACILITY (NAME TEXT, EXTERNAL INTEGER)",
    "NAMED_PRODUCT": "CREATE TEMP TABLE IF NOT EXISTS NAMED_PRODUCT (ID_TYPE TEXT, ID_VALUE TEXT, PRODUCT TEXT)",
}

# The plus signs keep SQLite from searching by type, of which there are few, instead of by value.
_CURRENT = "GI.FROM_DATE <= :at AND (GI.THRU_DATE IS NULL OR GI.THRU_DATE > :at)"
_SAME_TYPE = "+GI.GOOD_IDENTIFICATION_TYPE_ID = N.ID_TYPE"
_NUMBERS = ", ".join(f"'{kind}'" for kind in _NUMBER_TYPES)
_KNOWN_TYPES = ", ".join(f"'{kind}'" for kind in dict.fromkeys(ID_TYPES.values()))
_THE_ONLY = "SELECT CASE COUNT(DISTINCT {id}) WHEN 0 THEN NULL WHEN 1 THEN MIN({id}) ELSE '?' END"
_ONE_PRODUCT = _THE_ONLY.format(id="GI.PRODUCT_ID")

_FACILITIES = f"""
WITH RECURSIVE VIRTUAL (TYPE_ID) AS (
  SELECT 'VIRTUAL_FACILITY' UNION
  SELECT FT.FACILITY_TYPE_ID FROM FACILITY_TYPE FT JOIN VIRTUAL V ON FT.PARENT_TYPE_ID = V.TYPE_ID
), FOUND AS MATERIALIZED (
  SELECT N.NAME, N.EXTERNAL, COALESCE(
    (SELECT F.FACILITY_ID FROM FACILITY F WHERE F.FACILITY_ID = N.NAME AND N.EXTERNAL = 0),
    ({_THE_ONLY.format(id="F.FACILITY_ID")} FROM FACILITY F WHERE F.EXTERNAL_ID = N.NAME AND N.NAME <> '')) AS ID
  FROM NAMED_FACILITY N
)
SELECT NAME, EXTERNAL, CASE ID WHEN '?' THEN NULL ELSE ID END, CASE
  WHEN ID IS NULL THEN 'unknown_facility'
  WHEN ID = '?' THEN 'ambiguous_facility'
  WHEN EXISTS (SELECT 1 FROM FACILITY F JOIN VIRTUAL V ON V.TYPE_ID = F.FACILITY_TYPE_ID
               WHERE F.FACILITY_ID = FOUND.ID) THEN 'virtual_facility' END
FROM FOUND
"""
_PRODUCTS = f"""
WITH FOUND AS MATERIALIZED (
  SELECT N.ID_TYPE, N.ID_VALUE, N.PRODUCT, CASE
    WHEN N.PRODUCT IS NOT NULL THEN (SELECT P.PRODUCT_ID FROM PRODUCT P WHERE P.PRODUCT_ID = N.PRODUCT)
    WHEN LTRIM(N.ID_VALUE, '0') = '' THEN NULL
    WHEN N.ID_TYPE IN ({_NUMBERS}) THEN (
      {_ONE_PRODUCT} FROM GOOD_IDENTIFICATION GI
      WHERE LTRIM(GI.ID_VALUE, '0') = LTRIM(N.ID_VALUE, '0') AND {_SAME_TYPE} AND {_CURRENT})
    ELSE ({_ONE_PRODUCT} FROM GOOD_IDENTIFICATION GI WHERE GI.ID_VALUE = N.ID_VALUE AND {_SAME_TYPE} AND {_CURRENT})
    END AS ID
  FROM NAMED_PRODUCT N
)
SELECT ID_TYPE, ID_VALUE, PRODUCT, CASE ID WHEN '?' THEN NULL ELSE ID END, CASE
  WHEN PRODUCT IS NULL AND ID_TYPE NOT IN ({_KNOWN_TYPES}) THEN 'unknown_id_type'
  WHEN ID IS NULL THEN 'unknown_product'
  WHEN ID = '?' THEN 'ambiguous_identification' END
FROM FOUND
"""

# The same questions about one name: it needs no table, and a till waits for every statement.
_FACILITY = _FACILITIES.replace(
    "WITH RECURSIVE", "WITH RECURSIVE NAMED_FACILITY (NAME, EXTERNAL) AS (VALUES (:facility, :external)),", 1
)
_PRODUCT = _PRODUCTS.replace(
    "WITH", "WITH NAMED_PRODUCT (ID_TYPE, ID_VALUE, PRODUCT) AS (VALUES (:id_type, :id_value, :product)),", 1
)

SENTENCE = "CASE {t}.REASON " + " ".join(f"WHEN '{code}' THEN '{text}'" for code, text in REFUSALS.items()) + " END"
"""INCOMING.REASON in words, as SQL; format it with the table's alias as ``t``."""


def resolve(connection: Connection, rows: pl.DataFrame, at: str) -> pl.DataFrame:
    """Say whom each row means.

    Args:
        connection: SQLite.
        rows: ``NAMES``.
        at: the moment whose identifications hold, as ``ledger.stored`` writes it.

    Returns:
        ``rows``, in their order, with ``facility_id``, ``product_id`` and ``reason``, the code of the refusal, or null.
        Of several good rows for one key only the first is good; a broken line does not take the one after it along.
    """
    place, thing = list(_PLACE), list(_THING)
    facilities = pl.DataFrame(
        _facilities_named(connection, rows.select(place).unique().rows()),
        schema={"facility": pl.String, "external": pl.Int64, "facility_id": pl.String, "facility_reason": pl.String},
        orient="row",
    )
    products = pl.DataFrame(
        _products_named(connection, rows.select(thing).unique().rows(), at),
        schema=dict.fromkeys((*thing, "product_id", "product_reason"), pl.String),
        orient="row",
    )
    bad_quantity = pl.when(pl.col("amount").is_null()).then(pl.lit("bad_quantity"))
    found = (
        rows.join(facilities, on=place, how="left", maintain_order="left")
        .join(products, on=thing, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(reason=pl.coalesce("facility_reason", "product_reason", bad_quantity))
    )
    good = found.filter(pl.col("reason").is_null())
    repeated = good.filter(~pl.struct("facility_id", "product_id").is_first_distinct())["line"]
    twin = pl.when(pl.col("line").is_in(repeated.implode())).then(pl.lit("repeated_key"))
    return found.with_columns(reason=pl.coalesce("reason", twin)).drop("facility_reason", "product_reason")


def load(connection: Connection, rows: pl.DataFrame) -> None:
    """Put resolved rows into INCOMING, the connection's own temporary table, in place of what was there."""
    _load(connection, rows.select(_LOADED).rows())


def refuse_future(connection: Connection, latest: str) -> None:
    """Refuse rows whose snapshot is after a moment: they would keep every true count until then from being accepted."""
    connection.exec_driver_sql(
        "UPDATE INCOMING SET REASON = 'future_snapshot' WHERE REASON IS NULL AND SNAPSHOT_DATE > ?", (latest,)
    )


def load_one(connection: Connection, named: Mapping[str, object], at: str) -> str | None:
    """Resolve one row, as line 1 of INCOMING, without the machinery that a file of many rows needs.

    Args:
        connection: SQLite.
        named: a value for each of ``NAMES`` but ``line``.
        at: as in ``resolve``.

    Returns:
        The code of its refusal, or None.
    """
    place, thing = ({name: named[name] for name in names} for names in (_PLACE, _THING))
    *_, facility_id, facility_reason = connection.exec_driver_sql(_FACILITY, place).one()
    *_, product_id, product_reason = connection.exec_driver_sql(_PRODUCT, {**thing, "at": at}).one()
    bad_quantity = "bad_quantity" if named["amount"] is None else None
    reason = facility_reason or product_reason or bad_quantity
    found = {"line": 1, "facility_id": facility_id, "product_id": product_id, "reason": reason, **named}
    _load(connection, [tuple(found[name] for name in _LOADED)])
    return None if reason is None else str(reason)


_PLACE = ("facility", "external")
_THING = ("id_type", "id_value", "product")
_LOADED = ("line", "facility", "id_value", "facility_id", "product_id", "reason", "amount", "snapshot", "comments")

Rows = Sequence[tuple[object, ...]]


def _facilities_named(connection: Connection, names: Rows) -> Rows:
    _insert(connection, "NAMED_FACILITY", ("NAME", "EXTERNAL"), names)
    return [tuple(row) for row in connection.exec_driver_sql(_FACILITIES).all()]


def _products_named(connection: Connection, names: Rows, at: str) -> Rows:
    _insert(connection, "NAMED_PRODUCT", ("ID_TYPE", "ID_VALUE", "PRODUCT"), names)
    return [tuple(row) for row in connection.exec_driver_sql(_PRODUCTS, {"at": at}).all()]


def _load(connection: Connection, rows: Rows) -> None:
    _insert(connection, "INCOMING", _COLUMNS, rows)


def _insert(connection: Connection, table: str, columns: Sequence[str], rows: Rows) -> None:
    """Make the temporary table unless this connection has it, and put rows in place of what was there."""
    connection.exec_driver_sql(_TABLES[table])
    connection.exec_driver_sql(f"DELETE FROM {table}")
    if rows:
        places = ", ".join("?" * len(columns))
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows[0] if len(rows) == 1 else list(rows)
        )
