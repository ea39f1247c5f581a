"""``rpsync ui`` on a tiny world, and a Chromium in front of it.

``RPSYNC_TEST_CHROMIUM`` says where Chromium is; ``RPSYNC_TEST_SCREENSHOTS`` names a folder for pictures (``docs/``).
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from rpsync_assets_tests import services

CHROMIUM = "RPSYNC_TEST_CHROMIUM"
FLAGS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE_SECONDS = 180


@dataclass(frozen=True)
class Ui:
    """A running UI."""

    url: str
    data: Path

    @property
    def today(self) -> date:
        return datetime.now(ZoneInfo("America/New_York")).date()

    @property
    def incoming(self) -> Path:
        return self.data / "sandbox/sftp/retailpro/incoming"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is."""
    path = shutil.which(os.environ.get(CHROMIUM) or "chromium")
    if path is None:
        services.missing("chromium", f"Chromium is not here; apt-get install chromium, or set {CHROMIUM}")
    return path


@pytest.fixture(scope="module")
def ui(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """``rpsync ui``, as a person starts it; what it says lies in ``ui.log``."""
    folder = tmp_path_factory.mktemp("ui")
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    command = [sys.executable, "-c", "from rpsync_assets.cli import main; main()"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RPSYNC_", "DAGSTER_"))}
    with (folder / "ui.log").open("wb") as log:
        running = subprocess.Popen(
            [*command, "ui", "--size", "tiny", "--stores", "1", "-p", str(port)],
            env={**environment, "RPSYNC_DATA_DIR": str(folder / "data")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/server_info", running, folder / "ui.log")
            yield Ui(f"http://127.0.0.1:{port}", folder / "data")
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(60)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A page of a fresh browser."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *root])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        yield page
        browser.close()


def picture(page: Page, name: str) -> None:
    """Keep a screenshot, where somebody asked for them."""
    folder = os.environ.get("RPSYNC_TEST_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def _wait_for(url: str, running: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(PATIENCE_SECONDS):
        assert running.poll() is None, log.read_text()
        try:
            with urlopen(url, timeout=5):  # noqa: S310  our own, on this machine
                return
        except (URLError, OSError):
            time.sleep(1)
    pytest.fail(f"the UI did not come up: {log.read_text()[-2000:]}")
