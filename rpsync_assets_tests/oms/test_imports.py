"""Imports into the embedded OMS: every row with an outcome, one difference on both totals, exactly once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsync_assets.core.errors import BadFileError
from rpsync_assets.oms import tables
from rpsync_assets.oms.imports import Imported, import_reset, import_variance
from rpsync_assets.oms.inbox import Inbox
from rpsync_assets_tests.oms.books import (
    NOW,
    RESET,
    VARIANCE,
    Books,
    at,
    outcomes,
    reset,
    reset_csv,
    variance_csv,
    vary,
)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


# The reset ------------------------------------------------------------------------------------------------------------
def test_a_reset_moves_both_totals_by_one_difference_and_leaves_reservations_alone(books: Books) -> None:
    """HotWax's example of the exact QOH: 10/5 and a file that says 4 give 4/-1."""
    books.stock("F1", "A", 10, 5)
    done = reset(books, ("F1", "111", 4))
    assert (done.total, done.failed, done.already) == (1, 0, False)
    assert books.totals("F1", "A") == (4, -1)
    assert outcomes(books, done.log_id) == [("applied", 10, -6)]
    assert books.ledger_disagreements() == []


def test_a_reset_to_what_is_there_writes_nothing_to_the_ledger(books: Books) -> None:
    books.stock("F1", "A", 10, 7)
    before = books.ask("SELECT COUNT(*) FROM INVENTORY_ITEM_DETAIL")
    done = reset(books, ("F1", "111", "10.0"))
    assert outcomes(books, done.log_id) == [("unchanged", 10, 0)]
    assert books.ask("SELECT COUNT(*) FROM INVENTORY_ITEM_DETAIL") == before


@pytest.mark.parametrize(("minutes", "left"), [(1, 9), (0, 10), (-1, 10)])
def test_a_sale_after_the_snapshot_survives_and_one_before_it_is_in_the_count(
    books: Books, minutes: int, left: int
) -> None:
    """Sold at the till while the file was on its way: the boundary itself belongs to the count."""
    item = books.stock("F1", "A", 12)
    books.move(item, -1, at(minutes))
    reset(books, ("F1", "111", 10))
    assert books.totals("F1", "A") == (left, left)


@pytest.mark.parametrize(
    ("columns", "survives"),
    [
        ({"REASON_ENUM_ID": "POS_SALE"}, True),
        ({"ITEM_ISSUANCE_ID": "I1", "ORDER_ID": "O1"}, True),
        ({"RECEIPT_ID": "R1"}, True),
        ({"RETURN_ID": "R1"}, True),
        ({"REASON_ENUM_ID": "VAR_INTEGR"}, False),
        ({"REASON_ENUM_ID": "VAR_EXT_RESET"}, False),
        ({"REASON_ENUM_ID": "VAR_MANUAL"}, False),
        ({"REASON_ENUM_ID": "VAR_LOST", "PHYSICAL_INVENTORY_ID": "CYCLE1"}, False),
        ({"ORDER_ID": "O1"}, False),  # a reservation
    ],
)
def test_only_goods_that_really_came_or_went_survive_a_reset(
    books: Books, columns: dict[str, str], survives: bool
) -> None:
    """Cycle counts and corrections change what we believe, not what the shelf holds."""
    item = books.stock("F1", "A", 12)
    books.move(item, -2, at(30), **columns)
    reset(books, ("F1", "111", 10))
    assert books.totals("F1", "A") == ((8, 8) if survives else (10, 10))


def test_a_key_the_oms_never_had_gets_an_item_and_its_facility_row(books: Books) -> None:
    done = reset(books, ("F1", "111", 4))
    assert outcomes(books, done.log_id) == [("applied", 0, 4)]
    assert books.totals("F1", "A") == (4, 4)
    linked = books.ask(
        "SELECT PF.LAST_INVENTORY_COUNT, PF.COMPUTED_LAST_INVENTORY_COUNT, II.LOCATION_SEQ_ID"
        " FROM PRODUCT_FACILITY PF JOIN INVENTORY_ITEM II ON II.INVENTORY_ITEM_ID = PF.INVENTORY_ITEM_ID"
    )
    assert linked == [(4, 4, "TLTLTLLL01")]
    assert books.ledger_disagreements() == []


