"""Years of a store's days, with everything going wrong again and again, and not one violation."""

import os
from pathlib import Path

import pytest

from rpsync_assets_tests.simulation.run import STORY_DAYS, run

DAYS = int(os.environ.get("RPSYNC_PROOF_DAYS", "10000"))
"""Fewer prove less; the share of each fault is asked for all the same."""


@pytest.mark.proof
@pytest.mark.timeout(4 * 3600)
def test_ten_thousand_days_of_many_seeds_without_a_violation() -> None:
    result = run(range(-(-DAYS // STORY_DAYS)), tell=lambda line: print(line, flush=True))  # noqa: T201
    told = "\n".join(result.lines())
    print(told)  # noqa: T201  how often each fault fired
    if "RPSYNC_PROOF_REPORT" in os.environ:
        Path(os.environ["RPSYNC_PROOF_REPORT"]).write_text(told + "\n", "utf-8")
    assert result.failed == [], told
    assert result.days >= DAYS
    if DAYS >= 10_000:
        assert result.rare == [], told
