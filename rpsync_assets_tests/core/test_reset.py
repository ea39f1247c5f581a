"""What becomes of each row: kept, inactive, or rejected with a reason; and that nothing is lost on the way."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsync_assets.core import reset, stream
from rpsync_assets.core.active import SCHEMA as ACTIVE_SCHEMA
from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.header import ColumnMap, read_header
from rpsync_assets.core.lines import count_lines
from rpsync_assets.core.reset import (
    KEPT_SCHEMA,
    REASONS,
    REJECTED_SCHEMA,
    FilteredReset,
    judge,
    known_facilities,
    plainly_inactive,
)
from rpsync_assets.core.stream import filter_blocks
from rpsync_assets.resources.landing import blocks

T0 = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)
SHOE, BOOT, SANDAL = "2050000163913", "012345678905", "8720116122558"
ACTIVE = pl.DataFrame(
    [
        ("P-SHOE", "SHOE", SHOE, 2050000163913, True, ["I1"]),
        ("P-BOOT", "BOOT", BOOT, 12345678905, True, ["I2"]),
    ],
    schema=ACTIVE_SCHEMA,
    orient="row",
)
FACILITIES = pl.DataFrame(
    [("SVC21", "FAC_21"), ("SVA32", "FAC_32"), ("FAC_21", "FAC_21"), ("FAC_32", "FAC_32"), ("7", "FAC_7")],
    schema=["store_code", "facility_id"],
    orient="row",
)
HEADER_LINE = b"store_code,upc,description,qty\n"


def judged(*rows: tuple[str, str, str]) -> FilteredReset:
    """The rows of a file, from line 2 on, past the fast path."""
    frame = pl.DataFrame(
        [(number, *row) for number, row in enumerate(rows, 2)],
        schema={"line_number": pl.UInt32, "store_code": pl.String, "upc": pl.String, "quantity": pl.String},
        orient="row",
    )
    return judge(frame, plainly_inactive_rows=0, active=ACTIVE, facilities=FACILITIES, snapshot_at=T0)


def fates(outcome: FilteredReset) -> list[tuple[int, str]]:
    return [*outcome.rejected.select("line_number", "reason").rows()]


# One row --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("SVC21", "", "4"), "blank_upc"),
        (("SVC21", "  ", "4"), "blank_upc"),
        (("SVC21", "2.05E+12", "4"), "exponent_upc"),
        (("SVC21", f"+{SHOE}", "4"), "invalid_upc"),
        (("SVC21", "NULL", "4"), "invalid_upc"),
        (("SV999", SHOE, "4"), "unknown_facility"),
        (("", SHOE, "4"), "unknown_facility"),
        (("SVC21", SHOE, ""), "blank_quantity"),
        (("SVC21", SHOE, "   "), "blank_quantity"),
        (("SVC21", SHOE, "0.5"), "fractional_quantity"),
        (("SVC21", SHOE, "-.25"), "fractional_quantity"),
        (("SVC21", SHOE, "3.0001"), "fractional_quantity"),
        (("SVC21", SHOE, "NULL"), "invalid_quantity"),
        (("SVC21", SHOE, "1,234"), "ambiguous_quantity"),
        (("SVC21", SHOE, "3.000"), "ambiguous_quantity"),
        (("SVC21", SHOE, "1.234,5"), "fractional_quantity"),
        (("SVC21", SHOE, "1e3"), "invalid_quantity"),
        (("SVC21", SHOE, "--3"), "invalid_quantity"),
        (("SVC21", SHOE, "."), "invalid_quantity"),
        (("SVC21", SHOE, "３"), "invalid_quantity"),  # noqa: RUF001  full-width
        (("SVC21", SHOE, "1000000"), "invalid_quantity"),
        (("SVC21", SHOE, "-1000000"), "invalid_quantity"),
        (("SVC21", SHOE, SHOE), "invalid_quantity"),
        (("SVC21", SHOE, "9" * 30), "invalid_quantity"),
    ],
)
def test_a_row_that_cannot_be_applied_is_rejected_with_the_reason(row: tuple[str, str, str], reason: str) -> None:
    outcome = judged(row)
    assert outcome.rejected.rows() == [(2, row[0], row[1], row[2], reason)]
    assert outcome.accounting.rejected == {reason: 1}
    assert outcome.kept.height == 0
    assert reason in REASONS


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("0", 0),
        ("4", 4),
        (" 4 ", 4),
        ("-3.0000", -3),
        ("3.", 3),
        ("+2", 2),
        ("0007", 7),
        ("-0", 0),
        ("999999", 999999),
        ("-999999.00", -999999),
    ],
)
def test_a_whole_number_is_kept_exactly_zero_and_negative_counts_included(text: str, quantity: int) -> None:
    """Retail Pro writes Float(10,4), and a negative count is normal there (Send-Sale, multi-store invoices)."""
    assert judged(("SVC21", SHOE, text)).kept["quantity"].to_list() == [quantity]


@pytest.mark.parametrize(
    ("row", "fate"),
    [
        (("SV999", "", ""), "blank_upc"),
        (("SV999", "ABC", ""), "invalid_upc"),
        (("SV999", SANDAL, "x"), "inactive"),
        (("SV999", SHOE, ""), "unknown_facility"),
    ],
)
def test_the_product_is_judged_first_then_the_store_then_the_quantity(row: tuple[str, str, str], fate: str) -> None:
    outcome = judged(row)
    assert outcome.accounting.inactive == (fate == "inactive")
    assert outcome.accounting.rejected == ({} if fate == "inactive" else {fate: 1})


@pytest.mark.parametrize(
    ("store_code", "facility_id"),
    [("SVC21", "FAC_21"), ("svc21", "FAC_21"), (" SVC21 ", "FAC_21"), ("fac_32", "FAC_32"), ("7", "FAC_7")],
)
def test_a_store_code_is_found_whatever_its_case_and_spaces(store_code: str, facility_id: str) -> None:
    assert judged((store_code, SHOE, "4")).kept["facility_id"].to_list() == [facility_id]


def test_a_store_code_with_other_zeros_is_another_code() -> None:
    """007 may be another store than 7: not guessed."""
    assert fates(judged(("007", SHOE, "4"))) == [(2, "unknown_facility")]


def test_a_kept_row_carries_the_omss_own_upca_and_what_the_line_said() -> None:
    outcome = judged(("svc21 ", " 12345678905", "4.0"))
    assert outcome.kept.rows() == [("FAC_21", BOOT, "P-BOOT", 4, T0, 2, "svc21 ", " 12345678905")]
    assert outcome.kept.schema == KEPT_SCHEMA
    assert outcome.rejected.schema == REJECTED_SCHEMA


# Duplicates -----------------------------------------------------------------------------------------------------------
def test_the_first_of_equal_rows_counts() -> None:
    outcome = judged(("SVC21", SHOE, "4"), ("SVA32", SHOE, "4"), ("SVC21", SHOE, "4.00"), ("SVC21", SHOE, "4"))
    assert outcome.kept.select("facility_id", "line_number").rows() == [("FAC_21", 2), ("FAC_32", 3)]
    assert fates(outcome) == [(4, "duplicate"), (5, "duplicate")]


def test_rows_that_contradict_each_other_are_none_of_them_believed() -> None:
    outcome = judged(("SVC21", SHOE, "4"), ("SVC21", SHOE, "5"), ("SVC21", SHOE, "4"), ("SVC21", BOOT, "9"))
    assert outcome.kept.select("upca", "quantity").rows() == [(BOOT, 9)]
    assert fates(outcome) == [(line, "conflicting_duplicate") for line in (2, 3, 4)]


@pytest.mark.parametrize(("second", "reason"), [("4", "duplicate"), ("5", "conflicting_duplicate")])
def test_a_zero_padded_twin_is_the_same_product(second: str, reason: str) -> None:
    outcome = judged(("SVC21", "12345678905", "4"), ("SVC21", "0012345678905", second))
    assert outcome.accounting.rejected[reason] == (1 if reason == "duplicate" else 2)


@pytest.mark.parametrize(("second", "reason"), [("4", "duplicate"), ("5", "conflicting_duplicate")])
def test_one_facility_under_two_store_codes_is_the_same_facility(second: str, reason: str) -> None:
    outcome = judged(("SVC21", SHOE, "4"), ("FAC_21", SHOE, second))
    assert outcome.accounting.rejected[reason] == (1 if reason == "duplicate" else 2)


def test_a_rejected_row_does_not_contradict_a_good_one() -> None:
    outcome = judged(("SVC21", SHOE, "x"), ("SVC21", SHOE, "4"))
    assert outcome.kept["quantity"].to_list() == [4]
    assert fates(outcome) == [(2, "invalid_quantity")]


def test_no_rows_give_empty_tables_of_the_right_shape() -> None:
    outcome = judged()
    assert (outcome.kept.schema, outcome.rejected.schema) == (KEPT_SCHEMA, REJECTED_SCHEMA)
    assert outcome.accounting.accounted == outcome.accounting.read == 0


# The fast path --------------------------------------------------------------------------------------------------------
def test_the_fast_path_only_drops_what_is_plainly_a_product_not_sold_online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reset, "FEW_UNCLEAR", 1)
    texts = [SANDAL, "0" + SANDAL, SHOE, "012345678905", "12345678905", "", " " + SANDAL, "NULL", "+" + SANDAL, "123"]
    rows = pl.DataFrame({"upc": texts})
    inactive = [True, True, False, False, False, False, True, False, False, False]
    assert plainly_inactive(rows, ACTIVE["gtin"]).to_list() == inactive


@pytest.mark.parametrize("few", [0, 2, 100])
def test_a_row_has_the_same_fate_whether_its_block_was_looked_at_closely_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    for room in (reset, stream):
        monkeypatch.setattr(room, "FEW_UNCLEAR", few)
    upcs = (f" {SANDAL}", f'"=""{SANDAL}"""', f"{SHOE}.0", "red shoe", "", SANDAL, f" {SHOE} ")
    outcome = filtered("".join(f"SVC21,{upc},d,4\n" for upc in upcs).encode(), tmp_path)
    assert outcome.kept["line_number"].to_list() == [4]
    assert fates(outcome) == [(5, "invalid_upc"), (6, "blank_upc"), (8, "duplicate")]
    assert outcome.accounting.inactive == 3


