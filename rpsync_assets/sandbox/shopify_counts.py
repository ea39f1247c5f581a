"""What Shopify shows for each mapped item and location: near the OMS's numbers, with some drift.

Belongs here: the counts file that the Shopify emulator begins with. Does not: the emulator, or the product's rules.
"""

import io
from random import Random

import polars as pl
from sqlalchemy import Connection

from rpsync_assets.sandbox import facilities as places
from rpsync_assets.sandbox.catalog import Product
from rpsync_assets.sandbox.facilities import Facility
from rpsync_assets.sandbox.stores import SandboxStore
from rpsync_assets.sandbox.world import World, write_private

SCHEMA = {"inventory_item_id": pl.String, "location_id": pl.String, "available": pl.Int64}


def counts(
    connection: Connection, store: SandboxStore, own: list[Facility], sold: list[Product], rng: Random
) -> pl.DataFrame:
    """One store's counts at its online location and at its pick-up locations, as ``SCHEMA``."""
    by_place: dict[str, dict[str, int]] = {}
    for one in own:
        found = connection.exec_driver_sql(
            "SELECT PRODUCT_ID, COMPUTED_LAST_INVENTORY_COUNT FROM PRODUCT_FACILITY WHERE FACILITY_ID = ?",
            (one.facility_id,),
        )
        by_place[one.facility_id] = {row[0]: int(row[1]) for row in found}
    members = [one.facility_id for one in own if one.member == "current"]
    shown = {0: members} | {place: [one.facility_id] for place, one in enumerate((p for p in own if p.pickup), 1)}
    rows: list[tuple[str, str, int]] = []
    for product in sold:
        if product.is_digital:
            continue
        for place, facility_ids in shown.items():
            near = sum(by_place[facility_id].get(product.product_id, 0) for facility_id in facility_ids)
            drift = rng.choice((-3, -2, -1, 1, 2)) if rng.random() < 0.2 else 0
            rows.append(
                (
                    *(places.inventory_item_id(store, product.number), places.location_id(store, place)),
                    max(0, near + drift),
                )
            )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def merge(world: World, fresh: pl.DataFrame) -> None:
    """Put one store's counts into the file; other stores' stay."""
    parts = [fresh]
    if world.shopify_counts.exists():
        before = pl.read_csv(world.shopify_counts, schema=SCHEMA)
        parts.append(before.filter(~pl.col("location_id").is_in(fresh["location_id"].unique().implode())))
    content = io.BytesIO()
    pl.concat(parts).sort("location_id", "inventory_item_id").write_csv(content)
    write_private(world.shopify_counts, content.getvalue())
