"""The embedded OMS's Update Inventory API, as tills know HotWax's (domain.md 1.6), with what HotWax's lacks.

Belongs here: routes, who is let in, and turning whatever went wrong into the one body of a refusal. Does not: rules
(``oms/point_of_sale``, ``oms/check_inventory``), shapes (``oms/api_models``), transactions (``oms/writer``).

A request is answered only after the commit that holds it. Who has no token is turned away before a byte of the body is
read.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from starlette.exceptions import HTTPException

from rpsync_assets.oms import api_models as shapes
from rpsync_assets.oms.check_inventory import check_inventory
from rpsync_assets.oms.point_of_sale import RefusedError, read_update, update_inventory
from rpsync_assets.oms.tokens import Tokens
from rpsync_assets.oms.writer import Writer

_log = logging.getLogger(__name__)

NEWEST_ARRIVAL = "SELECT CREATED_STAMP FROM INVENTORY_ITEM_DETAIL ORDER BY rowid DESC LIMIT 1"
"""The ledger only grows, so its last row is the newest one; no index is needed to ask often."""

_EVERYWHERE = ("missing_token", "wrong_token", "internal_error", "database_busy")
_UPDATING = (
    *("unknown_facility", "unknown_product", "ambiguous_facility", "ambiguous_identification", "too_large"),
    *("wrong_content_type", "invalid_request", "virtual_facility", "unknown_id_type", "bad_quantity"),
    *("bad_event_time", "unknown_reason", "idempotency_key_reused"),
)
_CHECKING = (
    "unknown_facility",
    "ambiguous_facility",
    "ambiguous_identification",
    "invalid_request",
    "virtual_facility",
)
_TAKEN: shapes.Json = {
    "description": "Taken in, and in the database for good",
    "headers": {
        shapes.FACILITY: shapes.header("The facility's own id, percent-encoded"),
        shapes.MATCHED: shapes.header("By which of its ids it was found", enum=["internal", "external"]),
        shapes.EFFECT: shapes.header(
            "already-counted: the newest accepted count had it, so nothing moved", enum=["applied", "already-counted"]
        ),
        shapes.REPLAYED: shapes.header(
            "The same key and request had this answer before", required=False, enum=["true"]
        ),
    },
}
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _Door(APIRoute):
    """A route that knows its callers, and reads no more of a body than it has to."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        has_body = "POST" in (self.methods or ())

        async def guarded(request: Request) -> Response:
            request.state.client = _client(request)
            return await handle(await _bounded(request) if has_body else request)

        return guarded


def build_app(engine: Engine, tokens: Tokens) -> FastAPI:
    """The API on a database.

    Args:
        engine: the embedded OMS.
        tokens: who may call.
    """
    writer = Writer(engine)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(writer.close)

    app = FastAPI(
        title="Update Inventory API",
        description="Sales and other changes of inventory as they happen, and what stands in the OMS. Every refusal"
        " has one body; a path that is not here is answered with a 404 `unknown_path`, a method that a path does not"
        " have with a 405 `wrong_method`.",
        version=version("rpsync-assets"),
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # its page would come from somebody else's server
        redoc_url=None,
    )
    app.state.tokens = tokens
    app.state.engine = engine
    app.state.writer = writer
    app.include_router(_router)
    app.add_api_route(
        "/health", _health, response_model=shapes.Health, response_description="Well", responses=_HEALTH, name="health"
    )
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(SQLAlchemyError, _database_error)
    app.add_exception_handler(Exception, _broke)
    return app


_router = APIRouter(
    route_class=_Door, dependencies=[Depends(HTTPBearer(auto_error=False, description="Made by rpsync oms token"))]
)
_HEALTH: dict[int | str, shapes.Json] = shapes.refusals(("internal_error", "database_unavailable"))


