"""Who is asked about: which facility, which product, sold online or not.

Belongs here: turning what a person typed into keys. Does not: what became of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from rpsync_assets.core import gtin
from rpsync_assets.core.active import EXCLUDED_REASONS
from rpsync_assets.core.reset import facility_key
from rpsync_assets.explain.places import Place, place_of
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.trace import Step


@dataclass(frozen=True)
class Product:
    """The product that a text means.

    Attributes:
        number: its UPC as a number; None if there is none.
        product_id: by the OMS's id; None if the text means none, or several.
        upca: how the OMS spells it.
        active: on the day's list of products sold online; None if there is no list.
        lines: what there is to say about it.
        states: words for it.
    """

    number: int | None
    product_id: str | None = None
    upca: str | None = None
    active: bool | None = None
    lines: tuple[str, ...] = ()
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """A key as the product sees it.

    Attributes:
        upc: as asked.
        place: the facility.
        product: the product.
    """

    upc: str
    place: Place
    product: Product

    @property
    def facility_id(self) -> str | None:
        """The OMS's id; None if the text is not a facility of the store."""
        return self.place.facility_id

    @property
    def product_id(self) -> str | None:
        """The product, if there is one."""
        return self.product.product_id

    @property
    def number(self) -> int | None:
        """The UPC as a number."""
        return self.product.number

    def of(self, table: pl.DataFrame | None) -> pl.DataFrame | None:
        """The rows of a table that are of the key; a row that failed may know no product, and has its UPCA."""
        if table is None:
            return None
        here = pl.col("facility_id") == (self.facility_id or "")
        mine = table.filter(here, pl.col("product_id") == (self.product_id or ""))
        all_named = self.product_id is not None and not table["product_id"].has_nulls()
        if self.number is None or "upca" not in table.columns or all_named:
            return mine
        nameless = table.filter(here, pl.col("product_id").is_null()) if self.product_id else table.filter(here)
        # UPCs are read last: that takes longest.
        return pl.concat([mine, nameless.filter(gtin_key("upca") == self.number)]) if nameless.height else mine

    def kept_in(self, sources: Sources, name: str) -> pl.DataFrame | None:
        """The rows of the key among those that the filter kept: by product, or by the UPC as it stood in the file."""
        table = sources.table(name)
        if table is None or self.facility_id is None:
            return None if table is None else table.clear()
        here = pl.col("facility_id") == self.facility_id
        mine = table.filter(here, pl.col("product_id") == (self.product_id or ""))
        by_text = None if self.number is None else sources.matching(name, "upc_text", gtin_key, [self.number])
        return mine if mine.height or by_text is None else by_text.filter(here)


def gtin_key(column: str) -> pl.Expr:
    """The UPC of a text column as a number."""
    return gtin.key(pl.col(column))


def find(sources: Sources, facility: str, upc: str) -> tuple[Subject, Step]:
    """The subject, and the first step of its explanation."""
    place, product = place_of(sources, facility), _product(sources, upc)
    lines = [*place.lines, *product.lines]
    if sources.oms is None:
        lines.append(f"The OMS cannot be asked: {sources.oms_trouble}")
    facts = {
        "facility_id": place.facility_id,
        "store_codes": sorted(place.codes),
        "product_id": product.product_id,
        "upca": product.upca,
        "active": product.active,
    }
    return Subject(upc, place, product), Step("The key", tuple(lines), facts, (*place.states, *product.states))


def _product(sources: Sources, typed: str) -> Product:
    """A UPC goes before a SKU: a SKU of digits only is one if no product has it as its UPCA."""
    number, name = gtin.number(typed), typed.strip()
    if number is not None:
        its = number
        found = (
            _listed(sources, lambda table: sources.matching(table, "upca", gtin_key, [its]))
            or _filtered(sources, number)
            or _in_oms(sources, upc=number)
        )
        if found is not None:
            return replace(found, number=number)
    called = (pl.col("sku").str.to_uppercase() == name.upper()) | (pl.col("product_id") == name)
    found = (
        (_listed(sources, lambda table: _where(sources, table, called)) or _in_oms(sources, name=name))
        if name
        else None
    )
    if found is not None:
        its = f"'{name}' is its SKU or id."
        return replace(found, lines=(*found.lines, its))
    if number is None:
        return Product(None, lines=("That is not a UPC (7 to 14 digits) or a SKU, so no product can be told by it.",))
    nobody = () if sources.oms is None else ("The OMS has no product with this UPCA, now or before.",)
    return Product(number, active=_on_list(sources), lines=(_list_says(sources), *nobody))


def _where(sources: Sources, name: str, which: pl.Expr) -> pl.DataFrame | None:
    table = sources.table(name)
    return None if table is None else table.filter(which)


