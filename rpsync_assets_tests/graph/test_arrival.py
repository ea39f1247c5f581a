"""What arrives when: each case of Retail Pro's files has one outcome (README, "What arrives when")."""

import gzip
import os
import threading
from datetime import date

import pytest

from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import HEADER, Rows, TinyWorld

BEFORE = date(2026, 3, 9)
AFTER = date(2026, 3, 11)
MANY = [("101", UPCA["Z"], 10)] * 25
"""A product that is not sold online, 25 times: rows enough for a share to say something."""


def landed(world: TinyWorld, day: date = date(2026, 3, 10)) -> list[tuple[str, int]]:
    """Name and rows of every file that was landed for a day."""
    return world.table("landed_files", day).select("file_name", "rows").rows()


def test_a_file_sent_again_under_its_name_leaves_the_first_ones_bytes(example: TinyWorld, counts: Rows):
    first = example.file(counts).read_bytes()
    assert example.run().failures == {}
    example.file([("101", UPCA["A"], 11), *counts[1:]])
    ran = example.run()
    assert (ran.failures, ran.metadata["filtered_reset_parts"]["generation"]) == ({}, 2)
    place = example.data / "landing/2026-03-10/US"
    names = sorted(path.name for path in place.iterdir())
    assert len(names) == 2
    assert names[1].startswith("reset_US_20260310T070000.csv.")
    assert (place / names[1]).read_bytes() == first
    assert landed(example) == [("reset_US_20260310T070000.csv", 7)] * 2
    assert example.table("landed_files")["landed_path"].to_list() == [str(place / names[1]), str(place / names[0])]


def test_the_same_bytes_sent_again_are_the_same_generation(example: TinyWorld, counts: Rows):
    path = example.file(counts)
    example.run()
    before = (example.sent, example.oms.ledger())
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 60))
    ran = example.run()
    assert ran.metadata["raw_reset_file"]["arrival"] == "fetched now"
    assert ran.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"
    assert (example.sent, example.oms.ledger()) == before
    assert len(list((example.data / "landing/2026-03-10/US").iterdir())) == 1


def test_the_same_content_under_a_new_name_keeps_the_moment_of_its_first_counts(example: TinyWorld, counts: Rows):
    """A sale of 07:20 is in neither file: the second one's name must not make it a sale from before the count."""
    example.file(counts)
    example.run()
    example.oms.sell_in_store("NY", "A", 1, "2026-03-10 07:20")
    example.file(counts, "20260310T074500")
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert example.table("raw_reset_file")["same_content_as"].to_list() == ["reset_US_20260310T070000.csv"]
    assert ran.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"
    assert example.oms.on_hand()["A"] == (7, 10)


def test_a_count_that_went_back_to_what_it_was_is_a_count(example: TinyWorld):
    """Sold at 07:20 and brought back at 07:50: the file of 08:00 says what the file of 07:00 said."""
    for moment, units in (("070000", 10), ("073000", 9), ("080000", 10)):
        example.file([("102", UPCA["A"], units)], f"20260310T{moment}")
        ran = example.run()
        assert (ran.failures, ran.red, example.oms.on_hand()["A"]) == ({}, [], (8, units))


def test_yesterdays_content_under_todays_name_is_held_until_somebody_is_sure(example: TinyWorld):
    rows = [*MANY, ("102", UPCA["C"], 5)]
    example.file(rows, "20260309T070000")
    assert example.run(day=BEFORE).failures == {}
    example.file(rows)
    sent = example.sent
    ran = example.run()
    assert "has the content of reset_US_20260309T070000.csv, which served 2026-03-09" in ran.failure
    assert ran.red == ["filtered_reset_parts.raw_is_new", "raw_reset_file.raw_is_new"]
    assert example.sent == sent
    assert example.run(release="the shops were closed").failures == {}


def test_a_handful_of_rows_may_well_be_the_same_twice(example: TinyWorld, counts: Rows):
    example.file(counts, "20260309T070000")
    example.run(day=BEFORE)
    example.file(counts)
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])


def test_an_old_days_file_serves_its_own_day_and_nothing_newer(example: TinyWorld, counts: Rows):
    example.file(counts)
    example.run()
    example.file([("101", UPCA["A"], 99)], "20260308T070000")
    ran = example.run()
    assert ran.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"
    assert "newer counts are in place" in example.run(day=date(2026, 3, 8)).failure
    assert example.oms.on_hand()["A"] == (8, 10)


def test_yesterdays_file_after_midnight_is_yesterdays(example: TinyWorld, counts: Rows):
    """Written at half past midnight of the 11th, in New York; its name says that it was counted on the 10th."""
    path = example.file(counts)
    os.utime(path, (1773203400, 1773203400))
    assert "which serves 2026-03-10" in example.run(day=AFTER).failure
    assert example.run().failures == {}


def test_a_full_file_and_a_delta_of_one_morning_are_both_applied(example: TinyWorld, counts: Rows):
    """The delta was counted later: its keys are its own, the full one's others go along as of their own moment."""
    example.store["file_pattern"] = r"(?P<kind>full|delta)_{store}_(?P<snapshot>\d{8}T\d{6})\.csv"
    example.file(counts).rename(example.incoming / "full_US_20260310T050000.csv")
    example.file([("101", UPCA["A"], 11)]).rename(example.incoming / "delta_US_20260310T060000.csv")
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert ran.metadata["raw_reset_file"]["kind of file"] == "delta"
    rows = example.table("filtered_reset").select("upca", "quantity", "file_name", "owed")
    assert rows.filter(~rows["owed"]).rows() == [(UPCA["A"], 11, "delta_US_20260310T060000.csv", False)]
    assert rows.filter("owed")["file_name"].unique().to_list() == ["full_US_20260310T050000.csv"]
    assert example.oms.on_hand() == {"A": (9, 10), "B": (8, 10), "C": (5, 5)}


