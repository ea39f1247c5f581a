"""The bytes of a file as they were sent -> UTF-8 bytes with the same lines.

Belongs here: gzip, byte order marks and encodings, found by looking. Does not: what a line says (``core/reader``), or
where the bytes lie (``resources/landing``).

A UTF-8 file, which most are, flows through untouched. Whether a file without a mark is UTF-8 is only known at its end:
bytes that cannot be UTF-8 make the whole file cp1252, what Windows machines write. An export that cuts a name to so
many bytes leaves half a character behind, though: where UTF-8 stands beside what is none, or a byte that cp1252 does
not have, each is read as what it is (``mixed``). All of them have their line ends, separators and quotes in common, so
lines are counted rightly before that is known.
"""

import codecs
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rpsync_assets.core.errors import BadFileError

GZIP = b"\x1f\x8b"
NOT_TEXT = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"\xfd7zXZ\x00": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"BZh": "a bzip2 archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF",
}
MARK_BYTES = 6
"""By so many first bytes a file shows what it is."""

HEAD_BYTES = 1024
"""So much text is looked at to tell UTF-16 without a mark: of Latin text every second byte is zero."""

PIECE_BYTES = 1024 * 1024
"""Compressed bytes become text in pieces of this size, so that a thousandfold one does not fill the memory."""

MOST_UNPACKED_BYTES = 8 * 1024**3
"""25 times the largest file there is (300 MB, domain.md 0.8): beyond, it is no inventory but a bomb, or damage."""

SEND_TEXT = "Ask Retail Pro to export and send the file again, as UTF-8 text"
SEND_AGAIN = "Ask Retail Pro to send it again"

_UNDEFINED_IN_CP1252 = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")
_ELSE_CP1252 = "rpsync-else-cp1252"

Told = Literal["auto", "utf-8", "utf-16", "cp1252"]


@dataclass(frozen=True)
class Packing:
    """How the text of a file is packed.

    Attributes:
        compression: ``none`` or ``gzip``.
        encoding: ``utf-8``, ``utf-16-le``, ``utf-16-be``, ``cp1252`` or ``mixed`` (UTF-8 where it is, else cp1252).
    """

    compression: str = "none"
    encoding: str = "utf-8"

    @property
    def plain(self) -> bool:
        """Whether the bytes on the disk are UTF-8 already."""
        return self == Packing()


