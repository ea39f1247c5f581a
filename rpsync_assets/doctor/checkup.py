"""Looks, one line each: what was looked at, what was found, and how to mend it.

Belongs here: what a line is, and how looks depend on each other. Does not: what is looked at (the other modules).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rpsync_assets.core.errors import RpsyncError

Mark = Literal["ok", "failed", "warning", "not_looked_at"]

PATIENCE_SECONDS = 15
"""A server that says nothing for so long is taken to be away."""


@dataclass(frozen=True)
class Doubt:
    """Something that works and should be looked into."""

    seen: str
    mend: str


@dataclass(frozen=True)
class Line:
    """One look."""

    name: str
    mark: Mark
    seen: str
    mend: str = ""


@dataclass
class Checkup:
    """The lines so far; one that fails does not stop the others.

    Attributes:
        on_line: told of each line as it is known.
    """

    on_line: Callable[[Line], None] = lambda _line: None
    lines: list[Line] = field(default_factory=list[Line])

    def look(self, name: str, question: Callable[[], str | Doubt], needs: Sequence[str] = ()) -> bool:
        """Look at something, unless what it needs is not well.

        Args:
            name: what is looked at.
            question: says what it found, or raises one of our errors.
            needs: names of earlier lines.

        Returns:
            Whether it may be relied on.
        """
        line = self._line(name, question, needs)
        self.lines.append(line)
        self.on_line(line)
        return line.mark in {"ok", "warning"}

    def _line(self, name: str, question: Callable[[], str | Doubt], needs: Sequence[str]) -> Line:
        well = {line.name for line in self.lines if line.mark in {"ok", "warning"}}
        missing = next((need for need in needs if need not in well), None)
        if missing is not None:
            return Line(name, "not_looked_at", f"not looked at, because '{missing}' is not well")
        try:
            seen = question()
        except RpsyncError as error:
            return Line(name, "failed", error.culprit, error.mend)
        except (OSError, EOFError) as error:
            return Line(name, "failed", f"the connection was lost ({type(error).__name__})", "Run the doctor again")
        except Exception as error:  # noqa: BLE001  one look must not end the others
            # Only the kind: the words of a stranger's exception may hold a secret.
            return Line(name, "failed", f"the look itself broke ({type(error).__name__})", "Report this line to us")
        if isinstance(seen, Doubt):
            return Line(name, "warning", seen.seen, seen.mend)
        return Line(name, "ok", seen)

    @property
    def well(self) -> bool:
        """Nothing failed."""
        return not any(line.mark == "failed" for line in self.lines)
