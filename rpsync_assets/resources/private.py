"""Files and folders that only their owner can read: what we keep is private (design.md section 4).

Belongs here: making and promoting them. Does not: what is in them.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
ABANDONED_SECONDS = 3600
"""A temporary file that nobody wrote to for so long is of a process that was killed."""


def private_folder(folder: Path) -> Path:
    """Make a folder and the missing ones above it, each readable by the owner only (``mkdir -p`` guards the last)."""
    for missing in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
        missing.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    return folder


def private_file(path: Path) -> Path:
    """Make an empty file, readable by the owner only, unless it is there; for libraries that open by path."""
    private_folder(path.parent)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, PRIVATE_FILE))
    return path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)


@contextmanager
def promoted(path: Path) -> Iterator[BinaryIO]:
    """Write a file under a temporary name; it gets its own name only if nothing failed, and all at once.

    The temporary name ends in ``.part``, which no glob of ours matches.
    """
    private_folder(path.parent)
    for abandoned in path.parent.glob(f"{path.name}.*.part"):
        if time.time() - abandoned.stat().st_mtime > ABANDONED_SECONDS:
            abandoned.unlink(missing_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb", opener=_private) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
