"""The stand-in behaves as HotWax's documents say; its numbers are theirs (domain.md 1 and 3.3)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from rpsync_assets.oms import tables
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.hotwax.stand_in import StandIn
from rpsync_assets_tests.hotwax.world import HotWaxWorld

T0 = datetime(2026, 3, 10, 11, 0, tzinfo=UTC)
RESET_HEADER = "facilityId,locationSeqId,idType,idValue,availableQty,comments"
VARIANCE_HEADER = "facilityId,idType,idValue,availableDelta,locationSeqId,varianceReasonId,comments"
NAME = "reset_US_20260310_g1_1of1.csv"


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def stored(moment: datetime) -> datetime:
    """As HotWax stores it."""
    return moment.replace(tzinfo=None)


def reset(hotwax: StandIn, *rows: tuple[str, str, object], name: str = NAME) -> Path:
    """A delivered reset: facility, product, count."""
    lines = [
        f"{place},TLTLTLLL01,UPCA,{UPCA.get(product, product)},{n},Retail Pro snapshot" for place, product, n in rows
    ]
    return put(hotwax.reset_folder / name, [RESET_HEADER, *lines])


def variance(hotwax: StandIn, *rows: tuple[str, str, object], name: str = "variance_US_20260310_g1.csv") -> Path:
    """A delivered variance: facility, product, delta."""
    lines = [
        f"{place},UPCA,{UPCA.get(product, product)},{n},TLTLTLLL01,VAR_INTEGR,because" for place, product, n in rows
    ]
    return put(hotwax.variance_folder / name, [VARIANCE_HEADER, *lines])


def put(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def imported(hotwax: StandIn, now: datetime = T0) -> list[str]:
    hotwax.pick_up(now)
    return hotwax.run_queue(now)


def rows_of(oms: HotWaxWorld, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of all rows, in the order of the key."""
    with oms.engine.connect() as connection:
        found = connection.execute(select(*(table.c[name] for name in columns)).order_by(*table.primary_key))
        return [tuple(row) for row in found]


def logs(oms: HotWaxWorld, *columns: str) -> list[tuple[Any, ...]]:
    return rows_of(oms, tables.data_manager_log, *columns)


def stock(oms: HotWaxWorld, on_hand: int, promised: int, facility: str = "NY", product: str = "A") -> None:
    oms.stock(facility, product, on_hand)
    oms.reserve(facility, product, on_hand - promised, at(-600))


# The arithmetic -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("basis", "before", "count", "after"),
    [
        ("atp", (10, 5), 4, (9, 4)),  # domain.md 3.3 b1
        ("qoh", (10, 5), 4, (4, -1)),  # b2
        ("qoh", (2, 1), 6, (6, 5)),  # b4
        ("qoh", (0, 0), 100, (100, 100)),  # b5
        ("atp", (10, 7), 10, (13, 10)),  # domain.md 0.2: the ATP basis sells reserved units again
        ("qoh", (10, 7), 10, (10, 7)),
        ("qoh", (-3, -3), 2, (2, 2)),
    ],
)
def test_a_reset_moves_both_counts_by_the_difference_of_its_basis(
    hotwax: StandIn, oms: HotWaxWorld, basis: Any, before: tuple[int, int], count: int, after: tuple[int, int]
) -> None:
    hotwax.basis = basis
    stock(oms, *before)
    reset(hotwax, ("NY", "A", count))
    imported(hotwax)
    assert oms.totals("NY", "A") == after


def test_a_count_that_agrees_leaves_no_record_and_is_counted(hotwax: StandIn, oms: HotWaxWorld) -> None:
    stock(oms, 10, 5)
    before = oms.ledger()
    reset(hotwax, ("NY", "A", 10))
    imported(hotwax)
    assert oms.ledger() == before
    assert oms.ask("SELECT * FROM INVENTORY_ITEM_VARIANCE") == []
    assert logs(oms, "STATUS_ID", "TOTAL_RECORD_COUNT", "FAILED_RECORD_COUNT") == [("SERVICE_FINISHED", 1, 0)]


