"""Rows on their way into the embedded OMS, and whom they mean: the facility and product of each, or why not.

Belongs here: the temporary table of incoming rows and the one rule of resolving them, for a file of 200,000 rows and
for one sale at a till alike. Does not: what the rows then do (``oms/ledger``, ``oms/import_sql``).

HotWax takes the first match in silence (domain.md 1.6); here whatever is not sure of facility or product is refused
with a reason. A UPC is compared as a number: leading zeros carry no meaning in it, and Retail Pro loses them.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

COLUMNS = (
    "LINE_NUMBER",
    "FILE_FACILITY",
    "BY_EXTERNAL",
    "ID_TYPE",
    "ID_VALUE",
    "PRODUCT_ID",
    "AMOUNT",
    "SNAPSHOT_DATE",
    "COMMENTS",
)
"""What a caller gives of each row. ``PRODUCT_ID`` or ``ID_TYPE`` and ``ID_VALUE``; ``SNAPSHOT_DATE`` as ``stored``
writes it; ``AMOUNT`` is null when it is not a whole number; ``BY_EXTERNAL`` is 1 for a name that is only external."""

REFUSALS: Mapping[str, str] = {
    "unknown_facility": "unknown facility",
    "ambiguous_facility": "several facilities have this external id",
    "virtual_facility": "virtual facility",
    "unknown_id_type": "the OMS does not know this idType",
    "unknown_product": "no product has this identification now",
    "ambiguous_identification": "several products have this identification now",
    "bad_quantity": "the quantity is not a whole number",
    "repeated_key": "the same facility and product stand in an earlier line",
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

TABLE = [
    "DROP TABLE IF EXISTS temp.INCOMING",
    """
CREATE TEMP TABLE INCOMING (
  LINE_NUMBER INTEGER PRIMARY KEY, FILE_FACILITY TEXT, BY_EXTERNAL INTEGER, ID_TYPE TEXT, ID_VALUE TEXT,
  PRODUCT_ID TEXT, AMOUNT INTEGER, SNAPSHOT_DATE TEXT, COMMENTS TEXT,
  FACILITY_ID TEXT, REASON TEXT, INVENTORY_ITEM_ID TEXT, QOH INTEGER, ATP INTEGER, SINCE INTEGER,
  MOVED INTEGER, ROW_STATUS TEXT)
""",
]

_CURRENT = "GI.FROM_DATE <= :at AND (GI.THRU_DATE IS NULL OR GI.THRU_DATE > :at)"
_NUMBERS = ", ".join(f"'{kind}'" for kind in _NUMBER_TYPES)
_KNOWN_TYPES = ", ".join(f"'{kind}'" for kind in dict.fromkeys(ID_TYPES.values()))
# Two questions rather than one with OR: each finds its index.
_ONE_PRODUCT = "SELECT CASE COUNT(DISTINCT GI.PRODUCT_ID) WHEN 0 THEN NULL WHEN 1 THEN MIN(GI.PRODUCT_ID) ELSE '?' END"

RESOLVE = [
    # One pass: a file has 200,000 rows.
    f"""
