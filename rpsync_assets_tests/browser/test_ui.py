"""An analyst's morning in the UI: materialize a day, watch it go green, read a red check, open the report.

The tests go through one day in order, as a person would.
"""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from rpsync_assets_tests.browser.conftest import Ui, picture

JOB = "/locations/rpsync_assets.definitions/jobs/reset_day"
LANES = ("hotwax", "report", "reset", "retail_pro", "shopify", "variance")
pytestmark = pytest.mark.timeout(900)


def materialize(page: Page, ui: Ui, place: str, button: str) -> None:
    """Click a materialize button, choose today and the store, launch, and stand on the run's page."""
    page.goto(ui.url + place)
    page.get_by_role("button", name=button).first.click()
    dialog = page.get_by_role("dialog")
    box = dialog.get_by_placeholder("ex: 20")
    box.fill(ui.today.isoformat())
    box.press("Enter")
    dialog.get_by_text("Select a partition or create one").click()
    page.get_by_role("menuitem").filter(has_text="US").click()
    dialog.get_by_text("Launch runs to materialize").first.click()
    with page.expect_response(lambda one: "LaunchPipelineExecution" in (one.request.post_data or "")) as launched:
        dialog.get_by_role("button", name="Launch 1 run").click()
    run = launched.value.json()["data"]["launchPipelineExecution"]["run"]["id"]
    page.goto(f"{ui.url}/runs/{run}")


def check(page: Page, ui: Ui, asset: str, name: str) -> Locator:
    """The page of one check."""
    page.goto(f"{ui.url}/assets/{asset}?view=checks&checkDetail={name}")
    page.get_by_text("Evaluation result").wait_for()
    return page.locator("body")


def test_a_day_is_materialized_by_clicking_and_goes_green(page: Page, ui: Ui) -> None:
    materialize(page, ui, JOB, "Materialize all")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=300_000)
    page.set_viewport_size({"width": 1900, "height": 860})
    page.goto(f"{ui.url}/asset-groups?expanded={','.join(f'global@global:{group}' for group in LANES)}")
    for asset in ("raw_reset_file", "variance_file", "shopify_full_reset", "daily_sync_report"):
        expect(page.get_by_text(asset).first).to_be_visible()
    page.mouse.move(1000, 840)
    page.wait_for_timeout(5000)
    picture(page, "lineage")


def test_an_asset_tells_what_it_is_its_columns_and_its_numbers(page: Page, ui: Ui) -> None:
    page.goto(f"{ui.url}/assets/filtered_reset")
    body = page.locator("body")
    expect(body).to_contain_text("The rows to apply: counts of active products at the store's facilities")
    expect(body).to_contain_text("F: pieces that Retail Pro counted")
    expect(body).to_contain_text("kept share")
    expect(body).to_contain_text("rejected: unknown_facility")
    expect(body).to_contain_text("seconds")


def test_the_report_is_opened_from_its_asset_and_explains_a_key(page: Page, ui: Ui) -> None:
    page.goto(f"{ui.url}/assets/daily_sync_report")
    address = page.locator('a[href*="/reports/"]').first.get_attribute("href")
    assert address is not None
    page.goto(address)
    body = page.locator("body")
    expect(body).to_contain_text(re.compile(r"All \d+ checks passed"))
    expect(body).to_contain_text("The variance went after it")
    page.set_viewport_size({"width": 1100, "height": 1300})
    picture(page, "report")
    first = page.locator("h2#movers ~ table a").first
    upc = first.inner_text()
    first.click()
    opened = page.locator("details[open]")
    expect(opened).to_contain_text(upc)
    expect(opened).to_contain_text("Does it add up?")
    expect(opened).to_contain_text("the systems agree")
    facility = (opened.get_attribute("id") or "").split("-")[1]
    page.get_by_label("facility").fill(facility)
    page.get_by_label("UPC").fill(upc)
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("body")).to_contain_text("Retail Pro counted")


def test_any_sku_leads_to_the_story_of_its_number(page: Page, ui: Ui) -> None:
    """From the asset's page: a click to the search page, a SKU typed, a shop chosen, its story read."""
    page.goto(f"{ui.url}/assets/online_atp")
    address = page.locator('a[href*="/search"]').first.get_attribute("href")
    assert address is not None
    page.goto(address)
    body = page.locator("body")
    asked = page.get_by_label("SKU, UPC, product id or description")
    asked.fill("LOA")
    page.get_by_role("button", name="Look up").click()
    choice = page.locator("table a").first
    sku = choice.inner_text()
    assert sku.startswith("LOA")
    page.set_viewport_size({"width": 1100, "height": 760})
    page.get_by_label("SKU, UPC, product id or description").fill(sku)
    page.keyboard.press("Enter")
    expect(page.locator("h2")).to_contain_text(sku)
    picture(page, "search")
    page.get_by_role("link", name="why?").first.click()
    expect(body).to_contain_text("What may be sold, step by step")
    expect(body).to_contain_text("Shopify before and after")
    picture(page, "story")
    page.get_by_role("link", name="The day's report").click()
    expect(body).to_contain_text(re.compile(r"All \d+ checks passed"))
    page.get_by_label("Look up any SKU").fill('"><script>document.title="taken"</script>')
    page.keyboard.press("Enter")
    expect(body).to_contain_text('"><script>')
    assert page.title() != "taken"


def test_a_bad_file_ends_in_a_red_check_that_says_number_threshold_and_mend(page: Page, ui: Ui) -> None:
    """A later export of the day, whose rows are all of a store that nobody knows."""
    rows = [f"X{number},0123456789{number:02},ALU,Shoe,3" for number in range(10, 60)]
    good = next(ui.incoming.glob("reset_US_*.csv")).read_text("utf-8").splitlines()
    codes = [re.sub(r"^[^,]+", "X99", line) for line in good[1:]]
    bad = ui.incoming / f"reset_US_{ui.today:%Y%m%d}T000100.csv"
    bad.write_text("\n".join([good[0], *codes, *rows, ""]), "utf-8")
    materialize(page, ui, JOB, "Materialize all")
    expect(page.get_by_text("Failure", exact=True).first).to_be_visible(timeout=300_000)
    body = check(page, ui, "filtered_reset_parts", "rejected_share")
    expect(body).to_contain_text("Failed")
    expect(body).to_contain_text("observed")
    expect(body).to_contain_text("threshold")
    expect(body).to_contain_text("unknown_facility")
    expect(body).to_contain_text(re.compile(r"needed .*0\.1"))
    expect(body).to_contain_text(re.compile(r"release|settings|rejected_reset_rows"))
    picture(page, "check")
