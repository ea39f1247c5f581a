"""``make mutants``: every deliberate fault must be caught; the exit code says whether all were."""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table

from rpsync_assets_tests.mutants.catching import catch
from rpsync_assets_tests.mutants.faults import FAULTS


def main() -> int:
    """Look for all of them, or for those whose names hold a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults whose names hold one of these")
    asked = parser.parse_args()
    console = Console(highlight=False)
    chosen = [fault for fault in FAULTS if not asked.words or any(word in fault.name for word in asked.words)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sound = pool.submit(catch, None) if not asked.words else None
        found = []
        for caught in pool.map(catch, chosen):
            found.append(caught)
            said = f"{'caught  ' if caught.by else 'SURVIVED'} {caught.seconds:4.0f} s  {caught.fault.name}"
            console.print(said, soft_wrap=True)
    table = Table(title=f"{sum(bool(one.by) for one in found)} of {len(found)} deliberate faults are caught")
    for column in ("fault", "file", "caught by"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(one.fault.name, one.fault.file, one.by[:160] or "NOBODY")
    console.print(table)
    if sound is not None and (by := sound.result().by):
        console.print(f"The sound package fails, too: {by}")
        return 2
    return 0 if all(one.by for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
