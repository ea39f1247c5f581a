"""The rejected rows of a day, put where people find them: a table of the warehouse, and a CSV to fetch.

Belongs here: writing both. Does not: what is in them (``core/rejected``), or why a row is rejected (``core/reset``).
"""

from pathlib import Path
from typing import Any

import polars as pl

from rpsync_assets.core.rejected import to_spreadsheet, with_raw_text
from rpsync_assets.landed import header_of, packing_of
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.landing import blocks, first_line, raw_lines
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.tables import Tables
from rpsync_assets.store_settings import StoreSettings

REJECTED = "rejected_reset_rows"


def keep_rejected(
    rejected: pl.DataFrame, raw: dict[str, Any], store: StoreSettings, slot: Slot, tables: Tables, rejections: Outbox
) -> Path:
    """Write the rejected rows down with their raw text; the CSV's path.

    The file is read a second time, up to the last rejected line: the filter keeps no line's text, of which most would
    be thrown away.
    """
    path, packing = Path(raw["landed_path"]), packing_of(raw)
    lines = raw_lines(
        blocks(path, start=len(first_line(path, packing)), packing=packing),
        rejected["line_number"],
        first_line=header_of(path, packing, store).lines + 1,
    )
    table = with_raw_text(rejected, lines)
    tables.write(REJECTED, str(slot.key), table)
    name = f"rejected_{slot.store}_{slot.day:%Y%m%d}.csv"
    rejections.keep(slot.day, slot.store, name, to_spreadsheet(table))
    return rejections.path(slot.day, slot.store, name)
