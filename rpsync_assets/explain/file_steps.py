"""From the raw line to kept or dropped.

Belongs here: Retail Pro's files and the filter. Does not: finding a line (``explain/raw_lines``), the OMS.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from rpsync_assets.core.owed import WHY
from rpsync_assets.core.reset import REASONS, facility_key
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import Subject, gtin_key, same_code
from rpsync_assets.explain.trace import Step, counted

MOST_SHOWN = 12
FACTS = ("file_name", "snapshot_at", "rows", "bytes", "sha256")


def file_step(sources: Sources) -> Step:
    """Which files the day has."""
    title = "Retail Pro's file"
    raw, stopped = sources.raw, sources.stopped("raw_reset_file")
    if raw is None:
        return Step(
            title,
            tuple(stopped or ["No file has been landed for this day: materialize raw_reset_file."]),
            states=("no_file",),
        )
    lines = [
        f"{raw['file_name']}, counted at {sources.at(raw['snapshot_at'])}: {raw['rows']:,} rows,"
        f" {raw['bytes']:,} bytes ({raw['file_kind']}).",
        f"It lies at {raw['landed_path']}.",
    ]
    if raw.get("same_content_as"):
        lines.append(f"Its content is that of {raw['same_content_as']} of {raw['same_content_day']}.")
    others = other_files(sources)
    lines += [
        f"Also of this day: {one['file_name']}, counted at {sources.at(one['snapshot_at'])}, landed at"
        f" {sources.at(one['landed_at'])}, {counted(one['rows'], 'row')}."
        for one in others
    ]
    # What came after it and could not be used.
    lines += stopped
    facts = {
        **{name: raw[name] for name in FACTS},
        "other_files": [{name: one[name] for name in FACTS} for one in others],
    }
    return Step(title, tuple(lines), facts, ("several_files",) if others else ())


def other_files(sources: Sources) -> list[dict[str, Any]]:
    """The landed files of the day that are not its file now, newest first."""
    raw = sources.raw or {}
    of = ("file_name", "sha256")
    return [one for one in reversed(sources.landed) if any(one[name] != raw.get(name) for name in of)]


def filtered_file(sources: Sources) -> dict[str, Any] | None:
    """The landed file that ``filtered_reset`` is of: a newer one may have come since."""
    kept, made_at, raw = sources.table("filtered_reset"), sources.made_at("filtered_reset"), sources.raw
    if kept is None or made_at is None or raw is None:
        return raw
    own = kept.filter(~pl.col("owed")) if "owed" in kept.columns else kept.clear()
    # Newest first; of what was sent again under its name, what had come by then.
    landed = [raw, *other_files(sources)]
    there = [one for one in landed if one.get("landed_at") is None or one["landed_at"] <= made_at] or landed
    if own.is_empty():
        return there[0]
    its = own.select("file_name", "snapshot_at").row(0)
    return next((one for one in there if (one["file_name"], one["snapshot_at"]) == its), None)


def filter_step(sources: Sources, subject: Subject) -> Step:
    """The key's line or lines, and what became of each."""
    title = "Its line"
    of_key = subject.kept_in(sources, "filtered_reset")
    of_code = sources.matching("rejected_reset_rows", "store_code", facility_key, subject.place.codes)
    if of_key is None or of_code is None:
        why = sources.stopped("filtered_reset") or ["No file of the day has been filtered yet: filtered_reset."]
        return Step(title, tuple(why), states=("not_filtered",))
    all_dropped = of_code.filter(_is_upc(sources, subject))
    # Blank UPCs are one text in many rows.
    dropped = all_dropped.head(MOST_SHOWN)
    own = of_key.filter(~pl.col("owed")) if "owed" in of_key.columns else of_key
    texts = _texts(sources, own, dropped)
    lines: list[str] = []
    states: list[str] = []
    for row in of_key.iter_rows(named=True):
        if row.get("owed"):
            lines += _owed_line(sources, row)
            states.append("owed")
        else:
            lines.append(_shown(texts, row["line_number"]))
        lines += _kept(row)
        states.append("kept")
    for row in dropped.iter_rows(named=True):
        lines.append(_shown(texts, row["line_number"]))
        lines.append(f"Rejected ({row['reason']}): {REASONS.get(row['reason'], row['reason'])}.")
        states += ["rejected", row["reason"]]
    if all_dropped.height > MOST_SHOWN:
        lines.append(f"... and {counted(all_dropped.height - MOST_SHOWN, 'more rejected row')} with this text.")
    facts: dict[str, object] = {"kept": of_key.to_dicts(), "rejected": dropped.to_dicts()}
    if not lines:
        lines, states, found = _neither(sources, subject)
        facts["lines"] = found
        lines += _perhaps(subject, of_code)
    if waiting := _waiting(sources, subject, goes=not of_key.is_empty()):
        lines += waiting
        states.append("owed_and_waiting")
    return Step(title, (*_other_than_the_days(sources), *lines), facts, tuple(states))


