"""The emulator over HTTP: GraphQL as Shopify answers it, the token, the leaky bucket, and trouble on request.

Belongs here: reading requests, costs, answers. Does not: what a quantity call may do (``rules``), counts (``shop``).

Shopify does not publish how it prices a query in full. Here an object costs 1, a page 2 and one more for every 25 nodes
it may hold with all that hangs on each, a mutation 10; what was asked for and not returned is not given back.
"""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import uvicorn
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
    validate,
    value_from_ast_untyped,
)
from graphql.language import IntValueNode, OperationDefinitionNode
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rpsync_assets.sandbox.emulator import rules
from rpsync_assets.sandbox.emulator.shop import Order, Shop

VERSION = "2026-10"
MUTATION_COST = 10
_SINCE = re.compile(r"created_at:>='([^']+)'")


@dataclass
class Behaviour:
    """How the shop is to behave; may be changed while it is served.

    Attributes:
        restore_rate: points a second; 100 is the Standard plan.
        maximum: the bucket's size.
        speed: so many times faster than the clock the bucket fills.
        latency_seconds: before every answer.
        indexes: bad rows are named by their place.
        fail: so many next requests are answered with HTTP 502.
        throttle: so many next requests are throttled, whatever is in the bucket.
        drop: so many next mutations are applied, and the connection is closed without an answer.
        before_mutation: called before a mutation is applied; somebody may buy just then.
    """

    restore_rate: float = 100.0
    maximum: float = 2000.0
    start: float = 2000.0
    speed: float = 1.0
    latency_seconds: float = 0.0
    indexes: bool = True
    fail: int = 0
    throttle: int = 0
    drop: int = 0
    before_mutation: Callable[[], None] = lambda: None


@dataclass
class Asked:
    """One request that was answered."""

    operation: str
    cost: float
    throttled: bool


@dataclass
class Endpoint:
    """A shop that is served."""

    url: str
    token: str = field(repr=False)
    behaviour: Behaviour
    requests: list[Asked] = field(default_factory=list)


@lru_cache
def schema() -> GraphQLSchema:
    """Our subset of Shopify's schema."""
    return build_schema(files("rpsync_assets.sandbox.emulator").joinpath("schema.graphql").read_text("utf-8"))


@lru_cache(maxsize=64)
def _read(text: str) -> tuple[DocumentNode, list[GraphQLError]]:
    document = parse(text)
    return document, validate(schema(), document)


@contextmanager
def serving(shop: Shop, behaviour: Behaviour | None = None) -> Iterator[Endpoint]:
    """Serve a shop on this machine while the block runs."""
    answering = _Answering(shop, behaviour or Behaviour(), secrets.token_urlsafe(16))
    app = Starlette(routes=[Route("/admin/api/{version}/graphql.json", answering.answer, methods=["POST"])])
    # As a library, not as a program: no signal handlers, no log of its own.
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="critical", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, name="shopify-emulator", daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Endpoint(f"http://127.0.0.1:{port}", answering.token, answering.behaviour, answering.requests)
    finally:
        server.should_exit = True
        thread.join(timeout=10)


class _Answering:
    def __init__(self, shop: Shop, behaviour: Behaviour, token: str) -> None:
        self.shop, self.behaviour, self.token = shop, behaviour, token
        self.requests: list[Asked] = []
        self._available, self._at = behaviour.start, time.monotonic()
        self._lock = threading.Lock()

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        if not secrets.compare_digest(request.headers.get("X-Shopify-Access-Token", ""), self.token):
            wrong = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": wrong}, 401)
        answer = await run_in_threadpool(self._answer, body["query"], body.get("variables") or {})
        if answer is None:
            return _Hangup()
        headers = {"X-Shopify-API-Version": VERSION}
        return JSONResponse(answer, 502 if answer.get("errors") == "Bad Gateway" else 200, headers)

    def _answer(self, text: str, variables: Mapping[str, Any]) -> dict[str, Any] | None:
        told = self.behaviour
        if told.latency_seconds:
            time.sleep(told.latency_seconds)
        if told.fail > 0:
            told.fail -= 1
            return {"errors": "Bad Gateway"}
        document, wrong = _read(text)
        if wrong:
            return {"errors": [{"message": error.message} for error in wrong]}
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        top = next(node for node in operation.selection_set.selections if isinstance(node, FieldNode))
        cost = _cost(operation)
        status, throttled = self._draw(cost)
        self.requests.append(Asked(top.name.value, cost, throttled))
        extensions = {"cost": {"requestedQueryCost": cost, "actualQueryCost": None, "throttleStatus": status}}
        if throttled:
            error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return {"errors": [error], "extensions": extensions}
        extensions["cost"]["actualQueryCost"] = cost
        if operation.operation.value == "mutation":
            told.before_mutation()
        result = execute_sync(
            schema(), document, _Root(self.shop, told.indexes, _key(top, variables)), variable_values=dict(variables)
        )
        if operation.operation.value == "mutation" and told.drop > 0:
            told.drop -= 1
            return None
        errors = [
            {
                "message": error.message,
                "extensions": {"code": getattr(error.original_error, "code", "INTERNAL_SERVER_ERROR")},
            }
            for error in result.errors or []
        ]
        return {"data": result.data, "extensions": extensions, **({"errors": errors} if errors else {})}

    def _draw(self, cost: float) -> tuple[dict[str, float], bool]:
        """Take points out of the bucket, if they are there."""
        told = self.behaviour
        with self._lock:
            now = time.monotonic()
            dripped = (now - self._at) * told.restore_rate * told.speed
            self._available, self._at = min(told.maximum, self._available + dripped), now
            throttled = self._available < cost or told.throttle > 0
            told.throttle -= told.throttle > 0
            if not throttled:
                self._available -= cost
            return {
                "maximumAvailable": told.maximum,
                "currentlyAvailable": self._available,
                "restoreRate": told.restore_rate * told.speed,
            }, throttled


