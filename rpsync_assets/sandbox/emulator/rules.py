"""What a quantity call may do at Shopify, which its schema does not say (domain.md 5.2 to 5.4).

Belongs here: one call of set or adjust on a shop: idempotency, compare-and-set, bad rows. Does not: GraphQL or HTTP
(``server``).

A call is atomic: one bad row, and nothing of it is applied. The same key again gives the same answer and applies
nothing.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rpsync_assets.sandbox.emulator.shop import Shop

Verb = Literal["set", "adjust"]
MOST_ROWS = 250
HIGHEST = 10**9
LARGEST_DELTA = 2 * 10**9
REASONS = {
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
}
_ROWS = {"set": "quantities", "adjust": "changes"}
_REFERENCE = re.compile(r"gid://[^/]+/[^/]+/.+")


class RefusedError(Exception):
    """A request that is refused before it reaches the shop: an error at the top of the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def apply(shop: Shop, verb: Verb, given: Mapping[str, Any], key: str | None, *, indexes: bool) -> list[dict[str, Any]]:
    """The call's ``userErrors``; none, and it is applied.

    Raises:
        RefusedError: it lacks its key or a ``changeFromQuantity``, or has too many rows.
    """
    rows = given[_ROWS[verb]]
    if key is None or not key.strip():
        raise RefusedError("BAD_REQUEST", "The @idempotent directive is required for this mutation")
    if len(rows) > MOST_ROWS:
        raise RefusedError(
            "MAX_INPUT_SIZE_EXCEEDED", f"The input array size of {len(rows)} is greater than {MOST_ROWS}"
        )
    if any("changeFromQuantity" not in row for row in rows):
        raise RefusedError("INVALID_FIELD_ARGUMENTS", "changeFromQuantity must be given; null opts out")
    asked = json.dumps([verb, given], sort_keys=True)
    with shop.changing() as connection:
        known = connection.execute("SELECT asked, said FROM answer WHERE key = ?", (key,)).fetchone()
        if known is not None:
            if known[0] != asked:
                return [error(["input"], "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "The key was used for other input")]
            return json.loads(known[1])
        counts = _counts(shop, rows)
        errors = _whole(verb, given) or _row_errors(shop, verb, rows, counts, indexes=indexes)
        if not errors:
            deltas = [
                (*place, row["quantity"] - counts[place] if verb == "set" else row["delta"])
                for row in rows
                for place in [_place(row)]
            ]
            moved = [one for one in deltas if one[2] or verb == "adjust"]
            shop.move(connection, verb, moved, key, given.get("referenceDocumentUri"))
        connection.execute("INSERT INTO answer VALUES (?, ?, ?)", (key, asked, json.dumps(errors)))
    return errors


def _whole(verb: Verb, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is wrong with the call as a whole."""
    if given["name"] != "available":
        code = "INVALID_NAME" if verb == "set" else "INVALID_QUANTITY_NAME"
        return [error(["input", "name"], code, "The quantity name is invalid")]
    if given["reason"] not in REASONS:
        return [error(["input", "reason"], "INVALID_REASON", "The reason is invalid")]
    reference = given.get("referenceDocumentUri")
    if reference is not None and not _REFERENCE.fullmatch(reference):
        field = ["input", "referenceDocumentUri"]
        return [error(field, "INVALID_REFERENCE_DOCUMENT", "The reference document URI is invalid")]
    return []


def _row_errors(
    shop: Shop, verb: Verb, rows: Sequence[Mapping[str, Any]], counts: Mapping[tuple[str, str], int], *, indexes: bool
) -> list[dict[str, Any]]:
    places = [_place(row) for row in rows]
    items = [item for item, _ in places]
    bundles, deleted = shop.marked("bundle", items), shop.marked("deleted", items)
    locations = {location: shop.has_location(location) for _, location in places}
    times = Counter(places)
    errors: list[dict[str, Any]] = []
    for number, (row, place) in enumerate(zip(rows, places, strict=True)):
        item, location = place
        if not locations[location] or not row["locationId"].startswith("gid://shopify/Location/"):
            found = ("locationId", "INVALID_LOCATION")
        elif (
            item in deleted
            or place not in counts
            or not row["inventoryItemId"].startswith("gid://shopify/InventoryItem/")
        ):
            found = ("inventoryItemId", "INVALID_INVENTORY_ITEM")
        elif item in bundles:
            found = ("inventoryItemId", "NON_MUTABLE_INVENTORY_ITEM")
        elif verb == "set" and times[place] > 1:
            found = ("inventoryItemId", "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR")
        elif verb == "set" and not 0 <= row["quantity"] <= HIGHEST:
            low = row["quantity"] < 0
            found = ("quantity", "INVALID_QUANTITY_NEGATIVE" if low else "INVALID_QUANTITY_TOO_HIGH")
        elif verb == "adjust" and not -LARGEST_DELTA <= row["delta"] <= LARGEST_DELTA:
            found = ("delta", "INVALID_QUANTITY_TOO_LOW" if row["delta"] < 0 else "INVALID_QUANTITY_TOO_HIGH")
        elif row["changeFromQuantity"] is not None and row["changeFromQuantity"] != counts[place]:
            found = ("changeFromQuantity", "CHANGE_FROM_QUANTITY_STALE")
        else:
            continue
        name, code = found
        where = ["input", _ROWS[verb], str(number), name] if indexes else ["input"]
        errors.append(error(where, code, code.replace("_", " ").capitalize()))
    return errors if indexes else errors[:1]


def _counts(shop: Shop, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    return shop.counts_of([_place(row) for row in rows])


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["inventoryItemId"].rsplit("/", 1)[-1], row["locationId"].rsplit("/", 1)[-1]


def error(field: list[str], code: str, message: str) -> dict[str, Any]:
    """One of an answer's ``userErrors``."""
    return {"field": field, "code": code, "message": message}
