"""Products of the world and the identifiers they carry, as plain values made from a seed.

Belongs here: numbers, UPCAs and what is wrong with some of them. Does not: tables (``master_data``) or files.

One fact a newcomer would get wrong: "UPCA" values are mostly EAN-13, some are 12-digit UPC-A (a few with a leading
zero), and 11-digit ones that fail the check digit are real and active too (domain.md 1.8).
"""

from dataclasses import dataclass
from random import Random

from rpsync_assets.sandbox.sizes import Size
from rpsync_assets.sandbox.stores import SandboxStore

GOOD = ("plain", "expired_upca", "bad_check_digit")
"""Kinds with exactly one usable current UPCA: published ones are active."""

DIRTY = ("no_upca", "two_upcas", "shared_upca", "not_numeric")
"""Kinds that are published and in stock, yet have no UPCA that means them alone."""

FIRST_NUMBER = 100_001
"""Products are numbered from here on, the digital ones from ``FIRST_DIGITAL``."""
FIRST_DIGITAL = 990_001
DIGITAL_PRODUCTS = 4

MODELS = ("SANDAL", "SNEAKER", "BOOT", "LOAFER", "PUMP", "SLIPPER", "MOCCASIN", "BALLERINA")
COLORS = ("BLACK", "BROWN", "WHITE", "NAVY", "RED", "CAMEL", "GREY")


@dataclass(frozen=True)
class Product:
    """One product: its number, what kind it is, its current UPCAs and the one that expired, if any."""

    number: int
    kind: str
    upcas: tuple[str, ...]
    expired_upca: str | None = None

    @property
    def product_id(self) -> str:
        """The OMS's id."""
        return f"M{self.number}"

    @property
    def upca(self) -> str:
        """The one current UPCA of a good product."""
        return self.upcas[0]

    @property
    def sku(self) -> str:
        """The text that people use; INTERNAL_NAME in the OMS and ALU in Retail Pro."""
        return f"{MODELS[self.number % len(MODELS)][:3]}{self.number % 9973:04d}-{self.number % 12 + 34}"

    @property
    def description(self) -> str:
        """What Retail Pro prints; every seventh has a comma in it, so CSV must quote it."""
        model, color = MODELS[self.number % len(MODELS)], COLORS[self.number % len(COLORS)]
        joint = ", " if self.number % 7 == 0 else " "
        return f"{model}{joint}{color} {self.number % 12 + 34}"

    @property
    def is_digital(self) -> bool:
        """Whether nothing is ever taken from a shelf for it."""
        return self.kind == "digital"


def with_check_digit(body: str) -> str:
    """A GTIN of its digits without the last one."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return f"{body}{-total % 10}"


def catalog(size: Size, seed: int) -> list[Product]:
    """All products of the world: more good ones than any store sells, some dirty ones, a few digital ones."""
    rng = Random(f"catalog-{seed}")  # noqa: S311  invented data, no secrets
    good = size.active_products + max(10, size.active_products // 4)
    products = [_good(FIRST_NUMBER + place, place, rng) for place in range(good)]
    dirty_each = max(2, size.active_products // 300)
    number = FIRST_NUMBER + good
    for kind in DIRTY:
        for place in range(dirty_each - dirty_each % 2):
            # Neighbours of kind shared_upca have the same one: numbers go up in pairs.
            own = with_check_digit(f"2059{number - (place % 2 if kind == 'shared_upca' else 0):08d}")
            upcas = {
                "no_upca": (),
                "two_upcas": (own, with_check_digit(f"2058{number:08d}")),
                "shared_upca": (own,),
                "not_numeric": (f"SKU-{number}",),
            }[kind]
            products.append(Product(number, kind, upcas))
            number += 1
    products += [
        Product(FIRST_DIGITAL + place, "digital", (with_check_digit(f"2057{FIRST_DIGITAL + place:08d}"),))
        for place in range(DIGITAL_PRODUCTS)
    ]
    return products


def published(products: list[Product], size: Size, seed: int, store: SandboxStore) -> list[Product]:
    """What a store sells online: its own choice of the good products, and all dirty and digital ones."""
    rng = Random(f"published-{seed}-{store.store_id}")  # noqa: S311
    good = [product for product in products if product.kind in GOOD]
    chosen = {product.number for product in rng.sample(good, size.active_products)}
    return [product for product in products if product.kind not in GOOD or product.number in chosen]


def active(products: list[Product]) -> list[Product]:
    """Those of the published products that the day's files can be matched to."""
    return [product for product in products if product.kind in GOOD]


def _good(number: int, place: int, rng: Random) -> Product:
    """A product with one usable UPCA; the first ones make sure that every kind is there in the smallest world."""
    expired = with_check_digit(f"2056{number:08d}") if place % 97 == 3 else None
    if place % 89 == 5:
        # 11 digits that fail the check even when padded, like 30065245099 (domain.md 1.8).
        right = with_check_digit(f"3006{number:06d}")
        return Product(number, "bad_check_digit", (f"{right[:-1]}{(int(right[-1]) + 1) % 10}",), expired)
    dice = rng.random()
    if place == 7 or dice < 0.05:
        upca = with_check_digit(f"01{number:09d}")
    elif place == 11 or dice < 0.2:
        upca = with_check_digit(f"87{number:09d}")
    else:
        upca = with_check_digit(f"2050{number:08d}")
    return Product(number, "expired_upca" if expired else "plain", (upca,), expired)
