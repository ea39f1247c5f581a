"""Publishing to a shop: read, decide, write down, send, settle; safe to kill at any point and to click twice.

Belongs here: the order of these steps, bad rows, stale counts. Does not: what should be shown (``assets/desired``), the
arithmetic (``core/publication``), whether publishing is allowed (the asset's guards, which it hands in).

One run publishes to a shop at a time. What a run that died left behind is sent again first, with its own payload and
key; older than Shopify's memory of keys, it is given up and everything is compared instead.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from rpsync_assets.assets.desired import Desired, DesiredReader
from rpsync_assets.core.errors import PermanentError, SetupError, UnreachableError
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.core.guards import CLOCKS_APART
from rpsync_assets.core.publication import (
    AVAILABLE_SCHEMA,
    BASELINE_SCHEMA,
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
from rpsync_assets.resources.publications import Change, Operation, Publications, Verb
from rpsync_assets.resources.shopify import PER_CALL, RowError, Shopify, ShopSession
from rpsync_assets.settings import StoreSettings

_log = logging.getLogger(__name__)

ROUNDS = 3
"""So often a full reset decides again about items that somebody bought between its reading and its setting."""

KEY_MEMORY = timedelta(hours=12)
"""For so long an operation may be sent again under its key; how long Shopify remembers one is not documented."""

NO_LOCATION = "INVALID_LOCATION"
STALE = "CHANGE_FROM_QUANTITY_STALE"
NOT_NOW = {"SERVICE_UNAVAILABLE", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"}
"""Nothing was applied, and it is no row's fault: the next publication decides anew, under another key."""

ROW_CODES = {
    STALE,
    NO_LOCATION,
    "ADJUST_QUANTITIES_FAILED",
    "INVALID_INVENTORY_ITEM",
    "INVALID_QUANTITY_NEGATIVE",
    "INVALID_QUANTITY_TOO_HIGH",
    "INVALID_QUANTITY_TOO_LOW",
    "NON_MUTABLE_INVENTORY_ITEM",
    "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
}
"""One bad row may be why a whole call is refused; another code is a matter of the call."""

NOT_PUBLISHED = pl.lit(None, dtype=pl.Int64)
ERROR_SCHEMA = {"shopify_inventory_item_id": pl.String, "shopify_location_id": pl.String, "code": pl.String}


