"""The Update Inventory API as a till sees it: HotWax's answer, one body for every refusal, exactly once."""

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from rpsync_assets.oms.api import build_app
from rpsync_assets.oms.api_models import AT_MOST, LARGEST_BODY, REFUSALS
from rpsync_assets.oms.ledger import verify
from rpsync_assets.oms.tokens import new_token, read_tokens
from rpsync_assets.oms.writer import Writer
from rpsync_assets.resources import databases
from rpsync_assets_tests.oms.books import Books, at

UPDATE = "/api/service/updateInventoryByIdentification"
CHECK = "/api/checkInventory"
SALE = {
    "facilityId": "F1",
    "availableDelta": -1,
    "idType": "UPCA",
    "idValue": "111",
    "locationSeqId": "TLTLTLLL01",
    "varianceReasonId": "POS_SALE",
}
TOKEN, PAIR = new_token("till-7")
OTHER_TOKEN, OTHER_PAIR = new_token("till-8")


@pytest.fixture
def books(tmp_path: Path) -> Books:
    books = Books(tmp_path)
    books.stock("F1", "A", 10, 5)
    return books


@pytest.fixture
def till(books: Books) -> Iterator[TestClient]:
    """A till with a token; afterwards every count is what the ledger sums to."""
    app = build_app(books.engine, read_tokens(SecretStr(f"{PAIR},{OTHER_PAIR}")))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(app, raise_server_exceptions=False, headers=headers) as client:
        yield client
    with books.engine.begin() as connection:
        assert [found for found in verify(connection).disagreements if found.stands is not None] == []


def sell(till: TestClient, key: str | None = None, **changes: object) -> httpx2.Response:
    return till.post(UPDATE, json={**SALE, **changes}, headers={"Idempotency-Key": key} if key is not None else {})


def send(till: TestClient, content: Any, kind: str = "application/json", **headers: str) -> httpx2.Response:
    return till.post(UPDATE, content=content, headers={"Content-Type": kind, **headers})


def assert_refused(response: httpx2.Response, code: str) -> dict[str, Any]:
    """The one body of a refusal, with the status and the retry that the list of refusals gives it."""
    error = response.json()["error"]
    assert response.json() == {"error": error}
    assert (error["code"], response.status_code, error["retry"]) == (code, REFUSALS[code].status, REFUSALS[code].retry)
    assert error["message"]
    assert error["mend"]
    assert response.headers["Content-Type"] == "application/json"
    return error


# Taken in -------------------------------------------------------------------------------------------------------------
def test_the_answer_is_the_input_and_web_site_id_and_the_rest_stands_in_headers(till: TestClient, books: Books) -> None:
    """A client written for HotWax sees exactly what it is used to."""
    sale = {**SALE, "facilityId": "S1", "availableDelta": "-1.0"}
    response = till.post(UPDATE, json=sale)
    assert (response.status_code, response.json()) == (200, {**sale, "webSiteId": "API"})
    told = {name: value for name, value in response.headers.items() if name.startswith(("x-", "idem"))}
    assert told == {
        "x-rpsync-facility": "F1",
        "x-rpsync-facility-matched": "external",
        "x-rpsync-effect": "applied",
    }
    assert books.totals("F1", "A") == (9, 4)


def test_a_moment_is_echoed_as_it_came_and_a_counted_sale_says_so(till: TestClient, books: Books) -> None:
    moment = "2026-03-10T00:10:00-05:00"
    with books.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO EXTERNAL_INVENTORY_RESET (RESET_ITEM_ID, FACILITY_ID, PRODUCT_ID, SNAPSHOT_DATE, ROW_STATUS)"
            " VALUES ('R', 'F1', 'A', '2026-03-10 05:10:00.000000', 'applied')"
        )
    response = sell(till, eventDateTime=moment)
    assert response.json()["eventDateTime"] == moment
    assert response.headers["X-Rpsync-Effect"] == "already-counted"
    assert books.totals("F1", "A") == (10, 5)


