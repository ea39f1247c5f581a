"""In-store sales and returns of one morning, as ledger rows.

Belongs here: what HotWax's Update Inventory API would have written. Does not: orders.
"""

from rpsync_assets.sandbox.day import Day, Pool, Stocked
from rpsync_assets.sandbox.oms_writer import Movement

EVENINGS_SHARE = 0.6
"""Of the sales, so many lie before the snapshot; the others 16 to 29 minutes after it."""


def invent_sales(day: Day, pool: Pool, busy: list[Stocked], count: int) -> list[tuple[Stocked, Movement]]:
    """Sales, and a few returns, before and after the snapshot.

    Args:
        day: store and date.
        pool: keys without orders.
        busy: keys with orders: every fifth sale is of one of these.
        count: how many.

    Returns:
        Each with its key, in the order of invention.
    """
    found: list[tuple[Stocked, Movement]] = []
    for number in range(count):
        stocked = busy[(number // 5) % len(busy)] if busy and number % 5 == 0 else pool.draw()
        before = number < count * EVENINGS_SHARE
        minutes = -day.rng.randrange(70, 560) if before else day.rng.randrange(16, 30)
        # Some registers were offline: the sale happened before the snapshot and arrived after it.
        arrived = 10 if before and number % 9 == 4 else minutes + 1
        units = day.rng.choice((1, 1, 1, 2))
        is_return = number % 8 == 3
        change = units if is_return else -units
        found.append(
            (
                stocked,
                Movement(
                    *(*stocked.key, stocked.inventory_item_id, day.at(minutes), day.at(arrived), change, change),
                    # Older integrations write a return record, newer ones a positive POS_SALE.
                    return_id=f"{day.prefix}R{number:04d}" if is_return and number % 16 == 3 else None,
                    reason=None if is_return and number % 16 == 3 else "POS_SALE",
                ),
            )
        )
    return found
