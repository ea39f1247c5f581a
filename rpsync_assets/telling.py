"""Saying how far long work is.

Belongs here: how often, and in which words. Does not: the work.
"""

import logging
import time
from collections.abc import Callable

SECONDS = 2.0

_log = logging.getLogger(__name__)


def telling(name: str, unit: str = "MB") -> Callable[[int, int], None]:
    """Say how far long work is, every ten percent or two seconds, whichever is rarer.

    Args:
        name: of the file that is worked on.
        unit: what a million of what is counted is called.
    """
    told_at, told_percent = time.monotonic(), 0

    def tell(done: int, total: int) -> None:
        nonlocal told_at, told_percent
        percent = 100 * done // total if total else 100
        now = time.monotonic()
        if percent >= told_percent + 10 and now - told_at >= SECONDS:
            told_at, told_percent = now, percent
            _log.info("%s: %d%% of %.0f %s", name, percent, total / 1e6, unit)

    return tell
