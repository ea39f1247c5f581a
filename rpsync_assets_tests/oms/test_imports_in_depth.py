"""Imports: other bases and spellings, several items of a key, failed rows, crashes, twins, and who waits for whom."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE

import pytest
from sqlalchemy import Connection

from rpsync_assets.oms import imports, tables
from rpsync_assets.oms.import_sql import Basis
from rpsync_assets.oms.imports import import_reset
from rpsync_assets.oms.ledger import Verified, verify
from rpsync_assets_tests.oms.books import LONG_AGO, NOW, Books, at, outcomes, reset, reset_csv, vary


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


# The other ways to reset ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("basis", "after"), [("exact_qoh", (4, -1)), ("exact_atp", (9, 4)), ("snapshot", (4, -1))])
def test_exact_imports_give_the_numbers_of_hotwaxs_documentation(
    books: Books, basis: Basis, after: tuple[int, int]
) -> None:
    """domain.md 3.3 b: QOH 10, ATP 5, the file says 4."""
    books.stock("F1", "A", 10, 5)
    import_reset(books.engine, "by_hand.csv", reset_csv(("F1", "111", 4), snapshot=None), NOW, basis=basis)
    assert books.totals("F1", "A") == after
    assert books.ledger_disagreements() == []


def test_an_exact_import_is_of_now_whatever_moved_since_a_snapshot(books: Books) -> None:
    item = books.stock("F1", "A", 10)
    books.move(item, -1, at(30))
    import_reset(books.engine, "by_hand.csv", reset_csv(("F1", "111", 4)), NOW, basis="exact_qoh")
    assert books.totals("F1", "A") == (4, 4)
    assert import_reset(books.engine, "reset_US_20260310_g1_1of1.csv", reset_csv(("F1", "111", 7)), NOW).failed == 0
    assert books.totals("F1", "A") == (4, 4), "the reset of the morning is older than the count by hand"


# Whom a row means -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("facilityId,idType,idValue,availableQty", "F1,UPCA,111,4"),
        ("facilityId,idType,idValue,availableQty", "F1,UPCA,000111,4"),  # a till's zeros
        ("facilityId,idType,idValue,availableQty", "F1,sku,SKU-1,4"),
        ("facilityId,idType,idValue,availableQty", "F1,Shopify Product Id,gid-1,4"),
        ("facilityId,idValue,availableQty", "F1,gid-1,4"),  # the default idType is shopifyProductId
        ("externalFacilityId,idType,idValue,availableQty", "S1,upca,111,4"),
        ("facilityId,externalFacilityId,idType,idValue,availableQty", ",S1,upca,111,4"),
        ("facilityId,productId,quantity", "F1,A,4"),
    ],
)
def test_a_row_names_facility_and_product_in_any_of_hotwaxs_ways(books: Books, header: str, row: str) -> None:
    for kind, value in (("SKU", "SKU-1"), ("SHOPIFY_PROD_ID", "gid-1")):
        one = {"GOOD_IDENTIFICATION_TYPE_ID": kind, "PRODUCT_ID": "A", "FROM_DATE": LONG_AGO, "ID_VALUE": value}
        books.add(tables.good_identification, one)
    done = import_reset(books.engine, "by_hand.csv", f"{header}\n{row}\n".encode(), NOW)
    assert (done.total, done.failed, books.totals("F1", "A")) == (1, 0, (4, 4))


def test_two_products_whose_upcas_are_one_number_are_not_guessed(books: Books) -> None:
    books.upca("B", "0111", since=at(-600))
    done = reset(books, ("F1", "111", 4), ("F1", "0111", 4))
    assert done.failed == 2


def test_an_external_name_is_never_taken_for_an_internal_one(books: Books) -> None:
    books.add(tables.facility, {"FACILITY_ID": "F3", "FACILITY_TYPE_ID": "RETAIL_STORE", "EXTERNAL_ID": "F1"})
    content = b"externalFacilityId,idType,idValue,availableQty\nF1,UPCA,111,4\n"
    import_reset(books.engine, "by_hand.csv", content, NOW)
    assert (books.totals("F1", "A"), books.totals("F3", "A")) == (None, (4, 4))


def test_a_facility_whose_type_descends_from_the_virtual_one_takes_no_stock(books: Books) -> None:
    books.add(tables.facility_type, {"FACILITY_TYPE_ID": "MY_QUEUE", "PARENT_TYPE_ID": "NA"})
    books.add(tables.facility, {"FACILITY_ID": "Q", "FACILITY_TYPE_ID": "MY_QUEUE", "EXTERNAL_ID": None})
    assert reset(books, ("Q", "111", 4)).failed == 1


def test_of_two_rows_of_a_key_the_first_good_one_counts(books: Books) -> None:
    done = reset(books, ("F1", "111", "many"), ("F1", "111", 4), ("S1", "111", 5))
    assert [status for status, *_ in outcomes(books, done.log_id)] == ["failed", "applied", "failed"]
    assert books.totals("F1", "A") == (4, 4)


def test_a_key_with_several_items_is_counted_as_a_whole_and_written_to_the_one_that_hotwax_names(books: Books) -> None:
    main = books.stock("F1", "A", 6)
    other = {"INVENTORY_ITEM_ID": "AAA", "PRODUCT_ID": "A", "FACILITY_ID": "F1"}
    books.add(tables.inventory_item, {**other, "QUANTITY_ON_HAND_TOTAL": 0, "AVAILABLE_TO_PROMISE_TOTAL": 0})
    books.move("AAA", 3, at(-600), REASON_ENUM_ID="OPENING")
    books.move("AAA", -1, at(30))
    reset(books, ("F1", "111", 10))
    found = dict(books.ask("SELECT INVENTORY_ITEM_ID, QUANTITY_ON_HAND_TOTAL FROM INVENTORY_ITEM"))
    assert found == {"AAA": 2, main: 7}, "F 10, one sold since: 9 in all, 2 of them on the other item"
    assert books.ask("SELECT LAST_INVENTORY_COUNT FROM PRODUCT_FACILITY") == [(9,)]
    vary(books, ("F1", "111", -9))
    assert books.ask("SELECT SUM(QUANTITY_ON_HAND_TOTAL) FROM INVENTORY_ITEM") == [(0,)]
    with books.engine.connect() as connection:
        assert verify(connection).disagreements == []


# The ledger -----------------------------------------------------------------------------------------------------------
def test_verify_names_every_total_that_is_not_what_the_ledger_sums_to(books: Books) -> None:
    item = books.stock("F1", "A", 6, MINIMUM_STOCK=2)
    reset(books, ("F1", "111", 10))
    with books.engine.connect() as connection:
        assert verify(connection) == Verified(items=1, ledger_rows=2, disagreements=[])
    with books.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE INVENTORY_ITEM SET QUANTITY_ON_HAND_TOTAL = 11")
        connection.exec_driver_sql("UPDATE PRODUCT_FACILITY SET COMPUTED_LAST_INVENTORY_COUNT = 10")
        connection.exec_driver_sql(
            "INSERT INTO INVENTORY_ITEM_DETAIL (INVENTORY_ITEM_ID, INVENTORY_ITEM_DETAIL_SEQ_ID,"
            " QUANTITY_ON_HAND_DIFF) VALUES ('LOST', '1', 5)"
        )
    with books.engine.connect() as connection:
        found = verify(connection).disagreements
    assert [(one.table, one.key, one.column, one.stands, one.ledger) for one in found] == [
        ("INVENTORY_ITEM", item, "QUANTITY_ON_HAND_TOTAL", 11, 10),
        ("INVENTORY_ITEM_DETAIL", "LOST", "no such INVENTORY_ITEM", None, 5),
        ("PRODUCT_FACILITY", "F1 A", "COMPUTED_LAST_INVENTORY_COUNT", 10, 8),
    ]


# Failed rows ----------------------------------------------------------------------------------------------------------
def test_failed_rows_lie_beside_the_file_as_they_came_with_the_reason(books: Books, tmp_path: Path) -> None:
    content = (
        b'facility_id,ID Type,idValue,availableQty,note\nF9,UPCA,"1,1",4,"a ""b"""\nF1,UPCA,111,4,x\nF1,UPCA,222,?,\n'
    )
    done = import_reset(books.engine, "reset_US_20260310_g1_1of1.csv", content, NOW, errors=tmp_path / "error")
    path = tmp_path / "error" / "reset_US_20260310_g1_1of1-Error.csv"
    assert path.read_text() == (
        "facility_id,ID Type,idValue,availableQty,note,error\n"
        'F9,UPCA,"1,1",4,"a ""b""",unknown facility\n'
        "F1,UPCA,222,?,,the quantity is not a whole number\n"
    )
    found = books.ask(
        "SELECT C.FILE_NAME, C.CONTENT_LOCATION, C.LOG_CONTENT_TYPE_ENUM_ID, L.TOTAL_RECORD_COUNT,"
        " L.FAILED_RECORD_COUNT FROM DATA_MANAGER_LOG L"
        " JOIN DATA_MANAGER_CONTENT C ON C.LOG_CONTENT_ID = L.ERROR_RECORD_CONTENT_ID"
        " WHERE L.LOG_ID = :log",
        log=done.log_id,
    )
    assert found == [(path.name, str(path), "DmcntError", 3, 2)]


