"""What Dagster itself costs: runs of as many steps with as many checks, partitioned as the day is, that do nothing.

Belongs here: the empty graph. As a program, ``python -m rpsync_assets_tests.bench.empty FILE`` runs what a JSON file
asks for, in a process as fresh as the day's: Dagster's own modules are loaded on the way there, too. Does not: anything
of the product, whose loading is no cost of Dagster's.
"""

import json
import sys
from pathlib import Path

import dagster as dg

PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "business_date": dg.DailyPartitionsDefinition("2026-01-01", end_offset=1),
        "product_store": dg.StaticPartitionsDefinition(["US", "AU"]),
    }
)
PARTITION = dg.MultiPartitionKey({"business_date": "2026-01-02", "product_store": "AU"})
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def empty(steps: int, checks: int) -> dg.Definitions:
    """A chain of so many assets; the checks are spread evenly over them."""
    each = [checks // steps + (number < checks % steps) for number in range(steps)]
    return dg.Definitions(
        assets=[_nothing(number, has) for number, has in enumerate(each)],
        jobs=[dg.define_asset_job("empty", executor_def=dg.in_process_executor)],
    )


def _nothing(number: int, checks: int) -> dg.AssetsDefinition:
    name = f"nothing_{number}"
    names = [f"check_{one}" for one in range(checks)]

    @dg.asset(
        name=name,
        deps=[f"nothing_{number - 1}"] if number else [],
        partitions_def=PARTITIONS,
        check_specs=[dg.AssetCheckSpec(one, asset=name, partitions_def=PARTITIONS) for one in names],
    )
    def nothing():
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name=one) for one in names])

    return nothing


def main() -> None:
    """Run them."""
    asked = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    with dg.DagsterInstance.from_config(asked["home"]) as instance:
        for steps, checks in asked["runs"]:
            job = empty(steps, checks).resolve_job_def("empty")
            assert job.execute_in_process(instance=instance, partition_key=PARTITION, run_config=QUIET).success


if __name__ == "__main__":
    main()
