"""Copies of what we deliver, kept as sent: a resend after a crash sends the same bytes, and an auditor can read them.

A second folder of the kind holds the rejected rows, for people to fetch.

Belongs here: bytes on our disk, and the lock that lets one run at a time deliver for a store. Does not: sending.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rpsync_assets.core.errors import BusyError, SetupError
from rpsync_assets.resources.private import private_file, promoted


@dataclass(frozen=True)
class Outbox:
    """The folder, ``<day>/<store>/<name>``."""

    folder: Path

    def path(self, day: date, store: str, name: str) -> Path:
        """Where the copy of a delivered file lies."""
        return self.folder / day.isoformat() / store / name

    def keep(self, day: date, store: str, name: str, content: bytes) -> None:
        """Write the copy."""
        with promoted(self.path(day, store, name)) as handle:
            handle.write(content)

    def read(self, day: date, store: str, name: str) -> bytes:
        """The copy's bytes.

        Raises:
            SetupError: it is gone.
        """
        path = self.path(day, store, name)
        if not path.exists():
            raise SetupError(f"The kept copy {path} is gone", "Restore the data folder's outbox from its backup")
        return path.read_bytes()

    @contextmanager
    def alone(self, store: str, doing: str = "delivering") -> Iterator[None]:
        """Hold the store's lock for one kind of sending; the system lets go of it when the process ends, killed or not.

        Raises:
            BusyError: another run holds it.
        """
        with private_file(self.folder / f".{doing}_{store}").open("wb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError(
                    f"Another run is {doing} for {store} at this moment",
                    "Wait until it has ended; a rerun then finds what it did",
                ) from error
            yield
