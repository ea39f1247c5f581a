"""A guard that holds a day holds every button of that day, not only the run that found it."""

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from rpsync_assets.partitions import Slot
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets_tests.graph.recorders import DyingSftp, TwinState
from rpsync_assets_tests.graph.test_bad_input import HEADER
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, Rows, TinyWorld

UNTIL_DELIVERY = ("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts")
UNTIL_IMPORT = (*UNTIL_DELIVERY, "unreported_shipments", "reset_import")


def test_a_held_day_stays_held_whatever_is_materialized_alone(example: TinyWorld):
    """A blocking check alone would leave the partition green, and the delivery alone would pass afterwards."""
    example.raw_file(f"{HEADER}\n".encode())
    example.run()
    for asset in ("filtered_reset_parts", "reset_import", "variance_file", "variance_import"):
        assert not example.run(asset).success
    assert example.sent == []
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (0, 0)}


def test_after_a_torn_file_nothing_can_be_delivered_alone(example: TinyWorld):
    example.raw_file(f"{HEADER}\n101,{UPCA['A']}\n102,{UPCA['A']},ALU,Shoe,7\n".encode())
    assert set(example.run().failures) == {"filtered_reset"}
    said = example.run("filtered_reset_parts").failure
    assert "There is no filtered_reset for 2026-03-10|US yet" in said
    assert not example.run("variance_file").success
    assert example.sent == []


def test_yesterdays_rows_are_not_delivered_for_today(example: TinyWorld, counts: Rows):
    """Today's file is torn; yesterday's filtered rows lie there and stay yesterday's."""
    example.file(counts, "20260309T073000")
    example.run(day=date(2026, 3, 9))
    before = example.sent
    example.raw_file(f"{HEADER}\n101,{UPCA['A']}\n".encode())
    example.run()
    for asset in ("filtered_reset_parts", "variance_file"):
        assert not example.run(asset).success
    assert example.sent == before


def test_the_variance_is_refused_when_the_raw_file_was_landed_anew(example: TinyWorld, counts: Rows):
    """Somebody lands a corrected file after the import: shipments of 07:45 do not belong to the reset of 07:00."""
    example.file(counts)
    assert example.run(*UNTIL_IMPORT).failures == {}
    example.file(counts[:-1], "20260310T074500")
    assert example.run("raw_reset_file").success
    ran = example.run("variance_file")
    assert ran.failure.startswith("the reset of US 2026-03-10 is as of 2026-03-10 07:45:00 EDT, but ")
    assert "Materialize the whole day from raw_reset_file on" in ran.failure
    assert ran.red == ["variance_file.variance_reset_same_day"]
    # Shipments computed anew do not help while the reset is the old one's.
    assert example.run("unreported_shipments").success
    assert example.run("variance_file").red == ["variance_file.variance_reset_same_day"]
    assert example.folder("inventory-variance") == []


def test_the_variance_is_refused_before_the_reset_was_imported(example: TinyWorld, counts: Rows):
    example.file(counts)
    example.run(*UNTIL_DELIVERY, "unreported_shipments")
    assert "There is no reset_import" in example.run("variance_file").failure
    assert example.sent == ["reset_US_20260310_g1_1of1.csv"]


def test_an_older_days_reset_is_refused_after_a_newer_one(example: TinyWorld, counts: Rows):
    """A backfill of last week must not put last week's counts over today's."""
    example.file(counts)
    assert example.run().success
    before = (example.sent, example.oms.ledger())
    example.file([("101", UPCA["A"], 99)], "20260309T073000")
    ran = example.run(day=date(2026, 3, 9))
    assert set(ran.failures) == {"filtered_reset_parts"}
    assert "A reset of US as of 2026-03-10 11:00 UTC went out before" in ran.failure
    assert "this one is older, as of 2026-03-09 11:30 UTC" in ran.failure
    assert not example.run("filtered_reset_parts", day=date(2026, 3, 9)).success
    assert (example.sent, example.oms.ledger()) == before


def test_a_reset_waits_while_a_variance_of_its_store_is_unread(example: TinyWorld, counts: Rows):
    """HotWax's variance job hangs: a newer reset would bring back the units that the variance is about to take."""
    example.file(counts)
    assert example.run(*UNTIL_IMPORT, "variance_file").success
    assert example.folder("inventory-variance") == ["variance_US_20260310_g1.csv"]
    example.file(counts, "20260311T070000")
    ran = example.run(day=date(2026, 3, 11))
    assert "The OMS has not read the variance of 2026-03-10 yet" in ran.failures["filtered_reset_parts"]
    assert example.folder("reset-inventory") == ["archive/reset_US_20260310_g1_1of1.csv"]
    example.poll()
    assert example.run(day=date(2026, 3, 11)).red == []
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}


