"""What is odd about sales at the till: told, never guessed at.

Belongs here: verdicts. Does not: taking sales in (``oms/point_of_sale``), showing verdicts (``assets/hotwax``).
"""

import polars as pl

from rpsync_assets.core.guards import Verdict


def pos_sales_are_no_orders(orders: pl.DataFrame) -> Verdict:
    """S001: in-store sales are deducted by API calls, so "actual POS orders are not imported into the OMS".

    Args:
        orders: ``order_id``, ``order_name``, ``units`` of POS-channel orders that took stock without a shipment.
    """
    named = ", ".join((orders["order_name"].fill_null(orders["order_id"])).head(5).to_list())
    return Verdict(
        name="pos_sales_are_no_orders",
        passed=orders.is_empty(),
        observed=orders.height,
        threshold="at most 0 sales over the counter imported as orders",
        found=f"{orders.height} point-of-sale orders took {int(orders['units'].sum())} units without a shipment"
        + (f": {named}" if named else ""),
        mend="Stop the import of point-of-sale orders: the Update Inventory API has deducted these sales already",
    )


def no_look_alike_sales(sales: pl.DataFrame) -> Verdict:
    """Two equal sales within a minute are two sales or one that was sent twice: reported, never guessed (domain.md 7).

    Args:
        sales: ``remark``, which says "looks like" where the API saw an equal request a moment before.
    """
    alike = sales.filter(pl.col("remark").fill_null("").str.contains("looks like", literal=True)).height
    return Verdict(
        name="no_look_alike_sales",
        passed=alike == 0,
        observed=alike,
        threshold="at most 0 sales that look like the one before",
        found=f"{sales.height} sales and returns, {alike} of them equal to one of the same till a moment before",
        mend="Ask the shop whether these are two sales; a till that sends an Idempotency-Key can be retried safely",
    )
