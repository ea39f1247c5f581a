"""Which file is the day's, which older ones still matter, and what of them is owed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from rpsync_assets.core.active import SCHEMA, with_newly_listed
from rpsync_assets.core.arrival import CHAIN_DAYS, Candidate, chain, choose, kind_of, understood
from rpsync_assets.core.errors import NotYetError
from rpsync_assets.core.owed import EARLIER_SCHEMA, FILTERED_SCHEMA, owed_rows, with_owed
from rpsync_assets.core.reset import KEPT_SCHEMA

ZONE = ZoneInfo("America/New_York")
DAY = date(2026, 3, 10)
T0 = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
KIND = r"reset_{store}_(?P<kind>full|delta)?_?(?P<snapshot>\d{8}T\d{6})\.csv"


def files(*names: str) -> list[Candidate]:
    return understood([(name, T0) for name in names], store="US", pattern=KIND, zone=ZONE, export_minutes=0)


def named(day: int, kind: str = "") -> str:
    return f"reset_US_{kind and kind + '_'}202603{day:02d}T053000.csv"


def test_the_newest_file_of_the_day_is_chosen_and_the_others_are_told() -> None:
    found = files("notes.txt", "reset_US_20260310T053000.csv", "reset_US_20260310T070000.csv")
    choice = choose(found, store="US", day=DAY, folder="in", listed=3)
    assert choice.chosen.name == "reset_US_20260310T070000.csv"
    assert [other.name for other in choice.others] == ["reset_US_20260310T053000.csv"]


@pytest.mark.parametrize(("names", "says"), [((named(9),), "serves 2026-03-09"), (("x",), "none of the 1 files")])
def test_a_day_without_a_file_says_what_is_there(names: tuple[str, ...], says: str) -> None:
    with pytest.raises(NotYetError, match=says):
        choose(files(*names), store="US", day=DAY, folder="in", listed=1)


def test_deltas_are_a_chain_that_begins_at_the_newest_full_file() -> None:
    one, full, two, today = files(named(6), named(7, "full"), named(8), named(10))
    assert chain([one, full, two, today], today, "delta") == [full, two]
    assert chain([one, two, today], today, "delta") == [one, two]
    assert chain([one, full, two, today], today, "full") == []
    assert [kind_of(candidate, "delta") for candidate in (one, full)] == ["delta", "full"]


def test_a_chain_does_not_reach_back_for_ever() -> None:
    old, today = files(named(28 - CHAIN_DAYS - 1), named(28))
    assert chain([old, today], today, "delta") == []


def row(product: str, quantity: int, at: datetime, **more: object) -> dict[str, object]:
    kept = {"facility_id": "NY", "upca": f"1{product}", "product_id": product, "quantity": quantity}
    return {**kept, "snapshot_at": at, "line_number": 2, "store_code": "101", "upc_text": f"1{product}", **more}


def earlier(*rows: tuple[str, int, datetime]) -> pl.DataFrame:
    about = {"file_name": "older.csv", "serves": DAY, "why": "late_listing", "modified_at": T0}
    return pl.DataFrame([row(*one, **about) for one in rows], schema=EARLIER_SCHEMA)


def known(*rows: tuple[str, datetime]) -> pl.DataFrame:
    return pl.DataFrame(
        [("NY", product, at) for product, at in rows],
        orient="row",
        schema={name: EARLIER_SCHEMA[name] for name in ("facility_id", "product_id", "snapshot_at")},
    )


def test_a_count_is_owed_unless_one_as_new_was_accepted_or_comes_today() -> None:
    yesterday, before = T0 - timedelta(days=1), T0 - timedelta(days=2)
    older = earlier(("A", 1, before), ("A", 2, yesterday), ("B", 3, yesterday), ("C", 4, before), ("D", 5, yesterday))
    kept = pl.DataFrame([row("D", 9, T0)], schema=KEPT_SCHEMA)
    owed = owed_rows(kept, older, known(("B", before), ("C", yesterday)), known())
    assert owed.select("product_id", "quantity").rows() == [("A", 2), ("B", 3)]
    together = with_owed(kept, owed, file_name="today.csv")
    assert together.schema == pl.Schema(FILTERED_SCHEMA)
    assert together.select("product_id", "owed", "file_name").rows() == [
        ("A", True, "older.csv"),
        ("B", True, "older.csv"),
        ("D", False, "today.csv"),
    ]


def test_what_this_day_brought_along_stays_part_of_it_once_it_is_accepted() -> None:
    """Or a second click would be another content, and another delivery."""
    nothing = pl.DataFrame(schema=KEPT_SCHEMA)
    older, accepted = earlier(("A", 1, T0)), known(("A", T0))
    assert owed_rows(nothing, older, accepted, known()).is_empty()
    assert owed_rows(nothing, older, accepted, known(("A", T0))).height == 1


def listed(*products: tuple[str, int]) -> pl.DataFrame:
    rows = [(product, f"SKU-{product}", str(gtin), gtin, True, []) for product, gtin in products]
    return pl.DataFrame(rows, orient="row", schema=SCHEMA)


def test_products_listed_since_the_list_was_made_join_it_and_the_list_stands() -> None:
    day = listed(("A", 1), ("C", 3))
    joined = with_newly_listed(day, listed(("A", 9), ("B", 2), ("D", 3)))
    assert joined.select("product_id", "gtin").rows() == [("A", 1), ("B", 2), ("C", 3)]
    assert with_newly_listed(day, listed(("A", 1))) is day
