"""The first line of Retail Pro's file -> which column is which.

Belongs here: the separator, the names that exports use, and what may stand before the header. Does not: rows
(``core/reader``).
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass

from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.lines import ASK_AGAIN, stray_quote

SEPARATORS = (",", ";", "|", "\t")
ALIASES = {
    "store_code": ("store_code", "facility_id", "store", "store_no", "store_num", "store_number", "glob_store_code"),
    "upc": ("upc", "upca", "local_upc", "upc_code", "barcode", "ean", "gtin", "id_value"),
    "quantity": ("qty", "quantity", "on_hand", "qty_on_hand", "on_hand_qty", "qoh", "available_qty"),
}
"""What exports call the three columns (domain.md 4); the first name goes before the others."""


@dataclass(frozen=True)
class ColumnMap:
    """The names of the three columns we need, as the store's export spells them; None: one of ``ALIASES``.

    Case, spaces, underscores, hyphens, points and number signs do not matter.
    """

    store_code: str | None = None
    upc: str | None = None
    quantity: str | None = None


@dataclass(frozen=True)
class Header:
    """The file's header, understood.

    Attributes:
        names: the columns, in lower case.
        separator: what stands between values.
        lines: the number of the header's line; 1 but where blank lines or Excel's ``sep=;`` stand before it.
        store_code: one of ``names``, as are the next two.
    """

    names: tuple[str, ...]
    separator: str
    store_code: str
    upc: str
    quantity: str
    lines: int = 1

    @property
    def needed(self) -> tuple[str, str, str]:
        """The names of the three columns we need."""
        return self.store_code, self.upc, self.quantity


_NO_HEADER_YET = re.compile(rb'(?:\xef\xbb\xbf)*[^\S\n]*(?:("?)sep=([\t!#-/:-@\[-`{-~])\1[^\S\n]*)?\n', re.IGNORECASE)
"""Before the header, a blank line and Excel's ``sep=;`` say nothing that is lost."""


def header_end(text: bytes) -> int:
    """Where the header ends, with blank lines and Excel's ``sep=;`` before it and its line end; 0 if it does not yet.

    Args:
        text: the beginning of a file, in UTF-8.
    """
    start, end, quotes = 0, text.find(b"\n"), 0
    while end >= 0:
        quotes += text.count(b'"', start, end)
        if quotes % 2 == 0 and not _NO_HEADER_YET.fullmatch(text, start, end + 1):
            return end + 1
        start, end = end + 1, text.find(b"\n", end + 1)
    return 0


def read_header(text: bytes, columns: ColumnMap, separator: str | None = None) -> Header:
    """Find the separator and the mapped columns in the header of a file.

    Args:
        text: up to ``header_end``; UTF-8, with or without a byte order mark.
        columns: what the store's settings call them.
        separator: what the settings say; None: the one by which the columns are found.

    Raises:
        BadFileError: a mapped column is missing or stands there twice, or the line is not text.
    """
    lines = 1
    while before := _NO_HEADER_YET.match(text):
        separator = separator or (before[2] or b"").decode(errors="replace") or None
        text, lines = text[before.end() :], lines + 1
    try:
        line = text.decode().lstrip("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BadFileError(
            f"The first line is not UTF-8 text (byte {error.start})", "Is this the right file? " + ASK_AGAIN
        ) from error
    if re.search("\r(?!\n)", line):
        raise old_mac()
    likely = sorted((separator,) if separator else SEPARATORS, key=line.count, reverse=True)
    headers = [_header(line, one, columns, lines) for one in likely]
    found = next((header for header in headers if isinstance(header, Header)), headers[0])
    if isinstance(found, BadFileError):
        raise found
    return found


def old_mac() -> BadFileError:
    """The file has line ends of a kind that we do not read."""
    return BadFileError("The file's lines end with CR alone, as on an old Mac", "Ask for LF or CRLF line ends")


def _header(text: str, separator: str, columns: ColumnMap, lines: int) -> Header | BadFileError:
    if (stray := stray_quote(text.encode() + b"\n", separator, lines)) is not None:
        return stray
    try:
        spelled = [name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [""])]
    except csv.Error as error:
        return BadFileError(f"The header cannot be read as CSV ({error})", "Is this the right file? " + ASK_AGAIN)
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
    return Header(names, separator, *found, lines=lines)


def _unusable(what: str, spelled: list[str]) -> BadFileError:
    told = ", ".join(spelled) or "empty"
    return BadFileError(
        f"{what}; the header is {told if len(told) <= 300 else told[:300] + ' and more'}",
        "Set [stores.<store>.columns] in rpsync.toml to the names of this export, or ask for the usual export",
    )


def _word(name: str) -> str:
    """A column's name without what does not matter in it."""
    return re.sub(r"[\s_.#\u200b\u2060\ufeff-]+", "", unicodedata.normalize("NFKC", name)).casefold()
