"""The embedded OMS's ledger: the only way inventory changes.

Belongs here: finding or making the inventory item of a key, appending to INVENTORY_ITEM_DETAIL, and keeping
INVENTORY_ITEM and PRODUCT_FACILITY equal to what the ledger sums to, in the same transaction; the proof of it. Does
not: why something moves (``oms/imports``, ``oms/point_of_sale``).

A key is a product at a facility. It may have several inventory items (old imports leave them); its count is the sum of
them, and what we write goes to the one that PRODUCT_FACILITY names, as HotWax does (domain.md 1.6).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from rpsync_assets.core.ledger import AFTER_SAFETY_STOCK
from rpsync_assets.core.parts import LOCATION

STORED_MOMENT = "%Y-%m-%d %H:%M:%S.%f"


def stored(moment: datetime) -> str:
    """A moment as the database holds it: UTC, without a zone, as text."""
    return moment.astimezone(UTC).strftime(STORED_MOMENT)


FIND_ITEMS = """
UPDATE INCOMING SET (ITEMS, INVENTORY_ITEM_ID, QOH, ATP) = (
  SELECT COUNT(*), CASE COUNT(*) WHEN 1 THEN MIN(II.INVENTORY_ITEM_ID) ELSE COALESCE(
      (SELECT PF.INVENTORY_ITEM_ID FROM PRODUCT_FACILITY PF JOIN INVENTORY_ITEM N
         ON N.INVENTORY_ITEM_ID = PF.INVENTORY_ITEM_ID AND N.FACILITY_ID = PF.FACILITY_ID
         AND N.PRODUCT_ID = PF.PRODUCT_ID
       WHERE PF.FACILITY_ID = INCOMING.FACILITY_ID AND PF.PRODUCT_ID = INCOMING.PRODUCT_ID),
      MIN(II.INVENTORY_ITEM_ID)) END,
    SUM(COALESCE(II.QUANTITY_ON_HAND_TOTAL, 0)), SUM(COALESCE(II.AVAILABLE_TO_PROMISE_TOTAL, 0))
  FROM INVENTORY_ITEM II
  WHERE II.FACILITY_ID = INCOMING.FACILITY_ID AND II.PRODUCT_ID = INCOMING.PRODUCT_ID)
WHERE LINE_NUMBER BETWEEN :first AND :last AND REASON IS NULL
"""
"""The item that each incoming key writes to, and the key's counts; null for a key that the OMS has not had yet."""

_MAKE_ITEMS = [
    """
UPDATE INCOMING SET INVENTORY_ITEM_ID = :prefix || '_' || LINE_NUMBER, QOH = 0, ATP = 0
WHERE LINE_NUMBER BETWEEN :first AND :last AND REASON IS NULL AND INVENTORY_ITEM_ID IS NULL
""",
    f"""
INSERT INTO INVENTORY_ITEM (INVENTORY_ITEM_ID, PRODUCT_ID, FACILITY_ID, LOCATION_SEQ_ID, INVENTORY_ITEM_TYPE_ID,
  QUANTITY_ON_HAND_TOTAL, AVAILABLE_TO_PROMISE_TOTAL)
SELECT I.INVENTORY_ITEM_ID, I.PRODUCT_ID, I.FACILITY_ID, COALESCE(
  (SELECT MIN(L.LOCATION_SEQ_ID) FROM FACILITY_LOCATION L
   WHERE L.FACILITY_ID = I.FACILITY_ID AND L.LOCATION_TYPE_ENUM_ID = 'FLT_PICKLOC'), '{LOCATION}'),
  'NON_SERIAL_INV_ITEM', 0, 0
FROM INCOMING I
WHERE I.LINE_NUMBER BETWEEN :first AND :last AND I.INVENTORY_ITEM_ID = :prefix || '_' || I.LINE_NUMBER
""",
]
"""Give incoming keys that the OMS has not had an item of 0/0, as HotWax does; ``:prefix`` makes the ids new."""

_MAKE_FACILITY_ROWS = """
INSERT OR IGNORE INTO PRODUCT_FACILITY (PRODUCT_ID, FACILITY_ID, LAST_INVENTORY_COUNT, COMPUTED_LAST_INVENTORY_COUNT,
  INVENTORY_ITEM_ID)
SELECT I.PRODUCT_ID, I.FACILITY_ID, 0, 0, I.INVENTORY_ITEM_ID FROM INCOMING I
WHERE I.LINE_NUMBER BETWEEN :first AND :last AND I.INVENTORY_ITEM_ID IS NOT NULL
"""

