"""The first full import of a store: guards of its own, as those that compare with history have none to compare with.

Belongs here: what makes a delivery an initial load. Does not: filtering and delivering, which are the day's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from rpsync_assets.core.errors import HeldError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.state import Delivery

LEAST_COVERAGE = 0.9
"""Of the active products, so many have at least one count in a full file; the rest are listed and not yet stocked."""


class InitialConfig(dg.Config):
    """That a delivery is a store's first."""

    initial_load: bool = False
    """Set by the job ``initial_load``: the store must have no history, and the file must hold all keys."""


def require_initial(
    slot: Slot,
    raw: Mapping[str, Any],
    history: tuple[Sequence[Delivery], int],
    *,
    filtered: pl.DataFrame,
    active: pl.DataFrame,
    release: str,
) -> dict[str, str]:
    """What the metadata tells of an initial load.

    Args:
        slot: store and business date.
        raw: the row of ``raw_reset_file``.
        history: what ever went out for the store, and how many rows of it the OMS ever accepted.
        filtered: the rows to deliver.
        active: the active products.
        release: a person's reason for a file with less coverage; empty for none.

    Raises:
        HeldError: the store has history, or the file does not hold all keys.
    """
    delivered, accepted = history
    if delivered or accepted:
        first = f", {delivered[0].file_name} first" if delivered else ""
        raise HeldError(
            f"{slot.store} has history: {len(delivered)} files were delivered{first}, {accepted} rows accepted"
            " (needed 0): this is no initial load",
            "Run the job reset_day, whose guards compare with the days before",
        )
    if raw["file_kind"] != "full":
        raise HeldError(
            f"{raw['file_name']} is a {raw['file_kind']} file; the first import needs all keys, a full one",
            "Ask Retail Pro for a full export; its name or file_kind in the settings must say that it is one",
        )
    covered = active.join(filtered, on="product_id", how="semi").height
    share = covered / active.height if active.height else 0.0
    if share < LEAST_COVERAGE and not release:
        raise HeldError(
            f"{raw['file_name']} counts {covered} of {active.height} active products of {slot.store}"
            f" (observed {share:.3f}, needed at least {LEAST_COVERAGE})",
            "A full file names them all: look at its columns and at rejected_reset_rows; if they are not stocked yet,"
            ' materialize filtered_reset_parts with initial_load: true and release: "why you are sure"',
        )
    return {"initial load": f"{covered} of {active.height} active products are counted"}
