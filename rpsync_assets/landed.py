"""How a landed file is to be read: what its row of ``raw_reset_file`` and its store's settings say together.

Belongs here: the few lines that both the filter and ``rpsync explain`` need. Does not: bytes (``resources/landing``),
what a header means (``core/header``), Dagster.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rpsync_assets.core.encoding import Packing
from rpsync_assets.core.header import ColumnMap, Header, read_header
from rpsync_assets.resources.landing import first_line
from rpsync_assets.store_settings import StoreSettings


def column_map(store: StoreSettings) -> ColumnMap:
    """The store's column names as ``core.reader`` takes them."""
    return ColumnMap(store.columns.store_code, store.columns.upc, store.columns.quantity)


def header_of(path: Path, packing: Packing, store: StoreSettings) -> Header:
    """The header of a landed file, understood as the store's settings say."""
    separator = None if store.separator == "auto" else store.separator
    return read_header(first_line(path, packing), column_map(store), separator)


def packing_of(raw: Mapping[str, Any]) -> Packing:
    """How a landed file is packed, from its row of ``raw_reset_file``; rows of older versions say nothing: plain."""
    return Packing(raw.get("compression") or "none", raw.get("encoding") or "utf-8")
