"""Which run is due next for a business date, or what the day waits for.

Belongs here: the gates, each of which is opened by data. Does not: starting runs (``sensors``), the event log
(``progress``).

    Retail Pro's file is whole ........................... it is landed
    the clock's try at the day's list failed ............. the list is tried again
    it is landed, and the day's list is there ............ the day is started, once per content of the file
    HotWax only: it has imported the reset ............... the variance is delivered
    HotWax only: it has imported the variance ............ Shopify is brought to what may be sold
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rpsync_assets.assets.arriving import is_marker, marker_of
from rpsync_assets.assets.receipts import log_ids, receipts
from rpsync_assets.clock.jobs import ACTIVE_PRODUCTS, RAW, RESET_DAY, RESET_DELIVERY, SHOPIFY_RESET, VARIANCE_DELIVERY
from rpsync_assets.clock.progress import Progress
from rpsync_assets.core.arrival import choose, understood
from rpsync_assets.core.errors import NotYetError, PermanentError, RpsyncError
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.sftp_session import RemoteFile
from rpsync_assets.resources.state import Kind, State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings


@dataclass(frozen=True)
class Step:
    """A run that is due.

    Attributes:
        key: what it is for; it is started once for it, and again only if it failed and a rerun helps.
        job: the job's name.
        only: the assets of the job that are needed; empty for all of them.
        config: by asset.
        begins: it begins the day, with the newest file that there is.
    """

    key: str
    job: str
    only: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    begins: bool = False


@dataclass(frozen=True)
class Waiting:
    """What a day waits for, and what to do.

    Attributes:
        what: in a sentence.
        overdue: the delivered file whose import takes longer than the store's settings allow; else empty.
    """

    what: str
    overdue: str = ""

    def besides(self, other: "Waiting") -> "Waiting":
        """It waits for something else, too."""
        return Waiting(f"{self.what.rstrip('. ')}. Besides, {other.what}", self.overdue or other.overdue)


@dataclass(frozen=True)
class Gates:
    """The gates of one product store."""

    store: str
    settings: Settings
    oms: Oms
    state: State
    tables: Tables

    def to_land(self, progress: Progress, listed: Sequence[RemoteFile]) -> RemoteFile | Waiting | None:
        """The day's file on the server; None if it lies here already, and Dagster knows that it does.

        One that was landed and is no longer on the server is made from the kept bytes. A Dagster whose memory was made
        anew finds files that it has no record of; landing them again fetches nothing.
        """
        slot = progress.slot
        its, folder = self.settings.store(self.store), self.settings.sftp.incoming
        candidates = understood(
            [(file.name, file.modified_at) for file in listed if not is_marker(its, file.name)],
            store=self.store,
            pattern=its.file_pattern,
            zone=its.zone,
            export_minutes=its.export_minutes,
        )
        try:
            choice = choose(candidates, store=self.store, day=slot.day, folder=folder, listed=len(listed))
        except NotYetError as missing:
            return Waiting(str(missing)) if progress.landed is None else None
        by_name = {file.name: file for file in listed}
        file = by_name[choice.chosen.name]
        if progress.landed is not None and self._lies_here(slot, file):
            return None
        if its.done_marker and (marker := marker_of(its, file.name)) not in by_name:
            return Waiting(f"{file.path} is still being written: {marker} is not there")
        return file

    def _lies_here(self, slot: Slot, file: RemoteFile) -> bool:
        try:
            raw = self.tables.read(RAW, slot).row(0, named=True)
        except NotYetError:
            return False
        return (raw["file_name"], raw["bytes"], raw["modified_at"]) == (file.name, file.size, file.modified_at)

    def next_step(self, progress: Progress, now: datetime) -> Step | Waiting | None:
        """What is due for today; None if the day is done, or has no file yet."""
        slot, landed = progress.slot, progress.landed
        if not progress.materialized_at("active_products"):
            key = list_key(slot)
            if progress.tries(key).failed:
                return Step(key, ACTIVE_PRODUCTS.name)
            return Waiting(
                f"the list of active products of {slot.day} is not compiled. The schedule active_products_{self.store}"
                f" does that at 01:00; if it is off, switch it on and materialize active_products of {slot.key}"
            )
        if landed is None:
            return None
        embedded = self.settings.oms.kind == "embedded"
        last = "shopify_full_reset" if embedded else "filtered_reset_parts"
        if progress.materialized_at(last) < landed.at:
            # The list is compiled anew: a product that was published since must not be dropped.
            job = RESET_DAY if embedded else RESET_DELIVERY
            return Step(step_key(slot, f"content {landed.number}"), job.name, begins=True)
        return None if embedded else self.after_delivery(progress, now, is_past=False)

    def after_delivery(self, progress: Progress, now: datetime, *, is_past: bool) -> Step | Waiting | None:
        """What is due for a day whose reset HotWax has; of a past day Shopify is left alone.

        A reset that a person at HotWax imports again has put back what its variance took out: its new import log is a
        new step.
        """
        slot = progress.slot
        replay = {"variance_file": {"replay": f"HotWax imported a reset of {slot.day} later"}} if is_past else {}
        reset = self._imported(slot, "reset", now)
        if isinstance(reset, Waiting):
            return reset
        if not _is_received(progress, "reset_import", reset, before="variance_file"):
            return Step(step_key(slot, f"reset import {reset}"), VARIANCE_DELIVERY.name, config=replay)
        variance = self._imported(slot, "variance", now)
        if isinstance(variance, Waiting):
            return variance
        made_at = progress.materialized_at("variance_file")
        is_new = progress.materialized_at("variance_import") >= made_at
        last = "variance_import" if is_past else "shopify_full_reset"
        if is_new and _is_received(progress, "variance_import", variance, before=last):
            return None
        receipt = ("variance_import",) if is_past else ()
        return Step(step_key(slot, f"variance import {variance} of {reset}"), SHOPIFY_RESET.name, only=receipt)

    def _imported(self, slot: Slot, kind: Kind, now: datetime) -> str | Waiting:
        """The ids of the finished imports of a day's files, or what is waited for."""
        try:
            with self.oms.read() as reader:
                return log_ids(receipts(self.oms, reader, self.state, slot, kind))
        except NotYetError as error:
            sent = self.state.went_out(slot.store, slot.day, kind)
            delivered_at, file_name = max((one.delivered_at, one.file_name) for one in sent if one.delivered_at)
            patience = timedelta(minutes=self.settings.store(slot.store).import_patience_minutes)
            hours = (now - delivered_at).total_seconds() / 3600
            overdue = file_name if now - delivered_at > patience else ""
            return Waiting(f"{error} Delivered {hours:.1f} hours ago.", overdue)
        except PermanentError as error:
            # A run says it, red, where everybody looks.
            return f"refused: {error.culprit}"
        except RpsyncError as error:
            return Waiting(str(error))


def _is_received(progress: Progress, asset: str, imports: str, *, before: str) -> bool:
    """Whether a receipt tells of these imports, and what comes after it was made since."""
    told = progress.metadata(asset).get("import log") == imports
    return told and progress.materialized_at(before) >= progress.materialized_at(asset)


_LONGEST_KEY = 150
"""Dagster's tags hold 256 characters."""


def step_key(slot: Slot, what: str) -> str:
    """What a step of a day is called."""
    digest = hashlib.sha256(what.encode()).hexdigest()
    return f"{slot.key} {what if len(what) <= _LONGEST_KEY else digest}"


def list_key(slot: Slot) -> str:
    """The step that compiles the day's list; the clock's own try has it, too."""
    return step_key(slot, "list")
