"""The reset's rows: the raw file, filtered to the active products.

Belongs here: filtered_reset, its accounting and the guards on its rows. Does not: the judgement of a row
(``core/reset``), delivery (``assets/reset_parts``).
"""

import dagster as dg
import polars as pl

from rpsync_assets import links
from rpsync_assets.assets import reset_numbers
from rpsync_assets.assets.blueprint import asset
from rpsync_assets.assets.held import ACCOUNTING, fit_to_deliver
from rpsync_assets.assets.metadata import counted, described
from rpsync_assets.assets.owed import (
    OWED,
    Lists,
    filter_landed,
    owed_today,
)
from rpsync_assets.assets.rejected import keep_rejected
from rpsync_assets.assets.reset_numbers import number_verdicts
from rpsync_assets.assets.verdicts import check_result, require
from rpsync_assets.core import guards, reset_guards
from rpsync_assets.core.active import compile_active, with_newly_listed
from rpsync_assets.core.owed import WHY, with_owed
from rpsync_assets.core.reset import REASONS, Accounting, known_facilities
from rpsync_assets.partitions import Slot, today_in
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings
from rpsync_assets.telling import telling

FILTER_CHECKS = {
    "rows_accounted_for": "Every row of the raw file is kept, inactive, or rejected for a reason: to the row.",
    "filtered_row_count": "Rows are left to deliver; a day without any is held until a person releases it.",
    "filtered_upca_valid": "Every UPCA that is delivered can be matched.",
    "filtered_keys_unique": "Each facility and UPCA stands there once.",
    **reset_numbers.CHECKS,
}
"""Shown where the rows are made, and again where they are delivered: the delivering asset calls the guards itself."""


@asset(
    group="reset",
    kinds={"polars", "parquet"},
    checks=FILTER_CHECKS,
)
def filtered_reset(
    context: dg.AssetExecutionContext,
    raw_reset_file: pl.DataFrame,
    active_products: pl.DataFrame,
    settings: dg.ResourceParam[Settings],
    oms: dg.ResourceParam[Oms],
    state: dg.ResourceParam[State],
    tables: dg.ResourceParam[Tables],
    rejections: dg.ResourceParam[Outbox],
) -> dg.MaterializeResult[pl.DataFrame]:
    """The rows to apply: counts of active products at the store's facilities, as of the file's snapshot.

    With them go the keys that are owed from earlier files, each as of its own snapshot: ``owed_keys`` tells why. Every
    other row is accounted for: inactive products are counted, rejected rows lie in ``rejected_reset_rows`` and in a CSV
    with line number, raw text and reason, and ``reset_row_accounting`` adds up to the row.
    """
    slot = Slot.of(context)
    raw = raw_reset_file.row(0, named=True)
    store = settings.store(slot.store)
    with oms.read() as reader:
        facilities, shared_codes = known_facilities(reader.facilities(slot.store))
        active = active_products
        if slot.day == today_in(store.zone):
            active = with_newly_listed(active, compile_active(reader.listed_products(slot.store)).active)
    tell = telling(f"filtering {raw['file_name']}", "million rows")
    outcome = filter_landed(raw, store, active, facilities, on_rows=lambda done: tell(done, raw["rows"]))
    accounting = outcome.accounting
    checks = require([guards.rows_accounted_for(accounting, lines=raw["rows"])])
    spreadsheet = keep_rejected(outcome.rejected, raw, slot, tables, rejections)
    owed, unreadable = owed_today(outcome.kept, raw, Lists(slot, store, active, facilities, tables, state, oms))
    tables.write(OWED, str(slot.key), owed)
    # Without a ledger nobody can bring back what moved since an old count: such keys are told, not delivered.
    filtered = with_owed(outcome.kept, owed if oms.ledger else owed.clear(), file_name=raw["file_name"])
    tables.write(
        ACCOUNTING, str(slot.key), accounting_table(accounting, lines=raw["rows"], owed=int(filtered["owed"].sum()))
    )
    verdicts = [
        *fit_to_deliver(filtered, accounting),
        *number_verdicts(
            raw,
            filtered,
            accounting,
            outcome.rejected,
            slot=slot,
            listed=active["product_id"],
            limits=store.guards.limits,
            oms=oms,
            state=state,
            tables=tables,
        ),
    ]
    rejected_url = links.rejected(settings, slot.day, slot.store)
    return dg.MaterializeResult(
        value=filtered,
        check_results=[*checks, *map(check_result, verdicts)],
        metadata={
            **described(
                filtered,
                first=("facility_id", "upca", "quantity", "store_code", "upc_text", "line_number"),
                snapshot_at=raw["snapshot_at"],
            ),
            "raw rows": accounting.read,
            "kept": accounting.kept,
            "inactive": accounting.inactive,
            "rejected": sum(accounting.rejected.values()),
            "kept share": round(accounting.kept / accounting.read, 6) if accounting.read else 0.0,
            **counted("rejected", {reason: accounting.rejected.get(reason, 0) for reason in REASONS}),
            "spreadsheet of rejected rows": dg.MetadataValue.path(str(spreadsheet)),
            **({} if rejected_url is None else {"open the rejected rows": dg.MetadataValue.url(rejected_url)}),
            **counted("owed", {why: owed.filter(pl.col("why") == why).height for why in WHY}),
            **({} if oms.ledger or owed.is_empty() else {"owed keys": "not delivered: [oms] ledger is off"}),
            "older files that cannot be read": ", ".join(unreadable) or "none",
            "older files that are held": _held(owed),
            "decimal mark": outcome.decimal_mark or "not told by the file",
            "products listed since the list was made": active.height - active_products.height,
            "store codes of two facilities": ", ".join(shared_codes) or "none",
        },
    )


def _held(owed: pl.DataFrame) -> str:
    """Whose rows wait, and how a person lets them go."""
    files = owed.filter(pl.col("why") == "day_held").select("file_name", "serves").unique().sort("serves", "file_name")
    named = ", ".join(f"{name} of {day}" for name, day in files.iter_rows())
    return f"{named}: {reset_guards.RELEASE_HELD}" if named else "none"


def accounting_table(accounting: Accounting, *, lines: int, owed: int) -> pl.DataFrame:
    """The accounting as a table: ``fate``, ``rows``; first the lines counted on arrival; owed rows are not of them."""
    fates = {"lines": lines, "owed": owed, "kept": accounting.kept, "inactive": accounting.inactive}
    rejected = {f"rejected: {reason}": accounting.rejected.get(reason, 0) for reason in REASONS}
    rows = [*fates.items(), *rejected.items()]
    return pl.DataFrame(rows, schema={"fate": pl.String, "rows": pl.Int64}, orient="row")
