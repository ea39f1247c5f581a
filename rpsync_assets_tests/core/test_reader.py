"""The bytes of Retail Pro's file -> rows of text, and the proof that no line is lost on the way."""

import csv
import io
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.header import ColumnMap, Header, read_header
from rpsync_assets.core.lines import Block, count_lines, cut_block
from rpsync_assets.core.reader import read_block

HEADER = read_header(b"store_code,upc,alu,description,qty\n", ColumnMap())
Row = tuple[int, str, str, str]


def rows_of(block: bytes, header: Header = HEADER, first_line: int = 2) -> list[Row]:
    return read_block(Block.of(block), header, first_line).rows()


# The header -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "separator"),
    [
        (b"store_code,upc,qty\n", ","),
        (b"store_code;upc;qty\r\n", ";"),
        (b"store_code|upc|qty\n", "|"),
        (b"store_code\tupc\tqty", "\t"),
        (b"\xef\xbb\xbfstore_code,upc,qty\n", ","),
        (b'\xef\xbb\xbf"store_code";"upc";"qty"\r\n', ";"),
        (b" Store_Code , UPC , QTY \n", ","),
        (b"description;store_code;upc;qty,exact;qty\n", ";"),
    ],
)
def test_the_header_is_found_whatever_its_separator_case_bom_and_line_end(line: bytes, separator: str) -> None:
    header = read_header(line, ColumnMap())
    assert (header.separator, header.store_code, header.upc, header.quantity) == (separator, "store_code", "upc", "qty")


def test_the_columns_are_those_that_the_store_calls_so() -> None:
    header = read_header(b"Sbs No,STORE NO,Local UPC,On Hand\n", ColumnMap("store no", " local upc", "ON HAND"))
    block = b"1,SVC21,2050000163913,-3.0000\n"
    assert rows_of(block, header) == [(2, "SVC21", "2050000163913", "-3.0000")]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"store_code,upc,sold\n", "Column 'qty' stands 0 times in the header"),
        (b"store_code,upc,on_hand,qoh\n", "Columns onhand and qoh could both be 'qty'"),
        (b"store_code,upc,qty,QTY\n", "Column 'qty' stands 2 times in the header"),
        (b"upc,qty\n", "Column 'store_code' stands 0 times"),
        (b"SVC21,2050000163913,4\n", "the header is SVC21, 2050000163913, 4"),
        (b"\n", "the header is empty"),
        (b"", "the header is empty"),
        (b"store_code,\xe9,upc,qty\n", "not UTF-8 text (byte 11)"),
        ("store_code,upc,qty\n".encode("utf-16"), "not UTF-8 text (byte 0)"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_by_name(line: bytes, named: str) -> None:
    with pytest.raises(BadFileError) as refused:
        read_header(line, ColumnMap())
    assert named in str(refused.value)


# Whole lines ----------------------------------------------------------------------------------------------------------
def test_values_stay_text_exactly_as_sent() -> None:
    """Inference drops a UPC's leading zero and turns 3.0000 into a float."""
    assert rows_of(b"007,012345678905,,Shoe,3.0000\n 7 ,NULL,, ,\n") == [
        (2, "007", "012345678905", "3.0000"),
        (3, " 7 ", "NULL", ""),
    ]


def test_crlf_line_ends_leave_no_trace_in_the_last_value() -> None:
    assert rows_of(b"S1,1111111,,a,5\r\nS1,2222222,,b,6\r\n") == [(2, "S1", "1111111", "5"), (3, "S1", "2222222", "6")]


def test_separators_quotes_and_line_ends_inside_quotes_belong_to_the_value() -> None:
    block = b'S1,1111111,,"a, ""b""\nand c",5\n"S1","2222222","","",6\nS1,3333333,,"x\r\n\r\ny",7\n'
    assert rows_of(block) == [
        (2, "S1", "1111111", "5"),
        (3, "S1", "2222222", "6"),
        (4, "S1", "3333333", "7"),
    ]


def test_a_space_before_a_quoted_value_is_let_pass() -> None:
    assert rows_of(b'S1,1111111,, "a" ,5\nS1,2222222,,b,6\n') == [(2, "S1", "1111111", "5"), (3, "S1", "2222222", "6")]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        ([b"", b"S1,1111111,,a,5"], [2, 3]),
        ([b"S1,1111111,,a,5", b""], [2, 3]),
        ([b"S1,1111111,,a,5", b"", b"", b"S1,2222222,,a,5"], [2, 3, 4, 5]),
        ([b"", b"", b"S1,1111111,,a,5", b""], [2, 3, 4, 5]),
        ([b""], [2]),
        ([b"   ", b"S1,1111111,,a,5"], [2, 3]),
    ],
)
def test_blank_lines_are_rows_without_values_so_that_every_line_is_counted(
    lines: list[bytes], numbers: list[int], line_end: bytes
) -> None:
    block = b"".join(line + line_end for line in lines)
    rows = rows_of(block)
    assert [row[0] for row in rows] == numbers
    assert [row[2] for row in rows] == [line.split(b",")[1].decode() if b"," in line else "" for line in lines]
    assert count_lines(block) == (len(lines), False)


