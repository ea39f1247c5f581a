"""A story that fails -> the shortest one that still fails in the same way, as Python that can be kept as a test.

Belongs here: leaving events out, and interruptions of runs. Does not: playing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from rpsync_assets_tests.simulation.events import Event, Story
from rpsync_assets_tests.simulation.play import play

_INTERRUPTED = {"run": 0, "run_yesterday": 0, "full": 2, "delta": 2}
"""How many numbers stand before the triples of interruptions."""


def failure(story: Story) -> str | None:
    """What a story fails with, without its numbers; None if all holds."""
    try:
        play(story)
    except Exception as error:  # noqa: BLE001  a crash of the product is a failure as well
        return re.sub(r"[-\d]+", "#", f"{type(error).__name__}: {error}")[:60]
    return None


def shrink(story: Story, fails: Callable[[Story], str | None] = failure, tries: int = 400) -> Story:
    """The shortest story found that fails as this one does."""
    wanted, left = fails(story), tries
    assert wanted is not None, "this story does not fail"

    def still(shorter: Story) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(shorter) == wanted

    size = max(1, len(story.events) // 2)
    while size:
        for shorter in _without(story, size):
            if still(shorter):
                story = shorter
                break
        else:
            size //= 2
    calmer = True
    while calmer:
        calmer = False
        for changed in _calmer(story):
            kept = replace(story, events=tuple(_merge(story.events, changed)))
            if still(kept):
                story, calmer = kept, True
                break
    return story


def _without(story: Story, size: int) -> Iterator[Story]:
    """From the end: what comes after the failure goes first."""
    for end in range(len(story.events), 0, -size):
        start = max(0, end - size)
        yield replace(story, events=story.events[:start] + story.events[end:])


def _calmer(story: Story) -> Iterator[tuple[int, Event]]:
    """Each event with one interruption less."""
    for number, event in enumerate(story.events):
        before = _INTERRUPTED.get(event.kind)
        if before is None:
            continue
        for first in range(before, len(event.what), 3):
            yield number, event._replace(what=event.what[:first] + event.what[first + 3 :])


def _merge(events: Sequence[Event], changed: tuple[int, Event]) -> Iterator[Event]:
    number, event = changed
    yield from events[:number]
    yield event
    yield from events[number + 1 :]
