"""Which unreported shipments the variance takes back, and why it leaves the others."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from rpsync_assets.core.taken_back import ASKED, LEFT, fates
from rpsync_assets.core.variance import UNREPORTED_SCHEMA, VARIANCE_SCHEMA

T0 = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)
EARLIER = T0 - timedelta(days=1)
KEY = {"facility_id": pl.String, "product_id": pl.String}


def shipped(*rows: tuple[str, str, datetime]) -> pl.DataFrame:
    """Facility, product, as of."""
    return pl.DataFrame(
        [
            (place, product, "1", 1, "O", "O", "01", "ORDER_APPROVED", at, "issuance", 1, at)
            for place, product, at in rows
        ],
        schema=UNREPORTED_SCHEMA,
        orient="row",
    )


def asked(*rows: tuple[str, str, datetime]) -> pl.DataFrame:
    return pl.DataFrame(
        [(place, product, "1", -1, -1, 0, 1, at, 1) for place, product, at in rows],
        schema=VARIANCE_SCHEMA,
        orient="row",
    )


def day(
    *, listed: str = "A", status: str | None = None, kept: bool = False, reason: str = ""
) -> dict[str, pl.DataFrame]:
    """Product A in New York, whose store code is 101."""
    keys = [("NY", "A")] if kept or status else []
    return {
        "active_products": pl.DataFrame({"product_id": [listed], "gtin": [12345678905]}),
        "filtered_reset": pl.DataFrame(keys or [("NY", "Z")], schema=KEY, orient="row").with_columns(
            store_code=pl.lit("101")
        ),
        "rejected_reset_rows": pl.DataFrame(
            [("101", "012345678905", reason)] if reason else [],
            schema=dict.fromkeys(("store_code", "upc_text", "reason"), pl.String),
            orient="row",
        ),
        "reset_import": pl.DataFrame(
            [("NY", "A", status)] if status else [], schema={**KEY, "status": pl.String}, orient="row"
        ),
    }


def fate(of: dict[str, pl.DataFrame]) -> str:
    return fates(shipped(("NY", "A", T0)), asked(), T0, of)["fate"].item()


def test_a_line_whose_key_the_variance_asks_for_is_taken_back() -> None:
    found = fates(shipped(("NY", "A", T0), ("LA", "A", T0)), asked(("NY", "A", T0)), T0, day(kept=True))
    assert dict(found.select("facility_id", "fate").iter_rows()) == {"NY": ASKED, "LA": "no_line"}


def test_an_owed_key_counts_as_of_its_own_count_and_is_not_told_twice() -> None:
    both = shipped(("NY", "A", T0), ("NY", "A", EARLIER), ("LA", "A", EARLIER))
    found = fates(both, asked(("NY", "A", EARLIER)), T0, day())
    assert found.select("facility_id", "snapshot_at", "fate").rows() == [("NY", EARLIER, ASKED)]


@pytest.mark.parametrize("status", ["failed", "superseded"])
def test_a_row_that_the_oms_did_not_take_brought_nothing_in(status: str) -> None:
    assert fate(day(status=status)) == status


def test_of_two_imports_of_a_key_the_later_one_tells() -> None:
    both = day(status="failed")
    both["reset_import"] = pl.concat([both["reset_import"], day(status="superseded")["reset_import"]])
    assert fate(both) == "superseded"


@pytest.mark.parametrize("status", ["applied", "unchanged"])
def test_an_accepted_row_without_a_variance_is_said_to_wait(status: str) -> None:
    assert fate(day(status=status)) == "accepted"


def test_a_product_that_is_not_on_the_list_was_never_delivered() -> None:
    assert fate(day(listed="B")) == "not_listed"


def test_a_line_of_the_file_that_was_dropped_is_named_by_its_reason() -> None:
    assert fate(day(reason="conflicting_duplicate")) == "conflicting_duplicate"


def test_what_was_kept_and_not_imported_is_no_missing_line() -> None:
    assert fate(day(kept=True)) == "kept"


def test_a_day_that_stands_still_can_be_asked_too() -> None:
    assert fate({}) == "no_line"


def test_every_fate_is_explained() -> None:
    assert {"not_listed", "failed", "superseded", "accepted", "kept", "conflicting_duplicate", "no_line"} <= set(LEFT)
