"""What is asked about one key, product or facility, as SQL that runs on SQLite and on MySQL/MariaDB alike.

Belongs here: questions by ids or by what a person types, so that no table is read through. Does not: the day's own
questions (``oms_sql``), whose conventions hold here, too.
"""

from rpsync_assets.core.ledger import PHYSICAL_MOVEMENT
from rpsync_assets.resources.oms_terms import current, physical

KEY_COUNT = """
SELECT COUNT(*) AS items, SUM(COALESCE(II.QUANTITY_ON_HAND_TOTAL, 0)) AS quantity_on_hand,
       SUM(COALESCE(II.AVAILABLE_TO_PROMISE_TOTAL, 0)) AS available_to_promise
FROM INVENTORY_ITEM II WHERE II.FACILITY_ID = :facility AND II.PRODUCT_ID = :product
"""

KEY_LEDGER = f"""
SELECT D.EFFECTIVE_DATE AS event_at, D.CREATED_STAMP AS arrived_at, D.QUANTITY_ON_HAND_DIFF AS quantity_on_hand_change,
       D.AVAILABLE_TO_PROMISE_DIFF AS available_change, D.REASON_ENUM_ID AS reason, D.ORDER_ID AS order_id,
       OH.ORDER_NAME AS order_name,
       CASE WHEN D.RETURN_ID IS NOT NULL THEN 'return' WHEN D.ITEM_ISSUANCE_ID IS NOT NULL THEN 'issuance'
            WHEN D.RECEIPT_ID IS NOT NULL THEN 'receipt' END AS document,
       CASE WHEN {PHYSICAL_MOVEMENT.format(detail="D")} THEN 1 ELSE 0 END AS physical, D.DESCRIPTION AS remark
FROM INVENTORY_ITEM II
JOIN INVENTORY_ITEM_DETAIL D ON D.INVENTORY_ITEM_ID = II.INVENTORY_ITEM_ID
LEFT JOIN ORDER_HEADER OH ON OH.ORDER_ID = D.ORDER_ID
WHERE II.FACILITY_ID = :facility AND II.PRODUCT_ID = :product AND D.EFFECTIVE_DATE > :since
ORDER BY D.EFFECTIVE_DATE, D.INVENTORY_ITEM_DETAIL_SEQ_ID
"""

FOUND_WORDS = 4
"""So many words of a description are looked for; whoever writes more has said enough."""
MOST_FOUND = 26
"""So many products an answer has; who shows them shows one fewer, and says that there are more."""

_HOLDS = " AND ".join(
    f"(LOWER(P.PRODUCT_NAME) LIKE :w{word} ESCAPE '!' OR LOWER(P.INTERNAL_NAME) LIKE :w{word} ESCAPE '!'"
    f" OR LOWER(P.PRODUCT_ID) LIKE :w{word} ESCAPE '!')"
    for word in range(FOUND_WORDS)
)
_FOUND = f"""
SELECT P.PRODUCT_ID AS product_id, P.INTERNAL_NAME AS sku, P.PRODUCT_NAME AS name, GI.ID_VALUE AS upca,
       CASE WHEN EXISTS (SELECT 1 FROM SHOPIFY_SHOP SS JOIN SHOPIFY_SHOP_PRODUCT SSP ON SSP.SHOP_ID = SS.SHOP_ID
                         WHERE SS.PRODUCT_STORE_ID = :store AND SSP.PRODUCT_ID = P.PRODUCT_ID)
            THEN 1 ELSE 0 END AS published
FROM PRODUCT P
LEFT JOIN GOOD_IDENTIFICATION GI ON GI.PRODUCT_ID = P.PRODUCT_ID AND GI.GOOD_IDENTIFICATION_TYPE_ID = 'UPCA'
     AND {current("GI")}
"""
FOUND_PRODUCTS = f"""
{_FOUND} WHERE P.PRODUCT_ID = :exactly OR P.INTERNAL_NAME = :exactly
UNION
{_FOUND} WHERE P.PRODUCT_ID IN (SELECT SSP.PRODUCT_ID FROM SHOPIFY_SHOP SS
  JOIN SHOPIFY_SHOP_PRODUCT SSP ON SSP.SHOP_ID = SS.SHOP_ID WHERE SS.PRODUCT_STORE_ID = :store) AND {_HOLDS}
ORDER BY product_id LIMIT {MOST_FOUND}
"""
"""Products by id or SKU, and those that the store publishes by words of their description."""

