"""What a count is a count of.

Belongs here: the columns that tables are joined by. Does not: columns of values, or how a UPC or a store code is
matched (``core/gtin``, ``core/reset``).
"""

KEY = ["facility_id", "product_id"]
"""One product at one facility."""

RESET_ROW = [*KEY, "snapshot_at"]
"""A key as of a count: what the OMS accepts, and what owes a variance. Two files of a day have two moments."""
