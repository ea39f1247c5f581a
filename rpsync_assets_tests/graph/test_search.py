"""The search page: from a SKU, a UPC, an id or a description to the story of any number of a day."""

import html
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import dagster as dg
import pytest
from fastapi.testclient import TestClient

from rpsync_assets.explain.explain import explain
from rpsync_assets.explain.sources import opened
from rpsync_assets.report.server import build_pages
from rpsync_assets.sandbox.sftp_server import SftpEndpoint
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Rows, TinyWorld

A, C, Z = UPCA["A"], UPCA["C"], UPCA["Z"]
HOSTILE = '"><script>alert(1)</script>'


def played(example: TinyWorld, counts: Sequence[tuple[str, str, int]]) -> TinyWorld:
    """New York and Nashville's day; a shop that nobody knows counted an A, too."""
    names = {"A": "Leather boot, black", "B": "Leather boot, 100% brown", "Z": "Leather boot, old"}
    for product, name in names.items():
        example.oms.do(
            "UPDATE PRODUCT SET PRODUCT_NAME = :name WHERE PRODUCT_ID = :product", name=name, product=product
        )
    example.file([*counts, ("999", A, 3), ("102", "036000291452", 4)])
    assert example.run().failures == {}
    return example


def served_of(world: TinyWorld) -> TestClient:
    return TestClient(build_pages(world.settings()), base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture(scope="module")
def day(sftp_server: tuple[Path, SftpEndpoint], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyWorld]:
    """Played once: these tests only look."""
    (root, endpoint), folder = sftp_server, tmp_path_factory.mktemp("search")
    with dg.DagsterInstance.ephemeral() as instance:
        world = TinyWorld(folder, root, folder.name, endpoint, instance)
        for facility in ("NY", "NASH"):
            for product, units in (("A", 10), ("B", 10), ("C", 0)):
                world.oms.stock(facility, product, units)
        yield played(world, [(code, UPCA[p], 5 if p == "C" else 10) for p in "ABC" for code in ("101", "102")])
        world.close()


@pytest.fixture
def pages(day: TinyWorld) -> TestClient:
    return served_of(day)


@pytest.fixture
def own(example: TinyWorld, counts: Rows) -> TinyWorld:
    """One more, for a test that changes something."""
    return played(example, counts)


def words(text: str) -> str:
    """What a reader sees, without markup."""
    return " ".join(html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)).split())


def looked_up(pages: TestClient, **asked: object) -> str:
    answer = pages.get("/search", params={"store": "US", "date": str(DAY), **asked})  # type: ignore[arg-type]
    assert answer.status_code == 200
    return answer.text


def stories(text: str) -> list[tuple[str, str]]:
    """Facility and UPC of every story that a page links."""
    links = [html.unescape(link) for link in re.findall(r'href="(explain\?[^"]*)"', text)]
    asked = [parse_qs(urlsplit(link).query) for link in links]
    assert all((one["store"], one["date"]) == (["US"], [str(DAY)]) for one in asked)
    return [(one["facility"][0], one["upc"][0]) for one in asked]


@pytest.mark.parametrize(
    "question", ["SKU-A", "sku-a", A, f"00{A}", A.lstrip("0"), "A", "boot black", " Black  LEATHER "]
)
def test_a_product_is_found_by_sku_upc_id_and_description(pages: TestClient, question: str) -> None:
    text = looked_up(pages, q=question)
    assert stories(text) == [("999", A), ("NASH", A), ("NY", A)]
    seen = words(text)
    assert "SKU-A · Leather boot, black" in seen
    assert "sold online · 20 may be sold online" in seen
    assert "NY 101 10 10 10 10 why?" in seen
    assert "line 8: the store code is not a facility of this product store" in seen


def test_several_that_fit_are_listed_and_one_facility_narrows_them(pages: TestClient) -> None:
    assert {upc for _, upc in stories(looked_up(pages, q="leather"))} == {A, UPCA["B"]}
    assert stories(looked_up(pages, q="leather", facility="101")) == [("NY", A), ("NY", UPCA["B"])]
    assert "It has no number at 'Paris'" in words(looked_up(pages, q="SKU-A", facility="Paris"))