def test_only_the_failed_rows_mended_and_uploaded_again_are_still_of_their_own_count(
    books: Books, tmp_path: Path
) -> None:
    name = "reset_US_20260310_g2_1of1.csv"
    item = books.stock("F2", "B", 5)
    books.move(item, -1, at(30))
    import_reset(books.engine, name, reset_csv(("F1", "111", 4), ("F9", "222", 8)), NOW, errors=tmp_path)
    mended = (tmp_path / "reset_US_20260310_g2_1of1-Error.csv").read_bytes().replace(b"F9", b"F2")
    done = import_reset(books.engine, "reset_US_20260310_g2_1of1-Error.csv", mended, NOW)
    assert (done.total, done.failed, books.totals("F2", "B")) == (1, 0, (7, 7))
    assert vary(books, ("F2", "222", -2), name="variance_US_20260310_g2.csv") == [("applied", -2, -2)]
    assert books.totals("F2", "B") == (5, 5)


# Once, whatever happens -----------------------------------------------------------------------------------------------
def test_the_same_name_with_other_content_is_another_file_and_only_newer_counts_of_it_apply(books: Books) -> None:
    first = reset(books, ("F1", "111", 4))
    again = reset(books, ("F1", "111", 5), ("F1", "222", 6))
    assert (again.already, again.log_id != first.log_id) == (False, True)
    assert [status for status, *_ in outcomes(books, again.log_id)] == ["superseded", "applied"]
    assert books.totals("F1", "A") == (4, 4)