@_router.post(
    "/api/service/updateInventoryByIdentification",
    response_model=shapes.UpdateAnswer,
    responses={200: _TAKEN, **shapes.refusals((*_EVERYWHERE, *_UPDATING))},
)
async def update_inventory_by_identification(
    request: Request,
    body: shapes.UpdateBody,
    idempotency_key: Annotated[
        shapes.Key | None,
        Header(
            alias="Idempotency-Key",
            description="The same for every attempt of one sale, other for every sale: the sale is then taken in once."
            " Kept for good, each client's own",
        ),
    ] = None,
) -> Response:
    """Change a product's inventory at a facility: a sale (negative), a return (positive), a correction."""
    now = datetime.now(UTC)
    if len(request.headers.getlist("Idempotency-Key")) > 1:
        raise RefusedError("invalid_request", "There are several Idempotency-Key headers", "Send one")
    update = read_update(body.model_dump(exclude_unset=True), idempotency_key)
    client = request.state.client
    writer: Writer = request.app.state.writer
    future = writer.submit(lambda connection: update_inventory(connection, update, client, now))
    taken = await asyncio.wrap_future(future)
    headers = {shapes.FACILITY: quote(taken.facility), shapes.MATCHED: taken.matched, shapes.EFFECT: taken.effect}
    return JSONResponse(taken.answer, headers={**headers, shapes.REPLAYED: "true"} if taken.replayed else headers)


@_router.get(
    "/api/checkInventory",
    response_model=shapes.StockAnswer,
    response_model_exclude_none=True,
    response_description="What was found",
    responses=shapes.refusals((*_EVERYWHERE, *_CHECKING)),
)
def check_inventory_of(request: Request, question: Annotated[shapes.StockQuestion, Query()]) -> shapes.StockAnswer:
    """What is on hand and what is available to promise, by sku or upca, at all facilities or some; one snapshot."""
    asked = {"sku": question.sku, "upca": question.upca}
    if not 1 <= len(question.sku) + len(question.upca) <= shapes.AT_MOST:
        raise RefusedError(
            "invalid_request", f"The question names no product, or more than {shapes.AT_MOST}", "Ask by sku or upca"
        )
    with request.app.state.engine.begin() as connection:
        docs = check_inventory(connection, asked, question.facilityId, datetime.now(UTC))
    return shapes.StockAnswer(count=len(docs), docs=[shapes.Stock(**doc) for doc in docs])


def _health(request: Request) -> Response:
    """Whether the database answers, and when the ledger last grew. Needs no token."""
    try:
        with request.app.state.engine.connect() as connection:
            newest = connection.exec_driver_sql(NEWEST_ARRIVAL).scalar()
    except SQLAlchemyError:
        _log.exception("The database does not answer")
        return _error("database_unavailable")
    arrival = None if newest is None else f"{newest.replace(' ', 'T')}Z"
    return JSONResponse({"status": "ok", "newestLedgerArrival": arrival})


def _client(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _refusal("missing_token")
    client = request.app.state.tokens.client_of(token.strip().encode("latin-1"))
    if client is None:
        raise _refusal("wrong_token")
    return client


async def _bounded(request: Request) -> Request:
    """The request with its whole body, which is JSON by its own word and not too large."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _refusal("wrong_content_type")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > shapes.LARGEST_BODY:
            raise _refusal("too_large")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return Request(request.scope, receive)


def _refusal(code: str) -> RefusedError:
    return RefusedError(code, shapes.REFUSALS[code].message, shapes.REFUSALS[code].mend)


def _error(code: str, message: str | None = None, mend: str | None = None, **headers: str) -> Response:
    content = shapes.error_body(code, message, mend)
    return JSONResponse(content, shapes.REFUSALS[code].status, {**shapes.error_headers(code), **headers})


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101  whom FastAPI calls us for
    return _error(error.code, error.culprit, error.mend)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # Never the input: it stays with whoever sent it.
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _error("invalid_request", f"{place}: {first['msg']}"[:300])


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    # What FastAPI cannot parse (not UTF-8, nested too deep, endless digits) it calls a 400.
    code = {404: "unknown_path", 405: "wrong_method"}.get(error.status_code, "invalid_request")
    return _error(code, **(error.headers or {}))


async def _database_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, OperationalError) and "locked" in str(error.orig):
        _log.warning("A request was turned away: somebody else kept the database locked")
        return _error("database_busy")
    _log.error("A request broke", exc_info=error)
    return _error("internal_error")


async def _broke(_request: Request, _error_of_ours: Exception) -> Response:
    # The server logs it; the caller learns nothing of our insides.
    return _error("internal_error")