def test_nothing_active_means_that_every_readable_row_is_inactive() -> None:
    assert plainly_inactive(pl.DataFrame({"upc": [SHOE, ""]}), ACTIVE["gtin"].clear()).to_list() == [True, False]


# Facilities -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("listed", "codes", "shared"),
    [
        ([("F1", "SVC21")], {"F1": "F1", "SVC21": "F1"}, []),
        ([("F1", " SVC21 ")], {"F1": "F1", "SVC21": "F1"}, []),
        ([("F1", None)], {"F1": "F1"}, []),
        # A blank external id is no code: rows without a store code must not become F1's counts.
        ([("F1", "")], {"F1": "F1"}, []),
        ([("F1", "  "), ("F2", "")], {"F1": "F1", "F2": "F2"}, []),
        ([("F1", "F1")], {"F1": "F1"}, []),
        ([("F1", "1"), ("F2", "1")], {"F1": "F1", "F2": "F2"}, ["1"]),
        ([("F1", "A"), ("F2", "a")], {"F1": "F1", "F2": "F2"}, ["A", "a"]),
        # F2 is F1's code in Retail Pro and another facility's own id: nobody can tell.
        ([("F1", "F2"), ("F2", "SVC21")], {"F1": "F1", "SVC21": "F2"}, ["F2"]),
        ([("F1", "A"), ("F1", "A")], {"F1": "F1", "A": "F1"}, []),
    ],
)
def test_a_store_code_means_one_facility_or_none(
    listed: list[tuple[str, str | None]], codes: dict[str, str], shared: list[str]
) -> None:
    frame = pl.DataFrame(listed, schema={"facility_id": pl.String, "external_id": pl.String}, orient="row")
    known, ambiguous = known_facilities(frame)
    assert dict(known.iter_rows()) == codes
    assert ambiguous == shared


