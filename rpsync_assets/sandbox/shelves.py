"""What the shelves of a store hold, and which of them Retail Pro's file speaks about.

Belongs here: the true numbers of a morning and the movements only Retail Pro knows (receipts, transfers, counts). Does
not: orders and sales, or how a count is spelled.

A shelf is what the sandbox says it is: the opening stock, everything it invented since, and sales that others posted
to the OMS (its API) in the meantime.
"""

import sqlite3
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import Connection

from rpsync_assets.core.errors import SetupError
from rpsync_assets.core.ledger import PHYSICAL_MOVEMENT
from rpsync_assets.sandbox.book import Key
from rpsync_assets.sandbox.day import Day, Shelves, Stocked
from rpsync_assets.sandbox.file_rows import keys_for_dirt, rows_per_kind
from rpsync_assets.sandbox.master_data import OPENING, OPENING_SEQ_ID
from rpsync_assets.sandbox.oms_writer import moment


@dataclass(frozen=True)
class Counts:
    """Keys that the file counts, with the quantity it says; and keys it says only nonsense about."""

    kept: list[tuple[Stocked, int]]
    spoiled: list[tuple[Stocked, int]]


def read_shelves(oms: Connection, book: sqlite3.Connection, day: Day) -> Shelves:
    """The shelves of a store before anything of this day happened.

    Args:
        oms: the OMS database; only opening stock and foreign movements are read.
        book: the sandbox's own truth.
        day: store and date.
    """
    store_id = day.store.store_id
    here = f"{store_id}V%"
    opening = oms.exec_driver_sql(
        "SELECT i.FACILITY_ID, i.PRODUCT_ID, d.QUANTITY_ON_HAND_DIFF FROM INVENTORY_ITEM i"
        " JOIN INVENTORY_ITEM_DETAIL d ON d.INVENTORY_ITEM_ID = i.INVENTORY_ITEM_ID"
        " AND d.INVENTORY_ITEM_DETAIL_SEQ_ID = ? WHERE i.FACILITY_ID LIKE ?",
        (OPENING_SEQ_ID, here),
    )
    quantities: dict[Key, int] = {(row[0], row[1]): int(row[2]) for row in opening}
    for facility_id, product_id, quantity in book.execute(
        "SELECT facility_id, product_id, quantity FROM shelf WHERE store = ?", (store_id,)
    ):
        quantities[facility_id, product_id] = quantity
    shelves = Shelves(quantities)
    since = book.execute("SELECT MAX(snapshot_at) FROM played WHERE store = ?", (store_id,)).fetchone()[0]
    foreign = oms.exec_driver_sql(
        "SELECT i.FACILITY_ID, i.PRODUCT_ID, SUM(d.QUANTITY_ON_HAND_DIFF)"  # noqa: S608  our own condition
        " FROM INVENTORY_ITEM_DETAIL d"
        " JOIN INVENTORY_ITEM i ON i.INVENTORY_ITEM_ID = d.INVENTORY_ITEM_ID"
        f" WHERE {PHYSICAL_MOVEMENT.format(detail='d')} AND d.INVENTORY_ITEM_DETAIL_SEQ_ID NOT LIKE 'SBX%'"
        " AND d.EFFECTIVE_DATE > ? AND d.EFFECTIVE_DATE <= ? AND i.FACILITY_ID LIKE ? GROUP BY 1, 2 ORDER BY 1, 2",
        (since or moment(OPENING), moment(day.snapshot_at), here),
    )
    for facility_id, product_id, units in foreign:
        if (facility_id, product_id) in quantities:
            shelves.move((facility_id, product_id), int(units))
    return shelves


def decide_counts(  # noqa: PLR0913  the whole situation of a morning
    day: Day,
    stocked: Sequence[Stocked],
    shelves: Shelves,
    *,
    must: AbstractSet[Key],
    silent: AbstractSet[Key],
    busy: AbstractSet[Key],
    unreported: dict[Key, int],
    wanted: int,
) -> Counts:
    """Choose the keys of the file, move shelves by what only Retail Pro knows, and say what it counts.

    Args:
        day: store and date.
        stocked: all active keys of the store.
        shelves: as of the snapshot; drift is added here.
        must: keys that changed since the last file: they are in it.
        silent: keys that must not be in it.
        busy: keys with units waiting or unreported: their shelves never shrink here.
        unreported: units per key that Retail Pro has not been told of.
        wanted: how many keys.

    Raises:
        SetupError: the store has too few keys for a file of that size.
    """
    first = [one for one in stocked if one.key in must]
    others = [one for one in stocked if one.key not in must and one.key not in silent]
    day.rng.shuffle(others)
    calm = [one for one in others if one.key not in busy]
    spoiled = calm[: keys_for_dirt(wanted)]
    taken = {one.key for one in spoiled}
    fill = [one for one in others if one.key not in taken][: max(0, wanted - len(first))]
    if len(spoiled) < keys_for_dirt(wanted) or len(first) + len(fill) < wanted:
        raise SetupError(
            f"Store {day.store.store_id} has {len(stocked)} active keys, too few for a file of {wanted} kept rows",
            "Give the size more active_products or facilities, or fewer kept_rows",
        )
    negative = rows_per_kind(wanted)
    for one in first + fill:
        quiet = one.key not in must and one.key not in busy
        if quiet and negative:
            negative -= 1
            shelves.move(one.key, -shelves[one.key] - day.rng.randrange(1, 4))
        else:
            shelves.move(one.key, _drift(day, shelves[one.key], quiet=quiet))
    return Counts(
        kept=[(one, shelves[one.key] + unreported.get(one.key, 0)) for one in first + fill],
        spoiled=[(one, max(0, shelves[one.key])) for one in spoiled],
    )


def _drift(day: Day, shelf: int, *, quiet: bool) -> int:
    """Receipts, transfers and counts since the last file: half of the keys have none."""
    dice = day.rng.random()
    if dice < 0.5:
        return 0
    if not quiet:
        return day.rng.randrange(7)
    return -shelf if dice < 0.56 else max(-max(shelf, 0), day.rng.randrange(-5, 10))
