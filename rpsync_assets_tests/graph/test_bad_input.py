"""Bad mornings: one line that names the culprit and the mend, nothing delivered, yesterday's outputs intact."""

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from rpsync_assets.sandbox.sftp_server import SftpEndpoint
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.recorders import BrokenLanding, GrowingSftp
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import HEADER, Ran, Rows, TinyWorld

YESTERDAY = date(2026, 3, 9)
GOOD = f"{HEADER}\n101,{UPCA['A']},ALU,Shoe,7\n102,{UPCA['A']},ALU,Shoe,7\n".encode()


@pytest.fixture(scope="module")
def after_a_good_day(
    sftp_server: tuple[Path, SftpEndpoint], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TinyWorld]:
    """One world for all bad mornings of this module: a failed day leaves nothing that the next one could find."""
    root, endpoint = sftp_server
    with dg.DagsterInstance.ephemeral() as instance:
        tiny = TinyWorld(tmp_path_factory.mktemp("bad"), root, "bad-input", endpoint, instance)
        for facility in ("NY", "NASH"):
            tiny.oms.stock(facility, "A", 10)
        tiny.raw_file(GOOD, "20260309T070000")
        assert tiny.run(day=YESTERDAY).failures == {}
        yield tiny
        tiny.close()


@pytest.fixture
def morning(after_a_good_day: TinyWorld) -> Iterator[TinyWorld]:
    """The world with no file of the day; afterwards nothing was sent and yesterday is byte for byte what it was."""
    world = after_a_good_day
    before = (world.sent, world.oms.ledger(), world.deliveries(), _yesterdays(world))
    yield world
    assert (world.sent, world.oms.ledger(), world.deliveries(), _yesterdays(world)) == before
    for leftover in world.incoming.glob("reset_US_20260310*"):
        leftover.unlink()
    shutil.rmtree(world.data / "landing/2026-03-10", ignore_errors=True)


def _yesterdays(world: TinyWorld) -> dict[str, bytes]:
    found = {name: content for name, content in world.kept().items() if YESTERDAY.isoformat() in name}
    assert len(found) >= 15
    return found


def refused(ran: Ran, asset: str, *words: str) -> None:
    """The day failed at this asset, in one line with these words."""
    assert not ran.success
    said = ran.failures[asset]
    assert "\n" not in said
    for word in words:
        assert word in said, said


def with_store(world: TinyWorld, **changes: object) -> Settings:
    settings = world.settings()
    return settings.model_copy(update={"stores": {"US": settings.stores["US"].model_copy(update=changes)}})


def test_no_file_for_the_date_names_the_folder_and_the_newest_file(morning: TinyWorld):
    ran = morning.run()
    refused(
        ran,
        "raw_reset_file",
        "No reset file of US for 2026-03-10 in bad-input/retailpro/incoming/",
        "the newest of US is reset_US_20260309T070000.csv, which serves 2026-03-09",
        "Ask Retail Pro for it",
    )
    # The list does not need the file; nothing that does has run.
    assert set(ran.failures) == {"raw_reset_file"}
    assert set(ran.metadata) <= {"active_products", "pos_sales"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("has zero bytes", "never means that all stock is gone", "send the file again")),
        (
            f"store_code,upc,alu,description\n101,{UPCA['A']},ALU,Shoe\n".encode(),
            ("Column 'qty' stands 0 times in the header", "store_code, upc, alu, description", "rpsync.toml"),
        ),
        (
            GOOD[:-1],
            ("reset_US_20260310T070000.csv does not end with a line end", "its last line was cut", "final_line_end"),
        ),
        (GOOD[:-9], ("does not end with a line end", "its last line was cut")),
    ],
    ids=["zero bytes", "a column missing", "no final line end", "last line cut"],
)
def test_a_file_that_cannot_be_believed_does_not_land(morning: TinyWorld, content: bytes, words: tuple[str, ...]):
    """A file cut inside its last number reads 10 as 1; an empty one would read as a closed shop."""
    morning.raw_file(content)
    refused(morning.run(), "raw_reset_file", *words)
    assert not list((morning.data / "landing/2026-03-10").rglob("*.*"))


