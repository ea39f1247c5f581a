"""A tiny world around the graph: folders on a real SFTP server, a hand-made OMS, a real Dagster instance.

Belongs here: writing Retail Pro's files, running jobs, and saying what came of it in plain values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl

from rpsync_assets.definitions import build_defs
from rpsync_assets.partitions import Slot
from rpsync_assets.resources.tables import Tables
from rpsync_assets.sandbox.sftp_server import SftpEndpoint
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.tiny_oms import TinyOms

DAY = date(2026, 3, 10)
HEADER = "store_code,upc,alu,description,qty"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
MORNING = "20260310T070000"
REPORT = dg.AssetKey("daily_sync_report")


@dataclass
class Ran:
    """What a run said."""

    success: bool
    failures: dict[str, str]
    checks: dict[str, dg.AssetCheckEvaluation]
    metadata: dict[str, dict[str, object]]
    run_id: str

    @property
    def failure(self) -> str:
        """The one failure's description."""
        assert len(self.failures) == 1, self.failures
        return next(iter(self.failures.values()))

    @property
    def red(self) -> list[str]:
        """Names of checks that did not pass."""
        return sorted(name for name, check in self.checks.items() if not check.passed)


@dataclass
class TinyWorld:
    """One store's world; every test has its own below one server."""

    root: Path
    server_root: Path
    prefix: str
    endpoint: SftpEndpoint
    instance: dg.DagsterInstance
    store: dict[str, object] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    # Whether a day draws its report and makes the warehouse's views: half of its seconds, and no part of its numbers.
    shown: bool = False
    _defs: list[dg.Definitions] = field(default_factory=list)

    def __post_init__(self) -> None:
        for folder in ("retailpro/incoming", *(f"hotwax/{kind}" for kind in ("reset-inventory", "inventory-variance"))):
            (self.server / folder).mkdir(parents=True)
        self.oms = self.make_oms()

    def make_oms(self) -> TinyOms:
        """The OMS, with the master data and nothing else."""
        return TinyOms(self.root / "oms.sqlite")

    @property
    def server(self) -> Path:
        """This world's folder on the server, as the server's own disk sees it."""
        return self.server_root / self.prefix

    @property
    def incoming(self) -> Path:
        return self.server / "retailpro/incoming"

    @property
    def data(self) -> Path:
        return self.root / "data"

    def settings(self, **sftp: object) -> Settings:
        """The settings, as ``load_settings`` would make them."""
        return Settings.model_validate(
            {
                "data_dir": self.data,
                # These days are long past; the default begins last month.
                "first_date": "2025-01-01",
                "stores": {"US": {"time_zone": "America/New_York", "channel": "US_ONLINE", **self.store}},
                "sftp": {
                    "host": self.endpoint.host,
                    "port": self.endpoint.port,
                    "username": self.endpoint.username,
                    "known_hosts": self.endpoint.known_hosts,
                    "settle_seconds": 0,
                    "incoming": f"{self.prefix}/retailpro/incoming",
                    "reset_inventory": f"{self.prefix}/hotwax/reset-inventory",
                    "inventory_variance": f"{self.prefix}/hotwax/inventory-variance",
                    **sftp,
                },
                "oms": {"database": self.root / "oms.sqlite", "sftp_root": self.server_root},
                # What fails is to fail at once; clock/test_retries.py is about trying again.
                "retries": {"times": 0},
                "secrets": {"sftp_password": self.endpoint.password, "shopify_tokens": self.tokens},
            }
        )

    def file(self, counts: Iterable[tuple[str, str, int]], snapshot: str = MORNING) -> Path:
        """Retail Pro's file: store code, UPC, quantity per row."""
        lines = [HEADER, *(f"{code},{upc},ALU,Shoe,{quantity}" for code, upc, quantity in counts)]
        return self.raw_file("\n".join(lines).encode() + b"\n", snapshot)

    def raw_file(self, content: bytes, snapshot: str = MORNING) -> Path:
        """Retail Pro's file, byte for byte."""
        path = self.incoming / f"reset_US_{snapshot}.csv"
        path.write_bytes(content)
        return path

    def defs(self, settings: Settings | None = None, **resources: object) -> dg.Definitions:
        """Fresh definitions, as a new process would have them."""
        its = settings or self.settings()
        quiet = {} if self.shown else {"tables": Tables(its.data_dir / "tables")}
        made = build_defs(its, **{**quiet, **resources})
        self._defs.append(made)
        return made

    def run(
        self,
        *only: str,
        job: str = "reset_day",
        day: date = DAY,
        partition: str | None = None,
        release: str | None = None,
        released: str = "filtered_reset_parts",
        settings: Settings | None = None,
        instance: dg.DagsterInstance | None = None,
        **resources: object,
    ) -> Ran:
        """Run a job, or only some of its assets, as somebody does who clicks Materialize."""
        config: dict[str, object] = dict(QUIET)
        if release is not None:
            config["ops"] = {released: {"config": {"release": release}}}
        resolved = self.defs(settings, **resources).resolve_job_def(job)
        if not (only or self.shown):
            only = tuple(key.to_user_string() for key in resolved.asset_layer.executable_asset_keys if key != REPORT)
        done = resolved.execute_in_process(
            instance=instance or self.instance,
            partition_key=partition or str(Slot(day, "US").key),
            asset_selection=[dg.AssetKey(name) for name in only] or None,
            raise_on_error=False,
            run_config=config,
        )
        return _told(done)

    def folder(self, kind: str) -> list[str]:
        """Files below ``hotwax/<kind>``, with ``archive/`` or ``error/`` before the name."""
        place = self.server / "hotwax" / kind
        return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())

    @property
    def sent(self) -> list[str]:
        """Every file that ever went to the OMS, by name, wherever it lies now."""
        return self.folder("reset-inventory") + self.folder("inventory-variance")

    def content(self, kind: str, name: str) -> list[str]:
        """The lines of a file sent to the OMS."""
        return (self.server / "hotwax" / kind / name).read_text().splitlines()

    def kept(self) -> dict[str, bytes]:
        """What the product keeps: tables, landing, outbox, byte for byte."""
        return {
            str(path.relative_to(self.data)): path.read_bytes()
            for folder in ("tables", "landing", "outbox")
            for path in sorted((self.data / folder).rglob("*"))
            if path.is_file()
        }

    def table(self, name: str, day: date = DAY) -> pl.DataFrame:
        """A table as the analyst finds it."""
        place = self.data / "tables" / name / f"business_date={day}" / "product_store=US" / "part.parquet"
        return pl.read_parquet(place, hive_partitioning=False)

    def deliveries(self) -> list[tuple]:
        """Rows of our own memory: kind, generation, part, whether it is marked as delivered."""
        import sqlite3  # noqa: PLC0415
        from contextlib import closing  # noqa: PLC0415

        with closing(sqlite3.connect(self.data / "state.sqlite")) as connection:
            return connection.execute(
                "SELECT kind, generation, part, delivered_at IS NOT NULL FROM deliveries ORDER BY 1, 2, 3"
            ).fetchall()

    def poll(self) -> None:
        """The OMS's own job takes in what lies in its folders."""
        self.defs().resources["oms"].import_delivered()

    def close(self) -> None:
        """Let go of every database connection."""
        for defs in self._defs:
            for resource in (defs.resources or {}).values():
                engine = getattr(resource, "__dict__", {}).get("engine")
                if engine is not None:
                    engine.dispose()


def _told(done: dg.ExecuteInProcessResult) -> Ran:
    failures: dict[str, str] = {}
    for event in done.get_step_failure_events():
        data = event.step_failure_data
        said = data.user_failure_data.description if data.user_failure_data else None
        error = data.error.cause or data.error if data.error else None
        failures[str(event.step_key)] = said or (error.message.strip() if error else "failed")
    metadata = {}
    for event in done.get_asset_materialization_events():
        one = event.step_materialization_data.materialization
        metadata[one.asset_key.path[-1]] = {name: value.value for name, value in one.metadata.items()}
    return Ran(
        done.success,
        failures,
        {f"{one.asset_key.path[-1]}.{one.check_name}": one for one in done.get_asset_check_evaluations()},
        metadata,
        done.run_id,
    )


def line(facility: str, upca: str, units: str) -> str:
    """A line of a variance file as S001's sample spells it."""
    return (
        f"{facility},UPCA,{upca},{units},TLTLTLLL01,VAR_INTEGR,"
        "Inventory Variance sent as part of Reset Inventory deduction for partially completed orders"
    )


VARIANCE_HEADER = "facilityId,idType,idValue,availableDelta,locationSeqId,varianceReasonId,comments"
Rows = Sequence[tuple[str, str, int]]
