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


KEY = {name: EARLIER_SCHEMA[name] for name in ("facility_id", "product_id", "snapshot_at")}


def known(*rows: tuple[str, int, datetime]) -> pl.DataFrame:
    found = [("NY", product, at, quantity) for product, quantity, at in rows]
    return pl.DataFrame(found, orient="row", schema={**KEY, "quantity": pl.Int64})


def along(*rows: tuple[str, datetime], went_out: bool = False) -> pl.DataFrame:
    found = [("NY", product, at, went_out) for product, at in rows]
    return pl.DataFrame(found, orient="row", schema={**KEY, "went_out": pl.Boolean})


def test_a_count_is_owed_unless_one_as_new_was_accepted_or_comes_today() -> None:
    yesterday, before = T0 - timedelta(days=1), T0 - timedelta(days=2)
    older = earlier(("A", 1, before), ("A", 2, yesterday), ("B", 3, yesterday), ("C", 4, before), ("D", 5, yesterday))
    kept = pl.DataFrame([row("D", 9, T0)], schema=KEPT_SCHEMA)
    owed = owed_rows(kept, older, known(("B", 3, before), ("C", 4, yesterday)), along())
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
    older, accepted = earlier(("A", 1, T0)), known(("A", 1, T0))
    assert owed_rows(nothing, older, accepted, along()).is_empty()
    assert owed_rows(nothing, older, accepted, along(("A", T0))).height == 1


@pytest.mark.parametrize("went_out", [True, False])
def test_once_it_went_out_it_stays_whatever_was_counted_since(*, went_out: bool) -> None:
    """A look at an old day is no other content; what never went out is outdated by then."""
    nothing, since = pl.DataFrame(schema=KEPT_SCHEMA), known(("A", 7, T0 + timedelta(days=1)))
    owed = owed_rows(nothing, earlier(("A", 1, T0)), since, along(("A", T0), went_out=went_out))
    assert owed.height == went_out


def test_another_number_as_of_the_same_moment_is_a_correction() -> None:
    """Retail Pro mended an older day's file after a newer day's went out."""
    owed = owed_rows(pl.DataFrame(schema=KEPT_SCHEMA), earlier(("A", 12, T0)), known(("A", 10, T0)), along())
    assert owed["quantity"].to_list() == [12]


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_files_of_one_moment_the_one_written_later_is_believed(first: int) -> None:
    """A file that Retail Pro mended and wrote anew, in whatever order the two are read."""
    written = [T0, T0 + timedelta(hours=1)]
    files = [earlier(("A", number, T0)).with_columns(modified_at=written[number]) for number in (first, 1 - first)]
    owed = owed_rows(pl.DataFrame(schema=KEPT_SCHEMA), pl.concat(files, how="vertical_relaxed"), known(), along())
    assert owed["quantity"].to_list() == [1]


def listed(*products: tuple[str, int]) -> pl.DataFrame:
    rows = [(product, f"SKU-{product}", str(gtin), gtin, True, []) for product, gtin in products]
    return pl.DataFrame(rows, orient="row", schema=SCHEMA)


def test_products_listed_since_the_list_was_made_join_it_and_the_list_stands() -> None:
    day = listed(("A", 1), ("C", 3))
    joined = with_newly_listed(day, listed(("A", 9), ("B", 2), ("D", 3)))
    assert joined.select("product_id", "gtin").rows() == [("A", 1), ("B", 2), ("C", 3)]
    assert with_newly_listed(day, listed(("A", 1))) is day
