"""The complete lists of a day as CSV files that lie beside its page and are linked from it.

Belongs here: their names and form. Does not: their rows (``changes``, ``pieces``), what makes a CSV safe
to open (``core/spreadsheet``), writing them (``assets/report``).
"""

from collections.abc import Mapping

import polars as pl

from rpsync_assets.core.rejected import to_spreadsheet
from rpsync_assets.core.spreadsheet import csv_of


def as_files(store: str, tables: Mapping[str, pl.DataFrame | None]) -> dict[str, tuple[str, bytes]]:
    """By name of the list: the file's name, of a store's page, and its content; lists without rows are left out."""
    return {
        name: (f"{store}_{name}.csv", to_spreadsheet(table) if name == "dropped_rows" else csv_of(table))
        for name, table in tables.items()
        if table is not None and table.height
    }
