"""The OMS database: the graph's own questions, the product stores, receipts, rights, clock.

Belongs here: looks at the database. Does not: the graph's questions (``resources/oms_sql``): each is asked as it
stands, with LIMIT 0, so that this look cannot drift from them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text

from rpsync_assets.core.errors import SetupError
from rpsync_assets.doctor.checkup import PATIENCE_SECONDS, Checkup, Doubt
from rpsync_assets.doctor.machine import read_only
from rpsync_assets.resources import oms_lookup_sql, oms_sql
from rpsync_assets.resources.databases import open_replica, told_plainly
from rpsync_assets.resources.oms_reader import OmsReader
from rpsync_assets.settings import Settings

DATABASE = "OMS database"
TABLES = "OMS tables and columns"
MOST_OFF_SECONDS = 60
EMBEDDED_ONLY = {"RESET_ROWS", "VARIANCE_ROWS"}
"""Outcomes per row, which only the embedded OMS writes down."""

_LEDGER, _LOG = "INVENTORY_ITEM_DETAIL", "DATA_MANAGER_LOG"
_MAY_WRITE = ("ALL PRIVILEGES", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER")
_IN_CHANNEL = """
SELECT COUNT(*) FROM FACILITY_GROUP_MEMBER
WHERE FACILITY_GROUP_ID = :channel AND FROM_DATE <= :at AND (THRU_DATE IS NULL OR THRU_DATE > :at)
"""
_SHOPS = "SELECT COUNT(*) FROM SHOPIFY_SHOP WHERE PRODUCT_STORE_ID = :store"
_JOBS = {
    "JOB_SANDBOX": "SELECT JOB_NAME, SERVICE_NAME FROM JOB_SANDBOX WHERE STATUS_ID = 'SERVICE_PENDING'",
    "SERVICE_JOB": "SELECT JOB_NAME, SERVICE_NAME FROM SERVICE_JOB WHERE COALESCE(PAUSED, 'N') <> 'Y'",
}


@dataclass
class OmsLook:
    """The database, opened so that nothing can be written."""

    settings: Settings
    _engines: list[Engine] = field(default_factory=list[Engine])

    @property
    def hotwax(self) -> bool:
        """Whether it is HotWax's."""
        return self.settings.oms.kind == "hotwax"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one look."""
        if not self._engines:
            self._engines.append(_open(self.settings.oms_database_url))
        with told_plainly("the OMS database"), self._engines[0].begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the connections."""
        for engine in self._engines:
            engine.dispose()

    def locations(self, store: str) -> pl.DataFrame:
        """``facility_id``, ``shopify_location_id``."""
        with self.reading() as connection:
            return OmsReader(connection, datetime.now(UTC)).shopify_locations(store)

    def look(self, checkup: Checkup, stores: Iterable[str]) -> None:
        """Everything but Shopify's side."""
        checkup.look(DATABASE, self._answers, ["secret: OMS database"])
        checkup.look(TABLES, self._questions, [DATABASE])
        if self.hotwax:
            checkup.look("OMS rights", self._rights, [DATABASE])
            checkup.look("OMS clock", self._clock, [DATABASE])
            checkup.look("OMS time zone", self._zone, [DATABASE])
            checkup.look("OMS ledger", partial(self._agrees, "ledger", self.settings.oms.ledger, _LEDGER), [DATABASE])
            checkup.look("OMS receipts", self._receipts, [DATABASE])
        for store in stores:
            name = f"OMS product store {store}"
            checkup.look(name, partial(self._store, store), [TABLES])
            checkup.look(f"OMS facilities of {store}", partial(self._facilities, store), [name])
            checkup.look(f"OMS channel of {store}", partial(self._channel, store), [name])
            checkup.look(f"OMS Shopify shop of {store}", partial(self._shop, store), [name])

    def _answers(self) -> str:
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))
        return f"{self.settings.oms.kind}, {make_url(self.settings.oms_database_url).render_as_string()} answers"

    def questions(self) -> dict[str, str]:
        """What the graph asks with these settings."""
        asked_in = {**vars(oms_sql), **vars(oms_lookup_sql)}
        told = {name: asked for name, asked in asked_in.items() if name.isupper() and name[0] != "_"}
        found = {name: asked for name, asked in told.items() if isinstance(asked, str) and name != "PHYSICAL_MOVEMENT"}
        for by in sorted({store.booked_by for store in self.settings.stores.values()}):
            found[f"UNREPORTED_SHIPMENTS ({by})"] = oms_sql.UNREPORTED_SHIPMENTS[by]
        ledger = self.settings.oms.ledger or not self.hotwax
        found["REFLECTED_ORDERS"] = oms_sql.REFLECTED_ORDERS[ledger]
        if not self.hotwax:
            return found
        away = [*([] if ledger else [_LEDGER]), *([] if self.settings.oms.import_log else [_LOG])]
        return {
            name: asked
            for name, asked in found.items()
            if name not in EMBEDDED_ONLY and not any(table in asked for table in away)
        }

    def _questions(self) -> str:
        troubles: dict[str, list[str]] = {}
        questions = self.questions()
        for name, asked in questions.items():
            try:
                with self.reading() as connection:
                    limited = text(f"SELECT * FROM ({asked}) Q LIMIT 0")  # noqa: S608  our own words
                    connection.execute(limited, dict.fromkeys(limited.compile().params))
            except SetupError as error:
                troubles.setdefault(error.culprit, []).append(name)
        if troubles:
            said = "; ".join(f"{culprit} (asked by {', '.join(names)})" for culprit, names in troubles.items())
            raise SetupError(said, "Replicate that table or column, and let our user read it")
        return f"all {len(questions)} questions of the graph can be asked"

    def _rights(self) -> str | Doubt:
        with self.reading() as connection:
            grants = [str(row[0]).upper() for row in connection.execute(text("SHOW GRANTS"))]
        granted = " ".join(grant.partition(" ON ")[0] for grant in grants)
        if found := [right for right in _MAY_WRITE if right in granted]:
            return Doubt(f"our user may write ({', '.join(found)})", "Give it SELECT only; we never write there")
        return "our user may only read"

    def _clock(self) -> str:
        with self.reading() as connection:
            theirs = connection.scalar(text("SELECT UTC_TIMESTAMP()"))
        off = (theirs.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
        if abs(off) > MOST_OFF_SECONDS:
            raise SetupError(
                f"its clock is {off:+.0f} s off ours", "Set both clocks by NTP: counts are compared by time"
            )
        return f"{off:+.0f} s off ours"

    def _zone(self) -> str | Doubt:
        with self.reading() as connection:
            zone, offset = connection.execute(
                text(
                    "SELECT CONCAT(@@session.time_zone, ' / ', @@system_time_zone),"
                    " TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW())"
                )
            ).one()
        if offset:
            return Doubt(f"{zone}, {offset:+d} minutes off UTC", "Make sure that HotWax stores its moments as UTC")
        return f"{zone}, UTC"

    def _agrees(self, setting: str, on: bool, table: str) -> str | Doubt:  # noqa: FBT001
        readable = self._is_readable(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608  our own words
        if on and not readable:
            raise SetupError(
                f"[oms] {setting} is true, and {table} cannot be read", f"Replicate {table}, or set {setting} = false"
            )
        if readable and not on:
            return Doubt(f"[oms] {setting} is false, but {table} can be read", f"Set {setting} = true: it knows more")
        return f"[oms] {setting} is {str(on).lower()}, {table} is {'' if readable else 'not '}readable"

    def _receipts(self) -> str | Doubt:
        said = self._agrees("import_log", self.settings.oms.import_log, _LOG)
        if isinstance(said, Doubt) or not self.settings.oms.import_log:
            return said
        with self.reading() as connection:
            newest = connection.scalar(text("SELECT MAX(CREATED_DATE) FROM DATA_MANAGER_LOG"))
        if newest is None:
            return Doubt("DATA_MANAGER_LOG is empty", "Let HotWax import a file, and see that its receipt arrives here")
        return f"the newest import is of {newest} UTC"

    def _is_readable(self, question: str) -> bool:
        try:
            with self.reading() as connection:
                connection.execute(text(question)).all()
        except SetupError:
            return False
        return True

    def _store(self, store: str) -> str:
        with self.reading() as connection:
            found = connection.execute(text(oms_sql.RESERVES_INVENTORY), {"store": store}).first()
        if found is None:
            raise SetupError(
                f"the OMS has no product store '{store}'", "Name it as PRODUCT_STORE.PRODUCT_STORE_ID does"
            )
        return "is there"

    def _facilities(self, store: str) -> str:
        with self.reading() as connection:
            found = OmsReader(connection, datetime.now(UTC)).facilities(store)
        nameless = found.filter(pl.col("external_id").fill_null("").str.strip_chars() == "")["facility_id"].to_list()
        if found.is_empty():
            raise SetupError(f"{store} has no open physical facility", "Add them to PRODUCT_STORE_FACILITY")
        if nameless:
            raise SetupError(
                f"without an external id: {', '.join(nameless[:10])}{' ...' if len(nameless) > 10 else ''}",
                "Set FACILITY.EXTERNAL_ID to Retail Pro's store code",
            )
        return f"{found.height} open facilities, each with an external id"

    def _channel(self, store: str) -> str:
        channel = self.settings.store(store).channel
        members = self._count(_IN_CHANNEL, channel=channel, at=datetime.now(UTC).replace(tzinfo=None))
        if not members:
            raise SetupError(
                f"no facility sells on the channel group '{channel}' now", f"Correct channel in [stores.{store}]"
            )
        return f"{channel}, {members} facilities"

    def _shop(self, store: str) -> str:
        if not self._count(_SHOPS, store=store):
            raise SetupError(f"SHOPIFY_SHOP has no shop of {store}", "Connect the shop in HotWax")
        return "is there"

    def _count(self, question: str, **values: object) -> int:
        with self.reading() as connection:
            return int(connection.scalar(text(question), values) or 0)

    def publisher(self) -> str | Doubt:
        """Whether somebody else publishes, as far as HotWax's own job tables say."""
        rule = "exactly one publisher: HotWax's own Shopify jobs must be off"
        if not self.hotwax:
            return f"{rule}; the embedded OMS has none"
        read, active = [], []
        for table, question in _JOBS.items():
            try:
                with self.reading() as connection:
                    jobs = [" ".join(str(word or "") for word in row) for row in connection.execute(text(question))]
            except SetupError:
                continue
            read.append(table)
            active += [job for job in jobs if "shopify" in job.lower() and "inventory" in job.lower()]
        if active:
            raise SetupError(f"{rule}; active are {', '.join(active[:5])}", "Pause them in HotWax before publishing")
        if not read:
            return Doubt(f"{rule}; its job tables cannot be read", "Look at HotWax's job manager yourself")
        return f"{rule}; none is active in {', '.join(read)}"


def _open(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return open_replica(url, patience_seconds=PATIENCE_SECONDS)
    path = Path(parsed.database or "")
    if not path.exists():
        raise SetupError(f"the OMS database {path} does not exist", "Set RPSYNC_OMS_DATABASE_URL or [oms] database")
    # Not the graph's own engine: that one turns a file to WAL.
    return create_engine(f"sqlite:///{read_only(path)}&uri=true", poolclass=NullPool)
