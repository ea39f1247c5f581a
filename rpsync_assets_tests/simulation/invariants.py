"""What must hold after each day and each publication, computed from the truth.

Belongs here: comparisons, and the words for what differs. Does not: playing (``play``), or any rule of the product's.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from rpsync_assets.assets.held import ACCOUNTING
from rpsync_assets.assets.verdicts import GuardRefusedError
from rpsync_assets.core.errors import BadFileError, HeldError, NotYetError
from rpsync_assets.oms.ledger import verify
from rpsync_assets.partitions import Slot
from rpsync_assets_tests.simulation.books import LOCATION
from rpsync_assets_tests.simulation.product import STORE, Ran
from rpsync_assets_tests.simulation.world import PRODUCTS, Key

if TYPE_CHECKING:
    from rpsync_assets_tests.simulation.play import Player


class Violation(AssertionError):  # noqa: N818  it is what is found, not what went wrong
    """Something that must hold does not."""


def counts(player: "Player") -> dict[Key, tuple[datetime, int, int]]:
    """Of each key with an accepted reset: its snapshot, its quantity, and what a variance could not take from it."""
    if player.hotwax is not None:
        return {key: (*count, player.hotwax.short[key]) for key, count in player.hotwax.counts.items()}
    rows = player.books.ask(
        "SELECT FACILITY_ID, PRODUCT_ID, SNAPSHOT_DATE, EXTERNAL_QOH, CAST(LOG_ID AS INTEGER)"
        " FROM EXTERNAL_INVENTORY_RESET WHERE ROW_STATUS IN ('applied', 'unchanged')"
        " ORDER BY SNAPSHOT_DATE, GENERATION, CAST(LOG_ID AS INTEGER)"
    )
    newest = {(facility, product): (moment, units, log) for facility, product, moment, units, log in rows}
    short = Counter[Key]()
    for facility, product, log, missing in player.books.ask(
        "SELECT FACILITY_ID, PRODUCT_ID, CAST(LOG_ID AS INTEGER), QUANTITY_ON_HAND_VAR - REQUESTED_VAR"
        " FROM INVENTORY_ITEM_VARIANCE WHERE ROW_STATUS = 'clamped'"
    ):
        if log > newest[facility, product][2]:
            short[facility, product] += int(missing)
    found = {}
    for key, (moment, units, log) in newest.items():
        snapshot = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        found[key] = snapshot, int(units), short[key]
        if player.seen.get(key) != (log, moment):
            # The reset went over what people had changed in the books before.
            player.seen[key] = log, moment
            player.world.corrected[key] = 0
    return found


def on_hand(player: "Player") -> dict[Key, int]:
    """What the OMS must have of each key that it knows."""
    found = counts(player)
    really = player.books.on_hand()
    return {
        key: player.world.expected(key, found[key][0]) + found[key][2] if key in found else really.get(key, 0)
        for key in player.books.known_keys()
    }


def settled(player: "Player") -> None:
    """After the day: nothing is under way any more."""
    found, really, promised = counts(player), player.books.on_hand(), player.books.promised()
    if player.hotwax is not None:
        found = {key: count for key, count in found.items() if key not in player.hotwax.unsure}
    for key, (snapshot, units, short) in found.items():
        view = player.world.views.get(snapshot)
        if view is None or view[key] != units:
            raise Violation(
                f"{key}: the OMS accepted {units} as of {snapshot}, Retail Pro counted {view and view[key]}"
            )
        wanted = player.world.expected(key, snapshot) + short
        if really[key] != wanted:
            raise Violation(f"{key}: {really[key]} on hand, must be {wanted} (count of {snapshot}: {units})")
        if promised[key] != wanted - player.world.reserved(key):
            raise Violation(f"{key}: {promised[key]} promised, must be {wanted - player.world.reserved(key)}")
        player.played.checked["keys whose stock is the shelf's"] += 1
    _receipts(player, found)
    _deliveries(player)
    _ledger(player)


def _receipts(player: "Player", found: dict[Key, tuple[datetime, int, int]]) -> None:
    """What the product believes to be accepted is what the OMS took in, and its own comparison tells the truth."""
    with player.product.state.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT facility_id, product_id, snapshot_at, quantity FROM accepted_rows")
        believed = {
            (facility, product): (datetime.fromisoformat(moment).replace(tzinfo=UTC), int(units))
            for facility, product, moment, units in rows
        }
    taken_in = {key: (snapshot, units) for key, (snapshot, units, _) in found.items()}
    if believed != taken_in:
        raise Violation(f"The receipts say {believed}, the OMS took in {taken_in}")
    told = {
        (facility, product): int(units)
        for facility, product, units in player.product.differences()
        .select("facility_id", "product_id", "difference")
        .iter_rows()
    }
    true = {key: player.world.corrected[key] + short for key, (_, _, short) in found.items()}
    if told != {key: units for key, units in true.items() if units}:
        raise Violation(f"oms_matches_retail_pro tells of {told}, true is {true}")
    due = player.product.state.variance_due(STORE)
    if due.height:
        raise Violation(f"A variance is still due: {due.rows()}")
    player.played.checked["receipts"] += len(believed)


def _deliveries(player: "Player") -> None:
    """Each file went out once, and is accounted for."""
    sftp = player.product.sftp
    twice = [name for name, times in Counter(sftp.uploads).items() if times > 1]
    if twice:
        raise Violation(f"Delivered more than once: {twice}")
    taken = {name: there for name, _, there in player.product.delivered()}
    unmarked = [name for name, there in taken.items() if there != (name in sftp.uploads)]
    if unmarked or set(sftp.uploads) - set(taken):
        raise Violation(f"Not accounted for: {unmarked or set(sftp.uploads) - set(taken)}")
    lie = Counter(
        path.name
        for folder in (sftp.reset_inventory, sftp.inventory_variance)
        for path in (sftp.root / folder).rglob("*.csv")
        if not path.stem.endswith("-Error")
    )
    if lie != Counter(sftp.uploads):
        raise Violation(f"On the server lie {lie}, delivered were {sftp.uploads}")
    player.played.checked["files"] += len(taken)


def _ledger(player: "Player") -> None:
    """Every movement once: the totals are the ledger's, and each sale stands there once."""
    with player.product.engine.begin() as connection:
        disagreements = verify(connection).disagreements
    if disagreements:
        raise Violation(f"Totals are not the ledger's: {disagreements}")
    if player.hotwax is None:
        ((taken_in, rows),) = player.books.ask(
            "SELECT COUNT(*), COUNT(D.INVENTORY_ITEM_ID) FROM INVENTORY_UPDATE U LEFT JOIN INVENTORY_ITEM_DETAIL D"
            " USING (INVENTORY_ITEM_ID, INVENTORY_ITEM_DETAIL_SEQ_ID)"
        )
        if not player.happenings.sales_posted == taken_in == rows:
            raise Violation(f"{player.happenings.sales_posted} sales, {taken_in} taken in, {rows} in the ledger")


