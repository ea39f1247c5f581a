"""The embedded OMS's imports, as set-based SQL over the incoming rows (SQLite).

Belongs here: what becomes of a resolved row, and writing that down. Does not: whom a row means (``oms/incoming``), the
ledger (``oms/ledger``), files and transactions (``oms/imports``). Every statement works on a batch of lines, ``:first``
to ``:last``.
"""

from collections.abc import Mapping
from typing import Literal

from rpsync_assets.core.ledger import PHYSICAL_MOVEMENT, VARIANCE
from rpsync_assets.oms.incoming import SENTENCE

Basis = Literal["snapshot", "exact_qoh", "exact_atp"]

DIFFERENCE: Mapping[Basis, str] = {
    # design.md section 5: a sale between the snapshot and the import survives by construction.
    "snapshot": "AMOUNT + SINCE - QOH",
    # domain.md 3.3 b: one difference, taken on one count, applied to both.
    "exact_qoh": "AMOUNT - QOH",
    "exact_atp": "AMOUNT - ATP",
}

_BATCH = "LINE_NUMBER BETWEEN :first AND :last"
_BATCH_OF_I = f"I.{_BATCH}"
_ACCEPTED = "ROW_STATUS IN ('applied', 'unchanged')"

_SINCE_SNAPSHOT = f"D.EFFECTIVE_DATE > INCOMING.SNAPSHOT_DATE AND {PHYSICAL_MOVEMENT.format(detail='D')}"

JUDGE_RESET = f"""
UPDATE INCOMING SET (SINCE, MOVED, ROW_STATUS) = (
  SELECT J.SINCE, {{difference}}, CASE
    WHEN INCOMING.REASON IS NOT NULL THEN 'failed'
    WHEN EXISTS (
      SELECT 1 FROM EXTERNAL_INVENTORY_RESET R
      WHERE R.FACILITY_ID = INCOMING.FACILITY_ID AND R.PRODUCT_ID = INCOMING.PRODUCT_ID AND R.{_ACCEPTED}
        AND (R.SNAPSHOT_DATE > INCOMING.SNAPSHOT_DATE
             OR (R.SNAPSHOT_DATE = INCOMING.SNAPSHOT_DATE AND R.GENERATION >= :generation
                 AND R.LOG_ID NOT IN (SELECT LOG_ID FROM EARLIER_DAY)))) THEN 'superseded'
    WHEN {{difference}} = 0 THEN 'unchanged'
    ELSE 'applied' END
  FROM (SELECT COALESCE(CASE WHEN INCOMING.ITEMS <= 1 THEN (
      SELECT SUM(D.QUANTITY_ON_HAND_DIFF) FROM INVENTORY_ITEM_DETAIL D
      WHERE D.INVENTORY_ITEM_ID = INCOMING.INVENTORY_ITEM_ID AND {_SINCE_SNAPSHOT})
    ELSE (
      SELECT SUM(D.QUANTITY_ON_HAND_DIFF)
      FROM INVENTORY_ITEM II JOIN INVENTORY_ITEM_DETAIL D ON D.INVENTORY_ITEM_ID = II.INVENTORY_ITEM_ID
      WHERE II.FACILITY_ID = INCOMING.FACILITY_ID AND II.PRODUCT_ID = INCOMING.PRODUCT_ID AND {_SINCE_SNAPSHOT})
    END, 0) AS SINCE) J)
WHERE {_BATCH}
"""

RECORD_RESET = f"""
INSERT INTO EXTERNAL_INVENTORY_RESET (RESET_ITEM_ID, LOG_ID, LINE_NUMBER, FACILITY_ID, PRODUCT_ID, PRODUCT_IDENT_VALUE,
  EXTERNAL_FACILITY_ID, INVENTORY_ITEM_ID, SNAPSHOT_DATE, GENERATION, EXTERNAL_QOH, INVENTORY_ITEM_QOH,
  INVENTORY_ITEM_ATP, MOVED_SINCE, QUANTITY_ON_HAND_DIFF, ROW_STATUS, REASON, CREATED_DATE)
SELECT :log || '_' || I.LINE_NUMBER, :log, I.LINE_NUMBER, I.FACILITY_ID, I.PRODUCT_ID, I.ID_VALUE, I.FILE_FACILITY,
  I.INVENTORY_ITEM_ID, I.SNAPSHOT_DATE, :generation, I.AMOUNT, I.QOH, I.ATP, I.SINCE,
  CASE I.ROW_STATUS WHEN 'applied' THEN I.MOVED ELSE 0 END, I.ROW_STATUS,
  CASE I.ROW_STATUS WHEN 'superseded' THEN 'a count of the same key that is as new or newer was there'
    ELSE {SENTENCE.format(t="I")} END, :now
FROM INCOMING I WHERE {_BATCH_OF_I}
"""

EARLIER_DAY = "CREATE TEMP TABLE EARLIER_DAY (LOG_ID TEXT PRIMARY KEY)"
"""The imports of earlier days' resets: generations count within a day. A count that a later day brings along as owed is
taken again, and gets the variance of that day; whether its own day ever made one, nobody said."""