def test_two_runs_that_take_the_same_delivery_at_once_send_one_file(example: TinyWorld, counts: Rows):
    """An impatient second click, to the millisecond: both saw that nothing was delivered yet."""
    example.file(counts)
    example.run(*UNTIL_DELIVERY[:3])
    twins: list[Ran] = []
    state = TwinState(
        example.settings().state_database_url, before=lambda: twins.append(example.run("filtered_reset_parts"))
    )
    late = example.run("filtered_reset_parts", state=state)
    assert late.success
    assert twins[0].failure.startswith("Another run is delivering for US at this moment")
    assert example.sent == ["reset_US_20260310_g1_1of1.csv"]
    assert example.deliveries() == [("reset", 1, 1, True)]
    again = example.run("filtered_reset_parts")
    assert again.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"


def test_a_second_run_does_not_finish_a_delivery_that_is_under_way(example: TinyWorld, counts: Rows):
    """A slow line: the first run has taken the delivery and is still sending."""
    example.file(counts)
    example.run(*UNTIL_DELIVERY[:3])
    twins: list[Ran] = []
    state = TwinState(
        example.settings().state_database_url, after=lambda: twins.append(example.run("filtered_reset_parts"))
    )
    first = example.run("filtered_reset_parts", state=state)
    assert first.success
    assert twins[0].failure.startswith("Another run is delivering for US at this moment")
    assert example.sent == ["reset_US_20260310_g1_1of1.csv"]
    assert example.deliveries() == [("reset", 1, 1, True)]


def test_twins_of_other_instances_still_send_one_file(example: TinyWorld, counts: Rows):
    """Two Dagsters work on one data folder; neither knows the other's runs."""
    example.file(counts)
    twins: list[Ran] = []
    with dg.DagsterInstance.ephemeral() as other:
        example.run(*UNTIL_DELIVERY[:3])
        example.run(*UNTIL_DELIVERY[:3], instance=other)
        state = TwinState(
            example.settings().state_database_url,
            before=lambda: twins.append(example.run("filtered_reset_parts", instance=other)),
        )
        late = example.run("filtered_reset_parts", state=state)
    assert ([twin.success for twin in twins], late.success) == ([False], True)
    assert example.sent == ["reset_US_20260310_g1_1of1.csv"]
    assert example.deliveries() == [("reset", 1, 1, True)]


def test_two_machines_that_take_the_same_delivery_at_once_send_one_file(
    example: TinyWorld, counts: Rows, tmp_path: Path
):
    """They share the state database and not the lock: the row that only one of them can write decides."""
    example.file(counts)
    example.run(*UNTIL_DELIVERY[:3])
    first: list[Ran] = []
    elsewhere = Outbox(tmp_path / "the other machine")
    state = TwinState(
        example.settings().state_database_url,
        before=lambda: first.append(example.run("filtered_reset_parts", outbox=elsewhere)),
    )
    late = example.run("filtered_reset_parts", state=state)
    assert first[0].success
    assert late.failure.startswith("Another run is delivering the reset of US for 2026-03-10 at this moment")
    assert example.sent == ["reset_US_20260310_g1_1of1.csv"]
    assert example.deliveries() == [("reset", 1, 1, True)]


def test_what_another_machine_has_taken_is_left_to_it_for_a_while(
    example: TinyWorld, counts: Rows, monkeypatch: pytest.MonkeyPatch
):
    """Two machines share the state database, not the lock: the first may still be sending."""
    example.file(counts)
    example.run(*UNTIL_DELIVERY[:3])
    sftp = DyingSftp.like(example.defs().resources["sftp"], "reset")
    assert not example.run("filtered_reset_parts", sftp=sftp).success
    monkeypatch.setattr("rpsync_assets.assets.delivery.socket.gethostname", lambda: "the-other-machine")
    refused = example.run("filtered_reset_parts")
    assert "took reset_US_20260310_g1_1of1.csv for delivery and may be sending it" in refused.failure
    assert example.sent == []
    monkeypatch.setattr("rpsync_assets.assets.delivery.LEASE", timedelta(0))
    assert example.run("filtered_reset_parts").success
    assert example.sent == ["reset_US_20260310_g1_1of1.csv"]


def test_a_delivery_that_was_taken_and_not_sent_does_not_overtake_a_newer_one(example: TinyWorld, counts: Rows):
    """The upload of the 10th failed, the 11th went out; rerunning the 10th would put old counts over new ones."""
    example.file(counts)
    sftp = DyingSftp.like(example.defs().resources["sftp"], "reset")
    assert not example.run(sftp=sftp).success
    example.file(counts, "20260311T020000")
    assert example.run(day=date(2026, 3, 11)).success
    late = example.run("filtered_reset_parts")
    assert "A reset of US as of 2026-03-11 06:00 UTC went out before" in late.failure
    assert [name for name in example.sent if "20260310" in name] == []


def test_a_table_that_contradicts_its_accounting_is_not_delivered(example: TinyWorld, counts: Rows):
    """The machine stopped between two tables of the filter: the rows and their accounting are of different runs."""
    example.file(counts)
    example.run(*UNTIL_DELIVERY[:3])
    tables = example.defs().resources["tables"]
    kept = tables.read("filtered_reset", Slot(DAY, "US"))
    tables.write("filtered_reset", str(Slot(DAY, "US").key), kept[:2])
    refused = example.run("filtered_reset_parts")
    assert "a gap of" in refused.failure
    assert refused.red == ["filtered_reset_parts.rows_accounted_for"]
    assert example.sent == []