@pytest.mark.parametrize(
    ("before", "delta", "after"),
    [
        ((10, 10), "5", (15, 15)),  # domain.md 3.3 c
        ((10, 10), "-5", (5, 5)),
        ((10, 10), "-1.0", (9, 9)),
        ((3, 1), "-5", (0, -2)),  # no more than lies on the shelf, the same from ATP
        ((3, 3), "-3", (0, 0)),
        ((0, -2), "-5", (0, -2)),
        ((-1, -1), "-5", (-1, -1)),
        ((-1, -1), "5", (4, 4)),
    ],
)
def test_a_variance_moves_both_counts_and_takes_no_more_than_there_is(
    hotwax: StandIn, oms: HotWaxWorld, before: tuple[int, int], delta: str, after: tuple[int, int]
) -> None:
    stock(oms, *before)
    rows = len(oms.ledger())
    variance(hotwax, ("NY", "A", delta))
    imported(hotwax)
    assert oms.totals("NY", "A") == after
    assert len(oms.ledger()) - rows == (before != after), "nothing to apply leaves no record"


def test_what_sold_between_pick_up_and_import_is_overwritten(hotwax: StandIn, oms: HotWaxWorld) -> None:
    """The queue runs late, and HotWax compares at import: the count of the snapshot brings the sold unit back."""
    stock(oms, 10, 10)
    reset(hotwax, ("NY", "A", 10))
    hotwax.pick_up(at(5))
    oms.sell_in_store("NY", "A", 1, at(20))
    assert oms.totals("NY", "A") == (9, 9)
    hotwax.run_queue(at(90))
    assert oms.totals("NY", "A") == (10, 10)
    assert logs(oms, "CREATED_DATE", "START_DATE_TIME") == [(stored(at(5)), stored(at(90)))]


def test_the_morning_of_new_york_and_nashville(hotwax: StandIn, oms: HotWaxWorld) -> None:
    """domain.md 3.3 a."""
    for product, units in (("A", 10), ("B", 10), ("C", 0)):
        for facility in ("NY", "NASH"):
            oms.stock(facility, product, units)
    oms.order("1001", "2026-03-09 08:30", dict.fromkeys(("A", "B", "C"), ("NY", 2)))
    for product in ("A", "B"):
        oms.ship("1001", product, "NY", 2, "2026-03-09 09:00")
    assert oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (0, 0)}
    counts = [(place, product, n) for place in ("NY", "NASH") for product, n in (("A", 10), ("B", 10), ("C", 5))]
    reset(hotwax, *counts)
    imported(hotwax, at(0))
    variance(hotwax, ("NY", "A", "-2.0"), ("NY", "B", "-2.0"))
    imported(hotwax, at(10))
    assert oms.on_hand() == {"A": (8, 10), "B": (8, 10), "C": (5, 5)}
    assert oms.totals_off_the_ledger() == []


# What an import writes ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("deliver", "amount", "reason", "remark"),
    [(reset, 4, "VAR_EXT_RESET", "Retail Pro snapshot"), (variance, -6, "VAR_INTEGR", "because")],
)
def test_a_ledger_row_says_when_why_and_by_which_record(
    hotwax: StandIn, oms: HotWaxWorld, deliver: Any, amount: int, reason: str, remark: str
) -> None:
    stock(oms, 10, 5)
    deliver(hotwax, ("NY", "A", amount))
    imported(hotwax, at(30))
    moved = ("QUANTITY_ON_HAND_DIFF", "AVAILABLE_TO_PROMISE_DIFF", "EFFECTIVE_DATE", "REASON_ENUM_ID", "DESCRIPTION")
    *_, (*row, physical) = rows_of(oms, tables.inventory_item_detail, *moved, "PHYSICAL_INVENTORY_ID")
    assert row == [-6, -6, stored(at(30)), reason, remark]
    record = ("PHYSICAL_INVENTORY_ID", "VARIANCE_REASON_ID", "QUANTITY_ON_HAND_VAR")
    found = rows_of(oms, tables.inventory_item_variance, *record)
    assert found == [(physical, reason, -6)]