# Torn lines -----------------------------------------------------------------------------------------------------------
GOOD = b"S1,1111111,,a,5\n"


@pytest.mark.parametrize(
    ("block", "named"),
    [
        (b"S1,11111\n" + GOOD * 2, "Line 2 has 2 fields where the header has 5: 'S1 | 11111'"),
        (GOOD + b"S1,11111\n" + GOOD, "Line 3 has 2 fields"),
        (GOOD * 2 + b"S1,11111\n", "Line 4 has 2 fields"),
        (GOOD * 2 + b"S1\n", "Line 4 has 1 fields where the header has 5: 'S1'"),
        (b"S1,1111111,,a,5,6\n" + GOOD, "Line 2 has 6 fields"),
        (GOOD + b"S1,1111111,,a,5,\n" + GOOD, "Line 3 has 6 fields"),
        (GOOD * 2 + b"S1,1111111,,a,5,6\n", "Line 4 has 6 fields"),
        (b'S1,1111111,,"a\nb\nc",5\nS1,11\n' + GOOD, "Line 3 has 2 fields"),
        (b"\n\n" + GOOD + b"S1,11\n", "Line 5 has 2 fields"),
        # A short line and a long one in one block: together they have as many separators as two good ones.
        (GOOD + b"S1,1111111,,a\nS1,1111111,,a,5,6\n", "Line 3 has 4 fields"),
        (GOOD + b"S1,1111111,,a\r\n", "Line 3 has 4 fields"),
        (GOOD + b"S1,2222222," + b"x" * 80 + b"\n", f"'S1 | 2222222 | {'x' * 45}...'"),
    ],
)
def test_a_line_cut_or_run_together_is_named_with_its_number(block: bytes, named: str) -> None:
    """The parser fills a short line up with empty fields without a word: the cut file of domain.md 7, case 1."""
    with pytest.raises(BadFileError) as refused:
        rows_of(block)
    assert named in str(refused.value)
    assert "Ask Retail Pro to export and send the file again" in refused.value.mend


def test_the_first_line_of_a_block_has_the_number_that_it_has_in_the_file() -> None:
    assert rows_of(GOOD, first_line=1_000_001) == [(1_000_001, "S1", "1111111", "5")]
    with pytest.raises(BadFileError, match="Line 1000002 has 1 fields"):
        rows_of(GOOD + b"S1\n", first_line=1_000_001)


@pytest.mark.parametrize(
    "block",
    [GOOD + b'S1,2222222,,"open,6\nS1,3333333,,b,7\n', GOOD + b'S1,"2222222,,a,6\n', b'"S1,2222222,,a,6\n'],
)
def test_a_quote_that_is_never_closed_is_refused(block: bytes) -> None:
    with pytest.raises(BadFileError):
        rows_of(block)


