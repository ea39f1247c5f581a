"""``daily_sync_report``: one page that stands alone, of a day that went through and of one that stands still."""

import html
import re
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from rpsync_assets.check_groups import GROUPS, group_of
from rpsync_assets.report.server import build_pages
from rpsync_assets_tests.graph.online import NOW, Online
from rpsync_assets_tests.graph.test_shape import CHECKS
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Rows, TinyWorld

A, C = UPCA["A"], UPCA["C"]

SHOWN = True
"""The days of these tests draw their report and make the warehouse's views."""


def page(world: TinyWorld) -> str:
    return (world.data / f"reports/{DAY}/US.html").read_text("utf-8")


def words(text: str) -> str:
    """What a reader sees, without markup."""
    return html.unescape(re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]+>", " ", text, flags=re.DOTALL))


def test_the_page_of_a_good_day_tells_it_from_the_file_to_shopify(example: TinyWorld, counts: Rows) -> None:
    example.file([*counts, ("999", A, 3), ("101", "", 4)])
    ran = example.run()
    assert ran.failures == {}
    text = page(example)
    seen = " ".join(words(text).split())
    assert "All " in seen
    assert "checks passed" in seen
    assert "reset_US_20260310T070000.csv was counted at 2026-03-10 07:00:00 EDT" in seen
    assert re.search(r"The variance went after it, at 20.*\(import log \d+\): 2 keys, -4 pieces, of 4 shipped", seen)
    for number in ("rows in the file", "delivered to the OMS", "corrected by a variance"):
        assert number in seen
    assert "Publishing to Shopify is off for this store: nothing was read there" in seen
    assert "items were compared with Shopify" not in seen
    assert "unknown_facility the store code is not a facility of this product store" in seen
    assert "#1001" in seen
    assert "oms_matches_retail_pro" in seen
    assert "rpsync explain --store US --date 2026-03-10" in seen
    said = ran.metadata["daily_sync_report"]
    assert said["bytes"] == len(text.encode()) < 400_000
    assert said["report"] == str(example.data / f"reports/{DAY}/US.html")
    assert (example.data / f"reports/{DAY}/US.html").stat().st_mode & 0o777 == 0o600


def test_the_page_needs_nothing_else(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    example.run()
    text = page(example)
    beside = set(re.findall(r'(?:src|href|action)="(?!#)([^"]*)"', text))
    lists = {path.name: path for path in (example.data / f"reports/{DAY}").glob("*.csv")}
    assert beside == set(lists)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in lists.values())
    assert "@import" not in text
    assert "@media print" in text


def test_a_key_worth_asking_for_is_explained_in_the_page(example: TinyWorld, counts: Rows) -> None:
    example.file([*counts, ("999", A, 3)])
    example.run()
    text = page(example)
    for facility, upc in (("NY", A), ("NY", C), ("999", A)):
        assert f'<a href="#key-{facility}-{upc}">' in text
        assert f'<details id="key-{facility}-{upc}">' in text
    assert "Counted 10, less 2 unreported, 0 moved since = 8 should lie there." in text


def test_what_retail_pro_writes_is_text_and_never_markup(example: TinyWorld) -> None:
    example.file([("101", A, 10), ("<script>alert(1)</script>", A, 3), ("101", "<b>bold</b>", 1)])
    example.run()
    text = page(example)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<b>bold" not in text


def test_a_day_that_stands_still_has_a_page_that_says_where_and_what_to_do(example: TinyWorld) -> None:
    example.run()
    ran = example.run("daily_sync_report")
    assert ran.failures == {}
    seen = " ".join(words(page(example)).split())
    assert "The day stands still at raw_reset_file" in seen
    assert "No reset file of US for 2026-03-10" in seen
    assert "Not there yet: raw_reset_file, filtered_reset, " in seen
    assert "No file has been landed for this day." in seen


def test_a_held_day_shows_the_check_with_number_and_threshold(example: TinyWorld) -> None:
    example.file([("999", A, 3)])
    example.run()
    example.run("daily_sync_report")
    seen = " ".join(words(page(example)).split())
    assert "The day stands still at filtered_reset_parts" in seen
    assert "NOT PASSED" in seen
    assert "filtered_row_count" in seen


