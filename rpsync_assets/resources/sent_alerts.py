"""Which message went through which channel: nothing is sent twice.

Belongs here: that memory, in our own database. Does not: sending (``alerts``).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, insert, select

from rpsync_assets.resources.databases import make_tables, open_engine

_metadata = MetaData()

_sent = Table(
    "sent_alerts",
    _metadata,
    Column("event", String(255), primary_key=True),
    Column("channel", String(40), primary_key=True),
    Column("sent_at", DateTime, nullable=False),
)


@dataclass(frozen=True)
class SentAlerts:
    """The memory of messages."""

    url: str = field(repr=False)

    @cached_property
    def engine(self) -> Engine:
        """The open database; made on first use."""
        engine = open_engine(self.url, create=True)
        make_tables(engine, _metadata)
        return engine

    def knows(self, event: str, channel: str) -> bool:
        """Whether a message went through a channel."""
        query = select(_sent.c.event).where(_sent.c.event == event, _sent.c.channel == channel)
        with self.engine.connect() as connection:
            return connection.execute(query).first() is not None

    def remember(self, event: str, channel: str) -> None:
        """It went through."""
        now = datetime.now(UTC).replace(tzinfo=None)
        with self.engine.execution_options(writes=True).begin() as connection:
            connection.execute(insert(_sent).values(event=event, channel=channel, sent_at=now))
