"""What a case is, and its way through the product: from bytes on the wire to the CSV that the OMS gets.

Belongs here: the way, and the small shop that all cases share. Does not: the cases themselves.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from rpsync_assets.assets.arriving import believe
from rpsync_assets.core.active import compile_active
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.core.header import Header
from rpsync_assets.core.parts import COLUMNS, split, to_csv
from rpsync_assets.core.reset import FilteredReset, Rules
from rpsync_assets.core.stream import filter_blocks
from rpsync_assets.resources.landing import BLOCK_BYTES, Arrival, Landing, blocks, first_line, raw_lines
from rpsync_assets.store_settings import StoreSettings
from rpsync_assets_tests.graph.tiny_oms import UPCA

SNAPSHOT = datetime(2026, 3, 10, 11, tzinfo=UTC)
HEADER = "store_code,upc,alu,description,qty"
A, B, C, Z = UPCA["A"], UPCA["B"], UPCA["C"], UPCA["Z"]
ELEVEN = "30065245099"
"""Called UPCA in the documents, and its check digit fails (domain.md 1.8)."""

EIGHT = "96385074"
TWINS = "2050000163913"
"""Current on two products."""

TWO_NUMBERS = ("8720116122558", "8720116127799")
"""Both current on one product."""

ACTIVE = compile_active(
    pl.DataFrame(
        [
            *((f"P{number}", upca) for number, upca in enumerate((A, B, C, ELEVEN, EIGHT))),
            ("TWIN1", TWINS),
            ("TWIN2", TWINS),
            *(("TWO", upca) for upca in TWO_NUMBERS),
        ],
        schema={"product_id": pl.String, "upca": pl.String},
        orient="row",
    ).with_columns(sku=pl.col("product_id"), shopify_inventory_item_id="9" + pl.col("product_id"))
).active
FACILITIES = pl.DataFrame({"store_code": ["101", "102", "MÉX1"], "facility_id": ["NY", "NASH", "MEX"]})

Row = tuple[str, str, int]
"""Facility, UPCA and quantity as the OMS gets them."""


@dataclass(frozen=True)
class Shipped:
    """The rows of the delivered CSV, the rejected lines with their reason, and how many rows are inactive."""

    rows: tuple[Row, ...]
    rejected: tuple[tuple[int, str], ...] = ()
    inactive: int = 0


@dataclass(frozen=True)
class Refused:
    """The error's class by name, and words that its message must have."""

    error: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        name: what is odd about it, as a sentence.
        content: its bytes.
        outcome: the right one.
        settings: of the store, where they are not the default.
        block: the size of the blocks in which it is read.
        found: what the product says that it found: compression, encoding, separator, decimal mark.
    """

    name: str
    content: bytes
    outcome: Shipped | Refused
    settings: dict[str, object] = field(default_factory=dict[str, object])
    block: int = BLOCK_BYTES
    found: dict[str, str | None] = field(default_factory=dict[str, "str | None"])


def store_settings(**changes: object) -> StoreSettings:
    """The settings of the shop."""
    return StoreSettings.model_validate({"time_zone": "America/New_York", "channel": "US_ONLINE", **changes})


@dataclass(frozen=True)
class Read:
    """A file that came through: what was found, what was kept, and the CSV."""

    arrival: Arrival
    header: Header
    filtered: FilteredReset
    csvs: list[bytes]

    @property
    def rows(self) -> tuple[Row, ...]:
        """What the OMS reads in the delivered CSV: parsed again, as text."""
        delivered = [pl.read_csv(io.BytesIO(content), infer_schema=False) for content in self.csvs]
        assert all(tuple(one.columns) == COLUMNS for one in delivered)
        return tuple(
            (facility, upca, int(quantity))
            for one in delivered
            for facility, upca, quantity in one.select("facilityId", "idValue", "availableQty").iter_rows()
        )


@contextmanager
def landed(path: Path, content: bytes, settings: StoreSettings, piece: int = 32768) -> Iterator[tuple[Arrival, Header]]:
    """The file as it came over the wire, believed; refused files do not lie there."""
    with Landing(path.parent).receive(path, settings.encoding) as arrival:
        for start in range(0, len(content), piece):
            arrival.write(content[start : start + piece])
        header = believe(arrival, path.name, settings)
    yield arrival, header


def read(folder: Path, content: bytes, block: int = BLOCK_BYTES, piece: int = 32768, **changes: object) -> Read:
    """The file's whole way; every line must be accounted for.

    Raises:
        RpsyncError: it is refused.
    """
    settings = store_settings(**changes)
    path = folder / "reset_US_20260310T070000.csv"
    with landed(path, content, settings, piece) as (arrival, header):
        packing = arrival.packing
        start = len(first_line(path, packing))
        filtered = filter_blocks(
            blocks(path, start=start, size=block, packing=packing),
            header=header,
            active=ACTIVE,
            facilities=FACILITIES,
            snapshot_at=SNAPSHOT,
            rules=Rules(settings.decimal_mark, settings.check_digit),
        )
    accounting = filtered.accounting
    assert accounting.accounted == accounting.read == arrival.lines - header.lines
    assert filtered.kept.height == accounting.kept
    assert filtered.rejected.height == sum(accounting.rejected.values())
    numbers = filtered.rejected["line_number"]
    raw = raw_lines(path, packing, arrival.sha256, numbers)
    assert list(raw) == numbers.to_list()
    for line, upc, quantity in filtered.rejected.select("line_number", "upc_text", "quantity_text").iter_rows():
        written = raw[line].replace('""', '"')
        assert upc in written
        assert quantity.rstrip("\r") in written
    return Read(arrival, header, filtered, [to_csv(part) for part in split(filtered.kept)])


def outcome_of(folder: Path, case: Case) -> Shipped | Refused:
    """What really happens."""
    try:
        done = read(folder, case.content, case.block, **case.settings)
    except RpsyncError as error:
        return Refused(type(error).__name__, (str(error),))
    told = {
        "compression": done.arrival.packing.compression,
        "encoding": done.arrival.packing.encoding,
        "separator": done.header.separator,
        "decimal_mark": done.filtered.decimal_mark,
    }
    assert {name: told[name] for name in case.found} == case.found
    rejected = done.filtered.rejected
    return Shipped(
        done.rows,
        tuple(zip(rejected["line_number"].to_list(), rejected["reason"].to_list(), strict=True)),
        done.filtered.accounting.inactive,
    )


def csv_of(rows: Iterable[tuple[str, str, str]], header: str = HEADER, separator: str = ",", end: str = "\n") -> str:
    """A usual file: store code, UPC and quantity per row, with an ALU and a description between."""
    lines = [header, *(f"{code},{upc},ALU,Shoe,{quantity}" for code, upc, quantity in rows)]
    return "".join(line.replace(",", separator) + end for line in lines)


USUAL = csv_of([("101", A, "7"), ("102", A, "0"), ("101", B, "-3"), ("102", Z, "9")])
"""Two facilities, two products, a zero, a negative, and one product that is not sold online."""

USUAL_ROWS: tuple[Row, ...] = (("NASH", A, 0), ("NY", A, 7), ("NY", B, -3))
USUAL_OUTCOME = Shipped(USUAL_ROWS, inactive=1)


def one(quantity: str, outcome: int | str, *others: str, upc: str = A, code: str = "101") -> tuple[bytes, Shipped]:
    """A file with one row in question (line 2), and its outcome: the quantity that is shipped, or why it is rejected.

    Args:
        quantity: its text; quoted by itself where it has to be.
        outcome: the number, or the reason.
        others: quantities of further rows of inactive products, which never decide anything.
        upc: of the row.
        code: of the row.
    """
    cells = [
        cell if not set(cell) & set(',"\n') else '"' + cell.replace('"', '""') + '"' for cell in (code, upc, quantity)
    ]
    lines = [HEADER, f"{cells[0]},{cells[1]},ALU,Shoe,{cells[2]}", *(f"101,{Z},ALU,Shoe,{other}" for other in others)]
    content = "".join(line + "\n" for line in lines).encode()
    upca = {str(int(listed)): listed for listed in (A, B, C, ELEVEN, EIGHT)}
    shipped = "".join(character for character in upc if character.isascii() and character.isdigit()).lstrip("0")
    if isinstance(outcome, str):
        return content, Shipped((), ((2, outcome),), len(others))
    return content, Shipped((("NY", upca.get(shipped, A), outcome),), (), len(others))
