"""What a morning brought, and which mornings were played.

Belongs here: the record of a morning and the order of dates. Does not: playing one (``morning``).
"""

import json
import sqlite3
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

from rpsync_assets.core.errors import SetupError
from rpsync_assets.sandbox import book
from rpsync_assets.sandbox.day import Day
from rpsync_assets.sandbox.master_data import OPENING
from rpsync_assets.sandbox.stores import SandboxStore


@dataclass(frozen=True)
class Morning:
    """What a morning brought; the counts are the sandbox's own, made without the product.

    Attributes:
        store: product store id.
        business_date: the date the file serves.
        snapshot_at: T0, with its zone (UTC).
        file_name: the file's name.
        remote_path: its path on the SFTP server.
        file_bytes: its size.
        total_rows: data rows.
        kept_keys: keys whose count is to be delivered, one row each.
        rejected: rows to be rejected, by the product's reasons.
        spellings: kept rows per unusual spelling.
        near_misses: rows with an expired, ambiguous or other store's UPCA: inactive.
        scenarios: orders per scenario.
        orders_completed_later: orders of earlier mornings that were completed.
        pos_sales: in-store sales and returns.
        unreported_units: units of kept keys that Retail Pro has not been told of.
        already: the morning had been played before.
    """

    store: str
    business_date: date
    snapshot_at: datetime
    file_name: str
    remote_path: str
    file_bytes: int
    total_rows: int
    kept_keys: int
    rejected: dict[str, int]
    spellings: dict[str, int]
    near_misses: int
    scenarios: dict[str, int]
    orders_completed_later: int
    pos_sales: int
    unreported_units: int
    already: bool = False

    @property
    def inactive_rows(self) -> int:
        """Rows that are neither kept nor rejected."""
        return self.total_rows - self.kept_keys - sum(self.rejected.values())


def check_date(connection: sqlite3.Connection, day: Day) -> None:
    """Refuse a date that lies before what was played, or before the world began."""
    latest = connection.execute(
        "SELECT MAX(business_date) FROM played WHERE store = ?", (day.store.store_id,)
    ).fetchone()[0]
    if latest and latest > day.business_date.isoformat():
        raise SetupError(
            f"Business date {day.business_date} of {day.store.store_id} lies before {latest}, which was played already",
            "Play dates in order, or use another data folder",
        )
    if day.snapshot_at < OPENING + timedelta(days=30):
        raise SetupError(
            f"Business date {day.business_date} lies before the sandbox's world began", "Choose one from March 2025 on"
        )


def find(connection: sqlite3.Connection, store: SandboxStore, business_date: date) -> Morning | None:
    """The morning as it was played, or None."""
    row = connection.execute(
        "SELECT morning FROM played WHERE store = ? AND business_date = ?",
        (store.store_id, business_date.isoformat()),
    ).fetchone()
    if row is None:
        return None
    values = json.loads(row[0])
    values["business_date"] = date.fromisoformat(values["business_date"])
    values["snapshot_at"] = datetime.fromisoformat(values["snapshot_at"])
    return Morning(**values)


def remember(connection: sqlite3.Connection, day: Day, morning: Morning) -> None:
    """Write a morning down as played."""
    connection.execute(
        "INSERT INTO played VALUES (?, ?, ?, ?)",
        (
            *(morning.store, morning.business_date.isoformat(), book.iso(day.snapshot_at)),
            json.dumps(asdict(morning), default=lambda value: value.isoformat()),
        ),
    )
