"""A story, played: its events against the product, with what goes wrong at the points of each run.

Belongs here: the order of things, faults, the operator who runs the day again until it is done. Does not: what the
world's events do (``happenings``), what must hold (``invariants``).
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from sqlalchemy import QueuePool

from rpsync_assets.assets import owed
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.reset import FilteredReset
from rpsync_assets.oms import imports
from rpsync_assets.partitions import Slot
from rpsync_assets.resources import databases
from rpsync_assets.sandbox.emulator.shop import Shop
from rpsync_assets.store_settings import StoreSettings
from rpsync_assets_tests.simulation import invariants
from rpsync_assets_tests.simulation.books import LOCATION, Books
from rpsync_assets_tests.simulation.clock import Clock, telling
from rpsync_assets_tests.simulation.doors import Points, PowerCutError
from rpsync_assets_tests.simulation.events import CUTS, Story, happening
from rpsync_assets_tests.simulation.happenings import Happenings
from rpsync_assets_tests.simulation.hotwax import HotWax
from rpsync_assets_tests.simulation.product import STORE, Product, Ran
from rpsync_assets_tests.simulation.retail_pro import FAULTS, RetailPro
from rpsync_assets_tests.simulation.shop import TROUBLES, ShopDoor
from rpsync_assets_tests.simulation.world import KEYS, PRODUCTS, ZONES, Key, World

STARTS = (datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
"""Before clocks go forward or back, somewhere, and at a quiet time."""

_CUTS = tuple(CUTS)
IN_MEMORY = Path("/dev/shm")  # noqa: S108  where the system has memory as a folder


@dataclass
class Played:
    """What a story came to."""

    days: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)


def play(story: Story) -> Played:
    """Play a story.

    Raises:
        Violation: something that must hold does not.
    """
    logging.getLogger("rpsync_assets").setLevel(logging.CRITICAL)
    zone = ZoneInfo(ZONES[story.zone])
    local = STARTS[story.seed % len(STARTS)].replace(tzinfo=zone)
    place = TemporaryDirectory(prefix="rpsync-story-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
    with place as folder, telling(local.astimezone(UTC)) as clock, _fast_and_small():
        player = Player(story, Path(folder), clock, zone)
        try:
            player.play()
        finally:
            player.close()
        return player.played


@contextmanager
def _fast_and_small() -> Iterator[None]:
    """Imports in batches of two lines, so that one may die between them; databases that stay open between questions.

    An older file is filtered again on each of the next days: with the same lists the answer is the same.
    """
    changed = (
        (imports, "BATCH", 2),
        (imports, "GIVE_WAY_SECONDS", 0),
        (databases, "NullPool", QueuePool),
        (owed, "filter_landed", _once(owed.filter_landed)),
    )
    before = [getattr(module, name) for module, name, _ in changed]
    try:
        for module, name, value in changed:
            setattr(module, name, value)
        yield
    finally:
        for (module, name, _), value in zip(changed, before, strict=True):
            setattr(module, name, value)


def _once(filter_landed: Callable[..., FilteredReset]) -> Callable[..., FilteredReset]:
    """Filter each file once for the same lists."""
    answers: dict[object, FilteredReset] = {}

    def ask(
        raw: Mapping[str, Any], store: StoreSettings, active: pl.DataFrame, facilities: pl.DataFrame
    ) -> FilteredReset:
        asked = (raw["sha256"], raw["landed_path"], raw["snapshot_at"], str(active.rows()), str(facilities.rows()))
        if asked not in answers or not Path(raw["landed_path"]).exists():
            answers[asked] = filter_landed(raw, store, active, facilities)
        return answers[asked]

    return ask


class Player:
    """One story's world and product."""

    def __init__(self, story: Story, folder: Path, clock: Clock, zone: ZoneInfo) -> None:
        self.story, self.clock, self.zone = story, clock, zone
        self.played = Played()
        self.points = Points(clock, fired=self.played.fired)
        self.points.asleep = True
        self.books = Books(folder / "oms.sqlite")
        self.shop = ShopDoor(Shop(Path(":memory:")), self.points)
        self.product = Product(story, folder, self.points, self.shop)
        self.world = World(story.booked_by_line, timedelta(minutes=story.lag))
        self.hotwax = HotWax(self.product, self.world) if story.hotwax else None
        self.retail_pro = RetailPro(self.product.sftp.root / self.product.sftp.incoming, zone, story.full)
        self.happenings = Happenings(
            self.world,
            self.books,
            self.shop,
            clock,
            None if story.hotwax else self.product.engine,
            self.played.fired,
        )
        self.open_days: set[date] = set()
        self.seen: dict[Key, tuple[int, str]] = {}
        self._begin()

    def _begin(self) -> None:
        chance = Random(self.story.seed)  # noqa: S311  a story that repeats
        for key in KEYS:
            units = chance.randrange(9)
            self.world.shelf[key] = self.world.counted[key] = units
            if chance.random() < 0.7:
                # What the OMS believed before we came may be anything.
                believed = chance.randrange(9)
                self.books.move(key, believed, believed, self.clock.now, REASON_ENUM_ID="VAR_MANUAL")
        self.shop.shop.stock((f"9{product}", LOCATION, chance.randrange(6)) for product in PRODUCTS)

    def close(self) -> None:
        """Let go of everything."""
        self.product.close()
        self.books.close()
        self.shop.shop.close()

    def play(self) -> None:
        """All of it."""
        for event in self.story.events:
            self.let_pass(self.clock.at(event.at))
            verb = getattr(self, f"on_{event.kind}", None)
            if verb is None:
                self.happenings.do(event)
            else:
                verb(*event.what)

    def let_pass(self, moment: datetime) -> None:
        """What is due until then happens in its order."""
        while (due := self.happenings.agenda.next_before(moment)) is not None:
            self.clock.move_to(due[0])
            due[1]()
        self.clock.move_to(moment)
        self.retail_pro.arrive(self.clock.now)

    # Retail Pro -------------------------------------------------------------------------------------------------------
    def on_snapshot(self, which: int, minutes: int, number: int, more: int) -> None:
        """Retail Pro counts, and sends its file."""
        fault = FAULTS[which]
        now = self.clock.now.replace(microsecond=0)
        if self.retail_pro.name(now) in {name for _, name, _ in self.retail_pro.waiting}:
            return
        if fault != "whole":
            self.played.fired[f"file: {fault.replace('_', ' ')}"] += 1
        view = self.world.views[now] = self.world.retail_pro(now)
        rows = self.retail_pro.rows(view)
        delay = {"late": 120 + minutes % 700, "overtaken": 90 + minutes % 300}.get(fault, minutes % 40)
        self.retail_pro.export(now, rows, fault, now + timedelta(minutes=delay), number)
        if fault in {"resent", "torn"} and more % 3:
            again = now + timedelta(minutes=delay + more % 300)
            self.played.fired["file: sent again"] += 1
            self.retail_pro.export(now, rows, "whole", again, number)
        if fault in {"second", "overtaken"}:
            later = 20 + more % 60
            self.happenings.agenda.add(
                now + timedelta(minutes=later), lambda: self.on_snapshot(0, minutes % 20, number, more)
            )

    # The operator -----------------------------------------------------------------------------------------------------
    @property
    def today(self) -> date:
        """The store's date."""
        return self.clock.now.astimezone(self.zone).date()

    def on_run(self, *cuts: int) -> None:
        """The morning's run, or the next attempt."""
        self._day(self.today, cuts)

    def on_run_yesterday(self, *cuts: int) -> None:
        """Somebody clicks on yesterday."""
        self._day(self.today - timedelta(days=1), cuts)

    def _day(self, day: date, cuts: tuple[int, ...]) -> None:
        self.open_days.add(day)
        self.happenings.settled = False
        self._with_cuts(cuts, lambda: self.product.day(day))

    def on_clock(self, minutes: int) -> None:
        """Our machine's clock makes a step."""
        self.clock.skew = timedelta(minutes=minutes)
        self.played.fired["clock steps"] += 1

    def on_hotwax(self, mode: int, number: int, _more: int) -> None:
        """HotWax's jobs come, or not."""
        if self.hotwax is not None:
            self.hotwax.come(mode, number, self.clock.now, self.played.fired)

    def on_re_import(self) -> None:
        """A person imports the newest reset once more by hand."""
        if self.hotwax is not None and self.hotwax.re_import_newest(self.clock.now):
            self.played.fired["HotWax: imported again"] += 1
            self.open_days |= self.hotwax.day_of_newest()
            self.happenings.settled = False

    def on_full(self, trouble: int, quiet: int, *cuts: int) -> None:
        """The day's publication."""
        self._publish(lambda: self.product.full(self.today), trouble, quiet, cuts, full=True)

    def on_delta(self, trouble: int, quiet: int, *cuts: int) -> None:
        """Every 15 minutes."""
        self._publish(self.product.delta, trouble, quiet, cuts, full=False)

    def _publish(
        self, publish: Callable[[], Ran], trouble: int, quiet: int, cuts: tuple[int, ...], *, full: bool
    ) -> None:
        self.shop.trouble, self.shop.quiet = (TROUBLES[trouble - 1] if trouble else None), quiet
        between = invariants.Between(self)
        ran = self._with_cuts(cuts, publish, between.around)
        between.look()
        self.shop.trouble = None
        if ran is not None and ran.success:
            invariants.published(self, ran, between, full=full)

    # Faults -----------------------------------------------------------------------------------------------------------
    def _with_cuts(
        self,
        cuts: tuple[int, ...],
        run: Callable[[], Ran],
        around: Callable[[Callable[[], None]], None] = lambda happens: happens(),
    ) -> Ran | None:
        """Run with interruptions; None if the power failed."""
        happens: dict[int, Callable[[str], None]] = {}
        for point, what, number in zip(cuts[::3], cuts[1::3], cuts[2::3], strict=True):
            happens[point] = self._cut(_CUTS[what], number, run, around)
        self.points.begin(happens)
        self.points.asleep = False
        try:
            with self.clock.ours():
                return run()
        except PowerCutError:
            return None
        finally:
            self.points.asleep, self.points.lose = True, False

    def _cut(
        self, what: str, number: int, run: Callable[[], Ran], around: Callable[[Callable[[], None]], None]
    ) -> Callable[[str], None]:
        def happen(name: str) -> None:
            if what == "power_cut":
                self.played.fired["power cuts"] += 1
                raise PowerCutError(name)
            if what == "lost_after":
                self.points.lose = True
                return
            if name.startswith("OMS"):
                # Inside a transaction of the OMS nobody else writes: a moment later.
                self.points.happens.setdefault(self.points.number + 1, happen)
                return
            with self.points.quietly():
                if what == "twin":
                    self.played.fired["two runs at once"] += 1
                    run()
                else:
                    self.played.fired["the world moves on during a run"] += 1
                    with self.clock.world():
                        around(lambda: self.happenings.do(happening(number)))

        return happen

    # The evening ------------------------------------------------------------------------------------------------------
    def on_evening(self) -> None:
        """The operator brings what is open to its end, and everything is looked at."""
        self.clock.skew = timedelta(0)
        self.open_days.add(self.today)
        # Today's is the last of them. It names the days whose rows wait; what is let go there goes with today. A
        # release is of one file: the day's own, then the ones before it.
        ran = [self._settle(day) for day in sorted(self.open_days)]
        for _ in range(2):
            if waiting := self._held_days():
                ran = [self._settle(day) for day in sorted({*waiting, self.today})]
        invariants.nothing_left_behind(self, ran[-1])
        self.open_days.clear()
        self.happenings.settled = True
        invariants.settled(self)
        number = self.played.days
        if number % 2:
            self.on_full(0, 0)
        self.on_delta(0, 0)
        self.played.days += 1

    def _held_days(self) -> set[date]:
        """Days whose rows wait, because the numbers of their file hold them."""
        try:
            owed = self.product.tables.read("owed_keys", Slot(self.today, STORE))
        except NotYetError:
            return set()
        return set(owed.filter(pl.col("why") == "day_held")["serves"])

    def _settle(self, day: date) -> Ran:
        ran: Ran | None = None
        morning = only = self.product.morning
        # A variance that is owed once more for a day that is over goes out on a person's word.
        said = {"filtered_reset_parts": {"release": "the shops were closed"}, "variance_file": {"replay": "it is owed"}}
        for _ in range(8):
            if self.hotwax is not None:
                self.hotwax.catch_up(self.clock.now)
            self.clock.pass_by(60)
            with self.clock.ours():
                ran = self.product.day(day, only, said=said)
            if ran.success:
                break
            if ran.stopped_at in morning[:4]:
                # Today's file is unusable or older than what went out; what went out goes on to its end.
                invariants.may_stop(self, ran)
                only = morning[3:] if only is morning else morning[4:]
        assert ran is not None
        if not ran.success and not invariants.nothing_was_begun(self, day):
            raise invariants.Violation(f"{day} does not settle: {ran.stopped_at}: {ran.why}")
        invariants.day_done(self, day, ran)
        return ran
