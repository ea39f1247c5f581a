"""Shopify behind the product's own client: its requests are answered here, without HTTP and without GraphQL's engine.

Belongs here: answers to the product's own documents, from the sandbox's shop (counts, orders, idempotency), the bucket,
and trouble. Does not: what the product asks (``resources/shopify``), which runs unchanged.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from rpsync_assets.resources import shopify, shopify_orders
from rpsync_assets.resources.shopify_api import Bucket, ShopifyApi, gid, number_of
from rpsync_assets.sandbox.emulator import rules
from rpsync_assets.sandbox.emulator.answers import _SINCE
from rpsync_assets.sandbox.emulator.shop import Order, Shop
from rpsync_assets_tests.simulation.clock import Clock
from rpsync_assets_tests.simulation.doors import Points

TROUBLES = ("throttled", "unavailable", "lost_request", "lost_answer", "busy", "not_now")
OF_CHANGES = {"lost_answer", "busy", "not_now"}
"""What meets calls that change counts only."""


@dataclass(frozen=True)
class _Answer:
    status_code: int
    body: Mapping[str, Any]
    is_redirect: bool = False

    def json(self) -> Mapping[str, Any]:
        return self.body


@dataclass
class ShopDoor:
    """One shop, and the trouble that its next requests meet.

    Attributes:
        trouble: one of ``TROUBLES``, met by the request after ``quiet`` ones.
        requests: how many were answered.
        changed: items that calls changed, with their counts afterwards.
    """

    shop: Shop
    points: Points
    trouble: str | None = None
    quiet: int = 0
    requests: int = 0
    keys: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def session(self, store: str) -> Iterator[shopify.ShopSession]:
        """As ``resources.shopify.Shopify`` opens one."""
        yield shopify.ShopSession(_Api(self, store))

    def post(self, _path: str, json: Mapping[str, Any]) -> _Answer:
        """As ``httpx2.Client`` does."""
        document, given = json["query"], json["variables"]
        changes = document in {shopify.SET, shopify.ADJUST}
        self.points.here("before Shopify changes" if changes else "before Shopify reads")
        trouble = self._meet(changes=changes)
        if trouble in {"throttled", "unavailable", "lost_request", "busy", "not_now"}:
            return self._refuse(trouble, document)
        self.requests += 1
        data = self._change(document, given) if changes else self._read(document, given)
        if trouble == "lost_answer":
            raise httpx2.ReadError("the line is cut")
        if changes and self.points.lost():
            raise httpx2.ReadError("the line is cut")
        self.points.here("after Shopify changed" if changes else "after Shopify read")
        return _Answer(200, {"data": data, "extensions": _cost(1000.0)})

    def _meet(self, *, changes: bool) -> str | None:
        if self.trouble is None:
            return None
        if self.trouble in OF_CHANGES:
            # Most publications have one such call, if any.
            if not changes:
                return None
        else:
            self.quiet -= 1
            if self.quiet >= 0:
                return None
        trouble, self.trouble = self.trouble, None
        self.points.fired[f"Shopify: {trouble.replace('_', ' ')}"] += 1
        return trouble

    @staticmethod
    def _refuse(trouble: str, document: str) -> _Answer:
        if trouble == "lost_request":
            raise httpx2.ConnectError("no way to Shopify")
        if trouble == "unavailable":
            return _Answer(503, {})
        if trouble == "throttled":
            throttled = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return _Answer(200, {"errors": [throttled], "extensions": _cost(0.0)})
        code = shopify.BUSY if trouble == "busy" else "SERVICE_UNAVAILABLE"
        said = {"userErrors": [{"field": None, "code": code, "message": code}]}
        return _Answer(200, {"data": {"change": said}, "extensions": _cost(1000.0)})

    def _change(self, document: str, given: Mapping[str, Any]) -> dict[str, Any]:
        verb: rules.Verb = "set" if document == shopify.SET else "adjust"
        self.keys[given["key"]] = self.keys.get(given["key"], 0) + 1
        return {"change": {"userErrors": rules.apply(self.shop, verb, given["input"], given["key"], indexes=True)}}

    def _read(self, document: str, given: Mapping[str, Any]) -> dict[str, Any]:
        if document == shopify.COUNTS:
            place = number_of(given["location"])
            levels = [_level(item, count) for item, count in self.shop.page(place, "", 250)]
            return {"location": {"inventoryLevels": _page(levels)}}
        if document == shopify.COUNTS_OF:
            place = number_of(given["location"])
            counts = self.shop.counts_of([(number_of(item), place) for item in given["items"]])
            return {
                "nodes": [
                    {"id": item, "inventoryLevel": _level(number_of(item), counts[number_of(item), place])}
                    for item in given["items"]
                ]
            }
        assert document == shopify_orders.ORDERS, document
        since = {"created_at": "", "updated_at": "", **dict(_SINCE.findall(given["since"]))}
        condition = "id > ? AND created_at >= ? AND updated_at >= ?"
        after, first = int(given["after"] or 0), given["first"]
        found = self.shop.orders(condition, first + 1, after, since["created_at"], since["updated_at"])
        page = {"hasNextPage": len(found) > first, "endCursor": str(found[:first][-1].id) if found else None}
        return {"orders": {"nodes": [_order(order) for order in found[:first]], "pageInfo": page}}

    # What is true of it -----------------------------------------------------------------------------------------------
    def available(self, product: str, location: str) -> int:
        """What it shows."""
        return self.shop.available(f"9{product}", location)

    def taken(self, product: str) -> int:
        """Units that its own orders took, less what was restocked."""
        item = f"9{product}"
        return sum(
            order.lines.get(item, 0)
            - sum(units for one, units, restocked in order.refunds if one == item and restocked)
            for order in self.shop.orders("1 = 1", 100_000)
        )


class _Api(ShopifyApi):
    """The product's API client, whose HTTP client is the shop itself."""

    def __init__(self, door: ShopDoor, store: str) -> None:
        clock: Clock = door.points.clock
        bucket = Bucket(clock=lambda: clock.now.timestamp(), sleep=clock.pass_by)  # noqa: PLW0108  the now of then
        super().__init__(store, "https://simulated.myshopify.com", "no token", bucket=bucket)
        self._client = door  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """No HTTP client is made."""

    def close(self) -> None:
        """Nothing is open."""


