"""Which of the files that Retail Pro sent is the day's, and which older ones still matter.

Belongs here: choosing by name, day and snapshot. Does not: listing (``resources/sftp_session``), landing
(``assets/arriving``) or reading. Every case of arrival has one outcome; they are listed in README, "What arrives when".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.names import FileKind, ResetName, read_reset_name
from rpsync_assets.core.reset_guards import FEW

CHAIN_DAYS = 14
"""So far back deltas form a chain: what a held day or a failed row left behind is delivered for two weeks."""


@dataclass(frozen=True)
class Candidate:
    """A file of a store whose name we understood."""

    name: str
    modified_at: datetime
    meaning: ResetName

    @property
    def age(self) -> tuple[datetime, datetime, str]:
        """What orders files: the moment of the counts, then of writing."""
        return self.meaning.snapshot_at, self.modified_at, self.name


@dataclass(frozen=True)
class Choice:
    """The day's file, and the day's other files, oldest first."""

    chosen: Candidate
    others: tuple[Candidate, ...]


def understood(
    files: Sequence[tuple[str, datetime]], *, store: str, pattern: str, zone: ZoneInfo, export_minutes: int
) -> list[Candidate]:
    """The files that are a store's reset files by their names, oldest counts first.

    Args:
        files: name and modification time of each file in the folder.
        store: the product store.
        pattern: see ``core.names.read_reset_name``.
        zone: the store's time zone.
        export_minutes: see ``core.names.read_reset_name``.
    """
    meanings = (
        (
            name,
            modified_at,
            read_reset_name(
                name, pattern=pattern, store=store, zone=zone, modified_at=modified_at, export_minutes=export_minutes
            ),
        )
        for name, modified_at in files
    )
    found = [Candidate(name, modified_at, meaning) for name, modified_at, meaning in meanings if meaning]
    return sorted(found, key=lambda candidate: candidate.age)


def choose(candidates: Sequence[Candidate], *, store: str, day: date, folder: str, listed: int) -> Choice:
    """The file of a store and business date: the one with the newest snapshot, of equal ones the one written last.

    Args:
        candidates: as ``understood`` gives them.
        store: the product store, for the message.
        day: the business date.
        folder: for the message.
        listed: how many files lie in the folder, for the message.

    Raises:
        NotYetError: there is none for that day.
    """
    of_day = [candidate for candidate in candidates if candidate.meaning.business_date == day]
    if not of_day:
        newest = candidates[-1] if candidates else None
        seen = (
            f"the newest of {store} is {newest.name}, which serves {newest.meaning.business_date}"
            if newest
            else f"none of the {listed} files there is named as a reset file of {store}"
        )
        raise NotYetError(
            f"No reset file of {store} for {day} in {folder}/: {seen}",
            "Ask Retail Pro for it, or wait; a rerun helps once it is there",
        )
    return Choice(of_day[-1], tuple(of_day[:-1]))


def kind_of(candidate: Candidate, usual: FileKind) -> FileKind:
    """What a file holds: what its name says, else what the store usually sends."""
    return candidate.meaning.kind or usual


def before(candidates: Sequence[Candidate], chosen: Candidate, usual: FileKind) -> list[Candidate]:
    """The older files of the last days, oldest first; after a full file none, for that one counted everything.

    Args:
        candidates: as ``understood`` gives them.
        chosen: the day's file.
        usual: the store's usual kind of file.
    """
    if kind_of(chosen, usual) == "full":
        return []
    first_day = chosen.meaning.business_date - timedelta(days=CHAIN_DAYS)
    return [
        candidate
        for candidate in candidates
        if candidate.age < chosen.age and candidate.meaning.business_date >= first_day
    ]


def chain(candidates: Sequence[Candidate], chosen: Candidate, usual: FileKind) -> list[Candidate]:
    """The older files whose counts may still be the newest ones of a key, oldest first.

    Deltas form a chain that begins at the newest full file: that one counted everything, so nothing before it matters.
    """
    older = before(candidates, chosen, usual)
    full = [place for place, candidate in enumerate(older) if kind_of(candidate, usual) == "full"]
    return older[full[-1] :] if full else older


def counted_at(snapshot_at: datetime, rows: int, earlier: Sequence[tuple[datetime, bool]]) -> datetime:
    """When a file was counted: content that was sent before is as old as it was then, whatever it is called now.

    A handful of rows may have gone back to what it was, though, after other counts came in between.

    Args:
        snapshot_at: what the file's name or time says.
        rows: of the file.
        earlier: the day's files counted before, oldest first: when, and whether they have the same content.
    """
    alike = [moment for moment, is_alike in earlier if is_alike]
    if not alike:
        return snapshot_at
    if rows < FEW:
        return alike[-1] if earlier[-1][1] else snapshot_at
    return alike[0]
