"""In-store sales and other changes that the Update Inventory API takes in: one ledger row each, exactly once.

Belongs here: what a request may say, and what becomes of it. Does not: HTTP and its answers (``oms/api``), whom a
request means (``oms/incoming``), the ledger (``oms/ledger``), transactions (``oms/writer``).

A till that got no answer asks again, and HotWax would deduct twice (domain.md 1.6). With an Idempotency-Key the second
request gets the first one's answer. Without one nobody can tell a retry from a second sale of the same product: it is
applied, and reported if it looks like one. A sale may arrive late: one from before the newest accepted count is in that
count already, so it is written down and moves nothing (design.md section 5).
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import uuid4

from sqlalchemy import Connection

from rpsync_assets.core.errors import PermanentError
from rpsync_assets.core.ledger import POS_SALE, RESET, VARIANCE
from rpsync_assets.core.quantities import LARGEST_QUANTITY
from rpsync_assets.oms import incoming
from rpsync_assets.oms.ledger import Posting, find_or_make_items, post, stored

_log = logging.getLogger(__name__)

REASONS = frozenset(
    (
        *(POS_SALE, VARIANCE, RESET, "VAR_LOST", "VAR_STOLEN", "VAR_FOUND", "VAR_DAMAGED", "VAR_SAMPLE", "VAR_MANUAL"),
        *("VAR_MISSHIP_ORDERED", "VAR_MISSHIP_SHIPPED", "VAR_EQUAL_QOH_ATP", "VAR_SCH_SHIP_RECV", "VAR_SHIP_RECV"),
        *("VAR_TRFR_ORD_SHIPPED", "VAR_SHOPIFY_RESET", "NEG_VAR_ITEM_CANCEL", "NOT_IN_STOCK", "WORN_DISPLAY"),
        *("REJ_RSN_DAMAGED", "MISMATCH", "INACTIVE_STORE", "NO_VARIANCE_LOG"),
    )
)
"""HotWax's reasons (domain.md 1.2). Of these only POS_SALE says that goods left or came back."""

LOOK_ALIKE = timedelta(seconds=60)
"""A till that waits in vain asks again well within a minute."""

OLDEST_EVENT = datetime(2010, 1, 1, tzinfo=UTC)
"""A till whose clock lost its battery says 1970, 1980 or 2000; believed, each of its sales would be in every count."""

_WHOLE = re.compile(r"([+-]?[0-9]{1,15})(\.0*)?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class RefusedError(PermanentError):
    """A request that cannot be applied; nothing was changed.

    Args:
        code: which kind of refusal, for programs; ``oms/api_models`` has all of them.
        culprit: what was found.
        mend: what to do about it.
    """

    def __init__(self, code: str, culprit: str, mend: str) -> None:
        super().__init__(culprit, mend)
        self.code = code


@dataclass(frozen=True)
class Update:
    """A request, understood.

    Attributes:
        facility: the facility's own or external id.
        id_type: GOOD_IDENTIFICATION_TYPE_ID, or what was given if we do not know it.
        id_value: the product's identification of that type.
        location: required by HotWax and kept no further: the ledger knows no locations.
        reason: REASON_ENUM_ID.
        delta: by how much both counts change.
        event: when it happened; None if the caller did not say.
        key: the Idempotency-Key, or None.
        echo: the request as it came, which the answer repeats.
    """

    facility: str
    id_type: str
    id_value: str
    location: str
    reason: str
    delta: int
    event: datetime | None
    key: str | None
    echo: Mapping[str, object]

    @cached_property
    def body_hash(self) -> str:
        """What tells a request from another: its meaning, not its spelling (``4``, ``4.0`` and ``"4"`` are one)."""
        event = None if self.event is None else stored(self.event)
        said = [self.facility, self.id_type, self.id_value, self.location, self.reason, self.delta, event]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True)
class Taken:
    """What the caller is told.

    Attributes:
        answer: the request as it came, and HotWax's ``webSiteId``.
        facility: the facility's own id.
        matched: by which id it was found: ``internal`` or ``external``.
        effect: ``applied``, or ``already-counted`` if the newest accepted count had it.
        replayed: this answer was given before, to the same key.
    """

    answer: Mapping[str, object]
    facility: str
    matched: str
    effect: str
    replayed: bool = False


