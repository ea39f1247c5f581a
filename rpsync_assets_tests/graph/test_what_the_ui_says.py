"""What an analyst reads in the UI besides numbers: links, names, previews, whose check it is, which dates there are."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl
import pytest

from rpsync_assets.assets.blueprint import SEARCH
from rpsync_assets.assets.metadata import FEWEST_ROWS, SHOWN_AT_ONCE, as_markdown, described, preview_of
from rpsync_assets.definitions import build_defs
from rpsync_assets.partitions import EASTERNMOST, build_partitions, first_date
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.online import Online, fine
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, Rows, TinyWorld

SERVED = "https://dagster.example.com/rpsync"
SHOWN = True


def served(world: TinyWorld) -> Settings:
    return world.settings().model_copy(update={"reports_url": SERVED})


# Links ----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def linked(example: TinyWorld, counts: Rows) -> Ran:
    example.file([*counts, ("999", UPCA["A"], 3)])
    ran = example.run(settings=served(example))
    assert ran.failures == {}
    return ran


def test_the_report_is_a_link_and_so_are_search_and_rejected_rows(linked: Ran, example: TinyWorld) -> None:
    report = linked.metadata["daily_sync_report"]
    assert report["report"] == f"{SERVED}/reports/{DAY}/US.html"
    assert report["report file"] == str(example.data / f"reports/{DAY}/US.html")
    assert linked.metadata["filtered_reset"]["open the rejected rows"] == f"{SERVED}/rejected/{DAY}/US.csv"
    assert {said[SEARCH] for said in linked.metadata.values()} == {f"{SERVED}/search?store=US&date={DAY}"}


def test_a_link_is_one_that_can_be_clicked(example: TinyWorld) -> None:
    defs = build_defs(served(example))
    for node in defs.resolve_asset_graph().asset_nodes:
        assert node.metadata[SEARCH] == dg.MetadataValue.url(f"{SERVED}/search"), node.key
        assert f"[Look up any SKU]({SERVED}/search) · [daily reports]({SERVED}/)" in (node.description or "")


def test_where_nobody_serves_them_there_is_no_link(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    ran = example.run()
    assert ran.metadata["daily_sync_report"]["report"] == str(example.data / f"reports/{DAY}/US.html")
    assert not any(SEARCH in said for said in ran.metadata.values())
    assert not any(SEARCH in node.metadata for node in example.defs().resolve_asset_graph().asset_nodes)


# Checks ---------------------------------------------------------------------------------------------------------------
def test_every_check_says_of_which_store_and_day_it_is(linked: Ran) -> None:
    assert len(linked.checks) > 30
    for name, check in linked.checks.items():
        assert (check.description or "").endswith(f" · US {DAY}"), name


def test_so_does_one_that_is_red(example: TinyWorld) -> None:
    example.file([("999", UPCA["A"], 3)])
    ran = example.run()
    assert ran.red
    for name in ran.red:
        assert (ran.checks[name].description or "").endswith(f" · US {DAY}"), name


def test_the_delta_s_checks_are_of_a_store(online: Online, counts: Rows) -> None:
    online.world.file(counts, f"{online.today:%Y%m%d}T000001")
    assert online.world.run(day=online.today).failures == {}
    checks = online.delta().checks
    assert {(one.description or "").rpartition(" · ")[2] for one in checks.values()} == {"US"}


def test_a_first_day_says_that_there_is_nothing_to_compare_with(linked: Ran) -> None:
    said = linked.checks["filtered_reset.rows_like_other_days"]
    assert said.metadata["observed"].value == "first day, nothing to compare with"
    assert said.passed
    assert linked.checks["filtered_reset.missing_share"].metadata["observed"].value == "no two full files to compare"


# Names and previews ---------------------------------------------------------------------------------------------------
def test_names_are_words_and_a_reason_stands_after_a_colon_as_in_the_tables(linked: Ran) -> None:
    for asset, said in linked.metadata.items():
        for name in said:
            plain = name.partition(": ")[0]
            assert "_" not in plain or plain.startswith("dagster/"), f"{asset}: {name}"
    assert linked.metadata["filtered_reset"]["rejected: unknown_facility"] == 1


def test_no_two_entries_of_an_asset_tell_the_same(online: Online, counts: Rows) -> None:
    online.shop.stock([("9A", "700", 17)])
    online.world.file(counts, f"{online.today:%Y%m%d}T000001")
    said = online.world.run(day=online.today).metadata["shopify_full_reset"]
    assert (said["units up"], said["items sent"]) == (13, 2)
    assert "units sent up" not in said


def test_a_delta_without_differences_says_that_nothing_was_sent(online: Online, counts: Rows) -> None:
    online.shop.stock([("9A", "700", 17)])
    online.world.file(counts, f"{online.today:%Y%m%d}T000001")
    sent = online.world.run(day=online.today).metadata["shopify_full_reset"]
    assert str(sent["receipt"]).startswith("PUBLISHED")
    said = fine(online.delta())
    assert str(said["receipt"]).startswith("NOTHING TO SEND")
    assert "preview" not in said


def test_an_empty_table_has_no_preview(linked: Ran) -> None:
    assert linked.metadata["pos_sales"]["dagster/row_count"] == 0
    assert "preview" not in linked.metadata["pos_sales"]
    assert "preview" not in described(pl.DataFrame(schema={"a": pl.String}))


def test_previews_are_shown_without_another_click(linked: Ran) -> None:
    shown = {asset: str(said["preview"]) for asset, said in linked.metadata.items() if "preview" in said}
    assert len(shown) > 8
    for asset, text in shown.items():
        assert len(text) < SHOWN_AT_ONCE, asset
        assert text.splitlines()[0].count("|") <= 7, asset
    assert shown["reset_import"].splitlines()[0].startswith("|facility_id|upca|quantity_on_hand_before|quantity|")


def test_a_wide_table_is_cut_to_fewer_rows() -> None:
    frame = pl.DataFrame({"text": ["x" * 70] * 30})
    assert FEWEST_ROWS < preview_of(frame).count("\n") - 1 <= 10


def test_other_people_s_text_is_no_markup_and_ends_no_cell() -> None:
    text = as_markdown(
        pl.DataFrame({"text": ["a|b", "<img src=x>", "[click](javascript:x)", "two\nlines", "_NA_", "a_b"]})
    )
    assert [line.replace(" ", "") for line in text.splitlines()[2:]] == [
        r"|a\|b|",
        r"|\<imgsrc=x\>|",
        r"|\[click\](javascript:x)|",
        "|twolines|",
        r"|\_NA\_|",
        "|a_b|",
    ]


def test_moments_are_told_to_the_second() -> None:
    moment = datetime(2026, 3, 10, 7, 0, 1, 999, tzinfo=ZoneInfo("UTC"))
    assert "2026-03-10 07:00:01 |" in as_markdown(pl.DataFrame({"at": [moment]}))


# Dates ----------------------------------------------------------------------------------------------------------------
def keys(settings: Settings) -> list[str]:
    return list(build_partitions(settings).day_x_store.get_partition_keys())


def test_without_a_setting_the_dates_begin_last_month(example: TinyWorld) -> None:
    settings = example.settings().model_copy(update={"first_date": None})
    today = datetime.now(ZoneInfo(EASTERNMOST)).date()
    begins = first_date(settings)
    assert begins.day == 1
    assert 28 <= (today - begins).days <= 62
    assert len(keys(settings)) <= 64


def test_the_setting_says_where_the_dates_begin(example: TinyWorld) -> None:
    settings = example.settings().model_copy(update={"first_date": date(2026, 3, 9)})
    assert keys(settings)[:2] == ["2026-03-09|US", "2026-03-10|US"]


def test_a_day_that_is_stored_stays_whatever_is_set_and_can_be_made_again(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    assert example.run().failures == {}
    later = example.settings().model_copy(update={"first_date": date(2026, 11, 1)})
    assert keys(later)[0] == f"{DAY}|US"
    again = example.run("filtered_reset", settings=later)
    assert again.failures == {}


def test_a_folder_that_is_no_date_is_nobody_s_day(example: TinyWorld) -> None:
    (example.data / "tables/raw_reset_file/business_date=backup").mkdir(parents=True)
    assert first_date(example.settings()) == date(2025, 1, 1)


# What runs by itself --------------------------------------------------------------------------------------------------
def test_schedules_and_sensors_say_that_they_are_off(example: TinyWorld) -> None:
    defs = example.defs()
    for one in (*(defs.schedules or ()), *(defs.sensors or ())):
        assert "Off until somebody switches it on" in (one.description or ""), one.name
