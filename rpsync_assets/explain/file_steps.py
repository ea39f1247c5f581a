"""From the raw line to kept or dropped.

Belongs here: Retail Pro's file and the filter. Does not: the OMS.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from rpsync_assets.core import cells
from rpsync_assets.core.owed import WHY
from rpsync_assets.core.reset import REASONS
from rpsync_assets.explain.raw_lines import RawFile
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject, gtin_key
from rpsync_assets.explain.trace import Step

MOST_SHOWN = 12


def file_step(sources: Sources) -> Step:
    """Which file the day has."""
    raw = sources.raw
    if raw is None:
        why = [f"{stop['found']}. {stop['mend']}." for stop in sources.stops("raw_reset_file")]
        return Step(
            "Retail Pro's file",
            tuple(why or ["No file has been landed for this day: materialize raw_reset_file."]),
            states=("no_file",),
        )
    lines = [
        f"{raw['file_name']}, counted at {sources.at(raw['snapshot_at'])}: {raw['rows']:,} rows,"
        f" {raw['bytes']:,} bytes ({raw['file_kind']}).",
        f"It lies at {raw['landed_path']}.",
    ]
    facts = {name: raw[name] for name in ("file_name", "snapshot_at", "rows", "bytes", "sha256")}
    return Step("Retail Pro's file", tuple(lines), facts)


def filter_step(sources: Sources, subject: Subject) -> Step:
    """The key's line or lines, and what became of each."""
    kept, rejected = sources.table("filtered_reset"), sources.table("rejected_reset_rows")
    if kept is None or rejected is None:
        why = [f"{stop['found']}. {stop['mend']}." for stop in sources.stops("filtered_reset")]
        return Step("Its line", tuple(why or ["The file has not been filtered yet."]), states=("not_filtered",))
    of_key = kept.filter(_is_kept(subject))
    of_code = rejected.filter(cells.value(pl.col("store_code")).str.to_uppercase().is_in(sorted(subject.codes)))
    all_dropped = of_code.filter(_is_upc(subject))
    # Blank UPCs are one text in many rows.
    dropped = all_dropped.head(MOST_SHOWN)
    raw = sources.raw_file
    lines: list[str] = []
    states: list[str] = []
    own = of_key.filter(~pl.col("owed")) if "owed" in of_key.columns else of_key
    columns = ["line_number", "store_code", "upc_text"]
    told = dropped.drop_nulls("raw_text") if "raw_text" in dropped.columns else dropped.clear()
    untold = dropped.join(told, on="line_number", how="anti")
    known = pl.concat([rows.select(columns) for rows in (own, untold)])
    texts = raw.numbers(known.rows()) if raw is not None and known.height else {}
    texts |= {row["line_number"]: row["raw_text"] for row in told.iter_rows(named=True)}
    for row in of_key.iter_rows(named=True):
        if row.get("owed"):
            lines += _owed(sources, row)
            states.append("owed")
        else:
            lines.append(_shown(texts, row["line_number"]))
        lines.append(f"Kept: Retail Pro counted {row['quantity']} at facility {row['facility_id']}.")
        states.append("kept")
    for row in dropped.iter_rows(named=True):
        lines.append(_shown(texts, row["line_number"]))
        lines.append(f"Rejected ({row['reason']}): {REASONS.get(row['reason'], row['reason'])}.")
        states += ["rejected", row["reason"]]
    if all_dropped.height > MOST_SHOWN:
        lines.append(f"... and {all_dropped.height - MOST_SHOWN} more rejected rows with this text.")
    facts: dict[str, object] = {"kept": of_key.to_dicts(), "rejected": dropped.to_dicts()}
    if not lines:
        lines, states, found = _neither(sources, subject, raw)
        facts["inactive"] = found
    return Step("Its line", tuple(lines), facts, tuple(states))


def _owed(sources: Sources, row: dict[str, Any]) -> list[str]:
    """A count of an earlier file that the OMS never took: its line there, and why it comes only now."""
    table = sources.table("owed_keys")
    key = (pl.col("facility_id") == row["facility_id"]) & (pl.col("product_id") == row["product_id"])
    told = pl.DataFrame() if table is None else table.filter(key)
    if told.is_empty():
        return [f"Owed: the count is of an earlier file, {row['file_name']}."]
    serves, why = told.row(0, named=True)["serves"], told.row(0, named=True)["why"]
    file = sources.older_file(serves, row["file_name"])
    texts = {} if file is None else file.numbers([(row["line_number"], row["store_code"], row["upc_text"])])
    return [
        f"The day's own file does not name it. Owed from {row['file_name']} of {serves}, counted at"
        f" {sources.at(row['snapshot_at'])} ({why}): {WHY.get(why, why)}.",
        _shown(texts, row["line_number"]),
    ]


def _is_kept(subject: Subject) -> pl.Expr:
    if subject.facility_id is None:
        return pl.lit(value=False)
    product = pl.col("product_id") == (subject.product_id or "")
    same = pl.lit(value=False) if subject.number is None else gtin_key("upc_text") == subject.number
    return (pl.col("facility_id") == subject.facility_id) & (product | same)


def _is_upc(subject: Subject) -> pl.Expr:
    as_typed = pl.col("upc_text").str.strip_chars() == subject.upc.strip()
    return as_typed if subject.number is None else as_typed | (gtin_key("upc_text") == subject.number)


def _code(text: str) -> str:
    """A store code as ``core.reset`` compares it."""
    return str(pl.select(cells.value(pl.lit(text)).str.to_uppercase()).item())


def _shown(texts: Mapping[int, str], number: int) -> str:
    return f"Line {number}: {texts[number]}" if number in texts else f"Line {number} (the landed file is gone)."


def _neither(
    sources: Sources, subject: Subject, raw: RawFile | None
) -> tuple[list[str], list[str], list[dict[str, object]]]:
    """Neither kept nor rejected: not sold online, or not in the file."""
    if subject.active:
        told = "The file has no line of it: Retail Pro sent no count of this key"
        delta = sources.raw is not None and sources.raw["file_kind"] == "delta"
        return [f"{told}{', so nothing changed there since the file before' if delta else ''}."], ["no_line"], []
    if subject.number is None:
        return ["No rejected row of this facility has this text as its UPC."], ["no_line"], []
    if raw is None:
        return ["The landed file is not here any more, so its line cannot be shown."], ["inactive"], []
    anywhere = raw.holding(str(subject.number))
    found = [raw.numbered(line) for line in anywhere if _code(line.store_code) in subject.codes]
    elsewhere = len(anywhere) - len(found)
    others = f" ({elsewhere} lines have it at other store codes)" if elsewhere else ""
    if not found:
        told = f"No line of the file has these digits at this store code{others}."
        caveat = "A UPC with gaps or an exponent is not searched for among rows of products that are not sold online."
        return [told, caveat], ["no_line"], []
    lines = [f"Line {line.number}: {line.text}" for line in found]
    lines.append(f"Inactive: not a product that is sold online, so the row is not applied{others}.")
    return lines, ["inactive"], [{"number": line.number, "text": line.text} for line in found]
