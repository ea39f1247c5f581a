"""A delivered CSV as the embedded OMS reads it, and the CSV of its failed rows.

Belongs here: HotWax's column names, their spellings and defaults (domain.md 1.1, 1.2). Does not: whom a row means
(``oms/incoming``), what becomes of it (``oms/imports``).
"""

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.parts import snapshot_in
from rpsync_assets.core.quantities import whole_number
from rpsync_assets.oms import incoming
from rpsync_assets.oms.ledger import stored
from rpsync_assets.resources.private import private_folder, promoted


@dataclass(frozen=True)
class Delivered:
    """A delivered CSV: its rows as they came, and as we read them, line by line.

    Attributes:
        original: text, under the file's own headers.
        rows: ``line``, ``facility``, ``external``, ``id_type``, ``id_value``, ``product``, ``amount``, ``comments``.
    """

    original: pl.DataFrame
    rows: pl.DataFrame


_TEXTS = ("facilityid", "externalfacilityid", "idtype", "idvalue", "productid", "comments")


def read_delivered(content: bytes, amount: tuple[str, ...]) -> Delivered:
    """Read a delivered CSV; headers are compared without case, spaces and underscores (domain.md 1.1)."""
    try:
        frame = pl.read_csv(io.BytesIO(content), infer_schema=False, empty_string_is_null=False)
    except pl.exceptions.PolarsError as error:
        raise BadFileError(f"The file is not a CSV: {str(error).splitlines()[0]}", "Deliver it again") from error
    found = {column.replace("_", "").replace(" ", "").casefold(): column for column in frame.columns}
    if len(found) < len(frame.columns):
        raise BadFileError("The file has a column twice", "Deliver it with each column once")
    quantity = next((name for name in amount if name in found), amount[0])
    needed = {
        "facilityId": found.keys() & {"facilityid", "externalfacilityid"},
        "idValue": found.keys() & {"idvalue", "productid"},
        amount[0]: found.keys() & {quantity},
    }
    missing = [name for name, there in needed.items() if not there]
    if missing:
        raise BadFileError(f"The file lacks the column(s) {', '.join(missing)}", "Deliver it with these columns")
    text = {
        name: pl.col(found[name]).fill_null("").str.strip_chars() if name in found else pl.lit("") for name in _TEXTS
    }
    kind = text["idtype"].str.replace_all("[ _]", "").str.to_uppercase()
    by_external = (text["facilityid"] == "") & (text["externalfacilityid"] != "")
    rows = frame.with_row_index("line", offset=2).select(
        pl.col("line").cast(pl.Int64),
        facility=pl.when(by_external).then(text["externalfacilityid"]).otherwise(text["facilityid"]),
        external=by_external.cast(pl.Int64),
        id_type=pl.when(kind == "")
        .then(pl.lit(incoming.DEFAULT_ID_TYPE))
        .otherwise(kind.replace_strict(incoming.ID_TYPES, default=kind)),
        id_value=text["idvalue"],
        product=pl.when((text["idvalue"] == "") & (text["productid"] != "")).then(text["productid"]),
        amount=whole_number(found[quantity]),
        comments=text["comments"],
    )
    return Delivered(frame, rows)


def snapshot_of(now: datetime) -> pl.Expr:
    """Each row's T0 from its comment; a file without (a person's) counts as taken now: nothing can have moved since."""
    return pl.coalesce(snapshot_in(pl.col("comments")).dt.strftime("%Y-%m-%d %H:%M:%S%.6f"), pl.lit(stored(now)))


def write_errors(original: pl.DataFrame, failed: list[tuple[int, str]], place: Path) -> None:
    """The failed rows as they came, each with its reason: to be mended and uploaded again, and only they (1.4)."""
    lines, reasons = zip(*failed, strict=True)
    rows = original.drop("error", strict=False)[[line - 2 for line in lines]]
    blanks_stay_blank = rows.select(pl.when(pl.all() != "").then(pl.all()))  # polars would write a blank as ""
    rows = blanks_stay_blank.with_columns(error=pl.Series(reasons))
    private_folder(place.parent)
    with promoted(place) as handle:
        handle.write(rows.write_csv().encode())
