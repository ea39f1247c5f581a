"""Master data and opening stock into the OMS database: facilities, channels, products, shops, rules.

Belongs here: everything that is there before the first business date. Does not: orders and movements (``morning``).

All moments are naive UTC. Nothing here updates: rows that are there already are left alone, so an older store of the
same world stays as it is.
"""

from collections.abc import Iterator
from datetime import datetime
from random import Random

from sqlalchemy import Connection

from rpsync_assets.oms import tables
from rpsync_assets.sandbox import facilities as places
from rpsync_assets.sandbox.catalog import Product, catalog, published
from rpsync_assets.sandbox.facilities import Facility
from rpsync_assets.sandbox.oms_writer import Row, insert
from rpsync_assets.sandbox.sizes import Size
from rpsync_assets.sandbox.stores import SandboxStore

BEGAN = datetime(2020, 1, 1)  # noqa: DTZ001  naive UTC, as the OMS stores it
EXPIRED = datetime(2024, 6, 30)  # noqa: DTZ001
OPENING = datetime(2025, 1, 1)  # noqa: DTZ001
"""The moment of the opening counts; business dates must lie after it."""

OPENING_SEQ_ID = "OPENING"
LOCATION = "TLTLTLLL01"
FACILITY_TYPES: dict[str, str | None] = {
    "PHYSICAL_STORE": None,
    "DISTRIBUTION_CENTER": None,
    "VIRTUAL_FACILITY": None,
    "RETAIL_STORE": "PHYSICAL_STORE",
    "OUTLET_STORE": "PHYSICAL_STORE",
    "WAREHOUSE": "DISTRIBUTION_CENTER",
    **dict.fromkeys(
        ("NA", "CONFIGURATION", "PRE_ORDER", "BACKORDER", "GENERAL_OPERATIONS", "RELEASED_ORD"), "VIRTUAL_FACILITY"
    ),
}


def write_shared(connection: Connection, size: Size, seed: int) -> None:
    """What all product stores share: types, the queue and the catalog."""
    insert(
        connection,
        tables.facility_type,
        "FACILITY_TYPE_ID PARENT_TYPE_ID",
        list(FACILITY_TYPES.items()),
        or_ignore=True,
    )
    insert(
        connection,
        tables.facility,
        "FACILITY_ID FACILITY_TYPE_ID FACILITY_NAME",
        [(places.QUEUE, "NA", "Brokering queue")],
        or_ignore=True,
    )
    insert(
        connection,
        tables.product_type,
        "PRODUCT_TYPE_ID IS_PHYSICAL IS_DIGITAL",
        [("FINISHED_GOOD", "Y", "N"), ("DIGITAL_GOOD", "N", "Y")],
        or_ignore=True,
    )
    products = catalog(size, seed)
    insert(
        connection,
        tables.product,
        "PRODUCT_ID PRODUCT_TYPE_ID INTERNAL_NAME PRODUCT_NAME IS_VIRTUAL CREATED_DATE",
        (
            (
                *(one.product_id, "DIGITAL_GOOD" if one.is_digital else "FINISHED_GOOD", one.sku, one.description),
                *("N", BEGAN),
            )
            for one in products
        ),
        or_ignore=True,
    )
    insert(
        connection,
        tables.good_identification,
        "GOOD_IDENTIFICATION_TYPE_ID PRODUCT_ID FROM_DATE ID_VALUE THRU_DATE",
        _identifications(products),
        or_ignore=True,
    )


def write_store(connection: Connection, store: SandboxStore, size: Size, seed: int) -> None:
    """One product store: its places, channel, shop, published products, rules and opening stock."""
    own = places.facilities(store, size)
    sold = published(catalog(size, seed), size, seed, store)
    _places(connection, store, own)
    _shop(connection, store, own, sold)
    _stock(connection, store, own, sold, Random(f"stock-{seed}-{store.store_id}"))  # noqa: S311


def _identifications(products: list[Product]) -> Iterator[Row]:
    for one in products:
        yield "SKU", one.product_id, BEGAN, one.sku, None
        if one.expired_upca:
            yield "UPCA", one.product_id, BEGAN, one.expired_upca, EXPIRED
        for place, upca in enumerate(one.upcas):
            yield "UPCA", one.product_id, EXPIRED.replace(hour=place), upca, None


