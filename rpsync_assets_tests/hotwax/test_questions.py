"""What explain, dry-run and undo say of a store whose OMS is HotWax, held against HotWax's own tables."""

from datetime import date, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from rpsync_assets.core.errors import NotYetError, SetupError
from rpsync_assets.explain.explain import explain
from rpsync_assets.explain.sources import opened
from rpsync_assets.explain.trace import Trace
from rpsync_assets.undo import Undone, prepare_undo
from rpsync_assets_tests.graph.test_explain import told
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY
from rpsync_assets_tests.hotwax.day import HotWaxDay
from rpsync_assets_tests.hotwax.test_days import COUNTS, NINE, RESET, TEN, happen_around_the_imports

A, B, C = (UPCA[product] for product in "ABC")
VARIANCE = "variance_US_20260310_g1.csv"


def traced(day: HotWaxDay, facility: str, upc: str) -> Trace:
    with opened(day.settings(), "US", DAY) as sources:
        return explain(sources, facility, upc)


def undo(day: HotWaxDay, folder: Path) -> Undone:
    return prepare_undo(day.settings(), "US", DAY, folder)


def upload(day: HotWaxDay, undone: Undone, when: str) -> None:
    """A person puts the file into HotWax's folder, and HotWax imports it."""
    (day.server / "hotwax/inventory-variance" / undone.file.name).write_bytes(undone.file.read_bytes())
    day.hotwax_imports(when)


def on_hand(day: HotWaxDay) -> dict[tuple[str, str], int]:
    rows = day.oms.ask("SELECT FACILITY_ID, PRODUCT_ID, SUM(QUANTITY_ON_HAND_TOTAL) FROM INVENTORY_ITEM GROUP BY 1, 2")
    return {(facility, product): int(units) for facility, product, units in rows}


# explain --------------------------------------------------------------------------------------------------------------
def test_a_key_on_its_way_through_hotwax_says_what_it_waits_for_and_then_what_became_of_it(day: HotWaxDay) -> None:
    day.file(COUNTS)
    day.deliver()
    trace = traced(day, "NY", A)
    assert {"kept", "delivered", "receipt_is_waited_for"} <= set(trace.states)
    assert f"no receipt for {RESET} yet; the OMS's import log does not name it" in told(trace, "The OMS's receipt")
    day.hotwax.pick_up(datetime(2026, 3, 10, 13))  # noqa: DTZ001  naive UTC
    assert "says SERVICE_PENDING" in told(traced(day, "NY", A), "The OMS's receipt")
    day.hotwax_imports(NINE)
    assert "says SERVICE_FINISHED at 2026-03-10" in told(traced(day, "NY", A), "The OMS's receipt")
    day.take_back()
    trace = traced(day, "NY", A)
    assert "counted 10: QOH 8 +2 = 10" in told(trace, "The OMS's receipt")
    assert {"accepted", "unreported", "variance_on_its_way", "differs"} <= set(trace.states)
    assert "Its variance is not in the OMS yet." in told(trace, "Does it add up?")
    day.hotwax_imports(TEN)
    day.confirm()
    trace = traced(day, "NY", A)
    assert {"varied", "agrees"} <= set(trace.states)
    assert "The OMS applied it at 2026-03-10 10:00" in told(trace, "The variance")


def test_what_an_import_overwrote_and_the_variance_brought_back_is_told_apart(day: HotWaxDay) -> None:
    """Nashville's A: one sold at 07:30, which the reset of 09:00 overwrote, two at 09:10."""
    day.file(COUNTS)
    happen_around_the_imports(day)
    trace = traced(day, "NASH", A)
    assert "Asked for: -1 (0 for 0 unreported order(s), -1 that the import overwrote)." in told(trace, "The variance")
    assert {"sold_since", "agrees"} <= set(trace.states)
    key = {"facility": "NASH", "product": "A"}
    ((moved,),) = day.oms.ask(
        "SELECT SUM(D.QUANTITY_ON_HAND_DIFF) FROM INVENTORY_ITEM_DETAIL D"
        " JOIN INVENTORY_ITEM I USING (INVENTORY_ITEM_ID)"
        " WHERE I.FACILITY_ID = :facility AND I.PRODUCT_ID = :product AND D.EFFECTIVE_DATE > '2026-03-10 11:00:00'"
        " AND (D.REASON_ENUM_ID = 'POS_SALE' OR D.ITEM_ISSUANCE_ID IS NOT NULL OR D.RECEIPT_ID IS NOT NULL)",
        **key,
    )
    assert f"Together {int(moved):+d} since the count." in told(trace, "Sold and moved")
    assert f"Now the OMS has {day.oms.totals('NASH', 'A')[0]} on hand" in told(trace, "Sold and moved")


