"""A reset of several parts: balanced, delivered, imported, and the variance waits for all of them."""

import pytest

from rpsync_assets.core import guards, parts
from rpsync_assets_tests.graph.recorders import DyingSftp
from rpsync_assets_tests.graph.test_guards_bite_alone import UNTIL_DELIVERY
from rpsync_assets_tests.graph.test_new_york_and_nashville import DAY_OF_A_AND_B, VARIANCE
from rpsync_assets_tests.graph.tiny_world import Rows, TinyWorld

NAMES = [f"archive/reset_US_20260310_g1_{part}of3.csv" for part in (1, 2, 3)]


@pytest.fixture
def parted(example: TinyWorld, counts: Rows, monkeypatch: pytest.MonkeyPatch) -> TinyWorld:
    """At most 2 records in a part instead of 200,000, and 5 records: C in Nashville is not in the file."""
    monkeypatch.setattr(parts.split, "__defaults__", (2,))
    monkeypatch.setattr(guards, "MOST_RECORDS", 2)
    example.file([row for row in counts if row[2] != 5 or row[0] == "101"])
    return example


def test_three_parts_are_balanced_and_the_day_ends_like_one_file(parted: TinyWorld):
    ran = parted.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert parted.folder("reset-inventory") == NAMES
    assert [len(parted.content("reset-inventory", name)) - 1 for name in NAMES] == [2, 2, 1]
    check = ran.checks["filtered_reset_parts.part_row_counts"]
    assert check.metadata["observed"].value == 2
    assert str(check.metadata["threshold"].value).startswith("at most 2 rows in a part, 5 in all")
    assert parted.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B
    assert parted.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 0)}
    assert [kind for kind, *_ in parted.deliveries()] == ["reset", "reset", "reset", "variance"]


def test_the_variance_waits_for_the_last_part(parted: TinyWorld):
    """Two parts are imported, the third lies behind other imports in HotWax's queue."""
    parted.run(*UNTIL_DELIVERY, "unreported_shipments")
    last = parted.server / "hotwax/reset-inventory/reset_US_20260310_g1_3of3.csv"
    last.rename(last.with_suffix(".queued"))
    ran = parted.run("reset_import", "variance_file", "variance_import")
    assert ran.failure.startswith("The OMS has not imported reset_US_20260310_g1_3of3.csv yet")
    assert not parted.run("variance_file").success
    assert parted.folder("inventory-variance") == []
    last.with_suffix(".queued").rename(last)
    assert parted.run().red == []
    assert parted.content("inventory-variance", VARIANCE) == DAY_OF_A_AND_B
    assert parted.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 0)}


def test_after_a_crash_between_two_parts_only_the_missing_ones_are_sent(parted: TinyWorld):
    dying = DyingSftp.like(parted.defs().resources["sftp"], "reset_US_20260310_g1_2of3")
    assert "PowerCutError" in parted.run(sftp=dying).failure
    watching = DyingSftp.like(dying)
    assert parted.run(sftp=watching).red == []
    assert dying.uploads == ["reset_US_20260310_g1_1of3.csv"]
    assert watching.uploads == [
        *("reset_US_20260310_g1_2of3.csv", "reset_US_20260310_g1_3of3.csv", "variance_US_20260310_g1.csv")
    ]
    assert parted.folder("reset-inventory") == NAMES
    assert parted.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 0)}
