"""Where Retail Pro's files land: kept as received, checksummed, read back in blocks.

Belongs here: bytes on our disk. Does not: SFTP (``resources/sftp``), what the bytes mean (``core/reader``).
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO

from rpsync_assets.core.encoding import Packing, Told, Unpacking, unpacked
from rpsync_assets.core.errors import BadFileError, SetupError
from rpsync_assets.core.header import header_end, old_mac
from rpsync_assets.core.lines import ASK_AGAIN, Block, LineCount, cut_block, records
from rpsync_assets.resources import line_marks
from rpsync_assets.resources.private import promoted

BLOCK_BYTES = 4 * 1024 * 1024
"""Measured on 2 cores: smaller blocks cost time, larger ones memory."""

MOST_RAW_LINES = 100_000
"""So many rejected lines are shown as they stood in the file; of more, the landed file has the rest."""

MOST_RAW_CHARACTERS = 2_000


@dataclass
class Arrival:
    """A sink that counts and checksums what flows into a landing file."""

    handle: BinaryIO
    size: int = 0
    last_byte: bytes = b""
    told: Told = "auto"
    count: LineCount = field(default_factory=LineCount)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self._unpacking = Unpacking(self.told)

    @property
    def packing(self) -> Packing:
        """How its text is packed; certain once ``finish`` was called."""
        return self._unpacking.packing

    def write(self, data: bytes) -> int:
        """Take the next bytes.

        Raises:
            BadFileError: as text they are damaged.
            SetupError: our own disk refuses them; said here, or it would look like the server's fault.
        """
        try:
            self.handle.write(data)
        except OSError as error:
            raise SetupError(
                f"The landing folder cannot be written: {error.strerror}", "Make room on the disk of the data folder"
            ) from error
        self._digest.update(data)
        self.size += len(data)
        for text in self._unpacking.feed(data):
            self._look_at(text)
        return len(data)

    def finish(self) -> None:
        """All bytes are here.

        Raises:
            BadFileError: as text they are cut or damaged.
        """
        for text in self._unpacking.finish():
            self._look_at(text)
        self.handle.flush()

    def _look_at(self, text: bytes) -> None:
        self.count.add(text)
        self.last_byte = text[-1:] or self.last_byte

    @property
    def sha256(self) -> str:
        """The checksum of all bytes so far."""
        return self._digest.hexdigest()

    @property
    def lines(self) -> int:
        """Lines so far, a last one without a line end included."""
        return self.count.ended + (1 if self.count.size and self.last_byte != b"\n" else 0)


@dataclass(frozen=True)
class Landing:
    """The folder of raw files, ``<day>/<store>/<name as sent>``."""

    folder: Path

    def path(self, day: date, store: str, name: str) -> Path:
        """Where a file of that name lies; the name is only ever its last part, whatever the server called it."""
        return self.folder / day.isoformat() / store / Path(name).name

    def set_aside(self, path: Path) -> Path | None:
        """Keep the bytes that lie under a name under a second one as well, before others take their place.

        Returns:
            ``<name>.<first digits of the checksum>``, or None when nothing lies there.
        """
        sha256 = checksum(path)
        if sha256 is None:
            return None
        aside = path.with_name(f"{path.name}.{sha256[:12]}")
        with suppress(FileExistsError):
            os.link(path, aside)
        return aside

    @contextmanager
    def receive(self, path: Path, told: Told = "auto") -> Iterator[Arrival]:
        """Take in a file: it lies under its own name only when the caller is content with what arrived."""
        with promoted(path) as handle:
            arrival = Arrival(handle, told=told)
            yield arrival
        if arrival.packing.plain:
            line_marks.keep(path, arrival.sha256, arrival.count.marks)


def checksum(path: Path) -> str | None:
    """The SHA-256 of a landed file, or None when there is none."""
    if not path.exists():
        return None
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def first_line(path: Path, packing: Packing = Packing()) -> bytes:  # noqa: B008  frozen
    """The header with its line end, in UTF-8; what says nothing and stands before it (``header_end``) included."""
    text = b""
    for piece in _text(path, packing):
        text += piece
        if end := header_end(text):
            return text[:end]
        if len(text) >= BLOCK_BYTES:
            if b"\r" in text and b"\n" not in text:
                raise old_mac()
            raise BadFileError(
                f"{path.name} has no line end in its first {BLOCK_BYTES} bytes", "Is it a CSV? " + ASK_AGAIN
            )
    return text


def blocks(
    path: Path,
    *,
    start: int,
    size: int = BLOCK_BYTES,
    packing: Packing = Packing(),  # noqa: B008  frozen
) -> Iterator[Block]:
    """The file from ``start`` on in blocks of whole lines, in UTF-8; a last line without a line end gets one.

    Args:
        path: the file.
        start: bytes of its text (in UTF-8) to leave out.
        size: of a block.
        packing: how the text is packed.

    Raises:
        BadFileError: a line (or a quoted field that never closes) longer than a block.
    """
    return _plain_blocks(path, start, size) if packing.plain else _unpacked_blocks(path, start, size, packing)


def raw_lines(path: Path, packing: Packing, sha256: str, numbers: Iterable[int]) -> dict[int, str]:
    """Some lines of a file as they stand there: the first ``MOST_RAW_LINES``, each cut at ``MOST_RAW_CHARACTERS``.

    Args:
        path: the file.
        packing: how its text is packed; what is packed has to be read up to the last of the lines.
        sha256: of the file, as it was written down.
        numbers: of the lines, the header's first being 1.

    Returns:
        Line number -> text without its line end, of those that the file has.
    """
    wanted = sorted(set(numbers))[:MOST_RAW_LINES]
    if packing.plain and wanted:
        found = line_marks.marked(path, sha256).lines(wanted)
    else:
        found = _unpacked_lines(path, packing, wanted)
    return {number: line.decode(errors="replace").rstrip("\r")[:MOST_RAW_CHARACTERS] for number, line in found.items()}


def _unpacked_lines(path: Path, packing: Packing, wanted: Sequence[int]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    first = 1
    for block in blocks(path, start=0, packing=packing):
        if len(found) == len(wanted):
            break
        lines = records(block.data)
        after = first + len(lines)
        while len(found) < len(wanted) and (number := wanted[len(found)]) < after:
            found[number] = lines[number - first]
        first = after
    return found


def _unpacked_blocks(path: Path, start: int, size: int, packing: Packing) -> Iterator[Block]:
    text, done = b"", start
    for piece in _text(path, packing):
        text += piece
        if start:
            text, start = text[start:], max(0, start - len(text))
        while len(text) >= size:
            block = cut_block(text[:size])
            if not block.data:
                raise _no_line_end(path, size, done)
            done += len(block.data)
            text = text[len(block.data) :]
            yield block
    while text:
        block = cut_block(text)
        if not block.data:
            yield Block.of(text + b"\n")
            return
        text = text[len(block.data) :]
        yield block


def _text(path: Path, packing: Packing) -> Iterator[bytes]:
    with path.open("rb") as handle:
        yield from unpacked(iter(lambda: handle.read(BLOCK_BYTES // 4), b""), packing)


def _no_line_end(path: Path, size: int, start: int) -> BadFileError:
    return BadFileError(
        f"{path.name} has no line end within {size} bytes from byte {start} on: a quote may be open", ASK_AGAIN
    )


def _plain_blocks(path: Path, start: int, size: int) -> Iterator[Block]:
    # Read into again and again: new memory for what is cut off anyway would cost more than the reading.
    buffer = bytearray(size)
    with path.open("rb", buffering=0) as handle:
        length = os.fstat(handle.fileno()).st_size
        while start < length:
            handle.seek(start)
            read = handle.readinto(buffer)
            piece = buffer if read == size else buffer[:read]
            block = cut_block(piece)
            if not block.data:
                if start + read < length:
                    raise _no_line_end(path, size, start)
                yield Block.of(bytes(piece) + b"\n")
                return
            start += len(block.data)
            yield block
