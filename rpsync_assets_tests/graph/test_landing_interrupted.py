"""The disk fills up or the process is killed while the file arrives: the next run ends like the undisturbed one."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import HEADER, TinyWorld

RESET = "reset_US_20260310_g1_1of1.csv"
UNTIL_DELIVERY = ("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts")
BIG = f"{HEADER}\n101,{UPCA['A']},ALU,Shoe,7\n102,{UPCA['B']},ALU,Shoe,x\n" + f"101,{UPCA['Z']},ALU,Shoe,1\n" * 200_000
"""6 MB, of which one row matters and one is rejected."""

DIES_WHILE_LANDING = """
import json, sys, time
import dagster as dg
from rpsync_assets.definitions import build_defs
from rpsync_assets.resources.landing import Arrival
from rpsync_assets.settings import Settings

write = Arrival.write
def slowly(self, data):
    done = write(self, data)
    if self.size > 1_000_000:
        self.handle.flush()
        print("begun", flush=True)
        time.sleep(60)
    return done
Arrival.write = slowly
defs = build_defs(Settings.model_validate(json.load(sys.stdin)))
with dg.DagsterInstance.ephemeral() as instance:
    defs.resolve_job_def("reset_day").execute_in_process(
        instance=instance, partition_key="2026-03-10|US", asset_selection=[dg.AssetKey("raw_reset_file")]
    )
"""


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond: what a full disk does, for a moment."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def ends_as_if_nothing_had_happened(world: TinyWorld) -> None:
    ran = world.run(*UNTIL_DELIVERY)
    assert (ran.failures, ran.red) == ({}, [])
    assert ran.metadata["raw_reset_file"]["dagster/row_count"] == 200_002
    assert (world.data / "landing/2026-03-10/US/reset_US_20260310T070000.csv").read_text() == BIG
    assert [line.split(",")[:5] for line in world.content("reset-inventory", RESET)[1:]] == [
        ["NY", "TLTLTLLL01", "UPCA", UPCA["A"], "7"]
    ]
    assert world.table("rejected_reset_rows").select("line_number", "raw_text").rows() == [
        (3, f"102,{UPCA['B']},ALU,Shoe,x")
    ]
    assert world.deliveries() == [("reset", 1, 1, True)]


def test_a_disk_that_is_full_is_named_and_leaves_nothing_half(world: TinyWorld) -> None:
    world.raw_file(BIG.encode())
    with largest_file(3_000_000):
        ran = world.run(*UNTIL_DELIVERY)
    assert "The landing folder cannot be written" in ran.failures["raw_reset_file"]
    assert "Make room on the disk" in ran.failures["raw_reset_file"]
    assert [path for path in (world.data / "landing").rglob("*") if path.is_file()] == []
    assert world.sent == []
    ends_as_if_nothing_had_happened(world)


def test_a_process_that_is_killed_while_the_file_arrives_is_made_good(world: TinyWorld) -> None:
    world.raw_file(BIG.encode())
    settings = world.settings().model_dump(mode="json")
    settings["secrets"] = {"sftp_password": world.endpoint.password}
    command = [sys.executable, "-c", DIES_WHILE_LANDING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(settings))
        process.stdin.close()
        assert process.stdout.readline() == "begun\n"
        process.kill()
    (left,) = (path for path in (world.data / "landing").rglob("*") if path.is_file())
    assert left.suffix == ".part"
    assert 1_000_000 < left.stat().st_size < len(BIG)
    ends_as_if_nothing_had_happened(world)


def test_a_disk_that_is_full_while_rejected_rows_are_written_down_is_made_good(world: TinyWorld) -> None:
    """The file has landed; what is made of it has no room."""
    world.raw_file(BIG.encode())
    assert world.run("raw_reset_file", "active_products").failures == {}
    with largest_file(500):
        ran = world.run("filtered_reset")
    assert not ran.success
    assert list((world.data / "tables/rejected_reset_rows").rglob("*.parquet")) == []
    assert list((world.data / "rejected").rglob("*.csv")) == []
    ends_as_if_nothing_had_happened(world)