@pytest.mark.parametrize(("count", "computed"), [(9, 4), (5, 0), (2, 0), (-3, 0)])
def test_what_is_left_after_safety_stock_follows_with_its_floor(books: Books, count: int, computed: int) -> None:
    books.stock("F1", "A", 0, MINIMUM_STOCK=5)
    reset(books, ("F1", "111", count or 0))
    found = books.ask("SELECT LAST_INVENTORY_COUNT, COMPUTED_LAST_INVENTORY_COUNT FROM PRODUCT_FACILITY")
    assert found == [(count, computed)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("F9", "111", 4), "unknown facility"),
        (("", "111", 4), "unknown facility"),
        (("_NA_", "111", 4), "virtual facility"),
        (("F1", "999", 4), "no product has this identification now"),
        (("F1", "111", "0.5"), "the quantity is not a whole number"),
        (("F1", "111", ""), "the quantity is not a whole number"),
        (("F1", "111", "many"), "the quantity is not a whole number"),
    ],
)
def test_a_row_that_cannot_be_applied_fails_with_a_reason_and_the_others_go_on(
    books: Books, row: tuple[str, str, object], reason: str
) -> None:
    done = reset(books, row, ("F2", "222", 7))
    assert (done.total, done.failed) == (2, 1)
    with books.reader() as reader:
        rows = reader.reset_rows(done.log_id)
    assert rows.select("line_number", "facility_id", "upca", "status", "reason").rows() == [
        (2, row[0], row[1], "failed", reason),
        (3, "F2", "222", "applied", None),
    ]
    assert books.totals("F2", "B") == (7, 7)


def test_a_upca_of_two_products_or_of_the_past_is_not_guessed(books: Books) -> None:
    """HotWax takes the first match in silence."""
    books.upca("B", "111", since=at(-600))
    books.product("D", None)
    books.upca("D", "444", until=at(-60))
    books.product("E", None)
    books.upca("E", "555", since=at(60 * 24))
    done = reset(books, ("F1", "111", 4), ("F1", "444", 4), ("F1", "555", 4))
    with books.reader() as reader:
        reasons = reader.reset_rows(done.log_id)["reason"].to_list()
    assert reasons == ["several products have this identification now", *["no product has this identification now"] * 2]


def test_a_facility_is_found_by_its_own_id_first_then_by_an_external_id_that_is_only_its_own(books: Books) -> None:
    for facility, external in (("F3", "F1"), ("F4", "TWICE"), ("F5", "TWICE"), ("F6", "")):
        row = {"FACILITY_ID": facility, "FACILITY_TYPE_ID": "RETAIL_STORE", "EXTERNAL_ID": external}
        books.add(tables.facility, row)
    done = reset(books, ("S2", "111", 1), ("F1", "111", 2), ("TWICE", "111", 3), ("", "111", 4))
    assert [status for status, *_ in outcomes(books, done.log_id)] == ["applied", "applied", "failed", "failed"]
    assert (books.totals("F2", "A"), books.totals("F1", "A"), books.totals("F3", "A")) == ((1, 1), (2, 2), None)
    assert books.totals("F6", "A") is None


def test_an_oms_without_external_ids_or_upcas_fails_rows_and_not_the_import(tmp_path: Path) -> None:
    """A column without any value was of no type, and the join broke the whole inbox."""
    bare = Books(tmp_path)
    with bare.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE FACILITY SET EXTERNAL_ID = NULL")
        connection.exec_driver_sql("DELETE FROM GOOD_IDENTIFICATION")
    done = reset(bare, ("F1", "111", 4))
    assert (done.total, done.failed) == (1, 1)


def test_the_second_row_of_a_key_fails(books: Books) -> None:
    done = reset(books, ("F1", "111", 4), ("S1", "111", 5))
    assert [status for status, *_ in outcomes(books, done.log_id)] == ["applied", "failed"]
    assert books.totals("F1", "A") == (4, 4)