def _places(connection: Connection, store: SandboxStore, own: list[Facility]) -> None:
    channel, configuration, store_id = places.channel(store), places.configuration(store), store.store_id
    insert(
        connection,
        tables.product_store,
        "PRODUCT_STORE_ID STORE_NAME RESERVE_INVENTORY DEFAULT_TIME_ZONE_STRING",
        [(store_id, store.name, "Y", store.time_zone)],
    )
    insert(
        connection,
        tables.facility,
        "FACILITY_ID FACILITY_TYPE_ID FACILITY_NAME EXTERNAL_ID",
        [
            *((one.facility_id, one.facility_type_id, f"{store.name} {one.store_code}", one.store_code) for one in own),
            (configuration, "CONFIGURATION", f"{store.name} online thresholds", None),
        ],
    )
    insert(
        connection,
        tables.product_store_facility,
        "PRODUCT_STORE_ID FACILITY_ID FROM_DATE",
        [
            (store_id, facility_id, BEGAN)
            for facility_id in (*(one.facility_id for one in own), configuration, places.QUEUE)
        ],
    )
    insert(
        connection,
        tables.facility_group,
        "FACILITY_GROUP_ID FACILITY_GROUP_TYPE_ID",
        [(channel, "CHANNEL_FAC_GROUP")],
    )
    members: list[Row] = [
        (one.facility_id, channel, BEGAN, EXPIRED if one.member == "expired" else None)
        for one in own
        if one.member != "never"
    ]
    insert(
        connection,
        tables.facility_group_member,
        "FACILITY_ID FACILITY_GROUP_ID FROM_DATE THRU_DATE",
        [*members, (configuration, channel, BEGAN, None)],
    )


def _shop(connection: Connection, store: SandboxStore, own: list[Facility], sold: list[Product]) -> None:
    shop = places.shop(store)
    insert(
        connection,
        tables.shopify_shop,
        "SHOP_ID SHOPIFY_SHOP_ID PRODUCT_STORE_ID MYSHOPIFY_DOMAIN",
        [(shop, places.location_id(store, 99), store.store_id, f"{store.store_id.lower()}-sandbox.myshopify.com")],
    )
    pickup = [one.facility_id for one in own if one.pickup]
    insert(
        connection,
        tables.shopify_shop_location,
        "SHOP_ID FACILITY_ID SHOPIFY_LOCATION_ID",
        [(shop, facility, places.location_id(store, place)) for place, facility in enumerate((places.QUEUE, *pickup))],
    )
    insert(
        connection,
        tables.shopify_shop_product,
        "SHOP_ID SHOPIFY_PRODUCT_ID PRODUCT_ID SHOPIFY_INVENTORY_ITEM_ID",
        (
            (
                *(shop, places.shopify_product_id(store, one.number), one.product_id),
                places.inventory_item_id(store, one.number),
            )
            for one in sold
        ),
    )


def _stock(connection: Connection, store: SandboxStore, own: list[Facility], sold: list[Product], rng: Random) -> None:
    """Opening stock of every physical product at every place, and the results of HotWax's rules."""
    goods = [one for one in sold if not one.is_digital]
    quantities = iter(rng.choices(range(41), [8] + [3] * 10 + [2] * 30, k=len(goods) * len(own)))
    rules = iter(rng.choices(("", "safety", "no brokering", "no pickup"), [80, 15, 3, 2], k=len(goods) * len(own)))
    items: list[Row] = []
    details: list[Row] = []
    rows: list[Row] = []
    for place in own:
        for one in goods:
            item, quantity, rule = places.stock_id(place.facility_id, one.number), next(quantities), next(rules)
            safety = quantity % 4 + 1 if rule == "safety" else None
            items.append((item, one.product_id, place.facility_id, LOCATION, "NON_SERIAL_INV_ITEM", quantity, quantity))
            details.append((item, OPENING_SEQ_ID, OPENING, OPENING, quantity, quantity, "VAR_EXT_RESET"))
            rows.append(
                (
                    *(one.product_id, place.facility_id, safety, quantity, max(quantity - (safety or 0), 0)),
                    "N" if rule == "no pickup" else "Y",
                    "N" if rule == "no brokering" else "Y",
                    item,
                )
            )
    configuration = places.configuration(store)
    for place, one in enumerate(goods):
        if place % 10 == 1 or place in {12, 34}:
            allowed = "N" if place in {12, 34} else "Y"
            rows.append((one.product_id, configuration, place % 3 + 1, None, None, None, allowed, None))
    insert(
        connection,
        tables.inventory_item,
        "INVENTORY_ITEM_ID PRODUCT_ID FACILITY_ID LOCATION_SEQ_ID INVENTORY_ITEM_TYPE_ID QUANTITY_ON_HAND_TOTAL"
        " AVAILABLE_TO_PROMISE_TOTAL",
        items,
    )
    insert(
        connection,
        tables.inventory_item_detail,
        "INVENTORY_ITEM_ID INVENTORY_ITEM_DETAIL_SEQ_ID EFFECTIVE_DATE CREATED_STAMP QUANTITY_ON_HAND_DIFF"
        " AVAILABLE_TO_PROMISE_DIFF REASON_ENUM_ID",
        details,
    )
    insert(
        connection,
        tables.product_facility,
        "PRODUCT_ID FACILITY_ID MINIMUM_STOCK LAST_INVENTORY_COUNT COMPUTED_LAST_INVENTORY_COUNT ALLOW_PICKUP"
        " ALLOW_BROKERING INVENTORY_ITEM_ID",
        rows,
    )