_HELD = {"raw_row_count", "filtered_row_count", "active_row_count"}


def may_stop(player: "Player", ran: Ran) -> None:
    """A day may stop before its delivery because of its file; for no other reason."""
    refused = {one.name for one in ran.why.verdicts if not one.passed} if isinstance(ran.why, GuardRefusedError) else ()
    if not (isinstance(ran.why, BadFileError | HeldError | NotYetError) or (refused and refused <= _HELD)):
        raise Violation(f"{ran.stopped_at} stops: {ran.why!r}") from ran.why
    player.played.checked["days stopped by their file"] += 1


def nothing_was_begun(player: "Player", day: date) -> bool:
    """Whether no reset of a day ever went out."""
    return not player.product.state.deliveries(STORE, day, "reset")


def day_done(player: "Player", day: date, ran: Ran) -> None:
    """The rows of the day's file are accounted for, to the row."""
    if not ran.success or "filtered_reset" not in ran.done:
        return
    slot = Slot(day, STORE)
    raw = player.product.tables.read("raw_reset_file", slot).row(0, named=True)
    lines = (player.retail_pro.folder / raw["file_name"]).read_bytes().count(b"\n") - 1
    fates = dict(player.product.tables.read(ACCOUNTING, slot).iter_rows())
    told = sum(rows for fate, rows in fates.items() if fate not in {"lines", "owed"})
    if not lines == fates["lines"] == told:
        raise Violation(f"{raw['file_name']} has {lines} rows, {told} are accounted for")
    player.played.checked["days with rows accounted for"] += 1