# Once, and in order ---------------------------------------------------------------------------------------------------
def test_the_same_file_twice_changes_nothing(books: Books) -> None:
    item = books.stock("F1", "A", 12)
    first = reset(books, ("F1", "111", 10))
    books.move(item, -3, at(300), REASON_ENUM_ID="VAR_MANUAL")
    again = reset(books, ("F1", "111", 10))
    assert again == Imported(first.log_id, 1, 0, already=True)
    assert books.totals("F1", "A") == (7, 7)


@pytest.mark.parametrize(
    ("minutes", "generation", "status", "left"),
    [
        (0, 1, "superseded", 10),  # the same counts again
        (0, 2, "applied", 4),  # repaired and sent again
        (60, 1, "applied", 4),
        (60, 2, "applied", 4),
        (-60, 2, "superseded", 10),  # yesterday's file arrives late
    ],
)
def test_a_reset_row_is_accepted_only_over_older_counts(
    books: Books, minutes: int, generation: int, status: str, left: int
) -> None:
    reset(books, ("F1", "111", 10))
    name = f"reset_US_20260310_g{generation}_1of2.csv"
    done = reset(books, ("F1", "111", 4), name=name, snapshot=at(minutes))
    assert [row[0] for row in outcomes(books, done.log_id)] == [status]
    assert done.failed == 0
    assert books.totals("F1", "A") == (left, left)


def test_a_failed_row_leaves_the_key_open_for_the_older_file(books: Books) -> None:
    reset(books, ("F1", "111", "x"), snapshot=at(60))
    done = reset(books, ("F1", "111", 4), name="reset_US_20260310_g2_1of1.csv")
    assert [row[0] for row in outcomes(books, done.log_id)] == ["applied"]


def test_a_reset_by_hand_counts_as_taken_now(books: Books) -> None:
    item = books.stock("F1", "A", 12)
    books.move(item, -1, at(30))
    reset(books, ("F1", "111", 10), name="counted by hand.csv", snapshot=None)
    assert books.totals("F1", "A") == (10, 10)


# The variance ---------------------------------------------------------------------------------------------------------
def test_a_variance_takes_units_out_of_both_totals(books: Books) -> None:
    """New York and Nashville: Retail Pro says 10, two are shipped, 8/10 becomes 10/12 and 8/10 again."""
    books.stock("F1", "A", 8, 10)
    reset(books, ("F1", "111", 10))
    assert books.totals("F1", "A") == (10, 12)
    assert vary(books, ("F1", "111", "-2.0")) == [("applied", -2, -2)]
    assert books.totals("F1", "A") == (8, 10)
    assert books.ledger_disagreements() == []


@pytest.mark.parametrize(
    "name",
    [
        VARIANCE,
        "variance_US_20260311_g1.csv",  # of another day
        "variance_US_20260310_g2.csv",  # of another generation
        "variance_SV_20260310_g1.csv",  # of another store
        "by hand.csv",
    ],
)
def test_a_variance_without_its_reset_is_refused_whole(books: Books, name: str) -> None:
    books.stock("F1", "A", 10)
    if name != VARIANCE:
        reset(books, ("F1", "111", 10))
    with pytest.raises(BadFileError, match="came without its reset"):
        import_variance(books.engine, name, variance_csv(("F1", "111", -2)), NOW)
    assert books.totals("F1", "A") == (10, 10)


def test_a_variance_cannot_take_more_than_there_is(books: Books) -> None:
    books.stock("F1", "A", 1, 0)
    books.stock("F1", "B", -4)
    reset(books, ("F1", "111", 1), ("F1", "222", -4), ("F1", "333", 0))
    rows = vary(books, ("F1", "111", -2), ("F1", "222", -1), ("F1", "333", -1))
    assert rows == [("clamped", -2, -1), ("clamped", -1, 0), ("clamped", -1, 0)]
    assert [books.totals("F1", product) for product in "ABC"] == [(0, -1), (-4, -4), (0, 0)]
    assert books.ledger_disagreements() == []


def test_a_variance_of_all_that_there_is_is_applied_whole(books: Books) -> None:
    reset(books, ("F1", "111", 2))
    assert vary(books, ("F1", "111", -2)) == [("applied", -2, -2)]
    assert books.totals("F1", "A") == (0, 0)


