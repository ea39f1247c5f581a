"""Business dates, snapshot moments, file names and generations: what a name says and how we spell ours.

Belongs here: reading and writing names. Does not: looking into folders (``resources/sftp``) or choosing among files.

One fact a newcomer would get wrong: a file belongs to the morning it serves, not to the day it was written. A snapshot
taken at 23:30 serves the next day (design.md section 5, "Times").
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

EVENING_BELONGS_TO_NEXT_DAY = 20
"""From this store-local hour on, a snapshot serves the next business date."""

FileKind = Literal["delta", "full"]
"""What a file holds: the products whose counts changed, or every product ever created."""

SNAPSHOT_FORMAT = "%Y%m%dT%H%M%S"
DEFAULT_FILE_PATTERN = r"reset_{store}_(?P<snapshot>\d{8}T\d{6})\.csv(?:\.gz)?"


@dataclass(frozen=True)
class ResetName:
    """What the name of a Retail Pro file told us: when it was counted, the day it serves, and its kind."""

    snapshot_at: datetime
    business_date: date
    kind: FileKind | None = None


def business_date(snapshot_at: datetime, zone: ZoneInfo) -> date:
    """The local date of the morning that a snapshot serves; from 20:00 on it is the next day's."""
    local = snapshot_at.astimezone(zone)
    return local.date() + timedelta(days=1 if local.hour >= EVENING_BELONGS_TO_NEXT_DAY else 0)


def read_reset_name(
    name: str, *, pattern: str, store: str, zone: ZoneInfo, modified_at: datetime, export_minutes: int
) -> ResetName | None:
    """What a file name says of its snapshot, or None when the name is not one of this store's reset files.

    Args:
        name: the file's name without a folder.
        pattern: a regular expression for the whole name; ``{store}`` stands for the store, and a group named
            ``snapshot`` (``YYYYMMDDTHHMMSS``, store-local time) for the moment of the counts. A group named ``kind``
            (``full`` or ``delta``, any case) says what the file holds, where a store gets both.
        store: the product store's id.
        zone: the store's time zone.
        modified_at: the server's modification time, used less ``export_minutes`` when the name has no snapshot; and
            it tells which one is meant of an hour that the night of the clock change has twice.
        export_minutes: how long the store's export takes from counting to the finished file.
    """
    match = re.fullmatch(pattern.replace("{store}", re.escape(store)), name)
    if match is None:
        return None
    written = match.groupdict().get("snapshot")
    if written is None:
        snapshot_at = modified_at - timedelta(minutes=export_minutes)
    else:
        try:
            local = datetime.strptime(written, SNAPSHOT_FORMAT).replace(tzinfo=zone)
        except ValueError:  # 20260231T000000 looks like a moment and is none: not a name of ours
            return None
        first, again = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        # The hour that clocks repeat: an export takes less than it, so the later reading is meant if it can be.
        snapshot_at = again if first < again <= modified_at else first
    kind = (match.groupdict().get("kind") or "").casefold()
    return ResetName(
        snapshot_at,
        business_date(snapshot_at, zone),
        "full" if kind == "full" else "delta" if kind == "delta" else None,
    )


def reset_part_name(store: str, day: date, generation: int, part: int, parts: int) -> str:
    """The name of a delivered reset part; parts count from 1."""
    return f"reset_{store}_{day:%Y%m%d}_g{generation}_{part}of{parts}.csv"


def variance_name(store: str, day: date, generation: int, turn: int = 1) -> str:
    """The name of a delivered variance file.

    It carries the generation of the reset it belongs to. Rows of that reset that owe a variance once more (the OMS
    refused them, or the reset was imported again) go in a further turn of the same generation.
    """
    return f"variance_{store}_{day:%Y%m%d}_g{generation}{f'_r{turn}' if turn > 1 else ''}.csv"


def error_name(name: str) -> str:
    """What the file of a delivered file's failed rows is called (domain.md 1.4)."""
    stem, dot, extension = name.rpartition(".")
    return f"{stem}{ERROR_SUFFIX}.{extension}" if dot else f"{name}{ERROR_SUFFIX}"


@dataclass(frozen=True)
class DeliveredName:
    """What the name of a file delivered to the OMS says."""

    kind: str
    store: str
    business_date: date
    generation: int


ERROR_SUFFIX = "-Error"
"""HotWax puts failed rows beside the file under its name and this; uploaded again, they are still that file's rows."""

_DELIVERED = re.compile(r"(reset|variance)_(.+)_(\d{8})_g(\d+)(?:_\d+of\d+|_r\d+)?(?:-Error)?\.csv")


def read_delivered_name(name: str) -> DeliveredName | None:
    """The store, day and generation of a delivered file, or None when the name is not one of ours."""
    match = _DELIVERED.fullmatch(name)
    if match is None:
        return None
    kind, store, day, generation = match.groups()
    try:
        served = datetime.strptime(day, "%Y%m%d").date()  # noqa: DTZ007  a date, no moment
    except ValueError:  # 20261399 looks like a date and is none: not a name of ours
        return None
    return DeliveredName(kind, store, served, int(generation))


def undo_name(store: str, day: date, turn: int = 1) -> str:
    """The name of a compensating variance, which a person may upload and we never do.

    A day that was reset again after it was taken back can be taken back in a further turn.
    """
    return f"undo_{store}_{day:%Y%m%d}{f'_r{turn}' if turn > 1 else ''}.csv"


def read_undo_name(name: str) -> DeliveredName | None:
    """The store and day of a compensating variance (any generation of it), or None for another file."""
    match = re.fullmatch(r"undo_(.+)_(\d{8})(?:_r\d+)?(?:-Error)?\.csv", name)
    if match is None:
        return None
    try:
        served = datetime.strptime(match[2], "%Y%m%d").date()  # noqa: DTZ007  a date, no moment
    except ValueError:  # as above: not a name of ours
        return None
    return DeliveredName("undo", match[1], served, 0)


def content_digest(parts: Iterable[bytes]) -> str:
    """What makes a generation: the delivered bytes. The same rows again are the same generation."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