def read_update(body: Mapping[str, object], key: str | None) -> Update:
    """Understand a request whose texts are there.

    Raises:
        RefusedError: bad_quantity, bad_event_time or unknown_reason.
    """
    texts = {name: str(body[name]).strip() for name in ("facilityId", "idType", "idValue", "locationSeqId")}
    kind = texts["idType"].replace("_", "").replace(" ", "").upper()
    reason = str(body["varianceReasonId"])
    if reason not in REASONS:
        raise RefusedError(
            "unknown_reason", f"The OMS does not know the varianceReasonId {reason!r}", f"Send {POS_SALE} for sales"
        )
    return Update(
        facility=texts["facilityId"],
        id_type=incoming.ID_TYPES.get(kind, texts["idType"]),
        id_value=texts["idValue"],
        location=texts["locationSeqId"],
        reason=reason,
        delta=whole_delta(body["availableDelta"]),
        event=event_time(body["eventDateTime"]) if "eventDateTime" in body else None,
        key=key,
        echo=body,
    )


def whole_delta(value: object) -> int:
    """A whole number other than zero, from ``4``, ``-1.0`` or a text of either.

    Raises:
        RefusedError: bad_quantity.
    """
    number = None
    if isinstance(value, str) and (match := _WHOLE.fullmatch(value.strip())):
        number = int(match[1])
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_QUANTITY:
        number = int(value) if value == int(value) else None
    if not number or abs(number) > LARGEST_QUANTITY:
        raise RefusedError(
            "bad_quantity",
            f"availableDelta is not a whole number other than 0, up to {LARGEST_QUANTITY:,}",
            "Send a number such as -1",
        )
    return number


def event_time(value: object) -> datetime:
    """The moment that a text names.

    Raises:
        RefusedError: bad_event_time: it names none, or leaves open in which zone.
    """
    try:
        if isinstance(value, str) and _MOMENT.fullmatch(value):
            moment = datetime.fromisoformat(value).astimezone(UTC)
            if moment >= OLDEST_EVENT:
                return moment
    except (ValueError, OverflowError):
        pass
    raise RefusedError(
        "bad_event_time",
        f"eventDateTime is not an ISO 8601 moment with a zone, {OLDEST_EVENT.year} or later",
        "Send one such as 2026-03-10T14:05:00-05:00, or leave it out if the sale is of now",
    )


def update_inventory(connection: Connection, update: Update, client: str, now: datetime) -> Taken:
    """Apply a request, or repeat what was answered to its key.

    Args:
        connection: in a write transaction; on any error the caller rolls back to where we began.
        update: the request.
        client: whose it is; keys and look-alikes are each client's own.
        now: when it arrived.

    Raises:
        RefusedError: it cannot be applied; a refusal is not remembered.
    """
    if update.key is not None and (remembered := _remembered(connection, update, client)):
        return remembered
    arrival = stored(now)
    # A till's clock may be fast; nothing is sold later than we hear of it.
    event = arrival if update.event is None else min(stored(update.event), arrival)
    matched_id, reason = _resolve(connection, update, arrival)
    if reason:
        raise _refusal(reason, update)
    counted = _is_counted(connection, update, event)
    twin = _look_alike(connection, update, client, now) if update.key is None else None
    request_id = uuid4().hex
    description = f"Update Inventory API request {request_id} of {client}"
    if counted:
        description += "; the count of that moment already had it"
    if twin:
        description += f"; looks like {twin}"
        _log.warning("Request %s of %s looks like %s, and neither had an Idempotency-Key", request_id, client, twin)
    connection.exec_driver_sql(
        "UPDATE INCOMING SET ROW_STATUS = 'applied', MOVED = ?, COMMENTS = ?",
        (0 if counted else update.delta, description),
    )
    prefix = f"A{request_id}"
    find_or_make_items(connection, 1, 1, prefix)
    post(connection, Posting(1, 1, prefix, update.reason, event, arrival))
    taken = Taken(
        answer={**update.echo, "webSiteId": "API"},
        facility=matched_id,
        matched="internal" if matched_id == update.facility else "external",
        effect="already-counted" if counted else "applied",
    )
    answer = {"answer": taken.answer, "facility": taken.facility, "matched": taken.matched, "effect": taken.effect}
    values = (request_id, client, update.key, update.body_hash, update.delta, event, arrival, twin, f"{prefix}_1")
    connection.exec_driver_sql(_REMEMBER, (*values, json.dumps(answer)))
    return taken


