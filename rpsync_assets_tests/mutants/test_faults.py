"""The faults fit the product as it stands; ``make mutants``, which takes long, says whether each is caught."""

import ast

import pytest

from rpsync_assets_tests.mutants.catching import ROOT, broken
from rpsync_assets_tests.mutants.faults import FAULTS, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_what_the_product_does_and_names_a_test_that_exists(fault: Fault) -> None:
    source = (ROOT / "rpsync_assets" / fault.file).read_text("utf-8")
    assert ast.dump(ast.parse(broken(fault, source))) != ast.dump(ast.parse(source))
    assert not fault.test or (ROOT / fault.test.partition("::")[0]).is_file()


def test_faults_are_told_apart_by_their_names() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 25
