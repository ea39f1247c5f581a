"""The past can be looked at again, and is never delivered again by accident."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import time_machine

from rpsync_assets.partitions import Slot
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, QUIET, Ran, Rows, TinyWorld, _told

WHY = "Nashville was counted anew on the 9th"


@pytest.fixture
def past(example: TinyWorld, counts: Rows) -> Iterator[TinyWorld]:
    """10 March was delivered on 10 March; it is the 12th now, and nothing came since."""
    with time_machine.travel(datetime(2026, 3, 10, 12, tzinfo=UTC), tick=False) as clock:
        example.file(counts)
        assert example.run().failures == {}
        clock.move_to(datetime(2026, 3, 12, 12, tzinfo=UTC))
        yield example


def replay(world: TinyWorld, why: str = "", day: date = DAY) -> Ran:
    job = world.defs().resolve_job_def("replay_day")
    told = {name: {"config": {"replay": why}} for name in ("filtered_reset_parts", "variance_file")}
    done = job.execute_in_process(
        instance=world.instance,
        partition_key=str(Slot(day, "US").key),
        raise_on_error=False,
        run_config={**QUIET, "ops": told},
    )
    return _told(done)


def test_a_past_day_again_sends_nothing_and_ends_the_same_without_the_server(past: TinyWorld) -> None:
    sent, on_hand = past.sent, past.oms.on_hand()
    for file in past.incoming.iterdir():
        file.unlink()
    ran = replay(past)
    assert (ran.failures, ran.red) == ({}, [])
    assert ran.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"
    assert (past.sent, past.oms.on_hand()) == (sent, on_hand)


def test_other_rows_of_a_past_day_are_refused_unless_somebody_says_why(past: TinyWorld, counts: Rows) -> None:
    sent = past.sent
    past.file([*counts[:5], ("102", UPCA["C"], 9)], "20260310T080000")
    refused = replay(past)
    assert "2026-03-10 of US is over and was delivered on 2026-03-10" in refused.failures["filtered_reset_parts"]
    assert "materialize with replay: why" in refused.failures["filtered_reset_parts"]
    assert past.sent == sent
    said = replay(past, WHY)
    assert said.failures == {}
    assert said.metadata["filtered_reset_parts"]["replayed because"] == WHY
    assert past.oms.on_hand()["C"] == (5, 9)


def test_a_variance_of_a_past_day_is_refused_unless_somebody_says_why(past: TinyWorld) -> None:
    """Nothing is due, until the OMS is made to owe it: a person's import, days later."""
    ran = past.run("variance_file")
    assert ran.failures == {}
    state = past.defs().resources["state"]  # type: ignore[index]
    state.owe_again("US", DAY, [("NY", "A")])
    sent = past.sent
    refused = past.run("variance_file")
    assert "2026-03-10 of US is over and was delivered on 2026-03-10" in refused.failure
    assert past.sent == sent


def test_a_second_file_on_the_day_itself_needs_nobodys_word(example: TinyWorld, counts: Rows) -> None:
    with time_machine.travel(datetime(2026, 3, 10, 12, tzinfo=UTC), tick=False):
        example.file(counts)
        assert example.run().failures == {}
        example.file([*counts[:5], ("102", UPCA["C"], 9)], "20260310T075900")
        assert example.run().failures == {}
    assert example.oms.on_hand()["C"] == (5, 9)


def test_a_day_that_was_missed_may_still_be_delivered(example: TinyWorld, counts: Rows) -> None:
    with time_machine.travel(datetime(2026, 3, 12, 12, tzinfo=UTC), tick=False):
        example.file(counts)
        assert replay(example).failures == {}
    assert example.oms.on_hand()["C"] == (5, 5)


def test_the_past_is_never_put_over_newer_counts_whatever_is_said(past: TinyWorld, counts: Rows) -> None:
    past.file(counts, "20260312T010000")
    assert past.run(day=date(2026, 3, 12)).failures == {}
    past.file([*counts[:5], ("102", UPCA["C"], 1)], "20260310T080000")
    refused = replay(past, WHY)
    assert "A reset of US as of 2026-03-12" in refused.failures["filtered_reset_parts"]
