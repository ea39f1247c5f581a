"""Is this day's file like the days before it? Guards that hold a reset by its numbers.

Belongs here: the numbers, their defaults and the verdicts. Does not: gathering what they compare with
(``assets/reset_numbers``), guards on the rows themselves (``core/guards``).

All of them are releasable: a stocktake, a closed season or a new shop look like a broken export, and a person knows.
None speaks below ``FEW`` rows or keys: a share of a handful says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import median
from typing import Any

from rpsync_assets.core.guards import Verdict
from rpsync_assets.core.names import FileKind
from rpsync_assets.core.reset import Accounting

FEW = 20
"""Below so many rows or keys a share says nothing."""

ENOUGH_DAYS = 3
GOOD_DAYS = 7
"""A file is held against the median of up to seven delivered days of its kind, once there are three."""

NOTHING_TO_COMPARE = "first day, nothing to compare with"
"""What a guard that compares with earlier days says where there are none."""

NO_FULL_FILES = "no two full files to compare"

RELEASE = 'materialize filtered_reset_parts with the config {"release": "why you are sure"}'
RELEASE_HELD = (
    'materialize filtered_reset_parts of that day with the config {"release": "why you are sure"}, then this day again'
)

ROWS_SHARE: Mapping[FileKind, tuple[float, float]] = {"full": (0.9, 1.5), "delta": (0.05, 20.0)}
"""A full file only grows, as products are created; a delta is a quiet Sunday or the day after a stocktake."""

OF_ALL_ROWS = frozenset({"blank_upc", "invalid_upc", "exponent_upc"})
"""Rows whose product cannot be told: a share of all rows. The other reasons are of active products' rows alone."""


@dataclass(frozen=True)
class Limits:
    """What a store's settings allow. The defaults are those of ``settings.GuardSettings``, where each has its reason.

    Attributes:
        rows_share: fewest and most rows, as shares of the median of the last good days; None: ``ROWS_SHARE``.
        rejected_share: most rows rejected for one reason.
        rejected_share_of: the same for a reason by its name, where it differs.
        zeroed_share: most of the keys with stock that one file may take to zero.
        missing_share: most known keys that a full file may lack.
    """

    rows_share: tuple[float | None, float | None] = (None, None)
    rejected_share: float = 0.05
    rejected_share_of: Mapping[str, float] = field(default_factory=dict[str, float])
    zeroed_share: float = 0.1
    missing_share: float = 0.05


def raw_is_new(raw: Mapping[str, Any], *, day: date) -> Verdict:
    """An earlier day's content under a new name is an export that stands still.

    Args:
        raw: the row of ``raw_reset_file``: ``file_name``, ``rows``, ``same_content_as``, ``same_content_day``.
        day: the business date.
    """
    twin, of = raw.get("same_content_as"), raw.get("same_content_day")
    stale = of is not None and of < day and raw["rows"] >= FEW
    return Verdict(
        name="raw_is_new",
        passed=not stale,
        observed=1 if stale else 0,
        threshold=f"at most 0 files of {FEW} rows or more with an earlier day's content",
        found=f"{raw['file_name']} has the content of {twin}, which served {of}"
        if of
        else "no earlier file is like it",
        mend=f"Ask Retail Pro for today's export. If really nothing moved since, {RELEASE}",
        releasable=True,
    )


def older_files_usable(refused: Sequence[str]) -> Verdict:
    """Older files of the chain that came late could be read; what is in the others is not known."""
    return Verdict(
        name="older_files_usable",
        passed=not refused,
        observed=len(refused),
        threshold="at most 0 older files that cannot be taken in",
        found=" ".join(refused) or "every older file could be taken in",
        mend="What changed in those files is missing until Retail Pro counts it again: ask for them once more",
    )


def rows_like_other_days(
    rows: int, *, kind: FileKind, good_days: Sequence[int], limits: Limits, file_name: str
) -> Verdict:
    """The file is about as long as the last good days' of the same kind.

    Args:
        rows: of the raw file.
        kind: of the file.
        good_days: rows of the last delivered days' files of that kind.
        limits: of the store.
        file_name: for the message.
    """
    least, most = (
        own if own is not None else usual for own, usual in zip(limits.rows_share, ROWS_SHARE[kind], strict=True)
    )
    usual = median(good_days) if len(good_days) >= ENOUGH_DAYS else None
    share = rows / usual if usual else 1.0
    judged = usual is not None and max(usual, rows) >= FEW
    return Verdict(
        name="rows_like_other_days",
        passed=not judged or least <= share <= most,
        observed=round(share, 4) if usual is not None else _too_early(len(good_days)),
        threshold=f"{least} to {most} of the median of the last good {kind} files",
        found=f"{file_name} has {rows} rows; the median of the last {len(good_days)} good {kind} files is {usual:.0f}"
        if usual is not None
        else f"{file_name} has {rows} rows; {_too_early(len(good_days))}: it takes {ENOUGH_DAYS} good {kind} files",
        mend=f"Ask Retail Pro whether the export was cut or changed. If it is right, {RELEASE}",
        releasable=True,
        details={"rows": rows, "median": usual if usual is not None else "none"},
    )


