"""Deliveries of the past never go out again by accident.

Belongs here: when a day is closed, and a person's word for opening it. Does not: the order of deliveries
(``assets/reset_parts``), exactly-once (``assets/delivery``).
"""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg

from rpsync_assets.assets.initial import InitialConfig
from rpsync_assets.assets.verdicts import ReleaseConfig
from rpsync_assets.core.errors import HeldError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.state import Delivery


class ReplayConfig(dg.Config):
    """A person's word for a day that is closed."""

    replay: str = ""
    """Why a past day that was delivered before is to be delivered again, with other rows; empty: it is not."""


class DeliveryConfig(ReleaseConfig, ReplayConfig, InitialConfig):
    """A person's word for a held day, for a closed one, and for a store's first."""


def refuse_again(slot: Slot, delivered: Sequence[Delivery], *, now: datetime, zone: ZoneInfo, replay: str) -> None:
    """A business date is closed once it is over at the store, and was delivered on an earlier date than today.

    A day that was never delivered may still be; so may a second file on the date of the first.

    Args:
        slot: store and business date.
        delivered: what went out for it.
        now: the moment.
        zone: the store's time zone.
        replay: a person's reason; empty for none.

    Raises:
        HeldError: the day is closed, and nobody said why it should be delivered again.
    """
    today = now.astimezone(zone).date()
    last = max((_date(one, zone) for one in delivered), default=None)
    if replay or last is None or max(slot.day, last) >= today:
        return
    raise HeldError(
        f"{slot.day} of {slot.store} is over and was delivered on {last} ({delivered[-1].file_name}); these are other"
        " rows than went out then",
        "Nothing is to be done if this is only a look at the past; to deliver them after all, materialize with replay:"
        " why, in the run's configuration",
    )


def _date(delivery: Delivery, zone: ZoneInfo) -> date:
    return delivery.taken_at.astimezone(zone).date()
