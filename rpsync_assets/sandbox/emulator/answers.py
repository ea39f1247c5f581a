"""What the emulator's operations answer, in the shapes of its schema.

Belongs here: locations, orders and quantity calls as GraphQL reads them. Does not: what a call may do (``rules``), HTTP
and costs (``server``).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rpsync_assets.sandbox.emulator import rules
from rpsync_assets.sandbox.emulator.shop import Order, Shop

_SINCE = re.compile(r"(created_at|updated_at):>='([^']+)'")


@dataclass(frozen=True)
class About:
    """The shop beside its counts: the API's version, what the app may do, and locations that are closed."""

    version: str
    scopes: Sequence[str]
    inactive: Collection[str]


class Root:
    """The resolvers; what they return is plain, and graphql reads it by name."""

    def __init__(self, shop: Shop, about: About, key: str | None, *, indexes: bool, say: str | None) -> None:
        self._about = about
        self._shop, self._key, self._indexes, self._say = shop, key, indexes, say

    def shop(self, _info: Any) -> dict[str, str]:
        """Its names."""
        return {"name": "Sandbox", "myshopifyDomain": "sandbox.myshopify.com"}

    def currentAppInstallation(self, _info: Any) -> dict[str, Any]:  # noqa: N802
        """What the app may do."""
        return {"accessScopes": [{"handle": scope} for scope in self._about.scopes]}

    def publicApiVersions(self, _info: Any) -> list[dict[str, Any]]:  # noqa: N802
        """The one that is emulated."""
        return [{"handle": self._about.version, "supported": True}]

    def locations(
        self,
        _info: Any,
        first: int,
        after: str | None = None,
        includeInactive: bool = False,  # noqa: FBT001, FBT002, N803
    ) -> dict[str, Any]:
        """A page of locations that hold stock."""
        found = [
            {"id": _gid("Location", place), "name": f"Location {place}", "isActive": place not in self._about.inactive}
            for place in self._shop.locations()
        ]
        return _page([place for place in found if place["isActive"] or includeInactive], first, after)

    def location(self, _info: Any, id: str) -> dict[str, Any] | None:  # noqa: A002  Shopify's name
        """A location that holds stock."""
        location = _number(id)
        if not self._shop.has_location(location):
            return None

        def levels(_info: Any, first: int, after: str | None = None) -> dict[str, Any]:
            found = self._shop.page(location, after or "", first + 1)
            nodes = [self._level(item, location, available) for item, available in found[:first]]
            more = len(found) > first
            return {
                "nodes": nodes,
                "pageInfo": {"hasNextPage": more, "endCursor": found[:first][-1][0] if nodes else None},
            }

        return {
            "id": id,
            "name": f"Location {location}",
            "isActive": location not in self._about.inactive,
            "inventoryLevels": levels,
        }

    def nodes(self, _info: Any, ids: list[str]) -> list[dict[str, Any] | None]:
        """Inventory items by their ids."""
        return [self._node(gid) for gid in ids]

    def _node(self, gid: str) -> dict[str, Any] | None:
        kind, number = gid.split("/")[-2:]
        if kind in {"Order", "FulfillmentOrder", "Refund"}:
            found = self._shop.orders("id = ?", 1, int(number[:-3] if kind == "Refund" else number))
            if not found:
                return None
            order = _order(found[0])
            within = {"Order": [order], "FulfillmentOrder": order["assigned"], "Refund": order["refunded"]}[kind]
            return next(({"__typename": kind, **one} for one in within if one["id"] == gid), None)
        if kind != "InventoryItem" or self._shop.marked("deleted", [number]):
            return None

        def level(_info: Any, locationId: str) -> dict[str, Any] | None:  # noqa: N803
            place = (number, _number(locationId))
            found = self._shop.counts_of([place])
            return self._level(*place, found[place]) if place in found else None

        return {"__typename": kind, "id": gid, "inventoryLevel": level}

    @staticmethod
    def _level(item: str, location: str, available: int) -> dict[str, Any]:
        return {
            "id": f"gid://shopify/InventoryLevel/{location}?inventory_item_id={item}",
            "item": {"id": _gid("InventoryItem", item)},
            "location": {"id": _gid("Location", location)},
            "quantities": [{"name": "available", "quantity": available}],
        }

    def order(self, _info: Any, id: str) -> dict[str, Any] | None:  # noqa: A002
        """One order."""
        found = self._shop.orders("id = ?", 1, int(_number(id)))
        return _order(found[0]) if found else None

    def orders(
        self,
        _info: Any,
        first: int,
        after: str | None = None,
        query: str = "",
        sortKey: str = "",  # noqa: ARG002, N803
    ) -> dict[str, Any]:
        """A page of orders, oldest first."""
        since = {"created_at": "", "updated_at": "", **dict(_SINCE.findall(query))}
        found = self._shop.orders(
            "id > ? AND created_at >= ? AND updated_at >= ?",
            first + 1,
            int(after or 0),
            since["created_at"],
            since["updated_at"],
        )
        page = {"hasNextPage": len(found) > first, "endCursor": str(found[:first][-1].id) if found else None}
        return {"nodes": [_order(one) for one in found[:first]], "pageInfo": page}

    def inventorySetQuantities(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, N802
        """Set counts."""
        return self._change("set", input)

    def inventoryAdjustQuantities(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, N802
        """Adjust counts."""
        return self._change("adjust", input)

    def _change(self, verb: rules.Verb, given: dict[str, Any]) -> dict[str, Any]:
        if self._say is not None:
            errors = [rules.error(["input"], self._say, self._say.replace("_", " ").capitalize())]
        else:
            errors = rules.apply(self._shop, verb, given, self._key, indexes=self._indexes)
        group = None if errors else {"id": f"gid://shopify/InventoryAdjustmentGroup/{self._key}"}
        return {"inventoryAdjustmentGroup": group, "userErrors": errors}


def _order(order: Order) -> dict[str, Any]:
    place = {"id": _gid("Location", order.location)}
    lines = {
        item: {
            "id": _gid("LineItem", f"{order.id}{number:03d}"),
            "quantity": units,
            "currentQuantity": units - sum(refunded for one, refunded, _ in order.refunds if one == item),
            "variant": {"id": _gid("ProductVariant", item), "inventoryItem": {"id": _gid("InventoryItem", item)}},
        }
        for number, (item, units) in enumerate(order.lines.items(), start=1)
    }
    refunds = [
        {
            "id": _gid("Refund", f"{order.id}{number:03d}"),
            "refundLineItems": lambda _info, first, after=None, line=lines[item], units=units, restocked=restocked: (
                _page(
                    [
                        {
                            "quantity": units,
                            "restocked": restocked,
                            "restockType": "CANCEL" if restocked else "NO_RESTOCK",
                            "location": place if restocked else None,
                            "lineItem": line,
                        }
                    ],
                    first,
                    after,
                )
            ),
        }
        for number, (item, units, restocked) in enumerate(order.refunds, start=1)
    ]
    # A cancelled order's fulfillment order holds nothing any more.
    held = [] if order.cancelled_at else [line for line in lines.values() if line["currentQuantity"]]
    assigned = {
        "id": _gid("FulfillmentOrder", str(order.id)),
        "assignedLocation": {"location": place},
        "status": "CLOSED" if order.cancelled_at else "OPEN",
        "lineItems": lambda _info, first, after=None: _page(
            [{"id": line["id"], "lineItem": line, "totalQuantity": line["currentQuantity"]} for line in held],
            first,
            after,
        ),
    }
    return {
        "id": _gid("Order", str(order.id)),
        "name": f"#{order.id}",
        "createdAt": order.created_at,
        "updatedAt": order.updated_at,
        "cancelledAt": order.cancelled_at,
        "lineItems": lambda _info, first, after=None: _page(list(lines.values()), first, after),
        "refunds": lambda _info, first: refunds[:first],
        "fulfillmentOrders": lambda _info, first, after=None: _page([assigned], first, after),
        # For nodes that are asked for by their own ids.
        "assigned": [assigned],
        "refunded": refunds,
    }


def _page(nodes: list[dict[str, Any]], first: int, after: str | None) -> dict[str, Any]:
    end = int(after or 0) + first
    return {
        "nodes": nodes[end - first : end],
        "pageInfo": {"hasNextPage": len(nodes) > end, "endCursor": str(end)},
    }


def _gid(kind: str, number: str) -> str:
    return f"gid://shopify/{kind}/{number}"


def _number(gid: str) -> str:
    return gid.rsplit("/", 1)[-1]
