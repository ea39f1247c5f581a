"""The door to Shopify: counts, what its own orders took, setting and adjusting quantities.

Belongs here: questions and answers in our own words, pages that never drop a short last one. Does not: HTTP and waiting
(``resources/shopify_api``), how orders are read (``resources/shopify_orders``), what to send (``core/publication``),
remembering it (``resources/publications``).

One bad row fails a whole call at Shopify. The answer names it by its place in ``userErrors.field``, or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from pydantic import SecretStr

from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.core.publication import AVAILABLE_SCHEMA
from rpsync_assets.resources import shopify_orders
from rpsync_assets.resources.publications import Operation
from rpsync_assets.resources.shopify_api import ATTEMPTS, Bucket, ShopifyApi, gid, number_of, pause
from rpsync_assets.resources.shopify_orders import TakenByOrders

PER_CALL = 250
"""Rows that one call may hold (domain.md 5.4)."""

REASON = "correction"
BUSY = "IDEMPOTENCY_CONCURRENT_REQUEST"

COUNTS = """
query Counts($location: ID!, $after: String) {
  location(id: $location) {
    inventoryLevels(first: 250, after: $after) {
      nodes { item { id } quantities(names: ["available"]) { quantity } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

COUNTS_OF = """
query CountsOf($items: [ID!]!, $location: ID!) {
  nodes(ids: $items) {
    ... on InventoryItem { id inventoryLevel(locationId: $location) { quantities(names: ["available"]) { quantity } } }
  }
}
"""

SET = """
mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { field message code }
  }
}
"""
ADJUST = """
mutation Adjust($input: InventoryAdjustQuantitiesInput!, $key: String!) {
  inventoryAdjustQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { field message code }
  }
}
"""


@dataclass(frozen=True)
class RowError:
    """Why a call failed.

    Attributes:
        row: the place of the bad row in the call; None if Shopify did not say.
        code: Shopify's code.
        message: Shopify's words.
    """

    row: int | None
    code: str
    message: str


@dataclass(frozen=True)
class Counts:
    """What was read.

    Attributes:
        rows: ``AVAILABLE_SCHEMA``.
        missing: locations that the shop does not have.
    """

    rows: pl.DataFrame
    missing: list[str]


@dataclass(frozen=True)
class ShopSettings:
    """How one shop is reached."""

    url: str
    token: SecretStr | None = field(repr=False)


@dataclass(frozen=True)
class Shopify:
    """The shops of the product stores."""

    shops: Mapping[str, ShopSettings]

    @contextmanager
    def session(self, store: str) -> Iterator["ShopSession"]:
        """Talk to a store's shop.

        Raises:
            SetupError: its token is not set.
        """
        shop = self.shops[store]
        if shop.token is None:
            raise SetupError(
                f"The token of {store}'s shop is not set",
                f"Put the app's Admin API access token into RPSYNC_SHOPIFY_TOKEN_{store}",
            )
        api = ShopifyApi(store, shop.url, shop.token.get_secret_value())
        try:
            yield ShopSession(api)
        finally:
            api.close()


@dataclass(frozen=True)
class ShopSession:
    """One shop, open."""

    api: ShopifyApi

    @property
    def bucket(self) -> Bucket:
        """What was waited for."""
        return self.api.bucket

    def available(self, locations: Sequence[str]) -> "Counts":
        """What Shopify shows for all items at these locations."""
        rows: list[tuple[str, str, int]] = []
        missing: list[str] = []
        for location in locations:
            after: str | None = None
            while True:
                found = self.api.ask(COUNTS, {"location": gid("Location", location), "after": after})["location"]
                if found is None:
                    missing.append(location)
                    break
                levels = found["inventoryLevels"]
                rows += [
                    (number_of(level["item"]["id"]), location, level["quantities"][0]["quantity"])
                    for level in levels["nodes"]
                ]
                if not levels["pageInfo"]["hasNextPage"]:
                    break
                after = levels["pageInfo"]["endCursor"]
        return Counts(pl.DataFrame(rows, orient="row", schema=AVAILABLE_SCHEMA), missing)

    def available_of(self, items: pl.DataFrame) -> pl.DataFrame:
        """``AVAILABLE_SCHEMA`` of these items and locations, as far as they are stocked there."""
        rows: list[tuple[str, str, int]] = []
        for (location,), here in items.group_by("shopify_location_id", maintain_order=True):
            for part in here.iter_slices(PER_CALL):
                asked = [gid("InventoryItem", item) for item in part["shopify_inventory_item_id"]]
                found = self.api.ask(COUNTS_OF, {"items": asked, "location": gid("Location", str(location))})["nodes"]
                rows += [
                    (number_of(item["id"]), str(location), item["inventoryLevel"]["quantities"][0]["quantity"])
                    for item in found
                    if item and item["inventoryLevel"]
                ]
        return pl.DataFrame(rows, orient="row", schema=AVAILABLE_SCHEMA)

    def taken(self, since: datetime, fallback: str, *, changed_since: datetime | None = None) -> TakenByOrders:
        """What each of Shopify's own orders placed since a moment took, less what was restocked.

        Args:
            since: orders that were created before it are settled.
            fallback: the location of a line that nothing else places.
            changed_since: only orders that were placed, edited, refunded or cancelled since then, by Shopify's clock.
        """
        return shopify_orders.read_taken(self.api, shopify_orders.since(since, changed_since), fallback)

    def send(self, operation: Operation) -> list[RowError]:
        """Send an operation; no errors: all of it is applied, else nothing of it is.

        Raises:
            UnreachableError: Shopify is still at work on the same operation, which an earlier try began.
        """
        for attempt in range(1, ATTEMPTS + 1):
            errors = self._send(operation)
            if not any(error.code == BUSY for error in errors):
                return errors
            self.bucket.sleep(pause(attempt))
        raise UnreachableError(
            f"Shopify is still at work on an earlier request of {self.api.store}", "Rerun in a minute: it is kept"
        )

    def _send(self, operation: Operation) -> list[RowError]:
        if operation.verb == "set":
            quantities = [
                {
                    "inventoryItemId": gid("InventoryItem", change.item),
                    "locationId": gid("Location", change.location),
                    "quantity": change.number,
                    "changeFromQuantity": change.change_from,
                }
                for change in operation.changes
            ]
            document, field_name, payload = SET, "quantities", {"quantities": quantities}
        else:
            changes = [
                {
                    "inventoryItemId": gid("InventoryItem", change.item),
                    "locationId": gid("Location", change.location),
                    "delta": change.number,
                    # Said on purpose: whatever Shopify has sold meanwhile, the difference is the difference.
                    "changeFromQuantity": None,
                }
                for change in operation.changes
            ]
            document, field_name, payload = ADJUST, "changes", {"changes": changes}
        given = {"name": "available", "reason": REASON, "referenceDocumentUri": operation.reference, **payload}
        (answer,) = self.api.ask(document, {"input": given, "key": operation.id}).values()
        return [
            RowError(_row(error["field"], field_name), error["code"] or "UNKNOWN", error["message"])
            for error in answer["userErrors"]
        ]


def _row(place: Sequence[str] | None, field_name: str) -> int | None:
    """The place of a row from ``["input", "quantities", "3", "changeFromQuantity"]``."""
    if place and field_name in place:
        after = place[place.index(field_name) + 1 :]
        if after and after[0].isdecimal():
            return int(after[0])
    return None
