"""Retail Pro sends the day's file again, corrected: a second generation, and no unit is deducted twice or never."""

import os

import pytest

from rpsync_assets_tests.graph.recorders import DyingSftp, DyingState
from rpsync_assets_tests.graph.test_guards_bite_alone import UNTIL_DELIVERY, UNTIL_IMPORT
from rpsync_assets_tests.graph.test_new_york_and_nashville import DAY_OF_A_AND_B, RESET, VARIANCE
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import VARIANCE_HEADER, Ran, Rows, TinyWorld, line

LATER = "20260310T074500"
CORRECTED = [("101", UPCA["A"], 11), ("102", UPCA["A"], 10), ("101", UPCA["C"], 6), ("102", UPCA["C"], 5)]
"""45 minutes later one more A and one more C were found; B is not in the file."""

END = {"A": (9, 10), "B": (8, 10), "C": (6, 5)}
SECOND = "archive/variance_US_20260310_g2.csv"


def all_agree(ran: Ran) -> None:
    assert (ran.failures, ran.red) == ({}, [])
    check = ran.checks["variance_import.oms_matches_retail_pro"]
    assert (check.metadata["observed"].value, check.metadata["keys"].value) == (0, 6)


def test_the_corrected_file_is_generation_two_and_leaves_the_other_keys_alone(example: TinyWorld, counts: Rows):
    example.file(counts)
    example.run()
    example.file(CORRECTED, LATER)
    ran = example.run()
    all_agree(ran)
    assert ran.metadata["filtered_reset_parts"]["generation"] == 2
    assert ran.metadata["raw_reset_file"]["other files of the day"] == "reset_US_20260310T070000.csv"
    assert example.oms.on_hand() == END
    assert example.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B
    assert example.content("inventory-variance", SECOND) == [VARIANCE_HEADER, line("NY", UPCA["A"], "-2.0")]
    before = (example.sent, example.oms.ledger())
    all_agree(example.run())
    assert (example.sent, example.oms.ledger()) == before


@pytest.mark.parametrize("so_far", [UNTIL_IMPORT, UNTIL_DELIVERY], ids=["imported", "delivered only"])
def test_the_first_files_pending_variance_goes_with_the_second_ones(
    example: TinyWorld, counts: Rows, so_far: tuple[str, ...]
):
    """The run stopped after the first reset: B is only in that one, and its two units are still due."""
    example.file(counts)
    example.run(*so_far)
    example.file(CORRECTED, LATER)
    ran = example.run()
    assert example.content("inventory-variance", SECOND) == [
        VARIANCE_HEADER,
        line("NY", UPCA["A"], "-2.0"),
        line("NY", UPCA["B"], "-2.0"),
    ]
    all_agree(ran)
    assert example.oms.on_hand() == END


def test_a_variance_that_went_out_unrecorded_is_not_sent_again_with_the_second_file(example: TinyWorld, counts: Rows):
    """Died between upload and bookkeeping; the OMS read the file by itself before the corrected one arrived."""
    example.file(counts)
    state = DyingState(example.settings().state_database_url, "mark variance")
    assert not example.run(state=state).success
    example.poll()
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    example.file(CORRECTED, LATER)
    ran = example.run()
    assert example.content("inventory-variance", SECOND) == [VARIANCE_HEADER, line("NY", UPCA["A"], "-2.0")]
    all_agree(ran)
    assert example.oms.on_hand() == END
    state.engine.dispose()


def test_each_file_is_held_against_what_was_unreported_at_its_own_moment(example: TinyWorld, counts: Rows):
    """Between the two files the order is completed: at 07:45 Retail Pro knows of A, and counts it without the two."""
    example.file(counts)
    example.run(*UNTIL_IMPORT)
    example.oms.ship("1001", "C", "NY", 2, "2026-03-10 07:20")
    example.oms.complete("1001", "2026-03-10 07:30")
    example.file([("101", UPCA["A"], 8), ("101", UPCA["C"], 3)], LATER)
    ran = example.run()
    all_agree(ran)
    assert example.content("inventory-variance", SECOND) == [VARIANCE_HEADER, line("NY", UPCA["B"], "-2.0")]
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (3, 5)}


def test_the_same_file_again_is_fetched_and_not_sent(example: TinyWorld, counts: Rows):
    """Retail Pro drops the very same bytes once more: the same rows are the same generation."""
    example.file(counts)
    example.run()
    before = (example.oms.ledger(), example.deliveries())
    os.utime(example.file(counts), (1_773_140_000, 1_773_140_000))
    ran = example.run()
    all_agree(ran)
    assert ran.metadata["raw_reset_file"]["arrival"] == "fetched now"
    assert (ran.metadata["filtered_reset_parts"]["generation"], example.sent) == (1, [RESET, VARIANCE])
    assert (example.oms.ledger(), example.deliveries()) == before


def test_the_same_counts_of_a_later_moment_end_with_the_same_numbers(example: TinyWorld, counts: Rows):
    """Nothing was sold in 45 minutes: the second reset brings the two units in, its variance takes them out again."""
    example.file(counts)
    example.run()
    example.file(counts, LATER)
    all_agree(example.run())
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}


def test_a_file_then_another_then_the_first_again_ends_with_the_first(example: TinyWorld, counts: Rows):
    """The same name all along: the third has the content of the first, and the OMS must not keep the second."""
    for hour, more in enumerate((0, 5, 0)):
        file = example.file([(store, upc, quantity + more) for store, upc, quantity in counts])
        os.utime(file, (1_773_140_000 + hour, 1_773_140_000 + hour))
        all_agree(example.run())
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    assert "archive/reset_US_20260310_g3_1of1.csv" in example.sent


def test_a_generation_that_was_never_sent_does_not_keep_the_next_from_its_variance(example: TinyWorld, counts: Rows):
    """The upload failed, Retail Pro sent a repaired file, and the day waited for the first file for ever."""
    example.file(counts)
    sftp = DyingSftp.like(example.defs().resources["sftp"], "reset")
    assert not example.run(sftp=sftp).success
    example.file(counts, LATER)
    all_agree(example.run())
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}


def test_a_variance_that_was_never_sent_does_not_keep_the_day_waiting(example: TinyWorld, counts: Rows):
    """Its upload failed, then a corrected file came: the day waited for the import of a file that never went out."""
    example.file(counts)
    sftp = DyingSftp.like(example.defs().resources["sftp"], "variance")
    assert not example.run(sftp=sftp).success
    example.file(CORRECTED, LATER)
    all_agree(example.run())
    assert example.oms.on_hand() == END


def test_the_import_is_waited_for_even_if_only_the_first_files_keys_are_due(example: TinyWorld, counts: Rows):
    """The variance belongs to the second file by its name and to the first by its rows."""
    example.file(counts)
    example.run(*UNTIL_IMPORT)
    example.file([row for row in CORRECTED if row[1] == UPCA["C"]], LATER)
    ran = example.run()
    all_agree(ran)
    assert ran.metadata["variance_import"]["applied"] == 2
    assert example.content("inventory-variance", SECOND) == [VARIANCE_HEADER, *DAY_OF_A_AND_B[1:]]
