"""Who is asked about: which facility, which product, sold online or not.

Belongs here: turning what a person typed into keys. Does not: what became of them.
"""

from dataclasses import dataclass

import polars as pl

from rpsync_assets.core import cells, gtin
from rpsync_assets.core.active import EXCLUDED_REASONS
from rpsync_assets.core.reset import known_facilities
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.trace import Step


@dataclass(frozen=True)
class Subject:
    """A key as the product sees it.

    Attributes:
        facility: as asked.
        upc: as asked.
        facility_id: the OMS's id; None if the code is not a facility of the store.
        codes: the store codes that mean it, in upper case.
        number: the UPC as a number; None if it is not one.
        product_id: the product it means; None if none does.
        upca: how the OMS spells it.
        active: on the day's list of products sold online; None if there is no list.
    """

    facility: str
    upc: str
    facility_id: str | None
    codes: frozenset[str]
    number: int | None
    product_id: str | None
    upca: str | None
    active: bool | None


def gtin_key(column: str) -> pl.Expr:
    """The UPC of a text column as a number."""
    return gtin.key(pl.col(column))


def find(sources: Sources, facility: str, upc: str) -> tuple[Subject, Step]:
    """The subject, and the first step of its explanation."""
    number = pl.DataFrame({"upc": [upc]}).select(gtin_key("upc")).item()
    facility_id, codes = _facility(sources, facility)
    product_id, upca, active, lines = _product(sources, number)
    subject = Subject(facility, upc, facility_id, codes, number, product_id, upca, active)
    named = " and ".join(sorted(codes - {(facility_id or "").upper()})) or "the same"
    place = (
        f"Facility {facility_id}; Retail Pro's store code for it is {named}."
        if facility_id
        else f"'{facility}' is not a physical, open facility of {sources.store} in the OMS."
    )
    if sources.oms is None:
        lines = [*lines, f"The OMS cannot be asked: {sources.oms_trouble}"]
    facts = {"facility_id": facility_id, "product_id": product_id, "upca": upca, "active": active}
    states = () if facility_id else ("unknown_facility",)
    return subject, Step("The key", (place, *lines), facts, states)


def _facility(sources: Sources, asked: str) -> tuple[str | None, frozenset[str]]:
    wanted = asked.strip().upper()
    columns = ["store_code", "facility_id"]
    # What the filter found on the day goes before what the OMS says now: a facility may have closed since.
    known = [] if (kept := sources.table("filtered_reset")) is None else [kept.select(columns).unique()]
    known += [frame.select(store_code="facility_id", facility_id="facility_id").unique() for frame in known]
    if sources.oms is not None:
        known.append(known_facilities(sources.oms.facilities(sources.store))[0].select(columns))
    if not known:
        return None, frozenset({wanted})
    codes = (
        pl.concat(known).with_columns(cells.value(pl.col("store_code")).str.to_uppercase()).unique(maintain_order=True)
    )
    # An id means the facility even where its text is another one's store code: that is who it is.
    match = codes.filter(pl.col("facility_id").str.to_uppercase() == wanted)["facility_id"].to_list()
    match = codes.filter(pl.col("store_code") == wanted)["facility_id"].to_list() or match
    if not match:
        return None, frozenset({wanted})
    return match[0], frozenset(codes.filter(pl.col("facility_id") == match[0])["store_code"].to_list())


def _product(sources: Sources, number: int | None) -> tuple[str | None, str | None, bool | None, list[str]]:
    """Product, UPCA, whether it is on the day's list, and what there is to say."""
    if number is None:
        return None, None, None, ["That is not a UPC (7 to 14 digits), so no product can be told by it."]
    active, excluded = sources.table("active_products"), sources.table("excluded_products")
    if active is not None:
        for row in active.filter(pl.col("gtin") == number).iter_rows(named=True):
            told = (
                f"Product {row['product_id']} ({row['sku']}), UPCA {row['upca']}: on the day's list, it is sold online."
            )
            return row["product_id"], row["upca"], True, [told]
    if excluded is not None:
        for row in excluded.filter(gtin_key("upca") == number).iter_rows(named=True):
            why = EXCLUDED_REASONS.get(row["reason"], row["reason"])
            told = f"Product {row['product_id']} ({row['sku']}) is published, but left out ({row['reason']}): {why}."
            return row["product_id"], row["upca"], False, [told]
    if active is None:
        return _in_oms(
            sources,
            number,
            on_list=None,
            told="The day has no list of products sold online: materialize active_products.",
        )
    return _in_oms(sources, number, on_list=False, told="It is not on the day's list of products sold online.")


def _in_oms(
    sources: Sources,
    number: int,
    *,
    on_list: bool | None,
    told: str,
) -> tuple[str | None, str | None, bool | None, list[str]]:
    """What the OMS knows of a UPC that is not on the list."""
    lines = [told]
    known = sources.oms.known_products(sources.store, number) if sources.oms is not None else None
    if known is None:
        return None, None, on_list, lines
    if known.is_empty():
        return None, None, on_list, [*lines, "The OMS has no product with this UPCA, now or before."]
    for row in known.iter_rows(named=True):
        upca = "its current UPCA" if row["upca_is_current"] else "a UPCA that it no longer has"
        where = "published on Shopify" if row["published"] else "not published on this store's Shopify"
        lines.append(f"In the OMS it is {upca}: product {row['product_id']} ({row['sku']}), {where} now.")
    current = known.filter(pl.col("upca_is_current"))
    if current.height != 1:
        return None, None, on_list, lines
    return current["product_id"].item(), current["upca"].item(), on_list, lines
