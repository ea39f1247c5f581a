"""What is held is one file's content: no other file, no second click and no sale lets it go, a person does."""

from datetime import timedelta

from rpsync_assets_tests.graph.recorders import DyingState
from rpsync_assets_tests.graph.test_guards_bite_alone import UNTIL_IMPORT
from rpsync_assets_tests.graph.test_guards_with_numbers import MANY, WHY, day, many, products, upca
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, Rows, TinyWorld

__all__ = ["many"]  # the fixture

YESTERDAY = DAY - timedelta(days=1)
HALF_BROKEN = [*products(quantity=1, numbers=range(20, MANY)), *[("101", upca(n), "2.5") for n in range(20)]]
"""Half of its quantities are no counts, so nobody believes the other half either."""

BY_KIND = r"(?P<kind>full|delta)_{store}_(?P<snapshot>\d{8}T\d{6})\.csv"


def sent_as(world: TinyWorld, kind: str, at: str, rows: Rows) -> None:
    world.file(rows, at).rename(world.incoming / f"{kind}_US_{at}.csv")


def why(world: TinyWorld) -> list[str]:
    return world.table("owed_keys")["why"].unique().sort().to_list()


def refused(ran: Ran, guard: str) -> None:
    assert ran.failures.keys() == {"filtered_reset_parts"}
    assert f"filtered_reset_parts.{guard}" in ran.red


def test_a_second_click_on_a_good_file_does_not_let_the_held_one_before_it_go(many: TinyWorld):
    day(many, 1, products(numbers=range(3)))
    many.file(HALF_BROKEN, "20260310T060000")
    refused(many.run(), "rejected_share")
    many.file([("101", upca(0), 3)])
    assert many.run().failures == {}
    sent = many.sent
    assert many.run().failures == {}
    assert (many.sent, why(many), many.oms.on_hand()["P30"]) == (sent, ["day_held"], (5,))


def test_nor_does_the_day_after_it(many: TinyWorld):
    day(many, 2, products(numbers=range(3)))
    many.file(HALF_BROKEN, "20260309T060000")
    refused(many.run(day=YESTERDAY), "rejected_share")
    many.file([("101", upca(0), 3)], "20260309T070000")
    assert many.run(day=YESTERDAY).failures == {}
    assert day(many, 0, [("101", upca(1), 3)]).failures == {}
    assert (why(many), many.oms.on_hand()["P30"]) == (["day_held"], (5,))


def test_who_released_a_days_first_file_has_not_seen_its_second(many: TinyWorld):
    day(many, 2, products(numbers=range(3)))
    many.file(products(quantity=0, numbers=range(20)), "20260309T060000")
    assert many.run(day=YESTERDAY, release=WHY).failures == {}
    many.file(HALF_BROKEN, "20260309T070000")
    refused(many.run(day=YESTERDAY), "rejected_share")
    assert day(many, 0, [("101", upca(0), 3)]).failures == {}
    assert (why(many), many.oms.on_hand()["P30"]) == (["day_held"], (5,))


def test_a_second_release_leaves_the_first_on_record(many: TinyWorld):
    many.file(products(quantity=0, numbers=range(20)), "20260310T060000")
    assert many.run(release="the first").failures == {}
    many.file(HALF_BROKEN)
    assert many.run(release="the second").failures == {}
    assert many.table("released_days").select("file_name", "released_because").rows() == [
        ("reset_US_20260310T060000.csv", "the first"),
        ("reset_US_20260310T070000.csv", "the second"),
    ]


def test_sales_do_not_let_a_held_file_go(many: TinyWorld):
    """It emptied 21 shelves; two of them were sold empty since, and 19 would be a quiet night."""
    day(many, 2, products(numbers=range(3)))
    refused(day(many, 1, products(quantity=0, numbers=range(21))), "zeroed_share")
    assert many.table("held_files", YESTERDAY)["found"].to_list() == ["21 of 44 keys with stock fall to zero"]
    for number in (10, 11):
        many.oms.sell_in_store("NY", f"P{number}", 5, "2026-03-09 12:00")
    assert day(many, 0, [("101", upca(0), 3)]).failures == {}
    assert (why(many), many.oms.on_hand()["P1"]) == (["day_held"], (5,))