RESET_LOG = "CREATE TEMP TABLE RESET_LOG (LOG_ID TEXT PRIMARY KEY)"
"""The imports whose accepted rows a variance may belong to: its own day's."""

_NEWEST_ACCEPTED = f"""
    SELECT CAST(R.LOG_ID AS INTEGER) FROM EXTERNAL_INVENTORY_RESET R
    WHERE R.FACILITY_ID = INCOMING.FACILITY_ID AND R.PRODUCT_ID = INCOMING.PRODUCT_ID AND R.{_ACCEPTED}
    ORDER BY R.SNAPSHOT_DATE DESC, CAST(R.LOG_ID AS INTEGER) DESC LIMIT 1"""

_HAD_ITS_VARIANCE = f"""
  WHEN EXISTS (
    SELECT 1 FROM INVENTORY_ITEM_VARIANCE V
    WHERE V.FACILITY_ID = INCOMING.FACILITY_ID AND V.PRODUCT_ID = INCOMING.PRODUCT_ID
      AND V.ROW_STATUS IN ('applied', 'clamped')
      AND CAST(V.LOG_ID AS INTEGER) > ({_NEWEST_ACCEPTED})) THEN 'void'"""

_JUDGE_CHANGE = [
    f"""
UPDATE INCOMING SET ROW_STATUS = CASE
  WHEN REASON IS NOT NULL THEN 'failed'
  WHEN INVENTORY_ITEM_ID IS NULL OR NOT EXISTS (
    SELECT 1 FROM EXTERNAL_INVENTORY_RESET R JOIN RESET_LOG L ON L.LOG_ID = R.LOG_ID
    WHERE R.FACILITY_ID = INCOMING.FACILITY_ID AND R.PRODUCT_ID = INCOMING.PRODUCT_ID AND R.{_ACCEPTED})
    THEN 'failed'
  WHEN ({_NEWEST_ACCEPTED}) NOT IN (SELECT CAST(LOG_ID AS INTEGER) FROM RESET_LOG) THEN 'void'{{had_its_variance}}
  WHEN AMOUNT < 0 AND QOH < -AMOUNT THEN 'clamped'
  ELSE 'applied' END
WHERE {_BATCH}
""",
    # What is really taken (domain.md 1.2): it "can set inventory to 0 but cannot make it negative".
    f"""
UPDATE INCOMING SET MOVED = CASE ROW_STATUS WHEN 'applied' THEN AMOUNT WHEN 'clamped' THEN -MAX(QOH, 0) ELSE 0 END
WHERE {_BATCH}
""",
]

JUDGE_VARIANCE = [one.format(had_its_variance=_HAD_ITS_VARIANCE) for one in _JUDGE_CHANGE]
"""A variance belongs to the accepted reset row of its own day and is applied to it once: if a newer reset of the key
came in between, or another variance since that row, it is void."""

JUDGE_UNDO = [one.format(had_its_variance="") for one in _JUDGE_CHANGE]
"""An undo takes out a reset that has had its variance; it is void where a newer reset of the key came in."""

RECORD_VARIANCE = f"""
INSERT INTO INVENTORY_ITEM_VARIANCE (INVENTORY_ITEM_ID, PHYSICAL_INVENTORY_ID, LOG_ID, LINE_NUMBER, FACILITY_ID,
  PRODUCT_ID, PRODUCT_IDENT_VALUE, VARIANCE_REASON_ID, REQUESTED_VAR, QUANTITY_ON_HAND_VAR, AVAILABLE_TO_PROMISE_VAR,
  INVENTORY_ITEM_QOH, ROW_STATUS, REASON, COMMENTS, CREATED_DATE)
SELECT COALESCE(I.INVENTORY_ITEM_ID, 'NONE'), :prefix || '_' || I.LINE_NUMBER, :log, I.LINE_NUMBER, I.FACILITY_ID,
  I.PRODUCT_ID, I.ID_VALUE, '{VARIANCE}', I.AMOUNT, I.MOVED, I.MOVED, I.QOH, I.ROW_STATUS,
  CASE I.ROW_STATUS
    WHEN 'failed' THEN COALESCE({SENTENCE.format(t="I")}, 'the reset of this day holds no accepted row for this key')
    WHEN 'void' THEN 'a newer reset of this key came in between, or this reset row has had its variance'
    WHEN 'clamped' THEN 'a variance cannot take more than there is' END,
  I.COMMENTS, :now
FROM INCOMING I WHERE {_BATCH_OF_I}
"""

# From here on a clamped row is a row that is applied with less, and nothing is written for one that moves nothing.
WHAT_MOVES = f"""
UPDATE INCOMING SET ROW_STATUS = CASE MOVED WHEN 0 THEN 'unchanged' ELSE 'applied' END
WHERE {_BATCH} AND ROW_STATUS IN ('applied', 'clamped')
"""
