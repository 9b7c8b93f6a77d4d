"""Which conditions may be remembered for a version."""

from __future__ import annotations

import json

import duckdb
import pytest

from mcp_lakehouse.sql.repeatable import columns_asked, repeatable_functions

COLUMNS = {"state": "State", "rate": "rate", "when": "when"}


def asked(condition: str) -> frozenset[str] | None:
    with duckdb.connect() as connection:
        ((tree,),) = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT ({condition})"]).fetchall()
        return columns_asked(json.loads(tree), COLUMNS, repeatable_functions(connection))


@pytest.mark.parametrize(
    ("condition", "columns"),
    [
        ("state = 'IL'", {"State"}),
        ("t.state = 'IL' AND rate + 1 < 30", {"State", "rate"}),
        ("lower(STATE) LIKE 'i%'", {"State"}),
        ('rate IN (1, 2) OR "when" IS NULL', {"rate", "when"}),
        ("1 = 1", set()),
    ],
)
def test_conditions_over_columns_are(condition: str, columns: set[str]) -> None:
    assert asked(condition) == columns


@pytest.mark.parametrize(
    "condition",
    [
        '"when" < current_date',
        '"when" < now()',
        "random() < 0.5",
        'age("when") > INTERVAL 1 YEAR',
        '"when" < current_localtimestamp()',
        "rate IN (SELECT rate FROM other)",
        "rate = $1",
        "lower(uuid()) > state",
        "COLUMNS(*) > 3",
        "#1 > 3",
    ],
)
def test_conditions_that_look_elsewhere_are_not(condition: str) -> None:
    assert asked(condition) is None
