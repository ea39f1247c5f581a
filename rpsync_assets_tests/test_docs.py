"""The README, the settings example and the code say the same."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from pydantic import BaseModel

from rpsync_assets.settings import AlertSettings, OmsSettings, RetrySettings, Settings, SftpSettings, load_settings
from rpsync_assets.store_settings import GuardSettings, StoreSettings, StoreShopifySettings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLE = (ROOT / "rpsync.example.toml").read_text("utf-8")


def test_every_make_command_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"`(?:RPSYNC_CONFIG=\S+ )?make ([a-z]+)", README))
    assert named >= {"demo", "ui", "test", "check", "bench", "proof"}
    assert named <= targets


def test_the_settings_example_can_be_used_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "rpsync.toml").write_text(EXAMPLE, "utf-8")
    assert list(load_settings({}, tmp_path).stores) == ["US"]


@pytest.mark.parametrize(
    ("section", "model"),
    [
        (("sftp",), SftpSettings),
        (("oms",), OmsSettings),
        (("retries",), RetrySettings),
        (("alerts",), AlertSettings),
        (("stores", "US"), StoreSettings),
        (("stores", "US", "guards"), GuardSettings),
        (("stores", "US", "shopify"), StoreShopifySettings),
    ],
)
def test_what_is_commented_out_in_the_example_is_every_default(
    section: tuple[str, ...], model: type[BaseModel]
) -> None:
    """A setting that the example does not show is one that nobody finds."""
    shown = tomllib.loads(re.sub(r"^# (?=\w+ = |\[)", "", EXAMPLE, flags=re.MULTILINE))
    Settings.model_validate(shown)
    for name in section:
        shown = shown[name]
    for name, field in model.model_fields.items():
        assert name in shown, f"{name} is not in the example"
        if not field.is_required() and name not in {
            "columns",
            "shopify",
            "url",
            "guards",
            "min_rows_share",
            "max_rows_share",
        }:
            assert type(field.default)(shown[name]) == field.default, name


def test_the_changelog_begins_with_the_version_that_is_installed() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == version("rpsync-assets")


def test_every_asset_of_the_graph_stands_in_the_readmes_picture() -> None:
    from rpsync_assets import assets  # noqa: PLC0415

    assert [b.function.__name__ for b in assets.ALL if f"[{b.function.__name__}]" not in README] == []
