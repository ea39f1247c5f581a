"""The machine stops in the middle of a delivery: the next run sends nothing twice and ends like the undisturbed one."""

from dataclasses import replace

import pytest

from rpsync_assets_tests.graph.recorders import DyingSftp, DyingState
from rpsync_assets_tests.graph.test_new_york_and_nashville import DAY_OF_A_AND_B, RESET, VARIANCE
from rpsync_assets_tests.graph.tiny_world import Rows, TinyWorld


@pytest.mark.parametrize(
    ("dies", "uploads_after"),
    [
        ("take reset", ["reset_US_20260310_g1_1of1.csv", "variance_US_20260310_g1.csv"]),
        ("upload reset", ["reset_US_20260310_g1_1of1.csv", "variance_US_20260310_g1.csv"]),
        ("mark reset", ["variance_US_20260310_g1.csv"]),
        ("accept", ["variance_US_20260310_g1.csv"]),
        ("take variance", ["variance_US_20260310_g1.csv"]),
        ("upload variance", ["variance_US_20260310_g1.csv"]),
        ("mark variance", []),
        ("settle", []),
    ],
)
def test_a_crash_anywhere_is_made_good_by_the_next_run(
    example: TinyWorld, counts: Rows, dies: str, uploads_after: list[str]
):
    example.file(counts)
    sftp = DyingSftp.like(example.defs().resources["sftp"], dies.removeprefix("upload "))
    state = DyingState(example.settings().state_database_url, dies)
    crashed = example.run(sftp=sftp, state=state)
    assert "PowerCutError" in crashed.failure
    watching = DyingSftp.like(sftp)
    ran = example.run(sftp=watching)
    assert (ran.failures, ran.red) == ({}, [])
    assert watching.uploads == uploads_after
    assert example.sent == [RESET, VARIANCE]
    assert example.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    assert example.deliveries() == [("reset", 1, 1, True), ("variance", 1, 1, True)]
    state.engine.dispose()


def test_what_was_taken_is_sent_even_if_the_world_has_moved_on(example: TinyWorld, counts: Rows):
    """Died before the upload of the variance; until the rerun the order completes. As of T0, 2 and 2 are due."""
    example.file(counts)
    example.run(sftp=DyingSftp.like(example.defs().resources["sftp"], "variance"))
    example.oms.ship("1001", "C", "NY", 2, "2026-03-10 08:00")
    example.oms.complete("1001", "2026-03-10 08:05")
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert example.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (3, 5)}


def test_a_file_that_only_the_import_log_remembers_is_not_sent_again(example: TinyWorld, counts: Rows):
    """The connection broke as the reset was renamed; the OMS imported it, and somebody emptied its archive since."""
    example.file(counts)
    assert not example.run(state=DyingState(example.settings().state_database_url, "mark reset")).success
    example.poll()
    (example.server / "hotwax/reset-inventory" / RESET).unlink()
    watching = DyingSftp.like(example.defs().resources["sftp"])
    ran = example.run(sftp=watching)
    assert (ran.failures, ran.red) == ({}, [])
    assert watching.uploads == ["variance_US_20260310_g1.csv"]
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}


@pytest.mark.parametrize("place", ["archive", "error"])
def test_a_file_that_was_moved_on_and_is_in_no_import_log_is_not_sent_again(
    example: TinyWorld, counts: Rows, place: str
):
    """HotWax took it out of its folder and wrote no log yet, or refused it: the mend is HotWax's, no second file."""
    example.file(counts)
    assert not example.run(state=DyingState(example.settings().state_database_url, "mark reset")).success
    (sent,) = (example.server / "hotwax/reset-inventory").glob("*.csv")
    (sent.parent / place).mkdir(exist_ok=True)
    sent.rename(sent.parent / place / sent.name)
    watching = DyingSftp.like(example.defs().resources["sftp"])
    assert example.run("filtered_reset_parts", sftp=watching).failures == {}
    assert watching.uploads == []


def test_nothing_is_sent_while_the_import_log_cannot_be_asked(example: TinyWorld, counts: Rows):
    example.file(counts)
    assert not example.run(state=DyingState(example.settings().state_database_url, "mark reset")).success
    (example.server / "hotwax/reset-inventory/reset_US_20260310_g1_1of1.csv").unlink()
    watching = DyingSftp.like(example.defs().resources["sftp"])
    away = replace(example.defs().resources["oms"], database_url="sqlite:////nowhere/oms.sqlite")
    assert "OMS" in example.run("filtered_reset_parts", sftp=watching, oms=away).failure
    assert watching.uploads == []
