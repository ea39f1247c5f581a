"""Publishing to a shop: read, decide, write down, send, settle; safe to kill at any point and to click twice.

Belongs here: the order of these steps, stale counts. Does not: what should be shown (``assets/desired``), the
arithmetic (``core/publication``), calls and what Shopify refuses (``assets/sending``), whether publishing is allowed
(the asset's guards, which it hands in).

One run publishes to a shop at a time, and first sends again what a run that died left behind.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from rpsync_assets.assets.desired import Desired, DesiredReader
from rpsync_assets.assets.sending import NO_LOCATION, Sender, Sent
from rpsync_assets.core.errors import SetupError
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.core.publication import (
    AVAILABLE_SCHEMA,
    ITEM,
    PLAN_SCHEMA,
    drift,
    lacks_baseline,
    plan_delta,
    plan_full,
    reflected_at,
    under_way,
    without_returns,
)
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.shopify import Shopify, ShopSession
from rpsync_assets.store_settings import StoreSettings

_log = logging.getLogger(__name__)

SEARCH_BEHIND = timedelta(minutes=15)
"""So long ago a change may have been made that Shopify's search, or a page that was read before it, did not show."""

ROUNDS = 3
"""So often a full reset decides again about items that somebody bought between its reading and its setting."""


@dataclass
class Published:
    """What came of it.

    Attributes:
        plan: ``PLAN_SCHEMA``; what was decided first.
        compared_all: everything was compared with Shopify, not only with what was published before.
        sent: what Shopify took and what it refused.
        after: ``PLAN_SCHEMA`` of a re-read after a full reset; None for a delta or a dry run.
        moving: ``ITEM`` of rows that were bought whenever they were read: nothing can be said of them.
    """

    plan: pl.DataFrame
    compared_all: bool
    desired: Desired
    sent: Sent
    after: pl.DataFrame | None = None
    moving: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict.fromkeys(ITEM, pl.String)))
    calls: int = 0
    waited_seconds: float = 0.0

    @property
    def drifting(self) -> pl.DataFrame:
        """Rows that a re-read shows wrong; not those that Shopify refuses (they are told as bad) or that are moving."""
        after = pl.DataFrame(schema=PLAN_SCHEMA) if self.after is None else self.after
        return drift(after).join(self.sent.bad_rows, on=ITEM, how="anti").join(self.moving, on=ITEM, how="anti")


