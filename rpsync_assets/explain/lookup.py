"""From what a person knows of a product to the keys that an explanation is asked by.

Belongs here: finding products by SKU, UPC, id or description, and where each has a number on a day. Does not: the
explanation (``explain``), pages (``report/server``).

The day's own tables are asked first, as they say what the day knew; the OMS knows the names, and every other product.
It may be away: what the tables know is found without it. Nothing is read whole that may be long.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from rpsync_assets.core.active import EXCLUDED_REASONS
from rpsync_assets.core.reset import REASONS
from rpsync_assets.explain.sources import Sources
from rpsync_assets.explain.subject import gtin_key, same_codes
from rpsync_assets.resources.oms_lookup_sql import MOST_FOUND

MOST_PRODUCTS = MOST_FOUND - 1
LONGEST_QUESTION = 200
ONLINE = "sold online"


@dataclass(frozen=True)
class Key:
    """A product at a facility, and the day's numbers of it.

    Attributes:
        facility: the OMS's id, or a store code that is no facility.
        store_code: as Retail Pro calls it; empty where it is the same, or not known.
        upc: to ask by.
        counted: what Retail Pro's kept row says.
        on_hand: QOH, as of the day's online_atp.
        counted_online: what the facility adds to the channel's number, as of the same.
        pickup: what the facility may sell itself, as of the same.
        dropped: why a row of it was dropped, with its line; empty if none was.
    """

    facility: str
    store_code: str
    upc: str
    counted: int | None = None
    on_hand: int | None = None
    counted_online: int | None = None
    pickup: int | None = None
    dropped: str = ""


@dataclass(frozen=True)
class Product:
    """A product that fits what was asked.

    Attributes:
        product_id: the OMS's id; empty for a UPC that no product has.
        sku: its internal name in the OMS.
        name: its description in the OMS; empty if the OMS was not there to tell.
        upca: how the OMS spells it; empty if it has none.
        standing: whether the day sells it online, and why not.
        online: what may be sold online, as of the day's online_atp.
        keys: where it has a number; where it has none, the store's facilities.
        without_numbers: the day has no number of it anywhere.
    """

    product_id: str
    sku: str
    name: str
    upca: str
    standing: str
    online: int | None = None
    keys: tuple[Key, ...] = ()
    without_numbers: bool = False


@dataclass
class Found:
    """The answer.

    Attributes:
        products: at most ``MOST_PRODUCTS``.
        more: there are more.
        facilities: the store's, as the OMS or the day's rows know them: id and Retail Pro's code.
        trouble: why the OMS could not be asked; empty if it was.
        upc: what was asked, if it is a UPC: a line of the file may hold it, whoever's it is.
    """

    products: list[Product]
    more: bool = False
    facilities: dict[str, str] = field(default_factory=dict[str, str])
    trouble: str = ""
    upc: str = ""


def look_up(sources: Sources, question: str, facility: str = "") -> Found:
    """Products that fit, with their keys.

    Args:
        sources: store and day.
        question: a SKU, a UPC with or without zeros before it, a product id, or words of a description.
        facility: only this one, by the OMS's id or Retail Pro's code; all of them if empty.
    """
    asked = " ".join("".join(one if one.isprintable() else " " for one in question).split())[:LONGEST_QUESTION]
    facilities = _facilities(sources)
    if not asked:
        return Found([], facilities=facilities, trouble=sources.oms_trouble)
    number = _numbers([asked])[0]
    products = _products(sources, asked, number)
    more = len(products) > MOST_PRODUCTS
    products = _with_keys(sources, products[:MOST_PRODUCTS], facilities, facility.strip())
    return Found(products, more, facilities, sources.oms_trouble, "" if number is None else asked)


def _facilities(sources: Sources) -> dict[str, str]:
    """Retail Pro's code by facility id; the code is empty where it is the id itself."""
    found: dict[str, str] = {}
    if sources.oms is not None:
        for row in sources.oms.facilities(sources.store).iter_rows(named=True):
            found[row["facility_id"]] = (row["external_id"] or "").strip()
    for row in _rows(sources, "filtered_reset", None, "facility_id", "store_code"):
        found.setdefault(row["facility_id"], row["store_code"].strip())
    return {name: "" if code.upper() == name.upper() else code for name, code in sorted(found.items())}


