"""From which columns a column comes, where that is worth a click: Dagster's column lineage.

Belongs here: table -> column -> where from. Does not: what a column means (``columns``).
"""

LINEAGE: dict[str, dict[str, tuple[str, ...]]] = {
    "filtered_reset": {
        "product_id": ("active_products.product_id",),
        "upca": ("active_products.upca",),
        "snapshot_at": ("raw_reset_file.snapshot_at",),
    },
    "filtered_reset_parts": {
        "rows": ("filtered_reset.quantity",),
        "digest": ("filtered_reset.facility_id", "filtered_reset.upca", "filtered_reset.quantity"),
        "snapshot_at": ("filtered_reset.snapshot_at",),
    },
    "reset_import": {
        "quantity": ("filtered_reset_parts.digest",),
        "generation": ("filtered_reset_parts.generation",),
    },
    "unreported_shipments": {"snapshot_at": ("raw_reset_file.snapshot_at",)},
    "variance_file": {
        "facility_id": ("reset_import.facility_id",),
        "upca": ("reset_import.upca",),
        "available_delta": ("unreported_shipments.quantity", "reset_import.quantity"),
        "orders_part": ("unreported_shipments.quantity",),
        "window_part": ("reset_import.quantity",),
        "orders": ("unreported_shipments.order_id",),
        "generation": ("reset_import.generation",),
    },
    "variance_import": {"requested": ("variance_file.available_delta",), "upca": ("variance_file.upca",)},
    "online_atp": {"available_to_promise": ("reset_import.difference", "variance_import.applied")},
    "shopify_feed": {
        "quantity": ("online_atp.sellable",),
        "product_id": ("online_atp.product_id",),
        "facility_id": ("online_atp.facility_id",),
    },
    "shopify_full_reset": {"quantity": ("shopify_feed.quantity",), "target": ("shopify_feed.quantity",)},
    "shopify_delta": {"difference": ("shopify_full_reset.baseline", "pos_sales.quantity")},
}
