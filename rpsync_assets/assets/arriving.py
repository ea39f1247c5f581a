"""How Retail Pro's files come to lie here: whole, once per content, with everything known about them.

Belongs here: landing the day's file and the older ones whose counts may still be owed. Does not: which file is the
day's (``core/arrival``), the list of what was landed (``assets/landed_files``), bytes on disk (``resources/landing``).

Raw bytes are kept as received: a file that is sent again under the same name is landed beside the earlier one, which
keeps its bytes under ``<name>.<first digits of its checksum>``.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from rpsync_assets.assets.landed_files import SCHEMA, by_moment, landed_files, write_down
from rpsync_assets.core.arrival import Candidate, chain, choose, kind_of, understood
from rpsync_assets.core.errors import BadFileError, BusyError, NotYetError
from rpsync_assets.core.header import Header
from rpsync_assets.core.lines import ASK_AGAIN
from rpsync_assets.landed import header_of
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.landing import Arrival, Landing, checksum
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import RemoteFile, SftpSession
from rpsync_assets.resources.tables import Tables
from rpsync_assets.store_settings import StoreSettings
from rpsync_assets.telling import telling

_log = logging.getLogger(__name__)


def believe(arrival: Arrival, name: str, store: StoreSettings) -> Header:
    """The header of a file that arrived whole.

    Raises:
        BadFileError: it is cut, is no text, or has not the columns.
    """
    arrival.finish()
    header = header_of(Path(arrival.handle.name), arrival.packing, store)
    if arrival.last_byte != b"\n" and store.final_line_end:
        raise BadFileError(
            f"{name} does not end with a line end: its last line was cut",
            f"{ASK_AGAIN}; if this export never ends with one, set final_line_end = false for this store",
        )
    return header


@dataclass
class Taken:
    """The day's file, and what came of the others."""

    row: dict[str, Any]
    fetched: bool
    others: list[str]
    older: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Intake:
    """Takes in what a store's day needs."""

    sftp: Sftp
    landing: Landing
    tables: Tables
    slot: Slot
    store: StoreSettings

    def take_in(self) -> Taken:
        """Land the day's file, and older files of its chain that came late, unless they lie here already.

        A day whose file is no longer on the server is taken from the kept bytes.

        Raises:
            NotYetError: there is no file for the day, or it is not whole yet.
            BadFileError: it cannot be used.
        """
        store, slot = self.store, self.slot
        landed = landed_files(self.tables, slot)
        with self.sftp.session() as session:
            listed = {file.name: file for file in session.list(self.sftp.incoming)}
            candidates = self._candidates(listed, landed)
            choice = choose(candidates, store=slot.store, day=slot.day, folder=self.sftp.incoming, listed=len(listed))
            begun = min(landed["serves"].to_list(), default=slot.day)
            older = [
                candidate
                for candidate in chain(candidates, choice.chosen, store.file_kind)
                # History begins with the first day that was landed here; what an earlier system did is not owed.
                if candidate.meaning.business_date >= begun
            ]
            unknown = [one for one in (*older, choice.chosen) if self._known(one, listed, landed) is None]
            there = [file for one in unknown if (file := _on_server(one, listed))]
            moving = self._not_whole(session, there, listed)
        taken = Taken({}, fetched=choice.chosen in unknown, others=[other.name for other in choice.others])
        for candidate in unknown:
            if candidate is not choice.chosen:
                self._land_older(candidate, listed, moving, taken)
        landed = landed_files(self.tables, slot)
        if choice.chosen in unknown:
            taken.row = self._land(choice.chosen, listed, moving)
        else:
            taken.row = self._known(choice.chosen, listed, landed) or {}
        return taken

    def _candidates(self, listed: Mapping[str, RemoteFile], landed: pl.DataFrame) -> list[Candidate]:
        """The server's files, and kept ones that it has no longer; one name may serve every day, by the file's time."""
        kept = by_moment(landed).select("file_name", "modified_at")
        there = self._understood((file.name, file.modified_at) for file in listed.values())
        served = {(one.name, one.meaning.snapshot_at) for one in there}
        gone = [one for one in self._understood(kept.iter_rows()) if (one.name, one.meaning.snapshot_at) not in served]
        return sorted([*there, *gone], key=lambda candidate: candidate.age)

    def _understood(self, files: Iterable[tuple[str, datetime]]) -> list[Candidate]:
        store = self.store
        return understood(
            [(name, modified_at) for name, modified_at in files if not is_marker(store, name)],
            store=self.slot.store,
            pattern=store.file_pattern,
            zone=store.zone,
            export_minutes=store.export_minutes,
        )

    def _known(
        self, candidate: Candidate, listed: Mapping[str, RemoteFile], landed: pl.DataFrame
    ) -> dict[str, Any] | None:
        """What an earlier run wrote down of the very same file, if its bytes still lie here."""
        rows = landed.filter(pl.col("file_name") == candidate.name, pl.col("modified_at") == candidate.modified_at)
        if (there := _on_server(candidate, listed)) is not None:
            rows = rows.filter(pl.col("bytes") == there.size)
        if rows.is_empty():
            return None
        row = rows.row(-1, named=True)
        if checksum(Path(row["landed_path"])) != row["sha256"]:
            return None
        return {name: row[name] for name in SCHEMA}

    def _not_whole(
        self, session: SftpSession, files: Sequence[RemoteFile], listed: Mapping[str, RemoteFile]
    ) -> dict[str, str]:
        """Files that are not whole yet, and how that shows: no marker beside them, or size and time that move."""
        found: dict[str, str] = {}
        if self.store.done_marker:
            markers = {file.name: marker_of(self.store, file.name) for file in files}
            found = {name: f"{marker} is not there" for name, marker in markers.items() if marker not in listed}
            # A marker that is older than its file may be of what was sent under that name before.
            files = [
                file
                for file in files
                if file.name not in found and listed[markers[file.name]].modified_at < file.modified_at
            ]
        if files:
            time.sleep(self.sftp.settle_seconds)
        for file in files:
            now = session.look(file.path)
            if now is None or (now.size, now.modified_at) != (file.size, file.modified_at):
                found[file.name] = f"{file.size} bytes, then {now.size if now else 'gone'}"
        return found

    def _land_older(
        self, candidate: Candidate, listed: Mapping[str, RemoteFile], moving: Mapping[str, str], taken: Taken
    ) -> None:
        """An older file that cannot be used holds nobody up, but it is told."""
        try:
            self._land(candidate, listed, moving)
        except (BadFileError, NotYetError) as error:
            _log.warning("an older file is left out: %s", error)
            taken.refused.append(str(error))
        else:
            taken.older.append(candidate.name)

    def _land(
        self, candidate: Candidate, listed: Mapping[str, RemoteFile], moving: Mapping[str, str]
    ) -> dict[str, Any]:
        """Fetch one file and write it down."""
        file = _on_server(candidate, listed)
        if file is None:
            raise NotYetError(
                f"The kept bytes of {candidate.name} are gone from the landing folder, and the server has none",
                "Bring the file back from the backup, or ask Retail Pro for it",
            )
        if candidate.name in moving:
            raise BusyError(
                f"{file.path} is still being written: {moving[candidate.name]}",
                "Wait until Retail Pro has finished; a rerun helps then",
            )
        if file.size == 0:
            raise BadFileError(
                f"{file.path} has zero bytes", "An empty file never means that all stock is gone. " + ASK_AGAIN
            )
        of = Slot(candidate.meaning.business_date, self.slot.store)
        path = self.landing.path(of.day, of.store, file.name)
        aside = self.landing.set_aside(path)
        arrival, header = self._fetch(file, path)
        if aside is not None and aside.name.endswith(arrival.sha256[:12]):
            aside.unlink()  # the same bytes were sent again
            aside = None
        row = {
            "file_name": file.name,
            "remote_path": file.path,
            "landed_path": str(path),
            "bytes": file.size,
            "rows": arrival.lines - header.lines,
            "sha256": arrival.sha256,
            "snapshot_at": candidate.meaning.snapshot_at,
            "modified_at": file.modified_at,
            "file_kind": kind_of(candidate, self.store.file_kind),
            "compression": arrival.packing.compression,
            "encoding": arrival.packing.encoding,
            "same_content_as": None,
            "same_content_day": None,
            "landed_at": datetime.now(UTC),
        }
        write_down(self.tables, row, of, aside)
        return row

    def _fetch(self, file: RemoteFile, path: Path) -> tuple[Arrival, Header]:
        """Fetch the file and believe it only if it is whole and has the columns; otherwise nothing lands."""
        with self.landing.receive(path, self.store.encoding) as arrival:
            self.sftp.download(file, arrival, telling(file.name))
            if arrival.size != file.size:
                raise BusyError(
                    f"{arrival.size} of {file.size} bytes of {file.path} arrived", "The connection was cut; rerun"
                )
            header = believe(arrival, file.name, self.store)
        return arrival, header


def _on_server(candidate: Candidate, listed: Mapping[str, RemoteFile]) -> RemoteFile | None:
    """The candidate as it lies on the server; another file under its name is another day's, or newer."""
    file = listed.get(candidate.name)
    return file if file is not None and file.modified_at == candidate.modified_at else None


def marker_of(store: StoreSettings, name: str) -> str:
    """The name of the marker that says that a file is whole; only for stores that use one."""
    return store.done_marker.replace("{name}", name).replace("{stem}", PurePosixPath(name).stem)


def is_marker(store: StoreSettings, name: str) -> bool:
    """Whether a file is such a marker, and no file of counts: ``done_{name}`` and ``{name}.done`` both are."""
    before, _, rest = store.done_marker.partition("{")
    after = rest.rpartition("}")[2]
    return bool(before or after) and name.startswith(before) and name.endswith(after)
