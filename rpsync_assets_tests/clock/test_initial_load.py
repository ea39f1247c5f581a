"""The first import: of a store without history, from a full file that counts what is sold."""

import dagster as dg
import pytest

from rpsync_assets.partitions import Slot
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, Rows, TinyWorld, _told


def load(world: TinyWorld, **more: object) -> Ran:
    """As somebody does who launches the job; ``more`` is typed into the launchpad."""
    config = {"ops": {"filtered_reset_parts": {"config": {"initial_load": True, **more}}}} if more else None
    done = (
        world.defs()
        .resolve_job_def("initial_load")
        .execute_in_process(
            instance=world.instance, partition_key=str(Slot(DAY, "US").key), raise_on_error=False, run_config=config
        )
    )
    return _told(done)


@pytest.fixture
def season(example: TinyWorld) -> TinyWorld:
    example.store["file_kind"] = "full"
    return example


def test_a_full_file_of_a_store_without_history_is_delivered_and_says_what_it_covers(
    season: TinyWorld, counts: Rows
) -> None:
    season.file(counts)
    ran = load(season)
    assert ran.failures == {}
    assert ran.metadata["filtered_reset_parts"]["initial load"] == "3 of 3 active products are counted"
    assert season.folder("reset-inventory") == ["reset_US_20260310_g1_1of1.csv"]
    assert season.run().failures == {}
    assert season.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}


def test_a_second_click_delivers_nothing_more(season: TinyWorld, counts: Rows) -> None:
    season.file(counts)
    assert load(season).failures == {}
    again = load(season)
    assert again.metadata["filtered_reset_parts"]["outcome"] == "delivered before: not sent again"


def test_a_store_that_has_history_is_refused(season: TinyWorld, counts: Rows) -> None:
    season.file(counts)
    assert season.run().failures == {}
    season.file([*counts[:5], ("102", UPCA["C"], 9)], "20260310T075900")
    refused = load(season)
    assert "US has history: 2 files were delivered" in refused.failures["filtered_reset_parts"]
    assert "Run the job reset_day" in refused.failures["filtered_reset_parts"]
    assert len(season.sent) == 2


def test_a_delta_is_no_initial_load(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    assert "is a delta file; the first import needs all keys" in load(example).failures["filtered_reset_parts"]
    assert example.sent == []


def test_a_file_that_counts_too_few_of_what_is_sold_is_held_until_somebody_is_sure(
    season: TinyWorld, counts: Rows
) -> None:
    season.file([row for row in counts if row[1] != UPCA["C"]])
    held = load(season)
    assert (
        "counts 2 of 3 active products of US (observed 0.667, needed at least 0.9)"
        in (held.failures["filtered_reset_parts"])
    )
    assert season.sent == []
    assert load(season, release="C comes next week").failures == {}
    assert season.folder("reset-inventory") == ["reset_US_20260310_g1_1of1.csv"]


def test_the_job_stands_in_the_list_with_what_it_is_for(world: TinyWorld) -> None:
    job = world.defs().resolve_job_def("initial_load")
    assert isinstance(job, dg.JobDefinition)
    assert "no history" in (job.description or "")