WITH RECURSIVE VIRTUAL (TYPE_ID) AS (
  SELECT 'VIRTUAL_FACILITY' UNION
  SELECT FT.FACILITY_TYPE_ID FROM FACILITY_TYPE FT JOIN VIRTUAL V ON FT.PARENT_TYPE_ID = V.TYPE_ID
), VIRTUAL_FACILITY AS MATERIALIZED (
  SELECT F.FACILITY_ID FROM FACILITY F WHERE F.FACILITY_TYPE_ID IN (SELECT TYPE_ID FROM VIRTUAL)
)
UPDATE INCOMING SET (FACILITY_ID, PRODUCT_ID, REASON) = (
  SELECT R.FACILITY_ID, R.PRODUCT_ID, CASE
      WHEN R.FACILITY_ID IS NULL THEN 'unknown_facility'
      WHEN R.FACILITY_ID = '?' THEN 'ambiguous_facility'
      WHEN R.FACILITY_ID IN (SELECT FACILITY_ID FROM VIRTUAL_FACILITY) THEN 'virtual_facility'
      WHEN INCOMING.ID_TYPE NOT IN ({_KNOWN_TYPES}) THEN 'unknown_id_type'
      WHEN R.PRODUCT_ID IS NULL THEN 'unknown_product'
      WHEN R.PRODUCT_ID = '?' THEN 'ambiguous_identification'
      WHEN INCOMING.AMOUNT IS NULL THEN 'bad_quantity' END
  FROM (SELECT
    COALESCE(
      (SELECT F.FACILITY_ID FROM FACILITY F
       WHERE F.FACILITY_ID = INCOMING.FILE_FACILITY AND INCOMING.BY_EXTERNAL = 0),
      (SELECT CASE COUNT(*) WHEN 0 THEN NULL WHEN 1 THEN MIN(F.FACILITY_ID) ELSE '?' END
       FROM FACILITY F WHERE F.EXTERNAL_ID = INCOMING.FILE_FACILITY AND INCOMING.FILE_FACILITY <> '')) AS FACILITY_ID,
    CASE
      WHEN INCOMING.PRODUCT_ID IS NOT NULL
        THEN (SELECT P.PRODUCT_ID FROM PRODUCT P WHERE P.PRODUCT_ID = INCOMING.PRODUCT_ID)
      WHEN LTRIM(INCOMING.ID_VALUE, '0') = '' THEN NULL
      WHEN INCOMING.ID_TYPE IN ({_NUMBERS}) THEN (
        {_ONE_PRODUCT} FROM GOOD_IDENTIFICATION GI
        WHERE LTRIM(GI.ID_VALUE, '0') = LTRIM(INCOMING.ID_VALUE, '0')
          AND GI.GOOD_IDENTIFICATION_TYPE_ID = INCOMING.ID_TYPE AND {_CURRENT})
      ELSE (
        {_ONE_PRODUCT} FROM GOOD_IDENTIFICATION GI
        WHERE GI.ID_VALUE = INCOMING.ID_VALUE AND GI.GOOD_IDENTIFICATION_TYPE_ID = INCOMING.ID_TYPE AND {_CURRENT})
    END AS PRODUCT_ID) R)
""",
    # Only among rows that are good in themselves: a broken line does not take the good one after it along.
    """
UPDATE INCOMING SET REASON = 'repeated_key'
FROM (SELECT FACILITY_ID, PRODUCT_ID, MIN(LINE_NUMBER) AS FIRST_LINE FROM INCOMING WHERE REASON IS NULL
      GROUP BY FACILITY_ID, PRODUCT_ID HAVING COUNT(*) > 1) TWINS
WHERE INCOMING.REASON IS NULL AND TWINS.FACILITY_ID = INCOMING.FACILITY_ID
  AND TWINS.PRODUCT_ID = INCOMING.PRODUCT_ID AND INCOMING.LINE_NUMBER > TWINS.FIRST_LINE
""",
    "UPDATE INCOMING SET FACILITY_ID = NULL WHERE REASON = 'ambiguous_facility'",
    "UPDATE INCOMING SET PRODUCT_ID = NULL WHERE PRODUCT_ID = '?'",
]
"""Fill FACILITY_ID, PRODUCT_ID and REASON of every incoming row; ``:at`` is the moment whose identifications hold."""

SENTENCE = "CASE {t}.REASON " + " ".join(f"WHEN '{code}' THEN '{text}'" for code, text in REFUSALS.items()) + " END"
"""INCOMING.REASON in words, as SQL; format it with the table's alias as ``t``."""


def load(connection: Connection, rows: Iterable[tuple[object, ...]], at: str) -> None:
    """Put rows into a fresh INCOMING and resolve them.

    Args:
        connection: SQLite; the table is its own and lasts as long as it.
        rows: values in the order of ``COLUMNS``.
        at: the moment whose identifications hold, as ``stored`` writes it.
    """
    for statement in TABLE:
        connection.exec_driver_sql(statement)
    names, places = ", ".join(COLUMNS), ", ".join("?" * len(COLUMNS))
    values = list(rows)
    if values:
        connection.exec_driver_sql(f"INSERT INTO INCOMING ({names}) VALUES ({places})", values)
    for statement in RESOLVE:
        connection.exec_driver_sql(statement, {"at": at})
