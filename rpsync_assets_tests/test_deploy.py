"""The files in deploy/ can be used as they stand, and docs/running.md names what is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from typer.main import get_command

from rpsync_assets.cli import app
from rpsync_assets.clock.jobs import JOBS
from rpsync_assets.sandbox.environment import DAGSTER_YAML
from rpsync_assets.settings import load_settings
from rpsync_assets_tests.services import missing

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
RUNNING = (ROOT / "docs" / "running.md").read_text("utf-8")
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
INSTALLED = "/opt/rpsync/.venv/bin/"


def unit(name: str) -> dict[str, list[str]]:
    """The settings of a unit, by name."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / f"{name}.service").read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_a_unit(path: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd", "systemd-analyze is not here; apt-get install systemd")
    # Their programs must be there for systemd; here they lie beside the Python that runs this.
    for other in UNITS:
        here = other.read_text("utf-8").replace(INSTALLED, f"{Path(sys.executable).parent}/")
        (tmp_path / other.name).write_text(here, "utf-8")
    done = subprocess.run(
        [program, "verify", str(tmp_path / path.name)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_programs_of_the_units_are_those_that_an_installation_has() -> None:
    commands = [one for path in UNITS for one in re.findall(r"^Exec\w+=(\S+)", path.read_text("utf-8"), re.MULTILINE)]
    assert len(commands) == 4
    for command in commands:
        assert command.startswith(INSTALLED)
        assert (Path(sys.executable).parent / command.removeprefix(INSTALLED)).exists()


def test_the_ui_is_bound_to_the_loopback() -> None:
    (command,) = unit("rpsync-webserver")["ExecStart"]
    assert "-h 127.0.0.1 " in command


def test_the_daemon_leaves_runs_to_their_end_and_makes_the_storage_before_the_ui_opens_it() -> None:
    """Measured: told to end, it is gone in a second; a run goes on under its code server, unless systemd kills both."""
    daemon = unit("rpsync-daemon")
    assert daemon["KillMode"] == ["process"]
    assert daemon["ExecStartPre"] == [f"{INSTALLED}dagster instance migrate"]
    for other in ("rpsync-webserver", "rpsync-reports"):
        assert "rpsync-daemon.service" in unit(other)["After"][0]


@pytest.mark.parametrize(
    "text", [(DEPLOY / "dagster.sqlite.yaml").read_text("utf-8"), DAGSTER_YAML], ids=["example", "ours"]
)
def test_dagster_takes_the_settings_and_tells_nobody(text: str, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(text, "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.get_sensor_settings() == {"use_threads": True, "num_workers": 4}
        assert instance.get_scheduler_settings() == {"use_threads": True, "num_workers": 4}
        limits = instance.get_concurrency_config().run_queue_config
        assert limits is not None
        assert [one["key"] for one in limits.tag_concurrency_limits] == [
            "dagster/partition",
            "dagster/partition/product_store",
        ]


def test_every_variable_of_the_environment_file_is_one_that_is_read(tmp_path: Path) -> None:
    lines = (DEPLOY / "rpsync.env").read_text("utf-8").splitlines()
    told = dict(line.lstrip("# ").split("=", 1) for line in lines if re.match(r"(# )?[A-Z_]+=", line))
    (tmp_path / "rpsync.toml").write_text((ROOT / "rpsync.example.toml").read_text("utf-8"), "utf-8")
    settings = load_settings({**told, "RPSYNC_CONFIG": str(tmp_path / "rpsync.toml")}, tmp_path)
    secrets = settings.secrets
    assert all(
        getattr(secrets, name) is not None
        for name in type(secrets).model_fields
        if name not in {"sftp_password", "api_tokens"}
    )
    named = yaml.safe_load((DEPLOY / "dagster.postgres.yaml").read_text("utf-8"))["storage"]["postgres"]["postgres_url"]
    assert named["env"] in told
    assert all(told[name].startswith("postgresql+psycopg2://") for name in (named["env"], "RPSYNC_STATE_DATABASE_URL"))


def test_what_running_md_names_is_there() -> None:
    commands = {str(name) for name in getattr(get_command(app), "commands", {})}
    assert set(re.findall(r"rpsync (doctor|reports|ui|explain|undo|demo|sandbox|dry-run|oms)\b", RUNNING)) <= commands
    assert "bin/rpsync doctor" in RUNNING
    for name in re.findall(r"deploy/([\w./-]+\.\w+)", RUNNING):
        assert (DEPLOY / name).exists() or "*" in name, name
    jobs = {job.name for job in JOBS} | {"day_is_late"}
    for name in ("replay_day", "initial_load", "day_is_late"):
        assert name in jobs
        assert name in RUNNING
    for name in ("day_<STORE>", "active_products_<STORE>", "reset_day_<STORE>", "shopify_delta_<STORE>"):
        assert name in RUNNING