def _cost(left: float) -> dict[str, Any]:
    status = {"currentlyAvailable": left, "maximumAvailable": 2000.0, "restoreRate": 100.0}
    return {"cost": {"requestedQueryCost": 10.0, "throttleStatus": status}}


def _level(item: str, count: int) -> dict[str, Any]:
    return {"item": {"id": gid("InventoryItem", item)}, "quantities": [{"quantity": count}]}


def _page(nodes: list[Any]) -> dict[str, Any]:
    return {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}


def _order(order: Order) -> dict[str, Any]:
    """An order as the real API tells it: what was given back is in refunds, what is held in a fulfillment order."""
    place = {"id": gid("Location", order.location)}
    ids = {item: gid("LineItem", f"{order.id}{number:03d}") for number, item in enumerate(order.lines, start=1)}
    back = [
        _page(
            [
                {
                    "quantity": units,
                    "restocked": restocked,
                    "location": place if restocked else None,
                    "lineItem": {"id": ids[item]},
                }
            ]
        )
        for item, units, restocked in order.refunds
    ]
    held = [] if order.cancelled_at else list(order.left.items())
    return {
        "id": gid("Order", str(order.id)),
        "updatedAt": order.updated_at,
        "lineItems": _page(
            [
                {"id": ids[item], "quantity": units, "variant": {"inventoryItem": {"id": gid("InventoryItem", item)}}}
                for item, units in order.lines.items()
            ]
        ),
        "refunds": [{"id": gid("Refund", f"{order.id}{n:03d}"), "refundLineItems": one} for n, one in enumerate(back)],
        "fulfillmentOrders": _page(
            [
                {
                    "id": gid("FulfillmentOrder", str(order.id)),
                    "status": "CLOSED" if order.cancelled_at else "OPEN",
                    "assignedLocation": {"location": place},
                    "lineItems": _page(
                        [{"totalQuantity": units, "lineItem": {"id": ids[item]}} for item, units in held]
                    ),
                }
            ]
        ),
    }
