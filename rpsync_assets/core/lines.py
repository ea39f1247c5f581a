"""Where the lines of a CSV end, told from its bytes alone.

Belongs here: line ends in and outside quotes, blocks of whole lines, marks from which a line is found again, quotes
that stand where none may. Does not: what a line's fields are (``core/reader``). Counting here shares no code with the
CSV parser, so that one can be held against the other.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from rpsync_assets.core.errors import BadFileError

ASK_AGAIN = "Ask Retail Pro to export and send the file again"
MARK_EVERY_BYTES = 256 * 1024
"""How much lies between two marks, about: what is read again to find one line."""

_ALL_ELSE = bytes(byte for byte in range(256) if byte not in b'"\n')


@dataclass(frozen=True)
class Block:
    """Some whole lines of a file, and how many quotes stand in them (counted anyway, to find where a line ends)."""

    data: bytes
    quotes: int

    @classmethod
    def of(cls, data: bytes) -> "Block":
        """A block of bytes that are known to end with a line end."""
        return cls(data, data.count(b'"'))


def cut_block(piece: bytes | bytearray) -> Block:
    """The whole lines at the start of a piece of a file: up to the last line end outside quotes; empty if none ends.

    They are copied: the piece may be read into again.
    """
    quotes = piece.count(b'"')
    end = piece.rfind(b"\n")
    tail = len(piece)
    while end >= 0:
        quotes -= piece.count(b'"', end, tail)
        if quotes % 2 == 0:
            return Block(bytes(memoryview(piece)[: end + 1]), quotes)
        tail = end
        end = piece.rfind(b"\n", 0, end)
    return Block(b"", 0)


def count_lines(block: bytes, *, inside_quotes: bool = False) -> tuple[int, bool]:
    """How many records end in a block, and whether the block ends inside quotes.

    This is the independent count that ``raw = kept + inactive + rejected`` is held against: it shares no code with
    the CSV parser.
    """
    if b'"' not in block:
        return (0 if inside_quotes else block.count(b"\n")), inside_quotes
    # Quotes and line ends alone; of these, a field that opens and closes within its line changes nothing.
    pieces = block.translate(None, _ALL_ELSE).replace(b'""', b"").split(b'"')
    outside = pieces[1::2] if inside_quotes else pieces[::2]
    return sum(map(len, outside)), inside_quotes ^ (len(pieces) % 2 == 0)


class Mark(NamedTuple):
    """A place in a text: its byte, the records that have ended before it, and whether it is inside quotes."""

    offset: int = 0
    ended: int = 0
    inside_quotes: bool = False


@dataclass
class LineCount:
    """The records of a text that comes in pieces of any size, and marks from which each is found again."""

    size: int = 0
    ended: int = 0
    inside_quotes: bool = False
    marks: list[Mark] = field(default_factory=lambda: [Mark()])

    def add(self, piece: bytes) -> None:
        """Count the next piece."""
        if self.size - self.marks[-1].offset >= MARK_EVERY_BYTES:
            self.marks.append(Mark(self.size, self.ended, self.inside_quotes))
        ended, self.inside_quotes = count_lines(piece, inside_quotes=self.inside_quotes)
        self.ended += ended
        self.size += len(piece)


def records(block: bytes) -> list[bytes]:
    """The lines of a block as they stand there, without their line feeds; a line end inside quotes ends none."""
    lines = block.split(b"\n")
    one_each = len(lines) - 1 == count_lines(block)[0]
    if not lines[-1]:
        lines.pop()
    if one_each:
        return lines
    whole: list[bytes] = []
    begun: list[bytes] = []
    inside = False
    for line in lines:
        begun.append(line)
        inside ^= line.count(b'"') % 2 == 1
        if not inside:
            whole.append(b"\n".join(begun))
            begun.clear()
    return [*whole, b"\n".join(begun)] if begun else whole


def stray_quote(block: bytes, separator: str, first_line: int) -> BadFileError | None:
    """The error that names the first line with a quote inside a field, or one that is never closed.

    ``27" TV`` on one line and ``30" TV`` on the next would make the two lines one, and the second product's count
    would be gone without a word.
    """
    if b'"' not in block:
        return None
    # Each quoted stretch becomes one mark, which may only stand between separators and line ends. An exporter's space
    # before a quote is let pass.
    pieces = block.split(b'"')
    never_closed = [b""] if len(pieces) % 2 == 0 else []
    marked = b"\n" + b'"'.join(pieces[::2] + never_closed).replace(b' "', b'"')
    mark = re.escape(separator.encode())
    found = [re.search(rb'"(?<![%b\n"]")' % mark, marked), re.search(rb'" *[^%b\r\n" ]' % mark, marked)]
    places = [match.start() for match in found if match]
    if not places and never_closed:
        number = first_line + count_lines(block[: block.rfind(b'"')])[0]
        return BadFileError(
            f"Line {number} has a quote that is never closed", f"The file was cut or damaged. {ASK_AGAIN}"
        )
    if not places:
        return None
    number = first_line + marked.count(b"\n", 1, min(places))
    return BadFileError(
        f"Line {number} has a quote inside a field: which lines it encloses cannot be told",
        f"A quote encloses a whole field; inside one it is written twice. {ASK_AGAIN}",
    )
