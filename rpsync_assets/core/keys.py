"""What a count is a count of, and as of when.

Belongs here: the columns that tables are joined by, and how they type a moment. Does not: columns of values, or how a
UPC or a store code is matched (``core/gtin``, ``core/reset``).
"""

import polars as pl

KEY = ["facility_id", "product_id"]
"""One product at one facility."""

RESET_ROW = [*KEY, "snapshot_at"]
"""A key as of a count: what the OMS accepts, and what owes a variance. Two files of a day have two moments."""

MOMENT = pl.Datetime("us", "UTC")
"""A moment in every table; the OMS's and our databases store the same without a zone."""
