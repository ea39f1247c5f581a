"""Many stories, on all processors: how many days held, how often each fault fired, and the first that failed.

Belongs here: the long run and its table. Does not: what a story is.
"""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

STORY_DAYS = 12
TOLD_DAYS = 500
"""So often a long run says how far it is."""

LEAST_FIRED = 200
"""In the long run; a fault that hardly ever happens proves nothing."""


@dataclass
class Result:
    """What came of a run.

    Attributes:
        failed: seed and what it failed with.
    """

    days: int = 0
    seconds: float = 0.0
    fired: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[int, str]] = field(default_factory=list)

    @property
    def rare(self) -> list[str]:
        """Faults that fired less often than they have to in the long run."""
        return sorted(fault for fault in every_fault() if self.fired[fault] < LEAST_FIRED)

    def lines(self) -> Iterator[str]:
        """The table, for people."""
        yield f"{self.days:,} days in {self.seconds:.0f} s, {len(self.failed)} violations"
        for fault in sorted(set(every_fault()) | set(self.fired)):
            yield f"{self.fired[fault]:>9,}  {fault}"
        for what, times in sorted(self.checked.items()):
            yield f"{times:>9,}  {what}, compared"
        for seed, what in self.failed:
            yield f"seed {seed} fails: {what}"


def every_fault() -> list[str]:
    """All that can go wrong, by the name under which it is counted."""
    from rpsync_assets_tests.simulation.retail_pro import FAULTS  # noqa: PLC0415  numbers of threads are set first
    from rpsync_assets_tests.simulation.shop import TROUBLES  # noqa: PLC0415

    return [
        *(f"file: {fault.replace('_', ' ')}" for fault in FAULTS if fault != "whole"),
        *(f"Shopify: {trouble.replace('_', ' ')}" for trouble in TROUBLES),
        *(f"HotWax: {what}" for what in ("starts late", "picked up, not imported yet", "import crashed")),
        *("HotWax: imported again", "file: sent again", "power cuts", "connection lost after the effect"),
        *("two runs at once", "the world moves on during a run", "clock steps", "API retries", "sales posted late"),
        *("orders imported hours late", "partial shipments", "cancellations of the rest", "rule changes"),
        *("cancels with restock", "cancels without restock", "membership changes", "products published or taken off"),
    ]


def one_story(seed: int, days: int) -> Result:
    """Play one story in this process."""
    from rpsync_assets_tests.simulation.events import story  # noqa: PLC0415
    from rpsync_assets_tests.simulation.play import play  # noqa: PLC0415

    try:
        played = play(story(seed, days))
    except Exception as error:  # noqa: BLE001  a crash of the product is a failure as well
        return Result(failed=[(seed, f"{type(error).__name__}: {error}")])
    return Result(days=played.days, fired=played.fired, checked=played.checked)


def run(
    seeds: Sequence[int],
    days: int = STORY_DAYS,
    workers: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Result:
    """Play the stories of these seeds; all of them, whatever fails; ``tell`` hears how far it is."""
    # Frames of six rows need no threads.
    os.environ["POLARS_MAX_THREADS"] = "1"
    total, began = Result(), time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context) as pool:
        for result in pool.map(one_story, seeds, [days] * len(seeds)):
            before = total.days
            total.days += result.days
            total.fired += result.fired
            total.checked += result.checked
            total.failed += result.failed
            if total.days // TOLD_DAYS > before // TOLD_DAYS or result.failed:
                seconds = time.perf_counter() - began
                tell(f"{total.days:,} of {days * len(seeds):,} days, {len(total.failed)} violations, {seconds:.0f} s")
    total.seconds = time.perf_counter() - began
    return total
