"""Hostile fragments inside benign shells: whatever stands around it, a file function stays refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.safety.corpus import Case, filled
from tests.safety.fixture import Planted, planted
from tests.safety.fragments import harmless, hostile
from tests.safety.rates import run

STATEMENTS = 400
SEED = 20_260_101


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with planted(tmp_path_factory.mktemp("fuzz")) as built:
        yield built


def _cases(statements: list[str], expect: str, fixture: Planted) -> list[Case]:
    return [
        Case(f"{expect}-{number}", "fuzz", "sql", {"statement": filled(statement, fixture.places)}, expect)
        for number, statement in enumerate(statements)
    ]


def test_every_shell_is_answered_with_nothing_hostile_inside(fixture: Planted) -> None:
    outcomes = run(fixture, _cases(list(harmless()), "answered", fixture))
    assert [(each.case.arguments["statement"], each.trouble) for each in outcomes if each.trouble] == []


def test_a_hostile_fragment_is_refused_in_every_shell(fixture: Planted) -> None:
    cases = _cases(hostile(STATEMENTS, SEED), "refused", fixture)
    outcomes = run(fixture, cases)
    assert [(each.case.arguments["statement"], each.trouble) for each in outcomes if each.trouble] == []


def test_what_the_fuzz_makes_is_sql(fixture: Planted) -> None:
    import duckdb

    with duckdb.connect() as connection:
        broken = [text for text in hostile(STATEMENTS, SEED) if not _parses(connection, filled(text, fixture.places))]
    assert broken == []


def _parses(connection: object, statement: str) -> bool:
    import duckdb

    assert isinstance(connection, duckdb.DuckDBPyConnection)
    try:
        return len(connection.extract_statements(statement)) > 0
    except duckdb.Error:
        return False
