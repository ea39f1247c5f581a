"""The OMS's receipts for a day's deliveries.

Belongs here: which deliveries of a day are waited for, and their finished imports. Does not: what the receipts say
(``assets/hotwax``), how an OMS is asked (``resources/oms``).
"""

from collections.abc import Sequence
from datetime import datetime

from rpsync_assets.core.errors import NotYetError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.oms_reader import ImportLog, OmsReader
from rpsync_assets.resources.state import Delivery, Kind, State

Receipt = tuple[Delivery, ImportLog]


def receipts(oms: Oms, reader: OmsReader, state: State, slot: Slot, kind: Kind) -> list[Receipt]:
    """The finished imports of a day's deliveries: one that never went out is not waited for, nor an older refused one.

    Raises:
        NotYetError: the OMS has not finished one.
        PermanentError: the OMS refused the newest.
    """
    sent = state.went_out(slot.store, slot.day, kind)
    newest = max((delivery.generation for delivery in sent), default=0)
    # An earlier file of the day that the OMS refused is history: the newer one has taken its place.
    waited_for = [d for d in sent if d.generation == newest or not oms.was_refused(reader, d)]
    return [(delivery, oms.import_of(reader, delivery)) for delivery in waited_for]


def refuse_unseen_imports(found: Sequence[Receipt], seen: Sequence[str], slot: Slot) -> None:
    """What is deducted must belong to the imports that stand at the OMS now.

    Args:
        found: the receipts of the day's resets.
        seen: the log ids of those that ``reset_import`` holds.
        slot: store and day.

    Raises:
        NotYetError: a reset was imported (again) since ``reset_import`` was materialized.
    """
    unseen = sorted({log.log_id for _, log in found} - set(seen))
    if unseen:
        raise NotYetError(
            f"The OMS imported a reset of {slot.store} for {slot.day} after reset_import was materialized"
            f" (import log {', '.join(unseen)})",
            "Materialize reset_import of this day again, then this asset",
        )


def log_ids(found: Sequence[Receipt]) -> str:
    """The import logs' ids as the metadata of both receipts tells them."""
    return ", ".join(log.log_id for _, log in found) or "nothing was delivered"


def finished(found: Sequence[Receipt]) -> datetime | None:
    """When the last import of these ended."""
    return max((log.finished_at for _, log in found if log.finished_at is not None), default=None)