def nothing_left_behind(player: "Player", ran: Ran) -> None:
    """Of a chain of deltas no usable count of a product that is sold online is missing at the OMS after today."""
    if not ran.success or "filtered_reset" not in ran.done or player.story.full:
        return
    newest = player.product.tables.read("raw_reset_file", Slot(player.today, STORE))["snapshot_at"].item()
    landed = [partition[:10] for table, partition in player.product.tables.kept if table == "landed_files"]
    begun = date.fromisoformat(min(landed))
    have = counts(player)
    for snapshot in sorted(player.world.views):
        serves = snapshot.astimezone(player.zone).date()
        path = player.retail_pro.folder / player.retail_pro.name(snapshot)
        if snapshot > newest or serves < begun or (player.today - serves).days > 14 or not path.exists():
            continue
        for key, units in player.retail_pro.usable(path.read_bytes()).items():
            missing = key not in have or have[key][0] < snapshot
            if missing and key[1] in player.world.published:
                raise Violation(f"{key}: {units} as of {snapshot} never came to the OMS, which has {have.get(key)}")
            player.played.checked["counts that came to the OMS"] += 1


class Between:
    """What Shopify should show, looked at before, during and after a publication: the world does not stand still.

    Attributes:
        least: per product, the least that it should have shown.
        most: the most.
        by_itself: by how much the shop's own doing moved its count away from what it should show: an order that the
            OMS could not serve is cancelled, and Shopify puts more back than may be sold. The next one tells it.
    """

    def __init__(self, player: "Player") -> None:
        self._player = player
        self.least: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.by_itself = Counter[str]()
        self.look()

    def around(self, happens: Callable[[], None]) -> None:
        """Something happens in the world while we publish."""
        before = self._away()
        happens()
        for product, units in self._away().items():
            self.by_itself[product] += max(0, units - before.get(product, units))
        self.look()

    def _away(self) -> dict[str, int]:
        now = targets(self._player)
        return {product: self._player.shop.available(product, LOCATION) - units for product, units in now.items()}

    def look(self) -> None:
        """Look now; a product that was taken off meanwhile may or may not be published once more."""
        now = targets(self._player)
        if not self.most:
            self.least, self.most = dict(now), dict(now)
        self.least = {product: min(units, now[product]) for product, units in self.least.items() if product in now}
        self.most = {product: max(units, now[product]) for product, units in self.most.items() if product in now}


def targets(player: "Player") -> dict[str, int]:
    """Of each product on Shopify that the OMS knows: what may be sold less what is under way."""
    have = on_hand(player)
    found = {}
    for product in PRODUCTS:
        desired = player.world.desired(product, have)
        if desired is not None and product in player.world.published:
            found[product] = desired - (player.shop.taken(product) - player.world.reflected(product))
    return found


def published(player: "Player", ran: Ran, between: Between, *, full: bool) -> None:
    """Shopify shows what may be sold, less what is under way; never more, and no less once nothing is pending."""
    full = full or ran.done.get("shopify_delta", {}).get("compared") == "everything with Shopify"
    if "shopify_matches" in ran.red:
        player.played.checked["publications that say what is not right"] += 1
        return
    for product in between.most:
        shown = player.shop.available(product, LOCATION)
        low, high = between.least[product], between.most[product] + between.by_itself[product]
        if full:
            low, high = max(0, low), max(0, high)
        if shown > max(high, 0):
            raise Violation(f"{product}: Shopify shows {shown}, more than {high}")
        if player.happenings.settled and not low <= shown <= high:
            raise Violation(f"{product}: Shopify shows {shown}, must be {low} to {high}")
        player.played.checked["counts at Shopify"] += 1