def test_a_line_cut_in_the_middle_of_the_file_is_named_by_its_number(morning: TinyWorld):
    """Polars would fill the short line up with empty fields without a word."""
    torn = GOOD.replace(b",ALU,Shoe,7\n102", b",AL\n102")
    morning.raw_file(torn)
    refused(morning.run(), "filtered_reset", "Line 2 has 3 fields where the header has 5", "send the file again")


def test_a_full_file_with_a_header_only_is_refused_where_it_arrives(morning: TinyWorld):
    morning.raw_file(f"{HEADER}\n".encode())
    ran = morning.run(settings=with_store(morning, file_kind="full"))
    refused(ran, "raw_reset_file", "has 0 rows below its header", "observed 0, needed at least 1", "full file")
    assert ran.red == ["raw_reset_file.raw_row_count"]
    assert "filtered_reset" not in ran.metadata


def test_a_file_without_any_active_product_is_held(morning: TinyWorld):
    """A wrong column or an empty list looks like this, and so does a closed holiday."""
    morning.file([("101", UPCA["Z"], 3), ("102", UPCA["Z"], 3)])
    ran = morning.run()
    refused(
        ran,
        "filtered_reset_parts",
        "0 of 2 raw rows are left to deliver; 2 are inactive",
        "observed 0, needed at least 1",
    )
    assert ran.red == ["filtered_reset.filtered_row_count", "filtered_reset_parts.filtered_row_count"]


def test_a_file_that_is_still_growing_is_left_alone(morning: TinyWorld):
    """Retail Pro writes 300 MB for minutes; what has arrived so far parses well and is not the day's count."""
    path, written = morning.raw_file(GOOD), threading.Event()

    def write_on() -> None:
        while not written.wait(0.05):
            with path.open("ab") as file:
                file.write(f"101,{UPCA['Z']},ALU,Shoe,1\n".encode())

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        ran = morning.run(settings=morning.settings(settle_seconds=0.3))
    finally:
        written.set()
        writer.join()
    refused(ran, "raw_reset_file", "still being written", "Wait until Retail Pro has finished")
    assert not (morning.data / "landing/2026-03-10/US/reset_US_20260310T070000.csv").exists()


def test_a_file_that_begins_to_grow_while_it_is_fetched_is_left_alone(morning: TinyWorld):
    """It stood still when we looked first; the look after the download sees it."""
    path = morning.raw_file(GOOD)
    growing = GrowingSftp.like(morning.defs().resources["sftp"])
    growing.grow.append(path)
    refused(morning.run("raw_reset_file", sftp=growing), "raw_reset_file", "still being written", "a moment ago")
    assert not list((morning.data / "landing/2026-03-10").rglob("*.*"))


def test_a_date_that_has_not_begun_at_the_store_is_refused(morning: TinyWorld):
    """The dates are those of the easternmost zone: when Samoa's tomorrow is offered, Samoa still has today."""
    tomorrow = datetime.now(UTC).astimezone(ZoneInfo("Pacific/Pago_Pago")).date() + timedelta(days=1)
    ran = morning.run(day=tomorrow, settings=with_store(morning, time_zone="Pacific/Pago_Pago"))
    for asset in ("raw_reset_file", "active_products", "pos_sales"):
        refused(ran, asset, f"{tomorrow} has not begun at US (Pacific/Pago_Pago)", "Choose a date that has begun")


def test_an_unknown_host_key_is_refused_with_its_fingerprint(morning: TinyWorld, tmp_path: Path):
    morning.raw_file(GOOD)
    empty = tmp_path / "known_hosts"
    empty.touch()
    ran = morning.run(settings=morning.settings(known_hosts=empty))
    refused(ran, "raw_reset_file", "The host key of", "is unknown", "SHA256:", "known_hosts")


def test_a_wrong_password_is_told_without_the_password(morning: TinyWorld):
    morning.raw_file(GOOD)
    settings = morning.settings()
    secrets = settings.secrets.model_validate({"sftp_password": "not-the-password"})
    ran = morning.run(settings=settings.model_copy(update={"secrets": secrets}))
    refused(ran, "raw_reset_file", "refused the login of user 'rpsync'", "RPSYNC_SFTP_PASSWORD")
    assert "not-the-password" not in str(ran)