def test_a_retry_gets_the_same_bytes_and_says_that_it_is_one(till: TestClient, books: Books) -> None:
    first, again = (sell(till, "sale-1") for _ in range(2))
    assert (again.status_code, again.content) == (200, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-Rpsync-Facility"] == first.headers["X-Rpsync-Facility"]
    assert books.totals("F1", "A") == (9, 4)
    assert_refused(sell(till, "sale-1", availableDelta=-2), "idempotency_key_reused")


def test_many_tills_with_one_key_at_once_deduct_once(till: TestClient, books: Books) -> None:
    """The retry overtakes the request that it repeats."""
    together = threading.Barrier(8)

    def ask(_: int) -> tuple[int, str | None]:
        together.wait()
        response = sell(till, "sale-1")
        return response.status_code, response.headers.get("Idempotent-Replayed")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert sorted(answers, key=str) == [(200, "true")] * 7 + [(200, None)]
    assert books.totals("F1", "A") == (9, 4)


def test_sales_of_many_tills_at_once_all_count_though_some_are_refused(till: TestClient, books: Books) -> None:
    def ask(number: int) -> int:
        return sell(till, f"sale-{number}", idValue="999" if number % 5 == 0 else "111").status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(100)))
    assert (answers.count(200), answers.count(404)) == (80, 20)
    assert books.totals("F1", "A") == (-70, -75)


def test_requests_that_share_a_commit_stand_and_fall_each_by_itself(books: Books) -> None:
    """Done is told only after the commit; what broke leaves nothing behind."""
    writer, may_go_on = Writer(books.engine), threading.Event()
    seen: list[Any] = []

    def add(name: str, *, breaks: bool = False) -> Any:
        def work(connection: Any) -> str:
            connection.exec_driver_sql("INSERT INTO FACILITY (FACILITY_ID) VALUES (?)", (name,))
            if breaks:
                raise ValueError(name)
            return name

        return writer.submit(work)

    waiting = writer.submit(lambda _connection: may_go_on.wait(5))
    futures = [add("F7"), add("F8", breaks=True), add("F9")]
    futures[0].add_done_callback(lambda _: seen.extend(books.ask("SELECT 1 FROM FACILITY WHERE FACILITY_ID = 'F9'")))
    may_go_on.set()
    assert waiting.result(5)
    assert [futures[0].result(5), futures[2].result(5)] == ["F7", "F9"]
    with pytest.raises(ValueError, match="F8"):
        futures[1].result(5)
    writer.close()
    assert seen == [(1,)]
    assert books.ask("SELECT COUNT(*) FROM FACILITY WHERE FACILITY_ID IN ('F7', 'F8', 'F9')") == [(2,)]


def test_what_was_asked_for_before_the_end_is_finished(books: Books) -> None:
    writer = Writer(books.engine)
    insert = "INSERT INTO FACILITY (FACILITY_ID) VALUES (?)"
    futures = [writer.submit(lambda c, n=n: c.exec_driver_sql(insert, (f"N{n}",)) and n) for n in range(200)]
    writer.close()
    assert [future.result(0) for future in futures] == list(range(200))


# Turned away ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"facilityId": "F9"}, "unknown_facility"),
        ({"facilityId": "_NA_"}, "virtual_facility"),
        ({"idValue": "999"}, "unknown_product"),
        ({"idType": "COLOUR"}, "unknown_id_type"),
        ({"availableDelta": 0.5}, "bad_quantity"),
        ({"availableDelta": None}, "bad_quantity"),
        ({"availableDelta": True}, "bad_quantity"),
        ({"eventDateTime": "2026-03-10T14:05:00"}, "bad_event_time"),
        ({"eventDateTime": None}, "bad_event_time"),
        ({"varianceReasonId": "SALE"}, "unknown_reason"),
        ({"facilityId": ""}, "invalid_request"),
        ({"facilityId": 1}, "invalid_request"),
        ({"idValue": 111}, "invalid_request"),
        ({"locationSeqId": "x" * 256}, "invalid_request"),
        ({"eventDatetime": "2026-03-10T14:05:00Z"}, "invalid_request"),
    ],
)
def test_each_refusal_has_its_code(till: TestClient, books: Books, changes: dict[str, object], code: str) -> None:
    assert_refused(sell(till, **changes), code)
    assert books.totals("F1", "A") == (10, 5)


@pytest.mark.parametrize("missing", SALE)
def test_a_missing_field_is_named(till: TestClient, missing: str) -> None:
    error = assert_refused(
        till.post(UPDATE, json={name: value for name, value in SALE.items() if name != missing}), "invalid_request"
    )
    assert missing in error["message"]


