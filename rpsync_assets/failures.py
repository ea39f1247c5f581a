"""From our errors to Dagster's ``Failure``: one line that names culprit and mend, and whether a rerun helps.

Belongs here: the translation, used where Dagster calls us. Does not: the errors themselves (``core/errors``).
"""

import dagster as dg

from rpsync_assets.core.errors import TransientError


def failure(error: Exception) -> dg.Failure:
    """A Dagster failure; only what is transient may be retried, a permanent failure never is."""
    transient = isinstance(error, TransientError)
    return dg.Failure(
        description=str(error),
        metadata={"a rerun helps": "yes, later" if transient else "no, something must be mended first"},
        allow_retries=transient,
    )
