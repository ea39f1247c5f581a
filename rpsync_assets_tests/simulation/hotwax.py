"""HotWax on SQLite: the importer of ``hotwax.stand_in``, when its jobs come, and what a person there does.

Belongs here: when files are read and imported. Does not: what an import does (``hotwax.stand_in``).
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from rpsync_assets_tests.hotwax import stand_in
from rpsync_assets_tests.simulation.world import PRODUCTS, Key, World

if TYPE_CHECKING:
    from rpsync_assets_tests.simulation.product import Product

_PRODUCT_OF = {upca: product for product, upca in PRODUCTS.items()}


class HotWax(stand_in.StandIn):
    """The stand-in, which also remembers of which count each key is.

    Attributes:
        counts: of each key: the snapshot and the quantity of the reset row that was applied last.
        unsure: keys whose count an import put in place that died, and no other since: nobody was told of it. A newer
            file may not name them, because their product is no longer sold online; if it is again, they are owed.
        short: of each key: units that a variance of that count could not take because there were none.
    """

    def __init__(self, product: "Product", world: World) -> None:
        sftp = product.sftp
        super().__init__(product.engine, sftp.root / sftp.reset_inventory, sftp.root / sftp.inventory_variance)
        self.counts: dict[Key, tuple[datetime, int]] = {}
        self.unsure: set[Key] = set()
        self._put: set[Key] = set()
        self.short: Counter[Key] = Counter()
        self.resets: list[str] = []
        self._world, self._crashed = world, set[str]()
        self._reset_by: dict[Key, tuple[str, datetime]] = {}
        self._file = "", stand_in.naive(datetime.fromtimestamp(0, UTC))

    def come(self, mode: int, number: int, now: datetime, fired: Counter[str]) -> None:
        """One visit of the jobs (``events._hotwax``)."""
        if mode == 4:
            fired["HotWax: starts late"] += 1
            return
        if mode != 2:
            self.pick_up(now)
        if mode == 1:
            fired["HotWax: picked up, not imported yet"] += 1
        elif mode == 3 and self.queued and self.queued[0].startswith("reset"):
            fired["HotWax: import crashed"] += 1
            name = self.queued[0]
            self._crashed.add(name)
            self.crash(name, now, rows=number % 7)
        elif mode != 1:
            self.run_queue(now, 1 if mode == 2 else None)

    def catch_up(self, now: datetime) -> None:
        """Everything that waits; what died is uploaded again by a person, if it is the newest reset."""
        self.pick_up(now)
        newest = max(self.resets, key=_age, default="")
        for name in sorted(self._crashed):
            if name == newest and name not in self.queued:
                self.upload_again(name, now)
        self._crashed.clear()
        self.run_queue(now)

    def re_import_newest(self, now: datetime) -> bool:
        """A person imports the newest reset again; whether there was one."""
        if not self.resets or self.queued or self._crashed:
            return False
        self.re_import(self.resets[-1], now)
        return True

    def day_of_newest(self) -> set[date]:
        """The business date of the newest reset."""
        day = self.resets[-1].split("_")[2]
        return {date(int(day[:4]), int(day[4:6]), int(day[6:]))}

    def _import(self, waiting: stand_in._Waiting, start: datetime, crash_after: int | None) -> None:
        if waiting.config == stand_in.RESET and waiting.name not in self.resets:
            self.resets.append(waiting.name)
        sent = (waiting.folder / "archive" / waiting.name).stat().st_mtime
        self._file = waiting.name, stand_in.naive(datetime.fromtimestamp(sent, UTC))
        self._put.clear()
        super()._import(waiting, start, crash_after)
        self.unsure = self.unsure - self._put if crash_after is None else self.unsure | self._put

    def _reset(self, connection: Connection, row: dict[str, str], moment: datetime) -> None:
        super()._reset(connection, row, moment)
        key = row["facilityid"], _PRODUCT_OF[row["idvalue"]]
        snapshot = datetime.fromisoformat(row["comments"].removeprefix("Retail Pro snapshot "))
        self.counts[key] = snapshot, int(row["availableqty"])
        self._world.corrected[key] = self.short[key] = 0
        self._reset_by[key] = self._file[0], moment
        self._put.add(key)

    def _vary(self, connection: Connection, row: dict[str, str], moment: datetime) -> None:
        item = stand_in._item(connection, row, moment)
        before = stand_in.ledger.totals(connection, item)[0]
        super()._vary(connection, row, moment)
        applied = stand_in.ledger.totals(connection, item)[0] - before
        key = row["facilityid"], _PRODUCT_OF[row["idvalue"]]
        # Each variance is reckoned from what is there, so it mends what the one before could not take; so does the one
        # of a count that this file knows nothing of.
        name, sent_at = self._file
        reset, at = self._reset_by.get(key, (name, sent_at))
        stale = sent_at < at or _day(name) != _day(reset)
        self.short[key] = 0 if stale else int(applied - float(row["availabledelta"]))
        assert self.lasting == timedelta(0)


def _day(name: str) -> str:
    """The business date of a file."""
    return name.split("_")[2]


def _age(name: str) -> tuple[str, int]:
    """The business date and generation of a reset file."""
    return _day(name), int(name.split("_")[3].removeprefix("g"))