def _products(sources: Sources, asked: str, number: int | None) -> list[Product]:
    """What fits exactly; if nothing does, what holds the words."""
    words = asked.lower().split()
    exactly: dict[str, Product] = {}
    loosely: dict[str, Product] = {}
    found = [*_of_lists(sources, words, number), *_of_oms(sources, asked, number)]
    for product, its_number in zip(found, _numbers([one.upca for one in found]), strict=True):
        fits = asked.lower() in (product.sku.lower(), product.product_id.lower()) or (
            number is not None and its_number == number
        )
        place = exactly if fits else loosely
        known = place.get(product.product_id)
        # The day's list says how a product stood; the OMS adds its name.
        place[product.product_id] = product if known is None else replace(known, name=known.name or product.name)
    if not exactly and number is not None and (dropped := _of_dropped(sources, asked, number)):
        return [dropped]
    return list(exactly.values()) or sorted(loosely.values(), key=lambda one: (one.standing != ONLINE, one.sku))


def _of_lists(sources: Sources, words: list[str], number: int | None) -> Iterable[Product]:
    """From the day's list of products sold online, and the list of those that were left out."""
    for frame in _lists(sources):
        text = pl.concat_str(["product_id", "sku", "upca"], separator=" ", ignore_nulls=True).str.to_lowercase()
        fits = pl.all_horizontal([text.str.contains(word, literal=True) for word in words])
        if number is not None:
            fits = fits | (gtin_key("upca") == number)
        for row in frame.filter(fits).head(MOST_PRODUCTS + 1).iter_rows(named=True):
            yield Product(row["product_id"], row["sku"] or "", "", row["upca"] or "", _standing(row["reason"]))


def _lists(sources: Sources) -> list[pl.DataFrame]:
    """The day's two lists, as far as they were made: ``reason`` is null where the product is sold online."""
    columns = ["product_id", "sku", "upca", "reason"]
    active, excluded = sources.table("active_products"), sources.table("excluded_products")
    found = [] if active is None else [active.with_columns(reason=pl.lit(None, dtype=pl.String)).select(columns)]
    return found if excluded is None else [*found, excluded.select(columns)]


def _standing(reason: str | None) -> str:
    return ONLINE if reason is None else f"left out: {EXCLUDED_REASONS.get(reason, reason)}"


def _of_oms(sources: Sources, asked: str, number: int | None) -> Iterable[Product]:
    """From the OMS: by id or SKU, by a UPC it has or had, by words of its description if the store publishes it."""
    if sources.oms is None:
        return
    found = sources.oms.find_products(sources.store, asked)
    listed = {
        row["product_id"]: _standing(row["reason"]) for frame in _lists(sources) for row in frame.rows(named=True)
    }
    for row in found.iter_rows(named=True):
        standing = listed.get(row["product_id"]) or _unlisted(sources, published=row["published"])
        yield Product(row["product_id"], row["sku"] or "", row["name"] or "", row["upca"] or "", standing)
    if number is None:
        return
    for row in sources.oms.products_with_upc(sources.store, number).iter_rows(named=True):
        standing = listed.get(row["product_id"]) or _unlisted(sources, published=row["published"])
        if not row["upca_is_current"]:
            standing = f"{standing}; {row['upca']} is a UPCA that it no longer has"
        yield Product(row["product_id"], row["sku"] or "", row["name"] or "", row["upca"], standing)


def _unlisted(sources: Sources, *, published: bool) -> str:
    if sources.table("active_products") is None:
        return "the day has no list of products sold online yet"
    return f"not on the day's list of products sold online{'' if published else ', not published on Shopify'}"


def _of_dropped(sources: Sources, asked: str, number: int) -> Product | None:
    """A UPC that no product has, and that Retail Pro's file holds all the same."""
    rows = _rows(sources, "rejected_reset_rows", gtin_key("upc_text") == number, "line_number")
    return Product("", "", "", asked, "no product of the OMS has this UPC") if rows else None


