"""What holds of every file, not only of those that somebody thought of."""

import codecs
import csv
import gzip
import io
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from rpsync_assets.core import gtin
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.core.quantities import LARGEST_QUANTITY, Mark, is_fraction, whole_number
from rpsync_assets_tests.corpus.case import HEADER, USUAL, A, B, C, Read, Z, read
from rpsync_assets_tests.corpus.cases import CASES
from rpsync_assets_tests.corpus.quantities import READ
from rpsync_assets_tests.corpus.upcs import NOT, SAME

GENTLE = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(GENTLE, max_examples=150)

CODE = st.sampled_from(["101", "102", "103", " 101 ", "", "MÉX1"])
UPC = st.sampled_from([A, B, C, Z, *list(SAME)[:12], *list(NOT)[:14]])
QUANTITY = st.sampled_from([*map(str, range(-3, 9)), *READ])
ROWS = st.lists(st.tuples(CODE, UPC, QUANTITY), min_size=1, max_size=12)
Rows = list[tuple[str, str, str]]


def written(rows: Rows, separator: str = ",", end: str = "\n", *, description: str = 'Señora, "39"; rojo|azul') -> str:
    """A well-formed CSV in which everything that may be odd in a description is."""

    def quoted(cell: str) -> str:
        odd = set(cell) & {'"', separator, "\n", "\r"} or cell != cell.strip()
        return '"' + cell.replace('"', '""') + '"' if odd else cell

    lines = [HEADER.split(","), *([code, upc, "ALU", description, quantity] for code, upc, quantity in rows)]
    return "".join(separator.join(map(quoted, line)) + end for line in lines)


def fates(done: Read) -> tuple[object, ...]:
    """All that is decided of a file."""
    return done.rows, done.filtered.rejected.rows(), done.filtered.accounting, done.filtered.decimal_mark


# The same rows in another dress ---------------------------------------------------------------------------------------
DRESSES: dict[str, Callable[[Rows], bytes]] = {
    "semicolons": lambda rows: written(rows, ";").encode(),
    "tabs": lambda rows: written(rows, "\t").encode(),
    "bars and CRLF": lambda rows: written(rows, "|", "\r\n").encode(),
    "a mark": lambda rows: codecs.BOM_UTF8 + written(rows).encode(),
    "utf-16": lambda rows: written(rows).encode("utf-16"),
    "utf-16 without a mark": lambda rows: written(rows).encode("utf-16-be"),
    "gzip": lambda rows: gzip.compress(written(rows).encode(), 1),
    "utf-16 in gzip": lambda rows: gzip.compress(written(rows).encode("utf-16"), 1),
}


@given(rows=ROWS, dress=st.sampled_from(sorted(DRESSES)), block=st.integers(150, 400), piece=st.integers(1, 200))
@MANY
def test_the_same_rows_have_the_same_fate_in_any_dress_in_any_blocks(
    tmp_path: Path, rows: Rows, dress: str, block: int, piece: int
) -> None:
    """Encoding, compression, separator, line ends, sizes of blocks and of network packets decide nothing."""
    plain = read(tmp_path, written(rows).encode())
    dressed = read(tmp_path, DRESSES[dress](rows), block=block, piece=piece)
    assert fates(dressed) == fates(plain)


@given(
    rows=ROWS.filter(
        lambda rows: all(cell.encode("cp1252", "ignore").decode("cp1252") == cell for row in rows for cell in row)
    )
)
@GENTLE
def test_the_same_rows_have_the_same_fate_in_cp1252(tmp_path: Path, rows: Rows) -> None:
    done = read(tmp_path, written(rows).encode("cp1252"))
    assert done.arrival.packing.encoding == "cp1252"
    assert fates(done) == fates(read(tmp_path, written(rows).encode()))


# Any bytes ----------------------------------------------------------------------------------------------------
ODD = st.sampled_from(
    [
        *(
            b'"',
            b'""',
            b"\n",
            b"\r",
            b"\r\n",
            b",",
            b";",
            b"\0",
            b"\xff",
            b"\xc3",
            b"\x81",
            b"\xef\xbb\xbf",
            b"\x1f\x8b",
        ),
        *(
            "é".encode(),
            "鞋".encode(),
            "👟".encode(),
            A.encode(),
            b"7",
            b"-",
            b" ",
            HEADER.encode(),
            b"sep=;\n",
            b"x" * 300,
        ),
    ]
)


