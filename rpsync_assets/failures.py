"""From our errors to Dagster's: try again in a moment, or a ``Failure`` that says whether a rerun helps.

Belongs here: the translation, used where Dagster calls us, and what it leaves on the run for those who look at it
later. Does not: the errors themselves (``core/errors``), starting a day once more (``clock``).

Only what passes within minutes is tried again inside the run, as a waiting run holds a process: a server that does not
answer, somebody who is at work on the same thing. What takes hours (a file, an import) is waited for by a sensor. A
permanent failure is never tried again, by no part of Dagster: the run's own tag tells its run retries.
"""

import logging
import random
from typing import NoReturn

import dagster as dg

from rpsync_assets.core.errors import BusyError, TransientError, UnreachableError
from rpsync_assets.settings import RetrySettings

_log = logging.getLogger(__name__)

RERUN_HELPS = "rpsync/rerun_helps"
"""The tag of a failed run: ``yes`` or ``no``; a run that was killed could not say."""

RUN_RETRIES = "dagster/retry_on_asset_or_op_failure"
"""Dagster's own tag, which goes before ``run_retries`` in dagster.yaml."""


def failure(error: Exception) -> dg.Failure:
    """A Dagster failure; only what is transient may be retried, a permanent failure never is."""
    transient = isinstance(error, TransientError)
    return dg.Failure(
        description=str(error),
        metadata={"a rerun helps": "yes, later" if transient else "no, something must be mended first"},
        allow_retries=transient,
    )


def fail_or_retry(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, error: Exception, retries: RetrySettings
) -> NoReturn:
    """End the step: to be tried again in a moment if that helps and was not done too often, else for good.

    Args:
        context: of the asset or check.
        error: ours.
        retries: how often, and how long to wait first; each further wait is twice as long, give or take a quarter, so
            that the runs of many stores do not knock at one moment.

    Raises:
        dagster.RetryRequested: it is tried again in a moment.
        dagster.Failure: it is not.
    """
    tried = context.op_execution_context.retry_number
    if isinstance(error, UnreachableError | BusyError) and tried < retries.times:
        seconds = retries.first_wait_seconds * 2**tried * random.uniform(0.75, 1.25)  # noqa: S311  no secret
        _log.warning("%s Trying again in %.0f s (%d of %d)", error, seconds, tried + 1, retries.times)
        raise dg.RetryRequested(max_retries=retries.times, seconds_to_wait=seconds) from error
    transient = isinstance(error, TransientError)
    tags = {RERUN_HELPS: "yes" if transient else "no", **({} if transient else {RUN_RETRIES: "false"})}
    context.instance.add_run_tags(context.run.run_id, tags)
    raise failure(error) from error