def _with_keys(
    sources: Sources, products: list[Product], facilities: Mapping[str, str], facility: str
) -> list[Product]:
    ids, numbers = [one.product_id for one in products], _numbers([one.upca for one in products])
    of_these = pl.col("product_id").is_in(ids)
    kept = _rows(sources, "filtered_reset", of_these, "product_id", "facility_id", "store_code", "quantity")
    columns = ("product_id", "facility_id", "scope", "quantity_on_hand", "counted_in_channel", "sellable")
    stock = _rows(sources, "online_atp", of_these, *columns)
    of_these = gtin_key("upc_text").is_in([number for number in numbers if number is not None])
    columns = ("store_code", "upc_text", "reason", "line_number")
    dropped = _rows(sources, "rejected_reset_rows", of_these, *columns)
    dropped_numbers = _numbers([row["upc_text"] for row in dropped])
    # An id means the facility even where its text is another one's store code.
    by_code = dict(zip(same_codes(list(facilities.values())), facilities, strict=True))
    by_code |= dict(zip(same_codes(list(facilities)), facilities, strict=True))
    for row, code in zip(dropped, same_codes([row["store_code"] for row in dropped]), strict=True):
        row["facility_id"] = by_code.get(code) if code else None
    return [
        _keyed(
            one,
            [row for row in kept if row["product_id"] == one.product_id],
            [row for row in stock if row["product_id"] == one.product_id],
            [row for row, its in zip(dropped, dropped_numbers, strict=True) if number is not None and its == number],
            facilities,
            facility,
        )
        for one, number in zip(products, numbers, strict=True)
    ]


def _keyed(
    product: Product,
    kept: list[dict[str, Any]],
    stock: list[dict[str, Any]],
    dropped: list[dict[str, Any]],
    facilities: Mapping[str, str],
    facility: str,
) -> Product:
    """The product with its keys, the facilities that have a number first."""
    keys: dict[str, Key] = {}

    def key(name: str) -> Key:
        return keys.get(name) or Key(name, facilities.get(name, ""), product.upca)

    for row in kept:
        keys[row["facility_id"]] = replace(key(row["facility_id"]), counted=row["quantity"])
    for row in stock:
        if row["scope"] == "facility":
            keys[row["facility_id"]] = replace(
                key(row["facility_id"]),
                on_hand=row["quantity_on_hand"],
                counted_online=row["counted_in_channel"],
                pickup=row["sellable"],
            )
    for row in dropped:
        name = row["facility_id"] or row["store_code"].strip()
        said = f"line {row['line_number']}: {REASONS.get(row['reason'], row['reason'])}"
        before = key(name)
        keys[name] = replace(before, dropped=f"{before.dropped}; {said}" if before.dropped else said)
    without = not keys
    if without and product.upca:
        keys = {name: key(name) for name in facilities}
    shown = [keys[name] for name in sorted(keys) if not facility or facility.upper() in _names(keys[name])]
    channel = [row["sellable"] for row in stock if row["scope"] == "channel"]
    return replace(
        product, keys=tuple(shown), online=channel[0] if channel else None, without_numbers=without and bool(shown)
    )


def _names(key: Key) -> set[str]:
    return {key.facility.upper(), key.store_code.upper()} - {""}


def _numbers(upcs: list[str]) -> list[int | None]:
    """UPCs as numbers; None where a text is none."""
    return pl.DataFrame({"upc": upcs}, schema={"upc": pl.String}).select(gtin_key("upc"))["upc"].to_list()


def _rows(sources: Sources, table: str, of: pl.Expr | None, *columns: str) -> list[dict[str, Any]]:
    """Some rows and columns of a partition; none where it was never written."""
    path = sources.tables.path(table, f"{sources.day}|{sources.store}")
    if not path.exists():
        return []
    found = pl.scan_parquet(path, hive_partitioning=False)
    found = found.select(columns).unique() if of is None else found.filter(of).select(columns)
    return found.collect().to_dicts()
