"""A seed -> a story: a flat list of events with their moments, in plain numbers that mean something in any world.

Belongs here: what happens how often. Does not: what it does (``play``). Numbers are taken modulo what is there, so a
story without some of its events is a story, too: that is what lets failures shrink.
"""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

DAY = 1440
MORNING, EVENING = 300, 1190
"""Minutes of a day: the earliest snapshot, and when the day is closed."""


class Event(NamedTuple):
    """What happens at a minute of the story; ``what`` are its numbers."""

    at: int
    kind: str
    what: tuple[int, ...] = ()


@dataclass(frozen=True)
class Story:
    """A world and what happens in it.

    Attributes:
        seed: where it came from.
        hotwax: the OMS compares at import, as HotWax does; else the embedded one.
        full: Retail Pro sends everything each day; else what changed.
        zone: index into ``world.ZONES``.
        booked_by_line: Retail Pro is told line by line (ORDER_FULFILLMENT_HISTORY).
        lag: minutes until Retail Pro has booked what it was told.
        days: how many mornings.
        events: in the order of their moments.
    """

    seed: int
    hotwax: bool
    full: bool
    zone: int
    booked_by_line: bool
    lag: int
    days: int
    events: tuple[Event, ...]


SHELF = {"sale": 10, "return_": 3, "receipt": 2, "receive_both": 2, "transfer": 2, "count": 2, "correct": 1}
ORDERS = {"web_order": 8, "oms_order": 3, "send_sale": 1, "broker": 5, "ship": 9, "complete": 5, "cancel_rest": 2}
ODD = {"cancel_header": 1, "take_back": 2, "web_return": 2, "shop_cancel": 2, "shop_refund": 2, "shop_edit": 1}
RULES = {"safety_stock": 2, "threshold": 1, "brokering": 1, "membership": 1, "publish": 1}
HAPPENS = {**SHELF, **ORDERS, **ODD, **RULES}

FILE = {"whole": 12, "late": 2, "missing": 1, "torn": 1, "short": 1, "twin_rows": 2, "conflict": 1, "resent": 2}
FILE |= {"second": 2, "overtaken": 2, "header_only": 1, "nothing": 1, "none_active": 1}
CUTS = {"power_cut": 5, "lost_after": 3, "twin": 2, "world": 8}
SHOP_TROUBLE = {"throttled": 2, "unavailable": 1, "lost_request": 1, "lost_answer": 2, "busy": 1, "not_now": 1}


def story(seed: int, days: int = 20) -> Story:
    """The story of a seed."""
    chance = Random(seed)  # noqa: S311  a story that repeats
    hotwax = chance.random() < 0.4
    events: list[Event] = []
    for day in range(days):
        events += _day(chance, day * DAY, hotwax=hotwax)
    events.sort(key=lambda event: event.at)
    return Story(
        seed=seed,
        hotwax=hotwax,
        full=chance.random() < 0.5,
        zone=chance.randrange(5),
        booked_by_line=chance.random() < 0.25,
        lag=chance.choice((0, 0, 30, 240)),
        days=days,
        events=tuple(events),
    )


def _day(chance: Random, base: int, *, hotwax: bool) -> list[Event]:
    events = [_happening(chance, base + chance.randrange(DAY)) for _ in range(chance.randrange(8, 22))]
    snapshot = base + MORNING + chance.randrange(60)
    events.append(Event(snapshot, "snapshot", (_pick(chance, FILE), *_numbers(chance, 3))))
    for attempt in range(chance.choice((1, 1, 2, 3) if not hotwax else (1, 2, 3))):
        events.append(Event(base + 420 + 50 * attempt, "run", _interruptions(chance, 0.75, 90)))
        if hotwax:
            events.append(Event(base + 440 + 50 * attempt, "hotwax", (_hotwax(chance), *_numbers(chance, 2))))
    if chance.random() < 0.5:
        events.append(Event(base + 420 + chance.randrange(200), "delta", _publication(chance)))
    if chance.random() < 0.5:
        events.append(Event(base + 640, "full", _publication(chance)))
    if chance.random() < 0.6:
        events.append(Event(base + 650 + chance.randrange(500), "delta", _publication(chance)))
    if chance.random() < 0.15:
        events.append(Event(base + 600 + chance.randrange(400), "clock", (chance.randrange(-40, 41),)))
    if hotwax and chance.random() < 0.15:
        events.append(Event(base + 600 + chance.randrange(400), "re_import"))
    if chance.random() < 0.1:
        events.append(Event(base + 600 + chance.randrange(500), "run_yesterday", _interruptions(chance, 0.2, 60)))
    events.append(Event(base + EVENING, "evening"))
    return events


def _happening(chance: Random, at: int) -> Event:
    return Event(at, chance.choices(list(HAPPENS), list(HAPPENS.values()))[0], _numbers(chance, 5))


def _numbers(chance: Random, how_many: int) -> tuple[int, ...]:
    return tuple(chance.randrange(1000) for _ in range(how_many))


def _pick(chance: Random, weights: dict[str, int]) -> int:
    return chance.choices(range(len(weights)), list(weights.values()))[0]


def _hotwax(chance: Random) -> int:
    """0: reads and imports, 1: reads only, 2: reads and imports one, 3: dies over a file, 4: does not come."""
    return chance.choices(range(5), (6, 2, 2, 1, 2))[0]


def _interruptions(chance: Random, share: float, points: int) -> tuple[int, ...]:
    """Triples: the point of the run, what happens there (``CUTS``), and a number for it."""
    found: list[int] = []
    while chance.random() < share and len(found) < 12:
        found += [chance.randrange(points), _pick(chance, CUTS), chance.randrange(100_000)]
    return tuple(found)


def _publication(chance: Random) -> tuple[int, ...]:
    """A trouble of Shopify's (0: none) and its number, then interruptions."""
    trouble = 1 + _pick(chance, SHOP_TROUBLE) if chance.random() < 0.4 else 0
    return (trouble, chance.randrange(6), *_interruptions(chance, 0.4, 24))


def happening(number: int) -> Event:
    """What an interruption makes happen in the world."""
    chance = Random(number)  # noqa: S311  a story that repeats
    return _happening(chance, 0)