@pytest.mark.parametrize("two", ["facility", "product"])
def test_what_is_ambiguous_is_a_conflict(till: TestClient, books: Books, two: str) -> None:
    with books.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE FACILITY SET EXTERNAL_ID = 'S1' WHERE FACILITY_ID = 'F2'")
    books.upca("B", "111", since=at(-600))
    if two == "facility":
        assert_refused(sell(till, facilityId="S1"), "ambiguous_facility")
    else:
        assert_refused(sell(till), "ambiguous_identification")


NOT_JSON = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"[" * 60000,
    b'{"availableDelta": ' + b"9" * 5000 + b"}",
    b"null",
    b"[]",
    b'"x"',
]


@pytest.mark.parametrize("content", NOT_JSON)
def test_a_body_that_is_no_json_object_is_refused_like_any_other(till: TestClient, content: bytes) -> None:
    assert_refused(send(till, content), "invalid_request")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1e-400"])
def test_what_javascript_calls_a_number_is_no_quantity(till: TestClient, number: str) -> None:
    assert_refused(send(till, json.dumps(SALE).replace("-1", number)), "bad_quantity")


def test_half_a_character_is_refused_and_does_not_break_the_server(till: TestClient) -> None:
    assert_refused(send(till, json.dumps(SALE).replace('"111"', '"\\ud800"')), "invalid_request")


def test_what_a_refusal_quotes_cannot_write_a_second_line_into_a_log(till: TestClient) -> None:
    error = assert_refused(sell(till, idValue="1\r\n2026 all is well"), "unknown_product")
    assert "\n" not in error["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_said_to_be_json_is_refused(till: TestClient, kind: str) -> None:
    assert_refused(send(till, json.dumps(SALE), kind), "wrong_content_type")


def test_a_charset_may_stand_behind_the_content_type(till: TestClient) -> None:
    assert send(till, json.dumps(SALE), "Application/JSON; charset=utf-8").status_code == 200


def test_a_body_that_is_too_large_is_not_read_to_its_end(till: TestClient, books: Books) -> None:
    """With and without a length that says so."""
    sent = 0

    def drip() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1024
            yield b" " * 1024

    assert_refused(send(till, b" " * (LARGEST_BODY + 1)), "too_large")
    assert_refused(send(till, drip()), "too_large")
    assert send(till, json.dumps(SALE).ljust(LARGEST_BODY)).status_code == 200
    assert books.totals("F1", "A") == (9, 4)


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\tkey"])
def test_a_key_is_of_1_to_255_printable_characters(till: TestClient, key: str) -> None:
    response = till.post(UPDATE, json=SALE, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
    assert_refused(response, "invalid_request")


def test_two_keys_are_one_too_many(till: TestClient) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert_refused(till.post(UPDATE, json=SALE, headers=headers), "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", "unknown_path"),
        ("POST", "/api/service/updateInventory", "unknown_path"),
        ("POST", UPDATE + "/", "unknown_path"),
        ("GET", "/docs", "unknown_path"),
        ("GET", UPDATE, "wrong_method"),
        ("POST", CHECK, "wrong_method"),
        ("DELETE", "/health", "wrong_method"),
    ],
)
def test_paths_and_methods_that_are_not_there_are_refused_alike(
    till: TestClient, method: str, path: str, code: str
) -> None:
    response = till.request(method, path)
    assert_refused(response, code)
    assert ("Allow" in response.headers) == (code == "wrong_method")


# Who may --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sent", "code", "challenge"),
    [
        ("", "missing_token", 'Bearer realm="rpsync"'),
        ("Bearer", "missing_token", 'Bearer realm="rpsync"'),
        ("Bearer  ", "missing_token", 'Bearer realm="rpsync"'),
        (f"Basic {TOKEN}", "missing_token", 'Bearer realm="rpsync"'),
        ("Bearer nobody", "wrong_token", 'Bearer realm="rpsync", error="invalid_token"'),
        (f"Bearer {TOKEN}x", "wrong_token", 'Bearer realm="rpsync", error="invalid_token"'),
        (f"Bearer {PAIR}", "wrong_token", 'Bearer realm="rpsync", error="invalid_token"'),
        ("Bearer caf\xe9", "wrong_token", 'Bearer realm="rpsync", error="invalid_token"'),
    ],
    ids=["nothing", "no token", "blanks", "basic", "nobody's", "one letter more", "the pair", "no ASCII"],
)
def test_without_a_token_of_ours_nothing_is_read_and_nothing_said(
    till: TestClient, sent: str, code: str, challenge: str
) -> None:
    """Even a body that is no JSON gets no other answer."""
    headers = [(b"Authorization", sent.encode("latin-1"))]
    for response in (till.get(f"{CHECK}?sku=SKU-A", headers=headers), till.post(UPDATE, content="{", headers=headers)):
        assert_refused(response, code)
        assert response.headers["WWW-Authenticate"] == challenge


