"""Separators, quotes, line ends, lines that are short, long, blank, repeated, or longer than a block."""

from rpsync_assets_tests.corpus.case import (
    HEADER,
    USUAL,
    USUAL_OUTCOME,
    USUAL_ROWS,
    A,
    B,
    Case,
    Refused,
    Shipped,
    Z,
    csv_of,
)

LINES = USUAL.splitlines()
TORN = ("fields where the header has 5", "cut or damaged", "export and send the file again")


def _with(*more: str, at: int = 3) -> bytes:
    """The usual file with lines put before the line of that number."""
    return "".join(line + "\n" for line in [*LINES[: at - 1], *more, *LINES[at - 1 :]]).encode()


def _described(*descriptions: str) -> bytes:
    rows = [("101", A, "7"), ("102", A, "0"), ("101", B, "-3"), ("102", Z, "9")]
    lines = [
        f"{code},{upc},ALU,{text},{quantity}" for (code, upc, quantity), text in zip(rows, descriptions, strict=True)
    ]
    return "".join(line + "\n" for line in [HEADER, *lines]).encode()


CASES = [
    *(
        Case(f"separator {name}", USUAL.replace(",", mark).encode(), USUAL_OUTCOME, found={"separator": mark})
        for name, mark in (("semicolon", ";"), ("bar", "|"), ("tab", "\t"))
    ),
    Case(
        "semicolons, and commas in the header's other names",
        USUAL.replace(",", ";").replace("description", "description, colour, size, width, gender").encode(),
        USUAL_OUTCOME,
        found={"separator": ";"},
    ),
    Case(
        "a separator inside a quoted name",
        USUAL.replace("description", '"description, long"').encode(),
        USUAL_OUTCOME,
        found={"separator": ","},
    ),
    Case(
        "semicolons, and the settings say comma",
        USUAL.replace(",", ";").encode(),
        Refused("BadFileError", ("Column 'store_code' stands 0 times", "store_code;upc")),
        {"separator": ","},
    ),
    Case(
        "Excel's sep= before the header",
        b"sep=;\r\n" + USUAL.replace(",", ";").replace("\n", "\r\n").encode(),
        USUAL_OUTCOME,
    ),
    Case(
        "Excel's sep= with its mark, and a rejected line has the number that it has in the file",
        b"\xef\xbb\xbfsep=|\n" + f"{HEADER}\n101,{A},ALU,Shoe,7\n101,{B},ALU,Shoe,\n".replace(",", "|").encode(),
        Shipped((("NY", A, 7),), ((4, "blank_quantity"),)),
    ),
    Case(
        "Excel's sep= names a separator that nobody expects",
        b"sep=~\n" + USUAL.replace(",", "~").encode(),
        USUAL_OUTCOME,
    ),
    Case(
        "blank lines before the header",
        b"\n  \r\n" + f"{HEADER}\n101,{A},ALU,Shoe,x\n".encode(),
        Shipped((), ((4, "invalid_quantity"),)),
    ),
    # Quotes ---------------------------------------------------------------------------------------------------------
    Case(
        "everything quoted", "".join('"' + line.replace(",", '","') + '"\r\n' for line in LINES).encode(), USUAL_OUTCOME
    ),
    Case(
        "a separator, quotes and line ends inside quotes",
        _described('"Shoe, ""Air""\r\n41"', '"\n\n"', '""', "Shoe"),
        USUAL_OUTCOME,
    ),
    Case(
        "a line end inside a quoted name",
        USUAL.replace("description", '"description\r\nof the shoe"').encode(),
        USUAL_OUTCOME,
    ),
    Case("quoted line ends across small blocks", _described(*['"' + "line\n" * 6 + '"'] * 4), USUAL_OUTCOME, block=100),
    Case(
        "a line number behind quoted line ends counts lines of the table",
        _described('"a\nb"', '"c\nd"', "Shoe", "Shoe").replace(b"-3", b"half"),
        Shipped(USUAL_ROWS[:2], ((4, "invalid_quantity"),), 1),
    ),
    Case(
        "one inch mark",
        _described('Belt 30"', "Shoe", "Shoe", "Shoe"),
        Refused("BadFileError", ("Line 2 has a quote inside a field",)),
    ),
    Case(
        "inch marks on two lines would make one of them",
        _described('Belt 30"', 'Belt 32"', "Shoe", "Shoe"),
        Refused("BadFileError", ("Line 2 has a quote inside a field", "written twice")),
    ),
    Case(
        "inch marks in the last column, with both kinds of line ends to make up for the bytes",
        f'store_code,upc,qty,name\n101,{A},7,a\n101,{A},7,27" TV\n101,{B},6,30" TV\r\n'.encode()
        + f"101,{B},6,x\r\n101,{B},6,x\r\n".encode(),
        Refused("BadFileError", ("Line 3 has a quote inside a field",)),
    ),
    Case(
        "a backslash before an inch mark",
        _described('"Belt 30\\""', "Shoe", "Shoe", "Shoe"),
        Refused("BadFileError", ("Line 2 has a quote that is never closed",)),
    ),
    Case(
        "a quote that is never closed, in the last line",
        USUAL.encode() + f'101,{B},ALU,"Shoe,4\n'.encode(),
        Refused("BadFileError", ("Line 6 has a quote that is never closed",)),
    ),
    Case(
        "a quote that is never closed, in the middle",
        _described("Shoe", '"Shoe', "Shoe", "Shoe"),
        Refused("BadFileError", ("Line 3 has a quote that is never closed",)),
    ),
    Case(
        "a quote that is never closed, in small blocks",
        _described("Shoe", '"Shoe', "Shoe", "Shoe") + (USUAL * 3).encode(),
        Refused("BadFileError", ("no line end within 100 bytes", "quote may be open")),
        block=100,
    ),
    Case("a space before a quote", _described(' "Shoe"', "Shoe", "Shoe", "Shoe"), USUAL_OUTCOME),
    # Line ends --------------------------------------------------------------------------------------------------------
    Case("CRLF", USUAL.replace("\n", "\r\n").encode(), USUAL_OUTCOME),
    Case(
        "CRLF and LF mixed",
        "".join(line + "\r\n"[place % 2 :] for place, line in enumerate(LINES)).encode(),
        USUAL_OUTCOME,
    ),
    Case("CR CR LF, as a second conversion leaves it", USUAL.replace("\n", "\r\r\n").encode(), USUAL_OUTCOME),
    Case("CR alone", USUAL.replace("\n", "\r").encode(), Refused("BadFileError", ("end with CR alone", "LF or CRLF"))),
    Case(
        "CR alone, and more of it than a block",
        (USUAL + (LINES[1] + "\n") * 120_000).replace("\n", "\r").encode(),
        Refused("BadFileError", ("end with CR alone",)),
    ),
    Case(
        "one line of the middle ends with CR alone",
        USUAL.replace("0\n", "0\r").encode(),
        Refused("BadFileError", ("Line 3 has 9 fields",)),
    ),
    Case(
        "no line end at the end",
        USUAL[:-1].encode(),
        Refused("BadFileError", ("does not end with a line end", "final_line_end")),
    ),
    Case(
        "no line end at the end, as this store's files are",
        USUAL[:-1].encode(),
        USUAL_OUTCOME,
        {"final_line_end": False},
    ),
    Case(
        "no line end at the end, and the last value is quoted",
        (USUAL[:-2] + '"9"').encode(),
        USUAL_OUTCOME,
        {"final_line_end": False},
    ),
    # Lines ------------------------------------------------------------------------------------------------------------
    Case(
        "blank lines in the middle and at the end",
        _with("", "   ", "") + b"\n\n",
        Shipped(USUAL_ROWS, tuple((line, "blank_upc") for line in (3, 4, 5, 9, 10)), 1),
    ),
    Case("a line of separators only", _with(",,,,"), Shipped(USUAL_ROWS, ((3, "blank_upc"),), 1)),
    Case("the header again in the middle", _with(HEADER), Shipped(USUAL_ROWS, ((3, "invalid_upc"),), 1)),
    Case(
        "a line of totals with as many fields", _with("TOTAL,,,,4", at=6), Shipped(USUAL_ROWS, ((6, "blank_upc"),), 1)
    ),
    Case(
        "a line of totals with fewer fields",
        _with("TOTAL,4", at=6),
        Refused("BadFileError", ("Line 6 has 2 fields", *TORN)),
    ),
    Case(
        "a footer of words", _with("(4 rows affected)", at=6), Refused("BadFileError", ("Line 6 has 1 fields", *TORN))
    ),
    Case("a short line", _with(f"101,{B}"), Refused("BadFileError", ("Line 3 has 2 fields", *TORN))),
    Case(
        "a short line, and a CRLF to make up for its byte",
        _with(f"101,{B},ALU,Shoe", f"101,{Z},ALU,Shoe,1\r"),
        Refused("BadFileError", ("Line 3 has 4 fields", *TORN)),
    ),
    Case("a long line", _with(f"101,{B},ALU,Shoe, red,5"), Refused("BadFileError", ("Line 3 has 6 fields", *TORN))),
    Case(
        "a short and a long line, one after the other",
        _with(f"101,{B},ALU,Shoe", f"101,{B},ALU,Shoe, red,5"),
        Refused("BadFileError", ("Line 3 has 4 fields", *TORN)),
    ),
    Case("a separator behind every line, the header's too", USUAL.replace("\n", ",\n").encode(), USUAL_OUTCOME),
    Case(
        "a separator behind every line but the header",
        (HEADER + "\n" + "".join(line + ",\n" for line in LINES[1:])).encode(),
        Refused("BadFileError", ("Line 2 has 6 fields", *TORN)),
    ),
    Case(
        "a short line with a value longer than any",
        _with(f"101,{B},{'x' * 300_000}"),
        Refused("BadFileError", ("Line 3 has 3 fields", *TORN)),
    ),
    Case(
        "a line longer than a block",
        _described("x" * 400, "Shoe", "Shoe", "Shoe"),
        Refused("BadFileError", ("no line end within 200 bytes",)),
        block=200,
    ),
    Case("a line as long as a block", _described("x" * 169, "Shoe", "Shoe", "Shoe"), USUAL_OUTCOME, block=200),
    Case(
        "a line separator of Unicode inside a description",
        _described("Shoe\u2028red", "Shoe\x85", "Shoe\x0c", "Shoe\x0b"),
        USUAL_OUTCOME,
    ),
    Case(
        "a lone CR inside a description, and a short line below",
        _described("Shoe\rred", "Shoe", "Shoe", "Shoe") + b"101\n",
        Refused("BadFileError", ("Line 6 has 1 fields", *TORN)),
    ),
    Case(
        "characters of many bytes at the ends of small blocks",
        _described(*["鞋" * 9 + "👟" * 3] * 4),
        USUAL_OUTCOME,
        block=97,
    ),
    Case(
        "one thousand rows in blocks of a few",
        csv_of([("101", A, "7")] * 1000).encode(),
        Shipped((("NY", A, 7),), tuple((line, "duplicate") for line in range(3, 1002))),
        block=130,
    ),
]
