"""One product store, one business date: orders, sales, the true shelves, and Retail Pro's file about them.

Belongs here: the order of things. Does not: how each of them is made.

What makes it safe to repeat: the book is committed last. A morning that is not in the book never happened, and what a
crash left of it in the OMS is taken back before it is played again.
"""

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date
from random import Random

from rpsync_assets.core.errors import SetupError
from rpsync_assets.sandbox import book, order_rows, orders, played_mornings, retail_pro_file, shopify_counts
from rpsync_assets.sandbox.book import Key, OpenLine
from rpsync_assets.sandbox.catalog import Product, active, catalog, published
from rpsync_assets.sandbox.day import PLENTY, Day, Pool, Shelves, Stocked, naive_utc, snapshot_of
from rpsync_assets.sandbox.facilities import UNKNOWN_CODES, Facility, facilities
from rpsync_assets.sandbox.file_rows import compose
from rpsync_assets.sandbox.oms_writer import Movement, post, undo
from rpsync_assets.sandbox.played_mornings import Morning
from rpsync_assets.sandbox.sales import invent_sales
from rpsync_assets.sandbox.shelves import decide_counts, read_shelves
from rpsync_assets.sandbox.stores import SandboxStore
from rpsync_assets.sandbox.world import INCOMING, World, opened, store_ids

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Store:
    """What one store has, looked up once."""

    own: list[Facility]
    sold: list[Product]
    everything: list[Product]
    stocked: list[Stocked]


def play_morning(world: World, store: SandboxStore, business_date: date) -> Morning:
    """Play one business date of one store; a date that was played before changes nothing.

    Args:
        world: a prepared world.
        store: one of its stores.
        business_date: the date the file serves; its snapshot is 23:30 store-local of the evening before.

    Returns:
        What it brought; ``already`` tells a repetition.

    Raises:
        SetupError: the store is not in the world, or a later date was played before.
    """
    with book.opened(world.book_path) as connection:
        played = played_mornings.find(connection, store, business_date)
        if played:
            return replace(played, already=True)
        snapshot_at = snapshot_of(store, business_date)
        day = Day(
            store,
            business_date,
            naive_utc(snapshot_at),
            Random(f"{world.seed}-{world.size.name}-{store.store_id}-{business_date}"),  # noqa: S311
        )
        played_mornings.check_date(connection, day)
        morning = _play(world, connection, day)
        played_mornings.remember(connection, day, morning)
    _log.info("played %s %s: %s, %s rows", store.store_id, business_date, morning.file_name, morning.total_rows)
    return morning


