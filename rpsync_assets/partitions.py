"""The two dimensions of the graph: the business date and the product store.

Belongs here: partition definitions, keys, their meaning and how a text names them. Does not: jobs or schedules.

One zone per date dimension is all Dagster has, so the dates are those of the easternmost zone: every store's today is
always among them. Whether a date has begun in the store's own zone the assets ask themselves (``refuse_future``).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from rpsync_assets.core.errors import NotYetError
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings

EASTERNMOST = "Pacific/Kiritimati"


def today_in(zone: ZoneInfo) -> date:
    """The date that has begun in a store's time zone."""
    return datetime.now(UTC).astimezone(zone).date()


@dataclass(frozen=True)
class Slot:
    """One business date of one product store."""

    day: date
    store: str

    @property
    def key(self) -> dg.MultiPartitionKey:
        """The partition key that Dagster shows as ``2026-03-10|US``."""
        return dg.MultiPartitionKey({"business_date": self.day.isoformat(), "product_store": self.store})

    @classmethod
    def of(cls, context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> "Slot":
        """The slot of a run; the key is parsed, as Dagster hands out plain text for runs without dimension tags."""
        return cls.parse(str(context.partition_key))

    @classmethod
    def parse(cls, key: str) -> "Slot":
        """The slot of a key as Dagster shows it."""
        day, _, store = key.partition("|")
        return cls(date.fromisoformat(day), store)

    def refuse_future(self, zone: ZoneInfo) -> None:
        """A date that has not begun where the store is has no file and no list.

        Raises:
            NotYetError: it has not begun.
        """
        today = today_in(zone)
        if self.day > today:
            raise NotYetError(
                f"{self.day} has not begun at {self.store} ({zone.key}), where it is {today}",
                "Choose a date that has begun there, or wait",
            )


@dataclass(frozen=True)
class Partitions:
    """The definitions for a set of stores."""

    day_x_store: dg.MultiPartitionsDefinition
    store: dg.StaticPartitionsDefinition


def first_date(settings: Settings) -> date:
    """The first business date that Dagster offers: as set, else the first of last month, so that it moves once a month.

    A day that is stored is never taken away, whatever is set: Dagster would not show or replay it any more.
    """
    last_month = today_in(ZoneInfo(EASTERNMOST)).replace(day=1) - timedelta(days=1)
    told = settings.first_date or last_month.replace(day=1)
    return min([told, *Tables(settings.data_dir / "tables").dates()])


def build_partitions(settings: Settings) -> Partitions:
    """Definitions for the product stores of these settings."""
    by_store = dg.StaticPartitionsDefinition(list(settings.stores))
    by_day = dg.DailyPartitionsDefinition(
        start_date=first_date(settings).isoformat(), timezone=EASTERNMOST, end_offset=1
    )
    return Partitions(dg.MultiPartitionsDefinition({"business_date": by_day, "product_store": by_store}), by_store)


def placed(found: str, partition: str) -> str:
    """What was found, and of which store and day; ``unplaced`` takes that off again."""
    return f"{found}{_place(partition)}"


def unplaced(found: str, partition: str) -> str:
    """What was found, where the store and day are plain to see."""
    return found.removesuffix(_place(partition))


def _place(partition: str) -> str:
    day, _, store = partition.rpartition("|")
    return f" · {' '.join(filter(None, (store, day)))}"
