"""The emulator over HTTP: GraphQL as Shopify answers it, the token, the leaky bucket, and trouble on request.

Belongs here: reading requests, costs, answers. Does not: what a quantity call may do (``rules``), counts (``shop``).

Shopify does not publish how it prices a query in full. Here an object costs 1, a page 2 and one more for every 25 nodes
it may hold with all that hangs on each, a mutation 10; what was asked for and not returned is not given back.
"""

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
from graphql.language import OperationDefinitionNode
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rpsync_assets.sandbox.emulator import rules
from rpsync_assets.sandbox.emulator.answers import About, Root
from rpsync_assets.sandbox.emulator.customers import Customers
from rpsync_assets.sandbox.emulator.shop import Shop

VERSION = "2026-10"
MUTATION_COST = 10
HIGHEST_COST = 1000
LONGEST_PAGE = 250
SCOPES = ("read_inventory", "write_inventory", "read_locations", "read_orders")


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
        lose: so many next requests are lost on their way: the connection is closed and nothing was done.
        drop: so many next mutations are applied, and the connection is closed without an answer.
        say: codes that the next mutations are answered with, as errors of the whole call; nothing of them is applied.
        scopes: what the app may do; only shown, nothing is refused for it.
        inactive: locations that somebody has closed.
        customers: so many seconds pass between what customers do, who buy, and cancel some of it; nobody comes if 0.
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
    lose: int = 0
    drop: int = 0
    say: list[str] = field(default_factory=list[str])
    scopes: list[str] = field(default_factory=lambda: list(SCOPES))
    inactive: set[str] = field(default_factory=set[str])
    customers: float = 0.0
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
def _understood(text: str) -> tuple[DocumentNode, OperationDefinitionNode]:
    """A request that is valid.

    Raises:
        RefusedError: it is not GraphQL, or asks for what is not there.
    """
    try:
        document = parse(text)
    except GraphQLError as error:
        raise rules.RefusedError("GRAPHQL_PARSE_FAILED", error.message) from error
    if wrong := validate(schema(), document):
        raise rules.RefusedError("GRAPHQL_VALIDATION_FAILED", wrong[0].message)
    return document, next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))


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
    closing = threading.Event()
    crowd = threading.Thread(target=_crowd, args=(shop, answering.behaviour, closing), name="customers", daemon=True)
    crowd.start()
    try:
        yield Endpoint(f"http://127.0.0.1:{port}", answering.token, answering.behaviour, answering.requests)
    finally:
        closing.set()
        crowd.join(timeout=10)
        server.should_exit = True
        thread.join(timeout=10)


def _crowd(shop: Shop, behaviour: Behaviour, closing: threading.Event) -> None:
    """Customers, for as long as the shop is served."""
    customers = Customers(shop)
    while not closing.wait(behaviour.customers or 0.1):
        if behaviour.customers:
            customers.do_something()


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
            return JSONResponse({"errors": wrong}, 401, {"X-Shopify-API-Version": VERSION})
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
        if told.lose > 0:
            told.lose -= 1
            return None
        try:
            document, operation = _understood(text)
            cost = _cost(operation, variables)
        except rules.RefusedError as refused:
            return {"errors": [{"message": str(refused), "extensions": {"code": refused.code}}]}
        top = next(node for node in operation.selection_set.selections if isinstance(node, FieldNode))
        status, throttled = self._draw(cost)
        self.requests.append(Asked(top.name.value, cost, throttled))
        extensions = {"cost": {"requestedQueryCost": cost, "actualQueryCost": None, "throttleStatus": status}}
        if throttled:
            error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return {"errors": [error], "extensions": extensions}
        extensions["cost"]["actualQueryCost"] = cost
        if operation.operation.value == "mutation":
            told.before_mutation()
        said = told.say.pop(0) if told.say and operation.operation.value == "mutation" else None
        about = About(VERSION, told.scopes, told.inactive)
        root = Root(self.shop, about, _key(top, variables), indexes=told.indexes, say=said)
        result = execute_sync(schema(), document, root, variable_values=dict(variables))
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


def _cost(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> float:
    if operation.operation.value == "mutation":
        return MUTATION_COST
    cost = sum(_field_cost(one, variables) for one in operation.selection_set.selections if isinstance(one, FieldNode))
    if cost > HIGHEST_COST:
        raise rules.RefusedError("MAX_COST_EXCEEDED", f"Query cost is {cost}, over the limit of {HIGHEST_COST}")
    return cost


def _field_cost(node: FieldNode, variables: Mapping[str, Any]) -> float:
    if node.selection_set is None:
        return 0
    inner = sum(_field_cost(one, variables) for one in node.selection_set.selections if isinstance(one, FieldNode))
    given = {one.name.value: value_from_ast_untyped(one.value, dict(variables)) for one in node.arguments}
    size = given.get("first")
    if size is None:
        return 1 + inner
    if size > LONGEST_PAGE:
        raise rules.RefusedError("BAD_REQUEST", f"first cannot exceed {LONGEST_PAGE}")
    return 2 + -(-size * max(inner, 1) // 25)


def _key(top: FieldNode, variables: Mapping[str, Any]) -> str | None:
    for directive in top.directives:
        if directive.name.value == "idempotent":
            return value_from_ast_untyped(directive.arguments[0].value, dict(variables))
    return None