@pytest.mark.parametrize("missing", ["ledger", "import_log"])
def test_without_ledger_or_import_log_no_number_is_made_up(day: HotWaxDay, missing: str) -> None:
    """The count itself stood there as the QOH before, with a change of 0; and a variance as clamped to nothing."""
    day.told[missing] = False
    day.file(COUNTS)
    day.whole_day(NINE, TEN)
    trace = traced(day, "NY", A)
    assert "By how much it changed QOH cannot be told" in told(trace, "The OMS's receipt")
    assert "QOH 10" not in told(trace, "The OMS's receipt")
    assert "clamped" not in trace.states
    assert "-2" in told(trace, "The variance")


def test_on_the_atp_basis_the_qoh_before_is_not_told_from_a_difference_of_atp(day: HotWaxDay) -> None:
    day.told["reset_basis"] = day.hotwax.basis = "atp"
    day.file(COUNTS)
    day.whole_day(NINE, TEN)
    said = told(traced(day, "NY", C), "The OMS's receipt")
    assert "counted 5, which changed QOH by +7." in said
    assert day.oms.totals("NY", "C") == (5, 3)


def test_a_row_that_hotwax_refused_says_why(day: HotWaxDay) -> None:
    day.store["max_failed_share"] = 0.5
    day.file(COUNTS)
    day.deliver()
    day.oms.do("DELETE FROM GOOD_IDENTIFICATION WHERE PRODUCT_ID = 'B'")
    day.hotwax_imports(NINE)
    assert day.take_back().failures == {}
    trace = traced(day, "NY", B)
    assert {"delivered", "failed"} <= set(trace.states)
    assert f"Product not found for UPCA '{B}'" in told(trace, "The OMS's receipt")
    assert told(trace, "The variance").startswith("None: its reset row was not accepted")


def test_a_replica_that_is_away_is_told_and_the_rest_is_explained(day: HotWaxDay) -> None:
    day.file(COUNTS)
    day.whole_day(NINE, TEN)
    away = day.settings()
    away = away.model_copy(
        update={"secrets": away.secrets.model_copy(update={"oms_database_url": SecretStr("mysql://x:x@127.0.0.1:1/x")})}
    )
    with opened(away, "US", DAY) as sources:
        trace = explain(sources, "NY", A)
    assert {"kept", "delivered", "accepted", "varied"} <= set(trace.states)
    assert "The OMS cannot be asked: The OMS database does not answer" in told(trace, "The key")


# dry-run --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("told_of", [{}, {"reset_basis": "atp"}, {"ledger": False}], ids=["qoh", "atp", "no ledger"])
def test_a_dry_run_says_what_the_day_through_hotwax_then_does(day: HotWaxDay, told_of: dict[str, object]) -> None:
    """Also where more was sold since the count than was counted: the variance then stops at zero."""
    day.told |= told_of
    day.hotwax.basis = str(told_of.get("reset_basis", "qoh"))  # type: ignore[assignment]
    oms = day.oms
    if day.told.get("ledger", True):
        oms.sell_in_store("NY", "B", 3, "2026-03-10 07:20")
        oms.receive("NASH", "C", 4, "2026-03-10 07:30")
    oms.ship("1001", "C", "NY", 2, "2026-03-10 07:40")
    oms.reserve("NASH", "B", 3, "2026-03-10 07:50")
    day.file([*COUNTS[:2], ("101", B, 2), ("102", B, 7), *COUNTS[4:]])
    before = day.fingerprint()
    said = day.run(job="dry_run_day")
    assert (said.failures, day.fingerprint(), day.sent) == ({}, before, [])
    assert said.metadata["reset_preview"]["OMS would be held"] == "no"
    would_be = {
        (row["facility_id"], row["product_id"]): row["would_be"] for row in day.table("reset_preview").to_dicts()
    }
    assert day.whole_day(NINE, TEN).failures == {}
    assert on_hand(day) == would_be


