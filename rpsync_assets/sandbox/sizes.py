"""How big a sandbox world is.

Belongs here: numbers. Does not: what is made of them.
"""

from dataclasses import dataclass, replace

from rpsync_assets.core.errors import SetupError


@dataclass(frozen=True)
class Size:
    """The numbers of one world; all are per product store.

    Attributes:
        name: what the user asked for.
        file_rows: data rows of each Retail Pro file.
        kept_rows: keys (active product at a known facility) that a file brings a usable count for.
        facilities: stores and warehouses of the product store.
        active_products: products published online with one valid UPCA.
        orders_per_scenario: how often each kind of order happens in a morning.
        pos_sales: in-store sales of a morning.
    """

    name: str
    file_rows: int
    kept_rows: int
    facilities: int
    active_products: int
    orders_per_scenario: int
    pos_sales: int


SIZES: dict[str, Size] = {
    size.name: size
    for size in (
        Size("tiny", 2_000, 300, 8, 60, orders_per_scenario=1, pos_sales=20),
        Size("small", 50_000, 3_000, 12, 1_200, orders_per_scenario=3, pos_sales=90),
        Size("full", 6_800_000, 1_650, 15, 3_000, orders_per_scenario=4, pos_sales=150),
        Size("season", 400_000, 230_000, 24, 10_000, orders_per_scenario=20, pos_sales=600),
    )
}


def size_named(name: str) -> Size:
    """The size of that name.

    Raises:
        SetupError: there is none.
    """
    try:
        return SIZES[name]
    except KeyError:
        raise SetupError(f"Sandbox size '{name}' is not known", f"Choose one of {', '.join(SIZES)}") from None


def scaled(size: Size, file_factor: int) -> Size:
    """The same world with longer files: as many kept rows among ``file_factor`` times as many rows."""
    if file_factor == 1:
        return size
    return replace(size, name=f"{size.name}x{file_factor}", file_rows=size.file_rows * file_factor)
