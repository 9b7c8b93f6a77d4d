"""Which conditions may be remembered for a version."""

from __future__ import annotations

import json

import duckdb
import pytest

from mcp_lakehouse.sql.repeatable import is_repeatable

COLUMNS = frozenset({"state", "rate", "when"})
FUNCTIONS = frozenset({"lower", "+", "~~"})


def repeatable(condition: str) -> bool:
    with duckdb.connect() as connection:
        ((tree,),) = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT ({condition})"]).fetchall()
    return is_repeatable(json.loads(tree), COLUMNS, FUNCTIONS)


@pytest.mark.parametrize(
    "condition",
    ["state = 'IL'", "t.state = 'IL' AND rate + 1 < 30", "lower(STATE) LIKE 'i%'", "rate IN (1, 2) OR state IS NULL"],
)
def test_conditions_over_columns_are(condition: str) -> None:
    assert repeatable(condition)


@pytest.mark.parametrize(
    "condition",
    [
        '"when" < current_date',
        '"when" < now()',
        "random() < 0.5",
        "rate IN (SELECT rate FROM other)",
        "rate = $1",
        "lower(uuid()) > state",
    ],
)
def test_conditions_that_look_elsewhere_are_not(condition: str) -> None:
    assert not repeatable(condition)
