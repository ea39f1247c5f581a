"""The product's own doors, each with one thing that goes wrong at one moment. Everything else is the real thing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from pathlib import Path

import polars as pl

from rpsync_assets.resources.landing import Landing
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import RemoteFile, SftpSession, Sink
from rpsync_assets.resources.state import Delivery, State


class PowerCutError(Exception):
    """The machine stops here."""


class BrokenLanding(Landing):
    """A defect of ours."""

    def path(self, day: date, store: str, name: str) -> Path:
        raise ValueError("a defect")


class _Wrapped:
    """A session whose verbs a test may replace; those it does not are the real ones."""

    def __init__(self, session: SftpSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)


class _GrowingSession(_Wrapped):
    def __init__(self, session: SftpSession, grow: list[Path]) -> None:
        super().__init__(session)
        self._grow = grow

    def download(self, file: RemoteFile, sink: Sink, on_bytes: Callable[[int, int], None], start: int = 0) -> None:
        def told(done: int, total: int) -> None:
            while self._grow:
                with self._grow.pop().open("ab") as handle:
                    handle.write(b"101,075678164125,ALU,Shoe,1\n")
            on_bytes(done, total)

        self._session.download(file, sink, told, start)


@dataclass(frozen=True)
class GrowingSftp(Sftp):
    """The file grows once, as soon as its first bytes were fetched."""

    grow: list[Path] = field(default_factory=list)

    @classmethod
    def like(cls, sftp: Sftp) -> "GrowingSftp":
        return cls(**{one.name: getattr(sftp, one.name) for one in fields(Sftp)})

    @contextmanager
    def session(self) -> Iterator[SftpSession]:
        with super().session() as session:
            yield _GrowingSession(session, self.grow)  # type: ignore[misc]


class _DyingSession(_Wrapped):
    def __init__(self, session: SftpSession, sftp: "DyingSftp") -> None:
        super().__init__(session)
        self._sftp = sftp

    def upload(self, folder: str, name: str, content: bytes) -> RemoteFile:
        if name.startswith(self._sftp.before):
            raise PowerCutError(name)
        done = self._session.upload(folder, name, content)
        self._sftp.uploads.append(name)
        return done


@dataclass(frozen=True)
class DyingSftp(Sftp):
    """Writes down what it uploads, and dies before a file whose name begins so."""

    before: str = "none"
    uploads: list[str] = field(default_factory=list)

    @classmethod
    def like(cls, sftp: Sftp, before: str = "none") -> "DyingSftp":
        return cls(**{one.name: getattr(sftp, one.name) for one in fields(Sftp)}, before=before)

    @contextmanager
    def session(self) -> Iterator[SftpSession]:
        with super().session() as session:
            yield _DyingSession(session, self)  # type: ignore[misc]


@dataclass(frozen=True)
class DyingState(State):
    """Dies when it should write one thing down: ``mark reset``, ``mark variance``, ``take variance``, ``settle``..."""

    at: str = ""

    def _die(self, moment: str) -> None:
        if moment == self.at:
            raise PowerCutError(moment)

    def take(self, deliveries: list[Delivery]) -> None:  # type: ignore[override]
        self._die(f"take {deliveries[0].kind}")
        super().take(deliveries)

    def mark_delivered(self, delivery: Delivery, at: datetime) -> None:
        self._die(f"mark {delivery.kind}")
        super().mark_delivered(delivery, at)

    def accept(self, store: str, day: date, rows: pl.DataFrame) -> None:
        self._die("accept")
        super().accept(store, day, rows)

    def settle(self, store: str, day: date, generation: int, *, taken_at: datetime) -> None:
        self._die("settle")
        super().settle(store, day, generation, taken_at=taken_at)


@dataclass(frozen=True)
class TwinState(State):
    """Another run happens just ``before`` or just ``after`` this one takes its delivery."""

    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None

    def take(self, deliveries: list[Delivery]) -> None:  # type: ignore[override]
        self.before()
        super().take(deliveries)
        self.after()
