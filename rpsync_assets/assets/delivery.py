"""Delivering files to the OMS exactly once: write down, send, write down.

Belongs here: the order of these steps and what a second click or a crash between them means. Does not: whether
delivery is allowed (the asset's guards), how bytes travel (``resources/sftp_session``).

0. One run delivers for a store at a time: a lock that ends with its process, however that ends.
1. The copies are kept, and the deliveries are taken in the state database: a unique row each, so a twin on another
   machine stops here.
2. Each file that is not known to be delivered is looked for on the server, in the folder, ``archive/`` and ``error/``,
   and in the OMS's import log: archives are emptied. If it is there, an earlier run sent it and died, or lost the
   connection, before it could write that down; else it is sent, temp name then rename. Nothing is sent while the OMS
   cannot be asked.
3. The delivery is marked.
"""

import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from sqlalchemy.exc import IntegrityError

from rpsync_assets.core.errors import BusyError, NotYetError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import SftpSession
from rpsync_assets.resources.state import Delivery, Kind, State

_log = logging.getLogger(__name__)


LOOK_BACK = timedelta(days=3)
"""So far back a delivery is looked for that may have gone out before its run died."""

LEASE = timedelta(minutes=15)
"""For so long a delivery that another machine has taken is its own; here, the lock tells."""


@dataclass(frozen=True)
class Parcel:
    """One file to deliver."""

    name: str
    content: bytes
    rows: int


@dataclass(frozen=True)
class Shipment:
    """The files of one generation of one kind for one store and day."""

    slot: Slot
    kind: Kind
    generation: int
    digest: str
    snapshot_at: datetime
    folder: str
    parcels: Sequence[Parcel]
    # Parts before this one are other shipments of the same generation.
    first_part: int = 1


@dataclass(frozen=True)
class Sent:
    """What came of it."""

    deliveries: list[Delivery]
    sent_now: int

    @property
    def outcome(self) -> str:
        """For the analyst."""
        if not self.deliveries:
            return "nothing to deliver"
        return "delivered" if self.sent_now else "delivered before: not sent again"


@dataclass(frozen=True)
class Courier:
    """Everything a delivery needs."""

    sftp: Sftp
    state: State
    outbox: Outbox
    oms: Oms
    context: dg.AssetExecutionContext

    def deliver(self, shipment: Shipment, *, before_sending: Callable[[SftpSession], None]) -> Sent:
        """Deliver a shipment; safe to call any number of times.

        Args:
            shipment: what is to be delivered.
            before_sending: may refuse, by raising, before anything of this generation was sent.

        Raises:
            BusyError: another run is delivering it at this moment.
        """
        slot = shipment.slot
        with self.outbox.alone(slot.store):
            known = self._known(shipment)
            pending = [delivery for delivery in known if delivery.delivered_at is None]
            if known and not pending:
                _log.info("%s was delivered before: not sent again", ", ".join(d.file_name for d in known))
                return Sent(known, 0)
            if not (known or shipment.parcels):
                return Sent([], 0)
            with self.sftp.session() as session:
                _leave_to_other_machine(pending)
                self._find_lost(session, slot, shipment.kind)
                if len(pending) == len(known) and not any(self._place(session, delivery) for delivery in pending):
                    before_sending(session)
                pending = pending or self._take(shipment)
                sent = sum(self._send(session, delivery) for delivery in pending)
            return Sent(self._known(shipment), sent)

    def _known(self, shipment: Shipment) -> list[Delivery]:
        slot = shipment.slot
        taken = self.state.deliveries(slot.store, slot.day, shipment.kind, shipment.generation)
        return [delivery for delivery in taken if delivery.part >= shipment.first_part]

    def went_out(self, slot: Slot, kind: Kind) -> list[Delivery]:
        """The deliveries of a day that lie on the server or were taken from it, of any generation.

        One that a run sent before it died, and could not write down, is found there and written down now.
        """
        if any(delivery.delivered_at is None for delivery in self.state.deliveries(slot.store, slot.day, kind)):
            with self.sftp.session() as session:
                self._find_lost(session, slot, kind)
        return self.state.went_out(slot.store, slot.day, kind)

    def _find_lost(self, session: SftpSession, slot: Slot, kind: Kind) -> None:
        """Mark what earlier runs sent and could not write down: a newer file of the day must not make us forget it."""
        for delivery in self.state.deliveries_since(slot.store, slot.day - LOOK_BACK):
            lost = delivery.kind == kind and delivery.delivered_at is None
            if lost and self._place(session, delivery) is not None:
                self.state.mark_delivered(delivery, datetime.now(UTC))

    def _take(self, shipment: Shipment) -> list[Delivery]:
        slot = shipment.slot
        deliveries = [
            Delivery(
                product_store=slot.store,
                business_date=slot.day,
                kind=shipment.kind,
                generation=shipment.generation,
                part=number,
                parts=shipment.first_part - 1 + len(shipment.parcels),
                digest=shipment.digest,
                file_name=parcel.name,
                folder=shipment.folder,
                rows=parcel.rows,
                bytes=len(parcel.content),
                snapshot_at=shipment.snapshot_at,
                host=socket.gethostname(),
                taken_at=datetime.now(UTC),
                run_id=self.context.run.run_id,
            )
            for number, parcel in enumerate(shipment.parcels, start=shipment.first_part)
        ]
        for parcel in shipment.parcels:
            self.outbox.keep(slot.day, slot.store, parcel.name, parcel.content)
        try:
            self.state.take(deliveries)
        except IntegrityError as error:
            raise BusyError(
                f"Another run is delivering the {shipment.kind} of {slot.store} for {slot.day} at this moment",
                "Wait until it has ended; a rerun then finds it delivered",
            ) from error
        return deliveries

    def _send(self, session: SftpSession, delivery: Delivery) -> bool:
        """Send one file, as it was kept when it was taken, unless it is there; whether it was sent now."""
        there = self._place(session, delivery)
        if there is None:
            content = self.outbox.read(delivery.business_date, delivery.product_store, delivery.file_name)
            session.upload(delivery.folder, delivery.file_name, content)
        else:
            _log.info("%s stands in %s already: an earlier run sent it", delivery.file_name, there)
        self.state.mark_delivered(delivery, datetime.now(UTC))
        return there is None

    def _place(self, session: SftpSession, delivery: Delivery) -> str | None:
        """Where a delivered file stands: in the folder, where the OMS moved it, or in the OMS's import log.

        In the order in which it travels, so that it cannot slip past while we look.
        """
        places = (delivery.folder, f"{delivery.folder}/archive", f"{delivery.folder}/error")
        place = next((place for place in places if session.look(f"{place}/{delivery.file_name}")), None)
        if place is None:
            with self.oms.read() as reader:
                place = "the OMS's import log" if self.oms.knows_of(reader, delivery) else None
        return place


def _leave_to_other_machine(pending: Sequence[Delivery]) -> None:
    for delivery in pending:
        until = delivery.taken_at + LEASE
        if delivery.host != socket.gethostname() and datetime.now(UTC) < until:
            raise NotYetError(
                f"{delivery.host} took {delivery.file_name} for delivery and may be sending it",
                f"Rerun there, or here after {until:%H:%M} UTC if that machine is down",
            )
