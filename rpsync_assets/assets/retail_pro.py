"""Retail Pro's side: the raw reset file.

Belongs here: the asset. Does not: how a file comes to lie here (``assets/arriving``), what is in its rows
(``assets/reset``).
"""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl

from rpsync_assets.assets.arriving import Intake
from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.landed_files import SCHEMA
from rpsync_assets.assets.metadata import described
from rpsync_assets.assets.verdicts import check_result, require
from rpsync_assets.core import guards, reset_guards
from rpsync_assets.landed import header_of, packing_of
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.landing import Landing
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings


@asset(
    group="retail_pro",
    kinds={"sftp", "csv"},
    checks={
        "raw_row_count": "The file has rows below its header.",
        "raw_snapshot_past": "It was counted before now: a count of the future is a wrong time zone.",
        "raw_is_new": "It is not an earlier day's file once more; its delivery is held.",
        "older_files_usable": "Older files that came late could be taken in; a warning.",
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
    columns we need. The table holds one row about the file; the file itself lies in the landing folder, and
    ``landed_files`` lists every file that ever came for this day.
    """
    slot = Slot.of(context)
    store = settings.store(slot.store)
    slot.refuse_future(store.zone)
    taken = Intake(sftp, landing, tables, slot, store).take_in()
    row = taken.row
    checks = require(
        [
            guards.raw_row_count(row["rows"], file_name=row["file_name"], file_kind=row["file_kind"]),
            guards.raw_snapshot_past(
                row["snapshot_at"].astimezone(store.zone), now=datetime.now(UTC), file_name=row["file_name"]
            ),
        ]
    )
    older = check_result(reset_guards.older_files_usable(taken.refused))._replace(severity=dg.AssetCheckSeverity.WARN)
    table = pl.DataFrame([row], schema=SCHEMA)
    header = header_of(Path(row["landed_path"]), packing_of(row), store)
    return dg.MaterializeResult(
        value=table,
        check_results=[*checks, check_result(reset_guards.raw_is_new(row, day=slot.day)), older],
        metadata={
            **described(
                table, first=("file_name", "rows", "bytes", "file_kind", "snapshot_at"), snapshot_at=row["snapshot_at"]
            ),
            "dagster/row_count": row["rows"],
            "bytes": row["bytes"],
            "sha256": row["sha256"],
            "remote path": row["remote_path"],
            "kind of file": row["file_kind"],
            "encoding": row["encoding"],
            "compression": row["compression"],
            "separator": repr(header.separator),
            "landed": dg.MetadataValue.path(row["landed_path"]),
            "arrival": "fetched now" if taken.fetched else "lay here already: not fetched again",
            "other files of the day": ", ".join(taken.others) or "none",
            "older files taken in now": ", ".join(taken.older) or "none",
        },
    )
