"""Rules of the OMS ledger that several engines need: what is a physical movement, what safety stock leaves.

Belongs here: the one definition of L in design.md section 5 and of the per-facility floor (domain.md 0.3), as SQL
expressions. Does not: queries that use them (``resources/oms_sql`` for the graph, ``oms/`` for the embedded OMS).

Physical: POS sales and returns, shipments, receipts. Never physical: resets, variances, undo, cycle counts and manual
corrections: they change what we believe, not what the shelf holds.
"""

RESET = "VAR_EXT_RESET"
VARIANCE = "VAR_INTEGR"
POS_SALE = "POS_SALE"

PHYSICAL_MOVEMENT = (
    f"({{detail}}.REASON_ENUM_ID = '{POS_SALE}' OR {{detail}}.ITEM_ISSUANCE_ID IS NOT NULL"
    " OR {detail}.RECEIPT_ID IS NOT NULL OR {detail}.RETURN_ID IS NOT NULL)"
)
"""An SQL condition over INVENTORY_ITEM_DETAIL; format it with the table's alias as ``detail``."""

AFTER_SAFETY_STOCK = (
    "CASE WHEN {available} >= COALESCE({minimum}, 0) THEN {available} - COALESCE({minimum}, 0) ELSE 0 END"
)
"""COMPUTED_LAST_INVENTORY_COUNT: what safety stock leaves of one facility's ATP, as SQL that polars reads too."""
