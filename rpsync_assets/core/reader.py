"""The bytes of Retail Pro's file -> rows of text. Every line is a row; nothing is guessed, nothing is skipped.

Belongs here: header, separators, quoting, line numbers, and the proof that every line has every field. Does not:
judging values (``core/reset``) or opening files (``resources/landing``).

Values stay text (design.md section 4, "CSV is read as text"): inference drops a UPC's leading zero, and a file cut
inside its last number reads ``10`` as ``1``. The file is read in blocks that end at a line end, so memory does not grow
with the file. polars fills a short line up with empty fields and lets a stray quote swallow the next line without a
word. Therefore the bytes of every block must add up, and a block in which they do not is looked at line by line.
"""

import csv
import io
import re
from dataclasses import dataclass

import polars as pl

from rpsync_assets.core.errors import BadFileError

SEPARATORS = (",", ";", "|", "\t")
ROW_SCHEMA = {"line_number": pl.UInt32, "store_code": pl.String, "upc": pl.String, "quantity": pl.String}
ASK_AGAIN = "Ask Retail Pro to export and send the file again"


ALIASES = {
    "store_code": ("store_code", "facility_id", "store", "store_no", "store_num", "store_number", "glob_store_code"),
    "upc": ("upc", "upca", "local_upc", "upc_code", "barcode", "ean", "gtin", "id_value"),
    "quantity": ("qty", "quantity", "on_hand", "qty_on_hand", "on_hand_qty", "qoh", "available_qty"),
}
"""What exports call the three columns (domain.md 4); the first name goes before the others."""


@dataclass(frozen=True)
class ColumnMap:
    """The names of the three columns we need, as the store's export spells them; None: one of ``ALIASES``.

    Case, spaces, underscores and hyphens do not matter.
    """

    store_code: str | None = None
    upc: str | None = None
    quantity: str | None = None


@dataclass(frozen=True)
class Header:
    """The file's first line, understood.

    Attributes:
        names: the columns, in lower case.
        separator: what stands between values.
        store_code: one of ``names``, as are the next two.
    """

    names: tuple[str, ...]
    separator: str
    store_code: str
    upc: str
    quantity: str

    @property
    def needed(self) -> tuple[str, str, str]:
        """The names of the three columns we need."""
        return self.store_code, self.upc, self.quantity


def read_header(line: bytes, columns: ColumnMap, separator: str | None = None) -> Header:
    """Find the separator and the mapped columns in the first line of a file.

    Args:
        line: UTF-8, with or without a byte order mark.
        columns: what the store's settings call them.
        separator: what the settings say; None: the one by which the columns are found.

    Raises:
        BadFileError: a mapped column is missing or stands there twice, or the line is not text.
    """
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BadFileError(
            f"The first line is not UTF-8 text (byte {error.start})", "Is this the right file? " + ASK_AGAIN
        ) from error
    if "\r" in text:
        raise BadFileError("The file's lines end with CR alone, as on an old Mac", "Ask for LF or CRLF line ends")
    likely = sorted((separator,) if separator else SEPARATORS, key=text.count, reverse=True)
    headers = [_header(text, one, columns) for one in likely]
    found = next((header for header in headers if isinstance(header, Header)), headers[0])
    if isinstance(found, BadFileError):
        raise found
    return found


def _header(text: str, separator: str, columns: ColumnMap) -> Header | BadFileError:
    spelled = [name.strip() for name in next(csv.reader([text], delimiter=separator), list[str]())]
    names = tuple(name.casefold() for name in spelled)
    words = [_word(name) for name in spelled]
    found: list[str] = []
    for wanted, named in vars(columns).items():
        aliases = [named] if named else ALIASES[wanted]
        there = [_word(alias) for alias in aliases if _word(alias) in words]
        # The usual name goes before the others; two unusual ones are not chosen between.
        if len(there) > 1 and there[0] != _word(aliases[0]):
            return _unusable(f"Columns {' and '.join(there)} could both be '{aliases[0]}'", spelled)
        if not there or words.count(there[0]) != 1:
            times = words.count(there[0]) if there else 0
            return _unusable(f"Column '{aliases[0]}' stands {times} times in the header, once is needed", spelled)
        found.append(names[words.index(there[0])])
    return Header(names, separator, *found)


def _unusable(what: str, spelled: list[str]) -> BadFileError:
    return BadFileError(
        f"{what}; the header is {', '.join(spelled) or 'empty'}",
        "Set [stores.<store>.columns] in rpsync.toml to the names of this export, or ask for the usual export",
    )


def _word(name: str) -> str:
    """A column's name without what does not matter in it."""
    return re.sub(r"[\s_-]+", "", name).casefold()


@dataclass(frozen=True)
class Block:
    """Some whole lines of a file, and how many quotes stand in them (counted anyway, to find where a line ends)."""

    data: bytes
    quotes: int

    @classmethod
    def of(cls, data: bytes) -> "Block":
        """A block of bytes that are known to end with a line end."""
        return cls(data, data.count(b'"'))


