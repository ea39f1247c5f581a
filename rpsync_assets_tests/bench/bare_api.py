"""The peer of the Update Inventory API: a bare handler on the same framework that does the same transaction.

Belongs here: what a good engineer would write in an afternoon without tokens, refusals, replays, look-alikes, shared
commits or a document. Does not: measuring (``bench/api``).
"""

import os
import sqlite3
import threading
import uuid
from datetime import UTC, datetime

from fastapi import FastAPI, Header
from pydantic import BaseModel

app = FastAPI()
_lock = threading.Lock()
_connection = sqlite3.connect(os.environ["BENCH_DATABASE"], check_same_thread=False, isolation_level=None)
_connection.execute("PRAGMA journal_mode=WAL")
_connection.execute("PRAGMA synchronous=FULL")


class Body(BaseModel):
    """A change of inventory at one facility."""

    facilityId: str  # noqa: N815
    availableDelta: int  # noqa: N815
    idType: str  # noqa: N815
    idValue: str  # noqa: N815
    locationSeqId: str  # noqa: N815
    varianceReasonId: str  # noqa: N815


@app.get("/health")
def health() -> dict[str, str]:
    """Whether it is up."""
    return {"status": "ok"}


@app.post("/api/service/updateInventoryByIdentification")
def update(body: Body, idempotency_key: str = Header()) -> dict[str, object]:
    """One transaction: find facility, product and item, append to the ledger, move the counts, keep the key."""
    now, delta, number = datetime.now(UTC).isoformat(" "), body.availableDelta, uuid.uuid4().hex
    with _lock:
        run = _connection.execute
        run("BEGIN IMMEDIATE")
        (facility,) = run("SELECT FACILITY_ID FROM FACILITY WHERE FACILITY_ID = ?", (body.facilityId,)).fetchone()
        (product,) = run(
            "SELECT PRODUCT_ID FROM GOOD_IDENTIFICATION WHERE ID_VALUE = ? AND GOOD_IDENTIFICATION_TYPE_ID = ?"
            " AND FROM_DATE <= ? AND (THRU_DATE IS NULL OR THRU_DATE > ?)",
            (body.idValue, body.idType, now, now),
        ).fetchone()
        (item,) = run(
            "SELECT INVENTORY_ITEM_ID FROM INVENTORY_ITEM WHERE FACILITY_ID = ? AND PRODUCT_ID = ?", (facility, product)
        ).fetchone()
        run(
            "INSERT INTO INVENTORY_ITEM_DETAIL (INVENTORY_ITEM_ID, INVENTORY_ITEM_DETAIL_SEQ_ID, EFFECTIVE_DATE,"
            " QUANTITY_ON_HAND_DIFF, AVAILABLE_TO_PROMISE_DIFF, REASON_ENUM_ID, CREATED_STAMP)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (item, number, now, delta, delta, body.varianceReasonId, now),
        )
        run(
            "UPDATE INVENTORY_ITEM SET QUANTITY_ON_HAND_TOTAL = QUANTITY_ON_HAND_TOTAL + ?,"
            " AVAILABLE_TO_PROMISE_TOTAL = AVAILABLE_TO_PROMISE_TOTAL + ? WHERE INVENTORY_ITEM_ID = ?",
            (delta, delta, item),
        )
        run(
            "UPDATE PRODUCT_FACILITY SET LAST_INVENTORY_COUNT = LAST_INVENTORY_COUNT + ?,"
            " COMPUTED_LAST_INVENTORY_COUNT = MAX(0, LAST_INVENTORY_COUNT + ? - COALESCE(MINIMUM_STOCK, 0))"
            " WHERE PRODUCT_ID = ? AND FACILITY_ID = ?",
            (delta, delta, product, facility),
        )
        run(
            "INSERT INTO INVENTORY_UPDATE (INVENTORY_UPDATE_ID, CLIENT, IDEMPOTENCY_KEY, QUANTITY, RECEIVED_DATE)"
            " VALUES (?, 'bare', ?, ?, ?)",
            (number, idempotency_key, delta, now),
        )
        run("COMMIT")
    return {**body.model_dump(), "webSiteId": "API"}