def refused_or_accounted_for(folder: Path, content: bytes, block: int) -> Read | None:
    """``read`` itself asserts that the accounting adds up; any error but ours is a defect."""
    try:
        done = read(folder, content, block=block, final_line_end=False)
    except RpsyncError:
        return None
    event("accepted")
    held_against_python(content, done)
    return done


def held_against_python(content: bytes, done: Read) -> None:
    """Python's own csv module finds as many rows, each with every field, and the same values in the same lines."""
    packing = done.arrival.packing
    if packing.encoding == "mixed":
        return
    text = (gzip.decompress(content) if packing.compression == "gzip" else content).decode(packing.encoding)
    # Python ends a line at a lone CR, and a space after a separator keeps it from seeing a quote.
    text = re.sub("\r(?!\n)", " ", text.lstrip("\ufeff"))
    read_by_python = csv.reader(io.StringIO(text, newline=""), delimiter=done.header.separator, skipinitialspace=True)
    rows = list(read_by_python)[done.header.lines :]
    wanted = len(done.header.names)
    assert len(rows) == done.filtered.accounting.read
    assert all(len(row) == wanted for row in rows if "".join(row).strip())
    place = done.header.names.index(done.header.upc)
    kept, rejected = (frame.select("line_number", "upc_text") for frame in (done.filtered.kept, done.filtered.rejected))
    for line, upc in [*kept.iter_rows(), *rejected.iter_rows()]:
        row = rows[line - done.header.lines - 1]
        # Where a space stands before a quote, the quote stays in the value, and ``core.cells`` takes it away.
        assert _bare(upc) == _bare(row[place] if len(row) == wanted else "")


def _bare(cell: str) -> str:
    return re.sub(r'[\s"]', "", cell)


@given(content=st.binary(max_size=3000), block=st.integers(1, 5000))
@MANY
def test_any_bytes_are_refused_or_accounted_for(tmp_path: Path, content: bytes, block: int) -> None:
    refused_or_accounted_for(tmp_path, content, block)


@given(
    base=st.sampled_from([case.content for case in CASES if len(case.content) < 5000]),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1), ODD), min_size=1, max_size=2),
    block=st.integers(90, 600),
)
@MANY
def test_a_case_that_is_damaged_further_is_refused_or_accounted_for(
    tmp_path: Path, base: bytes, edits: list[tuple[float, int, bytes]], block: int
) -> None:
    content = bytearray(base)
    for place, length, odd in edits:
        at = int(place * len(content))
        content[at : at + length] = odd
    refused_or_accounted_for(tmp_path, bytes(content), block)


CELL = st.sampled_from(
    [
        *(
            "7",
            "x",
            "101",
            A,
            "",
            " ",
            '"a\nb"',
            '"a\r\nb"',
            '"a,b"',
            '"a""b"',
            '""',
            ' "q"',
            ' "a,b"',
            ' "a\nb"',
            '"q" ',
        ),
        *('x"y', 'x""y', '"open', "a\rb", "\r", "\0", "\ufeff", "é", "鞋", "x" * 90),
    ]
)
FIVE = st.lists(CELL, min_size=5, max_size=5)
LINE = st.tuples(
    st.one_of(FIVE, FIVE, FIVE, st.lists(CELL, max_size=7)), st.sampled_from(["\n", "\n", "\n", "\r\n", "\r\r\n"])
)


@given(lines=st.lists(LINE, max_size=5), block=st.integers(130, 600))
@MANY
def test_lines_of_odd_cells_are_refused_or_accounted_for(
    tmp_path: Path, lines: list[tuple[list[str], str]], block: int
) -> None:
    content = USUAL + "".join(",".join(cells) + end for cells, end in lines)
    done = refused_or_accounted_for(tmp_path, content.encode(), block)
    if done is not None:
        # No good row is lost to what stands below it, but to a row that says the same key again.
        assert done.filtered.accounting.read == 4 + len(lines)
        assert ("NY", B, -3) in done.rows


