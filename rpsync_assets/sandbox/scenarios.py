"""The kinds of orders that happen in a sandbox morning, as a table.

Belongs here: what happens to an order and when, relative to the snapshot. Does not: rows and keys (``orders``).

All times are minutes relative to the snapshot T0; negative is before. Everything before lies hours before, so that no
invoice lag or clock difference can touch it; everything after lies 16 to 29 minutes after, so that it is in the past
once the business date has begun.
"""

from dataclasses import dataclass

WEB = "WEB_SALES_CHANNEL"
POS = "POS_SALES_CHANNEL"


@dataclass(frozen=True)
class LinePlan:
    """One order line.

    Attributes:
        quantity: ordered.
        cancelled: of these, cancelled (never issued).
        issues: (minutes, units) of each issuance.
        undone: units of the first issuance that were taken back at once (ITEM_ISSUANCE.CANCEL_QUANTITY).
        evidence: ``issuance``, or ``completion`` for older data that has only ITEM_COMPLETED in ORDER_STATUS.
        place: ``store`` (a facility), ``queue`` (not brokered yet) or ``digital`` (no shelf at all).
    """

    quantity: int
    cancelled: int = 0
    issues: tuple[tuple[int, int], ...] = ()
    undone: int = 0
    evidence: str = "issuance"
    place: str = "store"

    @property
    def open_quantity(self) -> int:
        """Units that still wait to be shipped."""
        return self.quantity - self.cancelled - sum(units for _, units in self.issues) + self.undone


@dataclass(frozen=True)
class Scenario:
    """One kind of order.

    Attributes:
        name: what a test or a report calls it.
        lines: its lines.
        completed: minute of ORDER_COMPLETED, when Retail Pro books it; None while it is open.
        cancelled: minute of ORDER_CANCELLED.
        channel: sales channel.
        one_facility: all lines ship from one place.
        in_file: whether Retail Pro's file has its keys.
    """

    name: str
    lines: tuple[LinePlan, ...]
    completed: int | None = None
    cancelled: int | None = None
    channel: str = WEB
    one_facility: bool = False
    in_file: bool = True

    @property
    def may_complete_later(self) -> bool:
        """Whether a later morning may ship the rest."""
        return (
            self.channel == WEB
            and self.completed is None
            and self.cancelled is None
            and all(line.place != "queue" for line in self.lines)
        )


def _shipped(minutes: int, units: int = 1, **more: str | int) -> LinePlan:
    return LinePlan(units + int(more.get("cancelled", 0)), issues=((minutes, units),), **more)  # pyright: ignore[reportArgumentType]


_OPEN = LinePlan(1)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("open_reserved", (LinePlan(2), _OPEN)),
    Scenario("waiting_in_queue", (LinePlan(1, place="queue"),)),
    Scenario("partly_shipped", (_shipped(-300), _OPEN)),
    Scenario("line_partly_issued", (LinePlan(3, issues=((-240, 1),)),)),
    Scenario("line_issued_on_both_sides", (LinePlan(3, issues=((-240, 1), (18, 1))),)),
    Scenario("line_with_cancelled_quantity", (_shipped(-360, 2, cancelled=1), _OPEN)),
    Scenario("issuance_partly_undone", (LinePlan(2, issues=((-300, 2),), undone=1), _OPEN)),
    Scenario("completed_after_snapshot", (_shipped(-300), _shipped(20, 2)), completed=25),
    Scenario("shipped_before_completed_after", (_shipped(-200), _shipped(-190)), completed=22),
    Scenario("completed_long_before", (_shipped(-540),), completed=-539, one_facility=True),
    Scenario("completed_before", (_shipped(-200, 2), _shipped(-190)), completed=-170, one_facility=True),
    Scenario("cancelled_after_one_shipped", (_shipped(-300), LinePlan(1, cancelled=1)), cancelled=-180),
    Scenario("pos_channel", (_shipped(-300), _OPEN), channel=POS),
    Scenario("digital_and_open", (_shipped(-360, place="digital"), _OPEN)),
    Scenario("digital_and_partly_shipped", (_shipped(-360, place="digital"), _shipped(-300), _OPEN)),
    Scenario("shipped_after_snapshot", (_shipped(20), _OPEN)),
    Scenario("completion_without_issuance", (_shipped(-300, 1, cancelled=1, evidence="completion"), _OPEN)),
    Scenario("completion_booked_after", (_shipped(-310, evidence="completion"),), completed=26),
    Scenario("completion_booked_before", (_shipped(-310, 2, evidence="completion"),), completed=-280),
    Scenario("partly_shipped_key_not_in_file", (_shipped(-300), _OPEN), in_file=False),
)
