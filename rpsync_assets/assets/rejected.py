"""The rejected rows of a day, put where people find them: a table of the warehouse, and a CSV to fetch.

Belongs here: writing both. Does not: what is in them (``core/rejected``), or why a row is rejected (``core/reset``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from rpsync_assets.core.rejected import to_spreadsheet, with_raw_text
from rpsync_assets.landed import packing_of
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.landing import raw_lines
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.tables import Tables

REJECTED = "rejected_reset_rows"


def keep_rejected(
    rejected: pl.DataFrame, raw: Mapping[str, Any], slot: Slot, tables: Tables, rejections: Outbox
) -> Path:
    """Write the rejected rows down with their raw text; the CSV's path.

    Their lines are looked up in the file: the filter keeps no line's text, of which most would be thrown away.
    """
    lines = raw_lines(Path(raw["landed_path"]), packing_of(raw), raw["sha256"], rejected["line_number"])
    table = with_raw_text(rejected, lines)
    tables.write(REJECTED, str(slot.key), table)
    name = f"rejected_{slot.store}_{slot.day:%Y%m%d}.csv"
    rejections.keep(slot.day, slot.store, name, to_spreadsheet(table))
    return rejections.path(slot.day, slot.store, name)
