"""Questions about one key, product or facility, for whoever explains a number.

Belongs here: running the questions of ``oms_lookup_sql``. Does not: the day's own questions (``oms_reader``), words.
"""

import re
from datetime import datetime

import polars as pl

from rpsync_assets.core.keys import MOMENT
from rpsync_assets.resources import oms_lookup_sql as sql
from rpsync_assets.resources.oms_reader import OmsReader

KEY_LEDGER_SCHEMA = {
    "event_at": MOMENT,
    "arrived_at": MOMENT,
    "quantity_on_hand_change": pl.Int64,
    "available_change": pl.Int64,
    "reason": pl.String,
    "order_id": pl.String,
    "order_name": pl.String,
    "document": pl.String,
    "physical": pl.Int64,
    "remark": pl.String,
}
KNOWN_PRODUCT_SCHEMA = {
    "product_id": pl.String,
    "sku": pl.String,
    "name": pl.String,
    "upca": pl.String,
    "upca_is_current": pl.Int64,
    "is_physical": pl.Int64,
    "is_virtual": pl.Int64,
    "discontinued_at": MOMENT,
    "published": pl.Int64,
    "other_stores": pl.String,
}
KNOWN_FACILITY_SCHEMA = {
    "facility_id": pl.String,
    "external_id": pl.String,
    "closed_at": MOMENT,
    "is_physical": pl.Int64,
    "stores": pl.String,
}
FOUND_PRODUCT_SCHEMA = {
    "product_id": pl.String,
    "sku": pl.String,
    "name": pl.String,
    "upca": pl.String,
    "published": pl.Int64,
}


class OmsLookup(OmsReader):
    """A reader that is also asked about one thing, answered as of the same moment."""

    def count_of(self, facility: str, product: str) -> tuple[int, int] | None:
        """QOH and ATP of one key; None where the OMS never had it."""
        schema: dict[str, type[pl.DataType]] = {
            "items": pl.Int64,
            "quantity_on_hand": pl.Int64,
            "available_to_promise": pl.Int64,
        }
        items, on_hand, available = self._ask(sql.KEY_COUNT, schema, facility=facility, product=product).row(0)
        return (on_hand, available) if items else None

    def ledger_of(self, facility: str, product: str, since: datetime) -> pl.DataFrame:
        """``KEY_LEDGER_SCHEMA``: every ledger row of one key after a moment."""
        return self._ask(
            sql.KEY_LEDGER, KEY_LEDGER_SCHEMA, facility=facility, product=product, since=since
        ).with_columns(pl.col("physical") == 1)

    def products_with_upc(self, store: str, number: int) -> pl.DataFrame:
        """``KNOWN_PRODUCT_SCHEMA``: products that have or had a UPC, whatever zeros stand before it."""
        spellings = {f"s{zeros}": f"{'0' * zeros}{number}" for zeros in range(8)}
        return self._known_products(sql.PRODUCTS_WITH_UPC, store=store, **spellings)

    def products_called(self, store: str, name: str) -> pl.DataFrame:
        """``KNOWN_PRODUCT_SCHEMA``: products by SKU or id, a row for each UPCA that they have or had."""
        return self._known_products(sql.PRODUCTS_CALLED, store=store, name=name)

    def _known_products(self, question: str, **values: object) -> pl.DataFrame:
        known = self._ask(question, KNOWN_PRODUCT_SCHEMA, at=self._at, **values)
        return known.with_columns(pl.col("upca_is_current", "is_physical", "is_virtual", "published") == 1)

    def facilities_called(self, name: str) -> pl.DataFrame:
        """``KNOWN_FACILITY_SCHEMA``: facilities by id or external id, in any case, of whatever store."""
        known = self._ask(sql.FACILITIES_CALLED, KNOWN_FACILITY_SCHEMA, at=self._at, name=name.strip().upper())
        return known.with_columns(pl.col("is_physical") == 1)

    def find_products(self, store: str, asked: str) -> pl.DataFrame:
        """``FOUND_PRODUCT_SCHEMA``: by id or SKU, or published by this store with these words in its description."""
        words = [re.sub(r"([!%_])", r"!\1", word) for word in asked.lower().split()[: sql.FOUND_WORDS]]
        given = {f"w{place}": f"%{word}%" for place, word in enumerate(words)}
        anything = {f"w{place}": "%" for place in range(len(words), sql.FOUND_WORDS)}
        return self._ask(
            *(sql.FOUND_PRODUCTS, FOUND_PRODUCT_SCHEMA),
            **{"store": store, "at": self._at, "exactly": asked, **given, **anything},
        ).with_columns(pl.col("published") == 1)