def test_nothing_is_written_where_only_the_embedded_oms_writes(hotwax: StandIn, oms: HotWaxWorld) -> None:
    stock(oms, 10, 10)
    reset(hotwax, ("NY", "A", 4), ("NY", "A", "four"))
    variance(hotwax, ("NY", "A", -1))
    imported(hotwax)
    assert oms.ask("SELECT * FROM EXTERNAL_INVENTORY_RESET") == []
    assert oms.ask("SELECT DISTINCT CONTENT_HASH FROM DATA_MANAGER_CONTENT") == [(None,)]
    own = ("LOG_ID", "LINE_NUMBER", "ROW_STATUS", "REQUESTED_VAR", "INVENTORY_ITEM_QOH", "REASON", "CREATED_DATE")
    assert set(rows_of(oms, tables.inventory_item_variance, *own)) == {(None,) * len(own)}


def test_the_products_counts_follow_less_the_safety_stock(hotwax: StandIn, oms: HotWaxWorld) -> None:
    stock(oms, 10, 10)
    oms.do("UPDATE PRODUCT_FACILITY SET MINIMUM_STOCK = 3")
    counts = "SELECT LAST_INVENTORY_COUNT, COMPUTED_LAST_INVENTORY_COUNT FROM PRODUCT_FACILITY"
    for number, (count, expected) in enumerate([(5, (5, 2)), (3, (3, 0)), (2, (2, 0)), (-1, (-1, 0))]):
        reset(hotwax, ("NY", "A", count))
        imported(hotwax, at(number))
        assert oms.ask(counts) == [expected]


def test_a_product_that_was_never_in_a_store_gets_its_item(hotwax: StandIn, oms: HotWaxWorld) -> None:
    reset(hotwax, ("NASH", "B", 3), ("NASH", "C", 0))
    imported(hotwax)
    assert (oms.totals("NASH", "B"), oms.totals("NASH", "C")) == ((3, 3), (0, 0))
    found = oms.ask(
        "SELECT I.PRODUCT_ID, I.INVENTORY_ITEM_TYPE_ID, I.LOCATION_SEQ_ID FROM PRODUCT_FACILITY"
        " JOIN INVENTORY_ITEM I USING (INVENTORY_ITEM_ID) ORDER BY I.PRODUCT_ID"
    )
    assert found == [(product, "NON_SERIAL_INV_ITEM", "TLTLTLLL01") for product in ("B", "C")]


# The folders and the queue --------------------------------------------------------------------------------------------
def test_picked_up_is_not_imported(hotwax: StandIn, oms: HotWaxWorld) -> None:
    stock(oms, 10, 10)
    path = reset(hotwax, ("NY", "A", 4))
    put(path.with_name("next.csv.part"), ["half a"])
    (log_id,) = hotwax.pick_up(at(1))
    assert [file.name for file in sorted(hotwax.reset_folder.iterdir())] == ["archive", "next.csv.part"]
    assert (hotwax.reset_folder / "archive" / NAME).exists()
    assert oms.totals("NY", "A") == (10, 10)
    asked = ("LOG_ID", "CONFIG_ID", "STATUS_ID", "CREATED_DATE", "START_DATE_TIME", "REMOTE_FILE_PATH")
    remote = f"/home/x/hotwax/reset-inventory/{NAME}"
    pending = (log_id, "RESET_INVENTORY", "SERVICE_PENDING", stored(at(1)), None, remote)
    assert logs(oms, *asked) == [pending]
    content = oms.ask(
        "SELECT C.LOG_ID, C.FILE_NAME, C.LOG_CONTENT_TYPE_ENUM_ID FROM DATA_MANAGER_LOG L"
        " JOIN DATA_MANAGER_CONTENT C ON C.LOG_CONTENT_ID = L.UPLOAD_FILE_CONTENT_ID"
    )
    assert content == [(log_id, NAME, "DmcntImported")]
    assert hotwax.pick_up(at(2)) == []