def _listed(sources: Sources, rows: Callable[[str], pl.DataFrame | None]) -> Product | None:
    """By the day's lists: of products sold online, and of published ones that are left out."""
    active, excluded = rows("active_products"), sources.table("excluded_products")
    for row in [] if active is None else active.to_dicts():
        told = f"Product {row['product_id']} ({row['sku']}), UPCA {row['upca']}: on the day's list, it is sold online."
        digit = () if row["check_digit_valid"] else ("Its UPCA fails the check digit: a warning.",)
        return Product(row["gtin"], row["product_id"], row["upca"], active=True, lines=(told, *digit))
    found = rows("excluded_products")
    left_out = [] if found is None else found.to_dicts()
    if not left_out or excluded is None:
        return None
    lines = [
        f"Product {row['product_id']} ({row['sku']}) is published, but left out ({row['reason']}):"
        f" {EXCLUDED_REASONS.get(row['reason'], row['reason'])}."
        for row in left_out
    ]
    states = ("left_out", *dict.fromkeys(row["reason"] for row in left_out))
    products = {row["product_id"] for row in left_out}
    if len(products) > 1:
        lines.append("Which of them a count means cannot be told. Ask for one of them by its SKU.")
        return Product(None, active=False, lines=tuple(lines), states=states)
    its = excluded.filter(pl.col("product_id").is_in(list(products)))["upca"].drop_nulls().unique().sort().to_list()
    if len(its) > 1:
        lines.append(f"Its UPCAs: {', '.join(its)}.")
    row = left_out[0]
    return Product(
        _number(row["upca"]), row["product_id"], row["upca"], active=False, lines=tuple(lines), states=states
    )


def _filtered(sources: Sources, number: int) -> Product | None:
    """By the rows that the filter kept: it looks for products that came onto the list since the list was made."""
    kept = sources.matching("filtered_reset", "upca", gtin_key, [number])
    rows = [] if kept is None else kept.to_dicts()
    for row in rows:
        told = (
            f"Product {row['product_id']}, UPCA {row['upca']}: not on the day's list as it stands. It was listed when"
            " the file was filtered, so it is sold online."
        )
        return Product(number, row["product_id"], row["upca"], active=True, lines=(told,), states=("listed_since",))
    return None


def _in_oms(sources: Sources, *, upc: int | None = None, name: str = "") -> Product | None:
    """What the OMS knows of a product that is on neither list."""
    store = sources.store
    known = sources.ask(
        lambda oms: oms.products_called(store, name) if upc is None else oms.products_with_upc(store, upc)
    )
    if known is None or known.is_empty():
        return None
    rows = known.to_dicts()
    lines = [_list_says(sources), *(_known(sources, row) for row in rows)]
    current = [row for row in rows if row["upca_is_current"] or row["upca"] is None]
    products = {row["product_id"] for row in current}
    if len(products) != 1:
        return Product(upc, active=_on_list(sources), lines=tuple(lines))
    row = current[0]
    number = upc if upc is not None else _number(row["upca"])
    return Product(number, row["product_id"], row["upca"], active=_on_list(sources), lines=tuple(lines))


def _on_list(sources: Sources) -> bool | None:
    return None if sources.table("active_products") is None else False


def _list_says(sources: Sources) -> str:
    if _on_list(sources) is None:
        return "The day has no list of products sold online: materialize active_products."
    return "It is not on the day's list of products sold online."


def _known(sources: Sources, row: dict[str, Any]) -> str:
    """One product with one of its UPCAs, and why it is not sold online, by what the OMS says now."""
    if row["upca"] is None:
        upca = "without a UPCA"
    elif row["upca_is_current"]:
        upca = f"UPCA {row['upca']}"
    else:
        upca = f"UPCA {row['upca']}, which it does not have now"
    why = _why_not(sources, row)
    return f"In the OMS now: product {row['product_id']} ({row['sku']}), {upca}; {'; '.join(why)}."


def _why_not(sources: Sources, row: dict[str, Any]) -> Iterable[str]:
    why: list[str] = []
    if not row["published"]:
        elsewhere = f", but on that of {row['other_stores'].replace(',', ', ')}" if row["other_stores"] else ""
        why.append(f"not published on the Shopify of {sources.store}{elsewhere}")
    if row["discontinued_at"] is not None:
        why.append(f"its sale was discontinued at {sources.at(row['discontinued_at'])}")
    if not row["is_physical"]:
        why.append("not a physical product")
    if row["is_virtual"]:
        why.append("virtual: its variants are what is sold")
    if row["upca"] is None or not row["upca_is_current"]:
        why.append("without a UPCA that is current it cannot be on a list")
    return why or ["it would be on a list that is made now"]


def _number(upca: str | None) -> int | None:
    return None if upca is None else gtin.number(upca)


def same_code(text: str) -> str:
    """A store code as ``core.reset`` compares it."""
    return same_codes([text])[0]


def same_codes(texts: Sequence[str]) -> list[str]:
    """Store codes as ``core.reset`` compares them."""
    return pl.DataFrame({"code": texts}, schema={"code": pl.String}).select(facility_key("code"))["code"].to_list()