def test_a_variance_that_was_cut_at_zero_was_one_and_a_second_is_void(books: Books) -> None:
    """Goods came in after it: what it could not take then is not taken from them."""
    item = books.stock("F1", "A", 1)
    reset(books, ("F1", "111", 1))
    assert vary(books, ("F1", "111", -2)) == [("clamped", -2, -1)]
    books.move(item, 5, at(120))
    reset(books, ("F1", "222", 10), name="reset_US_20260310_g2_1of1.csv", snapshot=at(60))
    assert vary(books, ("F1", "111", -2), name="variance_US_20260310_g2.csv") == [("void", -2, 0)]
    assert books.totals("F1", "A") == (5, 5)


def test_a_variance_of_a_key_that_a_newer_reset_has_counted_is_void(books: Books) -> None:
    reset(books, ("F1", "111", 10), ("F1", "222", 10))
    reset(books, ("F1", "111", 9), name="reset_US_20260311_g1_1of1.csv", snapshot=at(60))
    assert vary(books, ("F1", "111", -2), ("F1", "222", -2)) == [("void", -2, 0), ("applied", -2, -2)]
    assert (books.totals("F1", "A"), books.totals("F1", "B")) == ((9, 9), (8, 8))


def test_a_variance_twice_takes_once(books: Books) -> None:
    reset(books, ("F1", "111", 10))
    vary(books, ("F1", "111", -2))
    again = import_variance(books.engine, VARIANCE, variance_csv(("F1", "111", -2)), NOW)
    assert again.already
    assert books.totals("F1", "A") == (8, 8)


def test_a_second_variance_of_one_reset_row_is_void_whatever_its_file_is_called(books: Books) -> None:
    """A corrected file of the day brought a second variance; the key of the first file only had had its own."""
    reset(books, ("F1", "111", 10))
    vary(books, ("F1", "111", -2))
    reset(books, ("F1", "222", 10), name="reset_US_20260310_g2_1of1.csv", snapshot=at(60))
    second = "variance_US_20260310_g2.csv"
    assert vary(books, ("F1", "111", -2), ("F1", "222", -1), name=second) == [("void", -2, 0), ("applied", -1, -1)]
    assert (books.totals("F1", "A"), books.totals("F1", "B")) == ((8, 8), (9, 9))


def test_a_variance_for_a_key_outside_the_reset_fails(books: Books) -> None:
    books.stock("F2", "A", 10)
    reset(books, ("F1", "111", 10), ("F1", "222", "x"))
    rows = vary(books, ("F2", "111", -2), ("F1", "222", -1), ("F1", "111", -1))
    assert [status for status, *_ in rows] == ["failed", "failed", "applied"]
    assert books.totals("F2", "A") == (10, 10)


def test_a_variance_settles_the_day_of_its_generation_and_the_ones_before_it(books: Books) -> None:
    reset(books, ("F1", "111", 10))
    reset(books, ("F1", "222", 10), name="reset_US_20260310_g2_1of1.csv", snapshot=at(60))
    rows = vary(books, ("F1", "111", -1), ("F1", "222", -1), name="variance_US_20260310_g2.csv")
    assert [status for status, *_ in rows] == ["applied", "applied"]


# Files that are no files ----------------------------------------------------------------------------------------------
GARBAGE = [
    b"",
    b"\x00\xff\xfe\x01",
    b"<html>busy</html>\n",
    b"facilityId,idType\nF1,UPCA\n",
    b"facilityId,facility_id,idType,idValue,availableQty,availableDelta\nF1,F1,UPCA,111,5,5\n",
    b"facilityId,idType,idValue,availableQty,availableDelta\nF1,UPCA,111,5,5,6,7\n",
]


@pytest.mark.parametrize("content", GARBAGE)
def test_garbage_is_refused_whole(books: Books, content: bytes) -> None:
    with pytest.raises(BadFileError):
        import_reset(books.engine, RESET, content, NOW)
    assert books.ask("SELECT COUNT(*) FROM DATA_MANAGER_LOG") == [(0,)]


