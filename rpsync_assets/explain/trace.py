"""What an explanation is made of, and how it is shown.

Belongs here: steps, text, JSON. Does not: finding out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl


@dataclass(frozen=True)
class Step:
    """One step of a number's way.

    Attributes:
        title: what it is about.
        lines: sentences, in order.
        facts: the numbers and ids in them, for machines.
        states: words for where the key ended here: ``kept``, ``held``, ``varied``...
    """

    title: str
    lines: tuple[str, ...]
    facts: dict[str, object] = field(default_factory=dict[str, object])
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trace:
    """The whole way of one key on one day."""

    store: str
    day: date
    facility: str
    upc: str
    steps: tuple[Step, ...]

    @property
    def facility_id(self) -> str | None:
        """The facility as the OMS calls it, where what was asked for is one."""
        found = self.steps[0].facts.get("facility_id") if self.steps else None
        return None if found is None else str(found)

    @property
    def heading(self) -> str:
        """Which key, of which day."""
        return f"{self.store} {self.day} · facility {self.facility_id or self.facility} · UPC {self.upc}"

    @property
    def states(self) -> tuple[str, ...]:
        """All states, in the order of the day, each once."""
        return tuple(dict.fromkeys(state for step in self.steps for state in step.states))

    def as_text(self) -> str:
        """For a terminal."""
        parts = [self.heading, f"  {', '.join(self.states) or 'nothing is known of it'}"]
        for number, step in enumerate(self.steps, 1):
            parts += ["", f"{number:>2}  {step.title}", *(f"    {line}" for line in step.lines)]
        return "\n".join(parts)

    def as_json(self) -> dict[str, object]:
        """For machines: plain values only."""
        return {
            "product_store": self.store,
            "business_date": self.day.isoformat(),
            "facility": self.facility,
            "upc": self.upc,
            "states": list(self.states),
            "steps": [
                {
                    "title": step.title,
                    "lines": list(step.lines),
                    "states": list(step.states),
                    "facts": _plain(step.facts),
                }
                for step in self.steps
            ],
        }


def rows_as_facts(frame: pl.DataFrame | None) -> list[dict[str, object]]:
    """A small table as facts."""
    return [] if frame is None else frame.to_dicts()


def signed(number: int) -> str:
    """A change with its sign: +3, -1, 0."""
    return f"{number:+d}" if number else "0"


def counted(number: int, thing: str, several: str = "") -> str:
    """1 piece, 2 pieces."""
    return f"{number:,} {thing if number == 1 else several or f'{thing}s'}"


def some(lines: Sequence[str], most: int = 12) -> list[str]:
    """The first lines, and how many more there are."""
    rest = len(lines) - most
    return [*lines[:most], *([f"... and {rest} more"] if rest > 0 else [])]


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
