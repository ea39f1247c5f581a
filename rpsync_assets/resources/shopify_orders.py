"""Shopify's own orders: what each of them took from an item at a location, read whole.

Belongs here: the questions about orders, their pages within pages, and units per location. Does not: what is under way
(``core/publication``), HTTP (``resources/shopify_api``).

A page of orders carries the first lines of each. Of the few orders that are longer, the rest is read page by page.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import polars as pl

from rpsync_assets.core.errors import PermanentError
from rpsync_assets.core.publication import TAKEN_SCHEMA
from rpsync_assets.resources.shopify_api import ShopifyApi, TooDearError, number_of

ORDERS_PER_PAGE = 25
LONGEST_PAGE = 250
"""Rows of one page, and of a list that has no pages (domain.md 5.4)."""

_LINES = "nodes { id quantity variant { inventoryItem { id } } } pageInfo { hasNextPage endCursor }"
_RETURNED = "nodes { quantity restocked location { id } lineItem { id } } pageInfo { hasNextPage endCursor }"
_HELD = "nodes { totalQuantity lineItem { id } } pageInfo { hasNextPage endCursor }"
_PLACES = f"""
  nodes {{ id status assignedLocation {{ location {{ id }} }} lineItems(first: 10) {{ {_HELD} }} }}
  pageInfo {{ hasNextPage endCursor }}
