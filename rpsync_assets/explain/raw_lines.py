"""Finding a line in a landed file of hundreds of megabytes, at once.

Belongs here: by the digits of a UPC, or by number, without parsing the file. Does not: what became of the line.

A plain file is mapped into memory and searched by the C library (300 MB take 0.2 s), and what was searched is let go,
so that memory does not grow with the file; one that is packed is unpacked once for as long as it is looked at, which
takes seconds. Numbers are told by the marks that were set when the file arrived (``resources/line_marks``).
"""

import csv
import mmap
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from rpsync_assets.core import cells
from rpsync_assets.core.encoding import Packing
from rpsync_assets.core.header import Header
from rpsync_assets.resources.landing import blocks, raw_lines
from rpsync_assets.resources.line_marks import marked

_CHUNK = 4 * 1024 * 1024
_WINDOW = 32 * 1024 * 1024
"""Of a mapped file, as much as stays in memory at once; a whole number of pages on every system."""
_NO_DECIMALS = re.compile(r"[.,]0+$")


@dataclass(frozen=True)
class RawLine:
    """One line as sent; ``number`` is 0 until it is asked for."""

    offset: int
    text: str
    store_code: str = ""
    upc: str = ""
    number: int = 0


@dataclass(frozen=True)
class RawFile:
    """A landed file and how it is to be read."""

    path: Path
    packing: Packing
    header: Header
    sha256: str

    @cached_property
    def _unpacked(self) -> IO[bytes]:
        """What is packed, unpacked once: a report looks for dozens of lines."""
        copy = NamedTemporaryFile(prefix="rpsync-")  # noqa: SIM115  closed by ``close``
        for block in blocks(self.path, start=0, packing=self.packing):
            copy.write(block.data)
        copy.flush()
        return copy

    @property
    def _plain(self) -> Path:
        return self.path if self.packing.plain else Path(self._unpacked.name)

    def close(self) -> None:
        """Let go of what was unpacked."""
        if "_unpacked" in self.__dict__:
            self._unpacked.close()

    def holding(self, digits: str) -> list[RawLine]:
        """The lines whose UPC is these digits but for zeros before them and a spreadsheet's marks, at any code."""
        with self._mapped() as mapped:
            found = [self._read(text, start) for start, text in self._records_with(mapped, digits)]
        return [line for line in found if _digits_of(line.upc) == digits]

    def _records_with(self, content: mmap.mmap, digits: str) -> Iterator[tuple[int, str]]:
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
        return replace(line, number=marked(self._plain, self.sha256).number_at(line.offset))

    def numbers(self, wanted: Iterable[int]) -> dict[int, str]:
        """The texts of lines whose numbers are known."""
        return raw_lines(self._plain, Packing(), self.sha256, wanted)

    def _read(self, text: str, offset: int) -> RawLine:
        fields, names = self._fields(text), self.header.names
        if len(fields) != len(names):
            return RawLine(offset, text)
        return RawLine(offset, text, fields[names.index(self.header.store_code)], fields[names.index(self.header.upc)])

    @contextmanager
    def _mapped(self) -> Iterator[mmap.mmap]:
        with self._plain.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped


def _lines_with(content: mmap.mmap, needle: bytes) -> Iterator[tuple[int, int]]:
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


def _let_go(content: mmap.mmap, start: int, end: int) -> None:
    """Pages of a mapped file count as this process's memory until somebody else needs it; the file stays cached."""
    content.madvise(mmap.MADV_DONTNEED, start, min(end, len(content)) - start)


def _record_around(content: mmap.mmap, start: int, end: int, *, inside: bool) -> tuple[int, int]:
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


def _times(content: mmap.mmap, what: bytes, start: int, end: int) -> int:
    times = 0
    for at in range(start, end, _CHUNK):
        times += content[at : min(at + _CHUNK, end)].count(what)
        page = at - at % mmap.ALLOCATIONGRANULARITY
        _let_go(content, page, at + _CHUNK)
    return times


def _digits_of(upc: str) -> str:
    """The digits that ``core.gtin`` would read, without zeros before them; what it does not read stays as it is."""
    trimmed = upc.strip(cells.SPACES + cells.INVISIBLE + "'=\"")
    return _NO_DECIMALS.sub("", trimmed).lstrip("0")


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r\n")