def test_the_ledger_says_whose_token_it_was(till: TestClient, books: Books) -> None:
    till.post(UPDATE, json=SALE, headers={"Authorization": f"bearer {OTHER_TOKEN}"})
    assert books.ask("SELECT CLIENT FROM INVENTORY_UPDATE") == [("till-8",)]


def test_a_token_stands_in_no_answer_and_no_log(
    till: TestClient, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [sell(till), sell(till), till.get(f"{CHECK}?sku=SKU-A&token={TOKEN}")]
        with books.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE INVENTORY_UPDATE")
        answers.append(sell(till))
    assert [answer.status_code for answer in answers] == [200, 200, 422, 500]
    assert TOKEN not in "".join(answer.text for answer in answers)
    # The client here writes its own requests down; that is not ours.
    ours = [record for record in caplog.records if not record.name.startswith(("httpx2", "httpcore2"))]
    assert ours
    assert not any(TOKEN in caplog.handler.format(record) for record in ours)


# When the server cannot -----------------------------------------------------------------------------------------------
def test_when_it_breaks_the_caller_learns_nothing_of_our_insides_and_the_next_one_is_served(
    till: TestClient, books: Books
) -> None:
    with books.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE INVENTORY_UPDATE RENAME TO GONE")
    response = sell(till)
    assert_refused(response, "internal_error")
    assert not any(word in response.text for word in ("INVENTORY_UPDATE", "sqlite", "Traceback", ".py"))
    assert books.totals("F1", "A") == (10, 5)
    with books.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE GONE RENAME TO INVENTORY_UPDATE")
    assert sell(till).status_code == 200
    assert books.totals("F1", "A") == (9, 4)


def test_a_database_that_somebody_keeps_locked_is_a_reason_to_come_again(
    till: TestClient, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "WAIT_FOR_WRITER_SECONDS", 0.2)
    assert sell(till, "before").status_code == 200
    other = sqlite3.connect(str(books.engine.url.database), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda number: sell(till, f"sale-{number}"), range(4)))
        for answer in answers:
            assert_refused(answer, "database_busy")
            assert int(answer.headers["Retry-After"]) > 0
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert books.totals("F1", "A") == (9, 4)
    assert sell(till, "sale-1").status_code == 200
    assert books.totals("F1", "A") == (8, 3)


def test_a_sale_waits_for_a_short_writer_and_is_then_taken(till: TestClient, books: Books) -> None:
    other = sqlite3.connect(str(books.engine.url.database), isolation_level=None, check_same_thread=False)
    try:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
        release.start()
        assert sell(till).status_code == 200
        release.join()
    finally:
        other.close()


# Asking ---------------------------------------------------------------------------------------------------------------
def test_the_counts_of_a_product_are_told_by_sku_and_by_upca(till: TestClient, books: Books) -> None:
    books.stock("F2", "A", 4)
    books.stock("_NA_", "A", 99)
    assert till.get(CHECK, params={"sku": "SKU-A"}).json() == {
        "count": 2,
        "docs": [
            {"sku": "SKU-A", "facilityId": "F1", "atp": 5, "qoh": 10},
            {"sku": "SKU-A", "facilityId": "F2", "atp": 4, "qoh": 4},
        ],
    }
    by_upca = till.get(CHECK, params={"upca": ["0111"], "facilityId": ["S2", "F2"]}).json()
    assert by_upca["docs"] == [{"sku": "SKU-A", "upca": "0111", "facilityId": "F2", "atp": 4, "qoh": 4}]