class _Hangup(Response):
    """The line is cut after all was done, and before anything was said."""

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        raise ConnectionResetError


def _cost(operation: OperationDefinitionNode) -> float:
    if operation.operation.value == "mutation":
        return MUTATION_COST
    return sum(_field_cost(node) for node in operation.selection_set.selections if isinstance(node, FieldNode))


def _field_cost(node: FieldNode) -> float:
    if node.selection_set is None:
        return 0
    inner = sum(_field_cost(one) for one in node.selection_set.selections if isinstance(one, FieldNode))
    size = next(
        (int(a.value.value) for a in node.arguments if a.name.value == "first" and isinstance(a.value, IntValueNode)),
        None,
    )
    return 1 + inner if size is None else 2 + -(-size * max(inner, 1) // 25)


def _key(top: FieldNode, variables: Mapping[str, Any]) -> str | None:
    for directive in top.directives:
        if directive.name.value == "idempotent":
            return value_from_ast_untyped(directive.arguments[0].value, dict(variables))
    return None


class _Root:
    """The resolvers; what they return is plain, and graphql reads it by name."""

    def __init__(self, shop: Shop, indexes: bool, key: str | None) -> None:  # noqa: FBT001
        self._shop, self._indexes, self._key = shop, indexes, key

    def shop(self, _info: Any) -> dict[str, str]:
        return {"name": "Sandbox", "myshopifyDomain": "sandbox.myshopify.com"}

    def location(self, _info: Any, id: str) -> dict[str, Any] | None:  # noqa: A002  Shopify's name
        location = _number(id)
        if not self._shop.has_location(location):
            return None

        def levels(_info: Any, first: int, after: str | None = None) -> dict[str, Any]:
            found = self._shop.page(location, after or "", first + 1)
            nodes = [
                {
                    "id": f"gid://shopify/InventoryLevel/{location}?inventory_item_id={item}",
                    "item": {"id": _gid("InventoryItem", item)},
                    "location": {"id": id},
                    "quantities": [{"name": "available", "quantity": available}],
                }
                for item, available in found[:first]
            ]
            more = len(found) > first
            return {
                "nodes": nodes,
                "pageInfo": {"hasNextPage": more, "endCursor": found[:first][-1][0] if nodes else None},
            }

        return {"id": id, "name": f"Location {location}", "inventoryLevels": levels}

    def order(self, _info: Any, id: str) -> dict[str, Any] | None:  # noqa: A002
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
        since = _SINCE.fullmatch(query)
        found = self._shop.orders("id > ? AND created_at >= ?", first + 1, int(after or 0), since[1] if since else "")
        page = {"hasNextPage": len(found) > first, "endCursor": str(found[:first][-1].id) if found else None}
        return {"nodes": [_order(one) for one in found[:first]], "pageInfo": page}

    def inventorySetQuantities(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, N802
        return self._change("set", input)

    def inventoryAdjustQuantities(self, _info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, N802
        return self._change("adjust", input)

    def _change(self, verb: rules.Verb, given: dict[str, Any]) -> dict[str, Any]:
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
            "refundLineItems": lambda _info, first, line=lines[item], units=units, restocked=restocked: _page(
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
            ),
        }
        for number, (item, units, restocked) in enumerate(order.refunds, start=1)
    ]
    # A cancelled order's fulfillment order holds nothing any more.
    held = [] if order.cancelled_at else [line for line in lines.values() if line["currentQuantity"]]
    assigned = {
        "id": _gid("FulfillmentOrder", str(order.id)),
        "assignedLocation": {"location": place},
        "lineItems": lambda _info, first: _page(
            [{"id": line["id"], "lineItem": line, "totalQuantity": line["currentQuantity"]} for line in held], first
        ),
    }
    return {
        "id": _gid("Order", str(order.id)),
        "name": f"#{order.id}",
        "createdAt": order.created_at,
        "cancelledAt": order.cancelled_at,
        "lineItems": lambda _info, first: _page(list(lines.values()), first),
        "refunds": lambda _info, first: refunds[:first],
        "fulfillmentOrders": lambda _info, first: _page([assigned], first),
    }


def _page(nodes: list[dict[str, Any]], first: int) -> dict[str, Any]:
    return {"nodes": nodes[:first], "pageInfo": {"hasNextPage": len(nodes) > first, "endCursor": None}}


def _gid(kind: str, number: str) -> str:
    return f"gid://shopify/{kind}/{number}"


def _number(gid: str) -> str:
    return gid.rsplit("/", 1)[-1]
