"""The HotWax/OFBiz tables that the product reads, as far as its queries need them (source: UDM entity definitions).

Belongs here: table shapes, under HotWax's own names, so that the same SQL runs on the embedded OMS (SQLite) and on a
HotWax replica (MySQL/MariaDB). Does not: rules, queries, data.

One fact a newcomer would get wrong: all moments in an OMS database are UTC without a zone, as HotWax's servers store
them, and ``PRODUCT_FACILITY.LAST_INVENTORY_COUNT`` is the available-to-promise total, not the quantity on hand.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Numeric, String, Table, Text, func
from sqlalchemy.types import TypeEngine

metadata = MetaData()

_TYPES: Mapping[str, TypeEngine[Any]] = {
    "id": String(40),
    "text": String(255),
    "long": Text(),
    "flag": String(1),
    "moment": DateTime(),
    "number": Numeric(26, 6, asdecimal=False),
    "integer": Integer(),
}


def _table(name: str, *columns: str) -> Table:
    """A table from ``COLUMN:type`` words; no type means ``id`` and a star marks the primary key."""

    def column(word: str) -> Column[object]:
        column_name, _, type_name = word.partition(":")
        key = column_name.endswith("*")
        return Column(column_name.rstrip("*"), _TYPES[type_name or "id"], primary_key=key, nullable=not key)

    return Table(name, metadata, *map(column, columns))


# Facilities -----------------------------------------------------------------------------------------------------------
facility_type = _table("FACILITY_TYPE", "FACILITY_TYPE_ID*", "PARENT_TYPE_ID")
facility = _table(
    "FACILITY",
    *("FACILITY_ID*", "FACILITY_TYPE_ID", "FACILITY_NAME:text", "EXTERNAL_ID:text", "CLOSED_DATE:moment"),
)
facility_location = _table("FACILITY_LOCATION", "FACILITY_ID*", "LOCATION_SEQ_ID*", "LOCATION_TYPE_ENUM_ID")
facility_group = _table("FACILITY_GROUP", "FACILITY_GROUP_ID*", "FACILITY_GROUP_TYPE_ID")
facility_group_member = _table(
    "FACILITY_GROUP_MEMBER", "FACILITY_ID*", "FACILITY_GROUP_ID*", "FROM_DATE*:moment", "THRU_DATE:moment"
)
product_store = _table(
    "PRODUCT_STORE",
    *("PRODUCT_STORE_ID*", "STORE_NAME:text", "RESERVE_INVENTORY:flag", "DEFAULT_TIME_ZONE_STRING:text"),
)
product_store_setting = _table(
    "PRODUCT_STORE_SETTING",
    *("PRODUCT_STORE_ID*", "SETTING_TYPE_ENUM_ID*", "FROM_DATE*:moment", "THRU_DATE:moment", "SETTING_VALUE:text"),
)
product_store_facility = _table(
    "PRODUCT_STORE_FACILITY", "PRODUCT_STORE_ID*", "FACILITY_ID*", "FROM_DATE*:moment", "THRU_DATE:moment"
)

# Products -------------------------------------------------------------------------------------------------------------
product_type = _table("PRODUCT_TYPE", "PRODUCT_TYPE_ID*", "IS_PHYSICAL:flag", "IS_DIGITAL:flag")
product = _table(
    "PRODUCT",
    *("PRODUCT_ID*", "PRODUCT_TYPE_ID", "INTERNAL_NAME:text", "PRODUCT_NAME:text", "IS_VIRTUAL:flag"),
    *("SALES_DISCONTINUATION_DATE:moment", "CREATED_DATE:moment"),
)
good_identification = _table(
    "GOOD_IDENTIFICATION",
    *(
        "GOOD_IDENTIFICATION_TYPE_ID*",
        "PRODUCT_ID*",
        "FROM_DATE*:moment",
        "ID_VALUE:text",
        "THRU_DATE:moment",
    ),
)
shopify_shop = _table("SHOPIFY_SHOP", "SHOP_ID*", "SHOPIFY_SHOP_ID", "PRODUCT_STORE_ID", "MYSHOPIFY_DOMAIN:text")
shopify_shop_product = _table(
    "SHOPIFY_SHOP_PRODUCT", "SHOP_ID*", "SHOPIFY_PRODUCT_ID*", "PRODUCT_ID", "SHOPIFY_INVENTORY_ITEM_ID"
)
shopify_shop_location = _table("SHOPIFY_SHOP_LOCATION", "SHOP_ID*", "FACILITY_ID*", "SHOPIFY_LOCATION_ID")
shopify_shop_order = _table("SHOPIFY_SHOP_ORDER", "SHOP_ID*", "ORDER_ID*", "SHOPIFY_ORDER_ID")

# Orders ---------------------------------------------------------------------------------------------------------------
order_header = _table(
    "ORDER_HEADER",
    *("ORDER_ID*", "ORDER_TYPE_ID", "ORDER_NAME:text", "EXTERNAL_ID:text", "SALES_CHANNEL_ENUM_ID"),
    *("ORDER_DATE:moment", "ENTRY_DATE:moment", "STATUS_ID", "PRODUCT_STORE_ID"),
)
order_item = _table(
    "ORDER_ITEM",
    *("ORDER_ID*", "ORDER_ITEM_SEQ_ID*", "PRODUCT_ID", "QUANTITY:number", "CANCEL_QUANTITY:number"),
    *("STATUS_ID", "SHIP_GROUP_SEQ_ID"),
)
order_item_ship_group = _table(
    "ORDER_ITEM_SHIP_GROUP", "ORDER_ID*", "SHIP_GROUP_SEQ_ID*", "FACILITY_ID", "SHIPMENT_METHOD_TYPE_ID"
)
order_item_reservation = _table(
    "ORDER_ITEM_SHIP_GRP_INV_RES",
    *("ORDER_ID*", "SHIP_GROUP_SEQ_ID*", "ORDER_ITEM_SEQ_ID*", "INVENTORY_ITEM_ID*"),
    *("QUANTITY:number", "RESERVED_DATETIME:moment"),
)
order_status = _table(
    "ORDER_STATUS",
    *("ORDER_STATUS_ID*", "STATUS_ID", "ORDER_ID", "ORDER_ITEM_SEQ_ID", "STATUS_DATETIME:moment"),
)
item_issuance = _table(
    "ITEM_ISSUANCE",
    *("ITEM_ISSUANCE_ID*", "ORDER_ID", "ORDER_ITEM_SEQ_ID", "SHIP_GROUP_SEQ_ID", "INVENTORY_ITEM_ID"),
    *("SHIPMENT_ID", "ISSUED_DATE_TIME:moment", "QUANTITY:number", "CANCEL_QUANTITY:number"),
    "CANCELLED_DATE_TIME:moment",
)
order_fulfillment_history = _table(
    "ORDER_FULFILLMENT_HISTORY",
    *("FULFILLMENT_LOG_ID*", "SHIPMENT_ID", "ORDER_ID", "ORDER_ITEM_SEQ_ID", "CREATED_DATE:moment"),
)

# Inventory ------------------------------------------------------------------------------------------------------------
product_facility = _table(
    "PRODUCT_FACILITY",
    *("PRODUCT_ID*", "FACILITY_ID*", "MINIMUM_STOCK:number", "LAST_INVENTORY_COUNT:number"),
    *(
        "COMPUTED_LAST_INVENTORY_COUNT:number",
        "ALLOW_PICKUP:flag",
        "ALLOW_BROKERING:flag",
        "INVENTORY_ITEM_ID",
    ),
)
inventory_item = _table(
    "INVENTORY_ITEM",
    *("INVENTORY_ITEM_ID*", "PRODUCT_ID", "FACILITY_ID", "LOCATION_SEQ_ID", "INVENTORY_ITEM_TYPE_ID"),
    *("QUANTITY_ON_HAND_TOTAL:number", "AVAILABLE_TO_PROMISE_TOTAL:number"),
)
# EFFECTIVE_DATE is the event time of a movement, CREATED_STAMP its arrival time.
inventory_item_detail = _table(
    "INVENTORY_ITEM_DETAIL",
    *("INVENTORY_ITEM_ID*", "INVENTORY_ITEM_DETAIL_SEQ_ID*", "EFFECTIVE_DATE:moment"),
    *("QUANTITY_ON_HAND_DIFF:number", "AVAILABLE_TO_PROMISE_DIFF:number", "ORDER_ID", "ORDER_ITEM_SEQ_ID"),
    *(
        "SHIPMENT_ID",
        "RETURN_ID",
        "ITEM_ISSUANCE_ID",
        "RECEIPT_ID",
        "PHYSICAL_INVENTORY_ID",
        "REASON_ENUM_ID",
    ),
    *("DESCRIPTION:text", "CREATED_STAMP:moment"),
)

# Imports --------------------------------------------------------------------------------------------------------------
data_manager_log = _table(
    "DATA_MANAGER_LOG",
    *("LOG_ID*", "CONFIG_ID", "UPLOAD_FILE_CONTENT_ID", "ERROR_RECORD_CONTENT_ID", "CREATED_DATE:moment"),
    *("START_DATE_TIME:moment", "FINISH_DATE_TIME:moment", "STATUS_ID", "PRODUCT_STORE_ID"),
    *("TOTAL_RECORD_COUNT:integer", "FAILED_RECORD_COUNT:integer", "REMOTE_FILE_PATH:text"),
)
data_manager_content = _table(
    "DATA_MANAGER_CONTENT",
    *("LOG_CONTENT_ID*", "LOG_ID", "FILE_NAME:text", "FILE_SIZE:integer", "CONTENT_LOCATION:text"),
    # CONTENT_HASH is the embedded OMS's own: the same name with other content is another file.
    *("LOG_CONTENT_TYPE_ENUM_ID", "CONTENT_DATE:moment", "CONTENT_HASH:text"),
)
# HotWax's planned table of reset rows, plus what a receipt needs of each row: its snapshot, generation and outcome.
external_inventory_reset = _table(
    "EXTERNAL_INVENTORY_RESET",
    *(
        "RESET_ITEM_ID*",
        "LOG_ID",
        "LINE_NUMBER:integer",
        "FACILITY_ID",
        "PRODUCT_ID",
        "PRODUCT_IDENT_VALUE:text",
    ),
    *("EXTERNAL_FACILITY_ID:text", "INVENTORY_ITEM_ID", "SNAPSHOT_DATE:moment", "GENERATION:integer"),
    *("EXTERNAL_QOH:number", "INVENTORY_ITEM_QOH:number", "INVENTORY_ITEM_ATP:number", "MOVED_SINCE:number"),
    *("QUANTITY_ON_HAND_DIFF:number", "ROW_STATUS", "REASON:text", "CREATED_DATE:moment"),
)
inventory_item_variance = _table(
    "INVENTORY_ITEM_VARIANCE",
    *(
        "INVENTORY_ITEM_ID*",
        "PHYSICAL_INVENTORY_ID*",
        "LOG_ID",
        "LINE_NUMBER:integer",
        "FACILITY_ID",
        "PRODUCT_ID",
    ),
    *(
        "PRODUCT_IDENT_VALUE:text",
        "VARIANCE_REASON_ID",
        "REQUESTED_VAR:number",
        "QUANTITY_ON_HAND_VAR:number",
    ),
    *("AVAILABLE_TO_PROMISE_VAR:number", "INVENTORY_ITEM_QOH:number", "ROW_STATUS", "REASON:text"),
    *("COMMENTS:text", "CREATED_DATE:moment"),
)

# What the Update Inventory API took in; the embedded OMS's own, HotWax has no memory of requests (domain.md 1.6).
inventory_update = _table(
    "INVENTORY_UPDATE",
    *("INVENTORY_UPDATE_ID*", "CLIENT:text", "IDEMPOTENCY_KEY:text", "BODY_HASH:text", "FACILITY_ID", "PRODUCT_ID"),
    *("QUANTITY:number", "EVENT_DATE:moment", "RECEIVED_DATE:moment", "LOOKS_LIKE", "INVENTORY_ITEM_ID"),
    *("INVENTORY_ITEM_DETAIL_SEQ_ID", "ANSWER:long"),
)

Index("INVENTORY_UPDATE_KEY", inventory_update.c.CLIENT, inventory_update.c.IDEMPOTENCY_KEY, unique=True)
Index(
    "INVENTORY_UPDATE_BODY",
    inventory_update.c.CLIENT,
    inventory_update.c.BODY_HASH,
    inventory_update.c.RECEIVED_DATE,
)
Index(
    "GOOD_IDENTIFICATION_VALUE",
    good_identification.c.ID_VALUE,
    good_identification.c.GOOD_IDENTIFICATION_TYPE_ID,
)
# Leading zeros carry no meaning in a UPC; an index over an expression is SQLite's (the embedded OMS's) only.
Index(
    "GOOD_IDENTIFICATION_NUMBER",
    func.ltrim(good_identification.c.ID_VALUE, "0"),
    good_identification.c.GOOD_IDENTIFICATION_TYPE_ID,
).ddl_if(dialect="sqlite")
Index("GOOD_IDENTIFICATION_PRODUCT", good_identification.c.PRODUCT_ID)
Index("FACILITY_EXTERNAL", facility.c.EXTERNAL_ID)
Index("INVENTORY_ITEM_KEY", inventory_item.c.FACILITY_ID, inventory_item.c.PRODUCT_ID)
Index(
    "INVENTORY_ITEM_DETAIL_EVENT",
    inventory_item_detail.c.INVENTORY_ITEM_ID,
    inventory_item_detail.c.EFFECTIVE_DATE,
)
Index("ORDER_STATUS_ORDER", order_status.c.ORDER_ID, order_status.c.STATUS_ID)
Index("ITEM_ISSUANCE_ORDER", item_issuance.c.ORDER_ID, item_issuance.c.ORDER_ITEM_SEQ_ID)
Index("EXTERNAL_INVENTORY_RESET_LOG", external_inventory_reset.c.LOG_ID)
Index(
    "EXTERNAL_INVENTORY_RESET_KEY",
    external_inventory_reset.c.FACILITY_ID,
    external_inventory_reset.c.PRODUCT_ID,
    external_inventory_reset.c.SNAPSHOT_DATE,
)
Index("INVENTORY_ITEM_VARIANCE_LOG", inventory_item_variance.c.LOG_ID)
Index("DATA_MANAGER_LOG_FILE", data_manager_log.c.CONFIG_ID, data_manager_log.c.REMOTE_FILE_PATH)
