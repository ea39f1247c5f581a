"""The checks as the page shows them: failures first, then one line per group, details behind it.

Belongs here: grouping, and which checks are one row. Does not: asking Dagster (``history``), groups (``check_groups``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rpsync_assets.check_groups import GROUPS, OTHER, group_of
from rpsync_assets.report.history import CheckHistory

FEW_DAYS = 3
"""With fewer days than this a history says nothing."""


@dataclass(frozen=True)
class Group:
    """Checks about one thing.

    Attributes:
        name: what they are about.
        checks: one per row; a check that two assets show alike is one row of both.
        said: how many passed.
        passed: none of them failed.
    """

    name: str
    checks: list[CheckHistory]
    said: str
    passed: bool


def failed(checks: Sequence[CheckHistory]) -> list[CheckHistory]:
    """What a reviewer has to read."""
    return _merged([check for check in checks if check.passed is False])


def not_evaluated(checks: Sequence[CheckHistory]) -> list[str]:
    """Checks without a verdict of the day."""
    return [f"{check.name} ({check.asset})" for check in checks if check.passed is None]


def days_with_checks(checks: Sequence[CheckHistory]) -> int:
    """On how many of the last days anything was checked."""
    return sum(any(day is not None for day in outcomes) for outcomes in zip(*(c.outcomes for c in checks), strict=True))


def groups(checks: Sequence[CheckHistory]) -> list[Group]:
    """By what they are about; only checks that were ever run."""
    run = [check for check in checks if any(one is not None for one in check.outcomes)]
    found: list[Group] = []
    for name in (*GROUPS, OTHER):
        of_group = [check for check in run if group_of(check.name) == name]
        seen = [check for check in of_group if check.passed is not None]
        red = sum(not check.passed for check in seen)
        said = f"{red} of {len(seen)} did not pass" if red else f"{len(seen)} passed" if seen else "not run on this day"
        if of_group:
            found.append(Group(name, _merged(of_group), said, red == 0))
    return found


def _merged(checks: Sequence[CheckHistory]) -> list[CheckHistory]:
    """A check that several assets show with the same verdict and history stands once."""
    merged: dict[CheckHistory, list[str]] = {}
    for check in checks:
        merged.setdefault(replace(check, asset=""), []).append(check.asset)
    return [replace(check, asset=", ".join(assets)) for check, assets in merged.items()]