# A whole file ---------------------------------------------------------------------------------------------------------
def filtered(
    content: bytes, folder: Path, size: int = 64, on_rows: "stream.Callable[[int], None]" = lambda _rows: None
) -> FilteredReset:
    path = folder / "reset.csv"
    path.write_bytes(HEADER_LINE + content)
    return filter_blocks(
        blocks(path, start=len(HEADER_LINE), size=size),
        header=read_header(HEADER_LINE, ColumnMap()),
        active=ACTIVE,
        facilities=FACILITIES,
        snapshot_at=T0,
        on_rows=on_rows,
    )


def as_csv(rows: Iterable[tuple[str, str, str, str]]) -> bytes:
    quoted = (",".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows)
    return "".join(line + "\n" for line in quoted).encode()


PRODUCTS = {"2050000163913": "P-SHOE", "12345678905": "P-BOOT"}
STORES = {"SVC21": "FAC_21", "SVA32": "FAC_32", "FAC_21": "FAC_21", "FAC_32": "FAC_32", "7": "FAC_7"}


def own_fate(store: str, upc: str, quantity: str, *, points: bool) -> str | tuple[str, str, int]:
    """A row's fate by its own values: a reason, or its key and count; ``points``: other rows show decimal points."""
    digits = upc.strip().removesuffix(".0").lstrip("0") if set(upc.strip()) <= set("0123456789.") else "no"
    count = quantity.strip()
    grouped = count == "1,234"
    count = "1234" if grouped and points else count
    whole, _, part = count.lstrip("-").partition(".")
    checks = [
        ("blank_upc", not upc.strip()),
        ("exponent_upc", "E+" in upc),
        ("invalid_upc", not (digits.isdigit() and 7 <= len(digits) <= 14)),
        ("inactive", digits not in PRODUCTS),
        ("unknown_facility", store.strip().upper() not in STORES),
        ("blank_quantity", not count),
        ("ambiguous_quantity", grouped and not points),
        ("fractional_quantity", bool(part.strip("0")) and (whole + part).isdigit()),
        ("invalid_quantity", not whole.isdigit() or int(whole) > 999_999),
    ]
    for reason, broken in checks:
        if broken:
            return reason
    units = -int(whole) if count.startswith("-") else int(whole)
    return STORES[store.strip().upper()], PRODUCTS[digits], units


