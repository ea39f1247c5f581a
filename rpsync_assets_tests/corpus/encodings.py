"""How the text is packed: encodings, marks, gzip, and what is no text at all."""

import codecs
import gzip
import io
import zipfile

from rpsync_assets_tests.corpus.case import (
    HEADER,
    USUAL,
    USUAL_OUTCOME,
    A,
    B,
    Case,
    Refused,
    Shipped,
    csv_of,
)

ACCENTS = USUAL.replace("Shoe", "Señora Café")
MEXICO = f"{HEADER}\nMÉX1,{A},ALU,Botín “Ávila” 40€,4\n101,{B},ALU,Shoe,2\n"
MEXICO_OUTCOME = Shipped((("MEX", A, 4), ("NY", B, 2)))
CHINESE = USUAL.replace("Shoe", "鞋子 👟")
CUT_NAME = MEXICO.encode().replace("Botín “".encode(), "Café".encode()[:-1] + b" ")
"""An export cut a name to so many bytes, in the middle of a character; the rest is UTF-8, and has an Á."""

PACKED = gzip.compress(USUAL.encode(), mtime=0)


def _zipped(content: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("reset.csv", content)
    return archive.getvalue()


def _plain(encoding: str, compression: str = "none") -> dict[str, str | None]:
    return {"encoding": encoding, "compression": compression}


CASES = [
    Case("a usual file", USUAL.encode(), USUAL_OUTCOME, found=_plain("utf-8")),
    Case("utf-8 with accents", MEXICO.encode(), MEXICO_OUTCOME, found=_plain("utf-8")),
    Case("utf-8 with its mark", codecs.BOM_UTF8 + MEXICO.encode(), MEXICO_OUTCOME, found=_plain("utf-8")),
    Case("utf-8 with its mark twice", codecs.BOM_UTF8 * 2 + USUAL.encode(), USUAL_OUTCOME),
    Case(
        "utf-8 with its mark before a quoted name",
        codecs.BOM_UTF8 + b'"store_code"' + USUAL[10:].encode(),
        USUAL_OUTCOME,
    ),
    Case(
        "two files with marks put together: the mark in the middle is no part of a store code",
        codecs.BOM_UTF8 + USUAL.encode() + codecs.BOM_UTF8 + f"101,0{'36000291452'},ALU,Shoe,5\n".encode(),
        Shipped((("NASH", A, 0), ("NY", A, 7), ("NY", "036000291452", 5), ("NY", B, -3)), inactive=1),
    ),
    Case("utf-8 with characters of four bytes", CHINESE.encode(), USUAL_OUTCOME),
    Case("utf-16 with its mark, little-endian", MEXICO.encode("utf-16"), MEXICO_OUTCOME, found=_plain("utf-16-le")),
    Case(
        "utf-16 with its mark, big-endian",
        codecs.BOM_UTF16_BE + MEXICO.encode("utf-16-be"),
        MEXICO_OUTCOME,
        found=_plain("utf-16-be"),
    ),
    Case("utf-16 without a mark, little-endian", MEXICO.encode("utf-16-le"), MEXICO_OUTCOME, found=_plain("utf-16-le")),
    Case("utf-16 without a mark, big-endian", MEXICO.encode("utf-16-be"), MEXICO_OUTCOME, found=_plain("utf-16-be")),
    Case("utf-16 with Chinese descriptions", CHINESE.encode("utf-16"), USUAL_OUTCOME),
    Case("utf-16 as the settings say", MEXICO.encode("utf-16-le"), MEXICO_OUTCOME, {"encoding": "utf-16"}),
    Case("utf-16 in small blocks", MEXICO.encode("utf-16"), MEXICO_OUTCOME, block=72),
    Case(
        "utf-16 cut within a character",
        USUAL.encode("utf-16")[:-1],
        Refused("BadFileError", ("ends within a character", "cut", "export and send the file again")),
    ),
    Case(
        "utf-16 with half of a pair",
        USUAL.encode("utf-16-le").replace("S".encode("utf-16-le"), b"\x00\xd8"),
        Refused("BadFileError", ("not the UTF-16 that it begins as",)),
    ),
    Case("utf-32", USUAL.encode("utf-32"), Refused("BadFileError", ("The file is UTF-32", "as UTF-8 text"))),
    Case("cp1252", MEXICO.encode("cp1252"), MEXICO_OUTCOME, found=_plain("cp1252")),
    Case("cp1252 as the settings say", MEXICO.encode("cp1252"), MEXICO_OUTCOME, {"encoding": "cp1252"}),
    Case(
        "cp1252 whose only accent is its last character but one",
        USUAL.encode() + f"101,{A[1:]},A,\xe9,7\n".encode("cp1252"),
        Shipped(USUAL_OUTCOME.rows, ((6, "duplicate"),), 1),
        found=_plain("cp1252"),
    ),
    Case(
        "utf-8 in which one name was cut within a character",
        CUT_NAME,
        MEXICO_OUTCOME,
        found=_plain("mixed"),
    ),
    Case(
        "lines of cp1252 below lines of utf-8",
        ACCENTS.encode() + csv_of([("MÉX1", A, "4")]).encode("cp1252").split(b"\n", 1)[1],
        Shipped((("MEX", A, 4), *USUAL_OUTCOME.rows), inactive=1),
        found=_plain("mixed"),
    ),
    Case(
        "a byte that cp1252 does not have",
        USUAL.encode().replace(b"Shoe", b"Sh\x81e \xe9"),
        USUAL_OUTCOME,
        found=_plain("mixed"),
    ),
    Case(
        "a byte that cp1252 does not have, and the settings say cp1252",
        USUAL.encode().replace(b"Shoe", b"Sh\x81e"),
        Refused("BadFileError", ("not cp1252", "0x81", "Remove encoding from this store's settings")),
        {"encoding": "cp1252"},
    ),
    Case(
        "cp1252, and the settings say utf-8",
        ACCENTS.encode("cp1252"),
        Refused("BadFileError", ("not UTF-8", "0xf1", "settings")),
        {"encoding": "utf-8"},
    ),
    Case(
        "utf-8 with its mark, and the settings say cp1252",
        codecs.BOM_UTF8 + USUAL.encode(),
        Refused("BadFileError", ("UTF-8's mark", "settings say that it is cp1252")),
        {"encoding": "cp1252"},
    ),
    Case("a description padded with zero bytes", USUAL.replace("Shoe", "Shoe" + "\0" * 26).encode(), USUAL_OUTCOME),
    Case(
        "a hole of zero bytes where lines were lost",
        USUAL.encode().replace(b"Shoe,0\n", b"Sh" + bytes(4096) + b"oe,0\n"),
        Refused("BadFileError", ("Line 3 has a hole", "disk of the sender was full")),
    ),
    Case(
        "a zero byte in a quantity",
        f"{HEADER}\n101,{A},ALU,Shoe,7\0\n".encode(),
        Shipped((), ((2, "invalid_quantity"),)),
    ),
    # gzip -----------------------------------------------------------------------------------------------------------
    Case("gzip", PACKED, USUAL_OUTCOME, found=_plain("utf-8", "gzip")),
    Case(
        "gzip with a long name in its head, around utf-16",
        b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 3000 + b"\0" + gzip.compress(MEXICO.encode("utf-16-le"), mtime=0)[10:],
        MEXICO_OUTCOME,
        found=_plain("utf-16-le", "gzip"),
    ),
    Case(
        "gzip around cp1252, in small blocks",
        gzip.compress(MEXICO.encode("cp1252")),
        MEXICO_OUTCOME,
        block=72,
        found=_plain("cp1252", "gzip"),
    ),
    Case(
        "gzip of two pieces, one behind the other",
        gzip.compress(USUAL[:77].encode()) + gzip.compress(USUAL[77:].encode()),
        USUAL_OUTCOME,
    ),
    Case("gzip with a tape's zero bytes behind", PACKED + bytes(10_240), USUAL_OUTCOME),
    Case("gzip that was cut", PACKED[:-9], Refused("BadFileError", ("compressed file was cut", "send it again"))),
    Case("gzip of which two bytes arrived", PACKED[:2], Refused("BadFileError", ("compressed file was cut",))),
    Case("gzip with garbage behind", PACKED + b"garbage", Refused("BadFileError", ("compressed file is damaged",))),
    Case(
        "gzip whose second piece was cut", PACKED + PACKED[:12], Refused("BadFileError", ("compressed file was cut",))
    ),
    Case(
        "gzip with one flipped bit",
        PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:],
        Refused("BadFileError", ("compressed file is damaged",)),
    ),
    Case(
        "gzip that unpacks to one endless line",
        gzip.compress(USUAL.encode() + b"x" * 30_000_000),
        Refused("BadFileError", ("does not end with a line end",)),
    ),
    Case(
        "gzip of zero bytes only",
        gzip.compress(bytes(30_000_000)),
        Refused("BadFileError", ("no line end in its first",)),
    ),
    Case("gzip of nothing", gzip.compress(b""), Refused("BadFileError", ("the header is empty",))),
    # not text ---------------------------------------------------------------------------------------------------------
    Case(
        "a ZIP archive",
        _zipped(USUAL),
        Refused("BadFileError", ("a ZIP archive or an Excel workbook", "the CSV itself")),
    ),
    Case("a 7z archive", b"7z\xbc\xaf\x27\x1c" + bytes(range(256)), Refused("BadFileError", ("a 7z archive",))),
    Case("random bytes", bytes(range(256)) * 20, Refused("BadFileError", ("in the header, once is needed",))),
    Case(
        "a page of the web",
        b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n",
        Refused("BadFileError", ("stands 0 times in the header", "DOCTYPE")),
    ),
    Case("one byte", b"x", Refused("BadFileError", ("the header is x",))),
]