class Unpacking:
    """Bytes as sent in, in pieces of any size; UTF-8 bytes out (of cp1252: the bytes as they are).

    Raises:
        BadFileError: from ``feed`` or ``finish``, when the bytes are not what they set out to be.
    """

    def __init__(self, told: Told = "auto") -> None:
        self._told = told
        self._mark: bytes | None = b""
        self._inflate: _Gunzip | None = None
        self._head: bytes | None = b""
        self._utf16: codecs.IncrementalDecoder | None = None
        self._encoding = "utf-8" if told == "auto" else told
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._between = False
        self._seen_utf8 = False

    @property
    def packing(self) -> Packing:
        """What was found; certain once ``finish`` was called."""
        return Packing("none" if self._inflate is None else "gzip", self._encoding)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; to be iterated to its end."""
        if self._mark is not None:
            self._mark += data
            if len(self._mark) < MARK_BYTES:
                return
            data = self._unmarked()
        for text in (data,) if self._inflate is None else self._inflate.feed(data):
            yield from self._text(text)

    def finish(self) -> Iterator[bytes]:
        """No more bytes will come; to be iterated to its end."""
        if self._mark is not None:
            yield from self._text(self._unmarked())
        if self._inflate is not None:
            self._inflate.finish()
        if self._head is not None:
            yield self._begin()
        if self._utf16 is not None:
            try:
                yield self._utf16.decode(b"", final=True).encode()
            except UnicodeDecodeError as error:
                raise BadFileError("The file ends within a character: it was cut", SEND_TEXT) from error
        if self._between:
            self._is_not_utf8("its last bytes")

    def _unmarked(self) -> bytes:
        data, self._mark = self._mark or b"", None
        for mark, what in NOT_TEXT.items():
            if data.startswith(mark):
                raise BadFileError(f"The file is {what}, not a CSV", "Ask for the CSV itself, plain or as .gz")
        if data.startswith(GZIP):
            self._inflate = _Gunzip()
        return data

    def _text(self, text: bytes) -> Iterator[bytes]:
        if self._head is None:
            yield self._decoded(text)
            return
        self._head += text
        if len(self._head) >= HEAD_BYTES:
            yield self._begin()

    def _begin(self) -> bytes:
        head, self._head = self._head or b"", None
        encoding = _utf16_of(head)
        if self._told == "utf-16":
            encoding = encoding or "utf-16-le"
        if encoding is not None and self._told in {"auto", "utf-16"}:
            self._encoding = encoding
            self._utf16 = codecs.getincrementaldecoder(encoding)()
        if self._told == "cp1252" and head.startswith(codecs.BOM_UTF8):
            raise BadFileError(
                "The file begins with UTF-8's mark, but the settings say that it is cp1252",
                "Remove encoding from this store's settings, or correct it",
            )
        return self._decoded(head)

    def _decoded(self, data: bytes) -> bytes:
        if self._utf16 is not None:
            try:
                return self._utf16.decode(data).encode()
            except UnicodeError as error:
                raise BadFileError("The file is not the UTF-16 that it begins as", SEND_TEXT) from error
        if self._encoding == "utf-8" and (self._between or not data.isascii()):
            try:
                self._seen_utf8 |= not self._utf8.decode(data).isascii()
            except UnicodeDecodeError as error:
                self._seen_utf8 |= not error.object[: error.start].isascii()
                self._is_not_utf8(f"byte 0x{error.object[error.start]:02x}")
            else:
                self._between = bool(self._utf8.getstate()[0])
        if self._encoding == "cp1252":
            for byte in _UNDEFINED_IN_CP1252:
                if byte in data:
                    self._is_not_cp1252(byte)
        return data

    def _is_not_utf8(self, where: str) -> None:
        if self._told == "utf-8":
            raise BadFileError(
                f"The file is not UTF-8 ({where}), which the settings say it is",
                "Remove encoding from this store's settings, or correct it",
            )
        self._encoding, self._between = "mixed" if self._seen_utf8 else "cp1252", False

    def _is_not_cp1252(self, byte: bytes) -> None:
        if self._told == "cp1252":
            raise BadFileError(
                f"The file is not cp1252 text (byte 0x{byte.hex()}), which the settings say it is",
                "Remove encoding from this store's settings, or correct it",
            )
        self._encoding = "mixed"


def unpacked(pieces: Iterable[bytes], packing: Packing) -> Iterator[bytes]:
    """A file whose packing is known, as UTF-8.

    Raises:
        BadFileError: it changed since its packing was found.
    """
    inflate = _Gunzip() if packing.compression == "gzip" else None
    decode = _decoder(packing.encoding)
    try:
        for piece in pieces:
            for data in (piece,) if inflate is None else inflate.feed(piece):
                yield data if packing.encoding == "utf-8" else decode.decode(data).encode()
        if inflate is not None:
            inflate.finish()
        yield b"" if packing.encoding == "utf-8" else decode.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise BadFileError(f"The file is not {packing.encoding} text any more", SEND_TEXT) from error


class _Gunzip:
    """Inflates gzip, also where several compressed pieces were put one behind the other."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while True:
                if self._inflate.eof:
                    if not data.strip(b"\0"):  # a tape's padding
                        return
                    self._inflate = zlib.decompressobj(wbits=31)
                text = self._inflate.decompress(data, PIECE_BYTES)
                self._size += len(text)
                if self._size > MOST_UNPACKED_BYTES:
                    raise BadFileError(f"The compressed file holds more than {MOST_UNPACKED_BYTES} bytes", SEND_TEXT)
                yield text
                data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
                if not data and (self._inflate.eof or len(text) < PIECE_BYTES):
                    return
        except zlib.error as error:
            raise BadFileError("The compressed file is damaged", SEND_AGAIN) from error

    def finish(self) -> None:
        if not self._inflate.eof:
            raise BadFileError("The compressed file was cut: its end is missing", SEND_AGAIN)


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    if encoding != "mixed":
        return codecs.getincrementaldecoder(encoding)()
    codecs.register_error(_ELSE_CP1252, _else_cp1252)
    return codecs.getincrementaldecoder("utf-8")(_ELSE_CP1252)


def _else_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


def _utf16_of(head: bytes) -> str | None:
    """The byte order of UTF-16, by its mark or by the zero bytes of Latin text; None if it is something else."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BadFileError("The file is UTF-32", SEND_TEXT)
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    zeros = head[1::2].count(0), head[::2].count(0)
    half = len(head) // 2
    if half and zeros[0] > 0.4 * half and zeros[1] < 0.1 * half:
        return "utf-16-le"
    if half and zeros[1] > 0.4 * half and zeros[0] < 0.1 * half:
        return "utf-16-be"
    return None
