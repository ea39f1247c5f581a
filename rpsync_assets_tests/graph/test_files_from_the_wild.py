"""A dozen files of the corpus through the whole graph: a real SFTP server, real runs, and what the analyst is told."""

import ast
import stat
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from rpsync_assets.store_settings import ColumnNames
from rpsync_assets_tests.corpus.case import Case, Refused, Shipped, store_settings
from rpsync_assets_tests.corpus.cases import CASES
from rpsync_assets_tests.graph.test_bad_input import with_store
from rpsync_assets_tests.graph.tiny_world import MORNING, TinyWorld

SHOWN = True
"""The days of these tests draw their report and make the warehouse's views."""

UNTIL_DELIVERY = ("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts")
CHOSEN = (
    "utf-16 without a mark, big-endian",
    "cp1252",
    "utf-8 in which one name was cut within a character",
    "gzip around cp1252, in small blocks",
    "Excel's sep= with its mark, and a rejected line has the number that it has in the file",
    "a separator, quotes and line ends inside quotes",
    "a line number behind quoted line ends counts lines of the table",
    "blank lines in the middle and at the end",
    "names of another language, as the settings say, in cp1252",
    "the same key twice with another quantity, and once with the same",
    "a ZIP archive",
    "inch marks on two lines would make one of them",
    "a hole of zero bytes where lines were lost",
    "cut in a number, which reads 1 instead of 10",
)
BY_NAME = {case.name: case for case in CASES}


@pytest.mark.parametrize("case", [BY_NAME[name] for name in CHOSEN], ids=CHOSEN)
def test_a_file_from_the_wild_goes_through_the_graph_as_through_its_rooms(world: TinyWorld, case: Case) -> None:
    world.oms.facility("MEX", "MÉX1")
    name = f"reset_US_{MORNING}.csv" + (".gz" if case.content.startswith(b"\x1f\x8b") else "")
    (world.incoming / name).write_bytes(case.content)
    its = store_settings(**case.settings)
    settings = with_store(world, **{said: getattr(its, said) for said in case.settings})
    ran = world.run(*UNTIL_DELIVERY, settings=settings)
    sent = world.server / "hotwax/reset-inventory/reset_US_20260310_g1_1of1.csv"
    if isinstance(case.outcome, Refused):
        assert len(ran.failures) == 1
        for word in case.outcome.words:
            assert word in ran.failure
        assert not sent.exists()
        return
    assert ran.failures == {}
    delivered = pl.read_csv(sent, infer_schema=False).select("facilityId", "idValue", "availableQty")
    rejected = world.table("rejected_reset_rows")
    raw, filtered = ran.metadata["raw_reset_file"], ran.metadata["filtered_reset"]
    assert (
        Shipped(
            tuple((facility, upca, int(quantity)) for facility, upca, quantity in delivered.iter_rows()),
            tuple(rejected.select("line_number", "reason").iter_rows()),
            int(str(filtered["inactive"])),
        )
        == case.outcome
    )
    # Raw bytes are kept as received, and what was found in them is told.
    assert (world.data / "landing" / "2026-03-10/US" / name).read_bytes() == case.content
    told = {
        "encoding": raw["encoding"],
        "compression": raw["compression"],
        "separator": ast.literal_eval(str(raw["separator"])),
        "decimal_mark": filtered["decimal mark"],
    }
    assert {said: told[said] for said in case.found} == case.found


def test_rejected_rows_are_found_with_their_raw_text_in_the_warehouse_and_in_a_private_csv(example: TinyWorld) -> None:
    """A person asks Retail Pro about a line: its number, what stood there, and why it was not believed."""
    example.raw_file(
        b'sep=;\r\nstore_code;upc;description;qty\r\n101;012345678905;"Shoe;\r\nred";7\r\n'
        b'102;=2+3;"Caf\xe9 ""x""";-3\r\n101;2.05E+12;;1\r\n102;012345678905;"Belt";0.5\r\n'
    )
    ran = example.run(*UNTIL_DELIVERY)
    assert ran.failures == {}
    expected = [
        (4, "invalid_upc", '102;=2+3;"Café ""x""";-3'),
        (5, "exponent_upc", "101;2.05E+12;;1"),
        (6, "fractional_quantity", '102;012345678905;"Belt";0.5'),
    ]
    warehouse = example.defs().resources["warehouse"]
    with warehouse.connection() as connection:
        asked = connection.execute(
            "SELECT line_number, reason, raw_text FROM rejected_reset_rows"
            " WHERE business_date = '2026-03-10' AND product_store = 'US' ORDER BY line_number"
        ).fetchall()
    assert asked == expected
    spreadsheet = Path(str(ran.metadata["filtered_reset"]["spreadsheet of rejected rows"]))
    assert spreadsheet == example.data / "rejected/2026-03-10/US/rejected_US_20260310.csv"
    assert stat.S_IMODE(spreadsheet.stat().st_mode) == 0o600
    assert spreadsheet.read_bytes().startswith(b"\xef\xbb\xbf")
    told = pl.read_csv(spreadsheet, infer_schema=False).select("line_number", "reason", "raw_text", "meaning")
    assert [(int(number), reason) for number, reason, _, _ in told.iter_rows()] == [row[:2] for row in expected]
    assert told["raw_text"].to_list()[0] == '102;\'=2+3;"Café ""x""";\'-3'
    assert "not a whole number" in told["meaning"].to_list()[2]
    # A better file of the same day leaves no old rejection behind.
    example.raw_file(b"store_code,upc,qty\n101,012345678905,7\n102,012345678905,7\n", "20260310T073000")
    assert example.run(*UNTIL_DELIVERY).failures == {}
    assert pl.read_csv(spreadsheet).is_empty()


def test_the_mark_before_decimals_is_told(example: TinyWorld) -> None:
    example.raw_file(b'store_code,upc,qty\n101,012345678905,7.0000\n102,012345678905,"1,234.0"\n')
    assert example.run(*UNTIL_DELIVERY).metadata["filtered_reset"]["decimal mark"] == "."
    example.raw_file(b"store_code,upc,qty\n101,012345678905,7\n102,012345678905,6\n", "20260310T073000")
    assert example.run(*UNTIL_DELIVERY).metadata["filtered_reset"]["decimal mark"] == "not told by the file"


@pytest.mark.parametrize("yesterday", ["Line 3 is torn", "the columns have other names"])
def test_a_file_that_was_refused_yesterday_does_not_hold_today_up(example: TinyWorld, yesterday: str) -> None:
    """It lies among the landed files, and today looks there for keys that are owed."""
    rows = b"101,012345678905,7\n102,012345678905,7\n"
    torn = b"store_code,upc,qty\n101,012345678905,7\n102\n"
    renamed = b"tienda,upc,qty\n" + rows
    example.raw_file(torn if "torn" in yesterday else renamed, "20260309T070000")
    before = {} if "torn" in yesterday else {"columns": ColumnNames(store_code="tienda")}
    example.run(*UNTIL_DELIVERY, day=date(2026, 3, 9), settings=with_store(example, **before))
    example.raw_file(b"store_code,upc,qty\n" + rows)
    ran = example.run(*UNTIL_DELIVERY)
    assert ran.failures == {}
    assert ran.metadata["filtered_reset"]["older files that cannot be read"] == "reset_US_20260309T070000.csv"
    assert ran.metadata["filtered_reset"]["dagster/row_count"] == 2
