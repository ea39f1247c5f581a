"""What a finished run found that a person should know.

Belongs here: reading a run's events, and the words. Does not: sending (``channels``).

One message per run, whatever it found: a guard that holds a delivery is a red check and a failed run, and one event.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus
from dagster._core.execution.plan.objects import StepFailureData

from rpsync_assets.clock.lateness import LATE_JOB
from rpsync_assets.clock.progress import STEP
from rpsync_assets.failures import RERUN_HELPS

MOST_FINDINGS = 10
LONGEST_LINE = 1500
_IMPORTS = ("reset_import", "variance_import")


@dataclass(frozen=True)
class Finding:
    """One thing that went wrong: what, with number and threshold where it has them."""

    what: str
    says: str
    observed: str = ""
    threshold: str = ""

    def __str__(self) -> str:
        numbers = f" (observed {self.observed}, needed {self.threshold})" if self.observed and not self.is_told else ""
        return f"{self.what}: {self.says}{numbers}"

    @property
    def is_told(self) -> bool:
        """Whether the sentence has the number already."""
        return f"observed {self.observed}" in self.says


@dataclass(frozen=True)
class Alert:
    """What is sent.

    Attributes:
        event: what it is about; nothing is sent twice for it.
        subject: one line.
        text: store, date, what, number, threshold, whether it is tried again, and where to look.
        kinds: what went wrong, without words and numbers that differ from run to run.
    """

    event: str
    subject: str
    text: str
    kinds: tuple[str, ...] = ()


def alert_of(instance: dg.DagsterInstance, run: dg.DagsterRun, ui_url: str) -> Alert | None:
    """The message about a finished run, or None if there is nothing to tell.

    Args:
        instance: Dagster's.
        run: finished.
        ui_url: where Dagster's UI is, for the link.
    """
    findings = list(dict.fromkeys(_findings(instance, run)))
    if not findings:
        return None
    day, store = _where(run)
    job = "a materialization by hand" if run.job_name.startswith("__") else run.job_name
    failed = run.status is DagsterRunStatus.FAILURE
    head = f"{store} {day}".strip() or "all stores"
    first = findings[0]
    rerun_helps = run.tags.get(RERUN_HELPS, "")
    return Alert(
        event=f"run {run.run_id}",
        kinds=(*(finding.what for finding in findings), rerun_helps),
        subject=f"[rpsync] {head}: {first.what}" + (f" and {len(findings) - 1} more" if len(findings) > 1 else ""),
        text="\n".join(
            [
                f"Store: {store or 'all'}",
                f"Business date: {day or 'of now'}",
                f"Run: {job}, {'failed' if failed else 'went through'}",
                *(f"- {finding}"[:LONGEST_LINE] for finding in findings[:MOST_FINDINGS]),
                *([f"- and {len(findings) - MOST_FINDINGS} more"] if len(findings) > MOST_FINDINGS else []),
                *([_again(run, rerun_helps)] if failed and run.job_name != LATE_JOB else []),
                f"{ui_url.rstrip('/')}/runs/{run.run_id}",
            ]
        ),
    )


def _again(run: dg.DagsterRun, rerun_helps: str) -> str:
    """Whether somebody must get up."""
    if rerun_helps == "no":
        return "Nobody tries it again: mend what it names, then materialize by hand."
    if STEP in run.tags:
        return "The store's sensor tries it again, after 5, 10, 20, 40 minutes, then every hour."
    if run.tags.get("dagster/schedule_name", "").startswith("shopify_delta_"):
        return "The next delta tries it again."
    return "The same run again, later, may pass."


def _where(run: dg.DagsterRun) -> tuple[str, str]:
    """Business date and store."""
    first, bar, second = run.tags.get("dagster/partition", "").partition("|")
    return (first, second) if bar else ("", first)


def _findings(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Finding]:
    refused: set[str] = set()
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id, _TOLD) if entry.dagster_event]
    for event in events:
        if event.event_type is DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            what = "late" if run.job_name == LATE_JOB else f"{event.step_key} failed"
            yield Finding(what, _reason(data))
            refused.add(event.step_key or "")
    for event in events:
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
            yield from _red(event.asset_check_evaluation_data, refused)
        elif event.event_type is DagsterEventType.ASSET_MATERIALIZATION:
            yield from _failed_rows(event.step_materialization_data.materialization)
    if run.status is DagsterRunStatus.FAILURE and not refused:
        last = next(
            (one.message for one in events if one.event_type is DagsterEventType.RUN_FAILURE and one.message), ""
        )
        yield Finding("the run failed", last or "its process ended before it could say why; its log in the UI may tell")


def _reason(data: StepFailureData) -> str:
    """Our own words, else what a stranger's exception says: of the innermost one, the first line."""
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return (
        error.message.strip().splitlines()[0] if error is not None and error.message.strip() else "no reason was given"
    )


_TOLD = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.RUN_FAILURE,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.ASSET_MATERIALIZATION,
}


def _red(check: dg.AssetCheckEvaluation, refused: set[str]) -> Iterator[Finding]:
    """A red check; those of an asset that refused stand in the failure's own words."""
    asset = check.asset_key.to_user_string()
    if check.passed or check.severity is not dg.AssetCheckSeverity.ERROR or asset in refused:
        return
    numbers = {name: str(check.metadata[name].value) for name in ("observed", "threshold") if name in check.metadata}
    yield Finding(f"{check.check_name} of {asset} is red", check.description or "it did not pass", **numbers)


def _failed_rows(materialization: dg.AssetMaterialization) -> Iterator[Finding]:
    """Rows that the OMS refused, so few that the day went on."""
    asset = materialization.asset_key.to_user_string()
    failed = materialization.metadata.get("failed") if asset in _IMPORTS else None
    if failed is not None and failed.value:
        rows = materialization.metadata["dagster/row_count"].value
        yield Finding(
            f"{failed.value} of {rows} rows failed at the OMS",
            f"{asset} names each with its reason. The day goes on without them; mend the OMS's data: they are owed",
            observed=str(failed.value),
            threshold="0",
        )
