"""HotWax's ledger as its entity triggers keep it: totals are sums of details, the product's count follows (domain 2.2).

Belongs here: writing a ledger row, and finding or making the item it belongs to. Does not: why it is written
(``stand_in``, ``world``), and nothing of ``rpsync_assets`` but the shape of the tables.
"""

import itertools
from datetime import datetime

from sqlalchemy import Connection, insert, select, text, update

from rpsync_assets.oms.tables import inventory_item, inventory_item_detail, product_facility

_FOLLOW = (
    """
    UPDATE INVENTORY_ITEM SET
      QUANTITY_ON_HAND_TOTAL =
        (SELECT SUM(QUANTITY_ON_HAND_DIFF) FROM INVENTORY_ITEM_DETAIL WHERE INVENTORY_ITEM_ID = :item),
      AVAILABLE_TO_PROMISE_TOTAL =
        (SELECT SUM(AVAILABLE_TO_PROMISE_DIFF) FROM INVENTORY_ITEM_DETAIL WHERE INVENTORY_ITEM_ID = :item)
    WHERE INVENTORY_ITEM_ID = :item""",
    """
    UPDATE PRODUCT_FACILITY SET LAST_INVENTORY_COUNT =
      (SELECT SUM(I.AVAILABLE_TO_PROMISE_TOTAL) FROM INVENTORY_ITEM I
       WHERE I.FACILITY_ID = PRODUCT_FACILITY.FACILITY_ID AND I.PRODUCT_ID = PRODUCT_FACILITY.PRODUCT_ID)
    WHERE INVENTORY_ITEM_ID = :item""",
    """
    UPDATE PRODUCT_FACILITY SET COMPUTED_LAST_INVENTORY_COUNT =
      CASE WHEN LAST_INVENTORY_COUNT >= COALESCE(MINIMUM_STOCK, 0)
           THEN LAST_INVENTORY_COUNT - COALESCE(MINIMUM_STOCK, 0) ELSE 0 END
    WHERE INVENTORY_ITEM_ID = :item""",
)
"""The triggers behind a new ledger row, in their order."""

_numbers = itertools.count(10001)


def new_id() -> str:
    """An id as HotWax's sequences give them: later ones sort after earlier ones."""
    return f"M{next(_numbers)}"


def item_of(connection: Connection, facility: str, product: str, location: str | None = None) -> str:
    """The inventory item of a key: PRODUCT_FACILITY names it; made with 0/0 where there is none."""
    key = {"PRODUCT_ID": product, "FACILITY_ID": facility}
    row = connection.execute(select(product_facility.c.INVENTORY_ITEM_ID).filter_by(**key)).first()
    if row is not None and row[0]:
        return str(row[0])
    item = new_id()
    connection.execute(
        insert(inventory_item).values(
            INVENTORY_ITEM_ID=item,
            INVENTORY_ITEM_TYPE_ID="NON_SERIAL_INV_ITEM",
            LOCATION_SEQ_ID=location or "TLTLTLLL01",
            QUANTITY_ON_HAND_TOTAL=0,
            AVAILABLE_TO_PROMISE_TOTAL=0,
            **key,
        )
    )
    if row is None:
        counts = {"LAST_INVENTORY_COUNT": 0, "COMPUTED_LAST_INVENTORY_COUNT": 0}
        connection.execute(insert(product_facility).values(INVENTORY_ITEM_ID=item, **key, **counts))
    else:
        connection.execute(update(product_facility).filter_by(**key).values(INVENTORY_ITEM_ID=item))
    return item


def totals(connection: Connection, item: str) -> tuple[float, float]:
    """Quantity on hand and available to promise of an item, held until the transaction ends."""
    counts = select(inventory_item.c.QUANTITY_ON_HAND_TOTAL, inventory_item.c.AVAILABLE_TO_PROMISE_TOTAL)
    row = connection.execute(counts.filter_by(INVENTORY_ITEM_ID=item).with_for_update()).one()
    return row[0] or 0, row[1] or 0


def post(
    connection: Connection,
    item: str,
    moved: tuple[float, float],
    event: datetime,
    arrived: datetime | None = None,
    **columns: object,
) -> None:
    """A ledger row, by how much QOH and ATP ``moved``, and the totals that follow from it; moments are naive UTC."""
    connection.execute(
        insert(inventory_item_detail).values(
            INVENTORY_ITEM_ID=item,
            INVENTORY_ITEM_DETAIL_SEQ_ID=new_id(),
            EFFECTIVE_DATE=event,
            CREATED_STAMP=arrived or event,
            QUANTITY_ON_HAND_DIFF=moved[0],
            AVAILABLE_TO_PROMISE_DIFF=moved[1],
            **columns,
        )
    )
    for statement in _FOLLOW:
        connection.execute(text(statement), {"item": item})