_APPEND = """
INSERT INTO INVENTORY_ITEM_DETAIL (INVENTORY_ITEM_ID, INVENTORY_ITEM_DETAIL_SEQ_ID, EFFECTIVE_DATE,
  QUANTITY_ON_HAND_DIFF, AVAILABLE_TO_PROMISE_DIFF, PHYSICAL_INVENTORY_ID, REASON_ENUM_ID, DESCRIPTION, CREATED_STAMP)
SELECT I.INVENTORY_ITEM_ID, :prefix || '_' || I.LINE_NUMBER, :event, I.MOVED, I.MOVED, {physical_inventory}, :reason,
  I.COMMENTS, :arrival
FROM INCOMING I WHERE I.LINE_NUMBER BETWEEN :first AND :last AND I.ROW_STATUS = 'applied'
"""

_ITEM_TOTALS = """
UPDATE INVENTORY_ITEM SET
  QUANTITY_ON_HAND_TOTAL = COALESCE(INVENTORY_ITEM.QUANTITY_ON_HAND_TOTAL, 0) + I.MOVED,
  AVAILABLE_TO_PROMISE_TOTAL = COALESCE(INVENTORY_ITEM.AVAILABLE_TO_PROMISE_TOTAL, 0) + I.MOVED
FROM INCOMING I
WHERE I.LINE_NUMBER BETWEEN :first AND :last AND I.ROW_STATUS = 'applied'
  AND INVENTORY_ITEM.INVENTORY_ITEM_ID = I.INVENTORY_ITEM_ID
"""

_FACILITY_COUNTS = f"""
UPDATE PRODUCT_FACILITY SET LAST_INVENTORY_COUNT = I.ATP + I.MOVED,
  COMPUTED_LAST_INVENTORY_COUNT = {AFTER_SAFETY_STOCK.format(available="(I.ATP + I.MOVED)", minimum="MINIMUM_STOCK")},
  INVENTORY_ITEM_ID = I.INVENTORY_ITEM_ID
FROM INCOMING I
WHERE I.LINE_NUMBER BETWEEN :first AND :last AND I.ROW_STATUS = 'applied'
  AND PRODUCT_FACILITY.PRODUCT_ID = I.PRODUCT_ID AND PRODUCT_FACILITY.FACILITY_ID = I.FACILITY_ID
"""


@dataclass(frozen=True)
class Posting:
    """What the ledger rows of one batch have in common.

    Attributes:
        first: the first incoming line of the batch.
        last: the last one.
        prefix: what the ids of new rows begin with; unique per import or request.
        reason: REASON_ENUM_ID.
        event: when it happened, as ``stored`` writes it.
        arrival: when the OMS heard of it, likewise.
        is_variance: the rows stand in INVENTORY_ITEM_VARIANCE under the same id.
    """

    first: int
    last: int
    prefix: str
    reason: str
    event: str
    arrival: str
    is_variance: bool = False


def find_or_make_items(connection: Connection, first: int, last: int, prefix: str) -> None:
    """Fill INVENTORY_ITEM_ID, QOH and ATP of the incoming rows that are not refused."""
    lines = {"first": first, "last": last}
    connection.exec_driver_sql(FIND_ITEMS, lines)
    made = connection.exec_driver_sql(_MAKE_ITEMS[0], {**lines, "prefix": prefix}).rowcount
    if made:
        connection.exec_driver_sql(_MAKE_ITEMS[1], {**lines, "prefix": prefix})
        # At once, not with the first movement: a count of 0 is a count, and what may be sold of it is known to be 0.
        connection.exec_driver_sql(_MAKE_FACILITY_ROWS, lines)


def post(connection: Connection, posting: Posting) -> None:
    """Append one ledger row per incoming row with ROW_STATUS 'applied', by MOVED on both counts, and move the totals.

    The rows of a batch are of different keys; INVENTORY_ITEM_ID and ATP were found in this transaction.
    """
    physical = ":prefix || '_' || I.LINE_NUMBER" if posting.is_variance else "NULL"
    values = {name: getattr(posting, name) for name in ("first", "last", "prefix", "reason", "event", "arrival")}
    written = connection.exec_driver_sql(_APPEND.format(physical_inventory=physical), values).rowcount
    connection.exec_driver_sql(_ITEM_TOTALS, values)
    if connection.exec_driver_sql(_FACILITY_COUNTS, values).rowcount < written:
        # Some key has an item and no PRODUCT_FACILITY yet.
        connection.exec_driver_sql(_MAKE_FACILITY_ROWS, values)
        connection.exec_driver_sql(_FACILITY_COUNTS, values)