def oracle(rows: list[tuple[str, str, str, str]]) -> tuple[dict[tuple[str, str], int], list[tuple[int, str]], int]:
    """The rules of the design in a plain loop: kept counts by key, rejected lines, and how many are inactive."""
    good: list[tuple[int, tuple[str, str], int]] = []
    rejected: list[tuple[int, str]] = []
    inactive = 0
    texts = [quantity for _, upc, _, quantity in rows if isinstance(own_fate("7", upc, "4", points=True), tuple)]
    points = any("." in text for text in texts)
    for line, (store, upc, _description, quantity) in enumerate(rows, 2):
        fate = own_fate(store, upc, quantity, points=points)
        if isinstance(fate, tuple):
            good.append((line, fate[:2], fate[2]))
        elif fate == "inactive":
            inactive += 1
        else:
            rejected.append((line, fate))
    kept: dict[tuple[str, str], int] = {}
    for line, key, units in good:
        if len({other for _, twin, other in good if twin == key}) > 1:
            rejected.append((line, "conflicting_duplicate"))
        elif key in kept:
            rejected.append((line, "duplicate"))
        else:
            kept[key] = units
    return kept, sorted(rejected), inactive


STORE = st.sampled_from(["SVC21", "svc21 ", "SVA32", "FAC_21", "7", "007", "", "SV999"])
UPC = st.sampled_from(
    [
        *(SHOE, SHOE, "0" + SHOE, BOOT, "12345678905", " " + BOOT, SANDAL, "0" + SANDAL, " 69684750301"),
        *("", " ", "2.05E+12", SHOE + ".0", "+" + SHOE, "+" + SANDAL, "-" + SANDAL, "123456", "9" * 15, "ABC"),
    ]
)
DESCRIPTION = st.sampled_from(["", "shoe", "a, b", 'size "9"', "two\nlines", "crlf\r\n", "\n\n"])
QUANTITY = st.sampled_from(["0", "4", "4", "4.0000", "-3.0000", "5", "", " ", "0.5", ".5", "x", "1000000", "1,234"])
ROWS = st.lists(st.tuples(STORE, UPC, DESCRIPTION, QUANTITY), max_size=40)


