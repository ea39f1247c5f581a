"""Asset checks that look at what is stored, after the fact.

Belongs here: checks that no asset computes on its way. Does not: guards that stop a delivery (``core/guards``, called
by the delivering asset, shown as that asset's own checks).
"""

import dagster as dg
import polars as pl

from rpsync_assets.assets.held import ACCOUNTING
from rpsync_assets.assets.metadata import as_markdown
from rpsync_assets.assets.rejected import REJECTED
from rpsync_assets.assets.verdicts import check_result, of_partition
from rpsync_assets.core import guards
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.core.variance import Told, compare_with_retail_pro
from rpsync_assets.failures import fail_or_retry
from rpsync_assets.partitions import Partitions, Slot
from rpsync_assets.resources.oms import Oms
from rpsync_assets.resources.oms_reader import MOVEMENT_SCHEMA, OmsReader
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.resources.warehouse import Warehouse
from rpsync_assets.settings import RetrySettings, Settings


def build_checks(partitions: Partitions, retries: RetrySettings) -> list[dg.AssetChecksDefinition]:
    """The checks, per business date and product store."""

    @dg.asset_check(
        asset="variance_import",
        partitions_def=partitions.day_x_store,
        description="The numbers in both systems agree: OMS stock, less what moved since the count, plus what Retail"
        " Pro was not told of, is Retail Pro's count. For every accepted key; expected differences: 0.",
    )
    def oms_matches_retail_pro(
        context: dg.AssetCheckExecutionContext,
        settings: dg.ResourceParam[Settings],
        oms: dg.ResourceParam[Oms],
        state: dg.ResourceParam[State],
        tables: dg.ResourceParam[Tables],
    ) -> dg.AssetCheckResult:
        slot = Slot.of(context)
        partition = str(slot.key)
        if not oms.ledger:
            return of_partition(_without_ledger(), partition)
        try:
            log_ids = tables.read("reset_import", slot)["log_id"].unique().to_list()
            accepted = state.accepted(slot.store, log_ids)
            with oms.read() as reader:
                differences = _differences(reader, accepted, slot.store, settings.store(slot.store).told)
        except RpsyncError as error:
            fail_or_retry(context, error, retries)
        differing = differences.filter(pl.col("difference") != 0)
        result = of_partition(check_result(guards.oms_matches_retail_pro(differing, keys=accepted.height)), partition)
        if differing.is_empty():
            return result
        worst = differing.sort(pl.col("difference").abs(), descending=True).head(10)
        return result._replace(metadata={**result.metadata, "worst": dg.MetadataValue.md(as_markdown(worst))})

    @dg.asset_check(
        asset="filtered_reset",
        partitions_def=partitions.day_x_store,
        description="What is stored agrees with the accounting, counted by another engine: as many kept rows, and"
        " as many rejected rows for each reason, as the accounting says.",
    )
    def stored_rows_match_accounting(
        context: dg.AssetCheckExecutionContext,
        tables: dg.ResourceParam[Tables],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> dg.AssetCheckResult:
        partition = str(Slot.of(context).key)
        files = {name: tables.path(name, partition) for name in ("filtered_reset", REJECTED, ACCOUNTING)}
        gaps = warehouse.ask(_GAPS, **files)
        verdict = guards.stored_rows_match_accounting({fate: (stored, told) for fate, stored, told in gaps})
        return of_partition(check_result(verdict), partition)

    return [oms_matches_retail_pro, stored_rows_match_accounting]


def _without_ledger() -> dg.AssetCheckResult:
    """What moved since the count cannot be told, so neither can whether the systems agree: never green."""
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description="Cannot be told: [oms] ledger is off, so nobody knows what moved since the count. Let the replica"
        " hold INVENTORY_ITEM_DETAIL and switch it on",
    )


def _differences(reader: OmsReader, accepted: pl.DataFrame, store: str, told: Told) -> pl.DataFrame:
    snapshots = accepted["snapshot_at"].unique().to_list()
    movements = reader.movements(store, min(snapshots)) if snapshots else pl.DataFrame(schema=MOVEMENT_SCHEMA)
    unreported = reader.unreported_shipments(store, snapshots, told)
    return compare_with_retail_pro(accepted, reader.counts(store), movements, unreported)


_GAPS = f"""
WITH stored AS (
  SELECT CASE WHEN owed THEN 'owed' ELSE 'kept' END AS fate, count(*) AS rows FROM filtered_reset GROUP BY ALL
  UNION ALL SELECT 'rejected: ' || reason, count(*) FROM {REJECTED} GROUP BY reason
), told AS (
  SELECT fate, rows FROM {ACCOUNTING} WHERE fate NOT IN ('lines', 'inactive')
)
SELECT fate, coalesce(stored.rows, 0), coalesce(told.rows, 0) FROM stored FULL JOIN told USING (fate)
WHERE coalesce(stored.rows, 0) <> coalesce(told.rows, 0)
"""  # noqa: S608  our own table names
