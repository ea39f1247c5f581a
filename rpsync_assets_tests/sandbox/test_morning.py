import sqlite3
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from rpsync_assets.core import active, gtin, names, reset
from rpsync_assets.core.errors import SetupError
from rpsync_assets.core.ledger import PHYSICAL_MOVEMENT
from rpsync_assets.sandbox import book, shopify_counts
from rpsync_assets.sandbox.day import Day, naive_utc, snapshot_of
from rpsync_assets.sandbox.morning import play_morning
from rpsync_assets.sandbox.played_mornings import Morning
from rpsync_assets.sandbox.scenarios import SCENARIOS
from rpsync_assets.sandbox.shelves import read_shelves
from rpsync_assets.sandbox.sizes import SIZES, Size
from rpsync_assets.sandbox.stores import ROSTER
from rpsync_assets.sandbox.world import World, opened, prepare
from rpsync_assets_tests.sandbox.conftest import DAY_ONE, DAY_TWO, Played


def query(world: World, sql: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(world.database_path)) as connection:
        return connection.execute(sql, values).fetchall()


def file_of(world: World, morning: Morning) -> bytes:
    return (world.incoming / morning.file_name).read_bytes()


def filtered(world: World, morning: Morning) -> reset.FilteredReset:
    """The product's own filter over the file, its active products asked of the OMS in the plainest way."""
    listed = pl.DataFrame(
        query(
            world,
            "SELECT s.PRODUCT_ID, p.INTERNAL_NAME, g.ID_VALUE, s.SHOPIFY_INVENTORY_ITEM_ID FROM SHOPIFY_SHOP_PRODUCT s"
            " JOIN PRODUCT p USING (PRODUCT_ID) JOIN PRODUCT_TYPE t USING (PRODUCT_TYPE_ID) LEFT JOIN"
            " GOOD_IDENTIFICATION g ON g.PRODUCT_ID = s.PRODUCT_ID AND g.GOOD_IDENTIFICATION_TYPE_ID = 'UPCA'"
            " AND g.THRU_DATE IS NULL WHERE s.SHOP_ID = ? AND t.IS_PHYSICAL = 'Y'",
            f"{morning.store}_SHOP",
        ),
        schema=["product_id", "sku", "upca", "shopify_inventory_item_id"],
        orient="row",
    )
    facilities = pl.DataFrame(
        query(
            world,
            "SELECT EXTERNAL_ID, FACILITY_ID FROM FACILITY WHERE EXTERNAL_ID <> '' AND FACILITY_ID LIKE ?",
            f"{morning.store}V%",
        ),
        schema=["store_code", "facility_id"],
        orient="row",
    )
    rows = (
        pl.read_csv(file_of(world, morning), infer_schema=False)
        .fill_null("")
        .with_row_index("line_number", offset=2)
        .rename({"qty": "quantity"})
    )
    return reset.judge(
        rows,
        plainly_inactive_rows=0,
        active=active.compile_active(listed).active,
        facilities=facilities,
        snapshot_at=morning.snapshot_at,
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(played: Played, tmp_path: Path):
    # Another store between, and another folder: nothing but seed, size, store and date may matter.
    again = prepare(tmp_path / "again", SIZES["tiny"], 7, [ROSTER[1], ROSTER[0]])
    play_morning(again, ROSTER[1], DAY_ONE)
    first = play_morning(again, ROSTER[0], DAY_ONE)
    other = prepare(tmp_path / "other", SIZES["tiny"], 8, ROSTER[:1])
    assert first == played.one
    assert file_of(again, first) == file_of(played.world, played.one)
    assert file_of(other, play_morning(other, ROSTER[0], DAY_ONE)) != file_of(played.world, played.one)


def test_playing_a_morning_again_changes_nothing(tiny: World):
    def state() -> dict[str, bytes]:
        with closing(sqlite3.connect(tiny.database_path)) as connection:
            dump = "\n".join(connection.iterdump()).encode()
        return {path.name: path.read_bytes() for path in tiny.incoming.iterdir()} | {
            "oms": dump,
            "shopify": tiny.shopify_counts.read_bytes(),
        }

    first = play_morning(tiny, ROSTER[0], DAY_ONE)
    before = state()
    second = play_morning(tiny, ROSTER[0], DAY_ONE)
    assert (first.already, second.already) == (False, True)
    assert state() == before
    assert second.snapshot_at == first.snapshot_at
    assert second.rejected == first.rejected


def test_an_older_date_is_refused(played: Played):
    with pytest.raises(SetupError, match=r"2026-03-02 of US lies before 2026-03-04.*another data folder"):
        play_morning(played.world, ROSTER[0], date(2026, 3, 2))
    with pytest.raises(SetupError, match="before the sandbox's world began"):
        play_morning(played.world, ROSTER[1], date(2025, 1, 1))


def test_the_snapshot_is_the_evening_before_in_the_stores_own_time(played: Played):
    local = played.one.snapshot_at.astimezone(ZoneInfo("America/New_York"))
    assert local.replace(tzinfo=None) == datetime(2026, 3, 2, 23, 30)  # noqa: DTZ001
    assert played.one.file_name == "reset_US_20260302T233000.csv"
    assert names.business_date(played.one.snapshot_at, ZoneInfo("America/New_York")) == DAY_ONE


def test_a_crash_between_the_oms_and_the_book_is_mended_by_playing_again(
    tiny: World, played: Played, monkeypatch: pytest.MonkeyPatch
):
    def crash(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(shopify_counts, "merge", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            play_morning(tiny, ROSTER[0], DAY_ONE)
    assert query(tiny, "SELECT COUNT(*) FROM ORDER_HEADER")[0][0] == len(SCENARIOS)
    assert [path.suffix for path in tiny.incoming.iterdir()] == [".part"]
    assert play_morning(tiny, ROSTER[0], DAY_ONE) == played.one
    assert file_of(tiny, played.one) == file_of(played.world, played.one)
    assert query(tiny, "SELECT COUNT(*) FROM ORDER_HEADER")[0][0] == len(SCENARIOS)
    assert_ledger_equals_totals(tiny)


def assert_ledger_equals_totals(world: World) -> None:
    wrong = query(
        world,
        "SELECT i.INVENTORY_ITEM_ID FROM INVENTORY_ITEM i JOIN INVENTORY_ITEM_DETAIL d USING (INVENTORY_ITEM_ID)"
        " JOIN PRODUCT_FACILITY p ON p.INVENTORY_ITEM_ID = i.INVENTORY_ITEM_ID GROUP BY 1"
        " HAVING SUM(d.QUANTITY_ON_HAND_DIFF) <> i.QUANTITY_ON_HAND_TOTAL"
        " OR SUM(d.AVAILABLE_TO_PROMISE_DIFF) <> i.AVAILABLE_TO_PROMISE_TOTAL"
        " OR p.LAST_INVENTORY_COUNT <> i.AVAILABLE_TO_PROMISE_TOTAL OR p.COMPUTED_LAST_INVENTORY_COUNT"
        " <> MAX(i.AVAILABLE_TO_PROMISE_TOTAL - COALESCE(p.MINIMUM_STOCK, 0), 0)",
    )
    assert wrong == []


def test_totals_equal_the_ledger_and_differ_by_what_is_reserved(played: Played):
    assert_ledger_equals_totals(played.world)
    reserved = query(
        played.world,
        "SELECT SUM(QUANTITY_ON_HAND_TOTAL - AVAILABLE_TO_PROMISE_TOTAL),"
        " (SELECT SUM(QUANTITY) FROM ORDER_ITEM_SHIP_GRP_INV_RES) FROM INVENTORY_ITEM",
    )
    assert reserved[0][0] == reserved[0][1] > 0


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_the_products_filter_accounts_for_every_row_as_the_sandbox_wrote_it(size: str, tmp_path: Path):
    world = prepare(tmp_path, SIZES[size], 3, ROSTER[:1])
    morning = play_morning(world, ROSTER[0], DAY_ONE)
    outcome = filtered(world, morning)
    truth = book.truth(world.book_path, "US", DAY_ONE)
    content = file_of(world, morning)
    assert content.endswith(b"\n")
    assert len(content) == morning.file_bytes
    assert outcome.accounting.read == morning.total_rows == SIZES[size].file_rows
    assert outcome.accounting.kept == morning.kept_keys == truth.height == SIZES[size].kept_rows
    assert outcome.accounting.rejected == morning.rejected
    assert outcome.accounting.inactive == morning.inactive_rows
    # Two reasons are a matter of a store's settings, or of a file whose decimal mark cannot be told.
    assert set(morning.rejected) == set(reset.REASONS) - {"ambiguous_quantity", "failing_check_digit"}
    assert min(*morning.rejected.values(), *morning.spellings.values()) > 0
    assert sum(morning.rejected.values()) < 0.01 * morning.total_rows
    said = truth.select("facility_id", "product_id", quantity="file_quantity").sort("facility_id", "product_id")
    assert outcome.kept.select(said.columns).sort("facility_id", "product_id").equals(said)


def test_kept_rows_are_spread_over_the_whole_file(played: Played):
    lines = filtered(played.world, played.one).kept["line_number"]
    tenths = (lines.cast(pl.Int64) * 10 // (played.one.total_rows + 2)).value_counts()
    assert tenths.height == 10
    assert tenths["count"].min() > played.one.kept_keys / 20


def test_other_rows_have_valid_check_digits_quoted_descriptions_and_every_facility(played: Played):
    content = file_of(played.world, played.one)
    frame = pl.read_csv(content, infer_schema=False)
    number = gtin.key(pl.col("upc"))
    assert frame.select((number.is_not_null() & gtin.has_valid_check_digit(number)).mean()).item() > 0.95
    assert frame.filter(pl.col("upc").str.len_chars() == 12).height > 200
    assert b'"BOOT, LEATHER' in content
    assert frame["store_code"].str.strip_chars().n_unique() == played.world.size.facilities + 2


def test_the_file_counts_the_shelf_and_what_retail_pro_was_not_told_of(played: Played):
    for morning in (played.one, played.two):
        truth = book.truth(played.world.book_path, "US", morning.business_date)
        assert truth.filter(pl.col("file_quantity") != pl.col("shelf_at_snapshot") + pl.col("unreported")).is_empty()
        assert truth["unreported"].sum() == morning.unreported_units > 0
        assert truth.filter(pl.col("moved_since") != 0).height > 3
        assert truth.filter(pl.col("file_quantity") < 0).height > 0
        # Nothing may be clamped: a variance cannot make stock negative.
        busy = truth.filter(pl.col("unreported") > 0)
        assert busy.filter(pl.col("shelf_at_snapshot") + pl.col("moved_since") < 0).is_empty()


BOOKED = (
    "EXISTS (SELECT 1 FROM ORDER_STATUS s WHERE s.ORDER_ID = h.ORDER_ID AND s.STATUS_ID = 'ORDER_COMPLETED'"
    " AND s.STATUS_DATETIME <= :t0)"
)
UNREPORTED = f"""
SELECT facility_id, product_id, CAST(SUM(units) AS INTEGER) FROM (
    SELECT v.FACILITY_ID facility_id, v.PRODUCT_ID product_id, i.QUANTITY - COALESCE(i.CANCEL_QUANTITY, 0) units
    FROM ITEM_ISSUANCE i JOIN INVENTORY_ITEM v USING (INVENTORY_ITEM_ID) JOIN ORDER_HEADER h USING (ORDER_ID)
    WHERE i.ISSUED_DATE_TIME <= :t0 AND h.SALES_CHANNEL_ENUM_ID <> 'POS_SALES_CHANNEL' AND NOT {BOOKED}
    UNION ALL
    SELECT g.FACILITY_ID, o.PRODUCT_ID, o.QUANTITY - COALESCE(o.CANCEL_QUANTITY, 0)
    FROM ORDER_ITEM o JOIN ORDER_HEADER h USING (ORDER_ID) JOIN PRODUCT p USING (PRODUCT_ID)
    JOIN ORDER_ITEM_SHIP_GROUP g USING (ORDER_ID, SHIP_GROUP_SEQ_ID)
    JOIN ORDER_STATUS c ON c.ORDER_ID = o.ORDER_ID AND c.ORDER_ITEM_SEQ_ID = o.ORDER_ITEM_SEQ_ID
        AND c.STATUS_ID = 'ITEM_COMPLETED' AND c.STATUS_DATETIME <= :t0
    WHERE p.PRODUCT_TYPE_ID = 'FINISHED_GOOD' AND h.SALES_CHANNEL_ENUM_ID <> 'POS_SALES_CHANNEL' AND NOT {BOOKED}
        AND NOT EXISTS (SELECT 1 FROM ITEM_ISSUANCE i WHERE i.ORDER_ID = o.ORDER_ID
            AND i.ORDER_ITEM_SEQ_ID = o.ORDER_ITEM_SEQ_ID)
) GROUP BY 1, 2
"""  # noqa: S608


def test_the_oms_tables_tell_the_same_unreported_units_and_movements_as_the_book(played: Played):
    """The sandbox knows what it invented; the OMS tables must say the same to who reads them by design.md's rule."""
    for morning in (played.one, played.two):
        moment = book.iso(morning.snapshot_at.replace(tzinfo=None))
        with closing(sqlite3.connect(played.world.database_path)) as connection:
            found = {(row[0], row[1]): row[2] for row in connection.execute(UNREPORTED, {"t0": moment})}
            moved = {
                (row[0], row[1]): row[2]
                for row in connection.execute(
                    "SELECT v.FACILITY_ID, v.PRODUCT_ID, CAST(SUM(d.QUANTITY_ON_HAND_DIFF) AS INTEGER)"  # noqa: S608
                    " FROM INVENTORY_ITEM_DETAIL d JOIN INVENTORY_ITEM v USING (INVENTORY_ITEM_ID)"
                    f" WHERE {PHYSICAL_MOVEMENT.format(detail='d')} AND d.EFFECTIVE_DATE > ? AND d.EFFECTIVE_DATE <"
                    " datetime(?, '+90 minutes') GROUP BY 1, 2",
                    (moment, moment),
                )
            }
        truth = book.truth(played.world.book_path, "US", morning.business_date)
        keys = list(zip(truth["facility_id"], truth["product_id"], strict=True))
        assert [found.get(key, 0) for key in keys] == truth["unreported"].to_list()
        assert [moved.get(key, 0) for key in keys] == truth["moved_since"].to_list()
        assert set(found) - set(keys), "some unreported keys are not in the file, and must get no variance"


def test_a_fortnight_can_be_played_and_the_oms_and_the_book_still_agree(tiny: World):
    """Across the change of clocks of 8 March 2026, with orders of several days waiting and completing."""
    for offset in range(14):
        morning = play_morning(tiny, ROSTER[0], DAY_ONE + timedelta(days=offset))
        moment = book.iso(morning.snapshot_at.replace(tzinfo=None))
        with closing(sqlite3.connect(tiny.database_path)) as connection:
            found = {(row[0], row[1]): row[2] for row in connection.execute(UNREPORTED, {"t0": moment})}
        truth = book.truth(tiny.book_path, "US", morning.business_date)
        keys = zip(truth["facility_id"], truth["product_id"], strict=True)
        assert [found.get(key, 0) for key in keys] == truth["unreported"].to_list()
    assert_ledger_equals_totals(tiny)


def test_every_kind_of_order_happens(played: Played):
    assert list(played.one.scenarios) == [scenario.name for scenario in SCENARIOS]
    assert len(SCENARIOS) == 20
    statuses = {row[0] for row in query(played.world, "SELECT DISTINCT STATUS_ID FROM ORDER_HEADER")}
    assert statuses == {"ORDER_APPROVED", "ORDER_COMPLETED", "ORDER_CANCELLED"}
    assert query(played.world, "SELECT COUNT(*) FROM ORDER_ITEM_SHIP_GROUP WHERE FACILITY_ID = '_NA_'")[0][0] == 2


def test_the_next_morning_completes_half_of_what_was_left_open_and_its_file_says_so(played: Played):
    assert played.two.orders_completed_later > 3
    completed = query(
        played.world,
        "SELECT h.STATUS_ID, i.STATUS_ID, r.QUANTITY FROM ORDER_HEADER h JOIN ORDER_ITEM i USING (ORDER_ID)"
        " LEFT JOIN ORDER_ITEM_SHIP_GRP_INV_RES r ON r.ORDER_ID = h.ORDER_ID"
        " WHERE h.ORDER_ID LIKE 'SBXUS260303-%' AND h.ORDER_ID IN (SELECT ORDER_ID FROM ORDER_STATUS"
        " WHERE ORDER_STATUS_ID LIKE 'SBXUS260304-%' AND STATUS_ID = 'ORDER_COMPLETED')",
    )
    assert {row[0] for row in completed} == {"ORDER_COMPLETED"}
    assert {row[1:] for row in completed} <= {("ITEM_COMPLETED", None), ("ITEM_CANCELLED", None)}
    assert book.truth(played.world.book_path, "US", DAY_TWO)["unreported"].sum() > 0


def test_a_sale_that_others_posted_reaches_the_next_days_shelf(tiny: World):
    play_morning(tiny, ROSTER[0], DAY_ONE)
    sold = book.truth(tiny.book_path, "US", DAY_ONE).filter(pl.col("moved_since") == 0).row(0, named=True)
    key = (sold["facility_id"], sold["product_id"])
    item = f"{sold['facility_id']}I{sold['product_id'][1:]}"
    with closing(sqlite3.connect(tiny.database_path)) as connection, connection:
        connection.executemany(
            "INSERT INTO INVENTORY_ITEM_DETAIL (INVENTORY_ITEM_ID, INVENTORY_ITEM_DETAIL_SEQ_ID, EFFECTIVE_DATE,"
            " QUANTITY_ON_HAND_DIFF, REASON_ENUM_ID) VALUES (?, ?, ?, ?, ?)",
            [
                (item, "API1", "2026-03-03 18:00:00.000000", -4, "POS_SALE"),
                (item, "RESET1", "2026-03-03 18:00:00.000000", 9, "VAR_EXT_RESET"),
                (item, "API2", "2026-03-04 18:00:00.000000", -1, "POS_SALE"),
            ],
        )
    day = Day(ROSTER[0], DAY_TWO, naive_utc(snapshot_of(ROSTER[0], DAY_TWO)), Random(1))  # noqa: S311
    with opened(tiny) as oms, book.opened(tiny.book_path) as connection:
        shelves = read_shelves(oms, connection, day)
    assert shelves[key] == sold["shelf_at_snapshot"] - 4
    assert shelves.changed == {key}
    play_morning(tiny, ROSTER[0], DAY_TWO)
    second = book.truth(tiny.book_path, "US", DAY_TWO)
    assert key in set(zip(second["facility_id"], second["product_id"], strict=True))


def test_shopify_shows_counts_for_every_mapped_item_at_every_location(played: Played):
    counts = pl.read_csv(played.world.shopify_counts, schema=shopify_counts.SCHEMA)
    mapped = query(played.world, "SELECT COUNT(*) FROM SHOPIFY_SHOP_LOCATION WHERE SHOP_ID = 'US_SHOP'")[0][0]
    assert counts["location_id"].n_unique() == mapped == 3
    assert not counts.select("inventory_item_id", "location_id").is_duplicated().any()
    assert counts["available"].min() == 0


def test_a_size_with_too_few_products_for_its_file_says_so(tmp_path: Path):
    size = Size("odd", 900, 700, 8, 60, 1, 20)
    world = prepare(tmp_path, size, 7, ROSTER[:1])
    with pytest.raises(SetupError, match="480 active keys, too few for a file of 700 kept rows"):
        play_morning(world, ROSTER[0], DAY_ONE)
