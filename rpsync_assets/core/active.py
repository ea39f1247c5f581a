"""What the OMS lists for a product store -> its active products: published on Shopify, with one valid UPCA.

Belongs here: who is active and why somebody is not. Does not: the SQL (``resources/oms_sql``).

Ambiguity is reported, never guessed (design.md section 5; domain.md 7 case 10): a product with two different current
UPCAs and a UPCA on two products would send one shelf's count to another product, so neither is active.
"""

from dataclasses import dataclass

import polars as pl

from rpsync_assets.core import gtin

SCHEMA = {
    "product_id": pl.String,
    "sku": pl.String,
    "upca": pl.String,
    "gtin": pl.Int64,
    "check_digit_valid": pl.Boolean,
    "shopify_inventory_item_ids": pl.List(pl.String),
}
EXCLUDED_SCHEMA = {"product_id": pl.String, "sku": pl.String, "upca": pl.String, "reason": pl.String}

EXCLUDED_REASONS = {
    "no_upca": "published on Shopify but without a current UPCA in the OMS",
    "invalid_upca": "its UPCA is not 7 to 14 digits",
    "several_upcas": "it has two different current UPCAs: which one Retail Pro means is unknown",
    "shared_upca": "its UPCA is current on another product too",
}


@dataclass(frozen=True)
class ActiveProducts:
    """The day's list, and the published products that are not on it with the reason."""

    active: pl.DataFrame
    excluded: pl.DataFrame


def compile_active(listed: pl.DataFrame) -> ActiveProducts:
    """Compile the active products of one product store.

    Args:
        listed: one row per published product, current UPCA and Shopify item: ``product_id``, ``sku``, ``upca`` (null
            when it has none), ``shopify_inventory_item_id``.

    Returns:
        ``active`` with the columns of ``SCHEMA``, one row per product, unique by ``gtin``; ``excluded`` with those of
        ``EXCLUDED_SCHEMA``, one row per product and UPCA. Both sorted.
    """
    rows = listed.with_columns(gtin=gtin.key(pl.col("upca"))).with_columns(
        products_of_gtin=pl.col("product_id").n_unique().over("gtin"),
        # An unreadable UPCA beside a good one is ambiguous too: counted as a value of its own.
        upcas_of_product=pl.coalesce(pl.col("gtin").cast(pl.String), pl.col("upca")).n_unique().over("product_id"),
    )
    blank = pl.col("upca").is_null() | (pl.col("upca").str.strip_chars() == "")
    reason = (
        pl.when(pl.col("upcas_of_product") > 1)
        .then(pl.lit("several_upcas"))
        .when(blank)
        .then(pl.lit("no_upca"))
        .when(pl.col("gtin").is_null())
        .then(pl.lit("invalid_upca"))
        .when(pl.col("products_of_gtin") > 1)
        .then(pl.lit("shared_upca"))
    )
    rows = rows.with_columns(reason=reason)
    active = (
        rows.filter(pl.col("reason").is_null())
        .group_by("product_id")
        .agg(
            pl.col("sku").first(),
            # Two spellings of one number (zero-padded twin): the shorter is as good as the longer, but pick one.
            pl.col("upca").min(),
            pl.col("gtin").first(),
            pl.col("shopify_inventory_item_id").drop_nulls().unique().sort().alias("shopify_inventory_item_ids"),
        )
        .with_columns(check_digit_valid=gtin.has_valid_check_digit(pl.col("gtin")))
        .select(*SCHEMA)
        .sort("product_id")
    )
    excluded = (
        rows.filter(pl.col("reason").is_not_null())
        .select("product_id", "sku", "upca", "reason")
        .unique()
        .sort("product_id", "upca")
    )
    return ActiveProducts(active, excluded)


def with_newly_listed(active: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """The day's list and the products that came onto it since: those must not be dropped with the inactive ones.

    Args:
        active: the list of 01:00: ``SCHEMA``.
        fresh: the list of now: ``SCHEMA``.

    Returns:
        ``SCHEMA``. Where both know a product or a UPCA, the day's list stands.
    """
    new = fresh.join(active, on="gtin", how="anti").join(active, on="product_id", how="anti")
    return pl.concat([active, new.select(active.columns)]).sort("product_id") if new.height else active