def test_a_dry_run_in_the_middle_of_hotwaxs_queue_says_that_the_day_would_wait(day: HotWaxDay) -> None:
    day.file(COUNTS)
    day.deliver()
    day.hotwax_imports(NINE)
    day.take_back()
    day.file(COUNTS, "20260311T070000")
    said = day.run(job="dry_run_day", day=date(2026, 3, 11)).metadata["reset_preview"]
    assert f"The OMS has taken {VARIANCE} and not finished it" in str(said["OMS would be held"])
    again = day.run(job="dry_run_day").metadata["reset_preview"]
    assert "was delivered before: it would not be sent again" in str(again["OMS delivery"])


# undo -----------------------------------------------------------------------------------------------------------------
def test_an_undo_puts_hotwax_back_but_for_what_was_sold_since(day: HotWaxDay, tmp_path: Path) -> None:
    before = on_hand(day)
    day.file(COUNTS)
    day.whole_day(NINE, TEN)
    day.oms.sell_in_store("NASH", "A", 1, "2026-03-10 10:30")
    undone = undo(day, tmp_path)
    upload(day, undone, "2026-03-10 11:00")
    assert on_hand(day) == {**before, ("NASH", "A"): before["NASH", "A"] - 1}
    with pytest.raises(SetupError, match=r"taken back already: the OMS imported undo_US_20260310\.csv"):
        undo(day, tmp_path)
    assert "an undo, QOH -5" in told(traced(day, "NY", C), "Sold and moved")
    assert "-5 since the count by an undo." in told(traced(day, "NY", C), "Does it add up?")


def test_a_reset_that_hotwax_imported_twice_is_taken_back_twice(day: HotWaxDay, tmp_path: Path) -> None:
    """The receipts hold the newest import only: the undo put two pieces too many back."""
    before = on_hand(day)
    day.file(COUNTS)
    day.whole_day(NINE, TEN)
    day.hotwax.re_import(RESET, datetime(2026, 3, 10, 15))  # noqa: DTZ001  naive UTC
    assert day.take_back().failures == {}
    day.hotwax_imports("2026-03-10 12:00")
    assert day.confirm().failures == {}
    upload(day, undo(day, tmp_path), "2026-03-10 13:00")
    assert on_hand(day) == before


@pytest.mark.parametrize("missing", ["ledger", "import_log"])
def test_where_nobody_knows_what_an_import_changed_no_undo_is_written(
    day: HotWaxDay, tmp_path: Path, missing: str
) -> None:
    """It wrote a file that took the variance back and left the reset in."""
    day.told[missing] = False
    day.file(COUNTS)
    day.whole_day(NINE, TEN)
    with pytest.raises(SetupError, match="is not known"):
        undo(day, tmp_path)
    assert list(tmp_path.glob("undo*")) == []


def test_an_undo_waits_for_the_variance_that_would_bring_the_count_back(day: HotWaxDay, tmp_path: Path) -> None:
    day.file(COUNTS)
    day.deliver()
    day.hotwax_imports(NINE)
    day.run("reset_import")
    with pytest.raises(NotYetError, match="may still get a variance"):
        undo(day, tmp_path)


def test_an_import_that_died_is_not_taken_back_by_guessing(day: HotWaxDay, tmp_path: Path) -> None:
    day.file(COUNTS)
    day.deliver()
    moment = datetime(2026, 3, 10, 13)  # noqa: DTZ001  naive UTC
    day.hotwax.pick_up(moment)
    day.hotwax.crash(RESET, moment, rows=2)
    day.hotwax.re_import(RESET, moment.replace(hour=14))
    day.take_back()
    day.hotwax_imports("2026-03-10 12:00")
    day.confirm()
    with pytest.raises(SetupError, match="died, and how far it came is not known"):
        undo(day, tmp_path)
