"""Sending to a shop: each operation is written down, sent, and settled, so that a kill at any point loses none.

Belongs here: calls of the right size, rows that Shopify refuses, what a run that died left behind. Does not: what is to
be sent (``assets/publisher``), the call itself (``resources/shopify``).

What a run that died left behind is sent again first, with its own payload and key; older than Shopify's memory of keys,
it is given up and everything is compared instead.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from rpsync_assets.core.errors import PermanentError, UnreachableError
from rpsync_assets.core.publication import BASELINE_SCHEMA, ITEM
from rpsync_assets.resources.publications import Change, Operation, Publications, Verb
from rpsync_assets.resources.shopify import PER_CALL, RowError, ShopSession

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
class Sent:
    """What Shopify took, and what it refused.

    Attributes:
        rows: that were applied, with the units by which they went up and down.
        bad: ``ERROR_SCHEMA``: rows that Shopify refuses, each with its code.
        resumed: operations of a run that died, sent again.
    """

    rows: int = 0
    units_up: int = 0
    units_down: int = 0
    bad: list[tuple[str, str, str]] = field(default_factory=list)
    resumed: int = 0

    def count(self, applied: Sequence[Change]) -> None:
        """Count rows that Shopify has applied."""
        moved = [change.number - (change.change_from or 0) for change in applied]
        self.rows += len(applied)
        self.units_up += sum(units for units in moved if units > 0)
        self.units_down -= sum(units for units in moved if units < 0)

    @property
    def bad_rows(self) -> pl.DataFrame:
        """The refused rows as a table."""
        return pl.DataFrame(self.bad, orient="row", schema=ERROR_SCHEMA).unique(ITEM, maintain_order=True)


@dataclass(frozen=True)
class Sender:
    """One run's hand at a store's shop; ``sent`` is what came of it so far."""

    store: str
    session: ShopSession
    publications: Publications
    run_id: str
    sent: Sent = field(default_factory=Sent)

    def resume(self) -> None:
        """Send again what a run that died left unsettled; what is too old for that makes everything be compared."""
        unsettled = self.publications.unsettled(self.store)
        for operation in unsettled:
            if datetime.now(UTC) - operation.written_at > KEY_MEMORY:
                self.publications.settle(self.store, operation, "abandoned")
            else:
                self._send(operation)
        self.sent.resumed = len(unsettled)

    def send(self, verb: Verb, plan: pl.DataFrame) -> None:
        """Send what differs (``PLAN_SCHEMA``), 250 rows a call; rows whose count is stale are left for another look."""
        refused = {(item, place) for item, place, _ in self.sent.bad}
        changes = [change for change in _changes(plan, verb) if (change.item, change.location) not in refused]
        waiting = deque(changes[first : first + PER_CALL] for first in range(0, len(changes), PER_CALL))
        reference = f"gid://rpsync-assets/Run/{self.run_id}"
        while waiting:
            rows = waiting.popleft()
            operation = self.publications.write(self.store, verb, reference, rows, self.run_id)
            errors = self._send(operation)
            if not errors:
                self.sent.count(rows)
                continue
            by_row = {error.row: error.code for error in errors}
            if None in by_row and len(rows) > 1:
                # Shopify does not say which row is bad: halve until it is alone.
                middle = len(rows) // 2
                waiting.extendleft([rows[middle:], rows[:middle]])
                continue
            codes = {0: by_row[None]} if None in by_row else by_row
            self.sent.bad += [
                (rows[row or 0].item, rows[row or 0].location, code) for row, code in codes.items() if code != STALE
            ]
            left = [change for number, change in enumerate(rows) if number not in codes]
            if left:
                waiting.appendleft(left)
        # What Shopify refuses has no baseline: the next full comparison tries it again, and no delta before it.
        self.publications.move(
            self.store, self.sent.bad_rows.select(*ITEM, baseline=NOT_PUBLISHED, reflected=pl.lit(0, dtype=pl.Int64))
        )

    def keep(self, plan: pl.DataFrame) -> None:
        """Baselines of rows that need no operation; only those that changed are written."""
        before = self.publications.baselines(self.store)
        still = plan.filter(~pl.col("outcome").is_in(["up", "down"])).with_columns(pl.col("reflected").fill_null(0))
        self.publications.move(
            self.store,
            still.select(BASELINE_SCHEMA.keys()).join(before, on=list(BASELINE_SCHEMA), how="anti", nulls_equal=True),
        )

    def _send(self, operation: Operation) -> list[RowError]:
        """Send an operation that is written down, and settle it.

        Raises:
            UnreachableError: Shopify says that it cannot now; nothing of it was applied.
            PermanentError: Shopify refuses it for what it is, not for one of its rows.
        """
        try:
            errors = self.session.send(operation)
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


def _changes(plan: pl.DataFrame, verb: Verb) -> list[Change]:
    rows = plan.filter(pl.col("outcome").is_in(["up", "down"]))
    number = "target" if verb == "set" else "difference"
    count = "shopify_available" if verb == "set" else pl.lit(None, dtype=pl.Int64)
    return [Change(*row) for row in rows.select(*ITEM, number, count, "baseline", "reflected").iter_rows()]
