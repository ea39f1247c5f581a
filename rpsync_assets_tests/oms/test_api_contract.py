"""The API against its own document: whatever is sent, every answer is one that the document tells of."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from pydantic import SecretStr
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from rpsync_assets.oms import tables
from rpsync_assets.oms.api import build_app
from rpsync_assets.oms.ledger import verify
from rpsync_assets.oms.tokens import new_token, read_tokens
from rpsync_assets_tests.oms.books import LONG_AGO, Books

TOKEN, PAIR = new_token("schemathesis")

NO_SHAPE = ("idempotency_key_reused", "unknown_id_type", "The question names no product")
"""Refusals by rules that a JSON schema cannot say."""


class Told:
    """What schemathesis found, and which answers there were."""

    def __init__(self, app: FastAPI, **settings: Any) -> None:
        generation = {"deterministic": True, "database": "none", "max-examples": 100}
        phases = {"stateful": {"enabled": False}}
        config = {"seed": 7, "generation": generation, "phases": phases, "continue-on-failure": True, **settings}
        schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=SchemathesisConfig.from_dict(config))
        self.answers: Counter[int] = Counter()
        self.wrong: list[str] = []
        for event in from_schema(schema).execute():
            if isinstance(event, events.FatalError):
                raise event.exception
            if isinstance(event, events.NonFatalError):
                self.wrong.append(f"{event.label}: {event.value}")
            if isinstance(event, events.ScenarioFinished):
                self._read(event.recorder)

    def _read(self, recorder: Any) -> None:
        for interaction in recorder.interactions.values():
            if interaction.response is not None:
                self.answers[interaction.response.status_code] += 1
        for case, checks in recorder.checks.items():
            answer = recorder.interactions[case].response
            said = answer.content.decode() if answer is not None else "no answer"
            for check in checks:
                if check.failure_info is not None and not (
                    check.name == "positive_data_acceptance" and any(rule in said for rule in NO_SHAPE)
                ):
                    self.wrong.append(f"{recorder.label}: {check.failure_info.failure}: {said[:300]}")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """The document's own examples name things that are there; afterwards every count is what the ledger sums to."""
    books = Books(tmp_path)
    books.add(tables.facility, {"FACILITY_ID": "F3", "FACILITY_TYPE_ID": "RETAIL_STORE", "EXTERNAL_ID": "WH"})
    books.upca("A", "30065245099", since=LONG_AGO.replace(year=2021))
    app = build_app(books.engine, read_tokens(SecretStr(PAIR)))
    yield app
    app.state.writer.close()
    with books.engine.begin() as connection:
        assert verify(connection).disagreements == []


def test_with_a_token_whatever_is_sent_the_answer_is_one_that_the_document_tells_of(app: FastAPI) -> None:
    told = Told(app, headers={"Authorization": f"Bearer {TOKEN}"})
    assert told.wrong == []
    assert told.answers.keys() >= {200, 401, 404, 405, 415, 422}
    assert max(told.answers) < 500


def test_without_a_token_it_is_too_and_nothing_is_taken_in(app: FastAPI) -> None:
    told = Told(app)
    assert told.wrong == []
    assert told.answers.keys() <= {200, 401, 405}
    with app.state.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM INVENTORY_UPDATE").scalar() == 0