@dataclass(frozen=True)
class Disagreement:
    """A total that is not what the ledger sums to."""

    table: str
    key: str
    column: str
    stands: float | None
    ledger: float


_SUMS = """
WITH LEDGER AS (
  SELECT D.INVENTORY_ITEM_ID, SUM(COALESCE(D.QUANTITY_ON_HAND_DIFF, 0)) AS QOH,
         SUM(COALESCE(D.AVAILABLE_TO_PROMISE_DIFF, 0)) AS ATP
  FROM INVENTORY_ITEM_DETAIL D GROUP BY D.INVENTORY_ITEM_ID
), ITEM AS (
  SELECT II.INVENTORY_ITEM_ID, II.FACILITY_ID, II.PRODUCT_ID, II.QUANTITY_ON_HAND_TOTAL AS QOH,
         II.AVAILABLE_TO_PROMISE_TOTAL AS ATP, COALESCE(L.QOH, 0) AS LEDGER_QOH, COALESCE(L.ATP, 0) AS LEDGER_ATP
  FROM INVENTORY_ITEM II LEFT JOIN LEDGER L ON L.INVENTORY_ITEM_ID = II.INVENTORY_ITEM_ID
), COUNTED AS (
  SELECT PF.FACILITY_ID, PF.PRODUCT_ID, PF.LAST_INVENTORY_COUNT AS ATP, PF.COMPUTED_LAST_INVENTORY_COUNT AS COMPUTED,
         PF.MINIMUM_STOCK, COALESCE(K.ATP, 0) AS LEDGER_ATP
  FROM PRODUCT_FACILITY PF
  LEFT JOIN (SELECT FACILITY_ID, PRODUCT_ID, SUM(LEDGER_ATP) AS ATP FROM ITEM GROUP BY FACILITY_ID, PRODUCT_ID) K
    ON K.FACILITY_ID = PF.FACILITY_ID AND K.PRODUCT_ID = PF.PRODUCT_ID
)
"""

_DISAGREEMENTS = f"""{_SUMS}
SELECT 'INVENTORY_ITEM', INVENTORY_ITEM_ID, 'QUANTITY_ON_HAND_TOTAL', QOH, LEDGER_QOH FROM ITEM
WHERE COALESCE(QOH, 0) <> LEDGER_QOH
UNION ALL
SELECT 'INVENTORY_ITEM', INVENTORY_ITEM_ID, 'AVAILABLE_TO_PROMISE_TOTAL', ATP, LEDGER_ATP FROM ITEM
WHERE COALESCE(ATP, 0) <> LEDGER_ATP
UNION ALL
SELECT 'PRODUCT_FACILITY', FACILITY_ID || ' ' || PRODUCT_ID, 'LAST_INVENTORY_COUNT', ATP, LEDGER_ATP FROM COUNTED
WHERE COALESCE(ATP, 0) <> LEDGER_ATP
UNION ALL
SELECT 'PRODUCT_FACILITY', FACILITY_ID || ' ' || PRODUCT_ID, 'COMPUTED_LAST_INVENTORY_COUNT', COMPUTED,
       {AFTER_SAFETY_STOCK.format(available="LEDGER_ATP", minimum="MINIMUM_STOCK")} FROM COUNTED
WHERE COALESCE(COMPUTED, 0) <> {AFTER_SAFETY_STOCK.format(available="LEDGER_ATP", minimum="MINIMUM_STOCK")}
UNION ALL
SELECT 'INVENTORY_ITEM_DETAIL', D.INVENTORY_ITEM_ID, 'no such INVENTORY_ITEM', NULL, SUM(D.QUANTITY_ON_HAND_DIFF)
FROM INVENTORY_ITEM_DETAIL D
WHERE NOT EXISTS (SELECT 1 FROM INVENTORY_ITEM II WHERE II.INVENTORY_ITEM_ID = D.INVENTORY_ITEM_ID)
GROUP BY D.INVENTORY_ITEM_ID
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Verified:
    """What ``verify`` counted."""

    items: int
    ledger_rows: int
    disagreements: list[Disagreement]


def verify(connection: Connection) -> Verified:
    """Compare every total with its ledger, in one snapshot."""
    items, ledger_rows = (
        int(connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one())
        for table in ("INVENTORY_ITEM", "INVENTORY_ITEM_DETAIL")
    )
    found = [Disagreement(*row) for row in connection.execute(text(_DISAGREEMENTS)).all()]
    return Verified(items, ledger_rows, found)
