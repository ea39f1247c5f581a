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
from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.core.feed import ONLINE_FACILITY
from rpsync_assets.core.publication import (
    BASELINE_SCHEMA,
    ITEM,
    PLAN_SCHEMA,
    drift,
    lacks_baseline,
    plan_delta,
    plan_full,
    under_way,
)
from rpsync_assets.resources.publications import Change, Operation, Publications, Verb
from rpsync_assets.resources.shopify import PER_CALL, RowError, Shopify, ShopSession
from rpsync_assets.settings import StoreSettings

_log = logging.getLogger(__name__)

ROUNDS = 3
"""So often a full reset reads again what somebody bought between its reading and its setting."""

KEY_MEMORY = timedelta(hours=12)
"""For so long an operation may be sent again under its key; how long Shopify remembers one is not documented."""

NO_LOCATION = "INVALID_LOCATION"
STALE = "CHANGE_FROM_QUANTITY_STALE"
BUSY = "IDEMPOTENCY_CONCURRENT_REQUEST"
NOT_PUBLISHED = pl.lit(None, dtype=pl.Int64)
ERROR_SCHEMA = {"shopify_inventory_item_id": pl.String, "shopify_location_id": pl.String, "code": pl.String}


@dataclass
class Published:
    """What came of it.

    Attributes:
        plan: ``PLAN_SCHEMA``; what was decided first.
        compared_all: everything was compared with Shopify, not only with what was published before.
        sent: rows that Shopify applied.
        bad: ``ERROR_SCHEMA``: rows that Shopify refuses, each with its code.
        after: ``PLAN_SCHEMA`` of a re-read after a full reset; None for a delta or a dry run.
        resumed: operations of a run that died, sent again.
    """

    plan: pl.DataFrame
    compared_all: bool
    desired: Desired
    sent: int = 0
    bad: list[tuple[str, str, str]] = field(default_factory=list)
    after: pl.DataFrame | None = None
    resumed: int = 0
    calls: int = 0
    waited_seconds: float = 0.0

    @property
    def bad_rows(self) -> pl.DataFrame:
        """The refused rows as a table."""
        return pl.DataFrame(self.bad, orient="row", schema=ERROR_SCHEMA).unique(ITEM, maintain_order=True)

    @property
    def drifting(self) -> pl.DataFrame:
        """Rows that a re-read shows wrong, but for those that Shopify refuses (they are told as bad)."""
        after = pl.DataFrame(schema=PLAN_SCHEMA) if self.after is None else self.after
        return drift(after).join(self.bad_rows, on=ITEM, how="anti")


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
            if resumed is None or compared_at is None or compared_at < oldest:
                return self._full(session, allowed, resumed)
            desired = self.reader.read(self.store, self.its)
            before = self.publications.baselines(self.store)
            if lacks_baseline(desired.feed, before).height:
                return self._full(session, allowed, resumed)
            plan = plan_delta(desired.feed, before, desired.reflected, desired.pending)
            published = Published(plan, compared_all=False, desired=desired, resumed=resumed or 0)
            allowed(plan)
            if self.its.shopify.mode == "on":
                self._send_all(session, "adjust", plan, published)
                self._move(plan, before)
            return _counted(published, session)

    def _full(self, session: ShopSession, allowed: Callable[[pl.DataFrame], None], resumed: int | None) -> Published:
        desired, plan, missing = self._compare(session)
        published = Published(plan, compared_all=True, desired=desired, resumed=resumed or 0)
        lost = plan.filter(pl.col("shopify_location_id").is_in(missing))
        published.bad += [(item, place, NO_LOCATION) for item, place in lost.select(ITEM).iter_rows()]
        allowed(plan)
        if self.its.shopify.mode != "on":
            return _counted(published, session)
        began = datetime.now(UTC)
        for number in range(ROUNDS):
            self._move(plan, self.publications.baselines(self.store))
            stale = self._send_all(session, "set", plan, published)
            # Read again in any case: it is the proof, and it shows what was bought meanwhile.
            _, plan, _ = self._compare(session)
            published.after = plan
            if not stale and published.drifting.is_empty():
                break
            _log.info("%s: %d counts had changed, round %d of %d", self.store, stale, number + 1, ROUNDS)
        self._move(plan, self.publications.baselines(self.store))
        self.publications.compared(self.store, began)
        return _counted(published, session)

    def _compare(self, session: ShopSession) -> tuple[Desired, pl.DataFrame, list[str]]:
        """What is desired, the plan, and mapped locations that the shop does not have.

        Counts first, then Shopify's orders, then the OMS: an order in between makes a count stale, never wrong.
        """
        with self.reader.oms.read() as reader:
            places = reader.shopify_locations(self.store)
        online = places.filter(pl.col("facility_id") == ONLINE_FACILITY)["shopify_location_id"].to_list()
        if len(set(places["shopify_location_id"])) < places.height or len(online) > 1:
            raise SetupError(
                f"A Shopify location of {self.store} stands for several facilities",
                "Give each location one role in HotWax (SHOPIFY_SHOP_LOCATION): the channel's, or one facility's",
            )
        available = session.available(places["shopify_location_id"].to_list())
        since = datetime.now(UTC) - timedelta(days=self.its.shopify.order_days)
        taken = session.taken(since, fallback=(online or places["shopify_location_id"].to_list() or [""])[0])
        desired = self.reader.read(self.store, self.its)
        in_flight = under_way(taken, desired.reflected_orders)
        plan = plan_full(desired.feed, available.rows, in_flight, desired.reflected, desired.pending)
        return desired, plan, available.missing

    def _resume(self, session: ShopSession) -> int | None:
        """Send again what a run that died left unsettled; None if some of it was too old."""
        if self.its.shopify.mode != "on":
            return 0
        given_up = 0
        unsettled = self.publications.unsettled(self.store)
        for operation in unsettled:
            if datetime.now(UTC) - operation.written_at > KEY_MEMORY:
                self.publications.settle(self.store, operation, "abandoned")
                given_up += 1
                continue
            self._settle(operation, session.send(operation))
        return None if given_up else len(unsettled)

    def _settle(self, operation: Operation, errors: Sequence[RowError]) -> None:
        if any(error.code == BUSY for error in errors):
            raise UnreachableError(
                f"Shopify is still at work on an earlier request of {self.store}", "Rerun in a minute: it is kept"
            )
        said = [f"{error.row}: {error.code}" for error in errors]
        self.publications.settle(self.store, operation, "refused" if errors else "applied", said)

    def _send_all(self, session: ShopSession, verb: Verb, plan: pl.DataFrame, published: Published) -> int:
        """Send what differs, 250 rows a call; the number of rows whose count was stale."""
        refused = {(item, place) for item, place, _ in published.bad}
        changes = [change for change in _changes(plan, verb) if (change.item, change.location) not in refused]
        waiting = deque(changes[first : first + PER_CALL] for first in range(0, len(changes), PER_CALL))
        stale = 0
        reference = f"gid://rpsync-assets/Run/{self.run_id}"
        while waiting:
            rows = waiting.popleft()
            operation = self.publications.write(self.store, verb, reference, rows, self.run_id)
            errors = session.send(operation)
            self._settle(operation, errors)
            if not errors:
                published.sent += len(rows)
                continue
            by_row = {error.row: error.code for error in errors}
            if None in by_row and len(rows) > 1:
                # Shopify does not say which row is bad: halve until it is alone.
                middle = len(rows) // 2
                waiting.extendleft([rows[middle:], rows[:middle]])
                continue
            codes = {0: by_row[None]} if None in by_row else by_row
            for row, code in codes.items():
                stale += code == STALE
                if code != STALE:
                    published.bad.append((rows[row or 0].item, rows[row or 0].location, code))
            left = [change for number, change in enumerate(rows) if number not in codes]
            if left:
                waiting.appendleft(left)
        # What Shopify refuses has no baseline: the next full comparison tries it again, and no delta before it.
        self.publications.move(
            self.store, published.bad_rows.select(*ITEM, baseline=NOT_PUBLISHED, reflected=pl.lit(0, dtype=pl.Int64))
        )
        return stale

    def _move(self, plan: pl.DataFrame, before: pl.DataFrame) -> None:
        """Baselines of rows that need no operation; only those that changed are written."""
        still = plan.filter(~pl.col("outcome").is_in(["up", "down"])).with_columns(pl.col("reflected").fill_null(0))
        self.publications.move(
            self.store,
            still.select(BASELINE_SCHEMA.keys()).join(before, on=list(BASELINE_SCHEMA), how="anti", nulls_equal=True),
        )

    @contextmanager
    def _alone(self) -> Iterator[ShopSession]:
        with self.reader.outbox.alone(self.store, "publishing"), self.shopify.session(self.store) as session:
            yield session


def _changes(plan: pl.DataFrame, verb: Verb) -> list[Change]:
    rows = plan.filter(pl.col("outcome").is_in(["up", "down"]))
    number = "target" if verb == "set" else "difference"
    count = "shopify_available" if verb == "set" else pl.lit(None, dtype=pl.Int64)
    return [Change(*row) for row in rows.select(*ITEM, number, count, "baseline", "reflected").iter_rows()]


def _counted(published: Published, session: ShopSession) -> Published:
    published.calls, published.waited_seconds = session.api.calls, session.bucket.waited_seconds
    return published
