"""When a text is a UPC, and when two of them mean the same product."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsync_assets.core import gtin


def key_of(text: str | None) -> int | None:
    return pl.DataFrame({"text": [text]}, schema={"text": pl.String}).select(key=gtin.key(pl.col("text")))["key"][0]


def check_digit_holds(number: int) -> bool:
    return pl.DataFrame({"n": [number]}).select(ok=gtin.has_valid_check_digit(pl.col("n")))["ok"][0]


def check_digit_by_hand(number: int) -> bool:
    """GS1: from the right, the check digit weighs 1, the next 3, then 1 again; the sum ends in 0."""
    total = 0
    weight = 1
    for digit in reversed(str(number)):
        total += int(digit) * weight
        weight = 4 - weight
    return total % 10 == 0


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("012345678905", 12345678905),  # UPC-A
        ("0012345678905", 12345678905),  # the same, as EAN-13
        ("00012345678905", 12345678905),  # the same, as GTIN-14
        ("12345678905", 12345678905),  # what a spreadsheet leaves of it
        ("0000000000012345678905", 12345678905),  # padded by an export to 22 places
        ("  012345678905 ", 12345678905),
        ("\t012345678905", 12345678905),
        ("\u00a0012345678905", 12345678905),
        ("2050000163913", 2050000163913),
        ("2050000163913.0", 2050000163913),
        ("2050000163913.0000", 2050000163913),
        ("0 12345 67890 5", 12345678905),  # as printed below the bars; the check digit holds
        ("205-0000163913", 2050000163913),
        ("'012345678905", 12345678905),  # a spreadsheet's text mark
        ('="012345678905"', 12345678905),
        ("2.050000163913E+12", 2050000163913),  # an exponent that has kept every digit
        ("96385074", 96385074),  # GTIN-8
        ("1000000", 1000000),  # the smallest: a GTIN-8 that lost its zero
        ("99999999999999", 99999999999999),  # the largest GTIN-14
    ],
)
def test_every_spelling_of_a_number_has_one_key(text: str, key: int) -> None:
    assert key_of(text) == key


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        "ABC12345678",
        "2.05E+12",
        "2050000163913.",
        "+2050000163913",
        " +2050000163913",
        "-2050000163913",
        "999999",
        "0000000999999",
        "100000000000000",
        "99999999999999999999999",
        "２０５０００",  # noqa: RUF001  full-width digits, as an East Asian keyboard writes them
        "２０５００００１６３９１３",  # noqa: RUF001
        "205 0000163914",  # in groups, and the check digit does not hold
        "2.05000016391E+12",
        "2.050000163913E+11",
        "2050000163913;",
        "2,050,000,163,913",
        "2_050_000_163_913",
        "0x1DD4D5A2A39",
        "NULL",
        "0",
    ],
)
def test_what_is_not_a_upc_has_no_key(text: str | None) -> None:
    assert key_of(text) is None


@pytest.mark.parametrize("number", [2050000163913, 8720116122558, 8720116127799, 12345678905, 96385074])
def test_a_real_ean_passes_its_check_digit(number: int) -> None:
    """The three EAN-13s stand in the seeds' samples under the type UPCA."""
    assert check_digit_holds(number)
    assert check_digit_by_hand(number)


@pytest.mark.parametrize("text", ["30065245099", "69684750301", "030065245099", "069684750301", "0030065245099"])
def test_the_eleven_digit_upcas_of_the_documents_fail_even_when_padded_but_are_keys(text: str) -> None:
    """They are matched all the same: a failing check digit is a warning, never a reason to drop a row."""
    number = key_of(text)
    assert number == int(text)
    assert not check_digit_holds(number)


@given(number=st.integers(10**6, 10**14 - 1), zeros=st.integers(0, 12), spaces=st.sampled_from(["", " ", "  "]))
@settings(max_examples=60, deadline=None)
def test_leading_zeros_and_spaces_never_change_the_key(number: int, zeros: int, spaces: str) -> None:
    padded = f"{spaces}{'0' * zeros}{number}{spaces}"
    assert key_of(padded) == number
    assert key_of(str(key_of(padded))) == number


@given(st.text(alphabet="0123456789+-.eE _,٣３", max_size=18))
@settings(max_examples=60, deadline=None)
def test_only_digits_of_the_right_length_are_a_key_plain_or_surely_repaired(text: str) -> None:
    number = number_by_hand(text.strip())
    wanted = number if number is not None and 7 <= len(str(number)) <= 14 else None
    assert key_of(text) == wanted


def number_by_hand(bare: str) -> int | None:
    """Plain digits; digits and nothing behind the mark; an exponent with all its digits; groups that check."""
    if re.fullmatch("[0-9]+", bare):
        return int(bare)
    if whole := re.fullmatch("([0-9]{4,22})[.,]0+", bare):
        return int(whole[1])
    if exponent := re.fullmatch(r"([0-9])[.,]([0-9]+)[eE]\+?([0-9]{1,2})", bare):
        return int(exponent[1] + exponent[2]) if len(exponent[2]) == int(exponent[3]) else None
    if re.fullmatch("[0-9]+([ -]+[0-9]+)+", bare):
        number = int(re.sub("[ -]", "", bare))
        return number if check_digit_by_hand(number) else None
    return None


@given(st.integers(10**6, 10**14 - 1))
@settings(max_examples=60, deadline=None)
def test_the_check_digit_agrees_with_the_rule_written_out(number: int) -> None:
    assert check_digit_holds(number) == check_digit_by_hand(number)


@given(st.text(alphabet="0123456789+-.eE _,٣３", max_size=30) | st.from_regex(r"0{0,10}[0-9]{0,20}", fullmatch=True))
def test_one_text_has_the_key_that_it_has_among_many(text: str) -> None:
    assert gtin.number(text) == pl.DataFrame({"upc": [text]}).select(gtin.key(pl.col("upc"))).item()
