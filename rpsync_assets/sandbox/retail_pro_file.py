"""One Retail Pro file: the rows that matter, spread over everything else ever created, streamed to disk.

Belongs here: bytes and the rows of products that are not sold online. Does not: which counts are true (``morning``).

The file is made in chunks and each is written before the next is made, so memory does not grow with the file. Order is
shuffled by arithmetic, not by a hash, so that the same seed gives the same bytes on every version of polars.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from rpsync_assets.core.errors import SetupError
from rpsync_assets.sandbox.file_rows import FileRow

COLUMNS = ("store_code", "upc", "alu", "description", "qty")
CHUNK_ROWS = 200_000
_MODELS = ("SANDAL", "SNEAKER", "BOOT", "LOAFER", "PUMP", "BOOT, LEATHER", "SLIPPER", "BELT", "BAG", "MOCCASIN", "SOCK")
_COLORS = ("BLACK", "BROWN", "WHITE", "NAVY", "RED", "CAMEL", "GREY", "GOLD", "GREEN", "PINK", "NUDE", "TAN", "BLUE")


def write(path: Path, rows: Sequence[FileRow], total_rows: int, codes: Sequence[str], salt: int) -> int:
    """Write a whole file.

    Args:
        path: where; must not be there yet. Readable by its owner only.
        rows: the rows that matter, in the order in which they are spread.
        total_rows: data rows of the file, these and the others.
        codes: store codes that the other rows are of.
        salt: makes the others' quantities this day's own.

    Returns:
        Bytes written.

    Raises:
        SetupError: more rows matter than the file shall have.
    """
    if len(rows) > total_rows:
        raise SetupError(
            f"A file of {total_rows} rows shall hold {len(rows)} that matter", "Give the size more file_rows"
        )
    chunks = math.ceil(total_rows / CHUNK_ROWS)
    others = 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write((",".join(COLUMNS) + "\n").encode())
        for chunk in range(chunks):
            height = _share(total_rows, chunk, chunks)
            own = rows[_edge(len(rows), chunk, chunks) : _edge(len(rows), chunk + 1, chunks)]
            matter = pl.DataFrame(own, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
            filler = _others(others, height - matter.height, codes, salt)
            others += filler.height
            pl.concat([filler, matter])[_spread(height)].write_csv(handle, include_header=False)
        return handle.tell()


def _edge(total: int, chunk: int, chunks: int) -> int:
    return total * chunk // chunks


def _share(total: int, chunk: int, chunks: int) -> int:
    return _edge(total, chunk + 1, chunks) - _edge(total, chunk, chunks)


def _spread(height: int) -> pl.Series:
    """All row numbers, in an order that spreads neighbours evenly: multiples of a golden-ratio step."""
    step = max(1, int(height * 0.618))
    while math.gcd(step, height) != 1:
        step += 1
    return pl.int_range(height, dtype=pl.Int64, eager=True) * step % height


def _others(first: int, height: int, codes: Sequence[str], salt: int) -> pl.DataFrame:
    """Rows ``first`` and after of products that are not sold online: every one of them at every place."""
    row = pl.int_range(first, first + height, dtype=pl.Int64, eager=True)
    first_item = first // len(codes)
    items = _items(first_item, (first + height) // len(codes) + 1)
    mixed = (row * 7919 + salt) % 1009
    quantity = pl.select(pl.when(mixed < 4).then(mixed - 4).when(mixed < 500).then(0).otherwise(mixed % 23)).to_series()
    return items[row // len(codes) - first_item].select(
        pl.Series("store_code", codes, dtype=pl.String)[row % len(codes)],
        "upc",
        "alu",
        "description",
        quantity.cast(pl.String).alias("qty"),
    )


def _items(first: int, end: int) -> pl.DataFrame:
    """Products ``first`` up to ``end``: four of five with an EAN-13, the others with a UPC-A."""
    number = pl.col("number")
    body = (
        pl.when(number % 10 == 3)
        .then(2_000_000_000 + number)
        .when(number % 10 == 7)
        .then(88_000_000_000 + number)
        .otherwise(205_100_000_000 + number)
    )
    digits = pl.sum_horizontal(*[(pl.col("body") // 10**place) % 10 * (1 if place % 2 else 3) for place in range(12)])
    text = (pl.col("body") * 10 + (10 - digits % 10) % 10).cast(pl.String)
    return (
        pl.DataFrame({"number": pl.int_range(first, end, dtype=pl.Int64, eager=True)})
        .with_columns(body=body)
        .select(
            text.str.zfill(12).alias("upc"),
            pl.format("{}-{}", 100_000 + number * 7 % 900_000, number % 12 + 34).alias("alu"),
            pl.format(
                "{} {} {}",
                pl.lit(pl.Series(_MODELS)).gather(number % len(_MODELS)),
                pl.lit(pl.Series(_COLORS)).gather(number % len(_COLORS)),
                number % 12 + 34,
            ).alias("description"),
        )
    )
