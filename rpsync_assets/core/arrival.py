"""Which of the files on the server is the day's.

Belongs here: choosing by name, day and snapshot. Does not: listing (``resources/sftp``) or reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.names import ResetName, read_reset_name


@dataclass(frozen=True)
class Candidate:
    """A file on the server whose name we understood."""

    name: str
    modified_at: datetime
    meaning: ResetName


@dataclass(frozen=True)
class Choice:
    """The day's file, and the day's other files, which are left alone and told."""

    chosen: Candidate
    others: tuple[Candidate, ...]


def choose(
    files: Sequence[tuple[str, datetime]],
    *,
    store: str,
    day: date,
    pattern: str,
    zone: ZoneInfo,
    export_minutes: int,
    folder: str,
) -> Choice:
    """The file of a store and business date: the one with the newest snapshot, of equal ones the one written last.

    Args:
        files: name and modification time of each file in the folder.
        store: the product store.
        day: the business date.
        pattern: see ``core.names.read_reset_name``.
        zone: the store's time zone.
        export_minutes: see ``core.names.read_reset_name``.
        folder: for the message.

    Raises:
        NotYetError: there is none for that day.
    """
    candidates = [
        Candidate(name, modified_at, meaning)
        for name, modified_at in files
        if (
            meaning := read_reset_name(
                name,
                pattern=pattern,
                store=store,
                zone=zone,
                modified_at=modified_at,
                export_minutes=export_minutes,
            )
        )
    ]
    candidates.sort(key=lambda candidate: (candidate.meaning.snapshot_at, candidate.modified_at, candidate.name))
    of_day = [candidate for candidate in candidates if candidate.meaning.business_date == day]
    if not of_day:
        newest = candidates[-1] if candidates else None
        seen = (
            f"the newest of {store} is {newest.name}, which serves {newest.meaning.business_date}"
            if newest
            else f"none of the {len(files)} files there is named as a reset file of {store}"
        )
        raise NotYetError(
            f"No reset file of {store} for {day} in {folder}/: {seen}",
            "Ask Retail Pro for it, or wait; a rerun helps once it is there",
        )
    return Choice(of_day[-1], tuple(of_day[:-1]))
