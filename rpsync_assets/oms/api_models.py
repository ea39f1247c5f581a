"""What goes over the wire of the Update Inventory API: bodies, headers, refusals, and how its document shows them.

Belongs here: shapes, examples, and the one list of refusals with their status. Does not: routes (``oms/api``), rules
(``oms/point_of_sale``).

Names are HotWax's (domain.md 1.6). What its answer has no room for is told in headers, so that a client written for
HotWax sees exactly what it is used to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from rpsync_assets.core.quantities import LARGEST_QUANTITY
from rpsync_assets.oms.point_of_sale import REASONS

LARGEST_BODY = 64 * 1024
AT_MOST = 250
"""Products, or facilities, that one question may name."""
RETRY_AFTER_SECONDS = 5

FACILITY = "X-Rpsync-Facility"
MATCHED = "X-Rpsync-Facility-Matched"
EFFECT = "X-Rpsync-Effect"
REPLAYED = "Idempotent-Replayed"

EXAMPLE = {
    "facilityId": "WH",
    "availableDelta": 4,
    "idType": "UPCA",
    "idValue": "30065245099",
    "locationSeqId": "TLTLTLLL01",
    "varianceReasonId": "POS_SALE",
}

Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=255)]
KEY_PATTERN = "^[!-~]([ -~]{0,253}[!-~])?$"
Key = Annotated[
    str,
    StringConstraints(pattern=KEY_PATTERN),
    WithJsonSchema({"type": "string", "pattern": KEY_PATTERN, "examples": ["till-7-2026-03-10-000123"]}),
]
# Judged by point_of_sale, whose refusals say more than a validator's.
Delta = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "Whole and not 0; negative for a sale, positive for a return",
            "anyOf": [
                {"type": "integer", "minimum": -LARGEST_QUANTITY, "maximum": -1},
                {"type": "integer", "minimum": 1, "maximum": LARGEST_QUANTITY},
                {"type": "string", "pattern": r"^[+-]?0{0,8}[1-9][0-9]{0,5}(\.0{0,8})?$"},
            ],
        }
    ),
]
Reason = Annotated[Any, WithJsonSchema({"type": "string", "enum": sorted(REASONS)})]
Moment = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "string",
            "description": "When it was sold, ISO 8601 with a zone. A sale from before the newest accepted count is"
            " written down and moves nothing: the count had it. Left out: now",
            "pattern": r"^20[1-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])[T ]([01][0-9]|2[0-3]):[0-5][0-9]"
            r"(:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
            "examples": ["2026-03-10T14:05:00-05:00"],
        }
    ),
]


class _Wire(BaseModel):
    # A misspelled eventDateTime that is passed over in silence would deduct a sale twice.
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})


class UpdateBody(_Wire):
    """A change of inventory at one facility."""

    facilityId: Text  # noqa: N815  HotWax's names
    availableDelta: Delta  # noqa: N815
    idType: Text  # noqa: N815
    idValue: Text  # noqa: N815
    locationSeqId: Text  # noqa: N815
    varianceReasonId: Reason  # noqa: N815
    eventDateTime: Moment = None  # noqa: N815


class UpdateAnswer(UpdateBody):
    """The request as it came, and ``webSiteId``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**EXAMPLE, "webSiteId": "API"}]})
    webSiteId: Literal["API"]  # noqa: N815


class StockQuestion(BaseModel):
    """Which products, where."""

    model_config = ConfigDict(extra="forbid")
    sku: Annotated[list[Text], Field(max_length=AT_MOST)] = Field(
        default=[], description="A SKU, or the product's internal name", examples=[["WH09-XL"]]
    )
    upca: Annotated[list[Text], Field(max_length=AT_MOST)] = Field(
        default=[], description="Instead of, or besides, sku", examples=[["30065245099"]]
    )
    facilityId: Annotated[list[Text], Field(max_length=AT_MOST)] = Field(  # noqa: N815
        default=[],
        description="A facility's own or external id; none means every facility that is not virtual",
        examples=[["WH"]],
    )


class Stock(BaseModel):
    """A product's counts at a facility."""

    sku: str
    upca: str | None = None
    facilityId: str  # noqa: N815
    atp: int
    qoh: int


class StockAnswer(BaseModel):
    """What was found; a product that a facility never had is not among it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"count": 1, "docs": [{"sku": "WH09-XL", "facilityId": "WH", "atp": 7, "qoh": 10}]}]
        }
    )
    count: int
    docs: list[Stock]


class Health(BaseModel):
    """The database answers."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ok", "newestLedgerArrival": "2026-03-10T14:05:00.000000Z"}]}
    )
    status: Literal["ok"]
    newestLedgerArrival: str | None  # noqa: N815


