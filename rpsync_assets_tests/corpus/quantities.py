"""Quantities as countries, databases and spreadsheets write them."""

from rpsync_assets_tests.corpus.case import HEADER, A, B, Case, Shipped, one

READ = {
    "7": 7,
    "+7": 7,
    "-3": -3,
    "3-": -3,
    "\u22123": -3,
    "-0": 0,
    "0": 0,
    "007": 7,
    "-3.0000": -3,
    "7.": 7,
    "7,0": 7,
    "-3,0000": -3,
    ".0000": 0,
    "-,00": 0,
    "1.234,0": 1234,
    "1,234.00": 1234,
    "1,234,567.0": "invalid_quantity",
    "1.234,5": "fractional_quantity",
    "0.5": "fractional_quantity",
    "-.25": "fractional_quantity",
    "0,01": "fractional_quantity",
    "3.0001": "fractional_quantity",
    "1,234": "ambiguous_quantity",
    "1.000": "ambiguous_quantity",
    "-12.500": "ambiguous_quantity",
    "1 234": 1234,
    "1\u00a0234": 1234,
    "1\u202f234,00": 1234,
    "1\u2009234": 1234,
    "1 23": "invalid_quantity",
    "1 2": "invalid_quantity",
    "  7\t": 7,
    "\u00a07\u00a0": 7,
    "\u200b7": 7,
    '="7"': 7,
    "'7": 7,
    "": "blank_quantity",
    "   ": "blank_quantity",
    "\u00a0": "blank_quantity",
    '=""': "blank_quantity",
    "(3)": "invalid_quantity",
    "١٢": "invalid_quantity",
    "\uff17": "invalid_quantity",
    "½": "invalid_quantity",
    "²": "invalid_quantity",
    "1e2": "invalid_quantity",
    "1E+02": "invalid_quantity",
    "0x10": "invalid_quantity",
    "1_000": "invalid_quantity",
    "999999": 999999,
    "1000000": "invalid_quantity",
    "-1000000": "invalid_quantity",
    "9" * 40: "invalid_quantity",
    "Infinity": "invalid_quantity",
    "NaN": "invalid_quantity",
    "NULL": "invalid_quantity",
    "null": "invalid_quantity",
    "#N/A": "invalid_quantity",
    "--3": "invalid_quantity",
    "-3-": "invalid_quantity",
    "+-3": "invalid_quantity",
    "- 3": "invalid_quantity",
    ".": "invalid_quantity",
    ",": "invalid_quantity",
    "-": "invalid_quantity",
    "1..0": "invalid_quantity",
    "1.0.0": "invalid_quantity",
    "12,34,567": "invalid_quantity",
    "7 pcs": "invalid_quantity",
    "=1+2": "invalid_quantity",
    "true": "invalid_quantity",
    A: "invalid_quantity",
}


def _several(name: str, quantities: dict[str, int | str], **settings: object) -> Case:
    """Rows of two facilities and several products; how one is read may depend on the others."""
    keys = [(code, upc) for upc in (A, B, "036000291452", "96385074", "30065245099") for code in ("101", "102")]
    lines, rows, rejected = [HEADER], [], []
    for number, ((text, outcome), (code, upc)) in enumerate(zip(quantities.items(), keys, strict=False), 2):
        lines.append(f'{code},{upc},ALU,Shoe,"{text}"')
        if isinstance(outcome, int):
            rows.append(("NY" if code == "101" else "NASH", upc, outcome))
        else:
            rejected.append((number, outcome))
    content = "".join(line + "\n" for line in lines).encode()
    return Case(name, content, Shipped(tuple(sorted(rows)), tuple(rejected)), settings)


CASES = [
    *(Case(f"quantity {text!r} is {outcome}", *one(text, outcome)) for text, outcome in READ.items()),
    Case("one file's point shows what its comma means", *one("1,234", "ambiguous_quantity", "7.0000")),
    _several(
        "the point of one row tells that another's comma groups",
        {"7.0000": 7, "1,234": 1234},
    ),
    _several("the comma of one row tells that another's point groups", {"7,00": 7, "1.234": 1234}),
    _several(
        "point and comma both before decimals: three digits stay untold",
        {
            "7.0": 7,
            "8,0": 8,
            "1.234": "ambiguous_quantity",
            "1,000": "ambiguous_quantity",
            "0,5": "fractional_quantity",
        },
    ),
    _several("whole numbers among thousands do not tell", {"7": 7, "1.234": "ambiguous_quantity"}),
    _several(
        "the settings say comma",
        {"1.234": 1234, "1,000": 1, "0,500": "fractional_quantity", "7": 7, "2.5": "invalid_quantity"},
        decimal_mark=",",
    ),
    _several(
        "the settings say point",
        {"1.234": "fractional_quantity", "1,000": 1000, "3.000": 3, "2,5": "invalid_quantity"},
        decimal_mark=".",
    ),
    Case(
        "the same key twice with another quantity, and once with the same",
        f"{HEADER}\n101,{A},x,y,7\n101,0{A},x,y,8\n101,{B},x,y,5\n101,{B},x,y,5.0\n".encode(),
        Shipped((("NY", B, 5),), ((2, "conflicting_duplicate"), (3, "conflicting_duplicate"), (5, "duplicate"))),
    ),
]
