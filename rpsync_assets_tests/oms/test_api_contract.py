"""The API against its own document: whatever is sent, every answer is one that the document tells of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from rpsync_assets.oms import tables
from rpsync_assets.oms.api import build_app
from rpsync_assets.oms.ledger import verify
from rpsync_assets.oms.tokens import new_token, read_tokens
from rpsync_assets_tests.oms.books import LONG_AGO, Books

TOKEN, PAIR = new_token("schemathesis")
BOUNDED = settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document's own examples name things that are there; afterwards every count is what the ledger sums to."""
    books = Books(tmp_path_factory.mktemp("contract"))
    books.add(tables.facility, {"FACILITY_ID": "F3", "FACILITY_TYPE_ID": "RETAIL_STORE", "EXTERNAL_ID": "WH"})
    books.upca("A", "30065245099", since=LONG_AGO.replace(year=2021))
    app = build_app(books.engine, read_tokens(SecretStr(PAIR)))
    yield schemathesis.openapi.from_asgi("/openapi.json", app)
    app.state.writer.close()
    assert books.totals("F3", "A"), "nothing that was sent was ever taken in"
    with books.engine.begin() as connection:
        assert verify(connection).disagreements == []


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@BOUNDED
def test_with_a_token_whatever_is_sent_the_answer_is_one_of_the_document(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})


@schema.parametrize()
@settings(BOUNDED, max_examples=25)
def test_without_a_token_it_is_too(case: schemathesis.Case) -> None:
    answer = case.call()
    case.validate_response(answer)
    if case.path != "/health" and case.method == case.operation.method.upper():
        assert answer.status_code == 401
