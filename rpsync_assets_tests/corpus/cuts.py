"""The usual file, cut in each place: a line that parses well may be half a line."""

from rpsync_assets_tests.corpus.case import USUAL, A, Case, Refused, Shipped

BYTES = USUAL.replace("102,012345678905,ALU,Shoe,0", '102,012345678905,ALU,"Shoe, rojo\n鞋",10').encode()
NO_END = ("does not end with a line end", "its last line was cut")
SHORT = ("cut or damaged on its way", "export and send the file again")
PLACES = {
    "in the header": (BYTES.index(b"description") + 4, ("Column 'qty' stands 0 times",)),
    "in a store code": (BYTES.index(b"\n") + 3, ("Line 2 has 1 fields", *SHORT)),
    "in a UPC": (BYTES.index(A.encode()) + 5, ("Line 2 has 2 fields", *SHORT)),
    "behind a UPC": (BYTES.index(A.encode()) + 12, ("Line 2 has 2 fields", *SHORT)),
    "in a quote": (BYTES.index(b", rojo"), ("Line 3 has a quote that is never closed",)),
    "in a character of three bytes": (BYTES.index("鞋".encode()) + 1, ("Line 3 has a quote that is never closed",)),
    "behind a closing quote": (BYTES.index(b'",10') + 1, ("Line 3 has 4 fields", *SHORT)),
}
"""Where the cut is; why the file is refused even if somebody put a line end behind, as an editor does."""

CASES = [
    *(
        Case(f"cut {where}", BYTES[:place], Refused("BadFileError", NO_END if place > 34 else words))
        for where, (place, words) in PLACES.items()
    ),
    *(
        Case(f"cut {where}, and a line end put behind", BYTES[:place] + b"\n", Refused("BadFileError", words))
        for where, (place, words) in PLACES.items()
    ),
    Case("cut behind the header", BYTES[: BYTES.index(b"\n")], Refused("BadFileError", NO_END)),
    Case(
        "cut in a number, which reads 1 instead of 10",
        BYTES[: BYTES.index(b",10\n") + 2],
        Refused("BadFileError", NO_END),
    ),
    Case("cut before the last line end", BYTES[:-1], Refused("BadFileError", NO_END)),
    Case(
        "cut at the line end inside a quote",
        BYTES[: BYTES.index(b"rojo\n") + 5],
        Refused("BadFileError", ("Line 3 has a quote that is never closed",)),
    ),
    Case(
        "cut before a quantity, and a line end put behind: a blank quantity is not zero",
        BYTES[: BYTES.index(b"7\n")] + b"\n",
        Shipped((), ((2, "blank_quantity"),)),
    ),
]