def test_a_server_that_does_not_answer_is_told_with_its_address(morning: TinyWorld):
    ran = morning.run(settings=morning.settings(port=1))
    refused(ran, "raw_reset_file", "SFTP server 127.0.0.1:1", "reachable")


def test_a_missing_oms_database_is_not_made_but_told(morning: TinyWorld, tmp_path: Path):
    morning.raw_file(GOOD)
    settings = morning.settings()
    gone = tmp_path / "gone.sqlite"
    ran = morning.run(settings=settings.model_copy(update={"oms": settings.oms.model_copy(update={"database": gone})}))
    refused(ran, "active_products", f"The OMS database {gone} does not exist", "RPSYNC_OMS_DATABASE_URL")
    assert not gone.exists()


def test_an_unexpected_error_is_not_swallowed(morning: TinyWorld):
    """Only errors that we raise on purpose become sentences; anything else is a defect and must look like one."""
    morning.raw_file(GOOD)
    ran = morning.run(landing=BrokenLanding(morning.data / "landing"))
    assert not ran.success
    assert ran.failures == {"raw_reset_file": "ValueError: a defect"}


def test_a_delta_with_a_header_only_is_held_until_somebody_releases_it(world: TinyWorld):
    """A closed holiday: no stock moved. So looks a broken export, therefore a person has to say so."""
    world.raw_file(f"{HEADER}\n".encode())
    held = world.run()
    refused(held, "filtered_reset_parts", "0 of 0 raw rows", "observed 0, needed at least 1", '{"release": "why')
    check = held.checks["filtered_reset_parts.filtered_row_count"]
    assert (check.passed, check.metadata["observed"].value, check.metadata["threshold"].value) == (
        False,
        0,
        "at least 1",
    )
    assert world.sent == []
    released = world.run(release="holiday")
    assert (released.failures, world.sent, len(world.oms.ledger())) == ({}, [], 6)
    assert released.metadata["filtered_reset_parts"]["released because"] == "holiday"
    shown = released.checks["filtered_reset_parts.filtered_row_count"]
    assert (shown.passed, shown.metadata["released because"].value) == (True, "holiday")
    assert released.metadata["variance_file"]["outcome"] == "nothing to take back: no file was sent"
    # The rest of the day completes: the counts of yesterday are what may be sold today.
    assert released.metadata["shopify_full_reset"]["dagster/row_count"] == 3
    assert released.red == ["filtered_reset.filtered_row_count"]


def test_an_import_of_which_much_failed_holds_the_day(example: TinyWorld, counts: Rows):
    """A's UPCA expires between the filter and the OMS's import: 2 of 6 rows fail, one in a hundred may."""
    example.file(counts)
    first = ("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts")
    assert example.run(*first).failures == {}
    example.oms.do("UPDATE GOOD_IDENTIFICATION SET THRU_DATE = '2026-03-10 00:00:00.000000' WHERE PRODUCT_ID = 'A'")
    ran = example.run("unreported_shipments", "reset_import", "variance_file", "variance_import")
    refused(
        ran,
        "reset_import",
        "the OMS reports 6 rows for the 6 delivered, 2 of them failed",
        "observed 0.333333, needed a failed share of at most 0.01",
    )
    assert ran.red == ["reset_import.import_complete"]
    assert example.folder("inventory-variance") == []
    assert example.run("variance_file").failure.count("There is no reset_import for 2026-03-10|US yet") == 1
    assert example.folder("inventory-variance") == []
    rest = ("reset_import", "variance_file", "variance_import")
    released = example.run(*rest, release="A is being renamed", released="reset_import")
    assert (released.failures, released.red) == ({}, [])
    # B had its row applied, so it has its variance; A's row failed, so nothing of A is taken out.
    assert released.metadata["variance_file"]["units"] == 2
    assert released.metadata["reset_import"]["failed"] == 2