def test_one_queue_takes_resets_before_variances_and_each_in_the_order_of_names(
    hotwax: StandIn, oms: HotWaxWorld
) -> None:
    stock(oms, 10, 10)
    variance(hotwax, ("NY", "A", -1), name="a.csv")
    reset(hotwax, ("NY", "A", 7), name="b2.csv")
    reset(hotwax, ("NY", "A", 6), name="b1.csv")
    hotwax.pick_up(T0)
    reset(hotwax, ("NY", "A", 5), name="a_later.csv")
    hotwax.pick_up(at(1))
    assert hotwax.queued == ["b1.csv", "b2.csv", "a.csv", "a_later.csv"]
    for after in (6, 7, 6, 5):
        assert len(hotwax.run_queue(at(2), limit=1)) == 1
        assert oms.totals("NY", "A") == (after, after)
    assert hotwax.run_queue(at(3)) == []


def test_imports_follow_each_other_and_last_as_long_as_they_are_said_to(hotwax: StandIn, oms: HotWaxWorld) -> None:
    hotwax.lasting, hotwax.pause = timedelta(seconds=10), timedelta(seconds=5)
    reset(hotwax, ("NY", "A", 1), ("NY", "B", 1), name="a.csv")
    reset(hotwax, ("NY", "C", 1), name="b.csv")
    imported(hotwax, T0)
    times = [tuple(stored(T0 + timedelta(seconds=second)) for second in pair) for pair in ((0, 10), (15, 25))]
    assert logs(oms, "START_DATE_TIME", "FINISH_DATE_TIME") == times
    moments = oms.ask("SELECT EFFECTIVE_DATE FROM INVENTORY_ITEM_DETAIL ORDER BY 1")
    assert moments == [(stored(T0 + timedelta(seconds=second)),) for second in (0, 5, 15)]


def test_a_long_import_meets_what_happens_in_its_middle(hotwax: StandIn, oms: HotWaxWorld) -> None:
    for product in ("A", "B"):
        stock(oms, 10, 10, product=product)
    reset(hotwax, ("NY", "A", 10), ("NY", "B", 10))
    seen = []

    def sell_both(row: int) -> None:
        seen.extend(logs(oms, "STATUS_ID"))
        if row == 1:
            for product in ("A", "B"):
                oms.sell_in_store("NY", product, 1, at(1))

    hotwax.between_rows = sell_both
    imported(hotwax, at(1))
    assert (oms.totals("NY", "A"), oms.totals("NY", "B")) == ((9, 9), (10, 10))
    assert seen == [("SERVICE_RUNNING",)] * 2


def test_it_has_no_memory_of_file_names(hotwax: StandIn, oms: HotWaxWorld) -> None:
    stock(oms, 10, 10)
    for turn in (1, 2):
        variance(hotwax, ("NY", "A", -2))
        imported(hotwax, at(turn))
    assert oms.totals("NY", "A") == (6, 6)
    assert logs(oms, "STATUS_ID") == [("SERVICE_FINISHED",)] * 2


def test_a_person_imports_an_old_file_again_by_hand(hotwax: StandIn, oms: HotWaxWorld) -> None:
    stock(oms, 10, 10)
    reset(hotwax, ("NY", "A", 8))
    imported(hotwax)
    oms.sell_in_store("NY", "A", 3, at(60))
    again = hotwax.re_import(NAME, at(90))
    assert oms.totals("NY", "A") == (8, 8)
    assert oms.ask("SELECT REMOTE_FILE_PATH, STATUS_ID FROM DATA_MANAGER_LOG WHERE LOG_ID = :log", log=again) == [
        (None, "SERVICE_FINISHED")
    ]
    names = oms.ask("SELECT FILE_NAME FROM DATA_MANAGER_CONTENT")
    assert names == [(NAME,), (NAME,)]


@pytest.mark.parametrize(("rows", "after"), [(0, (10, 10)), (1, (4, 10)), (9, (4, 4))])
def test_a_crash_leaves_what_was_applied(hotwax: StandIn, oms: HotWaxWorld, rows: int, after: tuple[int, int]) -> None:
    for product in ("A", "B"):
        stock(oms, 10, 10, product=product)
    reset(hotwax, ("NY", "A", 4), ("NY", "B", 4))
    hotwax.pick_up(T0)
    hotwax.crash(NAME, rows=rows)
    assert tuple(oms.totals("NY", product)[0] for product in ("A", "B")) == after
    told = logs(oms, "STATUS_ID", "START_DATE_TIME", "FINISH_DATE_TIME", "TOTAL_RECORD_COUNT")
    assert told == [("SERVICE_CRASHED", stored(T0), None, None)]
    assert hotwax.run_queue(at(1)) == []