def _kept(row: dict[str, Any]) -> list[str]:
    """What was kept of a line, and what of it may surprise."""
    sent, below = row["upc_text"].strip(), ""
    other = sent.isdigit() and sent != row["upca"]
    spelled = f"Retail Pro writes {sent}, the OMS {row['upca']}: one number, zeros before it mean nothing."
    if row["quantity"] < 0:
        below = ", below zero: it sold what it did not know of. It is taken over as it is"
    kept = f"Kept: Retail Pro counted {row['quantity']} at facility {row['facility_id']}{below}."
    return [spelled, kept] if other else [kept]


def _other_than_the_days(sources: Sources) -> list[str]:
    """What a reader must know first: the rows below are not of the newest file."""
    raw, of = sources.raw, filtered_file(sources)
    if raw is None or of == raw:
        return []
    name = "an earlier file" if of is None else f"{of['file_name']} as it was landed at {sources.at(of['landed_at'])}"
    stopped = sources.stopped("filtered_reset")
    return [f"What was filtered is {name}; the day's file now was not yet: filtered_reset.", *stopped]


def _texts(sources: Sources, own: pl.DataFrame, dropped: pl.DataFrame) -> dict[int, str]:
    """Line number -> the line as sent."""
    told = dropped.drop_nulls("raw_text") if "raw_text" in dropped.columns else dropped.clear()
    untold = dropped.join(told, on="line_number", how="anti")
    known = [*own["line_number"], *untold["line_number"]]
    raw = sources.opened_file(filtered_file(sources)) if known else None
    texts = raw.numbers(known) if raw is not None else {}
    return texts | {row["line_number"]: row["raw_text"] for row in told.iter_rows(named=True)}


def _owed_line(sources: Sources, row: dict[str, Any]) -> list[str]:
    """A count of an earlier file that the OMS never took: its line there, and why it comes only now."""
    table = sources.table("owed_keys")
    of_row = [pl.col(name) == row[name] for name in ("facility_id", "product_id", "snapshot_at")]
    told = pl.DataFrame() if table is None else table.filter(of_row)
    if told.is_empty():
        return [f"Owed: the count is of an earlier file, {row['file_name']}."]
    return ["The day's own file does not name it.", *_owed(sources, told.row(0, named=True))]


def _owed(sources: Sources, row: dict[str, Any]) -> list[str]:
    file = sources.older_file(row["serves"], row["file_name"], row["snapshot_at"])
    texts = {} if file is None else file.numbers([row["line_number"]])
    return [
        f"Owed from {row['file_name']} of {row['serves']}, counted at {sources.at(row['snapshot_at'])}"
        f" ({row['why']}): {WHY.get(row['why'], row['why'])}.",
        _shown(texts, row["line_number"]),
    ]


def _waiting(sources: Sources, subject: Subject, *, goes: bool) -> list[str]:
    """A count of an earlier file that is owed and does not go with this day; where another count goes, a held one."""
    owed = subject.kept_in(sources, "owed_keys")
    if owed is not None and goes:
        owed = owed.filter(pl.col("why") == "day_held")
    lines: list[str] = []
    for row in [] if owed is None else owed.to_dicts():
        lines += _owed(sources, row)
        lines.append(f"Retail Pro counted {row['quantity']} then; it does not go with this day's reset.")
        if row["why"] != "day_held":
            lines.append("[oms] ledger is off: what moved since that count could not be brought back.")
    return lines


def _is_upc(sources: Sources, subject: Subject) -> pl.Expr:
    as_typed = pl.col("upc_text").str.strip_chars() == subject.upc.strip()
    same = sources.matching(
        "rejected_reset_rows", "upc_text", gtin_key, [] if subject.number is None else [subject.number]
    )
    return as_typed if same is None else as_typed | pl.col("line_number").is_in(same["line_number"].to_list())


def _shown(texts: Mapping[int, str], number: int) -> str:
    return f"Line {number}: {texts[number]}" if number in texts else f"Line {number} (the landed file is gone)."


