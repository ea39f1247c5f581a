"""The rows of a Retail Pro file that matter: counts of active products, in every spelling and with every kind of dirt.

Belongs here: kept rows, rejected rows, near misses, and how many there are of each. Does not: the millions of other
rows and the bytes (``retail_pro_file``).

One fact a newcomer would get wrong: a UPC that lost its leading zeros or gained some is kept (it is the same number),
and so is ``7.0``; ``0.5``, a blank and a second opinion on the same key are not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from rpsync_assets.sandbox.catalog import Product
from rpsync_assets.sandbox.day import Stocked
from rpsync_assets.sandbox.facilities import UNKNOWN_CODES

FileRow = tuple[str, str, str, str, str]
"""``store_code, upc, alu, description, qty`` as text."""

DIRT_KINDS = 6
"""Kinds of dirt that need an active key of their own, see ``keys_for_dirt``."""


@dataclass
class FileRows:
    """Rows and how many of them are of which kind; ``rejected`` is by the product's own reasons."""

    rows: list[FileRow] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    spellings: dict[str, int] = field(default_factory=dict)
    near_misses: int = 0


def rows_per_kind(kept: int) -> int:
    """How many rows of each kind of dirt: a few per thousand, at least one."""
    return min(200, max(1, kept // 300))


def keys_for_dirt(kept: int) -> int:
    """How many active keys the file says nothing usable about."""
    return DIRT_KINDS * rows_per_kind(kept)


def compose(
    counts: Sequence[tuple[Stocked, int]], spoiled: Sequence[tuple[Stocked, int]], near: list[Product], rng: Random
) -> FileRows:
    """All rows that matter, in random order.

    Args:
        counts: kept keys with the quantity to write.
        spoiled: ``keys_for_dirt`` many keys, with what a clean row would have said.
        near: products whose rows look like an active product's and are not.
        rng: the day's dice.
    """
    found = FileRows()
    each = len(spoiled) // DIRT_KINDS
    _kept(found, counts, each)
    _duplicates(found, counts, each)
    _spoiled(found, spoiled, each)
    _without_key(found, counts, each)
    for place, product in enumerate(near):
        facility = counts[place % len(counts)][0].facility
        found.rows += [
            (facility.store_code, upca, product.sku, product.description, str(place % 9))
            for upca in (*product.upcas, *([product.expired_upca] if product.expired_upca else ()))
            if upca.isdecimal() and not (product.expired_upca and upca in product.upcas)
        ]
    found.near_misses = len(found.rows) - len(counts) - sum(found.rejected.values())
    rng.shuffle(found.rows)
    return found


def _row(stocked: Stocked, quantity: int | str, upc: str | None = None, code: str | None = None) -> FileRow:
    product = stocked.product
    return (
        stocked.facility.store_code if code is None else code,
        product.upca if upc is None else upc,
        product.sku,
        product.description,
        str(quantity),
    )


def _kept(found: FileRows, counts: Sequence[tuple[Stocked, int]], each: int) -> None:
    """A row for every kept key; the first ones that fit are spelled in every way that must still be understood."""
    spelled: dict[str, int] = {"leading_zero_lost": 0, "zeros_added": 0, "spaces": 0, "decimal": 0}
    for stocked, quantity in counts:
        upca = stocked.product.upca
        if upca.startswith("0") and spelled["leading_zero_lost"] < each:
            spelled["leading_zero_lost"] += 1
            found.rows.append(_row(stocked, quantity, upca.lstrip("0")))
        elif spelled["zeros_added"] < each:
            spelled["zeros_added"] += 1
            found.rows.append(_row(stocked, quantity, upca.zfill(14)))
        elif spelled["spaces"] < each:
            spelled["spaces"] += 1
            found.rows.append(_row(stocked, f" {quantity}", f" {upca} ", f"{stocked.facility.store_code} "))
        elif spelled["decimal"] < 2 * each or (quantity < 0 and spelled["decimal"] < 3 * each):
            spelled["decimal"] += 1
            found.rows.append(_row(stocked, f"{quantity}.0000" if quantity < 0 else f"{quantity}.0"))
        else:
            found.rows.append(_row(stocked, quantity))
    found.spellings = spelled


def _duplicates(found: FileRows, counts: Sequence[tuple[Stocked, int]], each: int) -> None:
    """The same count again; taken from the end, where spellings are plain."""
    found.rows += [_row(stocked, quantity) for stocked, quantity in counts[-each:]]
    found.rejected["duplicate"] = each


def _spoiled(found: FileRows, spoiled: Sequence[tuple[Stocked, int]], each: int) -> None:
    """Rows of active keys that nothing can be believed of."""
    kinds: tuple[tuple[str, Callable[[Stocked, int], list[FileRow]]], ...] = (
        ("blank_quantity", lambda one, _: [_row(one, "")]),
        ("fractional_quantity", lambda one, quantity: [_row(one, f"{quantity}.5")]),
        ("fractional_quantity", lambda one, _: [_row(one, "0.5")]),
        ("invalid_quantity", lambda one, _: [_row(one, "N/A")]),
        # A UPC in the quantity column: one column too far to the left in somebody's spreadsheet.
        ("invalid_quantity", lambda one, _: [_row(one, one.product.upca)]),
        ("conflicting_duplicate", lambda one, quantity: [_row(one, quantity), _row(one, quantity + 1)]),
    )
    for place, (reason, rows_of) in enumerate(kinds):
        for stocked, quantity in spoiled[place * each : (place + 1) * each]:
            rows = rows_of(stocked, quantity)
            found.rows += rows
            found.rejected[reason] = found.rejected.get(reason, 0) + len(rows)


def _without_key(found: FileRows, counts: Sequence[tuple[Stocked, int]], each: int) -> None:
    """Rows whose product or facility cannot be told."""
    for place in range(each):
        stocked, quantity = counts[place * 7 % len(counts)]
        found.rows += [
            _row(stocked, quantity, upc="" if place % 2 else "  "),
            _row(stocked, quantity, upc="20500001000-1" if place % 2 else "NOUPC"),
            _row(stocked, quantity, upc="2.05E+12"),
            _row(stocked, quantity, code=UNKNOWN_CODES[place % len(UNKNOWN_CODES)]),
        ]
    for reason in ("blank_upc", "invalid_upc", "exponent_upc", "unknown_facility"):
        found.rejected[reason] = each
