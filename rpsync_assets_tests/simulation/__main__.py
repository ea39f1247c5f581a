"""``python -m rpsync_assets_tests.simulation``: play many stories, or make a failing one short.

--days 10000           so many days over as many seeds as that needs
--seed 17 --shrink     the shortest story that fails as seed 17 does, as Python
"""

import argparse
import sys

from rpsync_assets_tests.simulation.run import STORY_DAYS, run


def main() -> int:
    """Play; the exit code says whether everything held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seed", type=int, help="one story")
    parser.add_argument("--shrink", action="store_true")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _one(asked.seed, short=asked.shrink)
    stories = -(-asked.days // STORY_DAYS)
    seeds = range(asked.first, asked.first + stories)
    result = run(seeds, workers=asked.workers, tell=lambda line: print(line, file=sys.stderr))  # noqa: T201
    sys.stdout.write("\n".join(result.lines()) + "\n")
    return 1 if result.failed else 0


def _one(seed: int, *, short: bool) -> int:
    from rpsync_assets_tests.simulation.events import story  # noqa: PLC0415
    from rpsync_assets_tests.simulation.play import play  # noqa: PLC0415
    from rpsync_assets_tests.simulation.shrink import shrink  # noqa: PLC0415

    its = story(seed, STORY_DAYS)
    if short:
        its = shrink(its)
        sys.stdout.write(f"{its!r}\n")
    play(its)
    return 0


if __name__ == "__main__":
    sys.exit(main())
