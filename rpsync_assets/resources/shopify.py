"""The door to Shopify: the counts it shows.

Belongs here: reading Shopify's counts. Does not: deciding what to send. Nothing is sent yet: until publishing is built,
counts come from an inventory export (a CSV), and every run ends with a receipt that says dry run.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rpsync_assets.core.errors import SetupError

AVAILABLE_SCHEMA = {
    "shopify_inventory_item_id": pl.String,
    "shopify_location_id": pl.String,
    "available": pl.Int64,
}


@dataclass(frozen=True)
class ShopifyExport:
    """Counts from an export: ``inventory_item_id``, ``location_id``, ``available``."""

    path: Path | None

    def available(self) -> pl.DataFrame:
        """``AVAILABLE_SCHEMA``; empty when no export is set, so that every difference says its count is unknown.

        Raises:
            SetupError: the export is set but missing or has other columns.
        """
        if self.path is None:
            return pl.DataFrame(schema=AVAILABLE_SCHEMA)
        try:
            found = pl.read_csv(self.path, infer_schema=False)
            return found.select(
                pl.col("inventory_item_id").alias("shopify_inventory_item_id"),
                pl.col("location_id").alias("shopify_location_id"),
                pl.col("available").cast(pl.Int64),
            ).unique(["shopify_inventory_item_id", "shopify_location_id"], keep="last")
        except (OSError, pl.exceptions.PolarsError) as error:
            raise SetupError(
                f"Shopify's counts cannot be read from {self.path.name}: {str(error).splitlines()[0]}",
                "Set [shopify] available to a CSV with inventory_item_id, location_id and available",
            ) from error