def test_checks_and_timings_show_the_days_before(example: TinyWorld, counts: Rows) -> None:
    """Two days are no history: squares and charts begin with the third, and until then words say so."""
    texts = {}
    for day in (8, 9, 10):
        example.file(counts, f"202603{day:02}T070000")
        assert example.run(day=DAY.replace(day=day)).failures == {}
        texts[day] = (example.data / f"reports/2026-03-{day:02}/US.html").read_text("utf-8")
    drawn = {day: re.findall(r'<svg class="strip".*?</svg>', text) for day, text in texts.items()}
    assert (drawn[8], drawn[9]) == ([], [])
    assert "1 of the last 30 days was checked; the history is shown from 3 on" in texts[8]
    assert "2 of the last 30 days were checked; the history is shown from 3 on" in texts[9]
    assert all("median of the days before" not in texts[day] for day in (8, 9))
    assert "the history is shown from" not in texts[10]
    text, strips = texts[10], drawn[10]
    # Three days of thirty: the others are pale.
    assert all(strip.count('height="7" fill="#2f6f9f"') == 3 for strip in strips[:3])
    assert "median of the days before" in text


def test_shopify_s_changes_stand_on_the_page(online: Online, counts: Rows) -> None:
    online.shop.stock([("9A", "700", 17)])
    online.world.file(counts, f"{online.today:%Y%m%d}T000001")
    assert online.world.run(day=online.today).failures == {}
    text = (online.world.data / f"reports/{online.today}/US.html").read_text("utf-8")
    seen = " ".join(words(text).split())
    assert re.search(r"3 numbers of 3 items were compared with Shopify: 2 up, 0 down; 2 were sent", seen)
    assert f"SKU-A {A} online 17 20 +3" in seen


def seen_on(online: Online) -> str:
    text = (online.world.data / f"reports/{online.today}/US.html").read_text("utf-8")
    return " ".join(words(text).split())


def test_a_change_at_shopify_says_why_and_leads_to_its_story(online: Online, counts: Rows) -> None:
    """It showed 3 too few before the reset, which raises A by 2 in New York; somebody took 3 of A from Nashville."""
    online.shop.stock([("9A", "700", 17)])
    online.world.file([("101", A, 12), ("102", A, 7), *counts[2:]], f"{online.today:%Y%m%d}T000001")
    assert online.world.run(day=online.today).failures == {}
    seen = seen_on(online)
    assert f"SKU-A {A} online 17 19 +2 -1 by the day's reset and variance; +3 as Shopify was off before" in seen
    assert "-1 by the day's reset and variance" in seen
    assert "NASH: 10 -> 7 (-3 by reset and variance)" in seen
    text = (online.world.data / f"reports/{online.today}/US.html").read_text("utf-8")
    assert f'<a href="#key-NASH-{A}">SKU-A</a>' in text


def test_what_deltas_have_sent_stands_on_a_page_that_is_made_after_them(online: Online, counts: Rows) -> None:
    online.world.file(counts, f"{online.today:%Y%m%d}T000001")
    assert online.world.run(day=online.today).failures == {}
    assert "Nothing was sent by another publication of this day" in seen_on(online)
    online.world.oms.sell_in_store("NY", "A", 4, NOW)
    assert online.delta().failures == {}
    assert online.world.run("daily_sync_report", day=online.today).failures == {}
    seen = seen_on(online)
    assert "1 change in 1 publication until this page was made" in seen
    assert f"SKU-A {A} online 20 16 -4 applied" in seen


def test_pieces_that_are_not_taken_back_are_named_with_the_reason_and_the_numbers_add_up(
    example: TinyWorld, counts: Rows
) -> None:
    """4 pieces were shipped unreported; B of New York is in no line of the file."""
    example.file([row for row in counts if row[:2] != ("101", UPCA["B"])])
    assert example.run().failures == {}
    seen = " ".join(words(page(example)).split())
    assert "1 key, -2 pieces, of 4 shipped that Retail Pro was not told of; 2 were not asked back" in seen
    assert "4 shipped, and Retail Pro was not told when it counted : 2 lines of 1 order" in seen
    assert "-2 not asked back : the file has no line of this key" in seen
    assert "2 the OMS took out" in seen
    assert f"NY {UPCA['B']} 2 #1001 the file has no line of this key" in seen


def test_every_dropped_row_lies_beside_the_page_with_its_sku_and_nothing_that_a_spreadsheet_runs(
    example: TinyWorld, counts: Rows
) -> None:
    example.file([*counts[1:], ("101", A, 10), ("101", A, 11), ("=cmd|' /C calc'!A0", A, 3)])
    example.run()
    table = pl.read_csv(example.data / f"reports/{DAY}/US_dropped_rows.csv", infer_schema=False)
    rows = {row["line_number"]: row for row in table.to_dicts()}
    assert {rows[number]["reason"] for number in ("8", "9")} == {"conflicting_duplicate"}
    assert {(row["sku"], row["upca"]) for row in rows.values()} == {("SKU-A", A)}
    assert rows["9"]["raw_text"] == f"101,{A},ALU,Shoe,11"
    assert rows["10"]["store_code"] == "'=cmd|' /C calc'!A0"
    assert "The 1 rows of products that are not sold online are left alone" in " ".join(words(page(example)).split())


