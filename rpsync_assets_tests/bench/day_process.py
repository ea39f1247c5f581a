"""One day in a process of its own, so that its memory and its time are its own.

Belongs here: running the day that a JSON file describes (``python -m rpsync_assets_tests.bench.day_process FILE``), and
what it says of itself. Does not: anything that the day itself does not load, such as servers; what it is held against
(``day``).
"""

import json
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

from rpsync_assets.sandbox.demo import run_day

ROOM = {
    "transfer": ("raw_reset_file", "filtered_reset_parts", "variance_file"),
    "filter": ("filtered_reset",),
    "OMS": ("active_products", "reset_import", "unreported_shipments", "variance_import", "online_atp", "pos_sales"),
    "Shopify": ("shopify_feed", "shopify_full_reset", "shopify_delta"),
}
WAITED = "seconds waited for Shopify's limit"


def main() -> None:
    """Run the day and say how it went."""
    asked = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    mornings = {name: SimpleNamespace(business_date=date.fromisoformat(day)) for name, day in asked["days"].items()}
    environment = SimpleNamespace(variables=asked["variables"], mornings=mornings)
    done = dict.fromkeys(mornings, 0)

    def count(store: str, _step: str, state: str) -> None:
        done[store] += state == "done"

    summary = run_day(environment, list(mornings), count)  # type: ignore[arg-type]
    runs = [run for of_store in summary.stores.values() for run in of_store]
    said = {name: about for run in runs for name, about in run.assets.items()}
    seconds = {name: float(about.get("seconds", 0.0)) for name, about in said.items()}  # type: ignore[arg-type]
    wall = sum(run.seconds for run in runs)
    split = {room: round(sum(seconds.pop(asset, 0.0) for asset in assets), 3) for room, assets in ROOM.items()}
    checks = [check for run in runs for check in run.checks]
    split["checks"] = round(sum(float(check["seconds"] or 0.0) for check in checks), 3)  # type: ignore[arg-type]
    waited = sum(float(about.get(WAITED, 0.0)) for about in said.values())  # type: ignore[arg-type]
    result = {
        "held": summary.held,
        "wall_seconds": round(wall, 3),
        "waited_seconds": round(waited, 3),
        "split_seconds": split,
        "between_steps_seconds": round(wall - sum(split.values()), 3),
        # Each step that ended was told; the delta's own run has one asset.
        "steps_and_checks": [
            [steps, len(run.checks)]
            for store, of_store in summary.stores.items()
            for run, steps in zip(of_store, (done[store] - 1, 1), strict=True)
        ],
        "peak_memory_mb": summary.peak_memory_mb,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
