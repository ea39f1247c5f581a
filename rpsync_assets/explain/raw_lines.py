"""Finding a line in a landed file of hundreds of megabytes, at once.

Belongs here: by the digits of a UPC, or by number, without parsing the file. Does not: what became of the line.

A plain file is mapped into memory and searched by the C library (300 MB take 0.2 s); one that is packed has to be
unpacked first, which takes seconds.
"""

import csv
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rpsync_assets.core.encoding import Packing
from rpsync_assets.core.header import Header
from rpsync_assets.core.lines import count_lines
from rpsync_assets.resources.landing import blocks

_CHUNK = 4 * 1024 * 1024
_ENOUGH_DIGITS = 6
"""Fewer digits than this stand in many lines: then counting to a line is quicker than looking for it."""


@dataclass(frozen=True)
class RawLine:
    """One line as sent; ``number`` is 0 until it is counted, which takes as long as reading up to it."""

    number: int
    text: str
    store_code: str = ""
    upc: str = ""
    offset: int = 0


@dataclass(frozen=True)
class RawFile:
    """A landed file and how it is to be read."""

    path: Path
    packing: Packing
    header: Header

    def holding(self, digits: str) -> list[RawLine]:
        """The lines whose UPC is these digits but for zeros before them and a spreadsheet's marks, at any code."""
        if self.packing.plain:
            with self._mapped() as mapped:
                found = [self._read(text, offset=offset) for offset, text in _lines_with(mapped, digits.encode())]
        else:
            found, before, inside = [], 0, False
            for block in blocks(self.path, start=0, packing=self.packing):
                for offset, text in _lines_with(block.data, digits.encode()):
                    lines, _ = count_lines(block.data[:offset], inside_quotes=inside)
                    found.append(self._read(text, number=before + lines + 1))
                ended, inside = count_lines(block.data, inside_quotes=inside)
                before += ended
        return [line for line in found if _digits_of(line.upc) == digits]

    def numbered(self, line: RawLine) -> RawLine:
        """A line with its number, the header being 1."""
        if line.number:
            return line
        number, inside = 1, False
        with self._mapped() as mapped:
            for start in range(0, line.offset, _CHUNK):
                piece = mapped[start : min(start + _CHUNK, line.offset)]
                ended, inside = count_lines(piece, inside_quotes=inside)
                number += ended
        return replace(line, number=number)

    def numbers(self, wanted: Sequence[tuple[int, str, str]]) -> dict[int, str]:
        """The texts of lines whose numbers are known: number, store code and UPC, each exactly as sent."""
        told: dict[int, str] = {}
        by_key: dict[tuple[str, str], list[int]] = {}
        for number, code, upc in wanted:
            by_key.setdefault((code, upc), []).append(number)
        for (code, upc), numbers in by_key.items():
            digits = _digits_of(upc)
            same = [
                line.text
                for line in (self.holding(digits) if len(digits) >= _ENOUGH_DIGITS else [])
                if (line.store_code, line.upc) == (code, upc)
            ]
            if len(same) != len(numbers):
                same = [self._counted(number) for number in sorted(numbers)]
            told |= dict(zip(sorted(numbers), same, strict=True))
        return told

    def _counted(self, number: int) -> str:
        """A line by its number alone."""
        left, inside = number - 1, False
        for piece in self._pieces():
            ended, still_inside = count_lines(piece, inside_quotes=inside)
            if ended >= left:
                return _record(piece, left, inside=inside)
            left, inside = left - ended, still_inside
        return ""

    def _read(self, text: str, *, number: int = 0, offset: int = 0) -> RawLine:
        fields = next(csv.reader([text], delimiter=self.header.separator), list[str]())
        names = self.header.names
        if len(fields) != len(names):
            return RawLine(number, text, offset=offset)
        code, upc = fields[names.index(self.header.store_code)], fields[names.index(self.header.upc)]
        return RawLine(number, text, code, upc, offset)

    @contextmanager
    def _mapped(self) -> Iterator[mmap.mmap]:
        with self.path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped

    def _pieces(self) -> Iterator[bytes]:
        """The text in pieces of whole lines, in UTF-8."""
        return (block.data for block in blocks(self.path, start=0, packing=self.packing))


def _lines_with(content: "mmap.mmap | bytes", needle: bytes) -> Iterator[tuple[int, str]]:
    """Lines that hold some bytes: where they begin, and their text."""
    place = content.find(needle)
    while place >= 0:
        start, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
        end = len(content) if end < 0 else end
        yield start, _text(content[start:end])
        place = content.find(needle, end)


def _record(piece: bytes, ended: int, *, inside: bool) -> str:
    """The record of a piece that begins when so many have ended; a line end inside quotes ends none."""
    if b'"' not in piece and not inside:
        return _text(piece.split(b"\n", ended)[ended].partition(b"\n")[0])
    record = b""
    for line in piece.splitlines(keepends=True):
        record = record + line if ended == 0 else b""
        inside ^= line.count(b'"') % 2 == 1
        if not inside:
            if ended == 0 and record:
                break
            ended -= 1
    return _text(record)


def _digits_of(upc: str) -> str:
    """The digits that ``core.gtin`` would read, without zeros before them; what it does not read stays as it is."""
    trimmed = upc.strip().strip("'=\"")
    whole, _, decimals = trimmed.partition(".")
    return (trimmed if decimals.strip("0") else whole).lstrip("0")


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r\n")
