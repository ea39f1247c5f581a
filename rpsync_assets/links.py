"""Where a person finds things in a browser: the pages of ``report/server``, by the address in the settings.

Belongs here: addresses, for metadata and descriptions. Does not: the pages. Without ``reports_url`` there are none.
"""

from datetime import date
from urllib.parse import urlencode

from rpsync_assets.settings import Settings

PORT = 3001
"""Where the pages are served unless somebody says otherwise: beside Dagster's own 3000."""

LOCAL = f"http://127.0.0.1:{PORT}"


def index(settings: Settings) -> str | None:
    """All reports."""
    return _at(settings, "")


def report(settings: Settings, day: date, store: str) -> str | None:
    """The page of a store and day."""
    return _at(settings, f"reports/{day.isoformat()}/{store}.html")


def rejected(settings: Settings, day: date, store: str) -> str | None:
    """The spreadsheet of a day's rejected rows."""
    return _at(settings, f"rejected/{day.isoformat()}/{store}.csv")


def search(settings: Settings, day: date | None = None, store: str | None = None) -> str | None:
    """Where any SKU is looked up; on a store and day if they are told."""
    told = {"store": store, "date": None if day is None else day.isoformat()}
    known = urlencode({name: value for name, value in told.items() if value is not None})
    return _at(settings, f"search?{known}" if known else "search")


def _at(settings: Settings, path: str) -> str | None:
    return None if settings.reports_url is None else f"{settings.reports_url}/{path}"