def _neither(sources: Sources, subject: Subject) -> tuple[list[str], list[str], list[dict[str, object]]]:
    """Neither kept nor rejected: not sold online, or not in the file."""
    if subject.number is None:
        known = subject.product_id is not None
        told = (
            "Without a UPCA no line can be of it"
            if known
            else "No rejected row of this facility has this text as its UPC"
        )
        return [f"{told}."], ["no_line"], []
    of = filtered_file(sources)
    if of is not None and (elsewhere := _of_listed_product(sources, subject)) is not None:
        return _no_line(sources, subject, of, elsewhere)
    file = sources.opened_file(of)
    if file is None or of is None:
        gone = "The landed file cannot be read any more, so its line cannot be shown."
        return [gone], ["inactive" if subject.product.active is False else "no_line"], []
    anywhere = file.holding(str(subject.number))
    found = [file.numbered(line) for line in anywhere if same_code(line.store_code) in subject.place.codes]
    facts: list[dict[str, object]] = [{"number": line.number, "text": line.text} for line in found]
    lines = [f"Line {line.number}: {line.text}" for line in found]
    if found:
        return [*lines, f"{_dropped(subject)}{_others(len(anywhere) - len(found))}."], ["inactive"], facts
    return _no_line(sources, subject, of, len(anywhere))


def _of_listed_product(sources: Sources, subject: Subject) -> int | None:
    """How many lines of it the file has, told without looking for them: of a UPCA on the list, none is left out.

    None where that cannot be told: it is not on the list, or came onto it after the file was filtered.
    """
    listed_at, filtered_at = sources.made_at("active_products"), sources.made_at("filtered_reset")
    listed = sources.matching("active_products", "upca", gtin_key, [subject.number])
    if listed is None or listed.is_empty() or listed_at is None or filtered_at is None or listed_at > filtered_at:
        return None
    kept = sources.matching("filtered_reset", "upca", gtin_key, [subject.number])
    dropped = sources.matching("rejected_reset_rows", "upc_text", gtin_key, [subject.number])
    if kept is None or dropped is None:
        return None
    return (kept.filter(~pl.col("owed")) if "owed" in kept.columns else kept).height + dropped.height


def _others(lines: int) -> str:
    return f" ({counted(lines, 'line')} of it at other store codes)" if lines else ""


def _no_line(
    sources: Sources, subject: Subject, of: dict[str, Any], elsewhere: int
) -> tuple[list[str], list[str], list[dict[str, object]]]:
    nothing = f"{of['file_name']} has no line of it at this store code{_others(elsewhere)}"
    if subject.product.active:
        delta = " A delta names only what changed since the file before." if of["file_kind"] == "delta" else ""
        told = f"{nothing}: Retail Pro sent no count of this key.{delta}"
        return [told, *_in_other_files(sources, subject)], ["no_line"], []
    caveat = "A UPC with gaps or an exponent is not searched for among rows of products that are not sold online."
    return [f"{nothing}.", *_in_other_files(sources, subject), caveat], ["no_line"], []


def _dropped(subject: Subject) -> str:
    if subject.product.active:
        return "Inactive when the file was filtered: the product came onto the list after that; filter it again"
    return "Inactive: not a product that is sold online, so the row is not applied"


def _in_other_files(sources: Sources, subject: Subject) -> list[str]:
    """The day's other files: what they counted was the day's reset until the newest one came."""
    opened = [(one["file_name"], file) for one in other_files(sources) if (file := sources.opened_file(one))]
    return [
        f"{name} of the same day has it: line {file.numbered(line).number}: {line.text}"
        for name, file in opened
        for line in file.holding(str(subject.number))
        if same_code(line.store_code) in subject.place.codes
    ][:MOST_SHOWN]


def _perhaps(subject: Subject, of_code: pl.DataFrame) -> list[str]:
    """Rows of the facility whose UPC was cut to an exponent that this UPC would have been cut to."""
    cut = of_code.filter(pl.col("reason") == "exponent_upc")
    return [
        f"Line {row['line_number']} may be of it: its UPC was cut to {row['upc_text'].strip()} (exponent_upc)."
        for row in cut.iter_rows(named=True)
        if subject.number is not None and _may_be(row["upc_text"], subject.number)
    ][:MOST_SHOWN]


def _may_be(text: str, number: int) -> bool:
    mantissa, _, exponent = same_code(text).replace(",", ".").partition("E")
    decimals = len(mantissa.partition(".")[2])
    try:
        cut = f"{number:.{decimals}E}".partition("E")
        return (float(mantissa), int(exponent)) == (float(cut[0]), int(cut[2]))
    except ValueError:
        return False
