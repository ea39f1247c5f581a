"""From verdicts to what Dagster shows: check results, and a refusal that stops the asset.

Belongs here: the translation, and a person's word for a held day. Does not: rules (``core/guards``).
"""

from collections.abc import Sequence

import dagster as dg

from rpsync_assets.core.guards import Verdict
from rpsync_assets.partitions import placed


class ReleaseConfig(dg.Config):
    """A person's word for a held day."""

    release: str = ""
    """Why you are sure that what is held may go on; empty: it stays held."""


class GuardRefusedError(Exception):
    """A guard inside an asset said no: its verdicts are shown, nothing is stored, nothing is sent."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self.verdicts = tuple(verdicts)
        refused = [verdict for verdict in verdicts if not verdict.passed]
        super().__init__("; ".join(sentence(verdict) for verdict in refused))


def require(verdicts: Sequence[Verdict], *, release: str = "") -> list[dg.AssetCheckResult]:
    """Let delivery go on only if every guard passed, or was released by a person where it may be.

    Args:
        verdicts: of the guards that protect what comes next.
        release: a person's reason for releasing held guards; empty for none.

    Returns:
        The check results that show the verdicts.

    Raises:
        GuardRefusedError: one did not pass.
    """
    if any(not verdict.passed and not (release and verdict.releasable) for verdict in verdicts):
        raise GuardRefusedError(verdicts)
    return [check_result(verdict, release=release) for verdict in verdicts]


def sentence(verdict: Verdict) -> str:
    """A refused verdict in one line: what was found, number and threshold, what to do."""
    return f"{verdict.found} (observed {verdict.observed}, needed {verdict.threshold}). {verdict.mend}."


def check_result(verdict: Verdict, *, release: str = "") -> dg.AssetCheckResult:
    """A verdict as an asset check shows it: the number and the threshold, on success too."""
    released = bool(release) and verdict.releasable and not verdict.passed
    return dg.AssetCheckResult(
        check_name=verdict.name,
        passed=verdict.passed or released,
        severity=dg.AssetCheckSeverity.ERROR,
        description=verdict.found if verdict.passed or released else sentence(verdict),
        metadata={
            "observed": verdict.observed,
            "threshold": verdict.threshold,
            **({"released because": release} if released else {}),
            **verdict.details,
        },
    )


def of_partition(result: dg.AssetCheckResult, partition: str) -> dg.AssetCheckResult:
    """A check result that says whose it is: Dagster lists the stores and days of a check under each other."""
    return result._replace(description=placed(result.description or "", partition))
