"""Retail Pro's inventory file of a snapshot, and what goes wrong with it on its way.

Belongs here: bytes on the server. Does not: what Retail Pro counts (``world``).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rpsync_assets_tests.simulation.events import FILE
from rpsync_assets_tests.simulation.world import FACILITIES, PRODUCTS, UNSOLD, Key

HEADER = "store_code,upc,alu,description,qty"
FAULTS = tuple(FILE)
ODD_ROWS = (
    f"101,{UNSOLD[1]},ALU,Not sold online,99",
    "999,012345678905,ALU,At a shop that the OMS does not know,7",
    "101,12,ALU,No UPC,3",
    "102,,ALU,No UPC at all,3",
)


@dataclass
class RetailPro:
    """The exporting side.

    Attributes:
        folder: where it puts files.
        zone: the store's; file names carry local time.
        before: what it counted when it last exported, for a delta.
        waiting: files that are on their way: when they arrive, name, bytes.
    """

    folder: Path
    zone: ZoneInfo
    full: bool
    before: dict[Key, int] = field(default_factory=dict)
    waiting: list[tuple[datetime, str, bytes]] = field(default_factory=list)

    def name(self, snapshot_at: datetime) -> str:
        """A file's name."""
        return f"reset_US_{snapshot_at.astimezone(self.zone):%Y%m%dT%H%M%S}.csv"

    def rows(self, view: Mapping[Key, int]) -> list[str]:
        """What a snapshot's file holds: everything, or what changed since the last export."""
        changed = {key: units for key, units in view.items() if self.full or self.before.get(key) != units}
        self.before = dict(view)
        return [
            # One shop's machine writes decimals, the other's does not: a number that was cut is another number.
            f"{FACILITIES[place]},{PRODUCTS[product].lstrip('0')},ALU,Shoe,{units}{'.0000' if place == 'NY' else ''}"
            for (place, product), units in changed.items()
        ]

    def export(self, snapshot_at: datetime, rows: list[str], fault: str, arrives_at: datetime, number: int) -> None:
        """Put a snapshot's file on its way."""
        name, content = self.name(snapshot_at), _file(rows)
        if fault == "missing":
            return
        if fault == "torn":
            content = content[: -1 - number % 4]
        elif fault == "short":
            lines = content.splitlines(keepends=True)
            content = b"".join(lines[: max(1, len(lines) - 1 - number % max(1, len(lines) - 1))])
        elif fault == "twin_rows":
            content = _file([*rows, *rows])
        elif fault == "conflict" and rows:
            content = _file([*rows, f"{rows[number % len(rows)].rpartition(',')[0]},77"])
        elif fault == "header_only":
            content = f"{HEADER}\n".encode()
        elif fault == "nothing":
            content = b""
        elif fault == "none_active":
            content = f"{HEADER}\n{ODD_ROWS[0]}\n".encode()
        self.waiting.append((arrives_at, name, content))

    def arrive(self, now: datetime) -> int:
        """Files that are due lie on the server; how many."""
        due = [one for one in self.waiting if one[0] <= now]
        self.waiting = [one for one in self.waiting if one[0] > now]
        for at, name, content in due:
            (self.folder / name).write_bytes(content)
            os.utime(self.folder / name, (at.timestamp(), at.timestamp()))
        return len(due)

    @staticmethod
    def usable(content: bytes) -> dict[Key, int]:
        """The counts that a person would take from a file: none of a torn one, none of a key with two numbers."""
        if not content.endswith(b"\n"):
            return {}
        found: dict[Key, set[int]] = {}
        for line in content.decode().splitlines()[1:]:
            code, upc, _, _, units = line.split(",")
            if (code, upc) in _KEY_OF:
                found.setdefault(_KEY_OF[code, upc], set()).add(int(float(units)))
        return {key: units.pop() for key, units in found.items() if len(units) == 1}


_KEY_OF = {
    (code, upca.lstrip("0")): (facility, product)
    for facility, code in FACILITIES.items()
    for product, upca in PRODUCTS.items()
}


def _file(rows: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in (HEADER, *ODD_ROWS, *rows)).encode()