@pytest.mark.parametrize(
    ("block", "line"),
    [
        (b'S1,1111111,,27" TV,5\nS1,2222222,,30" TV,6\n', 2),
        (b'S1,1111111,,TV 27",5\nS1,2222222,,TV 30",6\n', 2),
        (GOOD + b'S1,1111111,,"TV" 27,5\n', 3),
        (GOOD * 2 + b'S1,1111111,,27" TV,5\n', 4),
        (b'S1,1111111,,"a\nb",5\nS1,1111111,,27" TV,5\nS1,2222222,,30" TV,6\n', 3),
        (b'S1,1111111,,"open,5\nS1,2222222,,"b",6\n', 2),
    ],
)
def test_an_inch_mark_inside_a_field_is_refused_because_it_would_swallow_lines(block: bytes, line: int) -> None:
    """Two inch marks on two lines made one line of them: in a file whose description comes last, nothing noticed."""
    with pytest.raises(BadFileError, match=f"Line {line} has a quote inside a field"):
        rows_of(block)


def test_inch_marks_in_the_last_column_do_not_hide_the_second_product() -> None:
    """This one was silent: as many separators, as many counted lines, and product 2222222 was gone."""
    header = read_header(b"store_code,upc,qty,description\n", ColumnMap())
    with pytest.raises(BadFileError, match="Line 2 has a quote inside a field"):
        rows_of(b'S1,1111111,5,27" TV\nS1,2222222,6,30" TV\n', header)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(BadFileError, match="cannot be read as CSV"):
        rows_of(GOOD + b"S1,1111111,,caf\xe9,5\n")


# Held against Python's csv module -------------------------------------------------------------------------------------
FIELD = st.text(alphabet='ab1 ,;|"\n\r', max_size=6)
TABLE = st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=8)


def written(table: list[list[str]], line_end: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(table)
    return text.getvalue().encode()


def barely_written(table: list[list[str]], line_end: str) -> bytes:
    """Only what must be quoted is quoted; a bare carriage return is a matter of taste and left out."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows([[f.replace("\r", "") for f in row] for row in table])
    return text.getvalue().encode()


def record_ends(content: bytes) -> list[int]:
    """Where each record of a valid CSV ends, by a walk over its characters."""
    ends, inside = [], False
    for place, character in enumerate(content):
        if character == ord('"'):
            inside = not inside
        elif character == ord("\n") and not inside:
            ends.append(place + 1)
    return ends


@given(table=TABLE, line_end=st.sampled_from(["\n", "\r\n"]), cut=st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_the_last_whole_line_of_any_piece_is_found(table: list[list[str]], line_end: str, cut: int) -> None:
    content = written(table, line_end)
    ends = record_ends(content)
    assert len(ends) == len(table)
    block = cut_block(content[:cut])
    assert len(block.data) == max([end for end in ends if end <= cut], default=0)
    assert block == Block.of(block.data)


@given(table=TABLE, line_end=st.sampled_from(["\n", "\r\n"]), cuts=st.lists(st.integers(0, 200), max_size=4))
@settings(max_examples=60, deadline=None)
def test_lines_are_counted_right_however_the_bytes_arrive(
    table: list[list[str]], line_end: str, cuts: list[int]
) -> None:
    content = barely_written(table, line_end)
    places = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    lines, inside = 0, False
    for start, end in pairwise(places):
        ended, inside = count_lines(content[start:end], inside_quotes=inside)
        lines += ended
    assert (lines, inside) == (len(list(csv.reader(io.StringIO(content.decode(), newline="")))), False)


@given(table=TABLE, line_end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=60, deadline=None)
def test_every_row_of_a_valid_csv_is_read_as_pythons_csv_module_reads_it(table: list[list[str]], line_end: str) -> None:
    header = read_header(b"store_code,upc,qty\n", ColumnMap())
    content = written(table, line_end)
    read = read_block(Block.of(content), header, 2)
    assert read.drop("line_number").rows() == [
        tuple(row) for row in csv.reader(io.StringIO(content.decode(), newline=""))
    ]
    assert read["line_number"].to_list() == list(range(2, 2 + len(table)))
    assert read.schema["line_number"] == pl.UInt32