def test_headers_and_id_types_are_read_whatever_their_case_spaces_and_underscores(books: Books) -> None:
    content = b"Facility_Id,Id Type,IDVALUE,AvailableQty,LocationSeqId\nF1,upc_a,111,5,X\nF1,sku,222,5,X\n"
    done = import_reset(books.engine, RESET, content, NOW)
    assert [status for status, *_ in outcomes(books, done.log_id)] == ["applied", "failed"]


def test_a_file_without_rows_is_finished_with_nothing(books: Books) -> None:
    assert reset(books) == Imported("10000", 0, 0)


# The inbox ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def inbox(books: Books, tmp_path: Path) -> Inbox:
    folders = tmp_path / "reset-inventory", tmp_path / "inventory-variance"
    for folder in folders:
        folder.mkdir()
    return Inbox(books.engine, *folders)


def lying(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_the_inbox_takes_resets_before_variances_and_puts_them_away(books: Books, inbox: Inbox) -> None:
    (inbox.inventory_variance / VARIANCE).write_bytes(variance_csv(("F1", "111", -2)))
    (inbox.reset_inventory / RESET).write_bytes(reset_csv(("F1", "111", 10)))
    (inbox.reset_inventory / "reset_US_20260310_g2_1of1.csv.part").write_bytes(b"half")
    inbox.poll(NOW)
    assert books.totals("F1", "A") == (8, 8)
    assert lying(inbox.reset_inventory) == [f"archive/{RESET}", "reset_US_20260310_g2_1of1.csv.part"]
    assert lying(inbox.inventory_variance) == [f"archive/{VARIANCE}"]


def test_stores_that_run_at_the_same_time_do_not_take_each_others_files(books: Books, inbox: Inbox) -> None:
    """Every run polls the whole inbox: one found a file gone that another had just put away."""
    for generation in range(1, 13):
        content = reset_csv(("F1", "111", generation), snapshot=at(generation))
        (inbox.reset_inventory / f"reset_US_20260310_g{generation}_1of1.csv").write_bytes(content)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(inbox.poll, NOW) for _ in range(4)]:
            done.result()
    assert len(lying(inbox.reset_inventory)) == 12
    assert all(file.startswith("archive/") for file in lying(inbox.reset_inventory))
    assert books.totals("F1", "A") == (12, 12)
    assert books.ledger_disagreements() == []


@pytest.mark.parametrize("content", GARBAGE)
def test_a_file_that_cannot_be_read_goes_to_error_and_the_next_is_taken(
    books: Books, inbox: Inbox, content: bytes
) -> None:
    (inbox.reset_inventory / "a.csv").write_bytes(content)
    (inbox.reset_inventory / RESET).write_bytes(reset_csv(("F1", "111", 10)))
    inbox.poll(NOW)
    assert lying(inbox.reset_inventory) == [f"archive/{RESET}", "error/a.csv"]
    with books.reader() as reader:
        failed, finished = reader.import_logs("a.csv")[0], reader.import_logs(RESET)[0]
    assert failed is not None
    assert finished is not None
    assert (failed.status, finished.status) == ("SERVICE_FAILED", "SERVICE_FINISHED")


def test_a_variance_without_its_reset_goes_to_error_and_may_come_again_after_it(books: Books, inbox: Inbox) -> None:
    content = variance_csv(("F1", "111", -2))
    (inbox.inventory_variance / VARIANCE).write_bytes(content)
    inbox.poll(NOW)
    assert lying(inbox.inventory_variance) == [f"error/{VARIANCE}"]
    (inbox.reset_inventory / RESET).write_bytes(reset_csv(("F1", "111", 10)))
    (inbox.inventory_variance / VARIANCE).write_bytes(content)
    inbox.poll(NOW)
    assert books.totals("F1", "A") == (8, 8)
    with books.reader() as reader:
        assert reader.import_logs(VARIANCE)[0].status == "SERVICE_FINISHED"


