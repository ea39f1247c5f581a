"""The faults. Each is one small change of the product's source, of a kind that a person might make on a busy day.

Belongs here: what is changed, and what would come of it in a shop. Does not: how it is caught (``catching``).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One deliberate fault.

    Attributes:
        name: what is wrong, in a few words.
        file: below ``rpsync_assets``.
        sound: the text that stands there, once.
        broken: what stands there instead.
        test: the fast test that catches it; the simulation, where none is named.
    """

    name: str
    file: str
    sound: str
    broken: str
    test: str = ""


_SQL, _ORDERS, _SENDING = "resources/oms_sql.py", "core/publication.py", "assets/sending.py"
_IMPORT, _SALES, _STATE = "oms/import_sql.py", "oms/point_of_sale.py", "resources/state.py"
_ATP, _VARIANCE, _DESIRED, _SEND = "core/atp.py", "core/variance.py", "assets/desired.py", "assets/delivery.py"

FAULTS = (
    # The variance ----------------------------------------------------------------------------------------------------
    Fault(
        "what was shipped is judged by the order's status of now",
        _SQL,
        "WHERE B.ORDER_ID = T.ORDER_ID AND B.STATUS_ID = 'ORDER_COMPLETED' AND B.STATUS_DATETIME <= :booked_until",
        "WHERE B.ORDER_ID = T.ORDER_ID AND B.STATUS_ID = 'ORDER_COMPLETED' AND :booked_until IS NOT NULL",
    ),
    Fault(
        "cancelled quantity of a shipment is ignored",
        _SQL,
        "I.QUANTITY - CASE WHEN I.CANCELLED_DATE_TIME > :issued_until THEN 0 ELSE COALESCE(I.CANCEL_QUANTITY, 0) END",
        "I.QUANTITY",
    ),
    Fault(
        "a shipment that was undone after the count is taken for undone before it",
        _SQL,
        "I.QUANTITY - CASE WHEN I.CANCELLED_DATE_TIME > :issued_until THEN 0 ELSE COALESCE(I.CANCEL_QUANTITY, 0) END",
        "I.QUANTITY - COALESCE(I.CANCEL_QUANTITY, 0)",
    ),
    Fault(
        "a shipment after the count is deducted from the count",
        _SQL,
        "  WHERE I.ISSUED_DATE_TIME <= :issued_until\n",
        "  WHERE I.ISSUED_DATE_TIME IS NOT NULL OR :issued_until IS NULL\n",
    ),
    Fault(
        "a Send-Sale, which Retail Pro invoiced itself, is deducted",
        _SQL,
        "COALESCE(OH.SALES_CHANNEL_ENUM_ID, '') <> 'POS_SALES_CHANNEL'\n  AND T.UNITS",
        "COALESCE(OH.SALES_CHANNEL_ENUM_ID, '') <> 'NO_CHANNEL'\n  AND T.UNITS",
    ),
    Fault(
        "an order that was cancelled after it had shipped counts as never shipped",
        _SQL,
        "WHERE OH.ORDER_TYPE_ID = 'SALES_ORDER' AND COALESCE(OH.SALES_CHANNEL_ENUM_ID, '') <> 'POS_SALES_CHANNEL'\n"
        "  AND T.UNITS",
        "WHERE OH.STATUS_ID <> 'ORDER_CANCELLED' AND COALESCE(OH.SALES_CHANNEL_ENUM_ID, '') <> 'POS_SALES_CHANNEL'\n"
        "  AND T.UNITS",
    ),
    Fault(
        "the time that Retail Pro takes to book is forgotten",
        "resources/oms_reader.py",
        "booked_until=snapshot_at - told.invoice_lag",
        "booked_until=snapshot_at",
    ),
    Fault(
        "the variance is applied twice",
        _STATE,
        "_accepted.c.business_date == day, _accepted.c.settled_at.is_(None)\n        )\n\n    def accepted_row",
        "_accepted.c.business_date == day\n        )\n\n    def accepted_row",
    ),
    Fault(
        "keys outside the day's reset are deducted, too",
        _VARIANCE,
        '        accepted.join(units, on=RESET_ROW, how="left")\n        .join(pl.DataFrame',
        '        accepted.join(units, on=RESET_ROW, how="full", coalesce=True)\n        .join(pl.DataFrame',
    ),
    Fault(
        "the variance goes out with the reset of another day",
        "core/guards.py",
        "others = {name: moment for name, moment in found.items() if moment != expected}",
        "others = dict[str, datetime]()",
        test="rpsync_assets_tests/core/test_guards.py",
    ),
    Fault(
        "what an import of HotWax's overwrote is not brought back",
        "resources/hotwax_oms.py",
        "            return overwritten(accepted, counts, reader.movements(store, oldest))\n",
        "            return overwritten(accepted, counts, reader.movements(store, oldest)).clear()\n",
    ),
    Fault(
        "a reset that is imported again owes no variance",
        _STATE,
        "            and_(same_snapshot, same_day, new.generation == _accepted.c.generation, new.log_id != _accepted.c.log_id),\n",
        "",
    ),
    # The reset -------------------------------------------------------------------------------------------------------
    Fault(
        "a correction by hand counts as goods that moved",
        "core/ledger.py",
        "    f\"({{detail}}.REASON_ENUM_ID = '{POS_SALE}' OR {{detail}}.ITEM_ISSUANCE_ID IS NOT NULL\"",
        "    f\"({{detail}}.REASON_ENUM_ID IN ('{POS_SALE}', 'VAR_MANUAL') OR {{detail}}.ITEM_ISSUANCE_ID IS NOT NULL\"",
    ),
    Fault(
        "goods that were received do not count as moved",
        "core/ledger.py",
        '    " OR {detail}.RECEIPT_ID IS NOT NULL OR {detail}.RETURN_ID IS NOT NULL)"',
        '    " OR {detail}.RETURN_ID IS NOT NULL)"',
    ),
    Fault(
        "sales between count and import are overwritten",
        _IMPORT,
        '"snapshot": "AMOUNT + SINCE - QOH"',
        '"snapshot": "AMOUNT - QOH"',
    ),
    Fault(
        "a sale at the moment of the count is counted twice",
        _IMPORT,
        "D.EFFECTIVE_DATE > INCOMING.SNAPSHOT_DATE AND",
        "D.EFFECTIVE_DATE >= INCOMING.SNAPSHOT_DATE AND",
        test="rpsync_assets_tests/oms/test_imports.py",
    ),
    Fault(
        "an older count goes over a newer one",
        _IMPORT,
        "AND (R.SNAPSHOT_DATE > INCOMING.SNAPSHOT_DATE\n",
        "AND (R.SNAPSHOT_DATE < '2000'\n",
        test="rpsync_assets_tests/oms/test_imports.py",
    ),
    Fault(
        "an older file is delivered after a newer one",
        "assets/held.py",
        "    if newest is not None and newest.snapshot_at > snapshot_at:\n",
        "    if newest is not None and newest.snapshot_at > snapshot_at and newest.rows < 0:\n",
        test="rpsync_assets_tests/graph/test_arrival.py",
    ),
    Fault(
        "of two lines for one key the first is believed",
        "core/reset.py",
        '.then(pl.lit("conflicting_duplicate"))',
        '.then(pl.lit("kept"))',
    ),
    Fault(
        "a file that was cut inside its last number is believed",
        "assets/arriving.py",
        'if arrival.last_byte != b"\\n" and store.final_line_end:',
        'if arrival.last_byte != b"\\n" and not store.final_line_end:',
        test="rpsync_assets_tests/graph/test_bad_input.py",
    ),
    Fault(
        "what a held day brought is left behind",
        "core/owed.py",
        '            pl.col("accepted_at").is_null()\n            | (pl.col("snapshot_at") > pl.col("accepted_at"))\n',
        '            pl.col("accepted_at").is_null()\n',
    ),
    Fault(
        "the shipments of owed keys are reckoned as of today's count",
        "assets/variance.py",
        "        new = variance_due(pl.concat([unreported_shipments, owed]), due, window)\n",
        "        new = variance_due(unreported_shipments, due, window)\n",
        test="rpsync_assets_tests/graph/test_owed_keys.py",
    ),
    Fault(
        "a delivery is sent again because nobody looked whether it had gone out",
        _SEND,
        "if self.oms.knows_of(reader, delivery) else None\n        return place\n",
        "if self.oms.knows_of(reader, delivery) else None\n        return None\n",
        test="rpsync_assets_tests/graph/test_crashes.py",
    ),
    Fault(
        "a delivery whose answer was lost is forgotten when a newer file comes",
        _SEND,
        "            if lost and self._place(session, delivery) is not None:",
        "            if lost and self._place(session, delivery) is not None and delivery.rows < 0:",
    ),
    # Sales at the till -----------------------------------------------------------------------------------------------
    Fault(
        "a sale that comes late is deducted although the count had it",
        _SALES,
        "    counted = _is_counted(connection, update, event)\n",
        "    counted = _is_counted(connection, update, event) and update.delta == 0\n",
    ),
    Fault(
        "a till that asks again deducts again",
        _SALES,
        "    if update.key is not None and (remembered := _remembered(connection, update, client)):\n",
        "    if update.key == '' and (remembered := _remembered(connection, update, client)):\n",
    ),
    Fault(
        "a late sale is written down at the moment it arrives",
        _SALES,
        "    event = arrival if update.event is None else min(stored(update.event), arrival)\n",
        "    event = arrival\n",
    ),
    # What may be sold ------------------------------------------------------------------------------------------------
    Fault(
        "safety stock is taken off the sum instead of each facility",
        _ATP,
        '        counted_in_channel=pl.when(counted).then(pl.col("after_safety_stock")).otherwise(0),\n',
        "        counted_in_channel=pl.when(counted)\n"
        '        .then(pl.col("available_to_promise") - pl.col("minimum_stock")).otherwise(0),\n',
    ),
    Fault(
        "a facility that left the channel still counts",
        _ATP,
        '    counted = pl.col("in_channel") & pl.col("brokering_allowed")\n',
        '    counted = pl.col("brokering_allowed")\n',
    ),
    Fault(
        "a product that may not be brokered from a facility is sold from there",
        _ATP,
        '    counted = pl.col("in_channel") & pl.col("brokering_allowed")\n',
        '    counted = pl.col("in_channel")\n',
    ),
    Fault(
        "the threshold is forgotten",
        _ATP,
        'pl.col("counted_in_channel") - pl.col("threshold") - pl.col("queue_demand")',
        'pl.col("counted_in_channel") - pl.col("queue_demand")',
    ),
    Fault(
        "orders that wait for a facility are sold once more",
        _ATP,
        'pl.col("counted_in_channel") - pl.col("threshold") - pl.col("queue_demand")',
        'pl.col("counted_in_channel") - pl.col("threshold")',
    ),
    Fault(
        "a product whose sum is negative is sold from its other facility",
        _ATP,
        "sellable=pl.when(no_facility | negative | off | held)",
        "sellable=pl.when(no_facility | off | held)",
    ),
    # Publication -----------------------------------------------------------------------------------------------------
    Fault(
        "between a reset and its variance the surplus is published",
        _DESIRED,
        "                less_owed(read.stock, pl.concat([deltas, thought_of])),\n",
        "                read.stock,\n",
    ),
    Fault(
        "increases go out between a reset and its variance",
        _DESIRED,
        "            pending=held.unique(),\n",
        "            pending=held.clear(),\n",
        test="rpsync_assets_tests/graph/test_publishing.py",
    ),
    Fault(
        "a reset that newer counts have replaced is still waited for",
        _DESIRED,
        "due.append(unseen(rows, known))",
        "due.append(rows)",
    ),
    Fault(
        "what an import put in place before it died is published",
        _DESIRED,
        "                due.append(self._given_up(reader, delivery, known))\n",
        "",
        test="rpsync_assets_tests/hotwax/test_days.py",
    ),
    Fault(
        "Shopify's own sales are sent back to it",
        _ORDERS,
        '    expected = pl.col("baseline_before") - (pl.col("reflected") - pl.col("reflected_before"))\n',
        '    expected = pl.col("baseline_before")\n',
    ),
    Fault(
        "a full reset sets what may be sold without what is under way",
        _ORDERS,
        'target=pl.max_horizontal(pl.col("quantity") - pl.col("under_way"), pl.lit(0))',
        'target=pl.max_horizontal(pl.col("quantity"), pl.lit(0))',
    ),
    Fault(
        "what is under way is forgotten where the target is cut off at zero",
        _ORDERS,
        '    return _plan(planned.with_columns(baseline=shown + pl.col("under_way")))\n',
        '    return _plan(planned.with_columns(baseline=pl.col("quantity")))\n',
    ),
    Fault(
        "a delta sends the absolute number",
        _SENDING,
        '    number = "target" if verb == "set" else "difference"\n',
        '    number = "target" if verb == "set" else "quantity"\n',
    ),
    Fault(
        "counts are set whatever Shopify shows meanwhile",
        _SENDING,
        '    count = "shopify_available" if verb == "set" else pl.lit(None, dtype=pl.Int64)\n',
        "    count = pl.lit(None, dtype=pl.Int64)\n",
        test="rpsync_assets_tests/graph/test_publishing.py",
    ),
    Fault(
        "orders are read before counts",
        "assets/publisher.py",
        """        if before is None or only is None:
            found = session.available(places.locations)
            available, missing = found.rows, found.missing
        else:
            available, missing = session.available_of(only), before.missing
        taken = self._orders(session, places, changed_only=before is not None)
""",
        """        taken = self._orders(session, places, changed_only=before is not None)
        if before is None or only is None:
            found = session.available(places.locations)
            available, missing = found.rows, found.missing
        else:
            available, missing = session.available_of(only), before.missing
""",
        test="rpsync_assets_tests/graph/test_publishing.py",
    ),
    Fault(
        "the feed that was kept is published, whatever happened since",
        _DESIRED,
        "            feed=shopify_feed(atp, items, places),\n",
        '            feed=self.state.__dict__.setdefault(f"feed of {store}", shopify_feed(atp, items, places)),\n',
    ),
    Fault(
        "an operation is sent again under another key",
        "resources/shopify.py",
        '{"input": given, "key": operation.id}',
        '{"input": given, "key": operation.id + str(self.api.calls)}',
        test="rpsync_assets_tests/graph/test_publishing.py",
    ),
    Fault(
        "what a run that died has sent is forgotten",
        _SENDING,
        "        unsettled = self.publications.unsettled(self.store)\n",
        "        unsettled = self.publications.unsettled(self.store)[:0]\n",
        test="rpsync_assets_tests/graph/test_publishing.py",
    ),
    Fault(
        "returned pieces are taken for sold still",
        _SQL,
        'True: _REFLECTED_ORDERS.format(returned="COALESCE(R.UNITS, 0)", join=_RETURNED)',
        'True: _REFLECTED_ORDERS.format(returned="0", join="")',
    ),
)