@given(rows=ROWS, size=st.sampled_from([60, 97, 150, 400, 100_000]))
@settings(max_examples=60, deadline=None)
def test_every_row_has_exactly_one_fate_and_it_is_the_right_one(
    rows: list[tuple[str, str, str, str]], size: int
) -> None:
    """Raw = kept + inactive + rejected, to the row, over several blocks and threads, against a plain loop."""
    content = as_csv(rows)
    with TemporaryDirectory() as folder:
        outcome = filtered(content, Path(folder), size)
    kept, rejected, inactive = oracle(rows)
    found = {(facility, product): units for facility, _, product, units, *_ in outcome.kept.rows()}
    assert found == kept
    assert outcome.kept.height == len(kept)
    assert fates(outcome) == rejected
    assert outcome.accounting.inactive == inactive
    assert outcome.accounting.rejected == dict(Counter(reason for _, reason in rejected))
    assert outcome.accounting.read == outcome.accounting.accounted == len(rows)
    assert count_lines(content) == (len(rows), False)
    for line, *texts, _reason in outcome.rejected.rows():
        store, upc, _description, quantity = rows[line - 2]
        assert texts == [store, upc, quantity]


@given(rows=ROWS)
@settings(max_examples=15, deadline=None)
def test_the_size_of_a_block_never_changes_the_outcome(rows: list[tuple[str, str, str, str]]) -> None:
    content = as_csv(rows)
    with TemporaryDirectory() as folder:
        whole, *others = [filtered(content, Path(folder), size) for size in (10**6, 59, 83, 211)]
    for other in others:
        assert other.kept.equals(whole.kept)
        assert other.rejected.equals(whole.rejected)
        assert other.accounting == whole.accounting


def test_line_numbers_are_the_files_whatever_block_a_line_is_in(tmp_path: Path) -> None:
    lines = [f"SVC21,{8000000 + number},d,1\n" for number in range(300)]
    lines[0] = f"SVC21,{SHOE},d,4\n"
    lines[199] = "SVC21,,blank,1\n"
    lines[250] = f"SV999,{SHOE},d,4\n"
    lines[299] = f"SVA32,{SHOE},d,4\n"
    outcome = filtered("".join(lines).encode(), tmp_path, size=64)
    assert outcome.kept["line_number"].to_list() == [2, 301]
    assert fates(outcome) == [(201, "blank_upc"), (252, "unknown_facility")]
    assert outcome.accounting.inactive == 296


@pytest.mark.parametrize("torn_at", [0, 1, 137, 298, 299])
def test_a_torn_line_is_named_by_its_number_in_the_file(tmp_path: Path, torn_at: int) -> None:
    lines = [f"SVC21,{8000000 + number},d,1\n" for number in range(300)]
    lines[torn_at] = "SVC21,8000\n"
    with pytest.raises(BadFileError, match=rf"Line {torn_at + 2} has 2 fields where the header has 4"):
        filtered("".join(lines).encode(), tmp_path)


def test_a_file_without_a_final_line_end_is_read_to_its_last_line(tmp_path: Path) -> None:
    outcome = filtered(f"SVC21,{SHOE},d,4\nSVA32,{SHOE},d,10".encode(), tmp_path)
    assert outcome.kept.select("facility_id", "quantity").rows() == [("FAC_21", 4), ("FAC_32", 10)]


def test_a_header_alone_gives_nothing(tmp_path: Path) -> None:
    outcome = filtered(b"", tmp_path)
    assert (outcome.accounting.read, outcome.kept.height, outcome.rejected.height) == (0, 0, 0)


def test_progress_is_told_to_the_last_row(tmp_path: Path) -> None:
    told: list[int] = []
    filtered(f"SVC21,{SHOE},d,4\n".encode() * 50, tmp_path, on_rows=told.append)
    assert told == sorted(told)
    assert told[-1] == 50


# The wrong column -----------------------------------------------------------------------------------------------------
def test_a_file_whose_upcs_cannot_be_read_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The column map points at the description: millions of rejected rows would fill the memory for nothing."""
    monkeypatch.setattr(stream, "MOST_UNREADABLE_ROWS", 20)
    told: list[int] = []
    with pytest.raises(BadFileError, match=r"of the first \d+ rows have no readable UPC in column 'upc'"):
        filtered(b"SVC21,red shoe,d,4\n" * 2000, tmp_path, on_rows=told.append)
    assert max(told) <= 20


def test_many_unreadable_upcs_among_more_readable_ones_do_not_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_UNREADABLE_ROWS", 20)
    outcome = filtered((b"SVC21,red shoe,d,4\n" + b"SVC21,8720116122558,d,4\n" * 2) * 100, tmp_path)
    assert outcome.accounting.rejected == {"invalid_upc": 100}
    assert outcome.accounting.inactive == 200