def _too_early(good_days: int) -> str:
    """Instead of a number that would look like a comparison."""
    if not good_days:
        return NOTHING_TO_COMPARE
    return f"only {good_days} good day{'' if good_days == 1 else 's'} before, nothing to compare with yet"


def rejected_share(accounting: Accounting, *, limits: Limits, unknown_codes: Sequence[str]) -> Verdict:
    """No reason rejects more rows than an ordinary day's.

    Args:
        accounting: of the file.
        limits: of the store.
        unknown_codes: store codes that are no facility, for the message.
    """
    of_active = accounting.kept + sum(rows for reason, rows in accounting.rejected.items() if reason not in OF_ALL_ROWS)
    shares = {
        reason: (rows / max(accounting.read if reason in OF_ALL_ROWS else of_active, 1), rows)
        for reason, rows in accounting.rejected.items()
    }
    allowed = {reason: limits.rejected_share_of.get(reason, limits.rejected_share) for reason in shares}
    over = {r: share for r, (share, rows) in shares.items() if rows >= FEW and share > allowed[r]}
    worst = max(shares, key=lambda reason: shares[reason][0] / max(allowed[reason], 1e-9), default=None)
    found = [f"{shares[reason][1]} rows ({share:.1%}) are rejected: {reason}" for reason, share in over.items()]
    if not found:
        found = [f"{sum(accounting.rejected.values())} rows are rejected, for no reason more than is usual"]
        if worst:
            base, what = (accounting.read, "") if worst in OF_ALL_ROWS else (of_active, " of products sold online")
            found.append(f"nearest to its limit: {worst}, {shares[worst][1]} of {base:,} rows{what}")
    if unknown_codes:
        found.append(f"unknown store codes: {', '.join(unknown_codes[:10])}")
    return Verdict(
        name="rejected_share",
        passed=not over,
        observed=round(shares[worst][0], 4) if worst else 0.0,
        threshold=f"at most {allowed[worst]} for {worst}" if worst else f"at most {limits.rejected_share} for a reason",
        found="; ".join(found),
        mend=f"Look at rejected_reset_rows; mend the export, the settings or the OMS's facilities, or {RELEASE}",
        releasable=True,
        details={f"share: {reason}": round(share, 6) for reason, (share, _rows) in shares.items()},
    )


def zeroed_share(falling: int, *, with_stock: int, limits: Limits) -> Verdict:
    """Mass drop: the file does not take a whole shop to zero.

    Args:
        falling: keys with stock at the OMS that this reset takes to zero or below.
        with_stock: active keys with stock at the OMS.
        limits: of the store.
    """
    share = falling / with_stock if with_stock else 0.0
    return Verdict(
        name="zeroed_share",
        passed=falling < FEW or share <= limits.zeroed_share,
        observed=round(share, 4) if with_stock else NOTHING_TO_COMPARE,
        threshold=f"at most {limits.zeroed_share} of the keys with stock",
        found=f"{falling} of {with_stock} keys with stock fall to zero"
        if with_stock
        else f"no key has stock at the OMS yet: {NOTHING_TO_COMPARE}",
        mend=f"Ask the shops whether they are really empty; a broken export looks like this. If they are, {RELEASE}",
        releasable=True,
        details={"falling": falling, "with stock": with_stock},
    )


def missing_share(missing: int, *, known: int, limits: Limits) -> Verdict:
    """A full file holds every key that was counted before.

    Args:
        missing: known keys that this full file does not give a usable count of; 0 for a delta.
        known: active keys that the last good full file counted.
        limits: of the store.
    """
    share = missing / known if known else 0.0
    return Verdict(
        name="missing_share",
        passed=missing < FEW or share <= limits.missing_share,
        observed=round(share, 4) if known else NO_FULL_FILES,
        threshold=f"at most {limits.missing_share} of the known keys",
        found=f"{missing} of {known} known keys are not in the full file"
        if known
        else f"{NO_FULL_FILES}: only a full file that follows a good one can lack keys",
        mend=f"Ask Retail Pro whether a shop or a part of the range is missing. If it is right, {RELEASE}",
        releasable=True,
        details={"missing": missing, "known": known},
    )
