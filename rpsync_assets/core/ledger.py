"""Which movements of the OMS ledger are physical: goods that really came or went.

Belongs here: the one definition of L in design.md section 5. Does not: queries that use it (``resources/oms_sql`` for
the graph, ``oms/imports`` for the embedded OMS).

Physical: POS sales and returns, shipments, receipts. Never physical: resets, variances, undo, cycle counts and manual
corrections: they change what we believe, not what the shelf holds.
"""

RESET = "VAR_EXT_RESET"

PHYSICAL_MOVEMENT = (
    "({detail}.REASON_ENUM_ID = 'POS_SALE' OR {detail}.ITEM_ISSUANCE_ID IS NOT NULL"
    " OR {detail}.RECEIPT_ID IS NOT NULL OR {detail}.RETURN_ID IS NOT NULL)"
)
"""An SQL condition over INVENTORY_ITEM_DETAIL; format it with the table's alias as ``detail``."""
