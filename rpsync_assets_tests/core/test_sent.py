"""What was delivered is read back as it was meant, whatever the columns of the two kinds are."""

from datetime import UTC, datetime

import polars as pl
import pytest

from rpsync_assets.core import parts, variance
from rpsync_assets.core.reset import KEPT_SCHEMA
from rpsync_assets.core.sent import line_start, sent_rows

T0 = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)
KEYS = [("101", "012345678905"), ("NASHVILLE", "1012345678905")]


def reset() -> bytes:
    rows = [{"facility_id": place, "upca": upca, "quantity": 7, "snapshot_at": T0} for place, upca in KEYS]
    return parts.to_csv(pl.DataFrame(rows, schema={name: KEPT_SCHEMA[name] for name in rows[0]}))


def correction() -> bytes:
    rows = [{"facility_id": place, "upca": upca, "available_delta": -2} for place, upca in KEYS]
    return variance.to_csv(pl.DataFrame(rows), parts.LOCATION)


@pytest.mark.parametrize(("content", "units"), [(reset(), 7), (correction(), -2)], ids=["reset", "variance"])
def test_the_rows_are_those_that_were_sent(content: bytes, units: int) -> None:
    found = sent_rows(content)
    assert found.select("facility_id", "upca").rows() == KEYS
    assert found["line_number"].to_list() == [2, 3]
    assert found["units"].to_list() == [units] * 2


@pytest.mark.parametrize(("kind", "content"), [("reset", reset()), ("variance", correction())])
def test_a_key_is_found_by_how_its_line_begins(kind: str, content: bytes) -> None:
    lines = content.splitlines()[1:]
    starts = [line_start(kind, place, upca) for place, upca in KEYS]  # type: ignore[arg-type]
    assert [[line.startswith(start) for line in lines] for start in starts] == [[True, False], [False, True]]