def test_a_full_file_after_the_delta_makes_the_delta_history(example: TinyWorld, counts: Rows):
    example.store["file_pattern"] = r"(?P<kind>full|delta)_{store}_(?P<snapshot>\d{8}T\d{6})\.csv"
    example.file([("101", UPCA["A"], 11)]).rename(example.incoming / "delta_US_20260310T050000.csv")
    example.file(counts).rename(example.incoming / "full_US_20260310T060000.csv")
    ran = example.run()
    assert (ran.failures, ran.red) == ({}, [])
    assert example.table("owed_keys").height == 0
    assert landed(example) == [("full_US_20260310T060000.csv", 7)]


@pytest.mark.parametrize(
    ("template", "marker"),
    [("{stem}.done", "reset_US_20260310T070000.done"), ("done_{name}", "done_reset_US_20260310T070000.csv")],
)
def test_a_store_with_markers_waits_for_the_marker_and_not_for_time(
    example: TinyWorld, counts: Rows, template: str, marker: str
):
    example.store["done_marker"] = template
    example.file(counts)
    assert f"{marker} is not there" in example.run().failure
    (example.incoming / marker).write_bytes(b"")
    assert example.run().failures == {}


def test_a_marker_of_what_was_sent_before_does_not_make_a_file_whole(example: TinyWorld, counts: Rows):
    """The corrected file is on its way under the same name, and the first one's marker lies there still."""
    example.store["done_marker"] = "{name}.done"
    path = example.file(counts)
    marker = example.incoming / f"{path.name}.done"
    marker.write_bytes(b"")
    assert example.run().failures == {}
    os.utime(marker, (path.stat().st_atime, path.stat().st_mtime - 60))
    example.file(counts[:2])
    stop = threading.Event()

    def write_on() -> None:
        while not stop.wait(0.05):
            with path.open("ab") as handle:
                handle.write(f"102,{UPCA['B']},ALU,Shoe,10\n".encode())

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        refused = example.run(settings=example.settings(settle_seconds=0.5))
    finally:
        stop.set()
        writer.join()
    assert "is still being written" in refused.failure
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    marker.touch()
    assert example.run("raw_reset_file").failures == {}


def test_an_older_delta_that_comes_late_joins_the_next_reset(example: TinyWorld, counts: Rows):
    """The 9th was missing; the 10th's delta went out; then the 9th's file came."""
    example.file(counts[:1], "20260308T070000")
    example.run(day=date(2026, 3, 8))
    example.file(counts[1:2])
    example.run()
    example.file([("102", UPCA["C"], 5)], "20260309T070000")
    example.file([("101", UPCA["B"], 10)], "20260311T070000")
    ran = example.run(day=AFTER)
    assert ran.failures == {}
    assert ran.metadata["raw_reset_file"]["older files taken in now"] == "reset_US_20260309T070000.csv"
    assert example.table("owed_keys", AFTER).select("upca", "quantity", "why").rows() == [
        (UPCA["C"], 5, "day_not_delivered")
    ]
    assert example.oms.on_hand()["C"] == (0, 5)


def test_an_older_file_that_is_broken_holds_nobody_up_and_is_told(example: TinyWorld, counts: Rows):
    example.file(counts[:1], "20260308T070000")
    example.run(day=date(2026, 3, 8))
    example.raw_file(f"{HEADER}\n102,{UPCA['C']},A,S,".encode(), "20260309T070000")
    example.file(counts)
    ran = example.run()
    assert ran.failures == {}
    assert ran.red == ["raw_reset_file.older_files_usable"]
    told = ran.checks["raw_reset_file.older_files_usable"].description or ""
    assert "reset_US_20260309T070000.csv does not end with a line end" in told


def test_what_an_earlier_system_did_before_our_first_day_is_not_owed(example: TinyWorld, counts: Rows):
    example.file(counts, "20260309T070000")
    example.file(counts[:1])
    ran = example.run()
    assert ran.failures == {}
    assert example.table("filtered_reset").height == 1


def test_a_day_whose_file_has_left_the_server_is_taken_from_the_kept_bytes(example: TinyWorld, counts: Rows):
    path = example.file(counts)
    example.run()
    path.unlink()
    ran = example.run()
    assert ran.failures == {}
    assert ran.metadata["raw_reset_file"]["arrival"] == "lay here already: not fetched again"


@pytest.mark.parametrize("still_there", [True, False], ids=["the server still has it", "the server has it no longer"])
def test_kept_bytes_that_were_changed_are_never_believed(example: TinyWorld, counts: Rows, *, still_there: bool):
    path = example.file(counts)
    example.run("raw_reset_file")
    kept = example.data / "landing/2026-03-10/US" / path.name
    kept.write_bytes(kept.read_bytes().replace(b",10\n", b",1\n"))
    if still_there:
        assert example.run().metadata["raw_reset_file"]["arrival"] == "fetched now"
        assert example.oms.on_hand()["A"] == (8, 10)
    else:
        path.unlink()
        assert "kept bytes of reset_US_20260310T070000.csv are gone" in example.run().failure


def test_a_compressed_file_is_named_and_read_as_such(example: TinyWorld, counts: Rows):
    path = example.file(counts)
    (example.incoming / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    ran = example.run()
    assert (ran.failures, ran.metadata["raw_reset_file"]["compression"]) == ({}, "gzip")
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
