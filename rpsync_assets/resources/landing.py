"""Where Retail Pro's files land: kept as received, checksummed, read back in blocks.

Belongs here: bytes on our disk. Does not: SFTP (``resources/sftp``), what the bytes mean (``core/reader``).
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO

from rpsync_assets.core.errors import BadFileError, SetupError
from rpsync_assets.core.reader import ASK_AGAIN, Block, count_lines, cut_block
from rpsync_assets.resources.private import promoted

BLOCK_BYTES = 4 * 1024 * 1024
"""Measured on 2 cores: smaller blocks cost time, larger ones memory."""


@dataclass
class Arrival:
    """A sink that counts and checksums what flows into a landing file."""

    handle: BinaryIO
    size: int = 0
    line_ends: int = 0
    last_byte: bytes = b""
    _inside_quotes: bool = False
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> int:
        """Take the next bytes.

        Raises:
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
        ended, self._inside_quotes = count_lines(data, inside_quotes=self._inside_quotes)
        self.line_ends += ended
        self.last_byte = data[-1:] or self.last_byte
        return len(data)

    @property
    def sha256(self) -> str:
        """The checksum of all bytes so far."""
        return self._digest.hexdigest()

    @property
    def lines(self) -> int:
        """Lines so far, a last one without a line end included."""
        return self.line_ends + (1 if self.size and self.last_byte != b"\n" else 0)


@dataclass(frozen=True)
class Landing:
    """The folder of raw files, ``<day>/<store>/<name as sent>``."""

    folder: Path

    def path(self, day: date, store: str, name: str) -> Path:
        """Where a file of that name lies; the name is only ever its last part, whatever the server called it."""
        return self.folder / day.isoformat() / store / Path(name).name

    @contextmanager
    def receive(self, path: Path) -> Iterator[Arrival]:
        """Take in a file: it lies under its own name only when the caller is content with what arrived."""
        with promoted(path) as handle:
            yield Arrival(handle)


def checksum(path: Path) -> str | None:
    """The SHA-256 of a landed file, or None when there is none."""
    if not path.exists():
        return None
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def first_line(path: Path) -> bytes:
    """The header line with its line end."""
    with path.open("rb") as handle:
        line = handle.readline(BLOCK_BYTES)
    if not line.endswith(b"\n") and len(line) == BLOCK_BYTES:
        raise BadFileError(f"{path.name} has no line end in its first {BLOCK_BYTES} bytes", "Is it a CSV? " + ASK_AGAIN)
    return line


def blocks(path: Path, *, start: int, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The file from ``start`` on in blocks of whole lines; a last line without a line end gets one.

    Raises:
        BadFileError: a line (or a quoted field that never closes) longer than a block.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        length = os.fstat(descriptor).st_size
        while start < length:
            piece = os.pread(descriptor, size, start)
            block = cut_block(piece)
            if not block.data:
                if start + len(piece) < length:
                    raise BadFileError(
                        f"{path.name} has no line end within {size} bytes from byte {start} on: a quote may be open",
                        ASK_AGAIN,
                    )
                yield Block.of(piece + b"\n")
                return
            start += len(block.data)
            yield block
    finally:
        os.close(descriptor)
