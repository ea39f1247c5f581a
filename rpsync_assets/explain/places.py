"""Which facility a text means: the OMS's id, or Retail Pro's store code for it.

Belongs here: that, and why it means none. Does not: products (``explain/subject``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from rpsync_assets.core.reset import facility_key, known_facilities
from rpsync_assets.explain.sources import Sources


@dataclass(frozen=True)
class Place:
    """The facility that a text means.

    Attributes:
        facility_id: the OMS's id; None if the text is not a facility of the store.
        codes: the store codes that mean it, in upper case; what was typed, if it means none.
        lines: what there is to say about it.
        states: words for it.
    """

    facility_id: str | None
    codes: frozenset[str]
    lines: tuple[str, ...]
    states: tuple[str, ...] = ()


def place_of(sources: Sources, asked: str) -> Place:
    """The facility, as the filter knew it on the day; else as the OMS knows it now."""
    wanted = asked.strip().upper()
    codes, shared = sources.once("store codes", lambda: _store_codes(sources))
    # An id means the facility even where its text is another one's store code: that is who it is.
    by_id = codes.filter(pl.col("facility_id").str.to_uppercase() == wanted)["facility_id"].to_list()
    match = by_id or codes.filter(pl.col("store_code") == wanted)["facility_id"].to_list()
    if not match:
        why = tuple(_why_unknown(sources, wanted, shared))
        told = f"'{asked}' is not a physical, open facility of {sources.store} in the OMS."
        return Place(None, frozenset({wanted}), (told, *why), ("unknown_facility",))
    its = frozenset(codes.filter(pl.col("facility_id") == match[0])["store_code"].to_list())
    named = " and ".join(sorted(its - {match[0].upper()})) or "the same"
    return Place(match[0], its, (f"Facility {match[0]}; Retail Pro's store code for it is {named}.",))


def _store_codes(sources: Sources) -> tuple[pl.DataFrame, list[str]]:
    """``store_code`` in upper case and ``facility_id``, and the codes that two facilities claim."""
    columns = ["store_code", "facility_id"]
    # What the filter found on the day goes before what the OMS says now: a facility may have closed since.
    known = [] if (kept := sources.table("filtered_reset")) is None else [kept.select(columns).unique()]
    known += [frame.select(store_code="facility_id", facility_id="facility_id").unique() for frame in known]
    shared: list[str] = []
    if (listed := sources.ask(lambda oms: oms.facilities(sources.store))) is not None:
        now, shared = known_facilities(listed)
        known.append(now.select(columns))
    codes = pl.concat(known) if known else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return codes.with_columns(facility_key("store_code")).unique(maintain_order=True), shared


def _why_unknown(sources: Sources, wanted: str, shared: list[str]) -> Iterable[str]:
    if wanted in {code.upper() for code in shared}:
        yield "Two facilities claim that store code (EXTERNAL_ID), so no count is believed to be of either."
    found = sources.ask(lambda oms: oms.facilities_called(wanted)) if wanted else None
    for row in [] if found is None else found.to_dicts():
        yield f"The OMS's facility {row['facility_id']}: {'; '.join(_why_not(sources, row))}."


def _why_not(sources: Sources, row: dict[str, Any]) -> list[str]:
    of = (row["stores"] or "").replace(",", ", ")
    why: list[str] = []
    if sources.store not in (row["stores"] or "").split(","):
        why.append(f"it is of {of}, not of {sources.store}" if of else "it is of no product store now")
    if row["closed_at"] is not None:
        why.append(f"closed since {sources.at(row['closed_at'])}")
    if not row["is_physical"]:
        why.append("virtual, it has no shelf")
    return why or [f"its store code is {row['external_id'] or 'its id'}"]