class ErrorDetail(BaseModel):
    """Why not, for programs (``code``, ``retry``) and for people (``message``, ``mend``)."""

    code: str
    message: str
    mend: str
    retry: bool


class ErrorAnswer(BaseModel):
    """The one body of every refusal."""

    error: ErrorDetail


@dataclass(frozen=True)
class Refusal:
    """A kind of refusal.

    Attributes:
        status: the HTTP status.
        message: what is said if nothing more exact is known.
        mend: likewise.
        retry: whether the same request may pass later without anybody doing anything.
    """

    status: int
    message: str
    mend: str
    retry: bool = False


_TOKEN = "Send 'Authorization: Bearer <token>' with a token made by 'rpsync oms token NAME'"  # noqa: S105  no password
_LATER = "Send it again in a few seconds, with the same Idempotency-Key"
REFUSALS: Mapping[str, Refusal] = {
    "missing_token": Refusal(401, "No bearer token was sent", _TOKEN),
    "wrong_token": Refusal(401, "Nobody's token", _TOKEN),
    "unknown_path": Refusal(404, "There is nothing at this path", "See /openapi.json for what there is"),
    "unknown_facility": Refusal(404, "Unknown facility", "Use the OMS's own facility id"),
    "unknown_product": Refusal(404, "Unknown product", "Look the product's identifications up in the OMS"),
    "wrong_method": Refusal(405, "This path does not do that", "See /openapi.json for what it does"),
    "ambiguous_facility": Refusal(409, "Several facilities are meant", "Use the OMS's own facility id"),
    "ambiguous_identification": Refusal(409, "Several products are meant", "Mend the identifications in the OMS"),
    "too_large": Refusal(413, f"The body is larger than {LARGEST_BODY} bytes", "Send one change in a request"),
    "wrong_content_type": Refusal(415, "The body is not said to be JSON", "Send 'Content-Type: application/json'"),
    "invalid_request": Refusal(422, "The request is not as it should be", "See /openapi.json for how it should be"),
    "virtual_facility": Refusal(422, "A virtual facility holds no goods", "Name the facility whose shelf it was"),
    "unknown_id_type": Refusal(422, "Unknown idType", "Use UPCA or SKU"),
    "bad_quantity": Refusal(422, "availableDelta is not a whole number", "Send a number such as -1"),
    "bad_event_time": Refusal(422, "eventDateTime is no moment", "Send one such as 2026-03-10T14:05:00-05:00"),
    "unknown_reason": Refusal(422, "Unknown varianceReasonId", "Send POS_SALE for sales and returns"),
    "idempotency_key_reused": Refusal(422, "The key was used for another request", "Give each sale its own key"),
    "internal_error": Refusal(500, "The server broke on this request", f"See the server's log. {_LATER}", retry=True),
    "database_busy": Refusal(503, "Somebody else is writing to the database", _LATER, retry=True),
    "database_unavailable": Refusal(503, "The database does not answer", "See the server's log", retry=True),
}

Json = dict[str, Any]


def error_body(code: str, message: str | None = None, mend: str | None = None) -> Json:
    """The body of a refusal."""
    known = REFUSALS[code]
    return ErrorAnswer(
        error=ErrorDetail(code=code, message=message or known.message, mend=mend or known.mend, retry=known.retry)
    ).model_dump()


def error_headers(code: str) -> dict[str, str]:
    """The headers of a refusal."""
    if code == "missing_token":
        return {"WWW-Authenticate": 'Bearer realm="rpsync"'}
    if code == "wrong_token":
        return {"WWW-Authenticate": 'Bearer realm="rpsync", error="invalid_token"'}
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if REFUSALS[code].status == 503 else {}


def header(description: str, *, required: bool = True, **schema: object) -> Json:
    """An answer's header, as the document shows it."""
    return {"description": description, "required": required, "schema": {"type": "string", **schema}}


def refusals(codes: Iterable[str]) -> dict[int | str, Json]:
    """An operation's refusals, by status, each with an example."""
    shown: dict[int | str, Json] = {}
    for code in codes:
        status = REFUSALS[code].status
        content: Json = {"application/json": {"examples": {}}}
        answer = shown.setdefault(status, {"model": ErrorAnswer, "description": "", "content": content})
        answer["content"]["application/json"]["examples"][code] = {"value": error_body(code)}
        answer["description"] = ", ".join(answer["content"]["application/json"]["examples"])
        if headers := {name: header("See RFC 9110") for name in error_headers(code)}:
            answer["headers"] = headers
    return shown
