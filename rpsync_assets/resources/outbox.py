"""Copies of what we deliver, kept as sent: a resend after a crash sends the same bytes, and an auditor can read them.

Belongs here: bytes on our disk. Does not: sending.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rpsync_assets.resources.private import promoted


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