def _play(world: World, connection: sqlite3.Connection, day: Day) -> Morning:
    with opened(world) as oms:
        undo(oms, day.prefix)
        here = _look_up(world, day.store)
        shelves = read_shelves(oms, connection, day)
    issued = book.read_issued(connection, day.store.store_id)
    waiting = book.read_open_lines(connection, day.store.store_id)
    busy = {(one.facility_id, one.product_id) for one in waiting} | set(book.unreported(issued, day.snapshot_at))

    calm = [one for one in here.stocked if one.key not in busy and shelves[one.key] >= PLENTY]
    pool = Pool(calm, day.rng)
    inventor = orders.OrderInventor(day, pool, here.own, [one for one in here.sold if one.is_digital])
    inventor.invent(world.size.orders_per_scenario)
    later = _completed_later(waiting)
    inventor.complete(later)
    rows = inventor.rows
    finished = {order_id: book.iso(at) for order_id, at in rows.finished_orders.items()}
    issued = [replace(one, booked_at=finished.get(one.order_id, one.booked_at)) for one in issued] + rows.issued
    sales = invent_sales(day, pool, list(rows.in_file.values()), world.size.pos_sales)
    movements = [*rows.movements, *(movement for _, movement in sales)]

    _move(shelves, (one for one in movements if one.effective_at <= day.snapshot_at))
    unreported = book.unreported(issued, day.snapshot_at)
    completed_keys = {(one.facility_id, one.product_id) for one in issued if one.order_id in finished}
    must = {*rows.in_file, *completed_keys, *(one.key for one, _ in sales), *shelves.changed} - rows.not_in_file
    counts = decide_counts(
        day,
        here.stocked,
        shelves,
        must=must,
        silent=rows.not_in_file,
        busy=busy,
        unreported=unreported,
        wanted=world.size.kept_rows,
    )
    at_snapshot = {one.key: shelves[one.key] for one, _ in counts.kept}
    after = [one for one in movements if one.effective_at > day.snapshot_at]
    _move(shelves, after)

    content = compose(counts.kept, counts.spoiled, _near_misses(here), day.rng)
    name = f"reset_{day.store.store_id}_{snapshot_of(day.store, day.business_date):%Y%m%dT%H%M%S}.csv"
    part = world.incoming / f"{name}.part"
    part.unlink(missing_ok=True)
    codes = [*(one.store_code for one in here.own), *UNKNOWN_CODES]
    size = retail_pro_file.write(part, content.rows, world.size.file_rows, codes, day.rng.randrange(10**6))
    with opened(world) as oms:
        order_rows.write(oms, rows, [line for lines in later.values() for line in lines], day.prefix)
        post(oms, movements, day.prefix)
        fresh = shopify_counts.counts(oms, day.store, here.own, here.sold, day.rng)
    shopify_counts.merge(world, fresh)
    part.replace(world.incoming / name)
    book.remember(
        connection,
        day.store.store_id,
        shelves={key: shelves[key] for key in shelves.changed},
        issued=issued,
        open_lines=[*(one for one in waiting if one.order_id not in finished), *rows.open_lines],
    )
    moved = defaultdict[Key, int](int)
    for one in after:
        moved[one.facility_id, one.product_id] += one.on_hand
    book.remember_truth(
        connection,
        (day.store.store_id, day.business_date.isoformat()),
        (
            (*one.key, one.product.upca, at_snapshot[one.key], unreported.get(one.key, 0), count, moved[one.key])
            for one, count in counts.kept
        ),
    )
    return Morning(
        store=day.store.store_id,
        business_date=day.business_date,
        snapshot_at=day.snapshot_at.replace(tzinfo=UTC),
        file_name=name,
        remote_path=f"{INCOMING}/{name}",
        file_bytes=size,
        total_rows=world.size.file_rows,
        kept_keys=len(counts.kept),
        rejected=content.rejected,
        spellings=content.spellings,
        near_misses=content.near_misses,
        scenarios=rows.scenarios,
        orders_completed_later=len(later),
        pos_sales=len(sales),
        unreported_units=sum(unreported.get(key, 0) for key in at_snapshot),
    )


def _look_up(world: World, store: SandboxStore) -> _Store:
    """The store's places and products.

    Raises:
        SetupError: the store is not in the world.
    """
    if store.store_id not in store_ids(world):
        raise SetupError(
            f"Store {store.store_id} is not in the sandbox in {world.folder}", "Prepare the world with it first"
        )
    own = facilities(store, world.size)
    everything = catalog(world.size, world.seed)
    sold = published(everything, world.size, world.seed, store)
    stocked = [Stocked(place, product) for product in active(sold) for place in own]
    return _Store(own, sold, everything, stocked)


def _near_misses(here: _Store, limit: int = 60) -> list[Product]:
    """Products whose UPCA looks usable and is not: ambiguous, expired, or published by another store only."""
    sold = {product.number for product in here.sold}
    ambiguous = [one for one in here.sold if one.kind in {"two_upcas", "shared_upca"}]
    expired = [one for one in here.sold if one.expired_upca]
    elsewhere = [one for one in active(here.everything) if one.number not in sold and not one.expired_upca]
    return [*ambiguous[:limit], *expired[:limit], *elsewhere[:limit]]


def _completed_later(waiting: list[OpenLine]) -> dict[str, list[OpenLine]]:
    """Every second order that earlier mornings left open, with its waiting lines."""
    orders_waiting: dict[str, list[OpenLine]] = {}
    for line in waiting:
        if line.may_complete:
            orders_waiting.setdefault(line.order_id, []).append(line)
    return dict(list(orders_waiting.items())[::2])


def _move(shelves: Shelves, movements: Iterable[Movement]) -> None:
    for one in movements:
        shelves.move((one.facility_id, one.product_id), one.on_hand)