def test_one_key_is_its_story_at_once_and_the_story_is_that_of_the_command(pages: TestClient, day: TinyWorld) -> None:
    answer = pages.get("/search", params={"store": "US", "date": str(DAY), "q": "SKU-A", "facility": "101"})
    assert answer.status_code == 303
    told = pages.get(f"/{answer.headers['location']}")
    assert told.status_code == 200
    with opened(day.settings(), "US", DAY) as sources:
        trace = explain(sources, "NY", A)
    seen = words(told.text)
    for step in trace.steps:
        assert " ".join([step.title, *step.lines]) in seen
    assert all(state in seen for state in trace.states)


def test_more_than_a_few_are_a_list_to_choose_from(own: TinyWorld) -> None:
    pages = served_of(own)
    for number in range(10, 40):
        own.oms.product(f"P{number}", f"0360002914{number}")
    text = looked_up(pages, q="SKU-P")
    assert "SKU-P10" in text
    assert stories(text) == []
    assert "There are more; write more of it." in words(text)
    assert "not on the day's list of products sold online" in words(looked_up(pages, q="SKU-P10"))


def test_a_product_that_is_not_sold_online_and_a_upc_that_nobody_has_are_answered(pages: TestClient) -> None:
    old = looked_up(pages, q=Z)
    assert "SKU-Z · Leather boot, old" in words(old)
    assert "not on the day's list of products sold online, not published on Shopify" in words(old)
    assert ("NY", Z) in stories(old)
    unknown = looked_up(pages, q="887766554433")
    assert "No product of the OMS has this UPC" in words(unknown)
    assert stories(unknown) == [("NASH", "887766554433"), ("NY", "887766554433")]
    assert "Nothing of US on 2026-03-10 fits pumpkin" in words(looked_up(pages, q="pumpkin"))


@pytest.mark.parametrize("question", ["%", "_", "!", "'", "';--", "100%", "\\", "(", "[a-z]*", "ß", "\x00", "a" * 5000])
def test_what_is_typed_is_text_and_no_pattern(pages: TestClient, question: str) -> None:
    found = {upc for _, upc in stories(looked_up(pages, q=question))}
    assert found == ({UPCA["B"]} if "%" in question else set())


def test_an_oms_that_is_away_leaves_what_the_day_stored(own: TinyWorld) -> None:
    (own.root / "oms.sqlite").rename(own.root / "away.sqlite")
    text = looked_up(served_of(own), q="SKU-A")
    assert "The OMS cannot be asked" in words(text)
    assert stories(text) == [("999", A), ("NASH", A), ("NY", A)]


@pytest.mark.parametrize("place", ["q", "facility", "store", "date"])
def test_hostile_input_is_text_and_never_markup(pages: TestClient, place: str) -> None:
    asked = {"store": "US", "date": str(DAY), "q": "SKU-A", "facility": "", place: HOSTILE}
    answer = pages.get("/search", params=asked)
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    told = pages.get("/explain", params={"store": "US", "date": str(DAY), "facility": "NY", "upc": A, place: HOSTILE})
    assert "<script" not in told.text
    assert "script" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/search?store=XX&q=A", 404, "There is no product store 'XX'. There are: US."),
        ("/search?store=../../state&q=A", 404, "There is no product store '../../state'"),
        ("/search?date=never&q=A", 422, "'never' is not a date such as 2026-03-10."),
        ("/search?date=2026-99-99&q=A", 422, "is not a date"),
        ("/search?date=1999-01-01&q=A", 200, "the day has no list of products sold online yet"),
        ("/explain?store=..&date=2026-03-10&facility=NY&upc=1", 404, "There is no product store '..'"),
        ("/explain?store=US&date=2026-03-10", 422, "an explanation needs a store, a date, a facility and a UPC"),
        ("/explain?store=US&date=2026-03-10&facility=Paris&upc=x", 200, "'Paris' is not a physical, open facility"),
        ("/rejected/2026-03-10/..%2f..%2fstate.sqlite.csv", 404, "That is not here"),
        ("/rejected/2026-03-10/XX.csv", 404, "There is no product store 'XX'"),
        ("/rejected/2026-03-11/US.csv", 404, "There is no list of rejected rows for US on 2026-03-11"),
        ("/reports/2026-03-10/XX.html", 404, "materialize daily_sync_report"),
        ("/reports/2026-03-10/..%5c..%5cstate.html", 404, "There is no report"),
        ("/../state.sqlite", 404, "That is not here"),
    ],
)
def test_what_is_not_there_is_said_kindly_with_the_form_to_go_on(
    pages: TestClient, path: str, code: int, says: str
) -> None:
    answer = pages.get(path)
    assert answer.status_code == code
    assert says in words(answer.text)
    assert '<form action="search">' in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/search", "/explain", f"/reports/{DAY}/US.html"])
