"""Two processes that begin the same day at the same moment: two impatient clicks, or two daemons. One delivery.

The processes are real and know nothing of each other: each has a Dagster of its own, on one data folder, or on one
state database on PostgreSQL. What the second one finds is up to the moment; what is delivered is not.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from rpsync_assets.partitions import Slot
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.tiny_world import DAY, Rows, TinyWorld

ROOT = Path(__file__).parents[2]

TWIN = """
import json, sys
import dagster as dg
from rpsync_assets.definitions import build_defs
from rpsync_assets.settings import Settings
told = json.loads(sys.argv[1])
job = build_defs(Settings.model_validate(told["settings"])).resolve_job_def("reset_day")
with dg.DagsterInstance.ephemeral() as instance:
    print("ready", flush=True)
    sys.stdin.readline()
    done = job.execute_in_process(
        instance=instance, partition_key=told["partition"], raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    outcomes = {
        event.asset_key.path[-1]: str(event.step_materialization_data.materialization.metadata["outcome"].value)
        for event in done.get_asset_materialization_events()
        if "outcome" in event.step_materialization_data.materialization.metadata
    }
    print(json.dumps({"success": done.success, "outcomes": outcomes}), flush=True)
"""


def plain(settings: Settings, **secrets: str) -> dict[str, object]:
    """As a process is told them; the secrets are a test's."""
    told = json.loads(settings.model_dump_json())
    its = settings.secrets
    told["secrets"] = {"sftp_password": its.sftp_password.get_secret_value() if its.sftp_password else None, **secrets}
    # A twin that is in the way is waited for, as in production, but not for 20 seconds.
    told["retries"] = {"times": 8, "first_wait_seconds": 0.2}
    return told


def at_once(told: dict[str, object], number: int = 2) -> list[dict]:
    argument = json.dumps({"settings": told, "partition": str(Slot(DAY, "US").key)})
    command = [sys.executable, "-W", "ignore", "-c", TWIN, argument]
    twins = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(number)
    ]
    for twin in twins:
        assert twin.stdout is not None
        assert twin.stdout.readline() == "ready\n"
    for twin in twins:
        assert twin.stdin is not None
        twin.stdin.write("go\n")
        twin.stdin.flush()
    return [json.loads(twin.communicate(timeout=120)[0]) for twin in twins]


@pytest.mark.parametrize("where", ["sqlite", "postgres"])
def test_two_processes_at_once_deliver_once(
    where: str, example: TinyWorld, counts: Rows, request: pytest.FixtureRequest
) -> None:
    example.file(counts)
    secrets = {}
    if where == "postgres":
        url: URL = request.getfixturevalue("postgres")
        secrets["state_database_url"] = url.render_as_string(hide_password=False)
    said = at_once(plain(example.settings(), **secrets))
    assert [one["success"] for one in said] == [True, True]
    for asset in ("filtered_reset_parts", "variance_file"):
        assert sorted(one["outcomes"][asset] for one in said) == ["delivered", "delivered before: not sent again"]
    assert example.sent == ["archive/reset_US_20260310_g1_1of1.csv", "archive/variance_US_20260310_g1.csv"]
    assert example.oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
