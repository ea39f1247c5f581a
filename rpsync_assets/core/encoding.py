"""The bytes of a file as they were sent -> UTF-8 bytes with the same lines.

Belongs here: gzip, byte order marks and encodings, found by looking. Does not: what a line says (``core/reader``), or
where the bytes lie (``resources/landing``).

A UTF-8 file, which most are, flows through untouched. Whether a file without a mark is UTF-8 is only known at its end:
bytes that cannot be UTF-8 make the whole file cp1252, what Windows machines write. UTF-8 and cp1252 have their line
ends, separators and quotes in common, so lines are counted rightly before that is known.
"""

import codecs
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rpsync_assets.core.errors import BadFileError

GZIP = b"\x1f\x8b"
HEAD_BYTES = 1024
"""So much is looked at to tell UTF-16 without a mark: of Latin text every second byte is zero."""

_UNDEFINED_IN_CP1252 = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")
SEND_TEXT = "Ask Retail Pro to export and send the file again, as UTF-8 text"

Told = Literal["auto", "utf-8", "utf-16", "cp1252"]


@dataclass(frozen=True)
class Packing:
    """How the text of a file is packed.

    Attributes:
        compression: ``none`` or ``gzip``.
        encoding: ``utf-8``, ``utf-16-le``, ``utf-16-be`` or ``cp1252``.
    """

    compression: str = "none"
    encoding: str = "utf-8"

    @property
    def plain(self) -> bool:
        """Whether the bytes on the disk are UTF-8 already."""
        return self == Packing()


class Unpacking:
    """Bytes as sent in, in pieces of any size; UTF-8 bytes out (of cp1252: the bytes as they are, until it is known).

    Raises:
        BadFileError: from ``feed`` or ``finish``, when the bytes are not what they set out to be.
    """

    def __init__(self, told: Told = "auto") -> None:
        self._told = told
        self._inflate: _Gunzip | None = None
        self._head: bytes | None = b""
        self._utf16: codecs.IncrementalDecoder | None = None
        self._encoding = "utf-8" if told == "auto" else told
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._between = False

    @property
    def packing(self) -> Packing:
        """What was found; certain once ``finish`` was called."""
        return Packing("none" if self._inflate is None else "gzip", self._encoding)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes."""
        if self._head is None:
            return self._decoded(data if self._inflate is None else self._inflate.feed(data))
        self._head += data
        if len(self._head) < HEAD_BYTES:
            return b""
        return self._begin()

    def finish(self) -> bytes:
        """No more bytes will come."""
        rest = self._begin() if self._head is not None else b""
        if self._inflate is not None:
            self._inflate.finish()
        if self._utf16 is not None:
            try:
                return rest + self._utf16.decode(b"", final=True).encode()
            except UnicodeDecodeError as error:
                raise BadFileError("The file ends within a character: it was cut", SEND_TEXT) from error
        if self._between:
            self._is_not_utf8("its last bytes")
        return rest

    def _begin(self) -> bytes:
        head, self._head = self._head or b"", None
        if head.startswith(GZIP):
            self._inflate = _Gunzip()
            head = self._inflate.feed(head)
        encoding = _utf16_of(head)
        if self._told == "utf-16":
            encoding = encoding or "utf-16-le"
        if encoding is not None and self._told in {"auto", "utf-16"}:
            self._encoding = encoding
            self._utf16 = codecs.getincrementaldecoder(encoding)()
        return self._decoded(head)

    def _decoded(self, data: bytes) -> bytes:
        if self._utf16 is not None:
            try:
                return self._utf16.decode(data).encode()
            except UnicodeError as error:
                raise BadFileError("The file is not the UTF-16 that it begins as", SEND_TEXT) from error
        if self._encoding == "utf-8" and (self._between or not data.isascii()):
            try:
                self._utf8.decode(data)
            except UnicodeDecodeError as error:
                self._is_not_utf8(f"byte 0x{error.object[error.start]:02x}")
            else:
                self._between = bool(self._utf8.getstate()[0])
        if self._encoding == "cp1252":
            for byte in _UNDEFINED_IN_CP1252:
                if byte in data:
                    raise BadFileError(
                        f"The file is neither UTF-8 nor cp1252 text (byte 0x{byte.hex()})",
                        "Is this the right file? " + SEND_TEXT,
                    )
        return data

    def _is_not_utf8(self, where: str) -> None:
        if self._told == "utf-8":
            raise BadFileError(
                f"The file is not UTF-8 ({where}), which the settings say it is",
                "Remove encoding from this store's settings, or correct it",
            )
        self._encoding, self._between = "cp1252", False


def unpacked(pieces: Iterable[bytes], packing: Packing) -> Iterator[bytes]:
    """A file whose packing is known, as UTF-8.

    Raises:
        BadFileError: it changed since its packing was found.
    """
    inflate = _Gunzip() if packing.compression == "gzip" else None
    decode = codecs.getincrementaldecoder(packing.encoding)()
    try:
        for piece in pieces:
            data = piece if inflate is None else inflate.feed(piece)
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

    def feed(self, data: bytes) -> bytes:
        out: list[bytes] = []
        try:
            while data:
                out.append(self._inflate.decompress(data))
                data = self._inflate.unused_data
                if self._inflate.eof and data.strip(b"\0"):
                    self._inflate = zlib.decompressobj(wbits=31)
                else:
                    break
        except zlib.error as error:
            raise BadFileError("The compressed file is damaged", "Ask Retail Pro to send it again") from error
        return b"".join(out)

    def finish(self) -> None:
        if not self._inflate.eof:
            raise BadFileError("The compressed file was cut: its end is missing", "Ask Retail Pro to send it again")


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
