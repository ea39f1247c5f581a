"""Every case ends as it should, and there are enough of them."""

from pathlib import Path

import pytest

from rpsync_assets_tests.corpus.case import Case, Refused, outcome_of
from rpsync_assets_tests.corpus.cases import CASES


def test_there_are_enough_cases_and_each_has_a_name_of_its_own() -> None:
    assert len(CASES) >= 80
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_from_the_wild_ends_as_it_should(tmp_path: Path, case: Case) -> None:
    outcome = outcome_of(tmp_path, case)
    if isinstance(case.outcome, Refused):
        assert isinstance(outcome, Refused), outcome
        assert outcome.error == case.outcome.error
        for word in case.outcome.words:
            assert word in outcome.words[0]
        assert "\n" not in outcome.words[0]
    else:
        assert outcome == case.outcome
