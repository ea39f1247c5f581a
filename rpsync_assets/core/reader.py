"""The bytes of Retail Pro's file -> rows of text. Every line is a row; nothing is guessed, nothing is skipped.

Belongs here: fields, line numbers, and the proof that every line has every field. Does not: the header
(``core/header``), judging values (``core/reset``) or opening files (``resources/landing``).

Values stay text (design.md section 4, "CSV is read as text"): inference drops a UPC's leading zero, and a file cut
inside its last number reads ``10`` as ``1``. The file is read in blocks that end at a line end, so memory does not grow
with the file. polars fills a short line up with empty fields and lets a stray quote swallow the next line without a
word. Therefore the bytes of every block must add up, and a block in which they do not is looked at line by line.
"""

import codecs

import polars as pl

from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.header import Header
from rpsync_assets.core.lines import ASK_AGAIN, Block, count_lines, records, stray_quote

ROW_SCHEMA = {"line_number": pl.UInt32, "store_code": pl.String, "upc": pl.String, "quantity": pl.String}
HOLE = bytes(512)
"""What a sector that was never written reads as: whole lines may be gone in it. Shorter runs pad a field."""


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
    if b"\0" in data and (hole := data.find(HOLE)) >= 0:
        number = first_line + count_lines(data[:hole])[0]
        raise BadFileError(
            f"Line {number} has a hole: {len(HOLE)} zero bytes and more stand where text was lost",
            f"The disk of the sender was full, or the file was damaged on its way. {ASK_AGAIN}",
        )
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
    # Of two kinds of line ends, or a mark that polars swallows, the bytes could make up for others that are missing.
    crlf = data.count(b"\r\n") if b"\r" in data else 0
    line_end = 2 if crlf else 1
    *lengths, shortest_last = frame.select(
        pl.all().str.len_bytes().sum(), shortest_last=pl.col(names[-1]).str.len_bytes().min()
    ).row(0)
    values = sum(lengths)
    adds_up = (
        len(data) == values + frame.height * (len(names) - 1 + line_end) + block.quotes
        and crlf in {0, frame.height}
        and not data.startswith(codecs.BOM_UTF8)
    )
    if not adds_up or shortest_last == 0:
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
    if (stray := stray_quote(block, header.separator, first_line)) is not None:
        return stray
    # No parsed line is too long, so with this many separators none is too short.
    outside_quotes = b"".join(block.split(b'"')[::2])
    if rows is not None and outside_quotes.count(header.separator.encode()) == rows * (len(header.names) - 1):
        return None
    return _torn_line(block, header, first_line)


def _torn_line(block: bytes, header: Header, first_line: int) -> BadFileError | None:
    """The error that names the first line with a wrong number of fields; None if only blank lines differ."""
    wanted = len(header.names)
    for number, line in enumerate(records(block), first_line):
        fields = b"".join(line.split(b'"')[::2]).count(header.separator.encode()) + 1
        if line.strip() and fields != wanted:
            text = line.decode(errors="replace").rstrip("\r").replace(header.separator, " | ")
            return BadFileError(
                f"Line {number} has {fields} fields where the header has {wanted}: {_excerpt(text)}",
                f"The file was cut or damaged on its way. {ASK_AGAIN}",
            )
    return None


def _excerpt(text: str, limit: int = 60) -> str:
    """A line for a message: short enough to read, quoted so that spaces show."""
    return repr(text if len(text) <= limit else text[:limit] + "...")
