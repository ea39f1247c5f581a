"""The front door: what Dagster loads. Assembles, does no work: nothing is opened, created or connected here.

Belongs here: putting settings, resources, assets, checks, jobs and schedules together. Does not: anything else.
"""

import gc
import os
import warnings
from pathlib import Path

import dagster as dg

from rpsync_assets import assets
from rpsync_assets.alerts.channels import channels
from rpsync_assets.alerts.sensor import build_alerts_sensor
from rpsync_assets.checks import build_checks
from rpsync_assets.clock.jobs import JOBS
from rpsync_assets.clock.lateness import build_late_job, build_lateness_checks
from rpsync_assets.clock.schedules import build_schedules
from rpsync_assets.clock.sensors import build_sensors
from rpsync_assets.partitions import build_partitions
from rpsync_assets.resources.hotwax_oms import HotWaxOms
from rpsync_assets.resources.io_manager import ParquetIOManager
from rpsync_assets.resources.landing import Landing
from rpsync_assets.resources.oms import EmbeddedOms, Oms
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.publications import Publications
from rpsync_assets.resources.sent_alerts import SentAlerts
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.shopify import Shopify, ShopSettings
from rpsync_assets.resources.state import State
from rpsync_assets.resources.tables import Tables
from rpsync_assets.resources.warehouse import Warehouse
from rpsync_assets.settings import Settings, load_settings


def build_resources(settings: Settings) -> dict[str, object]:
    """The doors for these settings, by the names that assets ask for."""
    secrets = settings.secrets
    meanings = {blueprint.name: blueprint.meaning for blueprint in assets.ALL}
    warehouse = Warehouse(settings.data_dir / "warehouse.duckdb", settings.data_dir / "tables", meanings)
    tables = Tables(settings.data_dir / "tables", on_new_table=warehouse.show)
    sftp = Sftp(
        **settings.sftp.model_dump(),
        password=secrets.sftp_password.get_secret_value() if secrets.sftp_password else None,
        key_file=secrets.sftp_key_file,
    )
    return {
        "settings": settings,
        "sftp": sftp,
        "oms": _oms(settings, sftp),
        "shopify": Shopify(
            {
                store: ShopSettings(its.shopify.url, secrets.shopify_tokens.get(store))
                for store, its in settings.stores.items()
                if its.shopify.url is not None
            }
        ),
        "publications": Publications(settings.state_database_url),
        "state": State(settings.state_database_url),
        "landing": Landing(settings.data_dir / "landing"),
        "outbox": Outbox(settings.data_dir / "outbox"),
        "rejections": Outbox(settings.data_dir / "rejected"),
        "tables": tables,
        "warehouse": warehouse,
        "io_manager": ParquetIOManager(tables),
    }


def _oms(settings: Settings, sftp: Sftp) -> Oms:
    told = settings.oms
    if told.kind == "hotwax":
        return HotWaxOms(
            settings.oms_database_url,
            sftp,
            ledger=told.ledger,
            import_log=told.import_log,
            reset_basis=told.reset_basis,
        )
    return EmbeddedOms(
        settings.oms_database_url,
        told.sftp_root / settings.sftp.reset_inventory,
        told.sftp_root / settings.sftp.inventory_variance,
    )


def _alerts(settings: Settings) -> list[dg.SensorDefinition]:
    found = channels(settings)
    sent = SentAlerts(settings.state_database_url)
    return [build_alerts_sensor(found, sent, settings.alerts.ui_url, settings.secrets.hide)] if found else []


def build_defs(settings: Settings, **overrides: object) -> dg.Definitions:
    """The graph for these settings; a test may put its own resources in place of ours."""
    partitions = build_partitions(settings)
    with warnings.catch_warnings():
        # Checks per partition are a preview in Dagster 1.13: tried, needed, and pinned by version.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        graph = [blueprint.build(partitions, settings) for blueprint in assets.ALL]
        checks = [*build_checks(partitions, settings.retries), *build_lateness_checks(partitions)]
    late_job = build_late_job(partitions)
    return dg.Definitions(
        assets=graph,
        asset_checks=checks,
        jobs=[*JOBS, late_job],
        schedules=build_schedules(settings),
        sensors=[*build_sensors(settings, late_job), *_alerts(settings)],
        resources={**build_resources(settings), **overrides},
        # For "Materialize" in the UI, which uses no job of ours: one process, a few seconds instead of many.
        executor=dg.in_process_executor,
    )


defs = build_defs(load_settings(os.environ, Path.cwd()))
# What was loaded so far stays: looking through it again and again for garbage took an eighth of a run's time.
gc.freeze()