_PUBLISHING_STORES = (
    "SHOPIFY_SHOP SS JOIN SHOPIFY_SHOP_PRODUCT SSP ON SSP.SHOP_ID = SS.SHOP_ID WHERE SSP.PRODUCT_ID = P.PRODUCT_ID"
)
_KNOWN_PRODUCTS = f"""
SELECT P.PRODUCT_ID AS product_id, P.INTERNAL_NAME AS sku, P.PRODUCT_NAME AS name, GI.ID_VALUE AS upca,
       CASE WHEN {current("GI")} THEN 1 ELSE 0 END AS upca_is_current,
       CASE WHEN PT.IS_PHYSICAL = 'Y' THEN 1 ELSE 0 END AS is_physical,
       CASE WHEN P.IS_VIRTUAL = 'Y' THEN 1 ELSE 0 END AS is_virtual,
       CASE WHEN P.SALES_DISCONTINUATION_DATE <= :at THEN P.SALES_DISCONTINUATION_DATE END AS discontinued_at,
       CASE WHEN EXISTS (SELECT 1 FROM {_PUBLISHING_STORES} AND SS.PRODUCT_STORE_ID = :store) THEN 1 ELSE 0 END
         AS published,
       (SELECT GROUP_CONCAT(DISTINCT SS.PRODUCT_STORE_ID) FROM {_PUBLISHING_STORES} AND SS.PRODUCT_STORE_ID <> :store)
         AS other_stores
FROM PRODUCT P
LEFT JOIN PRODUCT_TYPE PT ON PT.PRODUCT_TYPE_ID = P.PRODUCT_TYPE_ID
{{kind}} JOIN GOOD_IDENTIFICATION GI ON GI.PRODUCT_ID = P.PRODUCT_ID AND GI.GOOD_IDENTIFICATION_TYPE_ID = 'UPCA'
WHERE {{which}}
ORDER BY P.PRODUCT_ID, GI.FROM_DATE
"""
PRODUCTS_WITH_UPC = _KNOWN_PRODUCTS.format(kind="", which="GI.ID_VALUE IN (:s0, :s1, :s2, :s3, :s4, :s5, :s6, :s7)")
"""Who a UPC belongs or belonged to, published or not, however many zeros stand before it."""

PRODUCTS_CALLED = _KNOWN_PRODUCTS.format(kind="LEFT", which="P.INTERNAL_NAME = :name OR P.PRODUCT_ID = :name")
"""Products by their SKU or id, with each UPCA that they have or had."""

FACILITIES_CALLED = f"""
SELECT F.FACILITY_ID AS facility_id, F.EXTERNAL_ID AS external_id,
       CASE WHEN F.CLOSED_DATE <= :at THEN F.CLOSED_DATE END AS closed_at,
       CASE WHEN {physical("FT")} THEN 1 ELSE 0 END AS is_physical,
       (SELECT GROUP_CONCAT(DISTINCT PSF.PRODUCT_STORE_ID) FROM PRODUCT_STORE_FACILITY PSF
        WHERE PSF.FACILITY_ID = F.FACILITY_ID AND {current("PSF")}) AS stores
FROM FACILITY F
LEFT JOIN FACILITY_TYPE FT ON FT.FACILITY_TYPE_ID = F.FACILITY_TYPE_ID
WHERE UPPER(F.FACILITY_ID) = :name OR UPPER(TRIM(F.EXTERNAL_ID)) = :name
ORDER BY F.FACILITY_ID
"""
"""Facilities by id or external id, whatever store they are of, closed and virtual ones too."""