@pytest.mark.parametrize("dies_at", range(1, 9))
def test_an_import_that_dies_anywhere_is_taken_up_and_every_row_applied_once(
    books: Books, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """Batches of two lines; the process dies at the n-th transaction of the import, then the file is polled again."""
    monkeypatch.setattr(imports, "BATCH", 2)
    rows = [("F1", "111", 4), ("F9", "111", 1), ("F1", "222", 5), ("F2", "111", 6), ("F2", "222", 7)]
    books.stock("F1", "A", 9)
    begun = 0

    @contextmanager
    def dying(connection: Connection) -> Iterator[None]:
        nonlocal begun
        begun += 1
        if begun == dies_at:
            raise KeyboardInterrupt
        connection.execution_options(writes=True)
        with connection.begin():
            yield

    with monkeypatch.context() as mortal:
        mortal.setattr(imports, "_writing", dying)
        with suppress(KeyboardInterrupt):
            reset(books, *rows)
    done = reset(books, *rows)
    assert (done.total, done.failed, done.already) == (5, 1, dies_at > 5)
    assert [books.totals(*key) for key in (("F1", "A"), ("F1", "B"), ("F2", "A"), ("F2", "B"))] == [
        (4, 4), (5, 5), (6, 6), (7, 7)
    ]  # fmt: skip
    assert books.ask("SELECT COUNT(*) FROM DATA_MANAGER_LOG") == [(1,)]
    assert books.ask("SELECT COUNT(*) FROM EXTERNAL_INVENTORY_RESET") == [(5,)]
    assert books.ask("SELECT COUNT(*) FROM INVENTORY_ITEM_DETAIL WHERE REASON_ENUM_ID = 'VAR_EXT_RESET'") == [(4,)]
    assert books.ledger_disagreements() == []


_IN_ANOTHER_PROCESS = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from rpsync_assets.oms.imports import import_reset
from rpsync_assets.resources.databases import open_engine
engine = open_engine(f"sqlite:///{sys.argv[1]}")
print("ready", flush=True)
sys.stdin.readline()
done = import_reset(engine, sys.argv[2], Path(sys.argv[3]).read_bytes(), datetime(2026, 3, 10, 9, tzinfo=UTC))
print("already" if done.already else "applied", done.total, done.failed)
"""


def test_of_two_imports_of_one_file_at_the_same_time_one_applies_and_one_says_it_was_applied(
    books: Books, tmp_path: Path
) -> None:
    books.stock("F1", "A", 9)
    name, path = "reset_US_20260310_g1_1of1.csv", tmp_path / "file.csv"
    path.write_bytes(reset_csv(("F1", "111", 4), ("F2", "111", 6)))
    command = [sys.executable, "-c", _IN_ANOTHER_PROCESS, str(books.engine.url.database), name, str(path)]
    both = [subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) for _ in range(2)]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    assert sorted(one.communicate(timeout=60)[0] for one in both) == ["already 2 0\n", "applied 2 0\n"]
    assert (books.totals("F1", "A"), books.totals("F2", "A")) == ((4, 4), (6, 6))
    assert books.ask("SELECT COUNT(*) FROM DATA_MANAGER_LOG") == [(1,)]


def test_a_writer_gets_in_between_the_batches_of_a_long_import(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sale at a till must not wait for the whole file; here every batch is a hundred lines."""
    monkeypatch.setattr(imports, "BATCH", 100)
    for number in range(400):
        books.product(f"P{number}", f"9{number:06d}")
    content = reset_csv(*(("F1", f"9{number:06d}", 5) for number in range(400)))
    seen: list[int] = []

    def sell() -> None:
        while not seen or seen[-1] < 400:
            with books.engine.execution_options(writes=True).begin() as connection:
                seen.append(
                    int(connection.exec_driver_sql("SELECT COUNT(*) FROM EXTERNAL_INVENTORY_RESET").scalar_one())
                )

    with ThreadPoolExecutor(1) as till:
        selling = till.submit(sell)
        import_reset(books.engine, "reset_US_20260310_g1_1of1.csv", content, NOW)
        selling.result(timeout=30)
    # After which of them is the machine's to say; a busy one lets the import go twice in a row.
    assert set(seen) & {100, 200, 300}, "the writer came in while the import was under way"
    assert seen[-1] == 400


@pytest.mark.parametrize(("minutes", "status"), [(14, "applied"), (16, "failed")])
def test_a_count_of_a_moment_that_has_not_come_is_refused(books: Books, minutes: int, status: str) -> None:
    """A store's wrong time zone: accepted, it would swallow every sale and every true count until that moment."""
    books.stock("F1", "A", 9)
    done = reset(books, ("F1", "111", 4), snapshot=NOW + timedelta(minutes=minutes))
    assert [said for said, *_ in outcomes(books, done.log_id)] == [status]
    assert done.failed == (status == "failed")


def test_a_count_of_none_for_a_new_key_is_known_to_be_none(books: Books) -> None:
    """Shopify is told 0, not left alone as with a key that the OMS never had."""
    reset(books, ("F1", "111", 0))
    found = books.ask("SELECT FACILITY_ID, PRODUCT_ID, COMPUTED_LAST_INVENTORY_COUNT FROM PRODUCT_FACILITY")
    assert found == [("F1", "A", 0)]


def test_verify_knows_counts_that_no_ledger_ever_had(books: Books) -> None:
    books.add(
        tables.product_facility,
        {"PRODUCT_ID": "A", "FACILITY_ID": "F1", "LAST_INVENTORY_COUNT": 7, "COMPUTED_LAST_INVENTORY_COUNT": 7},
    )
    with books.engine.begin() as connection:
        found = verify(connection).disagreements
    assert {(one.table, one.column, one.stands, one.ledger) for one in found} == {
        ("PRODUCT_FACILITY", "LAST_INVENTORY_COUNT", 7, 0),
        ("PRODUCT_FACILITY", "COMPUTED_LAST_INVENTORY_COUNT", 7, 0),
    }
