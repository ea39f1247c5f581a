"""Lines of a landed file by their number, and numbers of lines by their place, without reading what stands before them.

Belongs here: the marks that were set while the file arrived, kept beside it, and what they are good for. Does not:
counting (``core/lines``), lines by what stands in them (``explain/raw_lines``), packed files, of which no byte can be
found without the ones before it (``resources/landing``).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from rpsync_assets.core.lines import MARK_EVERY_BYTES, LineCount, Mark, count_lines, records
from rpsync_assets.resources.private import promoted

_SUFFIX = ".lines"
_OF = "sha256"
"""The Parquet file's own note of the content that the marks are of: a file of that name may be sent again."""
_SCHEMA = {"offset": pl.Int64, "ended": pl.Int64, "inside_quotes": pl.Boolean}


@dataclass(frozen=True)
class MarkedFile:
    """A file of plain UTF-8, and marks in it: the first at its start."""

    path: Path
    marks: Sequence[Mark]

    def number_at(self, offset: int) -> int:
        """The number of the record that the byte is part of, the header's first being 1."""
        mark = self.marks[bisect_right(self.marks, offset, key=lambda one: one.offset) - 1]
        ended, _ = count_lines(self._between(mark.offset, offset), inside_quotes=mark.inside_quotes)
        return mark.ended + ended + 1

    def lines(self, numbers: Iterable[int]) -> dict[int, bytes]:
        """Records by their numbers, without their line feeds; those that the file has, in order."""
        found: dict[int, bytes] = {}
        at, there = (-1, -1), list[bytes]()
        for number in sorted(numbers):
            # It begins after a mark before which one fewer has not ended yet, and has ended at a later one.
            first = max(bisect_left(self.marks, number - 1, key=lambda one: one.ended) - 1, 0)
            last = bisect_left(self.marks, number, lo=first, key=lambda one: one.ended)
            if at != (first, last):
                at, there = (first, last), self._records(first, last)
            place = number - self.marks[first].ended - 1
            if place < len(there):
                found[number] = there[place]
        return found

    def _records(self, first: int, last: int) -> list[bytes]:
        """What stands between two marks; of the record that is under way at the first one, the rest."""
        mark = self.marks[first]
        text = self._between(mark.offset, self.marks[last].offset if last < len(self.marks) else None)
        return records(b'"' + text if mark.inside_quotes else text)

    def _between(self, start: int, end: int | None) -> bytes:
        with self.path.open("rb") as handle:
            handle.seek(start)
            return handle.read(-1 if end is None else end - start)


def keep(path: Path, sha256: str, marks: Sequence[Mark]) -> None:
    """Keep a file's marks beside it; one that has only its start is quickly counted again."""
    if len(marks) > 1:
        with promoted(_beside(path)) as handle:
            pl.DataFrame(marks, schema=_SCHEMA, orient="row").write_parquet(handle, metadata={_OF: sha256})


@lru_cache(maxsize=16)
def marked(path: Path, sha256: str) -> MarkedFile:
    """A file with its marks: those that were kept of this content, else set now."""
    beside = _beside(path)
    if beside.exists() and pl.read_parquet_metadata(beside).get(_OF) == sha256:
        return MarkedFile(path, [Mark(*row) for row in pl.read_parquet(beside).iter_rows()])
    count = LineCount()
    with path.open("rb") as handle:
        while piece := handle.read(MARK_EVERY_BYTES):
            count.add(piece)
    return MarkedFile(path, count.marks)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _SUFFIX)
