"""The single rows behind the page's numbers: what was dropped, corrected, published, each with SKU and UPCA.

Belongs here: whole lists; the page shows their first rows, a CSV beside it all of them (``lists``). Does not: sums
(``figures``, ``pieces``).
"""

from datetime import UTC, datetime, time, timedelta

import polars as pl

from rpsync_assets.core import gtin
from rpsync_assets.core.atp import NOTES
from rpsync_assets.core.change import PARTS
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.core.keys import KEY
from rpsync_assets.explain.change_step import day_change
from rpsync_assets.explain.shop_steps import nothing_read
from rpsync_assets.explain.sources import Sources

MOVED = pl.col("outcome").is_in(["up", "down"])
_ITEM = ["shopify_inventory_item_id", "shopify_location_id"]


def dropped(sources: Sources) -> pl.DataFrame | None:
    """Every dropped row of the file; those of one key stand together."""
    rows, listed = sources.table("rejected_reset_rows"), sources.table("active_products")
    if rows is None or listed is None:
        return None
    return (
        rows.with_columns(gtin=gtin.key(pl.col("upc_text")))
        .join(listed.select("gtin", "sku", "upca"), on="gtin", how="left", maintain_order="left")
        .sort("reason", "gtin", "store_code", "line_number")
        .drop("gtin")
    )


def by_reset(sources: Sources) -> pl.DataFrame | None:
    """Every key that the reset changed at the OMS, the largest change first."""
    reset = sources.table("reset_import")
    if reset is None:
        return None
    changed = reset.filter(pl.col("difference") != 0).select(
        *("facility_id", "product_id", "upca", "quantity_on_hand_before", "quantity", "moved_since_snapshot"),
        *("difference", "imported_at", "log_id"),
    )
    return _with_sku(changed, sources).sort(pl.col("difference").abs(), descending=True, maintain_order=True)


def by_variance(sources: Sources) -> pl.DataFrame | None:
    """Every key that the variance asked for, the largest first, with its orders and what the OMS did."""
    asked, shipped = sources.table("variance_file"), sources.table("unreported_shipments")
    if asked is None or shipped is None:
        return None
    older, done = sources.table("unreported_shipments_of_owed_keys"), sources.table("variance_import")
    everything = shipped if older is None else pl.concat([shipped, older])
    orders = everything.group_by(*KEY, "snapshot_at").agg(
        order_names=pl.coalesce("order_name", "order_id").unique().sort().str.join(", ")
    )
    found = asked.join(orders, on=[*KEY, "snapshot_at"], how="left", maintain_order="left")
    told = found.clear().select(*KEY, status=pl.lit(""), applied=pl.lit(0)) if done is None else done
    last = told.unique(KEY, keep="last").select(*KEY, "status", "applied")
    found = found.join(last, on=KEY, how="left", maintain_order="left")
    return _with_sku(found, sources).sort(pl.col("available_delta").abs(), descending=True, maintain_order=True)


def published(sources: Sources) -> pl.DataFrame | None:
    """The full reset's rows, the largest change first: ``core.change.PARTS`` and ``why`` say where each comes from."""
    plan, change = sources.table("shopify_full_reset"), day_change(sources)
    if plan is None or nothing_read(sources, plan):
        return None
    if change is None:
        blank = [pl.lit(None, dtype=pl.Int64).alias(part) for part in PARTS]
        rows = plan.with_columns(*blank, note=pl.lit(None, dtype=pl.String))
    else:
        rows = change.parts
    parts = [
        pl.when(pl.col(part) != 0).then(pl.format("{} {}", _signed(part), pl.lit(words)))
        for part, words in PARTS.items()
    ]
    rule = pl.col("note").replace_strict(NOTES, default=None, return_dtype=pl.String)
    return (
        _with_sku(rows, sources)
        .with_columns(place=_place(), why=pl.concat_str([*parts, rule], separator="; ", ignore_nulls=True))
        .sort(pl.col("difference").abs(), descending=True, nulls_last=True, maintain_order=True)
    )


def published_since(sources: Sources) -> pl.DataFrame | None:
    """What was sent to Shopify on the store's own day by others than the full reset: the deltas, oldest first."""
    publications, plan = sources.publications, sources.table("shopify_full_reset")
    if publications is None or plan is None:
        return None
    start = datetime.combine(sources.day, time.min, sources.its.zone)
    end = datetime.combine(sources.day + timedelta(days=1), time.min, sources.its.zone)
    sent = publications.changes(sources.store, start.astimezone(UTC), end.astimezone(UTC))
    was = pl.when(pl.col("verb") == "set").then("change_from").otherwise(pl.col("baseline") - pl.col("number"))
    now = pl.when(pl.col("verb") == "set").then("number").otherwise("baseline")
    rows = (
        sent.filter(pl.col("run_id") != (sources.run_id("shopify_full_reset") or ""))
        .join(plan.select(*_ITEM, "product_id", "facility_id", "role"), on=_ITEM, how="left", maintain_order="left")
        .with_columns(was=was, now=now, place=_place())
        .with_columns(difference=pl.col("now") - pl.col("was"))
    )
    return _with_sku(rows, sources).select(
        *("written_at", "run_id", "outcome", "sku", "upca", "place", "was", "now", "difference"), *_ITEM
    )


def story_places(sources: Sources, rows: pl.DataFrame) -> list[str | None]:
    """For each row the facility whose story tells most of its product: its own, else where the day corrected most."""
    if (change := day_change(sources)) is None:
        return [None] * rows.height
    changed = change.corrected.with_columns(pl.col("units").abs())
    best = (
        change.now.filter(pl.col("scope") == "facility")
        .join(rows.select("product_id").unique(), on="product_id", how="semi")
        .join(changed, on=KEY, how="left")
        .sort(pl.col("units").fill_null(0), "counted_in_channel", descending=True)
        .unique("product_id", keep="first", maintain_order=True)
        .select("product_id", best="facility_id")
    )
    own = pl.when(pl.col("facility_id") != ONLINE_FACILITY).then("facility_id")
    found = rows.join(best, on="product_id", how="left", maintain_order="left")
    return found.select(pl.coalesce(own, "best"))["facility_id"].to_list()


def _with_sku(rows: pl.DataFrame, sources: Sources) -> pl.DataFrame:
    """With ``sku``, and ``upca`` where it is not there: of published products, whether on the day's list or not."""
    columns = ["product_id", "sku", "upca"]
    tables = [sources.table(name) for name in ("active_products", "excluded_products")]
    known = [table.select(columns) for table in tables if table is not None]
    products = pl.concat([pl.DataFrame(schema=dict.fromkeys(columns, pl.String)), *known])
    names = columns[:2] if "upca" in rows.columns else columns
    return rows.join(
        products.unique("product_id", keep="first", maintain_order=True).select(names),
        on="product_id",
        how="left",
        maintain_order="left",
    )


def _place() -> pl.Expr:
    return pl.when(pl.col("role") == "online").then(pl.lit("online")).otherwise("facility_id")


def _signed(column: str) -> pl.Expr:
    return pl.when(pl.col(column) > 0).then(pl.format("+{}", column)).otherwise(pl.col(column).cast(pl.String))
