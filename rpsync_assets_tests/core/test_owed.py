"""Which rows of older files are owed: the newest count of each key, if it is newer than what was accepted."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from rpsync_assets.core.owed import EARLIER_SCHEMA, FILTERED_SCHEMA, OWED_SCHEMA, owed_rows, waiting_rows, with_owed
from rpsync_assets.core.reset import KEPT_SCHEMA

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
KEYS = ("A", "B", "C", "D")


def moment(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def kept_row(product: str, quantity: int, at: int) -> dict[str, object]:
    return {
        "facility_id": "NY",
        "upca": product,
        "product_id": product,
        "quantity": quantity,
        "snapshot_at": moment(at),
        "line_number": 2,
        "store_code": "101",
        "upc_text": product,
    }


def earlier_row(product: str, quantity: int, at: int, why: str = "day_not_delivered") -> dict[str, object]:
    more = {"file_name": f"{at}.csv", "serves": date(2026, 3, 1), "why": why, "modified_at": moment(at)}
    return {**kept_row(product, quantity, at), **more}


def keys_at(rows: dict[str, int], *, went_out: bool = False) -> pl.DataFrame:
    """Keys and moments, each with its number, and whether the day went out with them."""
    found = [("NY", product, moment(at), at, went_out) for product, at in rows.items()]
    kinds = {"facility_id": pl.String, "product_id": pl.String, "snapshot_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(found, schema={**kinds, "quantity": pl.Int64, "went_out": pl.Boolean}, orient="row")


times = st.integers(0, 20)
products = st.sampled_from(KEYS)


@given(
    today=st.lists(products, unique=True),
    earlier=st.lists(st.tuples(products, times), unique=True),
    accepted=st.dictionaries(products, times),
    along=st.dictionaries(products, times),
    went_out=st.booleans(),
)
def test_a_key_is_owed_by_its_newest_older_count_if_nothing_newer_is_there(
    today: list[str], earlier: list[tuple[str, int]], accepted: dict[str, int], along: dict[str, int], *, went_out: bool
):
    owed = owed_rows(
        pl.DataFrame([kept_row(product, 1, 30) for product in today], schema=KEPT_SCHEMA),
        pl.DataFrame([earlier_row(product, at, at) for product, at in earlier], schema=EARLIER_SCHEMA),
        keys_at(accepted),
        keys_at(along, went_out=went_out),
    )
    assert owed.schema == OWED_SCHEMA
    expected = {}
    for product in KEYS:
        newest = max((at for key, at in earlier if key == product), default=None)
        if newest is None or product in today:
            continue
        taken = accepted.get(product, -1)
        if newest > taken or (newest == along.get(product) and (newest == taken or went_out)):
            expected[product] = newest
    assert dict(owed.select("product_id", "quantity").iter_rows()) == expected


def test_of_two_files_of_one_moment_the_one_written_last_counts():
    rows = [earlier_row("A", 1, 5), {**earlier_row("A", 2, 5), "modified_at": moment(6)}]
    owed = owed_rows(
        pl.DataFrame(schema=KEPT_SCHEMA), pl.DataFrame(rows, schema=EARLIER_SCHEMA), keys_at({}), keys_at({})
    )
    assert owed["quantity"].to_list() == [2]


def test_rows_of_a_held_day_are_told_and_stay_behind():
    owed = pl.DataFrame([earlier_row("A", 1, 5), earlier_row("B", 2, 5, "day_held")], schema=EARLIER_SCHEMA)
    kept = pl.DataFrame([kept_row("C", 3, 9)], schema=KEPT_SCHEMA)
    filtered = with_owed(kept, owed.select(OWED_SCHEMA.keys()), file_name="today.csv")
    assert filtered.schema == FILTERED_SCHEMA
    assert filtered.select("upca", "file_name", "owed").rows() == [("A", "5.csv", True), ("C", "today.csv", False)]


def test_of_what_is_held_only_counts_newer_than_those_that_go_wait():
    def rows(*found: dict[str, object]) -> pl.DataFrame:
        return pl.DataFrame(found, schema=OWED_SCHEMA)

    held = rows(earlier_row("A", 7, 5), earlier_row("B", 7, 5), earlier_row("C", 7, 5))
    going = rows(earlier_row("A", 3, 4), earlier_row("B", 3, 5))
    waiting = waiting_rows(held, going)
    assert waiting.select("product_id", "quantity", "why").rows() == [("A", 7, "day_held"), ("C", 7, "day_held")]
    assert waiting.schema == pl.Schema(OWED_SCHEMA)