def test_nothing_can_be_changed(pages: TestClient, method: str, path: str) -> None:
    assert pages.request(method, path).status_code == 405


def test_looking_writes_nothing(pages: TestClient, day: TinyWorld) -> None:
    before = {path: path.stat().st_mtime_ns for path in day.root.rglob("*") if path.is_file()}
    for question in ("SKU-A", A, "leather", "nothing"):
        looked_up(pages, q=question)
    pages.get("/explain", params={"store": "US", "date": str(DAY), "facility": "NY", "upc": A})
    after = {path: path.stat().st_mtime_ns for path in day.root.rglob("*") if path.is_file()}
    assert {path: at for path, at in after.items() if ".sqlite" not in path.name} == {
        path: at for path, at in before.items() if ".sqlite" not in path.name
    }


def test_every_report_that_is_served_leads_to_the_search_and_the_file_itself_stays_as_it_was(
    pages: TestClient, day: TinyWorld
) -> None:
    file = day.data / f"reports/{DAY}/US.html"
    file.parent.mkdir(parents=True)
    file.write_text("<html><body><main>An older report</main></body></html>")
    served = pages.get(f"/reports/{DAY}/US.html").text
    assert "An older report" in served
    assert 'action="../../search"' in served
    assert f'name="date" value="{DAY}"' in served
    assert 'name="store" value="US"' in served
    rows = pages.get(f"/rejected/{DAY}/US.csv")
    assert rows.status_code == 200
    assert "unknown_facility" in rows.text


def test_without_a_date_the_newest_day_is_meant(pages: TestClient) -> None:
    assert f'name="date" value="{DAY}"' in pages.get("/search").text


def test_behind_a_proxy_its_name_is_answered_and_no_other(day: TinyWorld) -> None:
    settings = day.settings().model_copy(update={"reports_url": "https://reports.example.com/rpsync"})
    pages = TestClient(build_pages(settings), base_url="http://127.0.0.1")
    assert pages.get("/search", headers={"Host": "reports.example.com"}).status_code == 200
    assert pages.get("/search", headers={"Host": "evil.example"}).status_code == 400


@pytest.fixture
def served(day: TinyWorld) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``rpsync reports serve`` as systemd starts it: on its own, with the settings of the environment."""
    its = day.settings()
    config = day.root / "rpsync.toml"
    config.write_text(
        f'[stores.US]\ntime_zone = "America/New_York"\nchannel = "US_ONLINE"\n[sftp]\nhost = "{its.sftp.host}"\n'
        f'username = "rpsync"\nknown_hosts = "{its.sftp.known_hosts}"\n[oms]\ndatabase = "{its.oms.database}"\n'
    )
    known = {name: value for name, value in os.environ.items() if not name.startswith(("RPSYNC_", "DAGSTER_"))}
    command = [sys.executable, "-c", "from rpsync_assets.cli import main; main()", "reports", "serve", "--port", "0"]
    with subprocess.Popen(
        command,
        env={**known, "PYTHONUNBUFFERED": "1", "RPSYNC_CONFIG": str(config), "RPSYNC_DATA_DIR": str(day.data)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1], process
        process.kill()


def test_the_server_is_a_service_of_its_own(served: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = served
    for _ in range(100):
        try:
            with urlopen(f"{url}/search?q=SKU-A", timeout=10) as answer:  # noqa: S310  our own, on this machine
                assert "Leather boot, black" in answer.read().decode()
            break
        except OSError:
            time.sleep(0.2)
    else:
        pytest.fail("it does not answer")
    process.terminate()
    assert process.wait(30) in (0, -15)


def test_pages_need_no_dagster_and_no_plotting() -> None:
    code = (
        "import sys; import rpsync_assets.report.server, rpsync_assets.cli\n"
        "print([name for name in ('dagster', 'matplotlib', 'paramiko', 'duckdb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_templates_go_with_the_package() -> None:
    import rpsync_assets.report  # noqa: PLC0415

    folder = Path(rpsync_assets.report.__file__).parent
    names = {path.name.removesuffix(".html.j2") for path in folder.glob("*.html.j2")}
    assert names >= {"bar", "form", "frame", "index", "problem", "search", "story"}
