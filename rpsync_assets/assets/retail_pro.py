"""Retail Pro's side: the raw reset file.

Belongs here: choosing, landing and believing the day's file. Does not: what is in its rows (``assets/reset``).
"""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl

from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.metadata import described
from rpsync_assets.assets.verdicts import require
from rpsync_assets.core import guards
from rpsync_assets.core.arrival import choose
from rpsync_assets.core.encoding import Packing
from rpsync_assets.core.errors import BadFileError, NotYetError
from rpsync_assets.core.reader import ASK_AGAIN
from rpsync_assets.landed import header_of, packing_of
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.landing import Arrival, Landing, checksum
from rpsync_assets.resources.sftp import RemoteFile, Sftp, SftpSession, telling
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings, StoreSettings

_log = logging.getLogger(__name__)

SCHEMA = {
    "file_name": pl.String,
    "remote_path": pl.String,
    "landed_path": pl.String,
    "bytes": pl.Int64,
    "rows": pl.Int64,
    "sha256": pl.String,
    "snapshot_at": pl.Datetime("us", "UTC"),
    "modified_at": pl.Datetime("us", "UTC"),
    "file_kind": pl.String,
    "compression": pl.String,
    "encoding": pl.String,
}


@asset(
    group="retail_pro",
    kinds={"sftp", "csv"},
    checks={
        "raw_row_count": "The file has rows below its header.",
        "raw_snapshot_past": "It was counted before now: a count of the future is a wrong time zone.",
    },
)
def raw_reset_file(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    sftp: dg.ResourceParam[Sftp],
    landing: dg.ResourceParam[Landing],
    tables: dg.ResourceParam[Tables],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The inventory file as Retail Pro sent it: every product ever created, or those that changed.

    Landed whole, byte for byte, with its checksum; refused when it is empty, cut, still being written or without the
    columns we need. The table holds one row about the file; the file itself lies in the landing folder.
    """
    slot = Slot.of(context)
    store = settings.store(slot.store)
    slot.refuse_future(store.zone)
    with sftp.session() as session:
        listed = session.list(sftp.incoming)
        choice = choose(
            [(file.name, file.modified_at) for file in listed],
            store=slot.store,
            day=slot.day,
            pattern=store.file_pattern,
            zone=store.zone,
            export_minutes=store.export_minutes,
            folder=sftp.incoming,
        )
        file = next(file for file in listed if file.name == choice.chosen.name)
        path = landing.path(slot.day, slot.store, file.name)
        known = _landed_before(tables, slot, file, path)
        if known is None:
            _wait_until_still(session, file, sftp.settle_seconds)
            arrival = _land(sftp, file, landing, path, store)
            rows, sha256, packing = arrival.lines - 1, arrival.sha256, arrival.packing
        else:
            _log.info("%s lies here already, %d bytes: not fetched again", file.name, file.size)
            rows, sha256, packing = known
    checks = require(
        [
            guards.raw_row_count(rows, file_name=file.name, file_kind=store.file_kind),
            guards.raw_snapshot_past(
                choice.chosen.meaning.snapshot_at, now=datetime.now(UTC), file_name=choice.chosen.name
            ),
        ]
    )
    table = pl.DataFrame(
        [
            {
                "file_name": file.name,
                "remote_path": file.path,
                "landed_path": str(path),
                "bytes": file.size,
                "rows": rows,
                "sha256": sha256,
                "snapshot_at": choice.chosen.meaning.snapshot_at,
                "modified_at": file.modified_at,
                "file_kind": store.file_kind,
                "compression": packing.compression,
                "encoding": packing.encoding,
            }
        ],
        schema=SCHEMA,
    )
    return dg.MaterializeResult(
        value=table,
        check_results=checks,
        metadata={
            **described(table, snapshot_at=choice.chosen.meaning.snapshot_at),
            "dagster/row_count": rows,
            "bytes": file.size,
            "sha256": sha256,
            "remote path": file.path,
            "encoding": packing.encoding,
            "compression": packing.compression,
            "separator": repr(header_of(path, packing, store).separator),
            "landed": dg.MetadataValue.path(str(path)),
            "arrival": "fetched now" if known is None else "lay here already: not fetched again",
            "other files of the day": ", ".join(other.name for other in choice.others) or "none",
        },
    )


def _landed_before(tables: Tables, slot: Slot, file: RemoteFile, path: Path) -> tuple[int, str, Packing] | None:
    """Rows, checksum and packing of the very same file from an earlier run, or None when it must be fetched."""
    try:
        before = tables.read("raw_reset_file", slot).row(0, named=True)
    except NotYetError:
        return None
    same = (before["file_name"], before["bytes"], before["modified_at"]) == (file.name, file.size, file.modified_at)
    if not same or checksum(path) != before["sha256"]:
        return None
    return before["rows"], before["sha256"], packing_of(before)


def _wait_until_still(session: SftpSession, file: RemoteFile, seconds: float) -> None:
    """A file that is still being written shows it by growing; ours and the server's clock need not agree."""
    time.sleep(seconds)
    now = session.look(file.path)
    if now is None or (now.size, now.modified_at) != (file.size, file.modified_at):
        raise NotYetError(
            f"{file.path} is still being written: {file.size} bytes, then {now.size if now else 'gone'}",
            "Wait until Retail Pro has finished; a rerun helps then",
        )


def _land(sftp: Sftp, file: RemoteFile, landing: Landing, path: Path, store: StoreSettings) -> Arrival:
    """Fetch the file and believe it only if it is whole and has the columns; otherwise nothing lands."""
    if file.size == 0:
        raise BadFileError(
            f"{file.path} has zero bytes", "An empty file never means that all stock is gone. " + ASK_AGAIN
        )
    with landing.receive(path, store.encoding) as arrival:
        sftp.download(file, arrival, telling(file.name))
        if arrival.size != file.size:
            raise NotYetError(
                f"{arrival.size} of {file.size} bytes of {file.path} arrived", "The connection was cut; rerun"
            )
        arrival.finish()
        header_of(Path(arrival.handle.name), arrival.packing, store)
        if arrival.last_byte != b"\n" and store.final_line_end:
            raise BadFileError(
                f"{file.name} does not end with a line end: its last line was cut",
                f"{ASK_AGAIN}; if this export never ends with one, set final_line_end = false for this store",
            )
    return arrival