# Rows and files that fail ---------------------------------------------------------------------------------------------
def test_rows_that_fail_are_counted_and_come_back_with_their_reason(hotwax: StandIn, oms: HotWaxWorld) -> None:
    stock(oms, 10, 10)
    oms.add_second_upca("B", "4006381333948", until=at(-60))
    bad = [("NOWHERE", "A", 1), ("_NA_", "A", 1), ("NY", "999", 1), ("NY", "4006381333948", 1), ("NY", "A", "ten")]
    reset(hotwax, bad[0], ("NY", "A", 4), *bad[1:])
    imported(hotwax, at(5))
    assert oms.totals("NY", "A") == (4, 4)
    assert logs(oms, "STATUS_ID", "TOTAL_RECORD_COUNT", "FAILED_RECORD_COUNT") == [("SERVICE_FINISHED", 6, 5)]
    name = NAME.replace(".csv", "-Error.csv")
    header, *rows = (hotwax.reset_folder / "error" / name).read_text().splitlines()
    assert header == f"{RESET_HEADER},_ERROR_MESSAGE_"
    assert [row.split("snapshot,")[1] for row in rows] == [
        "Facility 'NOWHERE' not found",
        "Facility '_NA_' is a virtual facility",
        "Product not found for UPCA '999'",
        "Product not found for UPCA '4006381333948'",
        "Quantity 'ten' is not a number",
    ]
    content = oms.ask(
        "SELECT C.FILE_NAME, C.LOG_CONTENT_TYPE_ENUM_ID FROM DATA_MANAGER_LOG L"
        " JOIN DATA_MANAGER_CONTENT C ON C.LOG_CONTENT_ID = L.ERROR_RECORD_CONTENT_ID"
    )
    assert content == [(name, "DmcntError")]


@pytest.mark.parametrize("quantity", ["", " ", "NaN", "Infinity", "1,5", "--1"])
def test_what_is_no_quantity_fails(hotwax: StandIn, oms: HotWaxWorld, quantity: str) -> None:
    variance(hotwax, ("NY", "A", f'"{quantity}"'))
    imported(hotwax)
    assert logs(oms, "TOTAL_RECORD_COUNT", "FAILED_RECORD_COUNT") == [(1, 1)]
    assert oms.ledger() == []


@pytest.mark.parametrize("content", [b"", b"facilityId,idValue\nNY,1\n", b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused_whole(hotwax: StandIn, oms: HotWaxWorld, content: bytes) -> None:
    (hotwax.reset_folder / NAME).write_bytes(content)
    imported(hotwax, at(1))
    assert logs(oms, "STATUS_ID", "TOTAL_RECORD_COUNT") == [("SERVICE_FAILED", None)]
    assert (hotwax.reset_folder / "error" / NAME).exists()
    assert list((hotwax.reset_folder / "archive").iterdir()) == []


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("FacilityId,IdType,IdValue,AvailableQty,LocationSeqId", "NY,UPCA,{upca},4,TLTLTLLL01"),  # HotWax's own sample
        ("external_facility_id,id type,ID_VALUE,Available Qty", "101,upca,{upca},4.0"),
        ("facilityId,externalFacilityId,productId,availableQty", ",101,A,4"),
    ],
)
def test_headers_and_id_types_are_read_as_hotwax_reads_them(
    hotwax: StandIn, oms: HotWaxWorld, header: str, row: str
) -> None:
    stock(oms, 10, 10)
    put(hotwax.reset_folder / NAME, [header, row.format(upca=UPCA["A"])])
    imported(hotwax)
    assert oms.totals("NY", "A") == (4, 4)


def test_two_products_with_one_upca_are_never_noticed(hotwax: StandIn, oms: HotWaxWorld) -> None:
    oms.add_second_upca("B", UPCA["A"])
    reset(hotwax, ("NY", "A", 4))
    imported(hotwax)
    assert (oms.totals("NY", "A"), oms.totals("NY", "B")) == ((4, 4), (0, 0))