@dataclass
class Published:
    """What came of it.

    Attributes:
        plan: ``PLAN_SCHEMA``; what was decided first.
        compared_all: everything was compared with Shopify, not only with what was published before.
        sent: rows that Shopify applied, with the units by which they went up and down.
        bad: ``ERROR_SCHEMA``: rows that Shopify refuses, each with its code.
        after: ``PLAN_SCHEMA`` of a re-read after a full reset; None for a delta or a dry run.
        moving: ``ITEM`` of rows that were bought whenever they were read: nothing can be said of them.
        resumed: operations of a run that died, sent again.
    """

    plan: pl.DataFrame
    compared_all: bool
    desired: Desired
    sent: int = 0
    units_up: int = 0
    units_down: int = 0
    bad: list[tuple[str, str, str]] = field(default_factory=list)
    after: pl.DataFrame | None = None
    moving: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict.fromkeys(ITEM, pl.String)))
    resumed: int = 0
    calls: int = 0
    waited_seconds: float = 0.0

    def count(self, applied: Sequence[Change]) -> None:
        """Count rows that Shopify has applied."""
        moved = [change.number - (change.change_from or 0) for change in applied]
        self.sent += len(applied)
        self.units_up += sum(units for units in moved if units > 0)
        self.units_down -= sum(units for units in moved if units < 0)

    @property
    def bad_rows(self) -> pl.DataFrame:
        """The refused rows as a table."""
        return pl.DataFrame(self.bad, orient="row", schema=ERROR_SCHEMA).unique(ITEM, maintain_order=True)

    @property
    def drifting(self) -> pl.DataFrame:
        """Rows that a re-read shows wrong; not those that Shopify refuses (they are told as bad) or that are moving."""
        after = pl.DataFrame(schema=PLAN_SCHEMA) if self.after is None else self.after
        return drift(after).join(self.bad_rows, on=ITEM, how="anti").join(self.moving, on=ITEM, how="anti")


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
        with self._alone() as session:
            resumed = self._resume(session)
            return self._full(session, allowed, resumed)

    def delta(self, allowed: Callable[[pl.DataFrame], None]) -> Published:
        """What changed since the last publication; a full comparison where that cannot be told."""
        with self._alone() as session:
            resumed = self._resume(session)
            compared_at = self.publications.compared_at(self.store)
            oldest = datetime.now(UTC) - timedelta(hours=self.its.shopify.baseline_max_age_hours)
            if compared_at is None or compared_at < oldest:
                return self._full(session, allowed, resumed)
            places = self._places()
            self._orders(session, places, changed_only=True)
            desired = self.reader.read(self.store, self.its)
            before = self.publications.baselines(self.store)
            if lacks_baseline(desired.feed, before).height:
                return self._full(session, allowed, resumed)
            plan = plan_delta(desired.feed, before, self._reflected(desired)[1], desired.pending)
            published = Published(plan, compared_all=False, desired=desired, resumed=resumed)
            allowed(plan)
            if self.its.shopify.mode == "on":
                self._send_all(session, "adjust", plan, published)
                self._move(plan)
            return _counted(published, session)

    def _full(self, session: ShopSession, allowed: Callable[[pl.DataFrame], None], resumed: int) -> Published:
        places = self._places()
        seen = self._look(session, places)
        desired, plan = self._decide(seen)
        published = Published(plan, compared_all=True, desired=desired, resumed=resumed)
        lost = plan.filter(pl.col("shopify_location_id").is_in(seen.missing))
        published.bad += [(item, place, NO_LOCATION) for item, place in lost.select(ITEM).iter_rows()]
        allowed(plan)
        if self.its.shopify.mode != "on":
            return _counted(published, session)
        began = datetime.now(UTC)
        self._move(plan)
        self._send_all(session, "set", plan, published)
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
                self._send_all(session, "set", wrong.select(PLAN_SCHEMA.keys()), published)
            doubtful = pl.concat([wrong.select(ITEM), seen.moving])
        self._move(published.after)
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
        """``TAKEN_SCHEMA`` of recent orders, or of those of them that changed since they were read last; remembered."""
        began = datetime.now(UTC)
        since = began - timedelta(days=self.its.shopify.order_days)
        read_at = self.publications.orders_read_at(self.store) if changed_only else None
        taken = session.taken(since, places.fallback, changed_since=read_at and read_at - CLOCKS_APART)
        self.publications.took(self.store, taken, began)
        return taken

    def _reflected(self, desired: Desired) -> tuple[pl.DataFrame, pl.DataFrame]:
        """K, per order (``REFLECTED_SCHEMA``) and per item and location (``UNITS_SCHEMA``)."""
        taken, orders = self.publications.taken(self.store), desired.reflected_orders
        orders = orders if desired.returns_known else without_returns(orders, taken)
        return orders, reflected_at(orders, taken)

    def _decide(self, seen: "_Seen") -> tuple[Desired, pl.DataFrame]:
        """What is desired now, and the plan; the OMS is read last: what it has imported was seen to be taken."""
        desired = self.reader.read(self.store, self.its)
        orders, reflected = self._reflected(desired)
        in_flight = under_way(seen.taken, orders)
        return desired, plan_full(desired.feed, seen.available, in_flight, reflected, desired.pending)

    def _resume(self, session: ShopSession) -> int:
        """Send again what a run that died left unsettled; what is too old for that makes everything be compared."""
        if self.its.shopify.mode != "on":
            return 0
        unsettled = self.publications.unsettled(self.store)
        for operation in unsettled:
            if datetime.now(UTC) - operation.written_at > KEY_MEMORY:
                self.publications.settle(self.store, operation, "abandoned")
            else:
                self._send(session, operation)
        return len(unsettled)

    def _send(self, session: ShopSession, operation: Operation) -> list[RowError]:
        """Send an operation that is written down, and settle it.

        Raises:
            UnreachableError: Shopify says that it cannot now; nothing of it was applied.
            PermanentError: Shopify refuses it for what it is, not for one of its rows.
        """
        try:
            errors = session.send(operation)
        except PermanentError as refused:
            self.publications.settle(self.store, operation, "refused", [str(refused)])
            raise
        said = [f"{error.row}: {error.code}" for error in errors]
        self.publications.settle(self.store, operation, "refused" if errors else "applied", said)
        whole = [error for error in errors if error.row is None and error.code not in ROW_CODES]
        if any(error.code in NOT_NOW for error in whole):
            raise UnreachableError(f"Shopify cannot do what {self.store} asks for now ({whole[0].code})", "Rerun later")
        if whole:
            raise PermanentError(
                f"Shopify refuses a call of {self.store}: {whole[0].message} ({whole[0].code})",
                "This is a defect of ours: report it",
            )
        return errors

    def _send_all(self, session: ShopSession, verb: Verb, plan: pl.DataFrame, published: Published) -> None:
        """Send what differs, 250 rows a call; rows whose count is stale are left for another look."""
        refused = {(item, place) for item, place, _ in published.bad}
        changes = [change for change in _changes(plan, verb) if (change.item, change.location) not in refused]
        waiting = deque(changes[first : first + PER_CALL] for first in range(0, len(changes), PER_CALL))
        reference = f"gid://rpsync-assets/Run/{self.run_id}"
        while waiting:
            rows = waiting.popleft()
            operation = self.publications.write(self.store, verb, reference, rows, self.run_id)
            errors = self._send(session, operation)
            if not errors:
                published.count(rows)
                continue
            by_row = {error.row: error.code for error in errors}
            if None in by_row and len(rows) > 1:
                # Shopify does not say which row is bad: halve until it is alone.
                middle = len(rows) // 2
                waiting.extendleft([rows[middle:], rows[:middle]])
                continue
            codes = {0: by_row[None]} if None in by_row else by_row
            published.bad += [
                (rows[row or 0].item, rows[row or 0].location, code) for row, code in codes.items() if code != STALE
            ]
            left = [change for number, change in enumerate(rows) if number not in codes]
            if left:
                waiting.appendleft(left)
        # What Shopify refuses has no baseline: the next full comparison tries it again, and no delta before it.
        self.publications.move(
            self.store, published.bad_rows.select(*ITEM, baseline=NOT_PUBLISHED, reflected=pl.lit(0, dtype=pl.Int64))
        )

    def _move(self, plan: pl.DataFrame) -> None:
        """Baselines of rows that need no operation; only those that changed are written."""
        before = self.publications.baselines(self.store)
        still = plan.filter(~pl.col("outcome").is_in(["up", "down"])).with_columns(pl.col("reflected").fill_null(0))
        self.publications.move(
            self.store,
            still.select(BASELINE_SCHEMA.keys()).join(before, on=list(BASELINE_SCHEMA), how="anti", nulls_equal=True),
        )

    @contextmanager
    def _alone(self) -> Iterator[ShopSession]:
        with self.reader.outbox.alone(self.store, "publishing"), self.shopify.session(self.store) as session:
            yield session


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


def _changes(plan: pl.DataFrame, verb: Verb) -> list[Change]:
    rows = plan.filter(pl.col("outcome").is_in(["up", "down"]))
    number = "target" if verb == "set" else "difference"
    count = "shopify_available" if verb == "set" else pl.lit(None, dtype=pl.Int64)
    return [Change(*row) for row in rows.select(*ITEM, number, count, "baseline", "reflected").iter_rows()]


def _counted(published: Published, session: ShopSession) -> Published:
    published.calls, published.waited_seconds = session.api.calls, session.bucket.waited_seconds
    return published
