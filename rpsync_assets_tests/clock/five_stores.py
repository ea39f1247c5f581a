"""Five product stores in three time zones on one tiny OMS and one SFTP server.

Belongs here: master data of more stores than the tiny world's one, and their files. Does not: time (``simulated``).
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rpsync_assets.oms import tables
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.tiny_oms import LONG_AGO, UPCA, TinyOms
from rpsync_assets_tests.graph.tiny_world import HEADER, TinyWorld

ZONES = {
    "US": ZoneInfo("America/New_York"),
    "CA": ZoneInfo("America/New_York"),
    "UK": ZoneInfo("Europe/London"),
    "IE": ZoneInfo("Europe/London"),
    "AU": ZoneInfo("Australia/Sydney"),
}


class FiveStoresOms(TinyOms):
    """The tiny OMS with four stores more; each has one facility, named like the store, and sells A, B and C."""

    def __init__(self, where: Path) -> None:
        super().__init__(where)
        for store in list(ZONES)[1:]:
            self._store(store)
        for store in ZONES:
            for product in ("A", "B", "C"):
                self.stock("NY" if store == "US" else store, product, 10)

    def ship_a_part(self, store: str, when: datetime) -> None:
        """One of A leaves for an order that is never completed: each reset of A owes a variance of one."""
        facility = "NY" if store == "US" else store
        self.order(f"O{store}", when, {"A": (facility, 1), "B": (facility, 1)})
        self.do(
            "UPDATE ORDER_HEADER SET PRODUCT_STORE_ID = :store WHERE ORDER_ID = :order", store=store, order=f"O{store}"
        )
        self.ship(f"O{store}", "A", facility, 1, when)

    def _store(self, store: str) -> None:
        group, shop = f"{store}_ONLINE", f"SHOP-{store}"
        self.add(tables.product_store, PRODUCT_STORE_ID=store, RESERVE_INVENTORY="Y")
        self.add(tables.facility_group, FACILITY_GROUP_ID=group, FACILITY_GROUP_TYPE_ID="CHANNEL_FAC_GROUP")
        self.add(tables.shopify_shop, SHOP_ID=shop, PRODUCT_STORE_ID=store)
        self.add(tables.facility, FACILITY_ID=store, FACILITY_TYPE_ID="RETAIL_STORE", EXTERNAL_ID=f"{store}1")
        self.add(tables.product_store_facility, PRODUCT_STORE_ID=store, FACILITY_ID=store, FROM_DATE=LONG_AGO)
        self.add(tables.facility_group_member, FACILITY_ID=store, FACILITY_GROUP_ID=group, FROM_DATE=LONG_AGO)
        for product in ("A", "B", "C"):
            self.add(
                tables.shopify_shop_product,
                SHOP_ID=shop,
                SHOPIFY_PRODUCT_ID=f"8{product}{store}",
                PRODUCT_ID=product,
                SHOPIFY_INVENTORY_ITEM_ID=f"9{product}{store}",
            )


@dataclass
class FiveStores(TinyWorld):
    """The tiny world, of five stores."""

    def make_oms(self) -> FiveStoresOms:
        return FiveStoresOms(self.root / "oms.sqlite")

    def settings(self, **sftp: object) -> Settings:
        """Dry runs for all: no shop is named."""
        told = super().settings(**sftp).model_dump()
        told["stores"] = {store: {"time_zone": zone.key, "channel": f"{store}_ONLINE"} for store, zone in ZONES.items()}
        return Settings.model_validate(told)

    def counts(self, store: str, counted_at: datetime, units: int) -> Path:
        """Retail Pro's file of a store: so many of A, and five each of B and C."""
        code = "101" if store == "US" else f"{store}1"
        rows = [f"{code},{UPCA[product]},ALU,Shoe,{units if product == 'A' else 5}" for product in ("A", "B", "C")]
        path = self.incoming / f"reset_{store}_{counted_at.astimezone(ZONES[store]):%Y%m%dT%H%M%S}.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n")
        return path