def test_several_items_of_a_key_are_one_count(till: TestClient, books: Books) -> None:
    with books.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO INVENTORY_ITEM (INVENTORY_ITEM_ID, FACILITY_ID, PRODUCT_ID, QUANTITY_ON_HAND_TOTAL)"
            " VALUES ('OLD', 'F1', 'A', 0)"
        )
    (doc,) = till.get(CHECK, params={"sku": "SKU-A"}).json()["docs"]
    assert (doc["qoh"], doc["atp"]) == (10, 5)


def test_a_sku_is_what_the_identifications_say_or_the_internal_name_and_never_two_products(
    till: TestClient, books: Books
) -> None:
    insert = "INSERT INTO GOOD_IDENTIFICATION VALUES ('SKU', ?, '2020-01-01 00:00:00.000000', ?, ?)"
    with books.engine.begin() as connection:
        connection.exec_driver_sql(insert, ("A", "RED-SHOE", None))
        connection.exec_driver_sql(insert, ("B", "SKU-A", "2021-01-01 00:00:00.000000"))
    assert till.get(CHECK, params={"sku": "RED-SHOE"}).json()["docs"][0]["qoh"] == 10
    assert till.get(CHECK, params={"sku": "SKU-A"}).json()["count"] == 1
    with books.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE GOOD_IDENTIFICATION SET THRU_DATE = NULL WHERE ID_VALUE = 'SKU-A'")
    assert_refused(till.get(CHECK, params={"sku": "SKU-A"}), "ambiguous_identification")
    books.upca("B", "111", since=at(-600))
    assert_refused(till.get(CHECK, params={"upca": "111"}), "ambiguous_identification")


def test_what_nobody_ever_had_is_left_out(till: TestClient) -> None:
    params = {"sku": ["SKU-B", "nothing", "SKU-A", "SKU-A"], "facilityId": "F1"}
    assert till.get(CHECK, params=params).json()["count"] == 1


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "invalid_request"),
        ({"facilityId": "F1"}, "invalid_request"),
        ({"sku": ""}, "invalid_request"),
        ({"sku": "SKU-A", "facilityID": "F1"}, "invalid_request"),
        ({"sku": [f"S{n}" for n in range(AT_MOST + 1)]}, "invalid_request"),
        ({"sku": [f"S{n}" for n in range(AT_MOST)], "upca": "111"}, "invalid_request"),
        ({"sku": "SKU-A", "facilityId": "F9"}, "unknown_facility"),
        ({"sku": "SKU-A", "facilityId": ["F1", "_NA_"]}, "virtual_facility"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_not_cut(
    till: TestClient, params: dict[str, Any], code: str
) -> None:
    """HotWax's lists end at 50 rows in silence (domain.md 1.5)."""
    assert_refused(till.get(CHECK, params=params), code)


def test_as_many_products_as_allowed_are_all_answered(till: TestClient, books: Books) -> None:
    with books.engine.begin() as connection:
        for n in range(AT_MOST):
            connection.exec_driver_sql(
                "INSERT INTO PRODUCT (PRODUCT_ID, INTERNAL_NAME) VALUES (?, ?)", (f"P{n}", f"N{n}")
            )
            connection.exec_driver_sql(
                "INSERT INTO INVENTORY_ITEM (INVENTORY_ITEM_ID, FACILITY_ID, PRODUCT_ID, QUANTITY_ON_HAND_TOTAL)"
                " VALUES (?, 'F1', ?, 0)",
                (f"I{n}", f"P{n}"),
            )
    answer = till.get(CHECK, params={"sku": [f"N{n}" for n in range(AT_MOST)]}).json()
    assert answer["count"] == len(answer["docs"]) == AT_MOST


# Health ---------------------------------------------------------------------------------------------------------------
def test_health_needs_no_token_and_says_when_the_ledger_last_grew(till: TestClient) -> None:
    before = datetime.now(UTC)
    sell(till)
    answer = till.get("/health", headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert before <= datetime.fromisoformat(answer.json()["newestLedgerArrival"]) <= datetime.now(UTC)


def test_health_is_not_well_when_the_database_does_not_answer(till: TestClient, books: Books) -> None:
    with books.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE INVENTORY_ITEM_DETAIL RENAME TO GONE")
    assert_refused(till.get("/health"), "database_unavailable")
    with books.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE GONE RENAME TO INVENTORY_ITEM_DETAIL")
    assert till.get("/health").status_code == 200