def test_a_file_with_a_strange_date_in_its_name_is_imported_as_a_persons_file(books: Books, inbox: Inbox) -> None:
    """A name that looked like ours and held no date stopped the whole inbox."""
    (inbox.reset_inventory / "reset_US_20261399_g1_1of1.csv").write_bytes(reset_csv(("F1", "111", 10)))
    inbox.poll(NOW)
    assert books.totals("F1", "A") == (10, 10)


# Any sequence ---------------------------------------------------------------------------------------------------------
KEY = st.sampled_from([("F1", "111"), ("F1", "222"), ("F2", "111")])
COUNTS = st.dictionaries(KEY, st.integers(-3, 12), min_size=1, max_size=3)
STEP = st.one_of(
    st.tuples(st.just("reset"), st.integers(-4, 4), COUNTS),
    st.tuples(st.just("variance"), st.integers(-4, 4), st.dictionaries(KEY, st.integers(-6, -1), min_size=1)),
    st.tuples(st.just("sale"), st.integers(-4, 4), st.dictionaries(KEY, st.integers(-3, 2), min_size=1, max_size=1)),
)
Key = tuple[str, str]


class Model:
    """The rules of design.md section 5, in plain Python: counts, sales, and which reset a key stands on."""

    def __init__(self) -> None:
        self.on_hand: dict[Key, int] = {}
        self.sales: list[tuple[Key, int, int]] = []
        self.stands_on: dict[Key, tuple[int, int]] = {}
        self.accepted: set[tuple[int, Key]] = set()
        self.varied: set[tuple[int, Key]] = set()

    def sale(self, hours: int, key: Key, units: int) -> None:
        self.on_hand[key] += units
        self.sales.append((key, hours, units))

    def reset(self, number: int, hours: int, key: Key, count: int) -> None:
        self.on_hand.setdefault(key, 0)
        # A test's every reset is of a day of its own; its generation is its number.
        if key in self.stands_on and self.stands_on[key] >= (hours, number):
            return
        moved = sum(units for sold, moment, units in self.sales if sold == key and moment > hours)
        self.on_hand[key] = count + moved
        self.stands_on[key] = (hours, number)
        self.accepted.add((number, key))

    def variance(self, number: int, key: Key, delta: int) -> None:
        # Once per accepted row, whatever its file is called or holds.
        if (number, key) in self.accepted - self.varied and self.stands_on[key][1] == number:
            self.varied.add((number, key))
            self.on_hand[key] -= min(-delta, max(0, self.on_hand[key]))


@given(st.lists(STEP, min_size=1, max_size=8))
@settings(max_examples=40)
def test_after_any_sequence_of_imports_and_sales_the_counts_are_those_of_the_plain_rules(
    steps: list[tuple[str, int, dict[Key, int]]],
) -> None:
    products = {"111": "A", "222": "B"}
    with TemporaryDirectory() as folder:
        books, model, number = Books(Path(folder)), Model(), 0
        days: list[str] = []
        items: dict[Key, str] = {}
        for facility, upca in (("F1", "111"), ("F2", "111")):
            items[facility, upca] = books.stock(facility, products[upca], 5)
            model.on_hand[facility, upca] = 5
        for kind, hours, amounts in steps:
            rows = [(*key, amount) for key, amount in amounts.items()]
            if kind == "reset":
                number += 1
                days.append(f"202603{number:02d}_g{number}")
                moment = at(hours * 40)
                import_reset(books.engine, f"reset_US_{days[-1]}_1of1.csv", reset_csv(*rows, snapshot=moment), NOW)
                for key, amount in amounts.items():
                    model.reset(number, hours, key, amount)
            elif kind == "variance" and number:
                of = 1 + hours % number
                done = import_variance(books.engine, f"variance_US_{days[of - 1]}.csv", variance_csv(*rows), NOW)
                for key, amount in amounts.items() if not done.already else ():
                    model.variance(of, key, amount)
            elif kind == "sale":
                for key, amount in amounts.items():
                    if key in items and amount:
                        books.move(items[key], amount, at(hours * 40))
                        model.sale(hours, key, amount)
        found = {key: books.totals(key[0], products[key[1]]) for key in model.on_hand}
        assert found == {key: (units, units) for key, units in model.on_hand.items()}
        assert books.ledger_disagreements() == []
        books.engine.dispose()