def test_a_check_that_two_assets_show_stands_once_with_what_it_found(example: TinyWorld, counts: Rows) -> None:
    example.file(counts)
    ran = example.run()
    seen = " ".join(words(page(example)).split())
    found = "7 lines = 6 kept + 1 inactive + 0 rejected"
    assert seen.count(f"rows_accounted_for filtered_reset, filtered_reset_parts passed {found}") == 1
    # file_on_time and day_on_time are of the run, too; Dagster shows as many.
    assert f"All {len(ran.checks)} checks passed" in seen
    assert "done on time" in seen or "after the deadline" in seen
    assert "Not on this page: the checks of shopify_delta" in seen


def test_upcas_are_counted_by_length_zeros_and_check_digit(example: TinyWorld, counts: Rows) -> None:
    example.file([("101", A.lstrip("0"), 10), *counts[1:]])
    example.run()
    seen = " ".join(words(page(example)).split())
    assert "11 digits 1 0" in seen
    assert "sent with other zeros in front than the OMS writes: the same number 1 0" in seen
    assert "with a wrong check digit: a warning, they are matched as they are 0 0" in seen


@pytest.mark.parametrize("check", sorted({name for names in CHECKS.values() for name in names}))
def test_every_check_has_a_group(check: str) -> None:
    assert group_of(check) in GROUPS


def test_row_counts_and_upcas_are_groups_of_their_own() -> None:
    names = sorted({name for names in CHECKS.values() for name in names})
    assert [name for name in names if group_of(name) == "UPCA"] == [
        "active_upca_unique",
        "active_upca_valid",
        "filtered_upca_valid",
    ]
    rows = {name for name in names if group_of(name) == "Row counts"}
    assert {"raw_row_count", "filtered_row_count", "active_row_count", "part_row_counts", "rows_accounted_for"} <= rows


def test_the_template_goes_with_the_package() -> None:
    import rpsync_assets.report  # noqa: PLC0415

    assert (Path(rpsync_assets.report.__file__).parent / "page.html.j2").exists()


# Beside the UI --------------------------------------------------------------------------------------------------------
@pytest.fixture
def pages(example: TinyWorld, counts: Rows) -> TestClient:
    example.file(counts)
    assert example.run().failures == {}
    return TestClient(build_pages(example.settings()), base_url="http://127.0.0.1")


def test_reports_are_listed_and_shown_and_any_key_is_explained(pages: TestClient) -> None:
    listed = pages.get("/").text
    assert f"/reports/{DAY}/US.html" in listed
    shown = pages.get(f"/reports/{DAY}/US.html").text
    assert "checks passed" in shown
    for name in re.findall(r'href="([^"#]*csv)"', shown):
        assert pages.get(f"/reports/{DAY}/{name}").headers["content-type"].startswith("text/csv")
    asked = {"store": "US", "date": str(DAY), "facility": "102", "upc": C}
    told = html.unescape(pages.get("/explain", params=asked).text)
    assert "Kept: Retail Pro counted 5 at facility NASH." in told


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/reports/2026-03-11/US.html", 404),
        ("/reports/2026-03-10/..%2f..%2fstate.sqlite", 404),
        ("/reports/2026-03-10/US_passwords.csv", 404),
        ("/reports/..%2f/US.html", 404),
        ("/reports/yesterday/US.html", 422),
        ("/explain?store=XX&date=2026-03-10&facility=NY&upc=1", 404),
        ("/explain?store=US&date=never&facility=NY&upc=1", 422),
        ("/explain?store=US&date=2026-03-10", 422),
    ],
)
def test_what_is_not_a_report_is_not_served(pages: TestClient, path: str, code: int) -> None:
    assert pages.get(path).status_code == code


def test_only_this_machine_s_own_names_are_answered(pages: TestClient) -> None:
    """A page of somebody else's that lets its own name point here gets nothing."""
    assert pages.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_what_is_asked_for_is_text_and_never_markup(pages: TestClient) -> None:
    asked = {"store": "US", "date": str(DAY), "facility": "<script>alert(1)</script>", "upc": "1"}
    assert "<script>" not in pages.get("/explain", params=asked).text