_REMEMBER = """
INSERT INTO INVENTORY_UPDATE (INVENTORY_UPDATE_ID, CLIENT, IDEMPOTENCY_KEY, BODY_HASH, QUANTITY, EVENT_DATE,
  RECEIVED_DATE, LOOKS_LIKE, INVENTORY_ITEM_DETAIL_SEQ_ID, ANSWER, FACILITY_ID, PRODUCT_ID, INVENTORY_ITEM_ID)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, I.FACILITY_ID, I.PRODUCT_ID, I.INVENTORY_ITEM_ID FROM INCOMING I
"""


def _remembered(connection: Connection, update: Update, client: str) -> Taken | None:
    known = connection.exec_driver_sql(
        "SELECT BODY_HASH, ANSWER FROM INVENTORY_UPDATE WHERE CLIENT = ? AND IDEMPOTENCY_KEY = ?", (client, update.key)
    ).first()
    if known is None:
        return None
    if known[0] != update.body_hash:
        raise RefusedError(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request",
            "Give each sale a key of its own, and keep it when the same sale is sent again",
        )
    return Taken(**json.loads(known[1]), replayed=True)


def _resolve(connection: Connection, update: Update, arrival: str) -> tuple[str, str | None]:
    """Put the request into INCOMING; the facility's id, and why not."""
    row = {"facility": update.facility, "external": 0, "id_type": update.id_type, "id_value": update.id_value}
    rest = {"product": None, "amount": update.delta, "snapshot": None, "comments": None}
    reason = incoming.load_one(connection, {**row, **rest}, arrival)
    facility = connection.exec_driver_sql("SELECT FACILITY_ID FROM INCOMING").scalar_one()
    return str(facility), reason


def _refusal(reason: str, update: Update) -> RefusedError:
    about_place = reason.endswith("_facility")
    said = f"facilityId {update.facility!r}" if about_place else f"{update.id_type!r} {update.id_value!r}"
    mend = "Use the OMS's own facility id" if about_place else "Look the product's identifications up in the OMS"
    if reason == "unknown_id_type":
        mend = f"Use one of {', '.join(dict.fromkeys(incoming.ID_TYPES.values()))}"
    return RefusedError(reason, f"{said}: {incoming.REFUSALS[reason]}", mend)


def _is_counted(connection: Connection, update: Update, event: str) -> bool:
    """Whether the newest accepted count of the key was taken at or after a sale; only a caller who said when can tell.

    Corrections are no movement of goods (``core/ledger``): no count has them.
    """
    if update.event is None or update.reason != POS_SALE:
        return False
    newest = connection.exec_driver_sql(
        "SELECT MAX(R.SNAPSHOT_DATE) FROM EXTERNAL_INVENTORY_RESET R JOIN INCOMING I"
        " ON R.FACILITY_ID = I.FACILITY_ID AND R.PRODUCT_ID = I.PRODUCT_ID"
        " WHERE R.ROW_STATUS IN ('applied', 'unchanged')"
    ).scalar()
    return newest is not None and event <= str(newest)


def _look_alike(connection: Connection, update: Update, client: str, now: datetime) -> str | None:
    """The newest request of the last minute that said the same, if there is one."""
    return connection.exec_driver_sql(
        "SELECT INVENTORY_UPDATE_ID FROM INVENTORY_UPDATE WHERE CLIENT = ? AND BODY_HASH = ? AND RECEIVED_DATE >= ?"
        " ORDER BY RECEIVED_DATE DESC LIMIT 1",
        (client, update.body_hash, stored(now - LOOK_ALIKE)),
    ).scalar()