"""
ORDERS = f"""
query Orders($since: String!, $after: String, $first: Int!) {{
  orders(first: $first, after: $after, query: $since, sortKey: CREATED_AT) {{
    nodes {{
      id
      updatedAt
      lineItems(first: 10) {{ {_LINES} }}
      refunds(first: 5) {{ id refundLineItems(first: 10) {{ {_RETURNED} }} }}
      fulfillmentOrders(first: 3) {{ {_PLACES} }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""
REFUNDS = f"""
query Refunds($order: ID!) {{
  order(id: $order) {{ refunds(first: {LONGEST_PAGE}) {{ id refundLineItems(first: 1) {{ {_RETURNED} }} }} }}
}}
"""


def _page_of(kind: str, connection: str, content: str, first: int = LONGEST_PAGE) -> str:
    return (
        "query Rest($of: [ID!]!, $after: String) { nodes(ids: $of) { ... on "
        f"{kind} {{ {connection}(first: {first}, after: $after) {{ {content} }} }} }} }}"
    )


LINES = _page_of("Order", "lineItems", _LINES)
PLACES = _page_of("Order", "fulfillmentOrders", _PLACES, 10)
RETURNED = _page_of("Refund", "refundLineItems", _RETURNED)
HELD = _page_of("FulfillmentOrder", "lineItems", _HELD)
DOCUMENTS = {
    "orders": ORDERS,
    "refunds": REFUNDS,
    "lines": LINES,
    "places": PLACES,
    "returned": RETURNED,
    "held": HELD,
}


class TakenByOrders(NamedTuple):
    """What orders took.

    Attributes:
        rows: ``TAKEN_SCHEMA``: what each order took, less what was restocked.
        changed_at: when the newest change among them was made, by Shopify's clock; None without any order.
    """

    rows: pl.DataFrame
    changed_at: datetime | None


def read_taken(api: ShopifyApi, query: str, fallback: str) -> TakenByOrders:
    """What orders took.

    Args:
        api: the shop.
        query: which orders, in Shopify's search words.
        fallback: the location of a line that nothing else places.

    Raises:
        PermanentError: an order has more refunds than can be read.
    """
    rows: list[tuple[str, str, str, int]] = []
    changed_at: datetime | None = None
    after: str | None = None
    first = ORDERS_PER_PAGE
    while True:
        try:
            page = api.ask(ORDERS, {"since": query, "after": after, "first": first})["orders"]
        except TooDearError:
            # How Shopify prices pages within pages is not public: halve the page until it agrees.
            if first == 1:
                raise
            first //= 2
            continue
        for order in page["nodes"]:
            rows += _taken(_Order(api, order), fallback)
            changed = datetime.fromisoformat(order["updatedAt"])
            changed_at = changed if changed_at is None else max(changed_at, changed)
        if not page["pageInfo"]["hasNextPage"]:
            return TakenByOrders(pl.DataFrame(rows, orient="row", schema=TAKEN_SCHEMA), changed_at)
        after = page["pageInfo"]["endCursor"]


def since(created: datetime, changed: datetime | None = None) -> str:
    """Search words for orders that were created since a moment, and of those that changed since another one."""
    words = f"created_at:>='{_instant(created)}'"
    return words if changed is None else f"{words} updated_at:>='{_instant(changed)}'"


class _Order:
    """One order, whole: what its page in the list has cut off is asked for."""

    def __init__(self, api: ShopifyApi, order: Mapping[str, Any]) -> None:
        self._api, self.id = api, str(order["id"])
        self.lines = self._whole(order["id"], order["lineItems"], LINES, "lineItems")
        refunds = order["refunds"]
        if len(refunds) >= 5:
            refunds = api.ask(REFUNDS, {"order": self.id})["order"]["refunds"]
        if len(refunds) >= LONGEST_PAGE:
            raise PermanentError(
                f"Shopify's order {number_of(self.id)} of {api.store} has {LONGEST_PAGE} refunds or more",
                "Nothing was published: what the order took is not known. Report it",
            )
        self.returned = [
            line
            for refund in refunds
            for line in self._whole(refund["id"], refund["refundLineItems"], RETURNED, "refundLineItems")
        ]
        places = self._whole(order["id"], order["fulfillmentOrders"], PLACES, "fulfillmentOrders")
        self.places = [
            (
                None if place["assignedLocation"]["location"] is None else place["assignedLocation"]["location"]["id"],
                self._whole(place["id"], place["lineItems"], HELD, "lineItems"),
            )
            for place in places
            if place["status"] != "CANCELLED"
        ]
        self.assigned = [
            place["assignedLocation"]["location"]["id"] for place in places if place["assignedLocation"]["location"]
        ]

    def _whole(self, owner: str, page: Mapping[str, Any], document: str, connection: str) -> list[Mapping[str, Any]]:
        nodes = list(page["nodes"])
        while page["pageInfo"]["hasNextPage"]:
            (found,) = self._api.ask(document, {"of": [owner], "after": page["pageInfo"]["endCursor"]})["nodes"]
            page = found[connection]
            nodes += page["nodes"]
        return nodes


def _taken(order: _Order, fallback: str) -> list[tuple[str, str, str, int]]:
    """A line is taken where its fulfillment orders lie, and restocked where its refund says."""
    items = {
        line["id"]: number_of(line["variant"]["inventoryItem"]["id"])
        for line in order.lines
        if line["variant"] is not None  # its variant was deleted: there is nothing to publish for it
    }
    held: dict[str, dict[str, int]] = {}
    for location, lines in order.places:
        for line in lines:
            at = held.setdefault(line["lineItem"]["id"], {})
            where = fallback if location is None else number_of(location)
            at[where] = at.get(where, 0) + int(line["totalQuantity"])
    restocked: dict[str, list[tuple[str | None, int]]] = {}
    for line in order.returned:
        if line["restocked"]:
            where = line["location"] and number_of(line["location"]["id"])
            restocked.setdefault(line["lineItem"]["id"], []).append((where, int(line["quantity"])))
    number = number_of(order.id)
    rows: list[tuple[str, str, str, int]] = []
    for line in order.lines:
        if line["id"] not in items:
            continue
        back = restocked.get(line["id"], [])
        # What no fulfillment order holds any more was taken where the rest was, where it was put back, or where the
        # order was to be fulfilled.
        elsewhere = [where for where, _ in back if where] + [number_of(one) for one in order.assigned]
        at = held.get(line["id"]) or {(elsewhere or [fallback])[0]: 0}
        first = next(iter(at))
        at[first] += int(line["quantity"]) - sum(at.values())
        rows += [(number, items[line["id"]], where, units) for where, units in at.items()]
        rows += [(number, items[line["id"]], where or first, -units) for where, units in back]
    return [row for row in rows if row[3]]


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
