"""A store's shop at Shopify: token, version, scopes, locations.

Belongs here: looks at a shop, all of them reading. Does not: HTTP (``resources/shopify_api``).

Who else changes inventory cannot be asked: Shopify's API shows an adjustment's app only to the call that made it (no
query leads to InventoryAdjustmentGroup). So the line about the one publisher looks at HotWax's jobs instead.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.doctor.checkup import PATIENCE_SECONDS, Checkup, Doubt
from rpsync_assets.doctor.oms import TABLES, OmsLook
from rpsync_assets.resources.shopify_api import VERSION, Bucket, ShopifyApi, number_of
from rpsync_assets.settings import Settings

APP = """
query App {
  currentAppInstallation { accessScopes { handle } }
  publicApiVersions { handle supported }
}
"""
LOCATIONS = """
query Locations($after: String) {
  locations(first: 250, after: $after, includeInactive: true) {
    nodes { id name isActive }
    pageInfo { hasNextPage endCursor }
  }
}
"""
SCOPES = {"read_inventory", "write_inventory", "read_locations", "read_orders"}


@dataclass
class ShopLook:
    """One shop, asked once each."""

    store: str
    api: ShopifyApi
    _scopes: set[str] = field(default_factory=set[str])
    _supported: dict[str, bool] = field(default_factory=dict[str, bool])

    def app(self) -> str:
        """The token."""
        said = self.api.ask(APP, {})
        self._scopes = {scope["handle"] for scope in said["currentAppInstallation"]["accessScopes"]}
        self._supported = {version["handle"]: version["supported"] for version in said["publicApiVersions"]}
        return f"{self.api.url} accepts it"

    def version(self) -> str:
        """The API's version."""
        if not self._supported.get(VERSION):
            raise SetupError(f"Shopify does not support API version {VERSION} any more", "Update rpsync")
        return f"{VERSION} is supported"

    def scopes(self) -> str:
        """What the app may do."""
        # Whoever may write may read.
        held = self._scopes | {scope.replace("write_", "read_") for scope in self._scopes}
        if missing := sorted(SCOPES - held):
            raise SetupError(f"the app lacks {', '.join(missing)}", "Give the app these scopes, and install it again")
        return ", ".join(sorted(SCOPES))

    def locations(self, oms: OmsLook) -> str:
        """Whether the shop has what HotWax maps."""
        mapped = oms.locations(self.store)
        if mapped.is_empty():
            raise SetupError(
                f"no facility of {self.store} has a location", "Map them in HotWax (SHOPIFY_SHOP_LOCATION)"
            )
        active: dict[str, bool] = {}
        after: str | None = None
        while True:
            page = self.api.ask(LOCATIONS, {"after": after})["locations"]
            active |= {number_of(place["id"]): place["isActive"] for place in page["nodes"]}
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        places = mapped["shopify_location_id"].unique().sort().to_list()
        gone = [place for place in places if place not in active]
        closed = [place for place in places if active.get(place) is False]
        if gone or closed:
            said = [f"the shop lacks {', '.join(gone)}"] * bool(gone) + [f"closed: {', '.join(closed)}"] * bool(closed)
            raise SetupError("; ".join(said), "Correct SHOPIFY_SHOP_LOCATION in HotWax, or open the location")
        return f"{len(places)} mapped, all there and active"

    def roles(self, oms: OmsLook) -> str:
        """Whether each location stands for one facility, as a publication wants it."""
        mapped = oms.locations(self.store)
        for name, other in (("shopify_location_id", "facility_id"), ("facility_id", "shopify_location_id")):
            for (one,), here in mapped.group_by(name, maintain_order=True):
                if here.height > 1:
                    raise SetupError(
                        f"{one} stands for {', '.join(sorted(here[other]))}",
                        "Give each location one role in HotWax (SHOPIFY_SHOP_LOCATION): the channel's, or a facility's",
                    )
        return "each location has one role"


def look_at_shop(checkup: Checkup, settings: Settings, store: str, oms: OmsLook) -> None:
    """A store's shop, unless publishing is off."""
    told, token = settings.store(store).shopify, settings.secrets.shopify_tokens.get(store)
    if told.mode == "off" or told.url is None:
        checkup.look(f"Shopify of {store}", lambda: "publishing is off")
        return
    name = f"Shopify token of {store}"
    with _asking(store, told.url, token.get_secret_value() if token else "") as shop:
        looks: list[tuple[str, Callable[[], str | Doubt], list[str]]] = [
            (name, shop.app, [f"secret: {name}"]),
            (f"Shopify version of {store}", shop.version, [name]),
            (f"Shopify scopes of {store}", shop.scopes, [name]),
            (f"Shopify roles of {store}", lambda: shop.roles(oms), [TABLES]),
            (f"Shopify locations of {store}", lambda: shop.locations(oms), [f"Shopify scopes of {store}", TABLES]),
            (f"Shopify publisher of {store}", oms.publisher, ["OMS database"]),
        ]
        for one, question, needs in looks:
            checkup.look(one, question, needs)


@contextmanager
def _asking(store: str, url: str, token: str) -> Iterator[ShopLook]:
    api = ShopifyApi(store, url, token, bucket=Bucket(sleep=_give_up), attempts=1, timeout_seconds=PATIENCE_SECONDS)
    try:
        yield ShopLook(store, api)
    finally:
        api.close()


def _give_up(_seconds: float) -> None:
    raise UnreachableError("Shopify throttles the app: somebody else uses up its points", "Try again in a minute")
