"""The bytes of a file as they were sent become UTF-8, whatever the sending machine is fond of; what is cut is told."""

import codecs
import gzip

import pytest

from rpsync_assets.core import encoding
from rpsync_assets.core.encoding import Packing, Told, Unpacking, unpacked
from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.lines import records

TEXT = "store_code,upc,qty\n101,012345678905,3\nZürich,4006381333931,5\n" * 40


def packed(data: bytes) -> bytes:
    """Gzip, of no moment: tests are named by their bytes, and every worker of a run must call them alike."""
    return gzip.compress(data, mtime=0)


def read(data: bytes, told: Told = "auto", size: int = 700) -> tuple[str, Packing]:
    """The file in pieces, looked at on arrival and read again as it was found to be."""
    looking = Unpacking(told)
    seen = b"".join(piece for start in range(0, len(data), size) for piece in looking.feed(data[start : start + size]))
    seen += b"".join(looking.finish())
    packing = looking.packing
    again = b"".join(unpacked((data[start : start + size] for start in range(0, len(data), size)), packing))
    assert seen.count(b"\n") == again.count(b"\n")
    return again.decode("utf-8-sig"), packing


@pytest.mark.parametrize(
    ("data", "packing"),
    [
        (TEXT.encode(), Packing()),
        (TEXT.encode("utf-8-sig"), Packing()),
        (TEXT.encode("cp1252"), Packing("none", "cp1252")),
        (TEXT.encode("utf-16"), Packing("none", "utf-16-le")),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), Packing("none", "utf-16-be")),
        (TEXT.encode("utf-16-le"), Packing("none", "utf-16-le")),
        (TEXT.encode("utf-16-be"), Packing("none", "utf-16-be")),
        (packed(TEXT.encode()), Packing("gzip", "utf-8")),
        (packed(TEXT.encode("utf-16")), Packing("gzip", "utf-16-le")),
        (packed(TEXT[:700].encode()) + packed(TEXT[700:].encode()), Packing("gzip", "utf-8")),
        (packed(TEXT.encode()) + b"\0" * 64, Packing("gzip", "utf-8")),
    ],
)
def test_whatever_it_is_packed_in_the_text_comes_out(data: bytes, packing: Packing) -> None:
    assert read(data) == (TEXT, packing)
    assert packing.plain is (packing == Packing())


def test_a_file_of_a_few_bytes_is_read_at_its_end() -> None:
    assert read(b"") == ("", Packing())
    assert read(b"a\n") == ("a\n", Packing())
    assert read(packed(b"a\n"), size=5) == ("a\n", Packing("gzip", "utf-8"))


def test_a_character_between_two_pieces_is_one_character() -> None:
    data = ("x" * 1_023 + "ü" + "y" * 50).encode()
    assert read(data, size=1_024) == (data.decode(), Packing())


def test_what_the_settings_say_is_believed_where_it_can_be() -> None:
    assert read(TEXT.encode("cp1252"), "cp1252") == (TEXT, Packing("none", "cp1252"))
    assert read("ab\n".encode("utf-16-le"), "utf-16") == ("ab\n", Packing("none", "utf-16-le"))
    with pytest.raises(BadFileError, match=r"not UTF-8 \(byte 0xfc\), which the settings say"):
        read(TEXT.encode("cp1252"), "utf-8")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (TEXT.encode("utf-32"), "UTF-32"),
        (TEXT.encode("utf-16")[:-1], "ends within a character"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le")[:2_000] + b"\x00\xd8\x00\xd8" * 40, "not the UTF-16"),
        (packed(TEXT.encode())[:-9], "was cut"),
        (packed(TEXT.encode())[:20] + b"\0\0\0damaged" * 200, "damaged"),
    ],
)
def test_what_is_cut_or_no_text_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(BadFileError, match=says):
        read(data)


def test_a_file_whose_last_bytes_are_half_a_character_is_cp1252() -> None:
    data = b"Z\xfcrich\n" * 200 + b"\xc3"
    assert read(data)[1] == Packing("none", "cp1252")
    assert read(b"ab\n" * 500 + b"\xc3")[1] == Packing("none", "cp1252")


def test_a_landed_file_that_changed_is_told() -> None:
    with pytest.raises(BadFileError, match="not utf-16-le text any more"):
        list(unpacked([b"abc"], Packing("none", "utf-16-le")))


def test_a_bomb_is_given_up_before_it_fills_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MOST_UNPACKED_BYTES", 10_000)
    with pytest.raises(BadFileError, match="holds more than 10000 bytes"):
        read(gzip.compress(b"0" * 100_000))


def test_the_handler_of_mixed_files_is_for_reading_alone() -> None:
    read(b"caf\xe9;1\n" + "caf\u00e9;2\n".encode(), "auto")
    encoding._decoder("mixed")
    handler = codecs.lookup_error(encoding._ELSE_CP1252)
    with pytest.raises(UnicodeEncodeError):
        handler(UnicodeEncodeError("ascii", "\u00e9", 0, 1, "no ASCII"))


@pytest.mark.parametrize("block", [b"a\nb", b"a\nb\n"])
def test_lines_are_the_same_with_and_without_a_last_line_end(block: bytes) -> None:
    assert records(block) == [b"a", b"b"]