@given(cut=st.integers(0, 400), rows=ROWS)
@GENTLE
def test_a_cut_file_ships_no_number_that_the_whole_file_does_not(tmp_path: Path, cut: int, rows: Rows) -> None:
    """Cut anywhere, a file is refused, unless the cut is behind a line."""
    content = written(rows).encode()[:cut]
    try:
        done = read(tmp_path, content)
    except RpsyncError:
        return
    assert content.endswith(b"\n")
    whole = read(tmp_path, written(rows).encode())
    numbers = {text for row in rows for text in row[2:]}
    assert done.filtered.accounting.read <= whole.filtered.accounting.read
    assert set(done.filtered.rejected["quantity_text"]) <= numbers


# Back again ---------------------------------------------------------------------------------------------------
@given(rows=ROWS)
@GENTLE
def test_what_is_shipped_parses_back_to_what_was_kept(tmp_path: Path, rows: Rows) -> None:
    done = read(tmp_path, written(rows).encode())
    assert list(done.rows) == done.filtered.kept.select("facility_id", "upca", "quantity").rows()
    for content in done.csvs:
        comments = pl.read_csv(io.BytesIO(content), infer_schema=False)["comments"]
        assert set(comments) == {"Retail Pro snapshot 2026-03-10T11:00:00Z"}


@given(rows=ROWS)
@GENTLE
def test_what_was_kept_is_kept_again(tmp_path: Path, rows: Rows) -> None:
    """Normalization is idempotent: the kept rows, sent as a file of their own, are all kept as they are."""
    done = read(tmp_path, written(rows).encode())
    codes = {"NY": "101", "NASH": "102", "MEX": "MÉX1"}
    again = read(
        tmp_path, written([(codes[facility], upca, str(quantity)) for facility, upca, quantity in done.rows]).encode()
    )
    assert again.rows == done.rows
    assert again.filtered.rejected.is_empty()


UPC_TEXT = st.one_of(UPC, st.text(alphabet="0123456789.,eE+-'=\" \u00a0\u200b", max_size=24), st.text(max_size=12))
QUANTITY_TEXT = st.one_of(
    QUANTITY, st.text(alphabet="0123456789.,+-()eE \u00a0\u2009\u2212'=\"", max_size=12), st.text(max_size=8)
)


@given(UPC_TEXT)
@MANY
def test_the_key_of_a_keys_text_is_the_key(text: str) -> None:
    def key(one: str) -> int | None:
        return pl.select(key=gtin.key(pl.lit(pl.Series([one]))))["key"][0]

    found = key(text)
    if found is not None:
        assert gtin.SMALLEST <= found <= gtin.LARGEST
        assert [key(str(found)), key(str(found).zfill(14))] == [found, found]
        # No digit comes from nowhere, and none but zeros is lost.
        digits = "".join(character for character in text if character in "0123456789")
        assert str(found) in digits or "e" in text.lower()


@given(QUANTITY_TEXT, st.sampled_from([None, ".", ","]))
@MANY
def test_a_number_of_a_numbers_text_is_the_number_and_never_a_fraction(text: str, mark: Mark | None) -> None:
    def number(one: str) -> tuple[int | None, bool]:
        return pl.DataFrame({"q": [one]}).select(whole_number("q", mark), part=is_fraction("q", mark)).row(0)

    whole, fraction = number(text)
    if whole is not None:
        assert abs(whole) <= LARGEST_QUANTITY
        assert not fraction
        assert number(str(whole)) == (whole, False)
        assert any(character in "0123456789" for character in text)


@pytest.mark.parametrize("mark", [None, ".", ","])
def test_a_blank_is_never_a_number(mark: Mark | None) -> None:
    blanks = pl.DataFrame({"q": ["", " ", "\u00a0", '=""', "'", "-", ".", ",", "\u200b", '""']})
    assert blanks.select(whole_number("q", mark)).to_series().null_count() == blanks.height