def test_a_held_day_whose_cause_was_mended_is_let_go_by_clicking_it_again(many: TinyWorld):
    """Its shop was not mapped; once it is, the day passes, comes too late by itself, and goes with the next."""
    day(many, 2, products(numbers=range(3)))
    refused(day(many, 1, [("103", upca(n), 4) for n in range(MANY)]), "filtered_row_count")
    assert day(many, 0, [("101", upca(0), 3)]).failures == {}
    many.oms.facility("BOSTON", "103")
    assert "newer counts are in place" in many.run(day=YESTERDAY).failure
    assert many.table("held_files", YESTERDAY).height == 0
    assert many.run().failures == {}
    assert (why(many), many.oms.on_hand()["P1"]) == (["day_not_delivered"], (5, 4))


def test_a_held_full_file_under_a_good_delta_can_be_released(many: TinyWorld):
    """Its morning is not held, so its release names what waits: the same config, the same asset."""
    many.store["file_pattern"] = BY_KIND
    sent_as(many, "full", "20260310T060000", HALF_BROKEN)
    sent_as(many, "delta", "20260310T070000", [("101", upca(0), 2)])
    ran = many.run()
    assert (ran.failures, why(many)) == ({}, ["day_held"])
    assert ran.metadata["filtered_reset"]["older files that are held"] == (
        "full_US_20260310T060000.csv of 2026-03-10: materialize filtered_reset_parts of that day with the config"
        ' {"release": "why you are sure"}, then this day again'
    )
    assert many.run(release=WHY).failures == {}
    assert many.table("released_days")["file_name"].to_list() == ["full_US_20260310T060000.csv"]
    assert many.run().failures == {}
    assert (many.oms.on_hand()["P0"], many.oms.on_hand()["P30"]) == ((2,), (1,))


def test_a_held_full_file_is_not_where_the_chain_begins(many: TinyWorld):
    """The 8th's delta never went out, and the 9th's full file lacks half of the range."""
    many.store["file_pattern"] = BY_KIND
    sent_as(many, "full", "20260307T070000", products())
    assert many.run(day=DAY - timedelta(days=3)).failures == {}
    sent_as(many, "delta", "20260308T070000", [("101", upca(7), 3)])
    many.run("raw_reset_file", "active_products", "filtered_reset", day=DAY - timedelta(days=2))
    sent_as(many, "full", "20260309T070000", products(numbers=range(20, MANY)))
    refused(many.run(day=YESTERDAY), "missing_share")
    sent_as(many, "delta", "20260310T070000", [("101", upca(0), 2)])
    assert many.run().failures == {}
    assert many.oms.on_hand()["P7"] == (3,)


def test_a_released_day_whose_run_died_after_the_upload_goes_on_without_a_second_release(many: TinyWorld):
    many.file(products(quantity=0))
    state = DyingState(many.settings().state_database_url, "mark reset")
    assert not many.run(state=state, release=WHY).success
    ran = many.run()
    state.engine.dispose()
    assert (ran.failures, many.oms.on_hand()["P0"]) == ({}, (0,))
    assert len(many.folder("reset-inventory")) == 1


def test_a_held_second_file_does_not_keep_the_first_ones_variance(many: TinyWorld):
    """The first was imported with two pairs too many; the second is broken, and may never be released."""
    many.oms.order("1001", "2026-03-09 08:30", {"P0": ("NY", 2)})
    many.oms.ship("1001", "P0", "NY", 2, "2026-03-09 09:00")
    many.file([("101", upca(0), 5)], "20260310T060000")
    assert many.run(*UNTIL_IMPORT).failures == {}
    assert many.oms.on_hand()["P0"] == (5,)
    many.file(HALF_BROKEN)
    refused(many.run(), "rejected_share")
    ran = many.run("reset_import", "unreported_shipments", "variance_file", "variance_import")
    assert (ran.failures, ran.red, many.oms.on_hand()["P0"]) == ({}, [], (3,))
    many.file([("101", upca(0), 4)], "20260310T080000")
    ran = many.run()
    assert (ran.failures, many.oms.on_hand()["P0"]) == ({}, (2,))
