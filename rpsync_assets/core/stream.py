"""A whole file, block by block -> the filtered reset, in memory that does not grow with the file.

Belongs here: the loop over blocks and what it keeps of each. Does not: the rules (``core/reset``), the bytes' way off
the disk (``resources/landing``).

A 300 MB file has millions of rows and a few thousand that matter. Each block is parsed, its plainly inactive rows are
counted and dropped, and only the rest is kept until the file ends and duplicates can be judged. Blocks are worked on
by a few threads: polars releases the interpreter, so parsing one block overlaps with reading the next.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from rpsync_assets.core import gtin
from rpsync_assets.core.errors import BadFileError
from rpsync_assets.core.header import Header
from rpsync_assets.core.lines import Block
from rpsync_assets.core.reader import ROW_SCHEMA, read_block
from rpsync_assets.core.reset import FEW_UNCLEAR, FilteredReset, Rules, judge, plainly_inactive

WORKERS = 3
MOST_UNREADABLE_ROWS = 100_000
"""Above this, and above half of the rows so far, the column map is wrong: stop instead of keeping millions of rows."""


@dataclass(frozen=True)
class _Sifted:
    rows: int
    inactive: int
    unreadable: int
    rest: pl.DataFrame


def filter_blocks(
    blocks: Iterable[Block],
    *,
    header: Header,
    active: pl.DataFrame,
    facilities: pl.DataFrame,
    snapshot_at: datetime,
    rules: Rules = Rules(),  # noqa: B008  frozen
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> FilteredReset:
    """Filter one reset file to the active products at known facilities.

    Args:
        blocks: the file's bytes below the header line, each block ending with a line end.
        header: the file's header.
        active: ``core.active.SCHEMA``.
        facilities: ``store_code``, ``facility_id``.
        snapshot_at: T0 of the file.
        rules: what the store's settings say of quantities and check digits.
        on_rows: called with the number of rows read so far, now and then.

    Raises:
        BadFileError: a line is torn, or most rows have no readable UPC.
    """
    active_gtins = active["gtin"]
    rows = inactive = unreadable = 0
    rests: list[pl.DataFrame] = []
    pending: deque[tuple[Block, Future[_Sifted]]] = deque()

    def take() -> None:
        nonlocal rows, inactive, unreadable
        block, future = pending.popleft()
        try:
            sifted = future.result()
        except BadFileError:
            # The worker did not know how many lines came before its block: read it once more to name the line.
            read_block(block, header, first_line=header.lines + 1 + rows)
            raise  # pragma: no cover  the line above has raised
        rests.append(sifted.rest.with_columns(pl.col("line_number") + rows))
        rows += sifted.rows
        inactive += sifted.inactive
        unreadable += sifted.unreadable
        if unreadable > max(MOST_UNREADABLE_ROWS, rows / 2):
            raise BadFileError(
                f"{unreadable} of the first {rows} rows have no readable UPC in column '{header.upc}'",
                "Check [stores.<store>.columns] in rpsync.toml against the file's header",
            )
        on_rows(rows)

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="sift") as pool:
        for block in blocks:
            pending.append((block, pool.submit(_sift, block, header, active_gtins)))
            if len(pending) > WORKERS:
                take()
        while pending:
            take()
    return judge(
        pl.concat(rests) if rests else pl.DataFrame(schema=ROW_SCHEMA),
        plainly_inactive_rows=inactive,
        active=active,
        facilities=facilities,
        snapshot_at=snapshot_at,
        rules=rules,
    )


def _sift(block: Block, header: Header, active_gtins: pl.Series) -> _Sifted:
    """Parse a block and keep what is not plainly inactive; line numbers are those of a file that begins with it."""
    frame = read_block(block, header, first_line=header.lines + 1)
    dropped = plainly_inactive(frame, active_gtins, plus_signs=b"+" in block.data)
    rest = frame.filter(~dropped)
    # A filtered frame still holds on to the whole block's text; through a stream of bytes it becomes its own.
    copied = rest.write_ipc_stream(None)
    copied.seek(0)
    return _Sifted(
        rows=frame.height,
        inactive=int(dropped.sum()),
        unreadable=_unreadable(rest["upc"]),
        rest=pl.read_ipc_stream(copied),
    )


def _unreadable(texts: pl.Series) -> int:
    """How many texts are no UPC; a few that are not plain digits count as none: no file is stopped by so few."""
    odd = texts.filter(
        texts.cast(pl.Int64, strict=False).is_between(gtin.SMALLEST, gtin.LARGEST).fill_null(value=False).not_()
    )
    if odd.len() <= FEW_UNCLEAR:
        return odd.len()
    return odd.to_frame("upc").select(gtin.key(pl.col("upc")))["upc"].null_count()