@dataclass(frozen=True)
class Publisher:
    """One store's shop, and everything a publication needs."""

    store: str
    its: StoreSettings
    reader: DesiredReader
    shopify: Shopify
    publications: Publications
    run_id: str

    def full(self, allowed: Callable[[pl.DataFrame], None]) -> Published:
        """The full reset.

        Args:
            allowed: called with the plan before anything is sent; refuses by raising.

        Raises:
            NotYetError: another run publishes to this shop.
        """
        with self._alone() as sender:
            return self._full(sender, allowed)

    def delta(self, allowed: Callable[[pl.DataFrame], None]) -> Published:
        """What changed since the last publication; a full comparison where that cannot be told."""
        with self._alone() as sender:
            compared_at = self.publications.compared_at(self.store)
            oldest = datetime.now(UTC) - timedelta(hours=self.its.shopify.baseline_max_age_hours)
            if compared_at is None or compared_at < oldest:
                return self._full(sender, allowed)
            places = self._places()
            self._orders(sender.session, places, changed_only=True)
            desired = self.reader.read(self.store, self.its)
            before = self.publications.baselines(self.store)
            if lacks_baseline(desired.feed, before).height:
                return self._full(sender, allowed)
            plan = plan_delta(desired.feed, before, self._reflected(desired)[1], desired.pending)
            published = Published(plan, compared_all=False, desired=desired, sent=sender.sent)
            allowed(plan)
            if self.its.shopify.mode == "on":
                sender.send("adjust", plan)
                sender.keep(plan)
            return _counted(published, sender.session)

    def _full(self, sender: Sender, allowed: Callable[[pl.DataFrame], None]) -> Published:
        session, places = sender.session, self._places()
        seen = self._look(session, places)
        desired, plan = self._decide(seen)
        published = Published(plan, compared_all=True, desired=desired, sent=sender.sent)
        lost = plan.filter(pl.col("shopify_location_id").is_in(seen.missing))
        sender.sent.bad += [(item, place, NO_LOCATION) for item, place in lost.select(ITEM).iter_rows()]
        allowed(plan)
        if self.its.shopify.mode != "on":
            return _counted(published, session)
        began = datetime.now(UTC)
        sender.keep(plan)
        sender.send("set", plan)
        # Read again in any case: it is the proof, and it shows what was bought meanwhile.
        seen = self._look(session, places, seen)
        published.after = self._decide(seen)[1]
        # A count and the orders are not read at one moment, and somebody may have bought in between: look at the
        # doubtful items alone, which is quick, before anything is sent for them.
        doubtful = published.drifting.select(ITEM)
        for number in range(ROUNDS + 1):
            if doubtful.is_empty():
                break
            seen = self._look(session, places, seen, doubtful)
            # The others' counts are older than the orders that were just read: what was found of them stands.
            again = self._decide(seen)[1].join(doubtful, on=ITEM, how="semi")
            published.after = pl.concat([published.after.join(doubtful, on=ITEM, how="anti"), again])
            published.moving = seen.moving
            wrong = published.drifting
            if number < ROUNDS and wrong.height:
                _log.info("%s: %d counts are not what was set; deciding again", self.store, wrong.height)
                allowed(published.after)
                sender.send("set", wrong.select(PLAN_SCHEMA.keys()))
            doubtful = pl.concat([wrong.select(ITEM), seen.moving])
        sender.keep(published.after)
        self.publications.forget(self.store, published.drifting.select(ITEM))
        self.publications.compared(self.store, began)
        return _counted(published, session)

    def _places(self) -> "_Places":
        with self.reader.oms.read() as reader:
            places = reader.shopify_locations(self.store)
        online = places.filter(pl.col("facility_id") == ONLINE_FACILITY)["shopify_location_id"].to_list()
        if any(places[name].n_unique() < places.height for name in ("shopify_location_id", "facility_id")):
            raise SetupError(
                f"A Shopify location of {self.store} stands for several facilities, or a facility has several",
                "Give each location one role in HotWax (SHOPIFY_SHOP_LOCATION): the channel's, or one facility's",
            )
        locations = places["shopify_location_id"].to_list()
        return _Places(locations, (online or locations or [""])[0])

    def _look(
        self,
        session: ShopSession,
        places: "_Places",
        before: "_Seen | None" = None,
        only: pl.DataFrame | None = None,
    ) -> "_Seen":
        """What Shopify shows, and what its orders took.

        Counts first, then orders: an order in between makes a count stale, never wrong.

        Args:
            session: the shop.
            places: its locations.
            before: an earlier look; only orders that changed since are read again.
            only: items and locations whose counts are read, before and after the orders; all of them if None.
        """
        began = datetime.now(UTC)
        if before is None or only is None:
            found = session.available(places.locations)
            available, missing = found.rows, found.missing
        else:
            available, missing = session.available_of(only), before.missing
        taken = self._orders(session, places, changed_only=before is not None)
        if before is not None:
            taken = pl.concat([before.taken.join(taken, on="order_id", how="anti"), taken])
        moving = pl.DataFrame(schema=dict.fromkeys(ITEM, pl.String))
        if before is not None and only is not None:
            still = session.available_of(only)
            moving = available.join(still, on=list(AVAILABLE_SCHEMA), how="anti").select(ITEM)
            available = pl.concat([before.available.join(only, on=ITEM, how="anti"), still])
        return _Seen(began, available, missing, taken, moving)

    def _orders(self, session: ShopSession, places: "_Places", *, changed_only: bool) -> pl.DataFrame:
        """``TAKEN_SCHEMA`` of recent orders, or of those of them that changed since they were read last; remembered.

        Changes are dated by Shopify alone: an order that our clock, which may run ahead, leaves out is sold twice.
        """
        since = datetime.now(UTC) - timedelta(days=self.its.shopify.order_days)
        known = self.publications.orders.changed_at(self.store) if changed_only else None
        taken = session.taken(since, places.fallback, changed_since=known and known - SEARCH_BEHIND)
        self.publications.orders.took(self.store, *taken)
        return taken.rows

    def _reflected(self, desired: Desired) -> tuple[pl.DataFrame, pl.DataFrame]:
        """K, per order (``REFLECTED_SCHEMA``) and per item and location (``UNITS_SCHEMA``)."""
        taken, orders = self.publications.orders.taken(self.store), desired.reflected_orders
        orders = orders if desired.returns_known else without_returns(orders, taken)
        return orders, reflected_at(orders, taken)

    def _decide(self, seen: "_Seen") -> tuple[Desired, pl.DataFrame]:
        """What is desired now, and the plan; the OMS is read last: what it has imported was seen to be taken."""
        desired = self.reader.read(self.store, self.its)
        orders, reflected = self._reflected(desired)
        in_flight = under_way(seen.taken, orders)
        return desired, plan_full(desired.feed, seen.available, in_flight, reflected, desired.pending)

    @contextmanager
    def _alone(self) -> Iterator[Sender]:
        with self.reader.outbox.alone(self.store, "publishing"), self.shopify.session(self.store) as session:
            sender = Sender(self.store, session, self.publications, self.run_id)
            if self.its.shopify.mode == "on":
                sender.resume()
            yield sender


@dataclass(frozen=True)
class _Places:
    """Locations that a store's stock is shown at, and the one of lines that no fulfillment order names."""

    locations: list[str]
    fallback: str


@dataclass(frozen=True)
class _Seen:
    """One look at a shop.

    ``AVAILABLE_SCHEMA``, locations that it does not have, ``TAKEN_SCHEMA``, and ``ITEM`` of what
    was bought while we looked: of these nothing can be said.
    """

    began: datetime
    available: pl.DataFrame
    missing: list[str]
    taken: pl.DataFrame
    moving: pl.DataFrame


def _counted(published: Published, session: ShopSession) -> Published:
    published.calls, published.waited_seconds = session.api.calls, session.bucket.waited_seconds
    return published
