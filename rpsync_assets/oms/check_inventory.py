"""What stands in the embedded OMS for products that a caller names: HotWax's checkInventory (domain.md 1.6).

Belongs here: the questions, in one snapshot. Does not: HTTP (``oms/api``), whom a sale means (``oms/incoming``).

A SKU is what GOOD_IDENTIFICATION says now, or the product's INTERNAL_NAME; if these are several products the question
is refused, as a sale would be. What nobody has ever had is left out, not answered with 0.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection

from rpsync_assets.oms import incoming
from rpsync_assets.oms.ledger import stored
from rpsync_assets.oms.point_of_sale import RefusedError

_CURRENT = "GI.FROM_DATE <= :at AND (GI.THRU_DATE IS NULL OR GI.THRU_DATE > :at)"
_PRODUCTS: Mapping[str, str] = {
    "sku": f"""
SELECT A.value, GI.PRODUCT_ID FROM json_each(:asked) A JOIN GOOD_IDENTIFICATION GI ON GI.ID_VALUE = A.value
  AND +GI.GOOD_IDENTIFICATION_TYPE_ID = 'SKU' AND {_CURRENT}
UNION
SELECT A.value, P.PRODUCT_ID FROM json_each(:asked) A JOIN PRODUCT P ON P.INTERNAL_NAME = A.value AND :at <> ''
""",
    "upca": f"""
SELECT A.value, GI.PRODUCT_ID FROM json_each(:asked) A
JOIN GOOD_IDENTIFICATION GI ON LTRIM(GI.ID_VALUE, '0') = LTRIM(A.value, '0') AND LTRIM(A.value, '0') <> ''
  AND +GI.GOOD_IDENTIFICATION_TYPE_ID = 'UPCA' AND {_CURRENT}
""",
}

_STOCK = """
WITH RECURSIVE VIRTUAL (TYPE_ID) AS (
  SELECT 'VIRTUAL_FACILITY' UNION
  SELECT FT.FACILITY_TYPE_ID FROM FACILITY_TYPE FT JOIN VIRTUAL V ON FT.PARENT_TYPE_ID = V.TYPE_ID
), PLACE AS MATERIALIZED (
  SELECT F.FACILITY_ID FROM FACILITY F
  WHERE COALESCE(F.FACILITY_TYPE_ID, '') NOT IN (SELECT TYPE_ID FROM VIRTUAL)
    AND (:everywhere = 1 OR F.FACILITY_ID IN (SELECT value FROM json_each(:facilities)))
)
SELECT II.PRODUCT_ID, II.FACILITY_ID, SUM(COALESCE(II.AVAILABLE_TO_PROMISE_TOTAL, 0)),
  SUM(COALESCE(II.QUANTITY_ON_HAND_TOTAL, 0)), COALESCE(
  (SELECT CASE COUNT(DISTINCT GI.ID_VALUE) WHEN 1 THEN MIN(GI.ID_VALUE) END FROM GOOD_IDENTIFICATION GI
   WHERE GI.PRODUCT_ID = II.PRODUCT_ID AND GI.GOOD_IDENTIFICATION_TYPE_ID = 'SKU'
     AND GI.FROM_DATE <= :at AND (GI.THRU_DATE IS NULL OR GI.THRU_DATE > :at)),
  (SELECT P.INTERNAL_NAME FROM PRODUCT P WHERE P.PRODUCT_ID = II.PRODUCT_ID), '')
FROM PLACE CROSS JOIN json_each(:products) A
JOIN INVENTORY_ITEM II ON II.FACILITY_ID = PLACE.FACILITY_ID AND II.PRODUCT_ID = A.value
GROUP BY II.PRODUCT_ID, II.FACILITY_ID
ORDER BY II.FACILITY_ID
"""


def check_inventory(
    connection: Connection, asked: Mapping[str, Sequence[str]], facilities: Sequence[str], now: datetime
) -> list[dict[str, Any]]:
    """The counts of products at facilities, in the order they were asked for.

    Args:
        connection: in a transaction, so that all is one snapshot.
        asked: identifications by kind, ``sku`` and ``upca``.
        facilities: own or external ids; none means all that are not virtual.
        now: the moment whose identifications hold.

    Raises:
        RefusedError: a facility is unknown, virtual or ambiguous, or an identification is of several products.
    """
    at = stored(now)
    places = _facilities(connection, facilities, at)
    found = [
        (kind, value, product) for kind in asked for value, product in _products(connection, kind, asked[kind], at)
    ]
    values = {
        "at": at,
        "everywhere": int(not facilities),
        "facilities": json.dumps(places),
        "products": json.dumps(sorted({product for *_, product in found})),
    }
    stock: dict[str, list[tuple[str, int, int, str]]] = {}
    for product, facility, promised, on_hand, sku in connection.exec_driver_sql(_STOCK, values).all():
        stock.setdefault(product, []).append((facility, int(promised), int(on_hand), sku))
    return [
        {"sku": value, "facilityId": facility, "atp": promised, "qoh": on_hand}
        if kind == "sku"
        else {"sku": sku, "upca": value, "facilityId": facility, "atp": promised, "qoh": on_hand}
        for kind, value, product in found
        for facility, promised, on_hand, sku in stock.get(product, [])
    ]


def _products(connection: Connection, kind: str, asked: Sequence[str], at: str) -> list[tuple[str, str]]:
    values = {"asked": json.dumps(asked), "at": at}
    products: dict[str, str] = {}
    for value, product in connection.exec_driver_sql(_PRODUCTS[kind], values).all():
        if products.setdefault(value, product) != product:
            raise RefusedError(
                "ambiguous_identification",
                f"{kind} {value!r}: {incoming.REFUSALS['ambiguous_identification']}",
                "Mend the identifications in the OMS",
            )
    return [(value, products[value]) for value in dict.fromkeys(asked) if value in products]


def _facilities(connection: Connection, names: Sequence[str], at: str) -> list[str]:
    """The facilities' own ids, by the one rule of ``oms/incoming``."""
    if not names:
        return []
    nothing = {"line": 0, "external": 0, "id_type": "", "id_value": "", "product": None, "amount": 1}
    rows = [{**nothing, "facility": name, "snapshot": None, "comments": None} for name in names]
    found = incoming.resolve(connection, pl.DataFrame(rows, schema=incoming.NAMES), at)
    for name, reason in found.select("facility", "reason").rows():
        if reason and reason.endswith("_facility"):
            message = f"facilityId {name!r}: {incoming.REFUSALS[reason]}"
            raise RefusedError(reason, message, "Use the OMS's own facility id")
    return list(dict.fromkeys(found["facility_id"]))
