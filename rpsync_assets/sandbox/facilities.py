"""The places of one product store, and what Retail Pro calls them.

Belongs here: ids, codes and roles. Does not: tables (``master_data``).

Retail Pro's store codes have at most five characters and repeat in other product stores, as in reality; the OMS's
facility ids are unique everywhere.
"""

from dataclasses import dataclass

from rpsync_assets.sandbox.sizes import Size
from rpsync_assets.sandbox.stores import SandboxStore, position

QUEUE = "_NA_"
"""The virtual facility of orders that are not brokered yet; shared by all product stores."""

UNKNOWN_CODES = ("X98", "OUT7")
"""Codes in Retail Pro's files that no facility of the OMS has: an outlet, a shop that is being opened."""


@dataclass(frozen=True)
class Facility:
    """A place with stock. A member sells on the online channel now; a picked-up-at one has a Shopify location."""

    facility_id: str
    store_code: str
    facility_type_id: str
    member: str
    pickup: bool


def facilities(store: SandboxStore, size: Size) -> list[Facility]:
    """All places of a store: the last is the warehouse, the one before has left the channel, another never joined."""
    found: list[Facility] = []
    for place in range(size.facilities):
        last = place == size.facilities - 1
        code = "W01" if last else f"C{place + 21}"
        member = "expired" if place == size.facilities - 2 else "never" if place == size.facilities - 3 else "current"
        found.append(
            Facility(
                f"{store.store_id}V{code}", code, "WAREHOUSE" if last else "RETAIL_STORE", member, pickup=place < 2
            )
        )
    return found


def channel(store: SandboxStore) -> str:
    """The facility group of the store's online channel."""
    return f"{store.store_id}_ONLINE"


def configuration(store: SandboxStore) -> str:
    """The CONFIGURATION facility that carries the channel's thresholds."""
    return f"{store.store_id}_ONLINE_CFG"


def shop(store: SandboxStore) -> str:
    """The Shopify shop of a store."""
    return f"{store.store_id}_SHOP"


def location_id(store: SandboxStore, place: int) -> str:
    """A Shopify location: 0 is the shop's online one, others belong to the pick-up facilities in order."""
    return str(70_000_000_000 + position(store) * 100 + place)


def shopify_product_id(store: SandboxStore, number: int) -> str:
    """The id of a product in the store's shop."""
    return str(8_000_000_000_000 + position(store) * 10_000_000 + number)


def inventory_item_id(store: SandboxStore, number: int) -> str:
    """The Shopify inventory item of a product in the store's shop; another shop has another one."""
    return str(45_000_000_000_000 + position(store) * 10_000_000 + number)


def stock_id(facility_id: str, number: int) -> str:
    """The OMS's INVENTORY_ITEM of a product at a facility."""
    return f"{facility_id}I{number}"
