"""What Shopify should show of a store, in one snapshot of the OMS.

Belongs here: stock, rules, imported orders and variances that are on their way, read together. Does not: the arithmetic
(``core/atp``, ``core/feed``, ``core/publication``), sending (``assets/sending``).

Between a reset and its variance the OMS's counts are too high. From the snapshot in which the reset row is visible, the
variance that is still due is taken off here; and for these keys, and for those of a reset that is on its way, no
increase is published (design.md section 5).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from rpsync_assets.assets.hotwax import ACCEPTED
from rpsync_assets.core.atp import less_owed, online_atp
from rpsync_assets.core.errors import NotYetError, PermanentError
from rpsync_assets.core.feed import ONLINE_FACILITY, shopify_feed
from rpsync_assets.core.keys import KEY
from rpsync_assets.core.publication import REFLECTED_SCHEMA
from rpsync_assets.core.sent import sent_rows
from rpsync_assets.core.variance import unseen, variance_due
from rpsync_assets.resources.oms import Oms, Sent
from rpsync_assets.resources.oms_reader import OmsReader
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.state import ACCEPTED_SCHEMA, Delivery, State
from rpsync_assets.store_settings import StoreSettings

RECENT = timedelta(days=3)
"""Files that were delivered longer ago and were not imported are not waited for any more."""

_DELTAS = {"facility_id": pl.String, "product_id": pl.String, "units": pl.Int64}


@dataclass(frozen=True)
class Desired:
    """One moment of the OMS.

    Attributes:
        feed: ``core.feed.FEED_SCHEMA``.
        reflected_orders: ``REFLECTED_SCHEMA``, per imported order.
        returns_known: what came back is off ``reflected_orders`` already.
        pending: keys whose variance is due or on its way: ``facility_id``, ``product_id``.
        unmapped: products that may be sold and have no inventory item at Shopify.
    """

    feed: pl.DataFrame
    reflected_orders: pl.DataFrame
    returns_known: bool
    pending: pl.DataFrame
    unmapped: int


@dataclass(frozen=True)
class DesiredReader:
    """Where it is read from.

    Attributes:
        overlay: key and ``units`` of changes that are only thought of (a dry run): they stand for whatever reset or
            variance of these keys is due.
    """

    oms: Oms
    state: State
    outbox: Outbox
    overlay: pl.DataFrame | None = None

    def read(self, store: str, its: StoreSettings) -> Desired:
        """Everything of one moment."""
        with self.oms.read() as reader:
            held, deltas = self._pending(reader, store, its)
            if self.overlay is not None:
                held, deltas = (frame.join(self.overlay, on=KEY, how="anti") for frame in (held, deltas))
            thought_of = deltas.clear() if self.overlay is None else self.overlay.select(_DELTAS.keys())
            read = reader.stock(store, its.channel)
            atp = online_atp(
                less_owed(read.stock, pl.concat([deltas, thought_of])),
                read.channel_rules,
                read.queue_demand,
                reserves=read.reserves,
                preorder_demand=read.preorder_demand,
            )
            items, places = reader.shopify_items(store), reader.shopify_locations(store)
            orders = reader.reflected_orders(store, ledger=self.oms.ledger)
        online = places.filter(pl.col("facility_id") == ONLINE_FACILITY)["shopify_location_id"].to_list()
        elsewhere = [*online, *places["shopify_location_id"], None][0]
        located = (
            orders.join(items, on="product_id", how="inner")
            .join(places.unique("facility_id", keep="first", maintain_order=True), on="facility_id", how="left")
            .with_columns(pl.coalesce("shopify_location_id", pl.lit(elsewhere, dtype=pl.String)))
        )
        sellable = atp.filter((pl.col("scope") == "channel") & (pl.col("sellable") > 0))
        return Desired(
            feed=shopify_feed(atp, items, places),
            reflected_orders=located.select(REFLECTED_SCHEMA.keys()),
            returns_known=self.oms.ledger,
            pending=held.unique(),
            unmapped=sellable.join(items, on="product_id", how="anti").height,
        )

    def _pending(self, reader: OmsReader, store: str, its: StoreSettings) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Keys of files that are on their way or owe a variance; and what the counts still owe: key and ``units``."""
        known = self.state.newest_accepted(store)
        known_logs = set(known["log_id"])
        due = [self.state.variance_due(store)]
        given_up = [known.select(KEY).clear()]
        held: list[pl.DataFrame] = []
        deltas: list[pl.DataFrame] = []
        for delivery in self._gone_out(store):
            try:
                log = self.oms.import_of(reader, delivery)
            except NotYetError:
                keys = self._rows(reader, delivery)
                if delivery.kind == "variance":
                    # Until somebody says that it was refused, or a newer count takes its place, it is still owed.
                    newer = self.state.accepted_since(store, delivery.business_date)
                    keys = keys.join(newer, on=KEY, how="anti")
                    deltas.append(keys.select(_DELTAS.keys()))
                elif not self.oms.is_on_its_way(reader, delivery):
                    continue
                held.append(keys.select(KEY))
                continue
            except PermanentError:
                due.append(self._given_up(reader, delivery, known))
                given_up.append(due[-1].select(KEY))
                continue
            if delivery.kind == "reset" and log.log_id not in known_logs:
                # Imported, and reset_import has not been materialized since: its variance is due all the same.
                # Of most old resets nothing is left in our memory either: newer counts have taken their place.
                rows = self.oms.reset_rows(reader, log, Sent(delivery, self.outbox))
                rows = rows.filter(pl.col("status").is_in(ACCEPTED)).select(ACCEPTED_SCHEMA.keys())
                due.append(unseen(rows, known))
        rows = pl.concat(due).sort("snapshot_at").unique(KEY, keep="last", maintain_order=True)
        if rows.height:
            snapshots = rows["snapshot_at"].unique().to_list()
            unreported = reader.unreported_shipments(store, snapshots, its.told)
            owed = variance_due(unreported, rows, self.oms.window(reader, store, rows, its.told))
            owed = owed.select(*KEY, pl.col("available_delta").alias("units"))
            # Nobody knows whether a row was taken in before the import died: what it would bring is not sold yet.
            surely = owed.join(pl.concat(given_up), on=KEY, how="anti")
            perhaps = owed.join(pl.concat(given_up), on=KEY, how="semi").filter(pl.col("units") < 0)
            deltas += [surely, perhaps]
        nothing = pl.DataFrame(schema=_DELTAS)
        return pl.concat([nothing.select(KEY), *held, rows.select(KEY)]), pl.concat([nothing, *deltas])

    def _given_up(self, reader: OmsReader, delivery: Delivery, known: pl.DataFrame) -> pl.DataFrame:
        """``ACCEPTED_SCHEMA``: what is owed for a file that the OMS gave up.

        An import that died may have put some counts in place before, and which ones is not told; a variance that was
        not taken in, or not to its end, is owed still.
        """
        if delivery.kind == "variance":
            older = known.filter(pl.col("snapshot_at") <= delivery.snapshot_at)
            return older.join(self._rows(reader, delivery), on=KEY, how="semi")
        log = self.oms.died(reader, delivery)
        if log is None:
            return known.clear()
        rows = self.oms.reset_rows(reader, log, Sent(delivery, self.outbox))
        return unseen(rows.select(ACCEPTED_SCHEMA.keys()), known)

    def _gone_out(self, store: str) -> list[Delivery]:
        """Recent deliveries, and resets of which nobody knows whether they went out before a run died.

        A variance of that kind is still due anyway. A reset of that kind did not, once a newer one was delivered: that
        looked for it first (``assets/delivery``).
        """
        taken = self.state.deliveries_since(store, datetime.now(UTC).date() - RECENT)
        newest = max((n for n, one in enumerate(taken) if one.kind == "reset" and one.delivered_at), default=-1)
        return [
            one
            for number, one in enumerate(taken)
            if one.delivered_at is not None or (one.kind == "reset" and number > newest)
        ]

    def _rows(self, reader: OmsReader, delivery: Delivery) -> pl.DataFrame:
        """Key and ``units`` of a delivered file's rows; units of a variance only."""
        rows = sent_rows(self.outbox.read(delivery.business_date, delivery.product_store, delivery.file_name))
        return rows.select("facility_id", "upca", "units").join(reader.products_of_upcas(), on="upca", how="inner")