def cut_block(piece: bytes) -> Block:
    """The whole lines at the start of a piece of a file: up to the last line end outside quotes; empty if none ends."""
    quotes = piece.count(b'"')
    end = piece.rfind(b"\n")
    tail = len(piece)
    while end >= 0:
        quotes -= piece.count(b'"', end, tail)
        if quotes % 2 == 0:
            return Block(piece if end + 1 == len(piece) else piece[: end + 1], quotes)
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
    pieces = block.split(b'"')
    outside = pieces[1::2] if inside_quotes else pieces[::2]
    return sum(piece.count(b"\n") for piece in outside), inside_quotes ^ (len(pieces) % 2 == 0)


def read_block(block: Block, header: Header, first_line: int) -> pl.DataFrame:
    """Rows of a block of whole lines (without the header line).

    Args:
        block: whole lines.
        header: the file's header.
        first_line: the number of the block's first line in the file, the header being line 1.

    Returns:
        ``ROW_SCHEMA``; the three values as text exactly as sent.

    Raises:
        BadFileError: a line has too few or too many fields, a quote inside a field, or one that is never closed.
    """
    data = block.data
    names = [str(place) for place in range(len(header.names))]
    # polars takes the number of columns from the first line, which must then not be a blank one.
    first_line_end = data.find(b"\n")
    starts_blank = not data[:first_line_end].strip()
    first = header.separator.join(names).encode() + b"\n" if starts_blank else b""
    try:
        # All columns, although three are needed: asked for some, polars lets a line with too many fields pass.
        frame = pl.read_csv(
            first + data if first else data,
            has_header=starts_blank,
            schema=dict.fromkeys(names, pl.String),
            separator=header.separator,
            empty_string_is_null=False,
        )
    except pl.exceptions.PolarsError as error:
        unreadable = BadFileError(
            f"Lines {first_line} and after cannot be read as CSV ({str(error).splitlines()[0]})", ASK_AGAIN
        )
        raise _damage(data, header, first_line, rows=None) or unreadable from error
    # The bytes must add up: all values, a separator or line end after each, and the quotes around some. If they do not,
    # or if a last value is missing, a line may be cut or have swallowed another: then the block is looked at closely.
    line_end = 2 if data[first_line_end - 1 : first_line_end] == b"\r" else 1
    values = sum(frame.select(pl.all().str.len_bytes().sum()).row(0))
    adds_up = len(data) == values + frame.height * (len(names) - 1 + line_end) + block.quotes
    if not adds_up or bool((frame[names[-1]] == "").any()):
        damage = _damage(data, header, first_line, rows=frame.height)
        if damage is not None:
            raise damage
    store_code, upc, quantity = (names[header.names.index(name)] for name in header.needed)
    return frame.select(
        pl.int_range(first_line, first_line + frame.height, dtype=pl.UInt32).alias("line_number"),
        pl.col(store_code).alias("store_code"),
        pl.col(upc).alias("upc"),
        pl.col(quantity).alias("quantity"),
    )


def _damage(block: bytes, header: Header, first_line: int, *, rows: int | None) -> BadFileError | None:
    """The error that names the first damaged line of a block, or None when there is none; ``rows`` if it was parsed."""
    if (stray := _stray_quote(block, header, first_line)) is not None:
        return stray
    # No parsed line is too long, so with this many separators none is too short.
    outside_quotes = b"".join(block.split(b'"')[::2])
    if rows is not None and outside_quotes.count(header.separator.encode()) == rows * (len(header.names) - 1):
        return None
    return _torn_line(block, header, first_line)


def _stray_quote(block: bytes, header: Header, first_line: int) -> BadFileError | None:
    """The error that names the first line with a quote inside a field.

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
    separator = re.escape(header.separator.encode())
    found = [re.search(rb'"(?<![%b\n"]")' % separator, marked), re.search(rb'" *[^%b\r\n" ]' % separator, marked)]
    places = [match.start() for match in found if match]
    if not places:
        return None
    number = first_line + marked.count(b"\n", 1, min(places))
    return BadFileError(
        f"Line {number} has a quote inside a field: which lines it encloses cannot be told",
        f"A quote encloses a whole field; inside one it is written twice. {ASK_AGAIN}",
    )


def _torn_line(block: bytes, header: Header, first_line: int) -> BadFileError | None:
    """The error that names the first line with a wrong number of fields; None if only blank lines differ."""
    text = block.decode("utf-8", errors="replace")
    wanted = len(header.names)
    for number, fields in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=header.separator), first_line):
        blank = not "".join(fields).strip() and len(fields) < 2
        if not blank and len(fields) != wanted:
            return BadFileError(
                f"Line {number} has {len(fields)} fields where the header has {wanted}: {_excerpt(fields)}",
                f"The file was cut or damaged on its way. {ASK_AGAIN}",
            )
    return None


def _excerpt(fields: list[str], limit: int = 60) -> str:
    """A line for a message: short enough to read, quoted so that spaces show."""
    text = " | ".join(fields)
    return repr(text if len(text) <= limit else text[:limit] + "...")
