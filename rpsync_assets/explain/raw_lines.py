"""Finding a line in a landed file of hundreds of megabytes, at once.

Belongs here: by the digits of a UPC, or by number, without parsing the file. Does not: what became of the line.

A plain file is mapped into memory and searched by the C library (300 MB take 0.2 s), and what was searched is let go,
so that memory does not grow with the file; one that is packed has to be unpacked first, which takes seconds. Whoever
asks for many lines of a plain file has its lines counted once (``mark_lines``) and then reads a block for each.
"""

import csv
import mmap
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rpsync_assets.core import cells
from rpsync_assets.core.encoding import Packing
from rpsync_assets.core.header import Header
from rpsync_assets.core.lines import count_lines, records
from rpsync_assets.resources.landing import blocks

_CHUNK = 4 * 1024 * 1024
_WINDOW = 32 * 1024 * 1024
"""Of a mapped file, as much as stays in memory at once; a whole number of pages on every system."""
_NO_DECIMALS = re.compile(r"[.,]0+$")
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
    """A landed file and how it is to be read; ``lines`` were counted when it arrived, its header's included."""

    path: Path
    packing: Packing
    header: Header
    lines: int = 0
    _marks: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]], compare=False)

    def mark_lines(self) -> None:
        """Count the lines of a plain file: at which number and byte each block of whole lines begins."""
        if self._marks or not self.packing.plain:
            return
        number = offset = 0
        for block in blocks(self.path, start=0, size=_CHUNK):
            self._marks.append((number, offset))
            number, offset = number + count_lines(block.data)[0], offset + len(block.data)

    def _marked(self, mark: int) -> bytes:
        """The block that begins at a mark."""
        begins = self._marks[mark][1]
        size = self._marks[mark + 1][1] - begins if mark + 1 < len(self._marks) else -1
        with self.path.open("rb") as handle:
            handle.seek(begins)
            return handle.read(size)

    def holding(self, digits: str) -> list[RawLine]:
        """The lines whose UPC is these digits but for zeros before them and a spreadsheet's marks, at any code."""
        if self.packing.plain:
            with self._mapped() as mapped:
                found = [self._read(text, offset=start) for start, text in self._records_with(mapped, digits)]
        else:
            found, before = [], 0
            # A block holds whole records.
            for block in blocks(self.path, start=0, packing=self.packing):
                for start, text in self._records_with(block.data, digits):
                    lines, _ = count_lines(block.data[:start])
                    found.append(self._read(text, number=before + lines + 1))
                before += count_lines(block.data)[0]
        return [line for line in found if _digits_of(line.upc) == digits]

    def _records_with(self, content: "mmap.mmap | bytes", digits: str) -> Iterator[tuple[int, str]]:
        """Records that hold some digits: where they begin, and their text. A quoted field may hold line ends."""
        counted, quotes, told = 0, 0, -1
        for start, end in _lines_with(content, digits.encode()):
            first, last = start, end
            if len(self._fields(_text(content[start:end]))) != len(self.header.names):
                quotes += _times(content, b'"', counted, start)
                counted = start
                first, last = _record_around(content, start, end, inside=quotes % 2 == 1)
            if first > told:
                yield first, _text(content[first:last])
                told = first

    def _fields(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self.header.separator), list[str]())
        except csv.Error:
            return []

    def numbered(self, line: RawLine) -> RawLine:
        """A line with its number, the header being 1."""
        if line.number:
            return line
        if self._marks:
            mark = bisect_right(self._marks, line.offset, key=lambda one: one[1]) - 1
            before, begins = self._marks[mark]
            ended, _ = count_lines(self._marked(mark)[: line.offset - begins])
            return replace(line, number=before + ended + 1)
        with self._mapped() as mapped:
            before, after = (_times(mapped, b"\n", *ends) for ends in ((0, line.offset), (line.offset, len(mapped))))
            # As many line ends as lines: none is inside quotes, and telling them apart would take three times as long.
            if before + after + (mapped[-1:] != b"\n") == self.lines:
                return replace(line, number=before + 1)
            number, inside = 1, False
            for start in range(0, line.offset, _CHUNK):
                piece = mapped[start : min(start + _CHUNK, line.offset)]
                ended, inside = count_lines(piece, inside_quotes=inside)
                number += ended
        return replace(line, number=number)

    def numbers(self, wanted: Sequence[tuple[int, str, str]]) -> dict[int, str]:
        """The texts of lines whose numbers are known: number, store code and UPC, each exactly as sent."""
        if self._marks:
            return {number: self._counted(number) for number, _, _ in wanted}
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
        if self._marks:
            mark = bisect_right(self._marks, number - 1, key=lambda one: one[0]) - 1
            of_block = records(self._marked(mark))
            left = number - 1 - self._marks[mark][0]
            return _text(of_block[left]) if left < len(of_block) else ""
        left, inside = number - 1, False
        for piece in self._pieces():
            ended, still_inside = count_lines(piece, inside_quotes=inside)
            if ended >= left:
                return _record(piece, left, inside=inside)
            left, inside = left - ended, still_inside
        return ""

    def _read(self, text: str, *, number: int = 0, offset: int = 0) -> RawLine:
        fields, names = self._fields(text), self.header.names
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


def _lines_with(content: "mmap.mmap | bytes", needle: bytes) -> Iterator[tuple[int, int]]:
    """Lines that hold some bytes: where they begin and end."""
    end = 0
    for window in range(0, len(content), _WINDOW):
        # Bytes that begin in this window may end in the next.
        last = min(window + _WINDOW + len(needle) - 1, len(content))
        while (place := content.find(needle, max(window, end), last)) >= 0:
            start, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
            end = len(content) if end < 0 else end
            yield start, end
        _let_go(content, window, window + _WINDOW)


def _let_go(content: "mmap.mmap | bytes", start: int, end: int) -> None:
    """Pages of a mapped file count as this process's memory until somebody else needs it; the file stays cached."""
    if isinstance(content, mmap.mmap):
        content.madvise(mmap.MADV_DONTNEED, start, min(end, len(content)) - start)


def _record_around(content: "mmap.mmap | bytes", start: int, end: int, *, inside: bool) -> tuple[int, int]:
    """Where the record begins and ends that a line is part of; ``inside``: a quote is open where the line begins."""
    while inside and start:
        before = content.rfind(b"\n", 0, start - 1) + 1
        inside ^= content[before:start].count(b'"') % 2 == 1
        start = before
    quotes = content[start:end].count(b'"')
    while quotes % 2 and end < len(content):
        after = content.find(b"\n", end + 1)
        after = len(content) if after < 0 else after
        quotes += content[end:after].count(b'"')
        end = after
    return start, end


def _times(content: "mmap.mmap | bytes", what: bytes, start: int, end: int) -> int:
    times = 0
    for at in range(start, end, _CHUNK):
        times += content[at : min(at + _CHUNK, end)].count(what)
        page = at - at % mmap.ALLOCATIONGRANULARITY
        _let_go(content, page, at + _CHUNK)
    return times


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
    trimmed = upc.strip(cells.SPACES + cells.INVISIBLE + "'=\"")
    return _NO_DECIMALS.sub("", trimmed).lstrip("0")


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r\n")
