"""The story's clock: the world's time, and what our machine takes it for.

Belongs here: moments. Everything in the process sees the story's time while one is told (``time_machine``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import time_machine


@dataclass
class Clock:
    """The world's time; ``skew`` is by how much our own machine's clock is ahead of it."""

    start: datetime
    _traveller: time_machine.Traveller
    _now: datetime
    skew: timedelta = timedelta(0)

    @property
    def now(self) -> datetime:
        """The world's time."""
        return self._now

    def at(self, minute: int) -> datetime:
        """The moment of a minute of the story."""
        return self.start + timedelta(minutes=minute)

    def move_to(self, moment: datetime) -> None:
        """Let time pass; it never runs backwards."""
        if moment > self._now:
            self._now = moment
            self._traveller.move_to(moment)

    def pass_by(self, seconds: float) -> None:
        """Somebody waits, or works."""
        self._now += timedelta(seconds=seconds)
        self._traveller.move_to(datetime.now(UTC) + timedelta(seconds=seconds))

    @contextmanager
    def ours(self) -> Iterator[None]:
        """Our machine's clock, whose steps nobody but we see."""
        self._traveller.move_to(self._now + self.skew)
        try:
            yield
        finally:
            self._traveller.move_to(self._now)

    @contextmanager
    def world(self) -> Iterator[None]:
        """The world's time, within ``ours``."""
        ours = datetime.now(UTC)
        self._traveller.move_to(self._now)
        try:
            yield
        finally:
            self._traveller.move_to(ours)


@contextmanager
def telling(start: datetime) -> Iterator[Clock]:
    """A clock that stands until it is moved."""
    with time_machine.travel(start, tick=False) as traveller:
        yield Clock(start, traveller, start)
