"""The simulation holds, repeats itself, and makes what fails short. The long run is ``make proof``."""

from dataclasses import replace

import pytest

from rpsync_assets_tests.simulation.events import Event, Story, story
from rpsync_assets_tests.simulation.play import play
from rpsync_assets_tests.simulation.run import run
from rpsync_assets_tests.simulation.shrink import shrink


@pytest.mark.timeout(1_200)
def test_days_of_many_stories_hold() -> None:
    result = run(range(12), days=10, workers=2)
    assert result.failed == [], "\n".join(result.lines())
    assert result.days == 120
    assert result.checked["keys whose stock is the shelf's"] > 400
    assert result.checked["counts at Shopify"] > 400


def test_one_seed_is_one_story() -> None:
    first, again = (play(story(3, 3)) for _ in range(2))
    assert first == again
    assert first.fired != play(story(4, 3)).fired


def test_a_failing_story_shrinks_to_what_makes_it_fail() -> None:
    """Here a story "fails" if a sale is followed by a run in which the power is cut at point 7."""
    cut = Event(2_000, "run", (3, 3, 1, 7, 0, 2, 9, 3, 4))
    long = story(1, 5)
    long = replace(long, events=(*long.events[:40], cut, *long.events[40:]))

    def fails(tried: Story) -> str | None:
        sales = [event.at for event in tried.events if event.kind == "sale"]
        runs = [event.at for event in tried.events if event.kind == "run" and (7, 0) in _cuts(event)]
        return "it fails" if sales and runs and min(sales) < max(runs) else None

    short = shrink(long, fails)
    assert [event.kind for event in short.events] == ["sale", "run"]
    assert short.events[1].what == (7, 0, 2)


def _cuts(event: Event) -> list[tuple[int, int]]:
    return list(zip(event.what[::3], event.what[1::3], strict=True))
