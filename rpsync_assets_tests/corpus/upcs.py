"""UPCs as spreadsheets, databases and people leave them, and store codes."""

from rpsync_assets_tests.corpus.case import (
    EIGHT,
    ELEVEN,
    HEADER,
    TWINS,
    TWO_NUMBERS,
    A,
    B,
    Case,
    Shipped,
    one,
)

SAME = {
    A: "as it is",
    A[1:]: "its zero lost",
    "0" + A: "as EAN-13",
    "00" + A: "as GTIN-14",
    "0" * 10 + A: "padded to 22 places",
    f" {A} ": "spaces around",
    f"\t{A}": "a tab before",
    f"\u00a0{A}\u00a0": "spaces that do not break",
    f"\u200b{A}\ufeff": "invisible characters around",
    f"{A}.0": "a decimal",
    f"{A[1:]}.00": "decimals, its zero lost",
    f"{A},00": "decimals behind a comma",
    f"'{A}": "a spreadsheet's text mark",
    f'="{A}"': "a formula that is a text",
    f"={A[1:]}": "a formula that is a number",
    f'"{A}"': "quotes inside quotes",
    "0 12345 67890 5": "as below the bars",
    "0-12345-67890-5": "with hyphens",
    "0\u00a012345\u00a067890\u00a05": "groups with spaces that do not break",
    "012345\u200b678905": "an invisible character inside",
    "1.2345678905E+10": "an exponent with every digit",
    "1,2345678905E+10": "an exponent with every digit, and a comma",
}
NOT = {
    "2.05E+12": "exponent_upc",
    "1.23457E+10": "exponent_upc",
    "2,05E+12": "exponent_upc",
    "1E+12": "exponent_upc",
    "": "blank_upc",
    "  ": "blank_upc",
    '=""': "blank_upc",
    "NULL": "invalid_upc",
    "N/A": "invalid_upc",
    "SHOE-41": "invalid_upc",
    "0 12345 67890 6": "invalid_upc",
    "012345678905;": "invalid_upc",
    "O12345678905": "invalid_upc",
    "٠١٢٣٤٥٦٧٨٩٠٥": "invalid_upc",
    A.translate({digit: digit - 48 + 0xFF10 for digit in range(48, 58)}): "invalid_upc",  # full-width digits
    "-12345678905": "invalid_upc",
    "+12345678905": "invalid_upc",
    "12345678905.5": "invalid_upc",
    "12,345,678,905": "invalid_upc",
    "0": "invalid_upc",
    "000000000000": "invalid_upc",
    "123456": "invalid_upc",
    "123456789012345": "invalid_upc",
    "9" * 30: "invalid_upc",
    "0x2DFDC1C39": "invalid_upc",
}
CODES = {
    "101": 7,
    " 101 ": 7,
    "\u00a0101": 7,
    '="101"': 7,
    "'101": 7,
    "méx1": "MEX",
    "NY": "unknown_facility",
    "": "unknown_facility",
    "103": "unknown_facility",
    "101.0": "unknown_facility",
}


def _coded(code: str, outcome: int | str) -> Case:
    content, expected = one("7", outcome if outcome != "MEX" else 7, code=code)
    if outcome == "MEX":
        expected = Shipped((("MEX", A, 7),))
    return Case(f"store code {code!r}: {outcome}", content, expected)


def _listed(name: str, upc: str, outcome: Shipped, **settings: object) -> Case:
    return Case(name, f"{HEADER}\n101,{upc},ALU,Shoe,7\n".encode(), outcome, settings)


INACTIVE = Shipped((), inactive=1)
CASES = [
    *(Case(f"a UPC with {what}", one("7", 7, upc=text)[0], Shipped((("NY", A, 7),))) for text, what in SAME.items()),
    *(Case(f"UPC {text!r}: {reason}", *one("7", reason, upc=text)) for text, reason in NOT.items()),
    *(_coded(code, outcome) for code, outcome in CODES.items()),
    _listed("an EAN-13 without its check digit is another number", B[:-1], INACTIVE),
    _listed("a carton's GTIN-14 is not the shoe's", "1" + "0" + A[:-1] + "2", INACTIVE),
    _listed("a UPC-E is not unfolded by guessing", "01234565", INACTIVE),
    _listed("a GTIN-8", EIGHT, Shipped((("NY", EIGHT, 7),))),
    _listed("eleven digits that fail their check digit are matched", ELEVEN, Shipped((("NY", ELEVEN, 7),))),
    _listed(
        "eleven digits padded to twelve are shipped in the OMS's own spelling",
        "0" + ELEVEN,
        Shipped((("NY", ELEVEN, 7),)),
    ),
    _listed(
        "a failing check digit, and the settings refuse it",
        ELEVEN,
        Shipped((), ((2, "failing_check_digit"),)),
        check_digit="reject",
    ),
    _listed("a number that two products have is nobody's", TWINS, INACTIVE),
    _listed("a product with two current numbers is not chosen for", TWO_NUMBERS[0], INACTIVE),
    Case(
        "a number lost to an exponent does not stop the others",
        f"{HEADER}\n101,1.23457E+10,x,y,5\n101,{B},x,y,4\n".encode(),
        Shipped((("NY", B, 4),), ((2, "exponent_upc"),)),
    ),
]
